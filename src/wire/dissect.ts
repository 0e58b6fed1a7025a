/**
 * Takes one binary deltas, snapshot or conflated frame apart and says which bytes carry which field, without applying anything:
 * for tests that damage a frame on purpose, and for people who look at one. The grammar is drawn in PROTOCOL.md; this
 * walker was written from it and not from the encoder, so that it also checks that the two agree.
 * Bad case: a frame that does not follow the grammar; the answer is undefined, never an exception.
 */
import {
  FRAME_CONFLATED,
  FRAME_DELTAS,
  FRAME_FLAG_CHECK,
  FRAME_FLAG_FINAL,
  FRAME_FLAG_FIRST,
  FRAME_KIND_MASK,
  FRAME_SNAPSHOT,
} from "../../assembly/layout.ts";

/** What a field of a frame means. */
export type FrameFieldName =
  | "kind"
  | "alias"
  | "eventHead"
  | "status"
  | "snapshotStatus"
  | "records"
  | "sequence"
  | "eventAt"
  | "receivedAt"
  | "price"
  | "quantity"
  | "hash"
  | "chain"
  | "version"
  | "epoch"
  | "from"
  | "span"
  | "changes"
  | "exponents"
  | "timeUnit"
  | "bidCount"
  | "askCount"
  | "checksum";

/** One field: which bytes of the frame, and whether a check reaches it. */
export type FrameField = {
  readonly name: FrameFieldName;
  /** First byte in the frame. */
  readonly offset: number;
  readonly bytes: number;
  /** True for what hash, chain, counts or checksum must catch when it is damaged, at the next check at the latest. */
  readonly isProved: boolean;
};

/**
 * How a deltas frame is addressed: hash and chain do not name it, a frame that went astray shows by the events that one
 * book lacks and another has too many. The checksum of the other kinds reaches their addressing, too.
 */
const ADDRESSING: ReadonlySet<FrameFieldName> = new Set(["kind", "alias"]);

const VARINT_BYTES_MAX = 10;
const CHECK_BYTES = 8;
const SEAL_BYTES = 4;
const STATUS_PRESENT = 1;
const RECORDS_PRESENT = 2;
const SEQUENCE_PRESENT = 4;
const CHANGE_COUNT_SHIFT = 8;

/**
 * The fields of a deltas, snapshot or conflated frame, in order and without gaps: together they are the whole frame.
 * @param frame one WebSocket message of the binary form
 * @returns undefined when the frame is of another kind or does not follow the grammar
 */
export function dissectFrame(frame: Uint8Array): FrameField[] | undefined {
  const isDeltas = ((frame[0] ?? 0) & FRAME_KIND_MASK) === FRAME_DELTAS;
  const walker = new Walker(frame, isDeltas ? ADDRESSING : new Set());
  const head = walker.byte("kind");
  walker.varint("alias");
  if ((head & FRAME_KIND_MASK) === FRAME_DELTAS) {
    walkDeltas(walker, (head & FRAME_FLAG_CHECK) !== 0 ? CHECK_BYTES : 0);
  } else if ((head & FRAME_KIND_MASK) === FRAME_SNAPSHOT) {
    walkSnapshot(walker, head);
  } else if (head === FRAME_CONFLATED) {
    walkConflated(walker);
  } else {
    return undefined;
  }
  return walker.finish();
}

/**
 * The bits of a frame that its checks reach, for damaging one of them: of sealed frames all, of deltas all but kind and alias.
 * @returns bit positions in the frame, ascending; bit b of byte n is 8n + b; empty when the frame is of another kind or malformed
 */
export function provedBits(frame: Uint8Array): number[] {
  const fields = dissectFrame(frame) ?? [];
  return fields
    .filter((field) => field.isProved)
    .flatMap((field) => Array.from({ length: field.bytes * 8 }, (_, bit) => field.offset * 8 + bit));
}

function walkDeltas(walker: Walker, checkBytes: number): void {
  while (walker.remaining > checkBytes && !walker.failed) {
    const head = walker.varint("eventHead");
    if ((head & STATUS_PRESENT) !== 0) {
      walker.byte("status");
    }
    if ((head & RECORDS_PRESENT) !== 0) {
      walker.varint("records");
    }
    if ((head & SEQUENCE_PRESENT) !== 0) {
      walker.varint("sequence");
    }
    walker.varint("eventAt");
    walker.varint("receivedAt");
    const changes = Math.floor(head / CHANGE_COUNT_SHIFT);
    for (let index = 0; index < changes && !walker.failed; index++) {
      walkChange(walker);
    }
  }
  if (checkBytes > 0) {
    walker.bytes("hash", 4);
    walker.bytes("chain", 4);
  }
}

