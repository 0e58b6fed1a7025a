/**
 * Parts of the pipeline benchmark: the market that goes round, frames as they are laid out, the log of what came, the bare
 * pipe's ring, and the checks of what clients hold.
 * Bad case: a check that accepts everything; then the benchmark would time a side that loses or alters frames.
 */
import { describe, expect, it } from "vitest";
import { PipeReader, PipeWriter } from "../../bench/pipeline/bare.ts";
import { followerOf, type StackMessage, unixMicroseconds } from "../../bench/pipeline/follower.ts";
import { type Change, type Level, layTrain, madeMarket, thereAndBack } from "../../bench/pipeline/market.ts";
import { PlainBook, unitsOf } from "../../bench/pipeline/plain_book.ts";
import { ReceiveLog } from "../../bench/pipeline/receiver.ts";
import { textFrame } from "../../bench/text_frames.ts";
import { recordFrames } from "./client_frames.ts";

const BIDS: Level[] = [
  ["99.50", "1.00000000"],
  ["99.00", "2.00000000"],
];
const ASKS: Level[] = [["100.00", "3.00000000"]];
const START_US = 1_700_000_000_000_000;
const HEAD = "HTTP/1.1 101 Switching Protocols\r\n\r\n";

function levelsOf({ bids, asks }: PlainBook): [string, string][][] {
  return [bids, asks].map((side) => [...side].sort());
}

/** An unmasked frame with a short payload. */
function frame(opcode: number, text: string): Buffer {
  return Buffer.concat([Buffer.from([0x80 | opcode, text.length]), Buffer.from(text)]);
}

describe("thereAndBack", () => {
  it("leads back to the first book by frames that all change it", () => {
    const updates: Change[][] = [
      [
        ["buy", "99.50", "0.00000000"],
        ["sell", "100.00", "3.00000000"],
      ],
      [["sell", "100.00", "3.00000000"]],
      [
        ["buy", "99.25", "5.00000000"],
        ["buy", "99.25", "6.00000000"],
      ],
    ];
    const cycle = thereAndBack({ bids: BIDS, asks: ASKS }, updates);
    expect(cycle).toHaveLength(4);
    const book = new PlainBook(BIDS, ASKS);
    const first = levelsOf(book);
    for (const changes of cycle) {
      const before = levelsOf(book);
      book.apply(changes);
      expect(levelsOf(book)).not.toEqual(before);
    }
    expect(levelsOf(book)).toEqual(first);
    expect(cycle[1]).toEqual([["buy", "99.25", "6.00000000"]]);
  });
});

describe("layTrain", () => {
  it("lays out frames that a log reads back with their times when they are sent", () => {
    const { cycle } = madeMarket();
    const { bytes, ends } = layTrain(cycle, cycle.length - 1, { count: 3, startUs: START_US, stepUs: 100 });
    const log = new ReceiveLog(1 << 16);
    log.add(Buffer.from(HEAD), 0);
    log.add(bytes, 1);
    const texts = log.takeAll(() => undefined).map(({ message }) => message.toString("utf8"));
    const frames = texts.map((text) => JSON.parse(text) as { changes: Change[]; time: string });
    expect(frames.map(({ time }) => unixMicroseconds(time))).toEqual([START_US, START_US + 100, START_US + 200]);
    expect(frames.map(({ changes }) => changes)).toEqual([cycle.at(-1), cycle[0], cycle[1]]);
    expect(ends.at(-1)).toBe(bytes.byteLength);
  });
});

