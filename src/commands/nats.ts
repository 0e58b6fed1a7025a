/**
 * What the commands do with a broker: `collect --publish` keeps a publisher, `gateway --from` serves what a receiver
 * merges. Bad case: the broker is not there yet; both go on without it and come to it when it is.
 */
import { packageVersion } from "../assets.ts";
import type { Config } from "../config/mod.ts";
import { ConfigError, ConnectionError } from "../errors.ts";
import { watchThread } from "../feed/thread_watch.ts";
import { type BrokerExchange, type BrokerSample, startGateway } from "../gateway/mod.ts";
import { loadKernel } from "../kernel/load.ts";
import {
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
const KIND_WORDS: Readonly<Record<string, string>> = {
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

/** Publishes a collector's segment as soon as the broker can be used. @throws ConfigError when credentials cannot be read */
export async function keepPublishing(options: Omit<PublisherOptions, "log">, log: Log): Promise<Kept> {
  return await keep<NatsPublisher>(() => startPublisher({ ...options, log: natsLog(log) }), log);
}

/** Serves what the collectors of other machines publish. */
export async function serveFromBroker(config: Config, log: Log): Promise<void> {
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
  const zero = { messages: 0, bytes: 0, refused: 0, missed: 0, restarts: 0 };
  const away = { isConnected: false, attempts: 0, disconnects: 0, reconnects: 0 };
  const connection = receiver?.connection ?? away;
  return {
    ...(receiver?.counts ?? zero),
    ...connection,
    attempts: attempts + connection.attempts,
    lag: receiver?.lag ?? 0,
    exchanges: (receiver?.exchanges ?? []).map(
      ({ exchange, freshSources, refused, records, counts, publishers }): BrokerExchange => ({
        exchange,
        collectors: freshSources.length,
        refused,
        ...records,
        merged: Object.fromEntries(Object.entries(counts).map(([kind, count]) => [KIND_WORDS[kind] ?? kind, count])),
        publishers,
      }),
    ),
  };
}

/** Starts something, again and again until it succeeds. @throws ConfigError at the first attempt, when it never can */
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
      // A file that was there at first may be replaced right now.
      const isLater = error instanceof ConfigError && attempts > 1;
      if (!(error instanceof ConnectionError || isLater)) {
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
