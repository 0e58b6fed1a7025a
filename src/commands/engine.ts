/**
 * Collectors and gateway in one process over one shared memory: what `serve` and `demo` run.
 * Bad case: an exchange that cannot be reached; the gateway is up all the same and says of each instrument why it waits.
 */
import { dashboardFolder, packageVersion, readAsset, type ServedFolder } from "../assets.ts";
import { type Config, selectExchanges } from "../config/mod.ts";
import { ConfigError } from "../errors.ts";
import { collectorRanges, type SizeRecord, Supervisor } from "../feed/supervisor.ts";
import { watchThread } from "../feed/thread_watch.ts";
import { type Gateway, type SegmentReference, startGateway } from "../gateway/mod.ts";
import { loadKernel } from "../kernel/load.ts";
import { ExportedMap } from "../mapping/mod.ts";
import { MemoryMap, memoryBytes } from "../segment/memory_map.ts";
import type { SegmentHandle } from "../segment/writer.ts";
import { feedControl } from "./feeds.ts";
import { gatewayOptions } from "./gateway_options.ts";
import type { Log } from "./log.ts";
import { countReaders } from "./reader_count.ts";

/** A running engine. */
export type Engine = {
  readonly gateway: Gateway;
  readonly supervisor: Supervisor;
  /** Rejects when a collector refuses its instruments after the gateway was started. */
  readonly refused: Promise<never>;
  /** Stops everything within a second. */
  close(): Promise<void>;
};

/** How an engine starts. */
export type EngineOptions = {
  /** Compiled already; absent = it is compiled now, unless the twin is wanted. */
  readonly kernelModule?: WebAssembly.Module | undefined;
  /** The memory, with room for the ranges of the collectors and the gateway's arena. Absent = it is made. */
  readonly map?: MemoryMap;
  /** What segments of earlier processes grew to. */
  readonly sizes?: SizeRecord;
  /** How long the gateway waits for the collectors to check their instruments, ms. */
  readonly patienceMs?: number;
};

const CHECK_PATIENCE_MS = 3000;

/** The compiled kernel, or nothing for the twin. */
export function compileKernel(config: Config): WebAssembly.Module | undefined {
  return config.kernel === "wasm" ? new WebAssembly.Module(readAsset("kernel.wasm")) : undefined;
}

/**
 * Starts collectors, then the gateway.
 * @throws ConfigError when an exchange does not list an instrument
 * @throws ConnectionError when the port is taken
 */
export async function startEngine(config: Config, log: Log, options: EngineOptions = {}): Promise<Engine> {
  const exchanges = selectExchanges(config);
  const map = options.map ?? createMap([...collectorRanges(config, exchanges), config.gateway.arenaBytes]);
  const kernelModule = options.kernelModule ?? compileKernel(config);
  const shared = kernelModule === undefined ? {} : { kernelModule };
  const supervisor = new Supervisor({
    map,
    config,
    exchanges,
    ...shared,
    pid: process.pid,
    sizes: options.sizes,
    ...(map instanceof ExportedMap ? { readersOf: (exchange) => map.readersOf(exchange) } : {}),
    report: (exchange, { level, text, native, fields }) =>
      log[level]({ exchange, instrument: native, ...fields }, text),
  });
  const checked = supervisor.start();
  const refused = checked.then(() => new Promise<never>(() => undefined));
  refused.catch(() => undefined);
  await Promise.race([checked, delay(options.patienceMs ?? CHECK_PATIENCE_MS)]);
  try {
    const gateway = await openGateway({ config, map, supervisor, log, kernelModule });
    const close = async () => {
      await gateway.drain();
      await Promise.all([gateway.close(), supervisor.stop()]);
    };
    return { gateway, supervisor, refused, close };
  } catch (error) {
    await supervisor.stop();
    throw error;
  }
}

async function openGateway({
  config,
  map,
  supervisor,
  log,
  kernelModule,
}: {
  config: Config;
  map: MemoryMap;
  supervisor: Supervisor;
  log: Log;
  kernelModule: WebAssembly.Module | undefined;
}): Promise<Gateway> {
  const arena = map.reserve("arena of the gateway", { bytes: config.gateway.arenaBytes });
  const bytes = kernelModule === undefined ? {} : { wasmBytes: kernelModule };
  const kernel = loadKernel({ name: config.kernel, memory: map.memory, ...bytes });
  kernel.arenaInit(arena.address, arena.bytes);
  return await startGateway({
    kernel,
    segments: () => supervisor.segments().map((segment) => withReaders(map, segment)),
    host: config.host,
    port: config.port,
    ...pageFolder(log),
    server: `alphapulse/${packageVersion()}`,
    feeds: feedControl(supervisor),
    ...gatewayOptions(config),
    watchThread,
    log: {
      info: (text) => log.info(text),
      warn: (text) => log.warn(text),
      error: (text) => log.error(text),
    },
  });
}

/** A segment that other processes can read, with how many do. */
function withReaders(map: MemoryMap, segment: SegmentHandle): SegmentReference {
  const range = map instanceof ExportedMap ? map.readersOf(segment.exchange) : undefined;
  return range === undefined ? segment : { ...segment, readers: () => countReaders(map.memory.buffer, range.address) };
}

/** One memory for everything. @throws ConfigError when so much cannot be had */
export function createMap(ranges: readonly number[]): MemoryMap {
  const bytes = memoryBytes(ranges);
  try {
    return new MemoryMap(bytes);
  } catch (cause) {
    throw new ConfigError(
      `Cannot hold so much in one memory: fewer instruments, or smaller collector.arena_bytes, gateway.arena_bytes or image_levels, was ${bytes} bytes`,
      { cause },
    );
  }
}

/** Without a built page the stream still works. */
export function pageFolder(log: Log): { dashboardFolder?: ServedFolder } {
  try {
    return { dashboardFolder: dashboardFolder() };
  } catch (error) {
    log.warn(error instanceof Error ? error.message : String(error));
    return {};
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
