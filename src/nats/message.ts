/**
 * What travels through the broker: subjects per instrument, and messages of a 48-byte head and a body. Records go as they
 * stand in the ring, without the room for changes that they do not use; a snapshot is the stream's own snapshot frames
 * behind what the instrument table says. A CRC-32 covers all of it, because versions and hashes cover no trade and no head.
 * Bad case: bytes of somebody else on our subjects; they are refused with a reason and counted, nothing of them is used.
 *
 *   0 magic u32 │ 4 kind u8 │ 5 – │ 6 – │ 7 – │ 8 source u64 │ 16 epoch u64 │ 24 instrumentId u32 │ 28 count u32 (records, or part)
 *  32 bound u64 (snapshots, beats: position in the stream of deltas) │ 40 parts u32 │ 44 crc32 u32 (of all but itself)
 *  48 body (beats: figures, see publisher_figures.ts)
 */
import { crc32 } from "node:zlib";
import { DELTA_BYTES, DELTA_CHANGE_COUNT, DELTA_CHANGES_MAX, TRADE_BYTES } from "../../assembly/layout.ts";

/** Kinds of messages. */
export const KINDS = { deltas: 1, trades: 2, snapshot: 3, beat: 4 } as const;

/** Bound of a beat of a collector that lives, but whose records are not stored as they should be. */
export const NO_PROMISE = 2n ** 64n - 1n;

/** Bytes of the head. */
export const HEAD_BYTES = 48;

/** The stream that keeps the last minutes, and the one that keeps the last snapshots. */
export const STREAMS = {
  records: { name: "ALPHAPULSE", subjects: ["alphapulse.v1.*.*.delta", "alphapulse.v1.*.*.trade"] },
  snapshots: { name: "ALPHAPULSE_SNAPSHOTS", subjects: ["alphapulse.v1.*.*.snapshot"] },
} as const;

const MAGIC = 0x314e5041;
const RECORD_HEAD = 64;
const QUANTITY_BYTES = 8;
const OFFSET_BYTES = 4;
const OFFSETS_AT = RECORD_HEAD + DELTA_CHANGES_MAX * QUANTITY_BYTES;

/** Who says something, and of what. */
export type MessageHead = {
  readonly kind: number;
  /** A collector's life; random. */
  readonly source: bigint;
  /** Of its segment. */
  readonly epoch: bigint;
  readonly instrumentId: number;
  /** Records, or which part. */
  readonly count: number;
  readonly bound: bigint;
  readonly parts: number;
};

/** A message that can be trusted as far as its bytes go. */
export type Message = MessageHead & { readonly body: Uint8Array };

/** What a subject names. */
export type Topic = { readonly exchange: string; readonly symbol: string; readonly what: string };

/** `alphapulse.v1.kraken.BTC-USD.delta`; characters that a subject cannot hold are written as %XX of their UTF-8. */
export function subjectOf(exchange: string, symbol: string, what: "delta" | "trade" | "snapshot" | "want"): string {
  return `alphapulse.v1.${exchange}.${encodeToken(symbol)}.${what}`;
}

/** Where the collectors of an exchange say that they live. */
export function beatSubject(exchange: string): string {
  return `alphapulse.v1.${exchange}.beat`;
}

/** What a subject of ours names. @returns undefined for any other */
export function parseSubject(subject: string): Topic | undefined {
  const match = /^alphapulse\.v1\.([a-z0-9_]{1,31})\.([^.\s]{1,200})\.(delta|trade|snapshot|want)$/.exec(subject);
  const [, exchange, token, what] = match ?? [];
  const symbol = token === undefined ? undefined : decodeToken(token);
  return exchange === undefined || symbol === undefined || what === undefined ? undefined : { exchange, symbol, what };
}

/** Makes a message. @param pieces of the body */
export function encodeMessage(head: MessageHead, pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + pieces.reduce((sum, piece) => sum + piece.length, 0));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint8(4, head.kind);
  view.setBigUint64(8, head.source, true);
  view.setBigUint64(16, head.epoch, true);
  view.setUint32(24, head.instrumentId, true);
  view.setUint32(28, head.count, true);
  view.setBigUint64(32, head.bound, true);
  view.setUint32(40, head.parts, true);
  let at = HEAD_BYTES;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  view.setUint32(44, checksum(bytes), true);
  return bytes;
}

