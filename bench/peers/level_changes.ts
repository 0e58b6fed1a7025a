/**
 * The level changes of a stream, decoded: what books that read no JSON are compared on. They are taken from our own
 * records, so a removal by depth is a change like any other, and a level that did not change is none.
 * Bad case: a book that must give a digest over every level; FNV-1a of the words, the same in both languages.
 */
import {
  DELTA_BASE_PRICE,
  DELTA_CHANGE_COUNT,
  DELTA_PRICE_OFFSETS,
  DELTA_QUANTITIES,
  DELTA_SIDE_MASK,
  LEVEL_BYTES,
  LEVEL_PRICE,
  LEVEL_QUANTITY,
  SIDE_ASK,
  SIDE_BID,
} from "../../assembly/layout.ts";
import type { Engine } from "../engine.ts";

/** Bytes of a change: price i64, quantity i64 (0 removes), book u32, side u32 (0 = bid). */
export const CHANGE_BYTES = 24;
const CHANGE_BOOK = 16;
const CHANGE_SIDE = 20;
const BID = 0;
const ASK = 1;
const FNV_BASIS = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const WORDS_PER_LEVEL = LEVEL_BYTES / 4;
/** Levels walked at a time. */
const WALKED = 4096;

/** Changes one behind the other. */
export type LevelChanges = {
  /** Levels of the snapshots, best first. */
  readonly first: Buffer;
  /** What the book frames changed, in order. */
  readonly changes: Buffer;
  /** Of every book at the end. */
  readonly digests: readonly number[];
};

type Change = { book: number; side: number; price: bigint; quantity: bigint };

/** Takes them from a run of the engine. */
export function takeChanges(engine: Engine): LevelChanges {
  engine.reset();
  const first = encode(snapshotLevels(engine));
  const found: Change[] = [];
  const { view } = engine.bench;
  engine.check.listen((record, followed) => {
    const book = engine.check.followed.indexOf(followed);
    const base = view.getBigInt64(record + DELTA_BASE_PRICE, true);
    const sides = view.getUint16(record + DELTA_SIDE_MASK, true);
    for (let index = 0; index < view.getUint8(record + DELTA_CHANGE_COUNT); index++) {
      const price = base + BigInt(view.getInt32(record + DELTA_PRICE_OFFSETS + index * 4, true));
      const quantity = view.getBigInt64(record + DELTA_QUANTITIES + index * 8, true);
      found.push({ book, side: ((sides >>> index) & 1) === 0 ? BID : ASK, price, quantity });
    }
  });
  engine.verify("book", engine.run("book"));
  engine.check.listen(undefined);
  const digests = engine.check.followed.map(({ block }) => bookDigest(engine, block.book));
  return { first, changes: encode(found), digests };
}

/** FNV-1a over the 32-bit words of every level of a book in the engine's producer, bids first, best first. */
export function bookDigest({ bench }: Engine, book: number): number {
  const { producer, view } = bench;
  const out = walkRoom(bench);
  let hash = FNV_BASIS;
  for (const side of [SIDE_BID, SIDE_ASK]) {
    for (let from = 0; from < producer.bookCount(book, side); from += WALKED) {
      const words = producer.bookWalk(book, side, from, WALKED, out) * WORDS_PER_LEVEL;
      for (let word = 0; word < words; word++) {
        hash = Math.imul(hash ^ view.getInt32(out + word * 4, true), FNV_PRIME);
      }
    }
  }
  return hash >>> 0;
}

function snapshotLevels({ bench, check }: Engine): Change[] {
  const { producer, view } = bench;
  const out = walkRoom(bench);
  return check.followed.flatMap(({ block }, book) =>
    [SIDE_BID, SIDE_ASK].flatMap((which) =>
      Array.from({ length: producer.bookCount(block.book, which) }, (_, place): Change => {
        producer.bookWalk(block.book, which, place, 1, out);
        const price = view.getBigInt64(out + LEVEL_PRICE, true);
        const quantity = view.getBigInt64(out + LEVEL_QUANTITY, true);
        return { book, side: which === SIDE_BID ? BID : ASK, price, quantity };
      }),
    ),
  );
}

const rooms = new WeakMap<Engine["bench"], number>();

/** Memory of a workbench for a walk, reserved once. */
function walkRoom(bench: Engine["bench"]): number {
  const known = rooms.get(bench);
  if (known !== undefined) {
    return known;
  }
  const { address } = bench.map.reserve("peers' walk", { bytes: WALKED * LEVEL_BYTES });
  rooms.set(bench, address);
  return address;
}

function encode(changes: readonly Change[]): Buffer {
  const bytes = Buffer.alloc(changes.length * CHANGE_BYTES);
  for (const [index, { book, side, price, quantity }] of changes.entries()) {
    const at = index * CHANGE_BYTES;
    bytes.writeBigInt64LE(price, at + LEVEL_PRICE);
    bytes.writeBigInt64LE(quantity, at + LEVEL_QUANTITY);
    bytes.writeUInt32LE(book, at + CHANGE_BOOK);
    bytes.writeUInt32LE(side, at + CHANGE_SIDE);
  }
  return bytes;
}

/** Books and sides of changes as columns, for a caller that passes each by itself. */
export function changeColumns(changes: Buffer): { books: Uint32Array; sides: Uint8Array } {
  const count = changes.length / CHANGE_BYTES;
  const at = (index: number, field: number) => changes.readUInt32LE(index * CHANGE_BYTES + field);
  return {
    books: Uint32Array.from({ length: count }, (_, index) => at(index, CHANGE_BOOK)),
    sides: Uint8Array.from({ length: count }, (_, index) => (at(index, CHANGE_SIDE) === BID ? SIDE_BID : SIDE_ASK)),
  };
}
