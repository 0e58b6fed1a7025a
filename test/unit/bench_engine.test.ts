/**
 * The engine that benchmarks replay: it verifies what it times. On the twin, so that no build is needed, and on a small
 * synthetic stream. Bad case: a run that ends in a wrong book and is reported as a time.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BaselineRun } from "../../bench/baseline_run.ts";
import { deepBook, levelOperations } from "../../bench/deep_book.ts";
import { CHANGES_PER_UPDATE, deepStream } from "../../bench/deep_stream.ts";
import { readEmulated } from "../../bench/emulated_streams.ts";
import { Engine } from "../../bench/engine.ts";
import { RecordedRun } from "../../bench/recorded_run.ts";
import { makeStream } from "../../bench/stream.ts";
import { EXCHANGES } from "../../src/exchanges/mod.ts";

const UPDATES = 40;

describe("Engine", () => {
  let engine: Engine;

  beforeAll(() => {
    engine = new Engine("twin", deepStream(UPDATES));
  });

  it("run applies every book frame, and the replica behind the ring holds the same book", () => {
    engine.reset();
    expect(engine.run("book")).toBe(0);
    engine.verify("book", 0);
    const { entries, changes } = engine.counts("book");
    expect(entries).toBe(UPDATES * CHANGES_PER_UPDATE);
    expect(changes).toBeGreaterThan(entries * 0.9);
  });

  it("verify throws when one digit of one frame differs", () => {
    const { laid } = engine.list("book");
    const address = laid.addresses[UPDATES >> 1] ?? 0;
    const text = Buffer.from(engine.bench.bytes.slice(address, address + (laid.lengths[UPDATES >> 1] ?? 0)));
    const at = address + text.indexOf('"]]') - 1;
    const before = engine.bench.bytes[at] ?? 0;
    engine.reset();
    engine.bench.bytes[at] = before === 0x31 ? 0x32 : 0x31;
    const wrong = engine.run("book");
    engine.bench.bytes[at] = before;
    expect(() => engine.verify("book", wrong)).toThrow("Cannot trust");
  });

  it("verify throws when the book behind the ring is not the producer's", () => {
    engine.reset();
    engine.run("book");
    engine.check.pump();
    const [block] = engine.blocks;
    engine.bench.producer.bookTruncate(block?.book ?? 0, 0, 100);
    expect(() => engine.verify("book", 0)).toThrow("Cannot trust");
  });

  it("a baseline that misses an update does not pass", () => {
    engine.reset();
    engine.verify("book", engine.run("book"));
    const baseline = new BaselineRun(engine);
    const complete = new BaselineRun(engine);
    complete.run("book");
    complete.verify(0);
    for (const { text } of engine.list("book").frames.slice(1)) {
      baseline.feed.apply(text);
    }
    expect(() => baseline.verify(0)).toThrow("Cannot trust");
  });

  it("recorded records go through frames into an equal book, again and again", () => {
    const run = new RecordedRun(engine);
    run.rewind();
    const bytes = run.encodeAndDecode();
    run.verify("client");
    run.rewind();
    expect(run.encodeAndDecode()).toBe(bytes);
    expect(run.frameLengths.reduce((sum, length) => sum + length, 0)).toBe(bytes);
    expect(run.events).toBe(UPDATES);
  });

  it("a stream whose book never has a snapshot is refused or empty, never timed as if it had", () => {
    const orphan =
      '{"type":"l2update","product_id":"BTC-USD","changes":[["buy","1.00","2.0"]],"time":"2026-07-07T23:00:00Z"}';
    const head = {
      id: "orphan",
      title: "orphan",
      exchange: EXCHANGES.coinbase_exchange,
      source: "synthetic",
      files: [],
    } as const;
    const engineOf = () => new Engine("twin", makeStream(head, [{ text: orphan }]));
    expect(engineOf().list("book").frames).toEqual([]);
  });
});

describe("deep book operations", () => {
  it("levelOperations ends in the book that it began with", () => {
    const book = deepBook(2000);
    const before = JSON.stringify([book.bids.ticks, [...book.bids.lots].sort(), book.asks.ticks]);
    const { codes } = levelOperations(book, { spread: "uniform", count: 600 });
    const counts = [1, 2, 3].map((code) => codes.filter((each) => each === code).length);
    expect(JSON.stringify([book.bids.ticks, [...book.bids.lots].sort(), book.asks.ticks])).toBe(before);
    expect(counts[1]).toBe(counts[2]);
    expect(Math.min(...counts)).toBeGreaterThan(50);
  });
});

describe("streams without captures", () => {
  const opened: { close: () => void }[] = [];

  afterAll(() => {
    for (const each of opened) {
      each.close();
    }
  });

  it("readEmulated gives frames that an engine replays, REST snapshot included", async () => {
    const stream = await readEmulated("binance_us", { emulatedFrames: 60 });
    const engine = new Engine("twin", stream);
    engine.reset();
    engine.verify("every", engine.run("every"));
    expect([stream.source, engine.blocks.length > 0, engine.list("book").frames.length > 5]).toEqual([
      "emulator",
      true,
      true,
    ]);
  });

  it("makeStream makes receive times after the exchange's when the source has none", () => {
    const text = '{"type":"heartbeat","time":"2026-07-07T23:00:00.5Z"}';
    const head = {
      id: "x",
      title: "x",
      exchange: EXCHANGES.coinbase_exchange,
      source: "synthetic",
      files: [],
    } as const;
    const { frames, anchorNs, isTimeMade } = makeStream(head, [{ text }, { text }]);
    const event = BigInt(Date.parse("2026-07-07T23:00:00.5Z")) * 1_000_000n;
    expect(isTimeMade).toBe(true);
    expect(anchorNs - event).toBeGreaterThanOrEqual(20_000_000n);
    expect(frames.every(({ receivedAt }) => receivedAt % 1000 === 0)).toBe(true);
    expect(frames[1]?.receivedAt).toBeGreaterThanOrEqual(frames[0]?.receivedAt ?? 0);
  });
});
