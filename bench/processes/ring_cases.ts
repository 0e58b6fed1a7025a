/**
 * The ring between processes: what a record costs its writer while a reader in another process verifies all of them (P5),
 * one-way latency (P6), throughput (P7), and that readers that stall, stop or die cost the writer nothing (P8).
 * Bad case: a reader that is overtaken or finds a wrong record; the benchmark fails instead of giving a figure.
 */
import type { BenchContext } from "../context.ts";
import type { GoalKey } from "../goals.ts";
import { type Case, mustEqual, type Side } from "../harness.ts";
import { writeEmptyRecord } from "../instrument.ts";
import type { CaseResult, RatioWish } from "../results.ts";
import type { NativeTwin } from "./native_twin.ts";
import { type Messages, openScene, type Scene, verifyRead, writeRecords } from "./scene.ts";
import { type Peer, type Stage, spinUntil } from "./stage.ts";

/** The benchmark that the cases belong to. */
export const BENCH = "ring";

const BATCHES = [1, 8, 32] as const;
const THROUGH_BATCH = 32;
/** Work of one run. Records stay below half of the ring, so that a reader that has caught up cannot be overtaken. */
type Sizes = { records: number; throughRecords: number; messages: number; trips: number; socketTrips: number };
const FULL: Sizes = { records: 8192, throughRecords: 32_768, messages: 4096, trips: 1000, socketTrips: 100 };
const SMOKE: Sizes = { records: 1024, throughRecords: 4096, messages: 256, trips: 32, socketTrips: 8 };
/** Hops of a round trip. */
const HOPS = 2;

/** Measures P5, P6 and P7. @throws MappingError where memory cannot be shared */
export async function sharedCases(context: BenchContext, stage: Stage): Promise<CaseResult[]> {
  const scene = { ...(await openScene(stage)), sizes: context.settings.isSmoke ? SMOKE : FULL };
  try {
    const results: CaseResult[] = [];
    for (const batch of BATCHES) {
      results.push(await context.measure(writerCase(scene, batch)));
    }
    results.push(await context.measure(latencyCase(scene)), await context.measure(throughputCase(scene)));
    return results;
  } finally {
    await scene.close();
  }
}

type SizedScene = Scene & { readonly sizes: Sizes };

function writerCase(scene: SizedScene, batch: number): Case {
  const { twin, sizes } = scene;
  const { records } = sizes;
  const others = ifThere(twin, (there) => [
    twinWriter(scene.stage, there, { name: "C twin", records, batch, isRelease: false }),
    twinWriter(scene.stage, there, { name: "C twin, release", records, batch, isRelease: true }),
  ]);
  return {
    bench: BENCH,
    name: `writer with a live reader in another process, batch ${batch}`,
    unit: "ns/record",
    units: records,
    sides: [ownWriter(scene, { records, batch }), ...others],
    ratios: wishes(others, { "C twin": "P5", "C twin, release": "P5_RELEASE" }),
    notes: [
      ...missing(scene, ["C twin", "C twin, release"]),
      "ours writes empty delta records with state, table entry and top-of-book cell; the C twin fills the 256 bytes",
    ],
  };
}

function ownWriter({ stage, reader }: Scene, { records, batch }: { records: number; batch: number }): Side {
  return {
    name: "wasm",
    prepare: () => stage.activate(reader.peer),
    work: () => writeRecords(reader.bench, records, batch),
    verify: (published) => {
      mustEqual("records published", published, records);
      verifyRead(reader);
    },
  };
}

function twinWriter(
  stage: Stage,
  twin: NativeTwin,
  { name, records, batch, isRelease }: { name: string; records: number; batch: number; isRelease: boolean },
): Side {
  return {
    name,
    prepare: () => stage.activate(twin.reader),
    work: () => twin.write(records, { batch, isRelease }),
    verify: (written) => {
      mustEqual(`records written by the ${name}`, written, records);
      mustEqual(`errors of the ${name}'s reader`, twin.wait(), 0);
    },
  };
}

