/**
 * Decoders of trade and best-price frames into the messages of the JSON form. Nothing is kept between frames.
 * Bad case: bytes left over or missing, or a checksum that does not hold; the whole frame is refused.
 */
import { FRAME_BBO, FRAME_TRADES } from "../../assembly/layout.ts";
import type { BboMessage, JsonLevel, TradeMessage } from "../wire/protocol.ts";
import { ByteReader } from "./byte_reader.ts";
import {
  BBO_ASK,
  BBO_BID,
  BBO_CROSSED,
  BBO_FLAGS,
  BBO_NOT_SYNCED,
  DELAY_UNIT,
  GAP_BIT,
  HEAD_MAX,
  HISTORY_BIT,
  ID_BYTES_MAX,
  NUMERIC_BIT,
  SEAL_BYTES,
} from "./constants.ts";
import { add, decimal, type Exact } from "./exact.ts";
import { sealHolds } from "./seal.ts";
import { Word64 } from "./word64.ts";

/** What turns integers into text. */
export type FrameUnits = {
  readonly instrument: string;
  readonly priceExponent: number;
  readonly quantityExponent: number;
};

const AGGRESSORS = ["unknown", "buy", "sell"] as const;
const NUMERIC_LIMIT = 10n ** 18n;

/** The trades of a frame, oldest first; undefined when it is malformed. */
export function readTrades(frame: Uint8Array, units: FrameUnits): TradeMessage[] | undefined {
  const reader = openSealed(frame, FRAME_TRADES);
  if (reader === undefined) {
    return undefined;
  }
  const version = new Word64();
  version.assign(reader.varint());
  const before = new TradeBefore();
  const trades: TradeMessage[] = [];
  while (reader.at < reader.end) {
    const trade = readTrade(reader, before, { ...units, version: version.text });
    if (trade === undefined || reader.failed) {
      return undefined;
    }
    trades.push(trade);
    version.add(1);
  }
  return reader.failed || trades.length === 0 ? undefined : trades;
}

/** The best prices of a frame; undefined when it is malformed. */
export function readBbo(frame: Uint8Array, units: FrameUnits): BboMessage | undefined {
  const reader = openSealed(frame, FRAME_BBO);
  if (reader === undefined) {
    return undefined;
  }
  const flags = reader.byte();
  const version = new Word64();
  version.assign(reader.varint());
  const eventAtNs = readTime(reader);
  const receivedAtNs = readTime(reader);
  let price: Exact = 0;
  const level = (flag: number): JsonLevel | null => {
    if ((flags & flag) === 0) {
      return null;
    }
    price = add(price, reader.zigzag());
    return [decimal(price, units.priceExponent), decimal(reader.quantity(), units.quantityExponent)];
  };
  const [bid, ask] = [level(BBO_BID), level(BBO_ASK)];
  if (reader.failed || reader.at !== reader.end || (flags & ~BBO_FLAGS) !== 0) {
    return undefined;
  }
  const [synced, crossed] = [(flags & BBO_NOT_SYNCED) === 0, (flags & BBO_CROSSED) !== 0];
  const { instrument } = units;
  return { type: "bbo", instrument, version: version.text, synced, crossed, bid, ask, eventAtNs, receivedAtNs };
}

/** The numbers that the next trade of a frame is coded against. */
class TradeBefore {
  price: Exact = 0;
  id: Exact = 0;
  readonly eventAt = new Word64();
  readonly receivedAt = new Word64();
  readonly sequence = new Word64();
  readonly bookVersion = new Word64();
}

function readTrade(
  reader: ByteReader,
  before: TradeBefore,
  units: FrameUnits & { version: string },
): TradeMessage | undefined {
  const head = reader.byte();
  const aggressor = AGGRESSORS[head & 3];
  if (head > HEAD_MAX || aggressor === undefined) {
    return undefined;
  }
  before.price = add(before.price, reader.zigzag());
  const quantity = reader.quantity();
  before.eventAt.add(reader.time(DELAY_UNIT));
  before.receivedAt.copy(before.eventAt);
  before.receivedAt.add(reader.time(DELAY_UNIT));
  const id = (head & NUMERIC_BIT) !== 0 ? readNumber(reader, before) : readText(reader);
  before.sequence.add(reader.zigzag());
  before.bookVersion.add(reader.zigzag());
  return {
    type: "trade",
    instrument: units.instrument,
    id,
    aggressor,
    price: decimal(before.price, units.priceExponent),
    quantity: decimal(quantity, units.quantityExponent),
    history: (head & HISTORY_BIT) !== 0,
    gapBefore: (head & GAP_BIT) !== 0,
    version: units.version,
    bookVersion: before.bookVersion.text,
    eventAtNs: before.eventAt.text,
    receivedAtNs: before.receivedAt.text,
  };
}

/** An id of 1 … 18 digits. */
function readNumber(reader: ByteReader, before: TradeBefore): string {
  before.id = add(before.id, reader.zigzag());
  if (before.id < 0 || before.id >= NUMERIC_LIMIT) {
    reader.fail();
  }
  return String(before.id);
}

function readText(reader: ByteReader): string {
  const length = reader.byte();
  const { at, bytes } = reader;
  if (length > ID_BYTES_MAX || reader.end - at < length) {
    reader.fail();
    return "";
  }
  reader.at = at + length;
  return new TextDecoder().decode(bytes.subarray(at, at + length));
}

function readTime(reader: ByteReader): string {
  const time = new Word64();
  time.set(reader.word(), reader.word());
  return time.text;
}

/** A reader behind the alias; undefined when the frame is of another kind or its checksum does not hold. */
function openSealed(frame: Uint8Array, kind: number): ByteReader | undefined {
  if (frame[0] !== kind || !sealHolds(frame)) {
    return undefined;
  }
  const reader = new ByteReader();
  reader.open(frame, 1, frame.length - SEAL_BYTES);
  const alias = reader.varint();
  return reader.failed || alias > 0xffffffff ? undefined : reader;
}
