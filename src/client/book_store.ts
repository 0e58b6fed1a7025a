/**
 * The books of a client: a kernel (the twin's client part) over a plain buffer, and scratch ranges for frames, trades
 * and levels. Bad case: a frame larger than the scratch, or more instruments than the buffer has room for; the scratch
 * grows once or twice, then RangeError names the size to raise.
 */
import { BBO_BYTES, LEVEL_BYTES, TRADE_BYTES } from "../../assembly/layout.ts";
import { type ClientKernel, createClientKernel } from "../kernel/twin/client.ts";

/** Levels walked at once. */
export const LEVELS_CHUNK = 1024;
/** Trades of one frame. */
export const TRADES_MAX = 4096;

const FRAME_BYTES = 1_048_576;
const FIRST_ADDRESS = 64;

/** Kernel, memory and scratch of one client. */
export class BookStore {
  readonly kernel: ClientKernel;
  readonly memory: DataView;
  readonly #bytes: Uint8Array;
  readonly #scratch: { trades: number; levels: number; bbo: number };
  #frame: number;
  #frameBytes = FRAME_BYTES;

  /** @param bytes of the buffer, at least 4 MiB; untouched pages cost nothing */
  constructor(bytes: number) {
    const buffer = new ArrayBuffer(Math.max(Math.ceil(bytes / 65_536), 64) * 65_536);
    this.kernel = createClientKernel(buffer);
    this.kernel.arenaInit(FIRST_ADDRESS, buffer.byteLength - FIRST_ADDRESS);
    this.memory = new DataView(buffer);
    this.#bytes = new Uint8Array(buffer);
    this.#frame = this.allocate(FRAME_BYTES);
    this.#scratch = {
      trades: this.allocate(TRADES_MAX * TRADE_BYTES),
      levels: this.allocate(LEVELS_CHUNK * LEVEL_BYTES),
      bbo: this.allocate(BBO_BYTES),
    };
  }

  /** TRADES_MAX trade records. */
  get trades(): number {
    return this.#scratch.trades;
  }

  /** LEVELS_CHUNK levels. */
  get levels(): number {
    return this.#scratch.levels;
  }

  /** One decoded best bid and offer. */
  get bbo(): number {
    return this.#scratch.bbo;
  }

  /** Copies a frame to where the kernel can read it. @returns its address @throws RangeError when there is no room */
  load(frame: Uint8Array): number {
    if (frame.byteLength > this.#frameBytes) {
      this.#frameBytes = frame.byteLength * 2;
      this.#frame = this.allocate(this.#frameBytes);
    }
    this.#bytes.set(frame, this.#frame);
    return this.#frame;
  }

  /** Takes bytes for good. @throws RangeError when there is no room */
  allocate(bytes: number): number {
    const address = this.kernel.arenaAllocate(bytes);
    return this.#demand(address, `${bytes} bytes`);
  }

  /** A fresh replica. @throws RangeError when there is no room */
  createReplica(): number {
    return this.#demand(this.kernel.replicaCreate(), "a book");
  }

  #demand(address: number, what: string): number {
    if (address === 0) {
      const size = this.#bytes.byteLength;
      throw new RangeError(`Cannot make room for ${what}: raise memoryBytes, was ${size}`);
    }
    return address;
  }
}
