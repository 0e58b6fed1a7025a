/**
 * The program of the cold start: a kernel, one instrument, its snapshot, then frames until V8 has tiered up.
 * Bad case: a frame with an unexpected outcome; it ends with an error instead of a time.
 */
import {
  APPLY_BOOK,
  APPLY_SNAPSHOT,
  ASSURANCE_INFERRED,
  DECODER_COINBASE_EXCHANGE,
  TRADING_OPEN,
} from "../../assembly/layout.ts";
import type { KernelName } from "../../src/kernel/kernel.ts";
import { InstrumentBlock } from "../../src/sync/instrument_block.ts";
import { mustEqual } from "../harness.ts";
import { coinbaseCycle } from "../instructions/streams.ts";
import { median } from "../statistics.ts";
import { layBytes, openWorkbench, reserveBytes } from "../workbench.ts";
import type { StartAnswer } from "./words.ts";

const firstLineAt = performance.timeOrigin + performance.now();
const [, kernelName = "wasm", startedAt = "0"] = process.argv.slice(2);

const FRAMES = 20_000;
const EARLY = 100;
const SCRATCH_BYTES = 256;
const LEVELS = 1000;

console.log(JSON.stringify(run(kernelName as KernelName, Number(startedAt))));

function run(name: KernelName, startedMs: number): StartAnswer {
  const bench = openWorkbench(name);
  const kernelAt = performance.timeOrigin + performance.now();
  const block = new InstrumentBlock(
    {
      kernel: bench.producer,
      view: bench.view,
      segment: bench.segment,
      scratch: reserveBytes(bench, "name", SCRATCH_BYTES),
      imageEvery: bench.config.deltaCapacity,
      wallNs: (receivedAt) => BigInt(Math.round(receivedAt)),
    },
    {
      native: "BTC-USD",
      canonical: "BTC-USD",
      assurance: ASSURANCE_INFERRED,
      depth: 0,
      priceExponent: 2,
      quantityExponent: 8,
      tradingStatus: TRADING_OPEN,
      imageLevels: LEVELS,
    },
  );
  const generatedAt = performance.now();
  const { frames } = coinbaseCycle({ levels: LEVELS, operations: 1200, changesMax: 8 });
  const { addresses, lengths } = layBytes(
    bench,
    "frames",
    frames.map(({ bytes }) => bytes),
  );
  const generatedMs = performance.now() - generatedAt;
  const apply = (index: number): number => {
    const outcome = bench.producer.apply(DECODER_COINBASE_EXCHANGE, addresses[index] ?? 0, lengths[index] ?? 0, index);
    bench.producer.publish(index);
    return outcome;
  };
  const first = apply(0);
  const bookAt = performance.timeOrigin + performance.now();
  mustEqual("the snapshot", first, APPLY_SNAPSHOT);
  mustEqual("levels of the first book", block.levels, LEVELS);
  const times = new Float64Array(FRAMES);
  let wrong = 0;
  for (let index = 0; index < FRAMES; index++) {
    const place = 1 + (index % (frames.length - 1));
    const before = performance.now();
    const outcome = apply(place);
    times[index] = (performance.now() - before) * 1e6;
    wrong += outcome === APPLY_BOOK ? 0 : 1;
  }
  mustEqual("frames whose outcome differs", wrong, 0);
  return {
    nodeMs: firstLineAt - startedMs,
    kernelMs: kernelAt - startedMs,
    bookMs: bookAt - startedMs - generatedMs,
    firstNs: times[0] ?? 0,
    earlyNs: median([...times.subarray(1, 1 + EARLY)]),
    tieredNs: median([...times.subarray(-FRAMES / 10)]),
  };
}
