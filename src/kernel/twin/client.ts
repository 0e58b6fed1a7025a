/**
 * The part of the twin that a client of the stream needs: text, arena, books, replicas, frames. It imports no decoder
 * and no producer, so that a bundler leaves them out.
 * Bad case: a buffer that is replaced while the kernel lives; the views are made once.
 */
import { LEVEL_PRICE, LEVEL_QUANTITY } from "../../../assembly/layout.ts";
import type { KernelArena, KernelBook, KernelFrame, KernelReader, KernelText } from "../kernel.ts";
import { Arena } from "./arena.ts";
import { Books } from "./book.ts";
import { crc32 } from "./crc32.ts";
import { applyFrame } from "./frame_decode.ts";
import { decodeBbo, decodeTrades } from "./frame_decode_parts.ts";
import { createBuffer, takeFrame } from "./frame_encode.ts";
import { encodeBbo, encodeSnapshot, encodeTrades } from "./frame_encode_parts.ts";
import { levelHash } from "./hash.ts";
import { createMemory, fieldOf, type Memory } from "./memory.ts";
import { formatDecimal, parseDecimal } from "./quantize.ts";
import { Replicas } from "./replica.ts";

/** Replicas without a segment: they are fed by frames, or by records that the host hands over. */
export type KernelReplica = Pick<KernelReader, "replicaCreate" | "replicaClear" | "replicaBegin" | "replicaApply">;

/** What `createClientKernel` makes. */
export interface ClientKernel extends KernelText, KernelArena, KernelBook, KernelReplica, KernelFrame {
  readonly name: "twin";
  /** The linear memory. */
  readonly buffer: ArrayBufferLike;
}

/** The state behind a client kernel; `createTwin` builds on it. */
export type TwinState = {
  readonly memory: Memory;
  readonly arena: Arena;
  readonly books: Books;
  readonly replicas: Replicas;
};

/** Makes the state over a buffer. @param buffer its length is a multiple of four and stays */
export function createState(buffer: ArrayBufferLike): TwinState {
  const memory = createMemory(buffer);
  const arena = new Arena(memory);
  const books = new Books();
  return { memory, arena, books, replicas: new Replicas(memory, arena, books) };
}

/**
 * Makes a kernel for a client.
 * @param buffer at least what the host will hand to `arenaInit`, and the frames beside it
 * @throws RangeError when its length is not a multiple of four
 */
export function createClientKernel(buffer: ArrayBufferLike): ClientKernel {
  const state = createState(buffer);
  return { name: "twin", buffer, ...clientFunctions(state) };
}

/** The functions of a client kernel over a state. */
export function clientFunctions(state: TwinState): Omit<ClientKernel, "name" | "buffer"> {
  return { ...textFunctions(state), ...bookFunctions(state), ...replicaFunctions(state), ...frameFunctions(state) };
}

function textFunctions({ memory, arena }: TwinState): KernelText & KernelArena {
  const { words } = memory;
  return {
    parseDecimal: (text, length, out) => parseDecimal(memory, text, length, out),
    formatDecimal: (value, exponent, out) => formatDecimal(memory, value, exponent, out),
    levelHash: (side, level) => hashAt(words, side, level) >>> 0,
    crc32: (address, length) => crc32(memory.bytes, address, address + length),
    arenaInit: (base, bytes) => arena.open(base, bytes),
    arenaAllocate: (bytes) => arena.allocate(bytes),
    arenaUsed: () => arena.used(),
  };
}

function hashAt(words: Int32Array, side: number, level: number): number {
  return levelHash(
    side,
    fieldOf(words, level, LEVEL_PRICE),
    fieldOf(words, level, LEVEL_PRICE + 4),
    fieldOf(words, level, LEVEL_QUANTITY),
    fieldOf(words, level, LEVEL_QUANTITY + 4),
  );
}

function bookFunctions({ memory, books }: TwinState): KernelBook {
  const { words } = memory;
  return {
    bookCreate: () => books.create(),
    bookClear: (book) => books.get(book).clear(),
    bookApply: (book, side, level) =>
      books
        .get(book)
        .set(
          side,
          fieldOf(words, level, LEVEL_PRICE),
          fieldOf(words, level, LEVEL_PRICE + 4),
          fieldOf(words, level, LEVEL_QUANTITY),
          fieldOf(words, level, LEVEL_QUANTITY + 4),
        ),
    bookTruncate: (book, side, depth) => books.get(book).truncate(side, depth),
    bookCount: (book, side) => books.get(book).side(side).count,
    bookHash: (book) => books.get(book).hash >>> 0,
    bookWalk: (book, side, from, limit, out) => books.get(book).walk(side, from, limit, words, out),
    bookScale: (book, pricePower, quantityPower) => (books.get(book).scale(pricePower, quantityPower) ? 0 : 1),
  };
}

function replicaFunctions({ replicas }: TwinState): KernelReplica {
  return {
    replicaCreate: () => replicas.create(),
    replicaClear: (replica) => replicas.clear(replica),
    replicaBegin: (replica) => replicas.begin(replica),
    replicaApply: (replica, record) => replicas.apply(replica, record),
  };
}

function frameFunctions({ memory, arena, replicas }: TwinState): KernelFrame {
  return {
    frameBufferCreate: (replica, bytes) => createBuffer(memory, arena, replica, bytes),
    frameTake: (replica, check) => takeFrame(memory, replica, check),
    snapshotEncode: (replica, out, limit) => encodeSnapshot(replicas, replica, out, limit),
    tradesEncode: (alias, trades, count, out, limit) => encodeTrades(memory, alias, trades, count, out, limit),
    bboEncode: (replica, out) => encodeBbo(replicas, replica, out),
    frameApply: (replica, frame, length) => applyFrame(replicas, replica, frame, length),
    tradesDecode: (frame, length, out, limit) => decodeTrades(memory, frame, length, out, limit),
    bboDecode: (frame, length, out) => decodeBbo(memory, frame, length, out),
  };
}
