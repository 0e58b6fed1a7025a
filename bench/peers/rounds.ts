/**
 * Our side for peers in another language: it lays a capture's frames and decoded changes into a folder, then times one
 * round for every line that it reads, so that a program outside can take turns with it. Built and started by
 * bench/peers/python/compare.py: `node rounds.js STREAM FOLDER`; lines `frames` and `changes` are answered by ns per unit.
 * Bad case: a capture that is not there; it ends with an error before the first answer.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { CAPTURED_SOURCES, readCaptured } from "../captured_streams.ts";
import { Engine } from "../engine.ts";
import type { Side } from "../harness.ts";
import { CHANGE_BYTES, takeChanges } from "./level_changes.ts";
import { ownBooks } from "./own_book.ts";

const ROUND_MS = 12;
const NS_PER_MS = 1e6;

const [id = "", folder = ""] = process.argv.slice(2);
const source = CAPTURED_SOURCES.find((candidate) => candidate.id === id);
if (source === undefined) {
  throw new RangeError(`Cannot read a capture: no such id, was ${id}`);
}
const engine = new Engine("wasm", await readCaptured(source));
const changes = takeChanges(engine);
const sides: Readonly<Record<string, Side & { units: number }>> = {
  frames: {
    name: "frames",
    units: engine.list("book").frames.length,
    prepare: () => engine.reset(),
    work: () => engine.run("book"),
    verify: (wrong) => engine.verify("book", wrong),
  },
  changes: { ...ownBooks(engine, changes), units: changes.changes.length / CHANGE_BYTES },
};
layFiles();
for (const side of Object.values(sides)) {
  measure(side);
}
console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  const side = sides[line];
  if (side === undefined) {
    throw new RangeError(`Cannot time a round: known are frames and changes, was ${line}`);
  }
  console.log(measure(side));
}

/** @returns ns per unit; the work is repeated until it took long enough */
function measure({ prepare, work, verify, units }: Side & { units: number }): number {
  let ms = 0;
  let runs = 0;
  while (ms < ROUND_MS) {
    prepare?.();
    const start = performance.now();
    const outcome = work();
    ms += performance.now() - start;
    verify(outcome);
    runs += 1;
  }
  return (ms * NS_PER_MS) / (runs * units);
}

/** What the other program needs: frames and snapshots as text, changes as bytes, and every level of the end as text. */
function layFiles(): void {
  engine.reset();
  engine.verify("book", engine.run("book"));
  const books = engine.check.followed.map((followed) => {
    const { native, canonical, priceExponent, quantityExponent } = followed.block;
    const [bids, asks] = (["bids", "asks"] as const).map((side) => engine.check.levels(followed, side));
    return { native, canonical, priceExponent, quantityExponent, bids, asks };
  });
  const { version } = process;
  const stream = {
    id,
    title: engine.stream.title,
    exchange: engine.stream.exchange.header.id,
    node: version,
    snapshots: engine.snapshots.map(({ frame, native }) => ({ text: frame.text, native })),
    frames: engine.list("book").frames.map(({ text }) => text),
    books,
  };
  writeFileSync(join(folder, "stream.json"), JSON.stringify(stream));
  writeFileSync(join(folder, "first.bin"), changes.first);
  writeFileSync(join(folder, "changes.bin"), changes.changes);
}
