/**
 * `alphapulse collect`: one exchange's collector alone, or one shard of it, writing its shared-memory segment. Whoever
 * started it restarts it; the lock is free the moment it dies, and the next one makes a new segment in place of the old.
 * Bad case: another collector of the same name lives; this one waits a little, then says which process holds it.
 */
import type { Command } from "commander";
import { ConfigError } from "../errors.ts";
import { Supervisor } from "../feed/supervisor.ts";
import { MappingError, parseShard, WHOLE } from "../mapping/mod.ts";
import { compileKernel } from "./engine.ts";
import { openLog } from "./log.ts";
import { addCommonFlags, addExchangeFlags, commandConfig, type SharedFlags } from "./settings.ts";
import { addDirectoryFlag, directoryOf, openExportedMap, selectShard } from "./shared_memory.ts";
import { runUntilStopped } from "./shutdown.ts";

type CollectFlags = SharedFlags & { shard?: string };

const LOCK_PATIENCE_MS = 3000;

/** Adds the command. */
export function addCollect(program: Command): void {
  const command = program
    .command("collect")
    .description("Collect one exchange into a shared-memory segment that other processes read.")
    .option("--shard <i/n>", "only every n-th of the sorted instruments, beginning with the i-th")
    .option("--record <directory>", "also write everything that is sent and received as captures")
    .addHelpText("after", HELP);
  addCommonFlags(addDirectoryFlag(addExchangeFlags(command))).action(collect);
}

async function collect(flags: CollectFlags): Promise<void> {
  const config = commandConfig(flags);
  const log = openLog(config.logLevel);
  const shard = flags.shard === undefined ? WHOLE : parseShard(flags.shard);
  const [selected, ...others] = selectShard(config, shard);
  if (selected === undefined || others.length > 0) {
    throw new ConfigError(`Cannot collect: name one exchange with --exchange, was ${config.exchange.join(",")}`);
  }
  if (selected.instruments.length === 0) {
    throw new ConfigError(`Cannot collect: the shard has no instruments, was ${flags.shard}`);
  }
  const kernelModule = compileKernel(config);
  const map = await openExportedMap(config, {
    shard,
    patienceMs: LOCK_PATIENCE_MS,
    onLost: (exchange) => {
      log.error(`The segment of ${exchange} was taken away or replaced: making another`);
      supervisor.replace(selected.id);
    },
  });
  const supervisor = new Supervisor({
    map,
    config,
    exchanges: [selected],
    ...(kernelModule === undefined ? {} : { kernelModule }),
    pid: process.pid,
    readersOf: (exchange) => map.readersOf(exchange),
    report: (exchange, { level, text, native }) => log[level]({ exchange, instrument: native }, text),
  });
  const close = async () => {
    await supervisor.stop();
    map.close();
  };
  const started = supervisor.start().catch(unwrap);
  const { directory } = directoryOf(config);
  process.stdout.write(`AlphaPulse collects ${selected.id} into ${directory}: ${selected.instruments.join(", ")}\n`);
  await runUntilStopped(close, forEver(started));
}

/** Settles only when starting failed. */
function forEver(started: Promise<void>): Promise<never> {
  return started.then(() => new Promise<never>(() => undefined));
}

/** A file system without room reaches us as memory without room. */
function unwrap(error: unknown): never {
  throw error instanceof RangeError && error.cause instanceof MappingError ? error.cause : error;
}

const HELP = `
Examples:
  alphapulse collect --exchange kraken
  alphapulse collect --exchange binance --symbols BTC-USDT,ETH-USDT,SOL-USDT --shard 1/2
  EXCHANGE=coinbase SYMBOLS=BTC-USD alphapulse collect

Start and end collectors, gateways and readers in any order. \`alphapulse inspect\` shows what there is.`;
