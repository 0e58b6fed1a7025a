/**
 * The flags that commands share, and how they become a configuration. Every setting can be given as `--set key=value`;
 * the common ones have flags of their own. Bad case: a flag and the environment disagree; the flag wins.
 */
import { type Command, Option } from "commander";
import { type Config, loadConfig, readConfigFile } from "../config/mod.ts";
import { ConfigError } from "../errors.ts";

/** Values of the shared flags, as commander gives them. */
export type SharedFlags = {
  config?: string;
  set?: string[];
  host?: string;
  port?: string;
  exchange?: string;
  symbols?: string;
  kernel?: string;
  logLevel?: string;
  record?: string;
  directory?: string;
};

/** Flags by the setting that they stand for. */
const SETTING_BY_FLAG: Readonly<Record<string, keyof SharedFlags>> = {
  host: "host",
  port: "port",
  exchange: "exchange",
  symbols: "symbols",
  kernel: "kernel",
  log_level: "logLevel",
  "record.directory": "record",
  "segment.directory": "directory",
};

/** Adds `--config`, `--set`, `--kernel`, `--log-level`. */
export function addCommonFlags(command: Command): Command {
  return command
    .option("--config <file>", "configuration file (default: alphapulse.toml, if it is there)")
    .option("--set <key=value>", "any setting, e.g. --set gateway.idle_seconds=30; repeatable", collect, [])
    .addOption(new Option("--kernel <name>", "implementation of the hot path").choices(["wasm", "twin"]))
    .option("--log-level <level>", "fatal, error, warn, info, debug, trace or silent");
}

/** Adds `--exchange` and `--symbols`. */
export function addExchangeFlags(command: Command): Command {
  return command
    .option("--exchange <ids>", "exchanges, separated by commas (also: EXCHANGE in the environment)")
    .option("--symbols <names>", "instruments as BASE-QUOTE or exchange:BASE-QUOTE (also: SYMBOLS)");
}

/** Adds `--host` and `--port`. */
export function addGatewayFlags(command: Command): Command {
  return command
    .option("--host <address>", "address to serve on (default: 127.0.0.1)")
    .option("--port <number>", "port to serve on, 0 = any free one (default: 8765)");
}

/**
 * The configuration of a command.
 * @param overrides settings that the command itself fixes, by dotted key
 * @throws ConfigError naming key, value and source
 */
export function commandConfig(flags: SharedFlags, overrides: Readonly<Record<string, unknown>> = {}): Config {
  const settings: Record<string, unknown> = { ...overrides };
  for (const [key, flag] of Object.entries(SETTING_BY_FLAG)) {
    if (flags[flag] !== undefined) {
      settings[key] = flags[flag];
    }
  }
  for (const assignment of flags.set ?? []) {
    const separator = assignment.indexOf("=");
    if (separator <= 0) {
      throw new ConfigError(`Cannot use --set: it must be key=value, was ${assignment.split(/[:\s]/, 1)[0] ?? ""}`);
    }
    settings[assignment.slice(0, separator)] = assignment.slice(separator + 1);
  }
  const file = readConfigFile(flags.config ?? process.env.ALPHAPULSE_CONFIG);
  return loadConfig({ ...(file === undefined ? {} : { file }), environment: process.env, flags: settings });
}

function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
}
