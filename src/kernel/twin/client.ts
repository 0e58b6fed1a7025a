/**
 * The part of the twin that a client of the stream needs: arena, books, replicas, decoders of frames. It imports no encoder,
 * no producer and no text, so that a bundler leaves them out.
 * Bad case: a buffer that is replaced while the kernel lives; the views are made once.
 */
import { LEVEL_PRICE, LEVEL_QUANTITY } from "../../../assembly/layout.ts";
import type { KernelArena, KernelBook, KernelFrame, KernelReader } from "../kernel.ts";
import { Arena } from "./arena.ts";
import { Books } from "./book.ts";
import { applyFrame } from "./frame_decode.ts";
import { decodeBbo, decodeTrades } from "./frame_decode_parts.ts";
import { createMemory, fieldOf, type Memory } from "./memory.ts";
import { Replicas } from "./replica.ts";

/** The functions of the kernel that a client has. */
export type ClientFunctions = KernelArena &
  Pick<KernelBook, "bookApply" | "bookCount" | "bookHash" | "bookWalk"> &
  Pick<KernelReader, "replicaCreate" | "replicaRelease" | "replicaClear"> &
  Pick<KernelFrame, "frameApply" | "tradesDecode" | "bboDecode">;

/** What `createClientKernel` makes. */
export interface ClientKernel extends ClientFunctions {
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
  return { name: "twin", buffer, ...clientFunctions(createState(buffer)) };
}

/** The functions of a client kernel over a state. */
export function clientFunctions({ memory, arena, books, replicas }: TwinState): ClientFunctions {
  const { words } = memory;
  return {
    arenaInit: (base, bytes) => arena.open(base, bytes),
    arenaAllocate: (bytes) => arena.allocate(bytes),
    arenaUsed: () => arena.used(),
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
    bookCount: (book, side) => books.get(book).side(side).count,
    bookHash: (book) => books.get(book).hash >>> 0,
    bookWalk: (book, side, from, limit, out) => books.get(book).walk(side, from, limit, words, out),
    replicaCreate: () => replicas.create(),
    replicaRelease: (replica) => replicas.release(replica),
    replicaClear: (replica) => replicas.clear(replica),
    frameApply: (replica, frame, length) => applyFrame(replicas, replica, frame, length),
    tradesDecode: (frame, length, out, limit) => decodeTrades(memory, frame, length, out, limit),
    bboDecode: (frame, length, out) => decodeBbo(memory, frame, length, out),
  };
}
