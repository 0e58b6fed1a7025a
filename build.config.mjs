/**
 * Builds everything into dist/: the kernel (AssemblyScript → WebAssembly), the bundles for Node, the client library, the
 * page; and runs the checks. One plain script, so that a fresh clone needs no other tool: `node build.config.mjs`,
 * `… bench` (no page, but the benchmarks and long runs), `… simulate`, `… mutate`, `… check`, or a list of steps, e.g.
 * `… kernel bundles`.
 * What it says goes to standard error: the standard output belongs to the command that it builds for.
 * Every output is written beside its place and renamed into it, so a test that runs meanwhile sees the old file or the
 * whole new one. Bad case: a step that fails keeps its old output; the other steps still run and the exit status is 1.
 */
import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative } from "node:path";

const ROOT = import.meta.dirname;
const DIST = join(ROOT, "dist");
const KERNEL = join(DIST, "kernel.wasm");
/** The kernel with the loops of benchmarks. */
const BENCH_KERNEL = join(DIST, "kernel_bench.wasm");
const BENCH_LOOPS = [
  "assembly/bench/ring_driver.ts",
  "assembly/bench/parse_driver.ts",
  "assembly/bench/codec_driver.ts",
];
/** Declarations of what package.json exports, for those who write TypeScript. */
const TYPES = join(DIST, "types");
/** Written as declarations, which the compiler leaves where they are. */
const DECLARED = ["src/rest/client_types.d.ts"];
const DASHBOARD = join(DIST, "dashboard");
const DASHBOARD_INPUTS = join(DIST, ".dashboard_inputs.json");

/**
 * Bundles of the normal build. `optional`: built when its source is there. `portable`: for browsers, imports nothing but
 * what it names as `beside`, which may be another bundle of ours.
 */
const BUNDLES = [
  { from: "src/main.ts", to: "main.js", executable: true },
  { from: "src/feed/collector_worker.ts", to: "collector_worker.js" },
  { from: "src/gateway/metrics_worker.ts", to: "metrics_worker.js" },
  { from: "src/reader/mod.ts", to: "segment.js" },
  { from: "src/client/mod.ts", to: "client.js", portable: true, minify: true },
  { from: "src/client/worker.ts", to: "client_worker.js", portable: true, minify: true },
  { from: "src/client/worker_script.ts", to: "client_worker_script.js", portable: true, minify: true },
  { from: "src/rest/client.ts", to: "rest.js", portable: true, minify: true },
  { from: "src/react/mod.ts", to: "react.js", portable: true, minify: true, beside: ["react", "./client.js"] },
];

/** The client stays a bundle of its own, so that a page which uses both carries it once. */
const CLIENT_BESIDE = {
  name: "client-beside",
  setup(build) {
    build.onResolve({ filter: /\/client\/mod\.ts$/ }, () => ({ path: "./client.js", external: true }));
  },
};

const STEPS = {
  kernel: () => buildKernel(KERNEL, []),
  kernel_bench: () => buildKernel(BENCH_KERNEL, BENCH_LOOPS),
  bundles: () => buildBundles(BUNDLES),
  dashboard: buildDashboard,
  declarations: buildDeclarations,
  benches: () => buildBundles(benchBundles()),
  simulation: () => buildBundles([{ from: "test/simulation/main.ts", to: "simulation/main.js", optional: true }]),
  mutation: () => buildBundles([{ from: "test/mutation/main.ts", to: "mutation/main.js", optional: true }]),
  biome: () => run("biome", ["check", "--error-on-warnings"]),
  types: () => run("tsc", ["-p", ".", "--noEmit"]),
  tidy: () => run("vitest", ["run", "--project", "tidy"]),
};

const PLANS = {
  build: ["kernel", "bundles", "declarations", "dashboard"],
  bench: ["kernel", "kernel_bench", "bundles", "benches"],
  simulate: ["kernel", "simulation"],
  mutate: ["mutation"],
  check: ["biome", "types", "kernel", "tidy"],
};

process.exitCode = await main(process.argv.slice(2));

