/**
 * A golden vector played to a kernel as a client: what it must hold or say afterwards, field by field.
 * Bad case: frames of the wrong alias; a kernel does not look at it, clients route by it.
 */
import { expect } from "vitest";
import {
  BBO_ASK_PRICE,
  BBO_ASK_QUANTITY,
  BBO_BID_PRICE,
  BBO_BID_QUANTITY,
  BBO_EVENT_AT,
  BBO_FLAGS,
  BBO_RECEIVED_AT,
  BBO_VERSION,
  FRAME_BYTES_MAX,
  FRAME_TRADES,
  LEVEL_BYTES,
  LEVEL_PRICE,
  LEVEL_QUANTITY,
  REPLICA_BOOK,
  REPLICA_CHAIN,
  REPLICA_CHAIN_BROKEN,
  REPLICA_EMPTY,
  REPLICA_EPOCH,
  REPLICA_EVENT_AT,
  REPLICA_FLAGS,
  REPLICA_HASH,
  REPLICA_HASH_MISMATCH,
  REPLICA_INCONSISTENT,
  REPLICA_OK,
  REPLICA_PRICE_EXPONENT,
  REPLICA_QUANTITY_EXPONENT,
  REPLICA_RECEIVED_AT,
  REPLICA_SOURCE_SEQUENCE,
  REPLICA_STATE,
  REPLICA_STATE_EMPTY,
  REPLICA_VERSION,
  SIDE_ASK,
  SIDE_BID,
  TRADE_BYTES,
  TRADE_PRICE,
  TRADE_QUANTITY,
  TRADE_SOURCE_SEQUENCE,
} from "../../../assembly/layout.ts";
import type { Kernel } from "../../../src/kernel/kernel.ts";
import { tradeMessage } from "../../../src/wire/json_form.ts";
import type { BookState, LevelText } from "./model.ts";
import { STATUS } from "./model.ts";
import type { BboState, Outcome, TradeState, Vector } from "./vector.ts";
import { bytesOf } from "./writer.ts";

const TRADES_MAX = 64;
const LEVELS_MAX = 512;
const STATUS_MASK = STATUS.snapshot | STATUS.notSynced | STATUS.crossed;
const OUTCOMES: ReadonlyMap<number, Outcome> = new Map([
  [REPLICA_EMPTY, "skipped"],
  [REPLICA_CHAIN_BROKEN, "chain"],
  [REPLICA_HASH_MISMATCH, "hash"],
  [REPLICA_INCONSISTENT, "inconsistent"],
]);

type Place = { kernel: Kernel; memory: DataView; frame: number; out: number };
const places = new WeakMap<Kernel, Place>();

/** Plays one binary vector. Fails the test when the kernel holds or says anything else. */
export function playOnKernel(kernel: Kernel, vector: Vector): void {
  const place = places.get(kernel) ?? makePlace(kernel);
  places.set(kernel, place);
  const kind = Number.parseInt((vector.messages[0] ?? "").slice(0, 2), 16) & 15;
  if (vector.trades !== undefined || vector.bbo !== undefined || vector.outcome === "malformed") {
    playPart(place, vector, kind === FRAME_TRADES);
    return;
  }
  const replica = kernel.replicaCreate();
  for (const message of vector.before?.messages ?? []) {
    expect(apply(place, replica, message), vector.name).toBe(REPLICA_OK);
  }
  if (vector.before !== null) {
    expect(bookState(place, replica), `${vector.name}, before`).toEqual(vector.before.state);
  }
  const codes = vector.messages.map((message) => apply(place, replica, message));
  if (vector.outcome === undefined) {
    expect(codes, vector.name).toEqual(codes.map(() => REPLICA_OK));
    expect(bookState(place, replica), vector.name).toEqual(vector.after);
  } else {
    expect(OUTCOMES.get(codes.at(-1) ?? REPLICA_OK), vector.name).toBe(vector.outcome);
    expect(place.memory.getUint32(replica + REPLICA_STATE, true), vector.name).toBe(REPLICA_STATE_EMPTY);
  }
  kernel.replicaRelease(replica);
}