describe("ReceiveLog", () => {
  it("gives a message the time of its last byte when it came in pieces", () => {
    const log = new ReceiveLog(1024);
    const pings: number[] = [];
    log.add(Buffer.from(HEAD.slice(0, 9)), 1);
    expect(log.takeAll(() => pings.push(0))).toEqual([]);
    expect(log.isUpgraded).toBe(false);
    log.add(Buffer.from(HEAD.slice(9)), 2);
    const [whole, cut] = [frame(1, "one"), frame(2, "two")];
    log.add(Buffer.concat([whole, frame(9, ""), cut.subarray(0, 3)]), 3);
    expect(log.takeAll(() => pings.push(1))).toEqual([{ message: Buffer.from("one"), isText: true, atMs: 3 }]);
    expect(pings).toEqual([1]);
    log.add(cut.subarray(3), 4);
    expect(log.takeAll(() => pings.push(2))).toEqual([{ message: Buffer.from("two"), isText: false, atMs: 4 }]);
    expect(log.lastMs).toBe(0);
  });

  it("reads the lengths of medium and large messages", () => {
    const log = new ReceiveLog(1 << 18);
    log.add(Buffer.from(HEAD), 0);
    const [medium, large] = [Buffer.alloc(300, 1), Buffer.alloc(70_000, 2)];
    log.add(Buffer.concat([Buffer.from([0x82, 126, 1, 44]), medium]), 1);
    log.add(Buffer.concat([Buffer.from([0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70]), large]), 2);
    const lengths = log.takeAll(() => undefined).map(({ message }) => message.byteLength);
    expect(lengths).toEqual([300, 70_000]);
  });

  it("reads the frames that textFrame writes, of every length", () => {
    const log = new ReceiveLog(1 << 18);
    log.add(Buffer.from(HEAD), 0);
    const payloads = [0, 125, 126, 65_535, 65_536].map((length) => Buffer.alloc(length, 7));
    log.add(Buffer.concat(payloads.map(textFrame)), 1);
    const arrived = log.takeAll(() => undefined);
    expect(arrived.map(({ message, isText }) => [message.byteLength, isText])).toEqual(
      payloads.map(({ byteLength }) => [byteLength, true]),
    );
    expect(arrived.every(({ message }, index) => message.equals(payloads[index] ?? Buffer.alloc(0)))).toBe(true);
  });

  it("refuses bytes when there is no room", () => {
    const log = new ReceiveLog(8);
    expect(() => log.add(Buffer.alloc(9), 1)).toThrow("Cannot keep what came in a burst: no room, was 0 bytes");
  });
});

describe("the bare pipe's ring", () => {
  it("gives out what was put in when it wraps many times", () => {
    const memory = new SharedArrayBuffer(64 + 256);
    const [writer, reader] = [new PipeWriter(memory), new PipeReader(memory)];
    const given: string[] = [];
    const put = Array.from({ length: 100 }, (_, index) => "x".repeat(index % 60) + index);
    for (const text of put) {
      writer.write(Buffer.from(text));
      reader.readTo(writer.publish(), (bytes) => given.push(Buffer.from(bytes).toString("utf8")));
    }
    expect(given).toEqual(put);
  });

  it("throws when the reader falls half a ring behind", () => {
    const memory = new SharedArrayBuffer(64 + 256);
    const [writer, reader] = [new PipeWriter(memory), new PipeReader(memory)];
    for (let index = 0; index < 20; index++) {
      writer.write(Buffer.alloc(20));
    }
    expect(() => reader.readTo(writer.publish(), () => undefined)).toThrow("Cannot keep up");
  });
});

describe("unitsOf", () => {
  it("is exact, and refuses what it cannot hold", () => {
    expect(unitsOf("63450.12", 2)).toBe(6_345_012);
    expect(unitsOf("0.50000000", 8)).toBe(50_000_000);
    expect(unitsOf("7", 3)).toBe(7000);
    expect(() => unitsOf("1.234", 2)).toThrow("at most 2 decimals, was 1.234");
    expect(() => unitsOf("99999999999.12345678", 8)).toThrow("at most 8 decimals");
  });
});

