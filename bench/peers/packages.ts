/**
 * Packages of peers: their versions as installed, and modules of theirs by path. They are development dependencies, so a
 * production install lacks them. Bad case: a package that is not there; `undefined`, and the peer is named as missing.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { packageFolder } from "../../src/assets.ts";

/** The version of an installed package; undefined when there is none. */
export function installedVersion(name: string): string | undefined {
  const path = join(packageFolder(), "node_modules", name, "package.json");
  if (!existsSync(path)) {
    return undefined;
  }
  return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version;
}

/**
 * A module of a package by its path: a package that exports only the whole of itself would load all of it.
 * @param path inside node_modules
 */
export async function moduleAt<Module>(path: string): Promise<Module> {
  const url = pathToFileURL(join(packageFolder(), "node_modules", path)).href;
  return (await import(/* @vite-ignore */ url)) as Module;
}
