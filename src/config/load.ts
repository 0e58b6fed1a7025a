/**
 * Brings file, environment and flags together: flags win over the environment, the environment over the file, the file
 * over the defaults. Unknown keys are refused with the nearest name; every error names the key, the value and the source.
 * Bad case: a variable of somebody else that begins with our prefix; it is refused too, so that no typo goes unnoticed.
 */
import { readFileSync } from "node:fs";
import { parse, TomlError } from "smol-toml";
import { ConfigError } from "../errors.ts";
import type { ExchangeId } from "../model/exchange_id.ts";
import { resolveExchangeId } from "../model/exchange_id.ts";
import {
  ENVIRONMENT_PREFIX,
  environmentName,
  isSettings,
  keyName,
  leafAt,
  leaves,
  type Settings,
  setLeaf,
} from "./keys.ts";
import { nearestHint } from "./nearest.ts";
import { CONFIG_SCHEMA, type Config, type ExchangeConfig } from "./schema.ts";

/** Where settings come from. */
export type ConfigSources = {
  /** Text of the TOML file and its name, when there is one. */
  readonly file?: { readonly path: string; readonly text: string };
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** By dotted snake_case key, e.g. `{ "gateway.idle_seconds": "30" }`. */
  readonly flags?: Readonly<Record<string, unknown>>;
};

/** The file that is read when none is named. */
export const CONFIG_FILE = "alphapulse.toml";

/** Variables with our prefix that are no settings: they belong to tests and benchmarks, and to the choice of the file. */
const OTHER_VARIABLES = [
  "BUDGET",
  "CAPTURES",
  "CHROMIUM",
  "CONFIG",
  "DENO",
  "K6",
  "PYTHON",
  "RENEW",
  "REQUIRE",
  "SCREENSHOTS",
  "TEST_PARTS",
  "TEST_REPORT",
].map((name) => ENVIRONMENT_PREFIX + name);

