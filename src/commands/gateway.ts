/**
 * `alphapulse gateway`: stream, health and page alone, reading the segments that collectors in other processes write. It
 * finds them in the directory, follows their epochs, and may run several times at once; it can disturb no collector.
 * Bad case: no collector yet; it is up all the same, and serves each instrument as soon as its segment appears.
 */
import type { Command } from "commander";
import { packageVersion } from "../assets.ts";
import { watchThread } from "../feed/thread_watch.ts";
import { type SegmentReference, startGateway } from "../gateway/mod.ts";
import { loadKernel } from "../kernel/load.ts";
import { CommonSleep, loadLibc, SegmentFollower, STALE_MS } from "../mapping/mod.ts";
import { MEMORY_BYTES_MAX, MemoryMap } from "../segment/memory_map.ts";
import { compileKernel, pageFolder } from "./engine.ts";
import { gatewayOptions } from "./gateway_options.ts";
import { GatewayPlaces } from "./gateway_places.ts";
import { type Log, openLog } from "./log.ts";
import { serveFromBroker } from "./nats.ts";
import { countReaders } from "./reader_count.ts";
import { addCommonFlags, addGatewayFlags, commandConfig, type SharedFlags } from "./settings.ts";
import { addDirectoryFlag, directoryOf } from "./shared_memory.ts";
import { deadlineWithDrain, heedSignals, runUntilStopped } from "./shutdown.ts";

/** How often the gateway says where its readers stand. */
const REPORT_MS = 100;
/** For so long after a change another segment is looked for as often. */
const HOPE_MS = 10_000;
/** While all producers live, only segments of further ones can appear in the directory: it is listed so often. */
const LISTING_MS = 400;

/** Adds the command. */
export function addGateway(program: Command): void {
  const command = program
    .command("gateway")
    .description("Serve stream, health and page from the segments that collectors in other processes write.")
    .option("--from <urls>", "read a NATS broker instead of segments, e.g. nats://broker:4222")
    .addHelpText("after", HELP);
  addCommonFlags(addDirectoryFlag(addGatewayFlags(command))).action(gateway);
}

async function gateway(flags: SharedFlags): Promise<void> {
  const config = commandConfig(flags);
  const log = openLog(config.logLevel, { format: config.logFormat });
  if (config.nats.from.length > 0) {
    await serveFromBroker(config, log);
    return;
  }
  const libc = await loadLibc();
  const map = new MemoryMap(MEMORY_BYTES_MAX);
  const options = gatewayOptions(config);
  const { arenaBytes } = config.gateway;
  const arena = map.reserve("arena of the gateway", { bytes: arenaBytes });
  const module = compileKernel(config);
  const kernel = loadKernel({
    name: config.kernel,
    memory: map.memory,
    ...(module === undefined ? {} : { wasmBytes: module }),
  });
  kernel.arenaInit(arena.address, arena.bytes);
  // A producer in another process can hang at any time: its silence is shown within half a second.
  const staleMs = Math.min(options.limits.heartbeatStaleMs, STALE_MS);
  const follower = new SegmentFollower({ libc, map, ...directoryOf(config), staleMs });
  const sleep = new CommonSleep(libc, {
    memory: map.memory,
    readersOf: (segment) => follower.attachments.find(({ view }) => view.address === segment)?.readers ?? 0,
  });
  const listing = new Listing(follower, log);
  heedSignals();
  const running = await startGateway({
    kernel,
    segments: () => {
      listing.refresh();
      return referencesTo(follower, map.memory.buffer);
    },
    host: config.host,
    port: config.port,
    ...pageFolder(log),
    server: `alphapulse/${packageVersion()}`,
    ...options,
    waitAsync: (word, timeoutMs) => sleep.wait(word, timeoutMs),
    announces: true,
    watchThread,
    log: {
      info: (text) => log.info(text),
      warn: (text) => log.warn(text),
      error: (text) => log.error(text),
    },
  });
  process.stdout.write(`AlphaPulse gateway: ${running.url}/\n`);
  const places = new GatewayPlaces(map);
  const timer = setInterval(() => places.report(follower.attachments, running.positions()), REPORT_MS);
  await runUntilStopped(
    async () => {
      await running.drain();
      clearInterval(timer);
      places.leave();
      await running.close();
    },
    { deadlineMs: deadlineWithDrain(options.drainMs ?? 0) },
  );
}

/** The directory, looked at as often as something may have changed there. */
class Listing {
  readonly #follower: SegmentFollower;
  readonly #log: Log;
  readonly #dead = new Set<string>();
  #listedAt = Number.NEGATIVE_INFINITY;
  #goneAt = Number.NEGATIVE_INFINITY;

  constructor(follower: SegmentFollower, log: Log) {
    this.#follower = follower;
    this.#log = log;
  }

  refresh(): void {
    const follower = this.#follower;
    const now = performance.now();
    const areLive = follower.attachments.every((attachment) => follower.condition(attachment) === "live");
    // A standby of one that ended in order takes its place at once.
    if (!areLive || now - this.#goneAt < HOPE_MS || now - this.#listedAt >= LISTING_MS) {
      this.#listedAt = now;
      this.#goneAt = follow(follower, this.#log) ? now : this.#goneAt;
      tellDead(follower, { dead: this.#dead, log: this.#log });
    }
  }
}

/** Takes the segments that came, lets go of those that went. @returns whether one went and no other came in its place */
function follow(follower: SegmentFollower, log: Log): boolean {
  const changes = follower.look();
  for (const change of changes) {
    if (change.kind === "refused") {
      log.error(`Cannot serve ${change.path}: ${change.reason}`);
    } else {
      const { file, view } = change.attachment;
      const what = change.kind === "attached" ? "Serving" : change.why === "gone" ? "No longer serving" : "Leaving";
      log.info(`${what} ${file.name}, epoch ${view.header.epoch} of pid ${view.header.pid}`);
    }
  }
  return changes.some((change) => change.kind === "detached" && change.why === "gone");
}

/** The segments that are there now. */
function referencesTo(follower: SegmentFollower, memory: ArrayBufferLike): SegmentReference[] {
  return follower.attachments.map((attachment) => ({
    address: attachment.view.address,
    isProducerAlive: () => follower.condition(attachment) === "live",
    readers: () => countReaders(memory, attachment.readers),
  }));
}

/** Says once of a segment that it outlived its producer; its instruments are shown as not synced. */
function tellDead(follower: SegmentFollower, { dead, log }: { dead: Set<string>; log: Log }): void {
  const found = follower.attachments.filter((attachment) => follower.isDead(attachment));
  const keys = new Map(found.map((attachment) => [`${attachment.file.name} ${attachment.identity}`, attachment]));
  for (const [key, { file, view }] of keys) {
    if (!dead.has(key)) {
      dead.add(key);
      log.warn(
        `The producer of ${file.name} is dead: start it again, or remove its segment with \`inspect --clean\`, was pid ${view.header.pid}`,
      );
    }
  }
  for (const key of dead) {
    if (!keys.has(key)) {
      dead.delete(key);
    }
  }
}

const HELP = `
Examples:
  alphapulse gateway                                      every segment in /dev/shm/alphapulse, on port 8765
  alphapulse gateway --port 8766                          another one beside it
  alphapulse gateway --from nats://broker:4222            what collectors on other machines publish
  alphapulse collect --exchange kraken & alphapulse collect --exchange binance & alphapulse gateway`;
