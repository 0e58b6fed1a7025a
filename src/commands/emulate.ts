/**
 * `alphapulse emulate`: the exchange emulator alone, for tests and for other people's clients. Prints where each exchange
 * can be reached; ends with its parent when it was forked. Bad case: a port that is taken; the error names it.
 */
import { type Command, Option } from "commander";
import { type Emulator, startEmulator } from "../emulator/mod.ts";
import { ConfigError } from "../errors.ts";
import { EXCHANGE_IDS, type ExchangeId } from "../model/exchange_id.ts";
import { openLog } from "./log.ts";
import { addCommonFlags, addExchangeFlags, commandConfig, type SharedFlags } from "./settings.ts";
import { runUntilStopped } from "./shutdown.ts";

/** What a forked emulator tells its parent. */
export type EmulatorMessage = { readonly endpoints: Partial<Record<ExchangeId, { websocket: string; rest: string }>> };

type EmulateFlags = SharedFlags & {
  capture?: string[];
  speed: string;
  rate?: string;
  seed?: string;
  host?: string;
  port: string;
  json?: boolean;
};

/** Adds the command. */
export function addEmulate(program: Command): void {
  const command = program
    .command("emulate")
    .description("Serve the WebSocket and REST protocols of the exchanges from a synthetic market or a capture.")
    .option("--capture <files...>", "play these captures, as one stream, instead of a synthetic market")
    .option("--speed <factor>", "captures: 1 own timing, n times faster, 0 as fast as possible", "1")
    .option("--rate <factor>", "synthetic market: factor on all event rates (default: 1)")
    .option("--seed <number>", "synthetic market: equal seeds give equal markets (default: 1)")
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--port <number>", "port of the first exchange, the others follow; 0 = any free ones", "0")
    .addOption(new Option("--json", "print the addresses as JSON"))
    .addHelpText("after", HELP);
  addCommonFlags(addExchangeFlags(command)).action(emulate);
}

async function emulate(flags: EmulateFlags): Promise<void> {
  const { host: _host, port: _port, ...shared } = flags;
  const config = commandConfig(shared, {
    ...(flags.rate === undefined ? {} : { "emulator.rate": flags.rate }),
    ...(flags.seed === undefined ? {} : { "emulator.seed": flags.seed }),
  });
  const log = openLog(config.logLevel);
  const isChosen = flags.exchange !== undefined || process.env.EXCHANGE !== undefined;
  const exchanges = isChosen ? config.exchange : [...EXCHANGE_IDS];
  const first = portNumber(flags.port);
  const ports = first === 0 ? {} : Object.fromEntries(exchanges.map((id, index) => [id, first + index]));
  const emulator = await startEmulator({
    exchanges,
    source: source(flags, { exchanges, rate: config.emulator.rate }),
    seed: config.emulator.seed,
    host: flags.host ?? "127.0.0.1",
    ports,
    log: (text) => log.info(text),
  });
  announce(emulator, { exchanges, isJson: flags.json === true });
  const orphaned = new Promise<void>((resolve) => process.once("disconnect", () => resolve()));
  await runUntilStopped(() => emulator.close(), orphaned);
}

function source(
  { capture, speed }: EmulateFlags,
  { exchanges, rate }: { exchanges: readonly ExchangeId[]; rate: number },
): Parameters<typeof startEmulator>[0]["source"] {
  if (capture === undefined) {
    return { kind: "market", rate };
  }
  const [exchange] = exchanges;
  if (exchange === undefined || exchanges.length !== 1) {
    throw new ConfigError(
      `Cannot emulate: a capture needs --exchange with the one it is of, was ${exchanges.join(",")}`,
    );
  }
  return { kind: "capture", files: capture, speed: Number(speed), exchange };
}

function announce(
  emulator: Emulator,
  { exchanges, isJson }: { exchanges: readonly ExchangeId[]; isJson: boolean },
): void {
  const endpoints = Object.fromEntries(exchanges.map((id) => [id, emulator.endpoints[id]]));
  const message: EmulatorMessage = { endpoints };
  process.send?.(message);
  if (isJson) {
    process.stdout.write(`${JSON.stringify(message)}\n`);
    return;
  }
  for (const [id, { websocket, rest }] of Object.entries(endpoints)) {
    process.stdout.write(`${id.padEnd(18)} ${websocket.padEnd(30)} ${rest}\n`);
  }
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535 - EXCHANGE_IDS.length) {
    throw new ConfigError(`Cannot emulate: --port must be 0 to ${65_535 - EXCHANGE_IDS.length}, was ${text}`);
  }
  return port;
}

const HELP = `
Examples:
  alphapulse emulate                                      all exchanges, any free ports
  alphapulse emulate --exchange kraken --port 9001 --rate 10
  alphapulse emulate --exchange kraken --capture kraken.jsonl.gz --speed 0`;