async function main(words) {
  const names = (words.length === 0 ? ["build"] : words).flatMap((word) => PLANS[word] ?? [word]);
  const unknown = names.filter((name) => !(name in STEPS));
  if (unknown.length > 0) {
    const known = [...Object.keys(PLANS), ...Object.keys(STEPS)].join(", ");
    console.error(`Cannot build ${unknown.join(", ")}: no such step, known are ${known}`);
    return 2;
  }
  const failed = [];
  for (const name of names) {
    const startedAt = performance.now();
    const failure = await STEPS[name]().catch((error) => error);
    if (failure instanceof Error) {
      failed.push(name);
      console.error(failure.message);
    }
    const verdict = failure instanceof Error ? "FAILED" : "ok";
    console.error(`${name.padEnd(10)} ${verdict} ${Math.round(performance.now() - startedAt)} ms`);
  }
  if (failed.length > 0) {
    console.error(`failed: ${failed.join(", ")}`);
  }
  return failed.length > 0 ? 1 : 0;
}

/** @param more entries beside the one that asconfig.json names */
async function buildKernel(target, more) {
  const entry = join(ROOT, "assembly/index.ts");
  const shown = relative(ROOT, target);
  requireEntry(entry);
  if (isFresh(target, [join(ROOT, "assembly"), join(ROOT, "asconfig.json"), join(ROOT, "build.config.mjs")])) {
    return line(shown, "unchanged");
  }
  const startedAt = new Date();
  const asc = await import("assemblyscript/asc");
  const output = join(DIST, `.${basename(target, ".wasm")}.${process.pid}.wasm`);
  mkdirSync(DIST, { recursive: true });
  const options = [...more, "--config", "asconfig.json", "--baseDir", ROOT, "--target", "release"];
  const { error, stderr } = await asc.main([...options, "--outFile", relative(ROOT, output)]);
  process.stderr.write(stderr.toString());
  try {
    if (error) {
      throw new Error(`Cannot compile ${relative(ROOT, entry)}: ${error.message}`);
    }
    inlineCalls(output);
    await verifyKernel(readFileSync(output));
    utimesSync(output, startedAt, startedAt);
    renameSync(output, target);
  } finally {
    rmSync(output, { force: true });
  }
  line(shown, `${statSync(target).size} bytes`);
}

/**
 * V8 inlines no calls inside a WebAssembly module, so small functions are inlined here; measured gain 5 to 18 % on captured
 * frames (`npm run bench -- decoders`).
 */
function inlineCalls(file) {
  const optimiser = join(ROOT, "node_modules/binaryen/bin/wasm-opt");
  const features = ["threads", "simd", "bulk-memory", "mutable-globals", "sign-ext", "nontrapping-float-to-int"];
  const limits = [
    "--inline-functions-with-loops",
    "--flexible-inline-max-function-size=400",
    "--always-inline-max-function-size=60",
    "--one-caller-inline-max-function-size=2000",
  ];
  const enabled = features.map((feature) => `--enable-${feature}`);
  execFileSync(process.execPath, [optimiser, file, "-o", file, "-O4", ...enabled, ...limits], { stdio: "inherit" });
}

/** The memory is the only thing that the kernel may import: anything else means that `assert`, `trace` or an allocation crept in. */
async function verifyKernel(bytes) {
  const module = await WebAssembly.compile(bytes);
  const imports = WebAssembly.Module.imports(module).map((entry) => `${entry.module}.${entry.name}`);
  if (imports.join() !== "env.memory") {
    throw new Error(`Cannot use the kernel: it may import env.memory only, was ${imports.join(", ")}`);
  }
}

async function buildBundles(bundles) {
  const { build } = await import("esbuild");
  const outcomes = await Promise.allSettled(bundles.map((bundle) => buildBundle(build, bundle)));
  const failures = outcomes.filter((outcome) => outcome.status === "rejected");
  if (failures.length > 0) {
    throw new Error(failures.map((failure) => failure.reason.message).join("\n"));
  }
}

