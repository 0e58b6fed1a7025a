/**
 * Runs what the Dockerfile says without an engine: each stage's commands in a scratch root of its own, over this machine's
 * Debian in place of the base images, then the entry point as its user on a read-only root, until its health check passes,
 * and a SIGTERM. `node deploy/docker/prove.mjs`; needs root, unshare, nsenter and chroot.
 * Bad case: a base image that lacks what this machine has; libraries of the last stage are therefore only those of glibc
 * and libstdc++, and it holds no shell. What cannot be tried here is said by name, with status 77.
 */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { basename, dirname, join, relative, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../..");
const DOCKERFILE = join(import.meta.dirname, "Dockerfile");
const SKIPPED = 77;
/** Not on the path of an image. */
const CHROOT = "/usr/sbin/chroot";
const HEALTH_MS = 30_000;
const STOP_MS_MAX = 1000;
const LIBRARIES = ["libc.so.6", "libstdc++.so.6", "libgcc_s.so.1", "libm.so.6", "libdl.so.2", "libpthread.so.0"];
/** Read-only and shared: the userland that stands in for the base image of a stage that runs commands. */
const USERLAND = ["usr", "etc"];

process.exitCode = await main();

async function main() {
  if (process.getuid?.() !== 0 || spawnSync("unshare", ["--mount", "true"]).status !== 0) {
    console.error("container stages SKIPPED: they need root and the right to mount");
    return SKIPPED;
  }
  const work = mkdtempSync(join(tmpdir(), "alphapulse-stages-"));
  chmodSync(work, 0o755);
  try {
    const stages = parseStages(readFileSync(DOCKERFILE, "utf8"));
    const done = new Map();
    for (const stage of stages) {
      const startedAt = performance.now();
      const isLast = stage === stages.at(-1);
      const built = buildStage(stage, { root: join(work, stage.name), done, isBare: isLast });
      done.set(stage.name, built);
      console.log(
        `stage ${stage.name}: ${stage.steps.length} steps in ${Math.round((performance.now() - startedAt) / 1000)} s`,
      );
    }
    await runStage(done.get(stages.at(-1).name));
    return 0;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** @returns stages with their instructions; a continued line is one */
function parseStages(text) {
  const lines = text
    .replace(/\\\n/g, " ")
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("#"));
  const stages = [];
  for (const line of lines) {
    const [, word, rest] = /^(\w+)\s+(.*)$/.exec(line);
    if (word === "FROM") {
      const [, image, name] = /^(\S+) AS (\w+)$/.exec(rest);
      stages.push({ image, name, steps: [] });
    } else {
      stages.at(-1).steps.push({ word, rest });
    }
  }
  return stages;
}

/** Builds one stage into its root. @param options.isBare nothing of this machine but the C and C++ libraries */
function buildStage({ steps }, { root, done, isBare }) {
  const stage = {
    root,
    folder: "/",
    environment: { PATH: "/usr/local/bin:/usr/bin:/bin" },
    user: "0:0",
    entry: [],
    words: [],
  };
  for (const folder of ["tmp", "proc", "dev", ...(isBare ? [] : USERLAND)]) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  if (isBare) {
    copyLibraries(root);
  } else {
    for (const link of ["bin", "sbin", "lib", "lib64"].filter((name) => existsSync(`/usr/${name}`))) {
      symlinkSync(`usr/${link}`, join(root, link));
    }
  }
  for (const { word, rest } of steps) {
    perform(stage, { word, rest, done });
  }
  return stage;
}

function perform(stage, { word, rest, done }) {
  switch (word) {
    case "WORKDIR":
      stage.folder = rest;
      mkdirSync(join(stage.root, rest), { recursive: true });
      break;
    case "ARG":
    case "ENV": {
      const [name, value = ""] = rest.split("=");
      stage.environment[name] = word === "ARG" ? (process.env[name] ?? value) : value;
      break;
    }
    case "COPY":
      copy(stage, rest, done);
      break;
    case "RUN":
      runCommand(stage, rest);
      break;
    case "USER":
      stage.user = rest;
      break;
    case "ENTRYPOINT":
      stage.entry = JSON.parse(rest);
      break;
    case "CMD":
      stage.words = JSON.parse(rest);
      break;
    case "HEALTHCHECK":
      stage.health = JSON.parse(rest.slice(rest.indexOf("CMD ") + 4));
      break;
    case "EXPOSE":
    case "STOPSIGNAL":
      break;
    default:
      throw new Error(`Cannot follow the Dockerfile: this script does not know ${word}`);
  }
}

function copy(stage, rest, done) {
  const words = rest.split(/\s+/);
  const flags = words.filter((word) => word.startsWith("--"));
  const paths = words.filter((word) => !word.startsWith("--"));
  const flag = (name) => flags.find((word) => word.startsWith(`--${name}=`))?.split("=")[1];
  const from = flag("from") === undefined ? ROOT : done.get(flag("from")).root;
  const target = paths.at(-1);
  const place = join(stage.root, target.startsWith("/") ? target : join(stage.folder, target));
  const mode = flag("chmod");
  for (const origin of paths.slice(0, -1).flatMap((source) => matching(join(from, source)))) {
    const isFolder = statSync(origin).isDirectory();
    const destination = isFolder ? place : target.endsWith("/") ? join(place, basename(origin)) : place;
    mkdirSync(dirname(destination), { recursive: true });
    cpSync(origin, destination, { recursive: true, filter: from === ROOT ? isInContext : () => true });
    if (mode !== undefined) {
      chmodSync(destination, Number.parseInt(mode, 8));
    }
  }
}

/** The files of a path whose last part may hold a star. */
function matching(path) {
  const pattern = new RegExp(`^${basename(path).replace(/[.]/g, "[.]").replace("*", ".*")}$`);
  const names = basename(path).includes("*")
    ? readdirSync(dirname(path)).filter((name) => pattern.test(name))
    : [basename(path)];
  if (names.length === 0) {
    throw new Error(`Cannot copy: nothing matches, was ${path}`);
  }
  return names.map((name) => join(dirname(path), name));
}

/** What Dockerfile.dockerignore leaves of the repository: names, or names at any depth. */
function isInContext(path) {
  const inside = relative(ROOT, path);
  const ignored = readFileSync(`${DOCKERFILE}.dockerignore`, "utf8").split("\n").filter(Boolean);
  return !ignored.some((pattern) =>
    pattern.startsWith("**/") ? inside.split("/").includes(pattern.slice(3)) : inside.split("/")[0] === pattern,
  );
}

/** Runs a command in the stage's root, over this machine's programs, with npm's settings and cache of this machine. */
function runCommand({ root, folder, environment }, command) {
  const cache = execFileSync("npm", ["config", "get", "cache"], { encoding: "utf8" }).trim();
  const settings = join(homedir(), ".npmrc");
  if (existsSync(settings)) {
    cpSync(settings, join(root, "tmp/.npmrc"));
  }
  mkdirSync(cache, { recursive: true });
  mkdirSync(join(root, "tmp/.npm"), { recursive: true });
  const mounts = [
    ...USERLAND.map((name) => `mount --bind /${name} ${root}/${name} && mount -o remount,bind,ro ${root}/${name}`),
    `mount --rbind /dev ${root}/dev`,
    `mount -t proc proc ${root}/proc`,
    `mount --bind ${cache} ${root}/tmp/.npm`,
  ];
  const certificates = Object.entries(process.env).filter(([name]) =>
    /^(npm_config_\w+|https?_proxy|no_proxy|NODE_EXTRA_CA_CERTS)$/i.test(name),
  );
  const variables = { HOME: "/tmp", ...Object.fromEntries(certificates), ...environment };
  const assignments = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  const inside = [CHROOT, root, "env", "-i", ...assignments, "sh", "-ec", `cd ${folder} && ${command}`];
  inMounts(mounts, inside, { stdio: ["ignore", "ignore", "inherit"] });
}

function mountScript(mounts) {
  return `${mounts.join(" && ")} && exec "$@"`;
}

function inMounts(mounts, words, options) {
  execFileSync(
    "unshare",
    ["--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", mountScript(mounts), "sh", ...words],
    options,
  );
}

function copyLibraries(root) {
  const listed = execFileSync("ldd", [process.execPath], { encoding: "utf8" });
  const found = [...listed.matchAll(/(\/\S+\.so\S*)/g)].map((match) => match[1]);
  const wanted = found.filter((path) => LIBRARIES.includes(basename(path)) || basename(path).startsWith("ld-linux"));
  for (const path of wanted) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    cpSync(path, join(root, path), { dereference: true });
  }
}

/** Starts the entry point as its user, on a read-only root, and judges health and end. */
async function runStage({ root, folder, environment, user, entry, words, health }) {
  const [uid, gid] = user.split(":");
  const mounts = [
    `mount --bind ${root} ${root} && mount -o remount,bind,ro ${root}`,
    `mount -t tmpfs -o size=64m,mode=1777 tmpfs ${root}/tmp`,
    `mount -t proc proc ${root}/proc`,
    `mount --bind /dev ${root}/dev`,
  ];
  const assignments = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const chrooted = (command) => [CHROOT, `--userspec=${uid}:${gid}`, "--groups=", root, ...command];
  const clean = (command) => ["env", "-i", ...assignments, ...chrooted(command)];
  // An exchange is not reachable here, and need not be: the gateway lives all the same, and says so.
  const offline = [
    "--set",
    "exchanges.kraken.websocket_urls=ws://127.0.0.1:9",
    "--set",
    "exchanges.kraken.rest_url=http://127.0.0.1:9",
  ];
  const command = [...entry, ...words, "--exchange", "kraken", "--port", "8765", ...offline];
  const startedAt = performance.now();
  const script = ["--mount", "--net", "sh", "-ec", mountScript(["ip link set lo up", ...mounts]), "sh"];
  const child = spawn("unshare", [...script, ...clean(command)], { stdio: ["ignore", "pipe", "pipe"] });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => {
      printed += text;
    });
  }
  const ended = new Promise((done) => child.once("exit", done));
  try {
    const enter = ["--target", String(child.pid), "--mount", "--net", ...clean(health)];
    for (;;) {
      const asked = spawnSync("nsenter", enter, { encoding: "utf8" });
      if (asked.status === 0) {
        break;
      }
      if (child.exitCode !== null || performance.now() - startedAt > HEALTH_MS) {
        throw new Error(`Cannot call the container well: ${asked.stdout}${asked.stderr}, it printed ${printed}`);
      }
      await new Promise((later) => setTimeout(later, 100));
    }
    const healthyMs = Math.round(performance.now() - startedAt);
    const uids = /^Uid:\s+(.*)$/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))[1];
    if (!uids.split(/\s+/).every((id) => id === uid)) {
      throw new Error(`Cannot accept the container: it must run as ${uid}, was ${uids}`);
    }
    if (/Cannot load/.test(printed)) {
      throw new Error(`Cannot accept the container: an addon does not load there, it printed ${printed}`);
    }
    const stoppedAt = performance.now();
    child.kill("SIGTERM");
    const status = await ended;
    const stopMs = Math.round(performance.now() - stoppedAt);
    if (status !== 0 || stopMs > STOP_MS_MAX) {
      throw new Error(`Cannot accept the container: on SIGTERM it ended with ${status} after ${stopMs} ms`);
    }
    console.log(
      `container: healthy after ${healthyMs} ms as user ${uid} on a read-only root, ended in ${stopMs} ms (${folder})`,
    );
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
}
