/**
 * The ring in one thread: records written, published and polled in batches of 1, 8 and 32, and polling alone; against
 * a plain JavaScript ring of the same record size on a SharedArrayBuffer. Then the ring between processes.
 * Bad case: reading one thread's figures as cross-thread latency; caches stay warm there, and nobody waits.
 */
import { DELTA_BYTES, DELTA_VERSION, RING_DELTAS } from "../assembly/layout.ts";
import { BaselineRing } from "./baseline/ring.ts";
import type { Bench, BenchContext } from "./context.ts";
import { type Case, mustEqual, type Side } from "./harness.ts";
import { openInstrument, writeEmptyRecord } from "./instrument.ts";
import { casesAcrossProcesses } from "./processes/mod.ts";
import type { CaseResult } from "./results.ts";
import { openWorkbench, reserveBytes, type Workbench } from "./workbench.ts";

/** The benchmark. */
export const RING: Bench = {
  name: "ring",
  about: "delta records of 256 bytes through the ring, in one thread and between processes",
  run: async (context) => {
    const ends = context.kernels.map((name) => openEnds(openWorkbench(name)));
    const results: CaseResult[] = [];
    for (const batch of BATCHES) {
      results.push(await context.measure(throughCase(context, ends, batch)));
    }
    for (const batch of BATCHES) {
      results.push(await context.measure(pollCase(context, ends, batch)));
    }
    return [...results, ...(await casesAcrossProcesses(context))];
  },
};

const BATCHES = [1, 8, 32] as const;
/** Below a quarter of the ring, so that nothing is published before it is asked. */
const RECORDS = 8192;
const POLL_MAX = 32;

type Ends = { bench: Workbench; instrument: number; reader: number; out: number };

function openEnds(bench: Workbench): Ends {
  const instrument = openInstrument(bench, "BTC-USD").address;
  const reader = bench.reader.readerCreate(bench.segment.address, RING_DELTAS);
  return { bench, instrument, reader, out: reserveBytes(bench, "polled", POLL_MAX * DELTA_BYTES) };
}

function throughCase(context: BenchContext, ends: readonly Ends[], batch: number): Case {
  const ring = new BaselineRing();
  const sides: Side[] = [
    ...ends.map((end) => ({
      name: end.bench.name,
      work: () => passThrough(end, batch),
      verify: (polled: number) => verifyPolled(end, polled, batch),
    })),
    {
      name: "baseline",
      work: () => {
        let polled = 0;
        for (let done = 0; done < RECORDS; done += batch) {
          for (let index = 0; index < batch; index++) {
            ring.write();
          }
          ring.publish();
          polled += ring.poll(batch);
        }
        return polled;
      },
      verify: (polled) => verifyBaseline(ring, polled),
    },
  ];
  return {
    bench: RING.name,
    name: `write, publish and poll, batch ${batch}`,
    unit: "ns/record",
    units: RECORDS,
    sides,
    ratios: wishes(context),
    notes: ["ours writes an empty record with its state, table entry and top-of-book cell"],
  };
}

function passThrough({ bench, instrument, reader, out }: Ends, batch: number): number {
  let polled = 0;
  for (let done = 0; done < RECORDS; done += batch) {
    for (let index = 0; index < batch; index++) {
      writeEmptyRecord(bench, instrument);
    }
    bench.producer.publish(0);
    polled += bench.reader.readerPoll(reader, out, batch);
  }
  return polled;
}

function pollCase(context: BenchContext, ends: readonly Ends[], batch: number): Case {
  const ring = new BaselineRing();
  const sides: Side[] = [
    ...ends.map(({ bench, instrument, reader, out }) => ({
      name: bench.name,
      prepare: () => {
        for (let index = 0; index < RECORDS; index++) {
          writeEmptyRecord(bench, instrument);
        }
        bench.producer.publish(0);
      },
      work: () => {
        let polled = 0;
        for (let done = 0; done < RECORDS; done += batch) {
          polled += bench.reader.readerPoll(reader, out, batch);
        }
        return polled;
      },
      verify: (polled: number) => verifyPolled({ bench, instrument, reader, out }, polled, batch),
    })),
    {
      name: "baseline",
      prepare: () => {
        for (let index = 0; index < RECORDS; index++) {
          ring.write();
        }
        ring.publish();
      },
      work: () => {
        let polled = 0;
        for (let done = 0; done < RECORDS; done += batch) {
          polled += ring.poll(batch);
        }
        return polled;
      },
      verify: (polled) => verifyBaseline(ring, polled),
    },
  ];
  return {
    bench: RING.name,
    name: `poll only, batch ${batch}`,
    unit: "ns/record",
    units: RECORDS,
    sides,
    ratios: wishes(context),
  };
}

/** The last record polled must be the last one written. */
function verifyPolled({ bench, out, reader }: Ends, polled: number, batch: number): void {
  mustEqual(`records polled on ${bench.name}`, polled, RECORDS);
  mustEqual(`records left on ${bench.name}`, bench.reader.readerPoll(reader, out, 0), 0);
  const version = bench.view.getBigUint64(out + (batch - 1) * DELTA_BYTES + DELTA_VERSION, true);
  mustEqual(`the last version on ${bench.name}`, version, BigInt(bench.segmentView.deltaTail));
}

function verifyBaseline(ring: BaselineRing, polled: number): void {
  mustEqual("records polled from the baseline ring", polled, RECORDS);
  mustEqual("the baseline ring's last version", ring.lastVersion, ring.tail);
}

function wishes({ kernels }: BenchContext) {
  return kernels.includes("twin") ? [{ other: "baseline" }, { other: "twin" }] : [{ other: "baseline" }];
}
