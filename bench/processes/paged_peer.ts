/**
 * A peer on a segment, and the page through which it answers: that it lives, how far it verified the ring, and what it
 * found wrong. Bad case: a peer that finds something wrong or does not come on; the benchmark fails.
 */
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { loadLibc } from "../../src/mapping/mod.ts";
import { mapRegion } from "../../src/mapping/region.ts";
import type { MemoryMap } from "../../src/segment/memory_map.ts";
import { mustEqual } from "../harness.ts";
import type { MappedBench } from "./mapped_bench.ts";
import { type Peer, type Stage, spinUntil } from "./stage.ts";

const PAGE_BYTES = 65_536;
/** On cache lines of their own. */
const VERIFIED_WORD = 16;
const ERRORS_WORD = 32;

/** A peer with its page, on a segment. */
export type PagedPeer = { readonly peer: Peer; readonly page: PeerPage; readonly bench: MappedBench };

/** Starts a peer on a segment, before anything was written, and stops it until it is its turn. */
export async function startPaged(stage: Stage, bench: MappedBench, role: string): Promise<PagedPeer> {
  const { exchange } = bench.segmentView.header;
  const name = `${role}_${exchange}`;
  const page = await PeerPage.open(bench.map, { directory: stage.directory, name, isFresh: true });
  const child = stage.startNode(role, [stage.directory, exchange, name]);
  const peer = await stage.ready({ child, awake: () => page.awake() }, () => page.beat > 0);
  return { peer, page, bench };
}

/** The peer must have verified everything, and lost nothing. */
export function verifyRead({ page, bench }: PagedPeer): void {
  const written = bench.segmentView.deltaTail;
  spinUntil("verifying records", () => page.verified >= written || page.errors > 0);
  mustEqual("the ring: records that its reader found wrong or lost", page.errors, 0);
  mustEqual("the ring: records that its reader verified", page.verified, written);
}

/** What a peer tells, in a page of a file that both sides map. Counts are exact up to 2^31. */
export class PeerPage {
  /** Where the page stands. */
  readonly address: number;
  readonly #words: Int32Array;
  readonly #at: number;

  /** @param address of the mapped page */
  constructor(buffer: ArrayBufferLike, address: number) {
    this.address = address;
    this.#words = new Int32Array(buffer);
    this.#at = address >>> 2;
  }

  /**
   * Maps a page.
   * @param options.isFresh makes the file
   */
  static async open(map: MemoryMap, options: { directory: string; name: string; isFresh: boolean }): Promise<PeerPage> {
    const { directory, name, isFresh } = options;
    const flags = isFresh ? constants.O_RDWR | constants.O_CREAT | constants.O_EXCL : constants.O_RDWR;
    const fd = openSync(join(directory, `${name}.page`), flags, 0o600);
    const range = map.reserve(`page of ${name}`, { bytes: PAGE_BYTES });
    if (isFresh) {
      writeSync(fd, new Uint8Array(PAGE_BYTES));
    }
    const { memory } = map;
    mapRegion(await loadLibc(), { memory, range, fd, bytes: PAGE_BYTES, access: "readWrite", isFresh });
    closeSync(fd);
    return new PeerPage(memory.buffer, range.address);
  }

  /** Rises while the peer has nothing to read. */
  get beat(): number {
    return Atomics.load(this.#words, this.#at);
  }

  /** Records verified. */
  get verified(): number {
    return Atomics.load(this.#words, this.#at + VERIFIED_WORD);
  }

  /** What was wrong. */
  get errors(): number {
    return Atomics.load(this.#words, this.#at + ERRORS_WORD);
  }

  /** Gives a sign of life. */
  live(): void {
    Atomics.add(this.#words, this.#at, 1);
  }

  /** Adds records. */
  tell(records: number, wrong: number): void {
    if (wrong > 0) {
      Atomics.add(this.#words, this.#at + ERRORS_WORD, wrong);
    }
    Atomics.add(this.#words, this.#at + VERIFIED_WORD, records);
  }

  /** Spins until the peer lives. */
  awake(): void {
    const { beat } = this;
    spinUntil("waking a peer", () => this.beat !== beat);
  }
}
