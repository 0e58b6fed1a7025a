/**
 * An event of ten changes at 45,000 levels: frame → book, hash, delta records. The record writer is not exported by
 * itself, so the same frames are also decoded for an instrument that is not synced, which stops behind scan and level
 * tokens; the difference is what book, hash and records cost. Against: JSON.parse, the baseline book that writes
 * fixed-size records too, and the way of the former system, the diff of two whole books in hash maps.
 * Bad case: quoting the last one alone; it stands beside the honest baseline or not at all.
 */
import {
  APPLY_NOT_SYNCED,
  DECODER_COINBASE_EXCHANGE,
  INSTRUMENT_STATE,
  STATE_RESYNCING,
  STATE_SYNCED,
} from "../assembly/layout.ts";
import { RecordedFeed } from "./baseline/records.ts";
import { WholeBookDiff } from "./baseline/whole_book_diff.ts";
import { parseFrames } from "./baseline_run.ts";
import type { Bench, BenchContext } from "./context.ts";
import { CHANGES_PER_UPDATE, deepStream } from "./deep_stream.ts";
import { Engine } from "./engine.ts";
import { type Case, mustEqual, type Side } from "./harness.ts";
import type { Stream } from "./stream.ts";

/** The benchmark. */
export const DELTA: Bench = {
  name: "delta",
  about: "an event of ten changes at 45,000 levels → delta records",
  run: async (context) => {
    const stream = deepStream(UPDATES);
    const engines = context.kernels.map((name) => new Engine(name, stream));
    return [
      await context.measure(eventCase(engines, stream)),
      await context.measure(scanCase(engines)),
      await context.measure(diffCase(context, engines)),
    ];
  },
};

const UPDATES = 1000;
/** Two whole-book diffs are milliseconds; a few are enough. */
const DIFFED_UPDATES = 4;

function kernelSide(engine: Engine): Side {
  return {
    name: engine.bench.name,
    prepare: () => engine.reset(),
    work: () => engine.run("book"),
    verify: (wrong) => engine.verify("book", wrong),
  };
}

function textsOf(engines: readonly Engine[]): string[] {
  return engines[0]?.list("book").frames.map(({ text }) => text) ?? [];
}

function eventCase(engines: readonly Engine[], stream: Stream): Case {
  const texts = textsOf(engines);
  const counts = engines[0]?.counts("book") ?? { records: 0, changes: 0, entries: 0, chain: 0 };
  const feed = new RecordedFeed();
  feed.open(stream.frames[0]?.text ?? "");
  const parse: Side = {
    name: "JSON.parse",
    work: () => parseFrames(texts),
    verify: (empty) => mustEqual("JSON.parse: frames that gave no object", empty, 0),
  };
  const baseline: Side = {
    name: "baseline",
    prepare: () => feed.reset(),
    work: () => {
      for (let index = 0; index < texts.length; index++) {
        feed.apply(texts[index] ?? "");
      }
      return feed.changes;
    },
    verify: (changes) => mustEqual("the baseline's changes", changes, counts.changes),
  };
  return {
    bench: DELTA.name,
    name: `frame of ${CHANGES_PER_UPDATE} changes → book and records`,
    unit: "ns/event",
    units: texts.length,
    sides: [...engines.map(kernelSide), parse, baseline],
    ratios: [{ other: "JSON.parse" }, { other: "baseline" }, ...twinWish(engines)],
    facts: counts,
    notes: ["baseline: JSON.parse, typed-array book, fixed-size records in a ring, no hash"],
  };
}

/** Frames for a book that is not synced: scanned, tokens read, dropped. */
function scanCase(engines: readonly Engine[]): Case {
  const texts = textsOf(engines);
  const setState = (engine: Engine, state: number) => {
    for (const { address } of engine.blocks) {
      engine.bench.view.setUint32(address + INSTRUMENT_STATE, state, true);
    }
  };
  const sides = engines.map((engine): Side => {
    const { addresses, lengths } = engine.list("book").laid;
    const { producer } = engine.bench;
    return {
      name: engine.bench.name,
      prepare: () => setState(engine, STATE_RESYNCING),
      work: () => {
        let wrong = 0;
        for (let index = 0; index < addresses.length; index++) {
          const code = producer.apply(DECODER_COINBASE_EXCHANGE, addresses[index] ?? 0, lengths[index] ?? 0, 0);
          wrong += code === APPLY_NOT_SYNCED ? 0 : 1;
        }
        return wrong;
      },
      verify: (wrong) => {
        mustEqual("outcomes that differ", wrong, 0);
        setState(engine, STATE_SYNCED);
      },
    };
  });
  return {
    bench: DELTA.name,
    name: "the same frames, scan and level tokens only",
    unit: "ns/event",
    units: texts.length,
    sides,
    ratios: twinWish(engines),
    notes: ["the difference to the case before is scaling, book, hash, records, cell and publish"],
  };
}

function diffCase(context: BenchContext, engines: readonly Engine[]): Case {
  const [first] = engines;
  if (first === undefined) {
    throw new RangeError("Cannot measure deltas: no kernel was asked for");
  }
  const texts = textsOf(engines);
  const diff = new WholeBookDiff(first.stream.frames[0]?.text ?? "");
  const expected = new WholeBookDiff(first.stream.frames[0]?.text ?? "").applyAll(texts.slice(0, DIFFED_UPDATES));
  const whole: Side = {
    name: "whole-book diff",
    prepare: () => diff.reset(),
    work: () => diff.applyAll(texts.slice(0, DIFFED_UPDATES)),
    verify: (changes) => mustEqual("the changes that a diff finds", changes, expected),
    units: DIFFED_UPDATES,
  };
  const isTimed = engines.filter(({ bench }) => context.kernels.includes(bench.name));
  return {
    bench: DELTA.name,
    name: `${CHANGES_PER_UPDATE} changes against the diff of two whole books in hash maps`,
    unit: "ns/event",
    units: texts.length,
    sides: [...isTimed.map(kernelSide), whole],
    ratios: [{ other: "whole-book diff", goal: "P4" }],
    notes: ["the former system's way; the honest baseline stands in the first case of this benchmark"],
  };
}

function twinWish(engines: readonly Engine[]) {
  return engines.some(({ bench }) => bench.name === "twin") ? [{ other: "twin" }] : [];
}