describe("followerOf", () => {
  const changes: Change[] = [["buy", "99.25", "6.00000000"]];
  const time = "2023-11-14T22:13:20.000100Z";
  const text = (message: StackMessage) => Buffer.from(JSON.stringify(message));
  const begun = () => {
    const follower = followerOf("JSON stack");
    follower.take(text({ type: "snapshot", product: "BTC-USD", sequence: 4, bids: BIDS, asks: ASKS }), true);
    return follower;
  };
  const delta = (sequence: number) => text({ type: "delta", product: "BTC-USD", sequence, changes, time });

  it("follows the JSON stack, and finds a level that is not as it was sent", () => {
    const follower = begun();
    expect(follower.isReady).toBe(true);
    expect(follower.take(delta(5), true)).toBe(START_US + 100);
    const truth = new PlainBook(BIDS, ASKS);
    truth.apply(changes);
    follower.check(truth, []);
    truth.apply([["sell", "100.00", "4.00000000"]]);
    expect(() => follower.check(truth, [])).toThrow("asks at 100.00");
    truth.apply([["sell", "100.00", "0.00000000"]]);
    expect(() => follower.check(truth, [])).toThrow("the stack's asks: levels");
  });

  it("refuses a sequence that is not the next one", () => {
    const follower = begun();
    expect(() => follower.take(delta(6), true)).toThrow("it must be 5, was 6");
  });

  it("compares every frame of the bare pipe when a burst is over", () => {
    const pipe = followerOf("bare pipe");
    const [market, sent] = [madeMarket(), [{ changes, atUs: START_US }]];
    const { bytes } = layTrain([changes], 0, { count: 1, startUs: START_US, stepUs: 1 });
    const payload = bytes.subarray(bytes.indexOf("{"));
    expect(pipe.take(payload, false)).toBe(START_US);
    const truth = new PlainBook(market.bids, market.asks);
    pipe.check(truth, sent);
    expect(() => pipe.check(truth, sent)).toThrow("frames");
    pipe.take(Buffer.from(payload.toString("utf8").replace("6.00000000", "7.00000000")), false);
    expect(() => pipe.check(truth, sent)).toThrow("a frame of the bare pipe");
  });

  it("follows our stream, and finds a level that is not as it was sent", () => {
    const { snapshot, deltas, books } = recordFrames();
    const follower = followerOf("ours");
    const reached = [...snapshot, ...deltas].map((bytes) => follower.take(Buffer.from(bytes), false));
    expect(follower.isReady).toBe(true);
    expect(reached.slice(0, snapshot.length).every((atUs) => atUs === 0)).toBe(true);
    expect(reached.at(-1)).toBe(unixMicroseconds("2024-01-01T00:00:05.123456Z"));
    const truth = bookOf([...books.values()].at(-1) ?? "");
    follower.check(truth, []);
    const [first = ["", ""]] = truth.asks;
    truth.apply([["sell", first[0], "0.1"]]);
    expect(() => follower.check(truth, [])).toThrow(`the client's asks at ${first[0]}`);
    truth.apply([["sell", first[0], "0"]]);
    expect(() => follower.check(truth, [])).toThrow("the client's asks: levels");
  });

  it("refuses our stream when a frame of it is lost", () => {
    const { snapshot, deltas } = recordFrames();
    const follower = followerOf("ours");
    const takeAll = (frames: readonly Uint8Array[]) => frames.map((bytes) => follower.take(Buffer.from(bytes), false));
    takeAll(snapshot);
    expect(() => takeAll(deltas.slice(1))).toThrow("Cannot trust the stream");
  });
});

/** A book that is given in units of 10^-18. */
function bookOf(text: string): PlainBook {
  const side = (levels = "") =>
    levels.split(",").map((level): Level => {
      const [price = 0, quantity = 0] = level.split(":").map((units) => Number(units) / 1e18);
      return [price.toFixed(2), quantity.toFixed(1)];
    });
  const [bids, asks] = text.split(" | ");
  return new PlainBook(side(bids), side(asks));
}
