/**
 * Where the files stand that the program loads at run time: the kernel, the worker scripts, the page, its own version.
 * The only module that asks where it is itself, so that a standalone binary can swap this one file. It looks upwards for
 * the package's own package.json, hence gives the same answer bundled in dist/ and run from src/ by the tests.
 * Bad case: nothing was built yet; the error says which command builds it.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const PACKAGE_NAME = "alphapulse";

/** Scripts that run as worker threads; each is a bundle of its own in dist/. */
export type WorkerName = "collector_worker" | "metrics_worker";

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

function readPackageName(folder: string): string | undefined {
  const path = join(folder, "package.json");
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as { name?: string }).name : undefined;
}
