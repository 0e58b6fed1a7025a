/**
 * `alphapulse collect`: one exchange's collector alone, or one shard of it, writing its shared-memory segment. Whoever
 * started it restarts it, with `--supervise` it does so itself; the lock is free the moment it dies, and the next one makes
 * a new segment in place of the old. A collector that hangs is ended by its supervisor, or by the next one of its name.
 * With `--standby` it waits for the name with warm books, and takes over the moment the lock is free.
 * Bad case: another collector of the same name lives; this one waits a little, then says which process holds it.
 */
import type { Command } from "commander";
import type { Config } from "../config/mod.ts";
import { ConfigError } from "../errors.ts";
import { Supervisor } from "../feed/supervisor.ts";
import { type ExportedMap, MappingError, parseShard, segmentName, WHOLE } from "../mapping/mod.ts";
import { checkCredentials } from "../nats/mod.ts";
import { compileKernel } from "./engine.ts";
import { endHungProducer, type SegmentFiles } from "./hung_producer.ts";
import { type Log, openLog } from "./log.ts";
import { type Kept, keepPublishing } from "./nats.ts";
import { SizeFiles } from "./segment_sizes.ts";
import { tellService } from "./service_notice.ts";
import { addCommonFlags, addExchangeFlags, commandConfig, type SharedFlags } from "./settings.ts";
import { addDirectoryFlag, directoryOf, openExportedMap, selectShard } from "./shared_memory.ts";
import { heedSignals, runUntilStopped } from "./shutdown.ts";
import { openPlace, waitForPlace } from "./standby.ts";
import { followSupervisor, keepAlive } from "./supervised.ts";

type CollectFlags = SharedFlags & { shard?: string; supervise?: boolean; standby?: boolean };

const LOCK_PATIENCE_MS = 3000;
/** So long the end waits for the publisher: one that still connects is left to the end of the process. */
const PUBLISHER_PATIENCE_MS = 500;

/** Adds the command. */
export function addCollect(program: Command): void {
  const command = program
    .command("collect")
    .description("Collect one exchange into a shared-memory segment that other processes read.")
    .option("--shard <i/n>", "only every n-th of the sorted instruments, beginning with the i-th")
    .option("--supervise", "run as a child process that is started again when it dies and ended when it hangs")
    .option("--standby", "when another collects already, wait with warm books and take over the moment it ends")
    .option("--record <directory>", "also write everything that is sent and received as captures")
    .option("--publish <urls>", "also publish to a NATS broker, e.g. nats://broker:4222, for gateways elsewhere")
    .addHelpText("after", HELP);
  addCommonFlags(addDirectoryFlag(addExchangeFlags(command))).action(collect);
}