async function buildBundle(build, bundle) {
  const { from, to, executable = false, portable = false, optional = false, minify = false, beside = [] } = bundle;
  if (!existsSync(join(ROOT, from)) && optional) {
    return;
  }
  requireEntry(join(ROOT, from));
  const result = await build({
    absWorkingDir: ROOT,
    entryPoints: [from],
    outfile: join("dist", to),
    bundle: true,
    format: "esm",
    sourcemap: true,
    sourcesContent: false,
    write: false,
    metafile: true,
    logLevel: "warning",
    minify,
    external: beside.filter((name) => !name.startsWith("./")),
    plugins: beside.includes("./client.js") ? [CLIENT_BESIDE] : [],
    ...(portable
      ? { platform: "neutral", target: "es2022", mainFields: ["module", "main"] }
      : { platform: "node", target: "node20", packages: "external" }),
    ...(executable ? { banner: { js: "#!/usr/bin/env node" } } : {}),
  });
  const imports = Object.values(result.metafile.outputs).flatMap((output) => output.imports);
  const pulled = imports.filter(({ path }) => !beside.includes(path));
  if (portable && pulled.length > 0) {
    throw new Error(
      `Cannot bundle ${from}: it must run in a browser, was importing ${pulled.map((it) => it.path).join(", ")}`,
    );
  }
  const changed = result.outputFiles.map((file) => replaceFile(file.path, file.contents)).includes(true);
  if (executable) {
    chmodSync(join(DIST, to), 0o755);
  }
  line(`dist/${to}`, changed ? `${statSync(join(DIST, to)).size} bytes` : "unchanged");
}

function benchBundles() {
  const long = join(ROOT, "test/long");
  const runs = existsSync(long) ? readdirSync(long).filter((name) => name.endsWith(".ts")) : [];
  return [
    { from: "bench/main.ts", to: "bench/main.js", executable: true },
    { from: "bench/garbage/child.ts", to: "bench/garbage.js" },
    { from: "bench/instructions/child.ts", to: "bench/instructions.js" },
    { from: "bench/start/child.ts", to: "bench/start.js" },
    { from: "bench/report/page.ts", to: "bench/report.js", portable: true, minify: true },
    ...runs.map((name) => ({ from: `test/long/${name}`, to: `long/${basename(name, ".ts")}.js` })),
  ];
}

async function buildDashboard() {
  requireEntry(join(ROOT, "src/dashboard/index.html"));
  const lists = [join(ROOT, "src/dashboard"), join(ROOT, "vite.config.ts"), join(ROOT, "package-lock.json")];
  if (existsSync(DASHBOARD) && isFresh(DASHBOARD_INPUTS, [...lists, ...recordedInputs()])) {
    serveClient();
    serveExplorer();
    return line("dist/dashboard", "unchanged");
  }
  const startedAt = new Date();
  const { build } = await import("vite");
  const output = join(DIST, `.dashboard.${process.pid}`);
  const inputs = new Set();
  const recorder = {
    name: "record-inputs",
    buildEnd() {
      for (const id of this.getModuleIds()) {
        if (id.startsWith(`${ROOT}/`) && !id.includes("/node_modules/")) {
          inputs.add(relative(ROOT, id.split("?")[0]));
        }
      }
    },
  };
  // Vite rejects a promise that nobody holds when index.html names a missing script: that fails this step, not the others.
  const { promise: stray, reject } = withReject();
  process.once("unhandledRejection", reject);
  try {
    const built = build({
      configFile: join(ROOT, "vite.config.ts"),
      logLevel: "warn",
      build: { outDir: output, emptyOutDir: true },
      plugins: [recorder],
    });
    await Promise.race([built, stray]);
    replaceFolder(output, DASHBOARD);
    serveClient();
    serveExplorer();
  } finally {
    process.off("unhandledRejection", reject);
    rmSync(output, { recursive: true, force: true });
  }
  replaceFile(DASHBOARD_INPUTS, JSON.stringify([...inputs].sort(), null, 1));
  utimesSync(DASHBOARD_INPUTS, startedAt, startedAt);
  line("dist/dashboard", `built from ${inputs.size} files`);
}