function makePlace(kernel: Kernel): Place {
  const frame = kernel.arenaAllocate(FRAME_BYTES_MAX);
  const out = kernel.arenaAllocate(Math.max(TRADES_MAX * TRADE_BYTES, LEVELS_MAX * LEVEL_BYTES));
  return { kernel, memory: new DataView(kernel.buffer), frame, out };
}

function load({ kernel, frame }: Place, message: string): number {
  const bytes = bytesOf(message);
  new Uint8Array(kernel.buffer, frame, bytes.length).set(bytes);
  return bytes.length;
}

function apply(place: Place, replica: number, message: string): number {
  return place.kernel.frameApply(replica, place.frame, load(place, message));
}

function playPart(place: Place, vector: Vector, isTrades: boolean): void {
  const { kernel, memory, frame, out } = place;
  const [message = ""] = vector.messages;
  const length = load(place, message);
  const count = isTrades ? kernel.tradesDecode(frame, length, out, TRADES_MAX) : kernel.bboDecode(frame, length, out);
  if (vector.outcome !== undefined) {
    expect(count, vector.name).toBe(-1);
  } else if (isTrades) {
    const trades = Array.from({ length: count }, (_, index) => tradeState(memory, out + index * TRADE_BYTES));
    expect(trades, vector.name).toEqual(vector.trades);
  } else {
    expect(count, vector.name).toBe(0);
    expect(bboState(memory, out), vector.name).toEqual(vector.bbo);
  }
}

function bookState({ kernel, memory, out }: Place, replica: number): BookState {
  const u64 = (field: number) => String(memory.getBigUint64(replica + field, true));
  const book = memory.getUint32(replica + REPLICA_BOOK, true);
  const levels = (side: number) =>
    Array.from(
      { length: kernel.bookWalk(book, side, 0, LEVELS_MAX, out) },
      (_, index): LevelText => [
        String(memory.getBigInt64(out + index * LEVEL_BYTES + LEVEL_PRICE, true)),
        String(memory.getBigInt64(out + index * LEVEL_BYTES + LEVEL_QUANTITY, true)),
      ],
    );
  return {
    epoch: memory.getUint32(replica + REPLICA_EPOCH, true),
    version: u64(REPLICA_VERSION),
    hash: memory.getUint32(replica + REPLICA_HASH, true),
    chain: memory.getUint32(replica + REPLICA_CHAIN, true),
    status: memory.getUint32(replica + REPLICA_FLAGS, true) & STATUS_MASK,
    eventAtNs: u64(REPLICA_EVENT_AT),
    receivedAtNs: u64(REPLICA_RECEIVED_AT),
    sequence: u64(REPLICA_SOURCE_SEQUENCE),
    priceExponent: memory.getInt32(replica + REPLICA_PRICE_EXPONENT, true),
    quantityExponent: memory.getInt32(replica + REPLICA_QUANTITY_EXPONENT, true),
    bids: levels(SIDE_BID),
    asks: levels(SIDE_ASK),
  };
}

function tradeState(memory: DataView, at: number): TradeState {
  const {
    type: _type,
    instrument: _instrument,
    ...fields
  } = tradeMessage(memory, at, {
    instrument: "",
    priceExponent: 0,
    quantityExponent: 0,
  });
  return {
    ...fields,
    price: String(memory.getBigInt64(at + TRADE_PRICE, true)),
    quantity: String(memory.getBigInt64(at + TRADE_QUANTITY, true)),
    sequence: String(memory.getBigUint64(at + TRADE_SOURCE_SEQUENCE, true)),
  };
}

function bboState(memory: DataView, at: number): BboState {
  const flags = memory.getUint32(at + BBO_FLAGS, true);
  const i64 = (field: number) => String(memory.getBigInt64(at + field, true));
  const u64 = (field: number) => String(memory.getBigUint64(at + field, true));
  return {
    version: u64(BBO_VERSION),
    synced: (flags & 16) === 0,
    crossed: (flags & 8) !== 0,
    bid: (flags & 1) !== 0 ? [i64(BBO_BID_PRICE), i64(BBO_BID_QUANTITY)] : null,
    ask: (flags & 2) !== 0 ? [i64(BBO_ASK_PRICE), i64(BBO_ASK_QUANTITY)] : null,
    eventAtNs: u64(BBO_EVENT_AT),
    receivedAtNs: u64(BBO_RECEIVED_AT),
  };
}