function walkConflated(walker: Walker): void {
  walker.varint("from");
  walker.varint("span");
  walker.bytes("hash", 4);
  walker.bytes("chain", 4);
  walker.byte("snapshotStatus");
  walker.bytes("eventAt", 8);
  walker.bytes("receivedAt", 8);
  walker.varint("sequence");
  const changes = walker.varint("changes");
  for (let index = 0; index < changes && !walker.failed; index++) {
    walkChange(walker);
  }
  walker.bytes("checksum", SEAL_BYTES);
}

function walkChange(walker: Walker): void {
  const first = walker.mark("price");
  if ((first & 0x80) !== 0) {
    walker.extend();
  }
  if ((first & 2) === 0) {
    walkQuantity(walker);
  }
}

function walkQuantity(walker: Walker): void {
  const first = walker.mark("quantity");
  if ((first & 0x80) !== 0) {
    walker.extend();
  }
}

function walkSnapshot(walker: Walker, head: number): void {
  if ((head & FRAME_FLAG_FIRST) !== 0) {
    walker.varint("version");
    walker.bytes("epoch", 4);
    walker.bytes("hash", 4);
    walker.bytes("chain", 4);
    walker.byte("snapshotStatus");
    walker.bytes("exponents", 2);
    walker.byte("timeUnit");
    walker.bytes("eventAt", 8);
    walker.bytes("receivedAt", 8);
    walker.varint("sequence");
    walker.varint("bidCount");
    walker.varint("askCount");
  }
  while (walker.remaining > SEAL_BYTES && !walker.failed) {
    walker.varint("price");
    walkQuantity(walker);
  }
  walker.bytes("checksum", SEAL_BYTES);
  if ((head & ~(FRAME_KIND_MASK | FRAME_FLAG_FIRST | FRAME_FLAG_FINAL)) !== 0) {
    walker.fail();
  }
}

class Walker {
  readonly #frame: Uint8Array;
  readonly #fields: FrameField[] = [];
  readonly #unproved: ReadonlySet<FrameFieldName>;
  #position = 0;
  failed = false;

  constructor(frame: Uint8Array, unproved: ReadonlySet<FrameFieldName>) {
    this.#frame = frame;
    this.#unproved = unproved;
  }

  get remaining(): number {
    return this.#frame.length - this.#position;
  }

  /** One byte that is a field. @returns its value, 0 past the end */
  byte(name: FrameFieldName): number {
    const value = this.#frame[this.#position] ?? 0;
    this.bytes(name, 1);
    return value;
  }

  /** One byte that begins a field which `extend` may lengthen. */
  mark(name: FrameFieldName): number {
    return this.byte(name);
  }

  /** Bytes of known number. */
  bytes(name: FrameFieldName, count: number): void {
    if (this.remaining < count) {
      this.fail();
      return;
    }
    this.#fields.push({ name, offset: this.#position, bytes: count, isProved: !this.#unproved.has(name) });
    this.#position += count;
  }

  /** A varint that is a field. @returns its value as a double: exact below 2^53, its low bits are asked for only there */
  varint(name: FrameFieldName): number {
    const start = this.#position;
    const { value, bytes } = this.#readVarint();
    this.bytes(name, bytes);
    return this.#position === start ? 0 : value;
  }

  /** Adds a varint to the field before. */
  extend(): void {
    const last = this.#fields.pop();
    const { bytes } = this.#readVarint();
    if (last === undefined || this.remaining < bytes || bytes === 0) {
      this.fail();
      return;
    }
    this.#fields.push({ ...last, bytes: last.bytes + bytes });
    this.#position += bytes;
  }

  fail(): void {
    this.failed = true;
  }

  finish(): FrameField[] | undefined {
    return this.failed || this.remaining !== 0 ? undefined : this.#fields;
  }

  #readVarint(): { value: number; bytes: number } {
    let value = 0;
    for (let bytes = 0; bytes < VARINT_BYTES_MAX; bytes++) {
      const byte = this.#frame[this.#position + bytes];
      if (byte === undefined) {
        break;
      }
      value += (byte & 0x7f) * 2 ** (7 * bytes);
      if (byte < 0x80) {
        return { value, bytes: bytes + 1 };
      }
    }
    this.fail();
    return { value: 0, bytes: 0 };
  }
}
