/**
 * Named peers beside our kernel on the same captured book frames: tardis-dev and ccxt (judged), a plain Map, the former
 * system's diff of two whole books; and books in Rust beside our book alone, on the same decoded changes. Peers get ready
 * strings, ours gets bytes. What every side computes is compared level for level before and after it is timed.
 * Bad case: a peer that ends in another book, or has no decoder; both are said by name, and no verdict rests on it.
 */
import { WholeBookDiff } from "./baseline/whole_book_diff.ts";
import type { Bench, BenchContext } from "./context.ts";
import { Engine } from "./engine.ts";
import { type Case, mustEqual, type Side } from "./harness.ts";
import { CHANGE_BYTES, takeChanges } from "./peers/level_changes.ts";
import { ownBooks } from "./peers/own_book.ts";
import { openPeers, PeerRun, peerStream } from "./peers/run.ts";
import { type MissingRust, openRust, type RustLibrary } from "./peers/rust.ts";
import type { CaseResult, RatioWish } from "./results.ts";

/** The benchmark. */
export const PEERS: Bench = {
  name: "peers",
  about: "named peers on captured frames, the same books checked out",
  run: async (context) => {
    const rust = await openRust();
    const results: CaseResult[] = [];
    for (const id of context.streamIds) {
      const engine = await engineOf(context, id);
      engine.reset();
      engine.verify("book", engine.run("book"));
      results.push(await context.measure(await frameCase(engine)));
      if (id === "coinbase_exchange") {
        results.push(await context.measure(diffCase(engine)));
      }
      results.push(...(await bookCase(context, engine, rust)));
    }
    return results;
  },
};

/** The peers that a verdict rests on. */
const JUDGED: readonly string[] = ["tardis-dev", "ccxt"];
/** Two whole-book diffs are milliseconds; a few are enough. */
const DIFFED_FRAMES = 16;

async function engineOf(context: BenchContext, id: string): Promise<Engine> {
  const [kernel] = context.kernels;
  if (kernel === undefined) {
    throw new RangeError("Cannot measure peers: no kernel was asked for");
  }
  return new Engine(kernel, await context.stream(id));
}

async function frameCase(engine: Engine): Promise<Case> {
  const { stream, bench } = engine;
  const isVerified = stream.exchange.header.id === "kraken";
  const facts: Record<string, number | string> = { stream: stream.id, frames: engine.list("book").frames.length };
  const notes: string[] = isVerified ? ["ours verifies the CRC32 of every frame; no peer verifies one"] : [];
  const sides: Side[] = [kernelSide(engine)];
  const ratios: RatioWish[] = [];
  for (const opened of await openPeers(peerStream(engine))) {
    if ("missing" in opened) {
      notes.push(`skipped: ${opened.name} on ${stream.title} (${opened.missing})`);
      continue;
    }
    const run = new PeerRun(opened, engine);
    const difference = run.compare();
    if (difference !== undefined) {
      notes.push(`${opened.name} ends in other books, so it is not judged; ${difference}`);
    }
    const { name, version, settings } = opened;
    facts[name] = version;
    notes.push(`${name} ${version}: ${settings}`);
    sides.push({
      name,
      prepare: () => opened.reset(),
      work: () => run.run(),
      verify: (refused) => run.verify(refused),
    });
    const isJudged = JUDGED.includes(name) && difference === undefined;
    ratios.push({ other: name, ours: bench.name, ...(isJudged ? { goal: "P3" } : {}) });
  }
  return { bench: PEERS.name, name: stream.title, ...frameUnits(engine), sides, ratios, facts, notes };
}

function frameUnits(engine: Engine): Pick<Case, "unit" | "units"> {
  return { unit: "ns/frame", units: engine.list("book").frames.length };
}

function kernelSide(engine: Engine): Side {
  return {
    name: engine.bench.name,
    prepare: () => engine.reset(),
    work: () => engine.run("book"),
    verify: (wrong) => engine.verify("book", wrong),
  };
}

/** The former system's way, on the frames of one product. */
function diffCase(engine: Engine): Case {
  const { stream, bench, snapshots } = engine;
  const snapshot = snapshots[0]?.frame.text ?? "";
  const { product_id: product } = JSON.parse(snapshot) as { product_id: string };
  const texts = engine
    .list("book")
    .frames.map(({ text }) => text)
    .filter((text) => text.includes(`"product_id":"${product}"`))
    .slice(0, DIFFED_FRAMES);
  const diff = new WholeBookDiff(snapshot);
  const expected = new WholeBookDiff(snapshot).applyAll(texts);
  const whole: Side = {
    name: "whole-book diff",
    prepare: () => diff.reset(),
    work: () => diff.applyAll(texts),
    verify: (changes) => mustEqual("the changes that a diff finds", changes, expected),
    units: texts.length,
  };
  return {
    bench: PEERS.name,
    name: `${stream.title}: the former system's diff of two whole books, ${product}`,
    ...frameUnits(engine),
    sides: [kernelSide(engine), whole],
    ratios: [{ other: whole.name, ours: bench.name }],
    facts: { stream: stream.id, frames: texts.length },
    notes: [
      "whole-book diff: a port, JSON.parse and hash maps with number keys; of its first frames only, for it takes long",
      "not judged here: P4 is measured at 45,000 levels by the benchmark delta",
    ],
  };
}

/** Our book alone beside books in Rust. @returns nothing when there is no rustc, but for a case that says so */
async function bookCase(context: BenchContext, engine: Engine, rust: RustLibrary | MissingRust): Promise<CaseResult[]> {
  const changes = takeChanges(engine);
  const count = changes.changes.length / CHANGE_BYTES;
  const ours = ownBooks(engine, changes);
  const books = "missing" in rust ? [] : rust.open(changes);
  const others = books.map(
    ({ name, reset, run, digest }): Side => ({
      name,
      prepare: reset,
      work: () => {
        run();
        return 0;
      },
      verify: () => {
        for (const [book, expected] of changes.digests.entries()) {
          mustEqual(`${name}: book ${book}`, digest(book), expected);
        }
      },
    }),
  );
  const result = await context.measure({
    bench: PEERS.name,
    name: `${engine.stream.title}: the book alone, changes decoded`,
    unit: "ns/change",
    units: count,
    sides: [ours, ...others],
    ratios: others.map(({ name }) => ({ other: name, ours: engine.bench.name })),
    facts: { stream: engine.stream.id, changes: count, ...("missing" in rust ? {} : { Rust: rust.version }) },
    notes: [
      "ours keeps a hash and is called from JavaScript for every level; Rust has no hash and is called once",
      "missing" in rust
        ? `skipped: books in Rust (${rust.missing})`
        : `${rust.version}: ${rust.settings}; no JSON, no records`,
    ],
  });
  for (const { close } of books) {
    close();
  }
  return [result];
}
