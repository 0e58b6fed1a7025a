/**
 * What the client does with bytes that no server sends: the book that they name is dropped at once and asked for again,
 * with the reason; what names no book costs the connection. Frames are the real encoder's, damaged in every bit.
 * Bad case: a flip that leaves a book that says it is right and is not; each bit of each kind of frame is tried.
 */
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { RESYNC_REASONS } from "../../src/wire/protocol.ts";
import { BTC, follow, HASH, head, orderbook, SYNCED, WHOLE_BOOK } from "./client_follow.ts";
import { type FrameSet, INSTRUMENT, recordFrames, STATUS, watch } from "./client_frames.ts";

const ACKNOWLEDGED = {
  type: "subscribed",
  id: 2,
  channel: "book",
  instrument: BTC,
  alias: 4,
  ...WHOLE_BOOK,
  ...SYNCED,
};
const TYPES = ["subscribed", "status", "reset", "orderbook", "orderbook_delta", "trade", "bbo", "stats", "instruments"];
const DELTA = { type: "orderbook_delta", previousVersion: "7", ...head("8", HASH), changes: [] };

describe("A stream client that is told what no server tells", () => {
  it.each([
    ["a text that is not JSON", "{nope"],
    ["a text that is no object", "null"],
    ["an acknowledgement without an alias", JSON.stringify({ ...ACKNOWLEDGED, alias: null })],
    ["a snapshot whose levels are no texts", JSON.stringify({ ...orderbook(), bids: [[1, 2]] })],
    ["a delta whose version is no number", JSON.stringify({ ...DELTA, version: "-" })],
    ["a frame without an alias", new Uint8Array([1])],
    ["a frame of an alias that was never acknowledged", new Uint8Array([1, 77, 0])],
  ])("gives the connection up after %s", (_what, content) => {
    const { scene, client } = follow();
    scene.socket.onmessage?.({ data: typeof content === "string" ? content : content.buffer });
    expect(client.counts).toMatchObject({ malformed: 1, reconnects: 1 });
    expect(client.state).toBe("waiting");
    expect(client.peek(BTC)?.isSynced).toBe(false);
    scene.pass(10_000);
    scene.open();
    scene.say({ ...ACKNOWLEDGED, alias: 9 });
    scene.say(orderbook());
    expect(client.peek(BTC)?.isSynced).toBe(true);
  });

  it.each([
    ["trades", [3, 4, 255, 255]],
    ["best prices", [4, 4, 255]],
    ["a kind that there is not", [9, 4, 0]],
  ])("drops the book that it names and asks for it again after an unreadable frame of %s", (_what, bytes) => {
    const { scene, client, events } = follow();
    scene.say(new Uint8Array(bytes));
    expect(client.peek(BTC)).toBeUndefined();
    expect(client.counts).toMatchObject({ malformed: 1, resyncs: 1, reconnects: 0 });
    expect(events.at(-1)).toEqual({ type: "resync", instrument: BTC, depth: 0, rateMs: 0, reason: "malformed" });
    expect(scene.socket.sent.at(-1)).toMatchObject({ op: "subscribe", instruments: [BTC], reason: "malformed" });
  });

  it("survives any text and any bytes, and then proves no wrong book", () => {
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      fc
        .record({ type: fc.constantFrom(...TYPES), instrument: fc.constant(BTC), hash: fc.nat() })
        .map((message) => JSON.stringify(message)),
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(text, fc.uint8Array({ maxLength: 40 })), { maxLength: 6 }), (contents) => {
        const { scene, client } = follow();
        for (const content of contents) {
          scene.socket.onmessage?.({ data: typeof content === "string" ? content : content.slice().buffer });
        }
        const book = client.peek(BTC);
        expect(book?.isSynced === true ? [book.version, book.hash] : ["7", HASH]).toEqual(["7", HASH]);
      }),
    );
  });

  it("leaves the book alone, not synced, after a reset, and takes nothing but a snapshot", () => {
    const { scene, client } = follow();
    scene.say({ type: "reset", instrument: BTC, depth: 0, rateMs: 0, channel: "book", reason: "integrity" });
    expect(client.peek(BTC)).toMatchObject({ version: "7", isSynced: false });
    scene.say(orderbook());
    expect(client.peek(BTC)?.isSynced).toBe(true);
    scene.say({ type: "reset", instrument: BTC, depth: 0, rateMs: 0, channel: "book", reason: "integrity" });
    scene.say(DELTA);
    expect(client.peek(BTC)).toBeUndefined();
    expect(scene.socket.sent.at(-1)).toMatchObject({ op: "subscribe", reason: "chain" });
  });

  it("asks again when changes come after the acknowledgement and no snapshot did", () => {
    const { scene, client } = follow();
    scene.say(ACKNOWLEDGED);
    scene.say(DELTA);
    expect(client.counts.resyncs).toBe(1);
    scene.say(ACKNOWLEDGED);
    scene.say(new Uint8Array([1, 4, 0]));
    expect(client.counts.resyncs).toBe(2);
  });

  it("does not ask again for a book that was taken back meanwhile", () => {
    const { scene, client } = follow();
    scene.say(orderbook(1));
    scene.say(ACKNOWLEDGED);
    scene.say(orderbook(1));
    client.unsubscribe({ channels: ["book"], instruments: [BTC] });
    scene.say({ type: "unsubscribed", id: 3, channel: "book", instrument: BTC, depth: 0, rateMs: 0 });
    const asked = scene.socket.sent.length;
    scene.pass(20_000);
    expect(scene.socket.sent.slice(asked).filter(({ op }) => op === "subscribe")).toEqual([]);
  });
});