async function collect(flags: CollectFlags): Promise<void> {
  const config = commandConfig(flags);
  const log = openLog(config.logLevel, { format: config.logFormat });
  const { selected, shard } = select(config, flags);
  const files = { directory: directoryOf(config).directory, name: segmentName(selected.id, shard) };
  if (flags.supervise === true) {
    const { restartBaseMs: baseMs, reconnectCapMs: capMs, healthyMs } = config.collector;
    const words = process.argv.slice(2).filter((word) => word !== "--supervise");
    process.exitCode = await keepAlive({ words, files, backoff: { baseMs, capMs, healthyMs }, log });
    return;
  }
  followSupervisor();
  const kernelModule = compileKernel(config);
  const { directory } = files;
  const sizes = new SizeFiles(directory, { shard, log });
  const wishes = {
    shard,
    sizes,
    onLost: (exchange: string) => {
      log.error(`The segment of ${exchange} was taken away or replaced: making another`);
      supervisor.replace(selected.id);
    },
  };
  const open = () => openExportedMap(config, { ...wishes, patienceMs: LOCK_PATIENCE_MS });
  const place =
    flags.standby === true
      ? await openPlace(config, { wishes, files, log, stopped: heedSignals() })
      : { map: await openInTurn(files, log, open), isWaiting: false };
  if (place === undefined) {
    return await runUntilStopped(() => Promise.resolve());
  }
  const { map, isWaiting } = place;
  heedSignals();
  const supervisor = new Supervisor({
    map,
    config,
    exchanges: [selected],
    ...(kernelModule === undefined ? {} : { kernelModule }),
    pid: process.pid,
    sizes,
    readersOf: (exchange) => map.readersOf(exchange),
    report: (exchange, { level, text, native, fields }) =>
      log[level]({ exchange, instrument: native, ...fields }, text),
  });
  const started = supervisor.start().catch(unwrap);
  const wait = isWaiting ? waitForPlace({ map, supervisor, files, log }) : undefined;
  let publisher: Promise<Kept> | undefined;
  const names = selected.instruments.join(", ");
  const collecting = async () => {
    await wait?.taken;
    if (config.nats.publish.length > 0) {
      const parts = { exchange: selected.id, segment: files.name, kernel: config.kernel, kernelModule };
      publisher = keepPublishing({ config: config.nats, ...directoryOf(config), ...parts }, log);
      await publisher;
    }
    tellService(`collects ${selected.id}`);
    process.stdout.write(`AlphaPulse collects ${selected.id} into ${directory}: ${names}\n`);
  };
  const close = async () => {
    wait?.stop();
    await end({ supervisor, publisher, map });
  };
  if (isWaiting) {
    tellService(`stands by for ${selected.id}`);
    process.stdout.write(`AlphaPulse stands by for ${selected.id} in ${directory}: ${names}\n`);
  }
  await runUntilStopped(close, { ended: forEver(Promise.all([started, collecting()])) });
}

/**
 * The exchange and its instruments.
 * @throws ConfigError when it is none or several, the shard is empty, or the broker's credentials cannot be used
 */
function select(config: Config, flags: CollectFlags) {
  const shard = flags.shard === undefined ? WHOLE : parseShard(flags.shard);
  const [selected, ...others] = selectShard(config, shard);
  if (selected === undefined || others.length > 0) {
    throw new ConfigError(`Cannot collect: name one exchange with --exchange, was ${config.exchange.join(",")}`);
  }
  if (selected.instruments.length === 0) {
    throw new ConfigError(`Cannot collect: the shard has no instruments, was ${flags.shard}`);
  }
  if (config.nats.publish.length > 0) {
    // A standby needs them when it has taken the place: too late to say that they cannot be used.
    checkCredentials(config.nats, config.nats.publish);
  }
  return { selected, shard };
}

/** Opens when the name is free; the holder of a name that hangs is ended. */
async function openInTurn<Map>(files: SegmentFiles, log: Log, open: () => Promise<Map>): Promise<Map> {
  try {
    return await open();
  } catch (error) {
    const isLocked = error instanceof MappingError && error.reason === "locked";
    if (!isLocked || !(await endHungProducer(files, (text) => log.error(text)))) {
      throw error;
    }
    return await open();
  }
}

type Begun = {
  readonly supervisor: Supervisor;
  readonly publisher: Promise<Kept> | undefined;
  readonly map: Pick<ExportedMap, "close">;
};

/** Ends all of it, the segment's file whatever becomes of the rest. */
async function end({ supervisor, publisher, map }: Begun): Promise<void> {
  try {
    await supervisor.stop();
    // One that could not be started has nothing to end, and said so then.
    const closed = publisher?.then(
      (kept) => kept.close(),
      () => undefined,
    );
    const patience = new Promise<void>((resolve) => {
      setTimeout(resolve, PUBLISHER_PATIENCE_MS);
    });
    await Promise.race([closed, patience]);
  } finally {
    map.close();
  }
}

/** Settles only when starting failed. */
function forEver(started: Promise<unknown>): Promise<never> {
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
  alphapulse collect --exchange kraken --supervise
  alphapulse collect --exchange kraken --standby          a second one of the same name: takes over when the first ends
  alphapulse collect --exchange kraken --publish nats://broker:4222

Start and end collectors, gateways and readers in any order. \`alphapulse inspect\` shows what there is.`;