function latencyCase(scene: SizedScene): Case {
  const { stage, twin } = scene;
  const { trips, socketTrips } = scene.sizes;
  const others = ifThere(twin, ({ socket, pinger, exchange, ping }) => [
    tripSide("Unix socket", socketTrips, { stage, peer: socket, run: exchange }),
    tripSide("core to core", trips, { stage, peer: pinger, run: ping }),
  ]);
  return {
    bench: BENCH,
    name: "one way to another process, spinning",
    unit: "ns/hop",
    units: trips * HOPS,
    sides: [
      {
        name: "wasm",
        prepare: () => stage.activate(scene.echo.peer),
        work: () => pingRing(scene, trips),
        verify: (echoed) => {
          mustEqual("records echoed", echoed, trips);
          verifyRead(scene.echo);
        },
      },
      ...others,
    ],
    ratios: wishes(others, { "Unix socket": "P6", "core to core": "P6_CORE" }),
    notes: [
      ...missing(scene, ["Unix socket", "core to core"]),
      "half a round trip: ours writes, publishes and polls a delta record each way; both baselines are C",
    ],
  };
}

function tripSide(
  name: string,
  trips: number,
  { stage, peer, run }: { stage: Stage; peer: Peer; run: (count: number) => number },
): Side {
  return {
    name,
    prepare: () => stage.activate(peer),
    work: () => run(trips),
    verify: (done) => mustEqual(`round trips of ${name}`, done, trips),
    units: trips * HOPS,
  };
}

function pingRing({ echo: { bench }, echoed: { kernel, reader, view }, polled }: Scene, trips: number): number {
  const { producer, instrument } = bench;
  const from = view.deltaTail;
  for (let trip = 0; trip < trips; trip++) {
    writeEmptyRecord(bench, instrument.address);
    producer.publish(0);
    if (kernel.readerPoll(reader, polled, 1) === 0) {
      spinUntil("an echo", () => kernel.readerPoll(reader, polled, 1) !== 0);
    }
  }
  return view.deltaTail - from;
}

function throughputCase(scene: SizedScene): Case {
  const { stage, twin, port, pipe } = scene;
  const { throughRecords: records, messages } = scene.sizes;
  const ours = ownWriter(scene, { records, batch: THROUGH_BATCH });
  const others = [
    messageSide("MessagePort", messages, { stage, ...port }),
    messageSide("fs.writeSync", messages, { stage, ...pipe }),
  ];
  const native = ifThere(twin, ({ reader, write, wait }) => [
    {
      name: "C twin",
      prepare: () => stage.activate(reader),
      work: () => {
        write(records, { batch: THROUGH_BATCH, isRelease: false });
        return wait();
      },
      verify: (errors: number) => mustEqual("errors of the C twin's reader", errors, 0),
    },
  ]);
  return {
    bench: BENCH,
    name: "one producer, one reader, every record verified",
    unit: "ns/record",
    units: records,
    sides: [
      {
        ...ours,
        work: () => {
          const published = ours.work();
          verifyRead(scene.reader);
          return published;
        },
      },
      ...others,
      ...native,
    ],
    ratios: wishes([...others, ...native], { MessagePort: "P7" }),
    notes: [
      ...missing(scene, ["C twin"]),
      "timed until the reader verified the last record; MessagePort goes to a worker thread, fs.writeSync into a FIFO of another process, 256 bytes a message",
    ],
  };
}

function messageSide(name: string, count: number, { stage, peer, send }: Messages & { stage: Stage }): Side {
  return {
    name,
    prepare: () => stage.activate(peer),
    work: () => send(count),
    verify: (wrong) => mustEqual(`messages of ${name} that were wrong`, wrong, 0),
    units: count,
  };
}

function ifThere(twin: Scene["twin"], sides: (twin: NativeTwin) => Side[]): Side[] {
  return "missing" in twin ? [] : sides(twin);
}

function missing({ twin }: Scene, names: readonly string[]): string[] {
  return "missing" in twin ? [`skipped: ${names.join("; ")} (${twin.missing})`] : [];
}

function wishes(sides: readonly Side[], goals: Readonly<Record<string, GoalKey>>): RatioWish[] {
  return sides.map(({ name }) => {
    const goal = goals[name];
    return goal === undefined ? { other: name } : { other: name, goal };
  });
}