describe("A stream client whose frames are damaged", () => {
  let frames: FrameSet = { snapshot: [], deltas: [], others: [], books: new Map() };
  beforeAll(() => {
    frames = recordFrames();
  });

  it("follows the frames when they are whole", () => {
    const witness = watch();
    witness.say([...frames.snapshot, ...frames.deltas, ...frames.others]);
    expect(witness.client.counts).toMatchObject({ resyncs: 0, malformed: 0, reconnects: 0 });
    const { isSynced, version, provedVersion } = witness.client.peek(INSTRUMENT) ?? {};
    expect([isSynced, version]).toEqual([true, provedVersion]);
    expect([frames.snapshot.length > 1, frames.deltas.length, frames.others.length]).toEqual([true, 5, 2]);
    expect(witness.wrong(frames.books)).toBe("");
  });

  it("drops the book at once when any bit of a snapshot part is another", () => {
    const missed: string[] = [];
    for (const [part, frame] of frames.snapshot.entries()) {
      for (let bit = 0; bit < frame.length * 8; bit++) {
        const witness = watch();
        witness.say(frames.snapshot.with(part, flipped(frame, bit)).slice(0, part + 1));
        const { resyncs, reconnects } = witness.client.counts;
        if (witness.client.peek(INSTRUMENT) !== undefined || resyncs + reconnects === 0) {
          missed.push(`part ${part} bit ${bit}`);
        }
      }
    }
    expect(missed).toEqual([]);
  });

  it("never proves a wrong book, and finds it at the next hash, when any bit of a deltas frame is another", () => {
    const missed: string[] = [];
    for (const [index, frame] of frames.deltas.entries()) {
      for (let bit = 0; bit < frame.length * 8; bit++) {
        const witness = watch();
        witness.say([...frames.snapshot, ...frames.deltas.with(index, flipped(frame, bit))]);
        const { resyncs, reconnects } = witness.client.counts;
        const wrong = witness.wrong(frames.books);
        if (resyncs + reconnects === 0 || wrong !== "") {
          missed.push(`frame ${index} bit ${bit}${wrong}`);
        }
      }
    }
    expect(missed).toEqual([]);
  });

  it("shows no trade and no best price of a frame in which any bit is another", () => {
    const missed: string[] = [];
    for (const [index, frame] of frames.others.entries()) {
      for (let bit = 0; bit < frame.length * 8; bit++) {
        const witness = watch();
        witness.say([...frames.snapshot, ...frames.deltas]);
        const told = witness.events.length;
        witness.say([flipped(frame, bit)]);
        const shown = witness.events.slice(told).filter(({ type }) => type === "trade" || type === "bbo");
        const { resyncs, reconnects } = witness.client.counts;
        if (shown.length > 0 || resyncs + reconnects === 0) {
          missed.push(`frame ${index} bit ${bit}`);
        }
      }
    }
    expect(missed).toEqual([]);
  });

  it("finds a deltas frame that is missing, and one that came twice", () => {
    for (const index of frames.deltas.keys()) {
      const missing = watch();
      missing.say([...frames.snapshot, ...frames.deltas.toSpliced(index, 1)]);
      const twice = watch();
      twice.say([...frames.snapshot, ...frames.deltas.toSpliced(index, 0, frames.deltas[index] ?? new Uint8Array())]);
      expect([index, twice.client.counts.resyncs > 0, twice.wrong(frames.books)]).toEqual([index, true, ""]);
      const isLast = index === frames.deltas.length - 1;
      expect([index, missing.client.counts.resyncs > 0, missing.wrong(frames.books)]).toEqual([index, !isLast, ""]);
    }
  });

  it("finds a snapshot part that is missing once changes come", () => {
    for (const index of frames.snapshot.keys()) {
      const witness = watch();
      witness.say([...frames.snapshot.toSpliced(index, 1), ...frames.deltas]);
      expect(witness.client.counts.resyncs).toBeGreaterThan(0);
      expect(witness.client.peek(INSTRUMENT)).toBeUndefined();
    }
  });

  it("gives only reasons that the protocol knows, and tells the server each", () => {
    const witness = watch();
    witness.say([...frames.snapshot, flipped(frames.deltas[0] ?? new Uint8Array(), 40), ...frames.deltas.slice(1)]);
    const reasons = witness.scene.socket.sent.flatMap(({ reason }) => (reason === undefined ? [] : [reason]));
    expect(reasons).toHaveLength(1);
    expect(RESYNC_REASONS).toContain(reasons[0]);
    expect(STATUS.state).toBe("synced");
  });
});

function flipped(frame: Uint8Array<ArrayBuffer>, bit: number): Uint8Array<ArrayBuffer> {
  const damaged = frame.slice();
  damaged[bit >>> 3] = (damaged[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
  return damaged;
}
