/**
 * The kernel path fed from memory: frames lie in the kernel's memory, each is applied and published, on a book of 45,000
 * levels, round and round: the first round is proved record by record, and the book must be the same after all others.
 * To count allocations it runs without a break; to see pauses it keeps the rate by the clock.
 * Bad case: code that is not optimised yet allocates numbers; it is warmed up before.
 */
import { deepStream } from "../deep_stream.ts";
import { Engine } from "../engine.ts";
import { mustEqual } from "../harness.ts";
import { exactWindows, GarbageMeter, liveHeap } from "./meter.ts";
import { goFirst } from "./priority.ts";
import type { GarbageOrder, GarbageReport } from "./words.ts";

const UPDATES = 1000;
const WARM_RUNS = 100;
const SYNC_WINDOWS = 5;
const SECOND_MS = 1000;

/** Measures as ordered. */
export async function measureFromMemory(order: GarbageOrder): Promise<GarbageReport> {
  const engine = new Engine("wasm", deepStream(UPDATES));
  engine.reset();
  engine.verify("book", engine.run("book"));
  let wrong = 0;
  for (let run = 0; run < WARM_RUNS; run++) {
    wrong += engine.run("book") + engine.runSync("book");
  }
  const hash = hashOf(engine);
  const heapBefore = liveHeap();
  const isFirst = order.mode === "live" && (await goFirst());
  const meter = new GarbageMeter();
  const windows = order.mode === "count" ? count(engine, meter, order) : await live(engine, meter, order);
  const report = await meter.conclude(windows);
  const syncBytes = order.mode === "count" ? await countSync(engine, order) : [];
  mustEqual("frames whose outcome differs", wrong, 0);
  mustEqual("the book after every whole round", hashOf(engine), hash);
  const [block] = engine.blocks;
  const { bids, asks } = block === undefined ? { bids: 0, asks: 0 } : engine.levels(block);
  return { windows: report, syncBytes, levels: bids + asks, heapBefore, heapAfter: liveHeap(), isFirst };
}

function hashOf(engine: Engine): number {
  return engine.blocks.reduce((sum, block) => (sum + engine.hash(block)) >>> 0, 0);
}

function count(engine: Engine, meter: GarbageMeter, { windows, framesPerWindow }: GarbageOrder) {
  return counted(meter, { windows, framesPerWindow, run: () => engine.run("book") });
}

/** The same through the sync, from a buffer for each frame as a socket library would hand it over. */
async function countSync(engine: Engine, { framesPerWindow }: GarbageOrder): Promise<number[]> {
  const meter = new GarbageMeter();
  const run = () => engine.runSync("book");
  const windows = await meter.conclude(counted(meter, { windows: SYNC_WINDOWS, framesPerWindow, run }));
  return exactWindows(windows).map(({ heapBytes, frames }) => heapBytes / frames);
}

/** @param plan.run one round of the frames; answers how many outcomes differ */
function counted(
  meter: GarbageMeter,
  { windows, framesPerWindow, run }: { windows: number; framesPerWindow: number; run: () => number },
) {
  return Array.from({ length: windows }, () => {
    globalThis.gc?.();
    meter.begin();
    let wrong = 0;
    for (let frames = 0; frames < framesPerWindow; frames += UPDATES) {
      wrong += run();
    }
    const window = meter.end(framesPerWindow);
    mustEqual("frames whose outcome differs", wrong, 0);
    return window;
  });
}

async function live(engine: Engine, meter: GarbageMeter, { windows, perSecond }: GarbageOrder) {
  const runsPerSecond = perSecond / UPDATES;
  const taken: ReturnType<GarbageMeter["end"]>[] = [];
  for (let second = 0; second < windows; second++) {
    const startedAt = performance.now();
    meter.begin();
    let wrong = 0;
    for (let runs = 0; runs < runsPerSecond; ) {
      const due = Math.min(runsPerSecond, ((performance.now() - startedAt) / SECOND_MS) * runsPerSecond);
      for (; runs < due; runs++) {
        wrong += engine.run("book");
      }
      await new Promise((resume) => setTimeout(resume, 1));
    }
    taken.push(meter.end(runsPerSecond * UPDATES));
    mustEqual("frames whose outcome differs", wrong, 0);
  }
  return taken;
}