/** Settings, and names that were meant for one, whose values are nobody else's business. */
const SECRET_NAMES = /key|password|secret|token/i;
/** `user:password@` of an address. */
const CREDENTIALS = /(:\/\/)[^/@\s"]+@/g;

/** Short names that work without the prefix. */
const SHORT_VARIABLES: Readonly<Record<string, readonly string[]>> = { EXCHANGE: ["exchange"], SYMBOLS: ["symbols"] };

const KNOWN_PATHS: readonly string[][] = leaves(CONFIG_SCHEMA.parse({})).map(({ path }) => path);
const PATH_BY_KEY = new Map(KNOWN_PATHS.map((path) => [keyName(path), path]));
const PATH_BY_VARIABLE = new Map(KNOWN_PATHS.map((path) => [environmentName(path), path]));

/** Every key that can be set, in the file's spelling. */
export const CONFIG_KEYS: readonly string[] = [...PATH_BY_KEY.keys()];

/**
 * The complete configuration.
 * @throws ConfigError naming the key, the value and where it stands
 */
export function loadConfig(sources: ConfigSources): Config {
  const settings: Settings = {};
  const origins = new Map<string, string>();
  const set = (path: readonly string[], value: unknown, origin: string) => {
    setLeaf(settings, path, value);
    origins.set(keyName(path), origin);
  };
  for (const { path, value, origin } of [...fileLeaves(sources.file), ...variables(sources.environment ?? {})]) {
    set(path, value, origin);
  }
  for (const [key, value] of Object.entries(sources.flags ?? {})) {
    const path = PATH_BY_KEY.get(key);
    if (path === undefined) {
      throw new ConfigError(
        `Cannot use a flag: no setting is called ${key}${nearestHint(key, CONFIG_KEYS)}, was ${shown(key, value)}`,
      );
    }
    set(path, value, "a flag");
  }
  return validated(settings, origins);
}

/**
 * Reads a configuration file.
 * @param path as the user named it; undefined = alphapulse.toml in the working directory, if it is there
 * @throws ConfigError when a named file cannot be read
 */
export function readConfigFile(path: string | undefined): ConfigSources["file"] {
  try {
    const text = readFileSync(path ?? CONFIG_FILE, "utf8");
    return { path: path ?? CONFIG_FILE, text };
  } catch (cause) {
    if (path === undefined && isMissing(cause)) {
      return undefined;
    }
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError(`Cannot read the configuration: ${reason}, was ${path ?? CONFIG_FILE}`, { cause });
  }
}

/** An exchange that runs, with its settings and instruments. */
export type SelectedExchange = {
  readonly id: ExchangeId;
  readonly settings: ExchangeConfig;
  readonly instruments: readonly string[];
};

/**
 * The exchanges that run, each with the instruments that it shall have.
 * @throws ConfigError when `symbols` names an exchange that does not run, or leaves one without instruments
 */
export function selectExchanges(config: Config): SelectedExchange[] {
  const wanted = config.symbols.map((symbol) => {
    const [name = "", prefix] = symbol.split(":").reverse();
    return { symbol, name, exchange: prefix === undefined ? undefined : resolveExchangeId(prefix) };
  });
  for (const { symbol, exchange } of wanted) {
    if (exchange !== undefined && !config.exchange.includes(exchange)) {
      throw new ConfigError(
        `Cannot use symbols: ${exchange} does not run, only ${config.exchange.join(", ")}, was ${symbol}`,
      );
    }
  }
  return [...new Set(config.exchange)].map((id) => {
    const settings = config.exchanges[id];
    const named = wanted.filter(({ exchange }) => exchange === undefined || exchange === id).map(({ name }) => name);
    const instruments = [...new Set(wanted.length === 0 ? settings.instruments : named)];
    if (instruments.length === 0) {
      throw new ConfigError(`Cannot run ${id}: it has no instruments, was symbols = ${config.symbols.join(",")}`);
    }
    return { id, settings, instruments };
  });
}

type Leaf = { path: readonly string[]; value: unknown; origin: string };

function fileLeaves(file: ConfigSources["file"]): Leaf[] {
  if (file === undefined) {
    return [];
  }
  const tree = parseToml(file);
  return leaves(tree).map(({ path, value }) => {
    const key = path.join(".");
    const known = PATH_BY_KEY.get(key);
    if (known === undefined) {
      throw new ConfigError(
        `Cannot use ${file.path}: no setting is called ${key}${nearestHint(key, CONFIG_KEYS)}, was ${shown(key, value)}`,
      );
    }
    return { path: known, value, origin: file.path };
  });
}

function parseToml({ path, text }: { path: string; text: string }): Settings {
  try {
    const tree: unknown = parse(text);
    return isSettings(tree) ? tree : {};
  } catch (cause) {
    if (cause instanceof TomlError) {
      const [reason = ""] = cause.message.split("\n");
      throw new ConfigError(`Cannot read ${path}:${cause.line}: ${reason}`, { cause });
    }
    throw cause;
  }
}

function variables(environment: Readonly<Record<string, string | undefined>>): Leaf[] {
  const found: Leaf[] = [];
  for (const [short, path] of Object.entries(SHORT_VARIABLES)) {
    const value = environment[short];
    if (value !== undefined && value !== "") {
      found.push({ path, value, origin: short });
    }
  }
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith(ENVIRONMENT_PREFIX) || OTHER_VARIABLES.includes(name) || value === undefined) {
      continue;
    }
    const path = PATH_BY_VARIABLE.get(name);
    if (path === undefined) {
      const hint = nearestHint(name, [...PATH_BY_VARIABLE.keys(), ...OTHER_VARIABLES]);
      throw new ConfigError(
        `Cannot use the environment: no setting is called ${name}${hint}, was ${shown(name, value)}`,
      );
    }
    found.push({ path, value, origin: name });
  }
  return found;
}

function validated(settings: Settings, origins: ReadonlyMap<string, string>): Config {
  const result = CONFIG_SCHEMA.safeParse(settings);
  if (result.success) {
    return result.data;
  }
  const [issue] = result.error.issues;
  const path = (issue?.path ?? []).map(String);
  const known = KNOWN_PATHS.find((candidate) => candidate.every((part, index) => part === path[index])) ?? path;
  const key = keyName(known);
  const where = origins.get(key) ?? "the configuration";
  const reason = issue?.message ?? "invalid";
  throw new ConfigError(
    `Cannot use ${where}: ${key}: ${reason}, was ${shown(key, leafAt(settings, path) ?? leafAt(settings, known))}`,
    {
      cause: result.error,
    },
  );
}

/** A value for an error; what may open a door is not shown, nor the part of an address that does. */
function shown(name: string, value: unknown): string {
  if (SECRET_NAMES.test(name)) {
    return "not shown, because it may be secret";
  }
  return (JSON.stringify(value) ?? "undefined").replace(CREDENTIALS, "$1***@");
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
