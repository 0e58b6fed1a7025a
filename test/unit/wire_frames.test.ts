/** Frames of the binary form as a producer's records make them: taken apart, damaged on purpose, and shown as JSON. */
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import {
  DELTA_BYTES,
  FRAME_BYTES_MAX,
  REPLICA_ALIAS,
  REPLICA_FRAME_ADDRESS,
  REPLICA_INSTRUMENT_ID,
  REPLICA_NEXT_LEVEL,
  REPLICA_OK,
  REPLICA_PRICE_EXPONENT,
  REPLICA_QUANTITY_EXPONENT,
  REPLICA_TIME_UNIT,
  RING_DELTAS,
  SIDE_ASK,
  SIDE_BID,
} from "../../assembly/layout.ts";
import { createClientKernel } from "../../src/kernel/twin/client.ts";
import { dissectFrame, provedBits } from "../../src/wire/dissect.ts";
import { levelPairs, orderBookDeltaMessage, recordChanges, replicaExponents } from "../../src/wire/json_form.ts";
import { Rig } from "../support/rig.ts";

const ALIAS = 300;
const EVENTS = 12;

/** How a deltas frame is addressed: nothing in the frame proves it. */
const ADDRESSING = ["kind", "alias"];

type Recorded = { frames: Uint8Array[]; changes: unknown[]; last: unknown };
let recorded: Recorded = { frames: [], changes: [], last: undefined };

function timeText(second: number): string {
  return `2024-01-01T00:00:${String(second).padStart(2, "0")}.123456Z`;
}

/** A book of four levels. */
function openingFrame(): object {
  const bids = [
    ["100.25", "1"],
    ["99", "0.5"],
  ];
  const asks = [
    ["101", "2"],
    ["102.5", "300"],
  ];
  return { type: "snapshot", product_id: "BTC-USD", bids, asks, time: timeText(1) };
}

/** Two moves; nothing in the third event, many levels in the seventh. */
function updateFrame(event: number): object {
  const price = (101 + (event % 5) / 4).toFixed(2);
  const levels = event === 7 ? Array.from({ length: 40 }, (_, index) => ["buy", String(10 + index), "123456.5"]) : [];
  const moves = [
    ["sell", price, event % 2 === 0 ? "0" : String(event)],
    ["buy", "100.25", String(event)],
  ];
  const changes = [...(event === 3 ? [] : moves), ...levels];
  return { type: "l2update", product_id: "BTC-USD", changes, time: timeText(1 + event) };
}

/** One snapshot part, then a deltas frame per event, the last one with the check. */
function record(): Recorded {
  const rig = new Rig("twin", "coinbase_exchange", ["BTC-USD"]);
  const { kernel } = rig;
  const memory = new DataView(rig.buffer);
  const send = (frame: object, at: number) => rig.frame(new TextEncoder().encode(JSON.stringify(frame)), at);
  const reader = kernel.readerCreate(rig.segment.address, RING_DELTAS);
  const records = kernel.arenaAllocate(64 * DELTA_BYTES);
  const replica = kernel.replicaCreate();
  const out = kernel.arenaAllocate(FRAME_BYTES_MAX);
  send(openingFrame(), 1e9);
  const entry = rig.sync.instrument("BTC-USD")?.block.entry;
  memory.setUint32(replica + REPLICA_INSTRUMENT_ID, entry?.id ?? 0, true);
  memory.setUint32(replica + REPLICA_ALIAS, ALIAS, true);
  memory.setUint32(replica + REPLICA_TIME_UNIT, 1000, true);
  memory.setInt32(replica + REPLICA_PRICE_EXPONENT, 2, true);
  memory.setInt32(replica + REPLICA_QUANTITY_EXPONENT, 1, true);
  kernel.frameBufferCreate(replica, 65_536);
  kernel.replicaBegin(replica);
  const frames: Uint8Array[] = [];
  const changes: unknown[] = [];
  const pull = () => {
    const count = kernel.readerPoll(reader, records, 64);
    for (let index = 0; index < count; index++) {
      const code = kernel.replicaApply(replica, records + index * DELTA_BYTES);
      if (code !== REPLICA_OK) {
        throw new Error(`Cannot record frames: a record was refused, was ${code}`);
      }
      changes.push(...recordChanges(memory, records + index * DELTA_BYTES, replicaExponents(memory, replica)));
    }
  };
  memory.setUint32(reader, 0, true);
  pull();
  kernel.frameTake(replica, 0);
  memory.setUint32(replica + REPLICA_NEXT_LEVEL, 0, true);
  const bytes = kernel.snapshotEncode(replica, out, FRAME_BYTES_MAX);
  frames.push(new Uint8Array(rig.buffer).slice(out, out + bytes));
  changes.length = 0;
  for (let event = 1; event <= EVENTS; event++) {
    send(updateFrame(event), 1e9 * (1 + event) + event);
    pull();
    const length = kernel.frameTake(replica, event === EVENTS ? 1 : 0);
    const address = memory.getUint32(replica + REPLICA_FRAME_ADDRESS, true);
    frames.push(new Uint8Array(rig.buffer).slice(address, address + length));
  }
  const view = { instrument: "coinbase_exchange:BTC-USD", depth: 0, rateMs: 0 };
  const options = { ...view, previousVersion: "4", changes: [] };
  return { frames, changes, last: orderBookDeltaMessage(memory, replica, options) };
}

