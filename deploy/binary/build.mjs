/**
 * Builds the standalone binary: `npm run build:binary` for this machine, `npm run build:binary -- linux-arm64` for another
 * one. What `npm run build` made is bundled once more, without anything outside, and goes with kernel, page and both native
 * addons as a blob into a copy of Node (Single Executable Application). Beside it: checksum, licences, bill of materials.
 * The blob must be made by the very version of Node that carries it, hence other machines get theirs from the npm package
 * of the same version, whose content is pinned. Bad case: a part that was forgotten; the result is started once, and must
 * say its version (for other machines that cannot be done here, and the script says so).
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve, sep } from "node:path";
import { billOfMaterials, licenceText, packagesOf } from "./contents.mjs";

const ROOT = resolve(import.meta.dirname, "../..");
const DIST = join(ROOT, "dist");
const BIN = join(DIST, "bin");
const FUSE = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";
const OWN_TARGET = `${process.platform}-${process.arch}`;
const TARGETS = ["linux-x64", "linux-arm64"];
/** Packages in the built page. */
const PAGE_PACKAGES = ["react", "react-dom", "scheduler", "uplot", "swagger-ui-dist"];
/** koffi asks where it is; in here that is the executable. */
const FILE_NAME = "__alphapulse_file";

/** What comes from within the executable instead of from a file. */
const WITHIN = {
  name: "within",
  setup(build) {
    const standalone = join(ROOT, "src/standalone");
    const addon = (name) => `require("./addons.ts").loadAddon(${JSON.stringify(name)})`;
    const texts = {
      uws: `module.exports = ${addon("uwebsockets.node")};`,
      koffi: `exports.loadStatic = () => ${addon("koffi.node")};`,
      absent: `throw new Error("not inside");`,
    };
    build.onResolve({ filter: /\/assets\.ts$/ }, ({ importer }) =>
      importer.startsWith(standalone) ? undefined : { path: join(standalone, "assets.ts") },
    );
    build.onResolve({ filter: /^uWebSockets\.js$/ }, () => ({ path: "uws", namespace: "within" }));
    build.onResolve({ filter: /\/static\.cjs$/ }, ({ importer }) =>
      importer.includes("koffi") ? { path: "koffi", namespace: "within" } : undefined,
    );
    build.onResolve({ filter: /^koffi$/ }, () => ({ path: join(ROOT, "node_modules/koffi/index.cjs") }));
    // Native parts that ws takes where they are installed; it has its own otherwise.
    build.onResolve({ filter: /^(bufferutil|utf-8-validate)$/ }, () => ({ path: "absent", namespace: "within" }));
    build.onLoad({ filter: /.*/, namespace: "within" }, ({ path }) => ({
      contents: texts[path],
      loader: "js",
      resolveDir: standalone,
    }));
  },
};

process.exitCode = await main(process.argv.slice(2));

async function main(words) {
  const targets = words.length === 0 ? [OWN_TARGET] : words;
  const unknown = targets.filter((target) => !TARGETS.includes(target));
  if (unknown.length > 0) {
    console.error(
      `Cannot build a binary for ${unknown.join(", ")}: known are ${TARGETS.join(", ")} (see deploy/binary)`,
    );
    return 2;
  }
  for (const target of targets) {
    await buildBinary(target);
  }
  return 0;
}

