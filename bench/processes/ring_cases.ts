/**
 * The ring between processes: what a record costs its writer while a reader in another process verifies all of them (P5),
 * one-way latency (P6), throughput (P7), and that readers that stall, stop or die cost the writer nothing (P8).
 * Bad case: a reader that is overtaken or finds a wrong record; the benchmark fails instead of giving a figure.
 */
import type { BenchContext } from "../context.ts";
import type { GoalKey } from "../goals.ts";
import { type Case, mustEqual, type Side } from "../harness.ts";
import type { CaseResult, RatioWish } from "../results.ts";
import { writeBatches, writeRecords } from "./mapped_bench.ts";
import type { NativeTwin } from "./native_twin.ts";
import { type PagedPeer, verifyRead } from "./paged_peer.ts";
import { type Messages, openScene, type Scene } from "./scene.ts";
import type { Peer, Stage } from "./stage.ts";

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
/** Polls in vain after which an answer is late. */
const IDLE_POLLS = 1 << 30;

/** Measures P5, P6 and P7. @throws MappingError where memory cannot be shared */
export async function sharedCases(context: BenchContext, stage: Stage): Promise<CaseResult[]> {
  const scene = { ...(await openScene(stage)), sizes: context.settings.isSmoke ? SMOKE : FULL };
  try {
    stage.settle();
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
  const { stage, twin, sizes } = scene;
  const { records } = sizes;
  const reader = "missing" in twin ? scene.reader : twin.reader;
  const natives = ifThere(twin, ({ write }) => [
    writerSide(stage, { name: "C twin", reader, records, write: () => write(records, { batch, isRelease: false }) }),
    writerSide(stage, {
      name: "C twin, release",
      reader,
      records,
      write: () => write(records, { batch, isRelease: true }),
    }),
  ]);
  const atOnce = ({ bench }: PagedPeer) => writeRecords(bench, records, batch);
  const perBatch = ({ bench }: PagedPeer) => writeBatches(bench, records, batch);
  return {
    bench: BENCH,
    name: `writer with a live reader in another process, batch ${batch}`,
    unit: "ns/record",
    units: records,
    sides: [
      writerSide(stage, { name: "wasm", reader, records, write: atOnce }),
      writerSide(stage, { name: "wasm, a call per batch", reader, records, write: perBatch }),
      ...natives,
    ],
    ratios: wishes(natives, { "C twin": "P5", "C twin, release": "P5_RELEASE" }),
    notes: [
      ...missing(scene, ["C twin", "C twin, release"]),
      "all write the same 256 bytes into the same segment, which one C program reads and verifies, in a compiled loop; beside it the same with a call from JavaScript for each batch",
      "after every batch wasm and C look for sleepers, which takes a fence behind the tail; C, release, has none and could wake nobody for certain: at batch 1 that fence is most of the cost, in C as in wasm",
    ],
  };
}

type Writing = { name: string; reader: PagedPeer; records: number; write: (reader: PagedPeer) => number };

/** Writers take turns on one segment: each begins where the last one ended. */
function writerSide(stage: Stage, { name, reader, records, write }: Writing): Side {
  return {
    name,
    prepare: () => {
      stage.activate(reader.peer);
      reader.bench.producer.producerAttach(reader.bench.segment.address);
    },
    work: () => write(reader),
    verify: (written) => {
      mustEqual(`records written, ${name}`, written, records);
      verifyRead(reader);
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

function pingRing({ echo: { bench }, echoed: { reader, view }, polled }: Scene, trips: number): number {
  return bench.driver.ringTrips(reader, polled, trips, view.deltaTail, IDLE_POLLS);
}

function throughputCase(scene: SizedScene): Case {
  const { stage, twin, port, pipe } = scene;
  const { throughRecords: records, messages } = scene.sizes;
  const others = [
    messageSide("MessagePort", messages, { stage, ...port }),
    messageSide("fs.writeSync", messages, { stage, ...pipe }),
  ];
  const native = ifThere(twin, ({ reader, write }) => {
    const batches = { batch: THROUGH_BATCH, isRelease: false };
    return [throughSide(stage, { name: "C twin", reader, records, write: () => write(records, batches) })];
  });
  const write = ({ bench }: PagedPeer) => writeRecords(bench, records, THROUGH_BATCH);
  return {
    bench: BENCH,
    name: "one producer, one reader, every record verified",
    unit: "ns/record",
    units: records,
    sides: [throughSide(stage, { name: "wasm", reader: scene.reader, records, write }), ...others, ...native],
    ratios: wishes([...others, ...native], { MessagePort: "P7" }),
    notes: [
      ...missing(scene, ["C twin"]),
      "timed until the reader verified the last record; ours is read by a Node process, the C twin by a C program; MessagePort goes to a worker thread, fs.writeSync into a FIFO of another process, 256 bytes a message",
    ],
  };
}

/** A writer whose time ends when its reader has verified everything. */
function throughSide(stage: Stage, writing: Writing): Side {
  const side = writerSide(stage, writing);
  return {
    ...side,
    work: () => {
      const written = side.work();
      verifyRead(writing.reader);
      return written;
    },
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
