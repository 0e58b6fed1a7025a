/**
 * `alphapulse emulate`: the exchange emulator alone, for tests and for other people's clients. Prints where each exchange
 * can be reached; ends with its parent when it was forked. Bad case: a port that is taken; the error names it.
 */
import { type Command, Option } from "commander";
import {
  type Emulator,
  type EmulatorOptions,
  FAULT_KIND_NAMES,
  FAULT_KINDS,
  readFaultScript,
  startEmulator,
} from "../emulator/mod.ts";
import { ConfigError } from "../errors.ts";
import { EXCHANGE_IDS, type ExchangeId } from "../model/exchange_id.ts";
import { openLog } from "./log.ts";
import { addCommonFlags, addExchangeFlags, commandConfig, type SharedFlags } from "./settings.ts";
import { heedSignals, runUntilStopped } from "./shutdown.ts";
import { followSupervisor } from "./supervised.ts";

/** What a forked emulator tells its parent. */
export type EmulatorMessage = {
  readonly endpoints: Partial<Record<ExchangeId, { websocket: string; rest: string; truth?: string }>>;
};

type EmulateFlags = SharedFlags & {
  capture?: string[];
  speed: string;
  rate?: string;
  seed?: string;
  host?: string;
  port: string;
  json?: boolean;
  faults?: string;
  truth?: boolean;
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
    .option("--faults <file>", "let go wrong what this TOML or JSON file says; see below")
    .option("--truth", "keep the true books of the last 10,000 events; print one JSON line per exchange")
    .addOption(new Option("--json", "print the addresses as JSON"))
    .addHelpText("after", HELP);
  addCommonFlags(addExchangeFlags(command)).action(emulate);
}

async function emulate(flags: EmulateFlags): Promise<void> {
  heedSignals();
  followSupervisor();
  const { host: _host, port: _port, ...shared } = flags;
  const config = commandConfig(shared, {
    ...(flags.rate === undefined ? {} : { "emulator.rate": flags.rate }),
    ...(flags.seed === undefined ? {} : { "emulator.seed": flags.seed }),
  });
  const log = openLog(config.logLevel, { format: config.logFormat });
  const isChosen = flags.exchange !== undefined || process.env.EXCHANGE !== undefined;
  const exchanges = isChosen ? config.exchange : [...EXCHANGE_IDS];
  const first = portNumber(flags.port);
  const ports = first === 0 ? {} : Object.fromEntries(exchanges.map((id, index) => [id, first + index]));
  const emulator = await startEmulator({
    exchanges,
    source: source(flags, { exchanges, rate: config.emulator.rate }),
    seed: config.emulator.seed,
    truth: flags.truth ?? false,
    ...(flags.faults === undefined ? {} : { faults: readFaultScript(flags.faults) }),
    host: flags.host ?? "127.0.0.1",
    ports,
    log: (text) => log.info(text),
  });
  announce(emulator, exchanges, flags);
  await runUntilStopped(() => emulator.close());
}

function source(
  { capture, speed }: EmulateFlags,
  { exchanges, rate }: { exchanges: readonly ExchangeId[]; rate: number },
): EmulatorOptions["source"] {
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

function announce(emulator: Emulator, exchanges: readonly ExchangeId[], { json, truth }: EmulateFlags): void {
  const endpoints = Object.fromEntries(exchanges.map((id) => [id, emulator.endpoints[id]]));
  const message: EmulatorMessage = { endpoints };
  process.send?.(message);
  const lines = Object.entries(endpoints).map(([exchange, { websocket: ws, rest, truth: page }]) =>
    truth ? JSON.stringify({ exchange, ws, rest, truth: page }) : `${exchange.padEnd(18)} ${ws.padEnd(30)} ${rest}`,
  );
  process.stdout.write(`${json && !truth ? JSON.stringify(message) : lines.join("\n")}\n`);
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535 - EXCHANGE_IDS.length) {
    throw new ConfigError(`Cannot emulate: --port must be 0 to ${65_535 - EXCHANGE_IDS.length}, was ${text}`);
  }
  return port;
}

/** A script that the help shows; a test keeps it valid. */
export const FAULTS_EXAMPLE = `# Every fault has a kind, a target, a trigger and the options of its kind.
seed = 7                          # default: --seed

[[fault]]                         # 1 in 1,000 updates of one book is lost
kind = "drop"
exchange = "kraken"
instrument = "BTC/USD"
probability = 0.001

[[fault]]                         # every book update of the first connection loses its zeros, for 100 frames
kind = "drift_zeros"
exchange = "coinbase_exchange"
connection = 1
after = 500                       # so many frames pass first
for_frames = 100

[[fault]]                         # twice a minute one connection falls silent; heartbeats go on
kind = "silence"
per_second = 0.033
for_ms = 20000

[[fault]]                         # the second depth request gets a book from 5 s ago
kind = "rest_stale"
exchange = "binance"
after = 1
age_ms = 5000

[[fault]]                         # a minute after the start, until its end: crossed books
kind = "auction"
exchange = "coinbase_exchange"
instrument = "ETH-USD"
at_ms = 60000
for_ms = 3000
`;

const HELP = `
Examples:
  alphapulse emulate                                      all exchanges, any free ports
  alphapulse emulate --exchange kraken --port 9001 --rate 10
  alphapulse emulate --exchange kraken --capture kraken.jsonl.gz --speed 0
  alphapulse emulate --faults faults.toml --truth

Truth: GET <truth>/{symbol}?sequence=N or ?time=RFC3339 (neither: the newest) answers {sequence, time, bids, asks, digest}:
  the book that a correct client holds then: Kraken at the depth subscribed last, Binance within the range of the largest
  depth answer. depth= levels a side, lowest= and highest= prices choose another part.
Faults: GET <rest>/faults answers {counts, total, entries}: what was injected, where and when, and which events of the
  true book it hid or altered. A script, as TOML:

${FAULTS_EXAMPLE.replace(/^(?=.)/gm, "  ")}
  Targets: exchange, instrument ("*": whichever comes, that one alone; none: the whole connection), connection (from 1),
    frames (${["snapshot", "book", "trade", "heartbeat", "reply"].join(", ")}, …), requests (depth, metadata, other); one or a list.
  Triggers: at_ms and until_ms after the start, and one of after, probability, per_second; times (default 1, or no limit).
  Kinds:
${kindLines()}`;

function kindLines(): string {
  return FAULT_KIND_NAMES.map((kind) => {
    const { says, options, exchanges } = FAULT_KINDS[kind];
    const settings = Object.entries(options).map(([key, value]) => (value === undefined ? key : `${key} = ${value}`));
    const where = exchanges === undefined ? "" : ` Only ${exchanges.join(", ")}.`;
    const what = settings.length === 0 ? "" : ` [${settings.join(", ")}]`;
    return `    ${kind.padEnd(20)} ${says}${where}${what}`;
  }).join("\n");
}
