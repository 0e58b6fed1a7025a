/**
 * Names of configuration keys: camelCase inside, snake_case with dots in the file and in errors, upper case with
 * underscores in the environment. Bad case: two keys that come out the same in the environment; a test looks for that.
 */

/** A tree of settings as it comes from a file. */
export type Settings = { [key: string]: unknown };

/** The prefix of environment variables. */
export const ENVIRONMENT_PREFIX = "ALPHAPULSE_";

/** `gateway.idle_seconds` for `["gateway", "idleSeconds"]`. */
export function keyName(path: readonly string[]): string {
  return path.map(toSnake).join(".");
}

/** `ALPHAPULSE_GATEWAY_IDLE_SECONDS` for `["gateway", "idleSeconds"]`. */
export function environmentName(path: readonly string[]): string {
  return ENVIRONMENT_PREFIX + path.map((part) => toSnake(part).toUpperCase()).join("_");
}

/** Every leaf of a tree, with its path; lists are leaves. */
export function leaves(tree: Settings, path: readonly string[] = []): { path: string[]; value: unknown }[] {
  return Object.entries(tree).flatMap(([key, value]) =>
    isSettings(value) ? leaves(value, [...path, key]) : [{ path: [...path, key], value }],
  );
}

/** Sets a leaf, making the branches to it. */
export function setLeaf(tree: Settings, path: readonly string[], value: unknown): void {
  let branch = tree;
  for (const key of path.slice(0, -1)) {
    const next = branch[key];
    const child: Settings = isSettings(next) ? next : {};
    branch[key] = child;
    branch = child;
  }
  branch[path.at(-1) ?? ""] = value;
}

/** What stands at a path; undefined when nothing does. */
export function leafAt(tree: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => (isBranch(value) ? value[String(key)] : undefined), tree);
}

/** Whether a value is a branch. */
export function isSettings(value: unknown): value is Settings {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function isBranch(value: unknown): value is Settings {
  return typeof value === "object" && value !== null;
}

function toSnake(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