/** Applies frames to a fresh client book. @returns the first result that is not OK, and the book */
function replay(frames: readonly Uint8Array[]): { code: number; bids: unknown; asks: unknown } {
  const kernel = createClientKernel(new ArrayBuffer(262_144));
  kernel.arenaInit(64, 262_080);
  const replica = kernel.replicaCreate();
  const at = kernel.arenaAllocate(65_536);
  const levels = kernel.arenaAllocate(4096);
  const memory = new DataView(kernel.buffer);
  let code = REPLICA_OK;
  for (const frame of frames) {
    new Uint8Array(kernel.buffer).set(frame, at);
    const result = kernel.frameApply(replica, at, frame.length);
    code = code === REPLICA_OK ? result : code;
  }
  const book = memory.getUint32(replica + 4, true);
  const side = (which: number) => {
    const count = kernel.bookWalk(book, which, 0, 100, levels);
    return levelPairs(memory, levels, { priceExponent: 2, quantityExponent: 1, count });
  };
  return { code, bids: side(SIDE_BID), asks: side(SIDE_ASK) };
}

beforeAll(() => {
  recorded = record();
});

describe("dissectFrame", () => {
  it("accounts for every byte of every frame that the encoder writes", () => {
    for (const frame of recorded.frames) {
      const fields = dissectFrame(frame) ?? [];
      let end = 0;
      for (const field of fields) {
        expect(field.offset).toBe(end);
        end += field.bytes;
      }
      expect(end).toBe(frame.length);
    }
  });

  it("names the fields of a snapshot, of an event with many records and of the check", () => {
    const names = recorded.frames.map((frame) => dissectFrame(frame)?.map(({ name }) => name) ?? []);
    const count = (index: number, name: string) => names[index]?.filter((one) => one === name).length;
    expect([count(0, "price"), count(0, "quantity"), count(0, "bidCount")]).toEqual([4, 4, 1]);
    expect([count(7, "eventHead"), count(7, "price"), count(7, "records")]).toEqual([1, 42, 1]);
    expect(count(3, "price")).toBe(0);
    expect(names.at(-1)?.slice(-2)).toEqual(["hash", "chain"]);
    expect(dissectFrame(recorded.frames[0] ?? new Uint8Array())?.[1]).toMatchObject({ name: "alias", bytes: 2 });
  });

  it("refuses frames of other kinds, cut ones and any bytes without an exception", () => {
    expect(dissectFrame(new Uint8Array([3, 1, 1]))).toBeUndefined();
    expect(dissectFrame(new Uint8Array())).toBeUndefined();
    for (const frame of recorded.frames.slice(1)) {
      expect(dissectFrame(frame.slice(0, -1))).toBeUndefined();
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const fields = dissectFrame(bytes);
        expect(fields === undefined || fields.reduce((sum, field) => sum + field.bytes, 0) === bytes.length).toBe(true);
      }),
    );
  });
});

describe("provedBits", () => {
  it("are all caught by version chain, hash, consistency or checksum when one of them is flipped", () => {
    expect(replay(recorded.frames).code).toBe(REPLICA_OK);
    const missed: string[] = [];
    for (const [index, frame] of recorded.frames.entries()) {
      for (const bit of provedBits(frame)) {
        const damaged = frame.slice();
        damaged[bit >>> 3] = (damaged[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
        const frames = recorded.frames.with(index, damaged);
        if (replay(frames).code >= REPLICA_OK) {
          missed.push(`frame ${index} bit ${bit}`);
        }
      }
    }
    expect(missed).toEqual([]);
  });

  it("leave out how a deltas frame is addressed, and nothing of a snapshot part", () => {
    for (const [index, frame] of recorded.frames.entries()) {
      const bits = new Set(provedBits(frame));
      for (const { name, offset } of dissectFrame(frame) ?? []) {
        expect(bits.has(offset * 8)).toBe(index === 0 || !ADDRESSING.includes(name));
      }
    }
  });
});

describe("JSON form", () => {
  it("shows the same changes as the binary form when a record is read as text", () => {
    expect(recorded.changes.slice(0, 3)).toEqual([
      ["ask", "101.25", "1"],
      ["bid", "100.25", "2"],
      ["bid", "100.25", "4"],
    ]);
    expect(recorded.changes).toContainEqual(["bid", "49", "123456.5"]);
    expect(recorded.last).toMatchObject({
      type: "orderbook_delta",
      previousVersion: "4",
      synced: true,
      crossed: false,
      eventAtNs: "1704067213123456000",
      sequence: "0",
    });
  });
});
