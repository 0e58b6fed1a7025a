/**
 * The worker thread of one collector: kernel, segment, sockets. It ends when its supervisor says so, or by an exception of
 * ours, which the supervisor sees and answers with a fresh worker. Bad case: the event loop is stuck; the heartbeat in the
 * segment goes stale and the supervisor ends the thread.
 */
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { HEADER_DELTA_TAIL, HEADER_TRADE_TAIL, METRICS_LOOP, METRICS_PAUSE } from "../../assembly/layout.ts";
import { CaptureWriter } from "../capture/mod.ts";
import { ConfigError } from "../errors.ts";
import { EXCHANGES } from "../exchanges/mod.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { loadKernel } from "../kernel/load.ts";
import { Bell, loadLibc, ringingKernel } from "../mapping/mod.ts";
import { MetricsHead } from "../segment/metrics_head.ts";
import { type FeedClock, systemClock } from "./clock.ts";
import { Collector, type CollectorOptions } from "./collector.ts";
import { openWebSocket } from "./socket.ts";
import { watchThread } from "./thread_watch.ts";
import type { FeedRequest, SupervisorMessage, WorkerMessage, WorkerStart } from "./worker_messages.ts";

const TICK_MS = 100;

void run(workerData as WorkerStart);

async function run(start: WorkerStart): Promise<void> {
  const clock = systemClock();
  const { memory, kernelName, kernelModule, arena } = start;
  const loaded = loadKernel({
    name: kernelName,
    memory,
    ...(kernelModule === undefined ? {} : { wasmBytes: kernelModule }),
  });
  loaded.arenaInit(arena.address, arena.bytes);
  const kernel = await ringing(loaded, start);
  const collector = build(start, kernel, clock);
  if (collector === undefined) {
    return;
  }
  watchProducer(kernel, collector.segment.metricsAddress);
  const timer = setInterval(() => tick(collector), TICK_MS);
  parentPort?.on("message", (message: SupervisorMessage) => {
    switch (message.type) {
      case "no_room":
        collector.refuseRoom();
        break;
      case "add":
      case "remove":
        void change(collector, message);
        break;
      default:
        clearInterval(timer);
        void stop(collector, { makesWay: message.type === "make_way" });
    }
  });
  collector.tick();
  tell({ type: "live" });
  collector.start().then(
    () => tell({ type: "ready" }),
    (error: unknown) => {
      if (!(error instanceof ConfigError)) {
        throw error;
      }
      tell({ type: "refused", message: error.message });
    },
  );
}

async function change(collector: Collector, { type, request, canonical }: FeedRequest): Promise<void> {
  const answer = await (type === "add" ? collector.add(canonical) : collector.remove(canonical));
  tell({ type: "changed", request, change: answer });
}

/** Pauses, delays and heap of this thread, until it ends. */
function watchProducer(kernel: Kernel, metrics: number): void {
  const head = new MetricsHead(kernel.buffer, metrics);
  watchThread({
    pause: (nanoseconds) => kernel.histogramRecord(metrics + METRICS_PAUSE, nanoseconds),
    late: (nanoseconds) => kernel.histogramRecord(metrics + METRICS_LOOP, nanoseconds),
    heap: (bytes) => head.setHeapUsed(bytes),
  });
}

/** Also says which books outgrew the segment: only the supervisor can make a larger one. */
function tick(collector: Collector): void {
  collector.tick();
  const shortages = collector.segment.takeShortages();
  if (shortages.length > 0) {
    tell({ type: "outgrown", shortages });
  }
}

/**
 * The kernel that also wakes readers in other processes, when there may be any: not ten times a second for nothing while
 * all books are quiet.
 */
async function ringing(kernel: Kernel, { memory, readers, segment }: WorkerStart): Promise<Kernel> {
  if (readers === undefined) {
    return kernel;
  }
  const words = new Int32Array(memory.buffer);
  const tail = (field: number) => Atomics.load(words, (segment.address + field) >>> 2);
  let before = 0;
  const hasMoved = () => {
    const now = (tail(HEADER_DELTA_TAIL) + tail(HEADER_TRADE_TAIL)) | 0;
    const isOther = now !== before;
    before = now;
    return isOther;
  };
  return ringingKernel(kernel, new Bell(await loadLibc(), memory, readers), { hasMoved });
}

/** @returns undefined when the instruments do not fit: another worker would meet the same */
function build(start: WorkerStart, kernel: Kernel, clock: FeedClock): Collector | undefined {
  const recorder = openRecorder(start, clock);
  const options: CollectorOptions = {
    exchange: EXCHANGES[start.exchange],
    settings: start.settings,
    instruments: start.instruments,
    limits: start.limits,
    kernel,
    arenaBytes: start.arena.bytes,
    frame: { address: start.frame.address, bytes: start.limits.frameBytesMax },
    segment: { address: start.segment.address, config: start.segmentConfig },
    pid: start.pid,
    clock,
    random: Math.random,
    openSocket: openWebSocket,
    fetch,
    defer: queueMicrotask,
    report: (report) => tell({ type: "report", report }),
    canGrow: true,
    tellsStates: true,
    isSuccessor: start.isSuccessor,
    left: start.left,
    ...(recorder === undefined ? {} : { recorder }),
  };
  try {
    return new Collector(options);
  } catch (error) {
    if (!(error instanceof RangeError)) {
      throw error;
    }
    tell({ type: "refused", message: error.message });
    return undefined;
  }
}

async function stop(collector: Collector, { makesWay }: { makesWay: boolean }): Promise<void> {
  await collector.stop({ makesWay });
  tell({ type: "stopped" });
  parentPort?.close();
}

function openRecorder({ exchange, record }: WorkerStart, clock: FeedClock): CaptureWriter | undefined {
  if (record.directory === "") {
    return undefined;
  }
  return new CaptureWriter({
    folder: join(record.directory),
    exchange,
    startedAtNs: clock.anchorNs,
    partBytesMax: record.partBytesMax,
    backlogBytesMax: record.backlogBytesMax,
    onFailure: (error) => tell({ type: "report", report: { level: "error", text: error.message } }),
  });
}

function tell(message: WorkerMessage): void {
  parentPort?.postMessage(message);
}