async function buildBinary(target) {
  const scratch = mkdtempSync(join(tmpdir(), "alphapulse-binary-"));
  try {
    const startedAt = performance.now();
    const about = readAbout(target);
    const node = target === OWN_TARGET ? ownNode() : fetchNode(target, scratch);
    const koffi = koffiAddon(target, scratch);
    const bundled = await bundle(scratch);
    const blob = makeBlob(scratch, { about, assets: assetsOf(scratch, { target, about, koffi: koffi.addon }) });
    const name = `alphapulse-${target}`;
    const made = await inject(join(scratch, name), { node: node.executable, blob });
    prove(made, { target, about });
    const packages = packagesOf(ROOT, { inputs: bundled, more: [...PAGE_PACKAGES, "uWebSockets.js"] });
    const sum = createHash("sha256").update(readFileSync(made)).digest("hex");
    mkdirSync(BIN, { recursive: true });
    put(join(BIN, `${name}.licenses.txt`), licenceText(ROOT, { packages, nodeLicence: node.licence }));
    put(join(BIN, `${name}.cdx.json`), billOfMaterials({ about, packages, sum, name }));
    put(join(BIN, `${name}.sha256`), `${sum}  ${name}\n`);
    put(join(BIN, name), readFileSync(made), 0o755);
    const megabytes = (statSync(join(BIN, name)).size / 1e6).toFixed(1);
    console.error(`  dist/bin/${name}  ${megabytes} MB in ${Math.round(performance.now() - startedAt)} ms`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function readAbout(target) {
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const page = readdirSync(join(DIST, "dashboard"), { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(join(DIST, "dashboard", name)).isFile())
    .map((name) => name.split(sep).join("/"))
    .sort();
  return { version, commit: commitOf(), target, node: process.versions.node, page };
}

/** SOURCE_COMMIT where the sources come without their history, as in a container's build. */
function commitOf() {
  if (process.env.SOURCE_COMMIT) {
    return process.env.SOURCE_COMMIT;
  }
  const git = (...words) =>
    execFileSync("git", words, { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  try {
    const changes = git("status", "--porcelain").trim() === "" ? "" : "+changes";
    return `${git("rev-parse", "--short=12", "HEAD").trim()}${changes}`;
  } catch {
    return "unknown";
  }
}

/** This machine's Node, with the licence that came with it. */
function ownNode() {
  const prefix = resolve(dirname(process.execPath), "..");
  const places = [join(prefix, "LICENSE"), join(prefix, "share/doc/nodejs/LICENSE"), "/usr/share/doc/nodejs/LICENSE"];
  const licence = places.find((path) => existsSync(path));
  if (licence === undefined) {
    throw new Error(`Cannot ship this Node: its licence is not beside it, was ${process.execPath}`);
  }
  return { executable: process.execPath, licence: readFileSync(licence, "utf8") };
}

/** Node of another machine, of our version, from the npm registry. */
function fetchNode(target, scratch) {
  const { node } = process.versions;
  const pinned = JSON.parse(readFileSync(join(import.meta.dirname, "nodes.json"), "utf8"))[node]?.[target];
  if (pinned === undefined) {
    throw new Error(`Cannot build for ${target}: no Node ${node} is pinned in deploy/binary/nodes.json`);
  }
  const folder = fetchPackage(`node-${target}@${node}`, { scratch, integrity: pinned });
  return { executable: join(folder, "bin/node"), licence: readFileSync(join(folder, "LICENSE"), "utf8") };
}

/** koffi's addon of a machine: installed for this one, fetched for others with what the lock file pins. */
function koffiAddon(target, scratch) {
  const name = `@koromix/koffi-${target}`;
  const file = `${target.replace("-", "_")}/koffi.node`;
  const installed = join(ROOT, "node_modules", name, file);
  if (existsSync(installed)) {
    return { addon: installed };
  }
  const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
  const { version, integrity } = lock.packages[`node_modules/${name}`];
  return { addon: join(fetchPackage(`${name}@${version}`, { scratch, integrity }), file) };
}

/** @returns the folder of its content */
function fetchPackage(name, { scratch, integrity }) {
  const folder = mkdtempSync(join(scratch, "package-"));
  const words = ["pack", name, "--silent", "--pack-destination", folder];
  execFileSync("npm", words, { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
  const [archive] = readdirSync(folder);
  const found = `sha512-${createHash("sha512")
    .update(readFileSync(join(folder, archive)))
    .digest("base64")}`;
  if (found !== integrity) {
    throw new Error(`Cannot use ${name}: its content is not the pinned one, was ${found}`);
  }
  execFileSync("tar", ["-xzf", archive], { cwd: folder });
  return join(folder, "package");
}

/** Bundles without anything outside: program and threads. @returns the files that went in */
async function bundle(scratch) {
  const { build } = await import("esbuild");
  const result = await build({
    absWorkingDir: ROOT,
    entryPoints: {
      main: "src/main.ts",
      collector_worker: "src/feed/collector_worker.ts",
      metrics_worker: "src/gateway/metrics_worker.ts",
    },
    outdir: scratch,
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    mainFields: ["main", "module"],
    conditions: ["node", "require"],
    define: { __filename: FILE_NAME },
    banner: { js: `const ${FILE_NAME} = process.execPath;` },
    metafile: true,
    logLevel: "warning",
    plugins: [WITHIN],
  });
  const imports = Object.values(result.metafile.outputs).flatMap((output) => output.imports);
  const outside = [...new Set(imports.map(({ path }) => path))].filter((path) => !isBuiltin(path));
  if (outside.length > 0) {
    throw new Error(`Cannot bundle everything: these would be looked for outside: ${outside.join(", ")}`);
  }
  return Object.keys(result.metafile.inputs);
}

function assetsOf(scratch, { target, about, koffi }) {
  const aboutFile = join(scratch, "about.json");
  writeFileSync(aboutFile, JSON.stringify(about));
  const uws = `uws_${target.replace("-", "_")}_${process.versions.modules}.node`;
  const page = about.page.map((path) => [`dashboard/${path}`, join(DIST, "dashboard", path)]);
  return {
    "about.json": aboutFile,
    "kernel.wasm": join(DIST, "kernel.wasm"),
    "collector_worker.js": join(scratch, "collector_worker.js"),
    "metrics_worker.js": join(scratch, "metrics_worker.js"),
    "uwebsockets.node": join(ROOT, "node_modules/uWebSockets.js", uws),
    "koffi.node": koffi,
    ...Object.fromEntries(page),
  };
}

function makeBlob(scratch, { assets }) {
  const output = join(scratch, "sea.blob");
  const config = {
    main: join(scratch, "main.js"),
    output,
    disableExperimentalSEAWarning: true,
    useSnapshot: false,
    useCodeCache: false,
    assets,
  };
  writeFileSync(join(scratch, "sea.json"), JSON.stringify(config));
  execFileSync(process.execPath, ["--experimental-sea-config", join(scratch, "sea.json")], { stdio: "pipe" });
  return readFileSync(output);
}

async function inject(path, { node, blob }) {
  copyFileSync(node, path);
  chmodSync(path, 0o755);
  const { inject: injectInto } = (await import("postject")).default;
  await injectInto(path, "NODE_SEA_BLOB", blob, { sentinelFuse: FUSE });
  return path;
}

/** Starts the result once, in an empty environment. */
function prove(path, { target, about }) {
  if (target !== OWN_TARGET) {
    console.error(`  alphapulse-${target} cannot be started here (${OWN_TARGET}): start it once on its own machine`);
    return;
  }
  const printed = execFileSync(path, ["--version"], { env: {}, cwd: dirname(path), encoding: "utf8" }).trim();
  const wanted = `${about.version} (commit ${about.commit}, ${target}, Node ${about.node})`;
  if (printed !== wanted) {
    throw new Error(`Cannot use ${relative(ROOT, path)}: it must print ${wanted}, was ${printed}`);
  }
}

/** Writes beside its place and renames: a running binary is not overwritten. */
function put(path, contents, mode = 0o644) {
  const beside = `${path}.${process.pid}`;
  writeFileSync(beside, contents, { mode });
  chmodSync(beside, mode);
  renameSync(beside, path);
}