/** Reads a message. @returns a reason when it is none */
export function decodeMessage(bytes: Uint8Array): Message | string {
  if (bytes.length < HEAD_BYTES) {
    return `it ends inside its head, was ${bytes.length} bytes`;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0, true) !== MAGIC) {
    return "it has no magic number of ours";
  }
  if (view.getUint32(44, true) !== checksum(bytes)) {
    return "its checksum does not hold";
  }
  return {
    kind: view.getUint8(4),
    source: view.getBigUint64(8, true),
    epoch: view.getBigUint64(16, true),
    instrumentId: view.getUint32(24, true),
    count: view.getUint32(28, true),
    bound: view.getBigUint64(32, true),
    parts: view.getUint32(40, true),
    body: bytes.subarray(HEAD_BYTES),
  };
}

/** A delta record without the room that it does not use. @param at of the record @returns a copy */
export function packDelta(memory: Uint8Array, at: number): Uint8Array {
  const count = Math.min(memory[at + DELTA_CHANGE_COUNT] ?? 0, DELTA_CHANGES_MAX);
  const bytes = new Uint8Array(RECORD_HEAD + count * (QUANTITY_BYTES + OFFSET_BYTES));
  const quantitiesEnd = RECORD_HEAD + count * QUANTITY_BYTES;
  bytes.set(memory.subarray(at, at + quantitiesEnd));
  bytes.set(memory.subarray(at + OFFSETS_AT, at + OFFSETS_AT + count * OFFSET_BYTES), quantitiesEnd);
  return bytes;
}

/** The delta records of a body, whole again. @returns undefined when the body does not hold exactly so many */
export function unpackDeltas(body: Uint8Array, count: number): Uint8Array[] | undefined {
  const records: Uint8Array[] = [];
  let at = 0;
  while (at < body.length && records.length < count) {
    const changes = body[at + DELTA_CHANGE_COUNT] ?? DELTA_CHANGES_MAX + 1;
    const quantitiesEnd = at + RECORD_HEAD + changes * QUANTITY_BYTES;
    const end = quantitiesEnd + changes * OFFSET_BYTES;
    if (changes > DELTA_CHANGES_MAX || end > body.length) {
      return undefined;
    }
    const record = new Uint8Array(DELTA_BYTES);
    record.set(body.subarray(at, quantitiesEnd));
    record.set(body.subarray(quantitiesEnd, end), OFFSETS_AT);
    records.push(record);
    at = end;
  }
  return at === body.length && records.length === count ? records : undefined;
}

/** The trade records of a body. @returns undefined when the body does not hold exactly so many */
export function unpackTrades(body: Uint8Array, count: number): Uint8Array[] | undefined {
  if (body.length !== count * TRADE_BYTES) {
    return undefined;
  }
  return Array.from({ length: count }, (_, index) => body.slice(index * TRADE_BYTES, (index + 1) * TRADE_BYTES));
}

/** Joins pieces, each behind its length. */
export function joinPieces(pieces: readonly Uint8Array[]): Uint8Array[] {
  return pieces.flatMap((piece) => {
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, piece.length, true);
    return [length, piece];
  });
}

/** Takes joined pieces apart. @returns undefined when a length leads outside */
export function splitPieces(body: Uint8Array): Uint8Array[] | undefined {
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const pieces: Uint8Array[] = [];
  let at = 0;
  while (at + 4 <= body.length) {
    const length = view.getUint32(at, true);
    if (length > body.length - at - 4) {
      return undefined;
    }
    pieces.push(body.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return at === body.length ? pieces : undefined;
}

function checksum(bytes: Uint8Array): number {
  return crc32(bytes.subarray(HEAD_BYTES), crc32(bytes.subarray(0, HEAD_BYTES - 4)));
}

function encodeToken(symbol: string): string {
  return [...new TextEncoder().encode(symbol)]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      const isPlain = /[A-Za-z0-9_-]/.test(character);
      return isPlain ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    })
    .join("");
}

function decodeToken(token: string): string | undefined {
  try {
    return decodeURIComponent(token);
  } catch {
    return undefined;
  }
}
