/**
 * Captured frames in memory → exact book, hash and delta records in the ring, frame by frame with a publish after each,
 * against JSON.parse alone (of ready strings) and against the baseline book. For Kraken both verify every CRC32.
 * Cases: book updates (judged), every frame of the stream, and from a socket's buffers through the sync.
 * Bad case: snapshots in the timed part; a book of 45,000 levels would hide what an update costs.
 */
import { BaselineRun, parseFrames } from "./baseline_run.ts";
import type { Bench, BenchContext } from "./context.ts";
import { Engine, type FrameChoice } from "./engine.ts";
import { mustEqual, type Side } from "./harness.ts";
import type { CaseResult, RatioWish } from "./results.ts";
import type { Stream } from "./stream.ts";

/** The benchmark. */
export const DECODERS: Bench = {
  name: "decoders",
  about: "captured frames → book, hash and records in the ring, per exchange",
  run: async (context) => {
    const results: CaseResult[] = [];
    for (const id of context.streamIds) {
      const stream = await context.stream(id);
      results.push(...(await measureStream(context, stream)));
    }
    return results;
  },
};

async function measureStream(context: BenchContext, stream: Stream): Promise<CaseResult[]> {
  const engines = context.kernels.map((name) => new Engine(name, stream));
  const [first] = engines;
  if (first === undefined) {
    throw new RangeError("Cannot measure decoders: no kernel was asked for");
  }
  mustAgree(engines);
  const baseline = new BaselineRun(first);
  const ground = { engines, first, baseline };
  const results: CaseResult[] = [];
  for (const choice of ["book", "every"] as const) {
    results.push(await context.measure(memoryCase(ground, stream, choice)));
  }
  results.push(await context.measure(socketCase(ground, stream)));
  return results;
}

type Ground = { engines: readonly Engine[]; first: Engine; baseline: BaselineRun };

/** Both kernels must end in the same books before either is timed. */
function mustAgree(engines: readonly Engine[]): void {
  const ends = engines.map((engine) => {
    const counts = engine.counts("book");
    return JSON.stringify([counts, engine.blocks.map((block) => [block.native, engine.hash(block), block.levels])]);
  });
  for (const end of ends) {
    mustEqual(`${engines[0]?.stream.id}: the twin`, end, ends[0] ?? "");
  }
}

function memoryCase({ engines, first, baseline }: Ground, stream: Stream, choice: FrameChoice) {
  const { frames } = first.list(choice);
  const texts = frames.map(({ text }) => text);
  const sides: Side[] = [
    ...engines.map((engine) => ({
      name: engine.bench.name,
      prepare: () => engine.reset(),
      work: () => engine.run(choice),
      verify: (wrong: number) => engine.verify(choice, wrong),
    })),
    parseSide(() => parseFrames(texts)),
    {
      name: "baseline",
      prepare: () => baseline.reset(),
      work: () => baseline.run(choice),
      verify: (refused) => verifyBaseline({ first, baseline }, choice, refused),
    },
  ];
  const bytes = frames.reduce((sum, frame) => sum + frame.bytes.length, 0);
  return {
    bench: DECODERS.name,
    name: choice === "book" ? stream.title : `${stream.title}: every frame`,
    unit: "ns/frame",
    units: frames.length,
    sides,
    ratios: ratios(stream, choice === "book"),
    facts: {
      stream: stream.id,
      choice,
      frames: frames.length,
      bytesPerFrame: bytes / frames.length,
      ...first.counts(choice),
    },
    notes: notesOf(stream),
  };
}

function socketCase({ engines, first, baseline }: Ground, stream: Stream) {
  const { frames } = first.list("every");
  const sides: Side[] = [
    ...engines.map((engine) => ({
      name: engine.bench.name,
      prepare: () => engine.reset(),
      work: () => engine.runSync("every"),
      verify: (wrong: number) => engine.verify("every", wrong),
    })),
    parseSide(() => {
      let empty = 0;
      for (let index = 0; index < frames.length; index++) {
        empty += typeof JSON.parse(frames[index]?.bytes.toString("utf8") ?? "") === "object" ? 0 : 1;
      }
      return empty;
    }),
    {
      name: "baseline",
      prepare: () => baseline.reset(),
      work: () => baseline.runBuffers("every"),
      verify: (refused) => verifyBaseline({ first, baseline }, "every", refused),
    },
  ];
  return {
    bench: DECODERS.name,
    name: `${stream.title}: from socket buffers, with sync`,
    unit: "ns/frame",
    units: frames.length,
    sides,
    ratios: ratios(stream, false),
    facts: { stream: stream.id, choice: "sync", frames: frames.length },
    notes: notesOf(stream),
  };
}

function parseSide(work: () => number): Side {
  return { name: "JSON.parse", work, verify: (empty) => mustEqual("JSON.parse: frames that gave no object", empty, 0) };
}

/** The engine may stand anywhere when the baseline has run: it is brought to the same end first. */
function verifyBaseline({ first, baseline }: Pick<Ground, "first" | "baseline">, choice: FrameChoice, refused: number) {
  if (!baseline.isCompared) {
    first.reset();
    first.verify(choice, first.run(choice));
  }
  baseline.verify(refused);
}

function ratios(stream: Stream, isJudged: boolean): RatioWish[] {
  const parse: RatioWish = { other: "JSON.parse" };
  const book: RatioWish = { other: "baseline" };
  if (isJudged) {
    parse.goal = stream.exchange.header.id === "kraken" ? "P1_KRAKEN" : "P1";
    book.goal = "P2";
  }
  return [parse, book];
}

function notesOf({ source }: Stream): string[] {
  return source === "capture" ? [] : ["no capture: frames of the emulator's market"];
}
