/**
 * Where the files stand that the program loads at run time: the kernel, the worker scripts, the page, its own version.
 * The only module that asks where it is itself: in the standalone binary src/standalone/assets.ts stands in its place. It
 * looks upwards for the package's own package.json, hence gives the same answer bundled in dist/ and run from src/ by the
 * tests. Bad case: nothing was built yet; the error says which command builds it.
 */
import { type ChildProcess, type ForkOptions, fork } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker, type WorkerOptions } from "node:worker_threads";

const PACKAGE_NAME = "alphapulse";

/** Scripts that run as worker threads; each is a bundle of its own in dist/. */
export type WorkerName = "collector_worker" | "metrics_worker";

/** Files to serve: the path of a folder, or the bytes by path below it, e.g. `index.html`. */
export type ServedFolder = string | ReadonlyMap<string, Uint8Array<ArrayBuffer>>;

/** What is asked for here, so that a standalone binary can answer the same from within. */
export type Assets = {
  readAsset(name: string): Uint8Array<ArrayBuffer>;
  startWorker(name: WorkerName, options: WorkerOptions): Worker;
  forkProgram(words: readonly string[], options?: ForkOptions): ChildProcess;
  dashboardFolder(): ServedFolder;
  packageVersion(): string;
  versionText(): string;
};

/**
 * The folder of the package: the repository in a clone, node_modules/alphapulse where it is installed.
 * @returns absolute path
 * @throws Error when no package.json of this package stands above this file
 */
export function packageFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    if (readPackageName(folder) === PACKAGE_NAME) {
      return folder;
    }
    const parent = dirname(folder);
    if (parent === folder) {
      throw new Error(
        `Cannot find the package folder: no package.json of ${PACKAGE_NAME} above, was ${import.meta.url}`,
      );
    }
    folder = parent;
  }
}

/**
 * The path of a built file or folder.
 * @param name relative to dist/, e.g. `kernel.wasm` or `dashboard`
 * @returns absolute path of something that exists
 * @throws Error when it was not built
 */
export function assetPath(name: string): string {
  const path = join(packageFolder(), "dist", name);
  if (!existsSync(path)) {
    throw new Error(`Cannot load ${name}: not built, run \`npm run build\`, was ${path}`);
  }
  return path;
}

/**
 * The bytes of a built file. Blocks while reading: for start-up only.
 * @param name relative to dist/, e.g. `kernel.wasm`
 * @returns a view over a buffer of its own
 * @throws Error when it was not built
 */
export function readAsset(name: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(assetPath(name)));
}

/**
 * The script of a worker thread, for `new Worker(url)`. Always the bundle: Node 20 cannot run TypeScript.
 * @throws Error when it was not built
 */
export function workerUrl(name: WorkerName): URL {
  return pathToFileURL(assetPath(`${name}.js`));
}

/**
 * Starts a worker thread.
 * @param options as for `new Worker`
 * @throws Error when it was not built
 */
export function startWorker(name: WorkerName, options: WorkerOptions): Worker {
  return new Worker(workerUrl(name), options);
}

/**
 * Starts this program again as a child process with a channel for messages, with the terminal of this one unless told otherwise.
 * @param words behind the program's name
 * @throws Error when it was not built
 */
export function forkProgram(words: readonly string[], options: ForkOptions = {}): ChildProcess {
  return fork(assetPath("main.js"), words, options);
}

/**
 * The folder of the built page; its entry is index.html.
 * @returns absolute path
 * @throws Error when it was not built
 */
export function dashboardFolder(): string {
  return assetPath("dashboard");
}

/** The version of this package, as package.json gives it. */
export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(join(packageFolder(), "package.json"), "utf8")) as { version: string };
  return version;
}

/** What `--version` prints: the version; of a standalone binary also what it was built from. */
export function versionText(): string {
  return packageVersion();
}

function readPackageName(folder: string): string | undefined {
  const path = join(folder, "package.json");
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as { name?: string }).name : undefined;
}
