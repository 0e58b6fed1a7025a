/**
 * What the commands do with a broker: `collect --publish` keeps a publisher, `gateway --from` serves what a receiver
 * merges. Credentials are checked before either begins.
 * Bad case: the broker is not there yet, or the credentials are being replaced when it is their turn; both go on without it
 * and come to it when they can.
 */
import { packageVersion } from "../assets.ts";
import type { Config } from "../config/mod.ts";
import { ConfigError, ConnectionError } from "../errors.ts";
import { watchThread } from "../feed/thread_watch.ts";
import { type BrokerExchange, type BrokerSample, startGateway } from "../gateway/mod.ts";
import { loadKernel } from "../kernel/load.ts";
import { CONNECTION_COUNTS, RECEIVER_COUNTS, zeroFigures } from "../model/broker_figures.ts";
import {
  checkCredentials,
  type MergeCounts,
  type NatsPublisher,
  type NatsReceiver,
  type PublisherOptions,
  startPublisher,
  startReceiver,
  Workspace,
} from "../nats/mod.ts";
import { MEMORY_BYTES_MAX, MemoryMap } from "../segment/memory_map.ts";
import { compileKernel, pageFolder } from "./engine.ts";
import { gatewayOptions } from "./gateway_options.ts";
import type { Log } from "./log.ts";
import { deadlineWithDrain, runUntilStopped } from "./shutdown.ts";

const RETRY_MS = 1000;
/** Bytes of all book images of a local segment at its beginning; pages that are not used cost nothing. */
const IMAGE_AREA_BYTES = 128 * 1024 * 1024;

/** Of counts of the merge, as labels say them. */
const KIND_WORDS: Readonly<Record<keyof MergeCounts, string>> = {
  events: "event",
  duplicates: "duplicate",
  turns: "turn",
  takeovers: "takeover",
  differences: "difference",
  resets: "reset",
  interruptions: "interruption",
  gaps: "gap",
  trades: "trade",
  tradeDuplicates: "trade_duplicate",
};

/** Something that is kept up until it is closed. */
export type Kept = { close(): Promise<void>; readonly attempts: number };

/** Publishes a collector's segment as soon as the broker can be used. Credentials were checked by whoever calls. */
export async function keepPublishing(options: Omit<PublisherOptions, "log">, log: Log): Promise<Kept> {
  return await keep<NatsPublisher>(() => startPublisher({ ...options, log: natsLog(log) }), log);
}

/** Serves what the collectors of other machines publish. @throws ConfigError when credentials cannot be read */
export async function serveFromBroker(config: Config, log: Log): Promise<void> {
  checkCredentials(config.nats, config.nats.from);
  const map = new MemoryMap(MEMORY_BYTES_MAX);
  const module = compileKernel(config);
  const arena = map.reserve("arena of the gateway", { bytes: config.gateway.arenaBytes });
  const kernel = loadKernel({
    name: config.kernel,
    memory: map.memory,
    ...(module === undefined ? {} : { wasmBytes: module }),
  });
  kernel.arenaInit(arena.address, arena.bytes);
  const workspace = new Workspace(map, {
    kernel: config.kernel,
    kernelModule: module,
    arenaBytes: config.nats.arenaBytes,
    name: "arena of the receiver",
  });
  const { instrumentCapacity, deltaCapacity, tradeCapacity, imageAreaBytes } = config.segment;
  const sizes = {
    instrumentCapacity,
    deltaCapacity,
    tradeCapacity,
    imageAreaBytes: imageAreaBytes === 0 ? IMAGE_AREA_BYTES : imageAreaBytes,
  };
  let receiver: NatsReceiver | undefined;
  const kept = await keep<NatsReceiver>(async () => {
    receiver = await startReceiver({ config: config.nats, map, workspace, sizes, log: natsLog(log) });
    return receiver;
  }, log);
  const running = await startGateway({
    kernel,
    segments: () =>
      (receiver?.exchanges ?? []).map(({ segmentAddress }) => ({
        address: segmentAddress,
        // The receiver is this process; a collector that is not heard shows in the state of its instruments.
        isProducerAlive: () => true,
      })),
    host: config.host,
    port: config.port,
    ...pageFolder(log),
    server: `alphapulse/${packageVersion()}`,
    ...gatewayOptions(config),
    watchThread,
    broker: () => brokerSample(receiver, kept.attempts),
    log: natsLog(log),
  });
  process.stdout.write(`AlphaPulse gateway: ${running.url}/\n`);
  await runUntilStopped(
    async () => {
      await running.drain();
      await Promise.all([running.close(), kept.close()]);
    },
    { deadlineMs: deadlineWithDrain(config.gateway.drainMs) },
  );
}

/** What the gateway shows of it. @param attempts to connect for the first time */
function brokerSample(receiver: NatsReceiver | undefined, attempts: number): BrokerSample {
  const connection = receiver?.connection ?? { isConnected: false, ...zeroFigures(CONNECTION_COUNTS) };
  return {
    ...(receiver?.counts ?? zeroFigures(RECEIVER_COUNTS)),
    ...connection,
    attempts: attempts + connection.attempts,
    lag: receiver?.lag ?? 0,
    exchanges: (receiver?.exchanges ?? []).map(
      ({ exchange, freshSources, refused, records, counts, publishers }): BrokerExchange => ({
        exchange,
        collectors: freshSources.length,
        refused,
        ...records,
        merged: mergedByWord(counts),
        publishers,
      }),
    ),
  };
}

function mergedByWord(counts: MergeCounts): Record<string, number> {
  const kinds = Object.keys(KIND_WORDS) as (keyof MergeCounts)[];
  return Object.fromEntries(kinds.map((kind) => [KIND_WORDS[kind], counts[kind]]));
}

/** Starts something, again and again until it succeeds. @returns after the first attempt */
async function keep<Started extends Pick<Kept, "close">>(start: () => Promise<Started>, log: Log): Promise<Kept> {
  let started: Started | undefined;
  let isClosed = false;
  let attempts = 0;
  let timer: NodeJS.Timeout | undefined;
  const attempt = async (): Promise<void> => {
    try {
      attempts += 1;
      started = await start();
    } catch (error) {
      // A file that could be read before anything began may be replaced right now.
      if (!(error instanceof ConnectionError || error instanceof ConfigError)) {
        throw error;
      }
      log.warn(`${error.message}; trying again`);
      timer = isClosed ? undefined : setTimeout(() => void attempt(), RETRY_MS);
    }
    if (isClosed) {
      await started?.close();
    }
  };
  await attempt();
  return {
    get attempts() {
      return attempts;
    },
    close: async () => {
      isClosed = true;
      clearTimeout(timer);
      await started?.close();
    },
  };
}

function natsLog(log: Log) {
  return {
    info: (text: string) => log.info(text),
    warn: (text: string) => log.warn(text),
    error: (text: string) => log.error(text),
  };
}