/** The explorer of the REST API is served below the page's files: without a network, and from nowhere else. */
function serveExplorer() {
  const ours = join(ROOT, "src/rest/explorer");
  const theirs = join(ROOT, "node_modules/swagger-ui-dist");
  const files = [
    ...["index.html", "start.js"].map((name) => join(ours, name)),
    ...["swagger-ui.css", "swagger-ui-bundle.js", "LICENSE", "NOTICE"].map((name) => join(theirs, name)),
  ];
  for (const file of files) {
    replaceFile(join(DASHBOARD, "explorer", basename(file)), readFileSync(file));
  }
}

/** The client's bundles are served beside the page, for pages of others: /client.js and so on. */
function serveClient() {
  for (const { to } of BUNDLES.filter(({ portable }) => portable)) {
    if (existsSync(join(DIST, to))) {
      replaceFile(join(DASHBOARD, to), readFileSync(join(DIST, to)));
    }
  }
}

function withReject() {
  let reject;
  const promise = new Promise((_, rejectPromise) => {
    reject = rejectPromise;
  });
  return { promise, reject };
}

function recordedInputs() {
  return existsSync(DASHBOARD_INPUTS)
    ? JSON.parse(readFileSync(DASHBOARD_INPUTS, "utf8")).map((path) => join(ROOT, path))
    : [];
}

/** Declarations into dist/types, file by file, so that a reader meanwhile finds each of them whole; old ones are removed. */
async function buildDeclarations() {
  const scratch = join(DIST, `.types.${process.pid}`);
  try {
    await run("tsc", ["-p", "src/tsconfig.declarations.json", "--outDir", scratch]);
    for (const name of DECLARED) {
      copyFileSync(join(ROOT, name), join(scratch, name));
    }
    const names = readdirSync(scratch, { recursive: true }).filter((name) => name.endsWith(".d.ts"));
    for (const name of names) {
      mkdirSync(dirname(join(TYPES, name)), { recursive: true });
      replaceFile(join(TYPES, name), readFileSync(join(scratch, name)));
    }
    const old = readdirSync(TYPES, { recursive: true }).filter(
      (name) => name.endsWith(".d.ts") && !names.includes(name),
    );
    for (const name of old) {
      rmSync(join(TYPES, name));
    }
    line(relative(ROOT, TYPES), `${names.length} files`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Runs a program of node_modules/.bin with our terminal; rejects when it fails. */
function run(program, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(join(ROOT, "node_modules/.bin", program), args, { cwd: ROOT, stdio: "inherit" });
    child.once("error", reject);
    child.once("close", (status, signal) =>
      status === 0 ? resolve() : reject(new Error(`Cannot pass ${program} ${args.join(" ")}: was ${signal ?? status}`)),
    );
  });
}

function requireEntry(path) {
  if (!existsSync(path)) {
    throw new Error(`Cannot build ${relative(ROOT, path)}: no such file`);
  }
}

/** True when `output` is newer than every input. Folders count with their own time too, so that a removed file shows. */
function isFresh(output, inputs) {
  if (!existsSync(output)) {
    return false;
  }
  const builtAt = statSync(output).mtimeMs;
  const isOlder = (path) => existsSync(path) && statSync(path).mtimeMs < builtAt;
  const under = (path) =>
    existsSync(path) && statSync(path).isDirectory() ? readdirSync(path, { recursive: true }) : [];
  return inputs.every((path) => isOlder(path) && under(path).every((name) => isOlder(join(path, name))));
}

/** Writes `path` through a rename, unless it already holds these bytes. Returns whether it changed. */
function replaceFile(path, contents) {
  const bytes = Buffer.from(contents);
  if (existsSync(path) && readFileSync(path).equals(bytes)) {
    return false;
  }
  mkdirSync(dirname(path), { recursive: true });
  const beside = join(dirname(path), `.${basename(path)}.${process.pid}`);
  writeFileSync(beside, bytes);
  renameSync(beside, path);
  return true;
}

function replaceFolder(from, to) {
  const old = `${from}.old`;
  if (existsSync(to)) {
    renameSync(to, old);
  }
  renameSync(from, to);
  rmSync(old, { recursive: true, force: true });
}

function line(output, outcome) {
  console.error(`  ${output.padEnd(28)} ${outcome}`);
}
