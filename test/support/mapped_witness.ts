/**
 * A Node reader as a process of its own, for tests that kill it: says as JSON lines what it sees of three exchanges, each
 * with the machine's monotonic clock: states as they change, outcomes, samples of books that count as right, and, when a
 * line comes in, its books with every level. Words: directory, exchanges separated by commas.
 * Bad case: whatever it throws; it ends with a status and text on stderr, and the test counts that.
 */
import { createInterface } from "node:readline";
import { openSegment, type SegmentReader } from "../../src/reader/mod.ts";

const LOOK_MS = 5;
const SAMPLE_MS = 100;
const ARENA_BYTES = 2 ** 26;
const POLLS_MAX = 64;

const [directory = "", exchanges = ""] = process.argv.slice(2);
const readers = await Promise.all(exchanges.split(",").map((exchange) => openSegment(exchange, openOptions())));
const states = new Map<string, boolean>();
const epochs = new Map<string, string>();
let sampledAt = 0;

createInterface({ input: process.stdin })
  .on("line", tellBooks)
  .on("close", () => process.exit());
setInterval(look, LOOK_MS);

function openOptions() {
  return { directory, arenaBytes: ARENA_BYTES, name: "witness" };
}

function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function look(): void {
  const isTime = now() - sampledAt > SAMPLE_MS;
  sampledAt = isTime ? now() : sampledAt;
  for (const reader of readers) {
    take(reader);
    tellStates(reader);
    if (isTime) {
      sample(reader);
    }
  }
}

/** Reads what is there and tells what happened to the reading. */
function take(reader: SegmentReader): void {
  let count = 1;
  for (let polls = 0; count > 0 && polls < POLLS_MAX; polls++) {
    count = reader.poll((event) => {
      if (event.kind === "delta" || event.kind === "trade" || event.kind === "image") {
        return;
      }
      if (event.kind === "attached" || event.kind === "epoch") {
        epochs.set(reader.exchange, String(event.epoch));
      }
      const detail = event.kind === "stale" ? event.ageMs : event.kind === "refused" ? event.reason : "";
      const epoch = epochs.get(reader.exchange);
      say({ kind: "outcome", at: now(), exchange: reader.exchange, outcome: event.kind, epoch, detail });
    });
  }
}

function tellStates(reader: SegmentReader): void {
  const names = reader.instruments().map(({ name }) => name);
  const known = [...states.keys()].filter((name) => name.startsWith(`${reader.exchange}:`));
  for (const name of new Set([...names, ...known])) {
    const top = reader.top(name);
    // A cell cannot be read while its writer stands still in the middle of it; the book can.
    const isSynced = (top?.state === "busy" ? reader.book(name, 1) : top)?.isSynced === true;
    if (states.get(name) !== isSynced) {
      states.set(name, isSynced);
      say({ kind: "state", at: now(), name, isSynced, why: top?.state ?? "absent" });
    }
  }
}

/** Version and hash of each book that counts as right; none where the epoch changed meanwhile. */
function sample(reader: SegmentReader): void {
  const before = epochs.get(reader.exchange);
  const books = reader.instruments().flatMap(({ name }) => reader.book(name, 1) ?? []);
  take(reader);
  if (before !== epochs.get(reader.exchange)) {
    return;
  }
  for (const { instrument, version, hash } of books.filter((book) => book.isSynced)) {
    say({ kind: "sample", name: instrument.name, epoch: before, version: String(version), hash });
  }
}

function tellBooks(id: string): void {
  const books = readers.flatMap((reader) =>
    reader.instruments().flatMap(({ name }) => {
      const book = reader.book(name);
      if (book === undefined) {
        return [];
      }
      const { instrument, knownRange } = book;
      const side = (levels: typeof book.bids) =>
        levels.map(({ priceTicks, quantityLots }) => [String(priceTicks), String(quantityLots)]);
      return {
        name,
        native: instrument.native,
        depth: instrument.depth,
        priceExponent: instrument.priceExponent,
        quantityExponent: instrument.quantityExponent,
        version: String(book.version),
        hash: book.hash,
        isSynced: book.isSynced,
        low: String(knownRange?.lowTicks ?? 0n),
        high: String(knownRange?.highTicks ?? 2n ** 63n - 1n),
        bids: side(book.bids),
        asks: side(book.asks),
      };
    }),
  );
  say({ kind: "books", id, books });
}
