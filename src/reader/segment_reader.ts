/**
 * A reader of one exchange's segments from any process: finds them, follows their epochs, merges shards, gives records as
 * an async iterator or by callbacks, tops of book from their cells and whole books on demand. It maps everything
 * read-only: it can neither slow nor harm a producer. Bad case: nothing there yet; it waits and says `attached` later.
 */
import { STATE_SYNCED } from "../../assembly/layout.ts";
import { type Libc, loadLibc, PARK_MS_MAX, Sleeper } from "../mapping/mod.ts";
import { resolveExchangeId } from "../model/exchange_id.ts";
import { MEMORY_BYTES_MAX, MemoryMap } from "../segment/memory_map.ts";
import { dispatch, type SegmentEvent, type SegmentHandlers, type SegmentInstrument } from "./events.ts";
import type { OpenOptions, SegmentBook, Top } from "./options.ts";
import { describeTop } from "./records.ts";
import { LOOK_MS, Shards } from "./shards.ts";
import { ReaderWorkspace } from "./workspace.ts";

const ARENA_BYTES = 256 * 1024 * 1024;
const BATCH_RECORDS = 256;
/** Turns of the event loop without events before the reader rests longer. */
const IDLE_TURNS = 16;
const POLL_MS_MAX = 5;

/**
 * Opens the segments of an exchange.
 * @param exchange id or alias, e.g. `kraken`
 * @throws MappingError `unsupported` where processes cannot share memory, `refused` when the directory cannot be trusted
 */
export async function openSegment(exchange: string, options: OpenOptions = {}): Promise<SegmentReader> {
  return new SegmentReader(await loadLibc(), resolveExchangeId(exchange) ?? exchange, options);
}

/** What a user's function threw on its way out: no fault of the segment, whatever its class. */
class TakerFailed extends Error {
  override readonly name = "TakerFailed";
}

/** Reads the segments of one exchange. Thread: one. */
export class SegmentReader implements AsyncIterable<SegmentEvent> {
  readonly exchange: string;
  /** Records that were overwritten before they were read, all epochs together. */
  readonly lost = { deltas: 0, trades: 0 };
  readonly #sleeper: Sleeper;
  readonly #shards: Shards;
  #isClosed = false;

  constructor(libc: Libc, exchange: string, options: OpenOptions) {
    this.exchange = exchange;
    const map = new MemoryMap(MEMORY_BYTES_MAX);
    const workspace = new ReaderWorkspace(map, {
      kernel: options.kernel ?? "wasm",
      arenaBytes: options.arenaBytes ?? ARENA_BYTES,
      batchRecords: options.batchRecords ?? BATCH_RECORDS,
    });
    this.#sleeper = new Sleeper(libc, map.memory);
    this.#shards = new Shards(libc, { map, workspace, exchange, options });
  }

  /** Looks for segments now, not at the next turn. */
  refresh(): void {
    this.#shards.look();
  }

  /** The instruments that are there now. */
  instruments(): SegmentInstrument[] {
    this.#shards.lookInTime();
    return this.#shards.readers.flatMap((reader) => reader.instruments());
  }

  /**
   * Best bid, best ask and last trade of an instrument, as its producer left them: nothing is built for it. A cell that
   * its writer left half written, because it lost the processor, is waited for, at most a millisecond; when it stays so,
   * the state says `busy` and the rest is what this reader saw last.
   * @param symbol `BASE-QUOTE` or `exchange:BASE-QUOTE`
   * @returns undefined when there is no such instrument
   */
  top(symbol: string): Top | undefined {
    this.#shards.lookInTime();
    const found = this.#shards.find(symbol);
    if (found === undefined) {
      return undefined;
    }
    const isLive = this.#shards.isLive(found.reader);
    return describeTop(found.reader.top(found.entry, { isLive }), { isLive });
  }

  /**
   * The book of an instrument at the ring's tail; joined when first asked for, kept from then on.
   * @param symbol `BASE-QUOTE` or `exchange:BASE-QUOTE` @param depth levels a side at most; default all
   * @returns undefined when there is no such instrument or its book cannot be joined at this moment
   */
  book(symbol: string, depth = Number.MAX_SAFE_INTEGER): SegmentBook | undefined {
    this.#shards.lookInTime();
    const found = this.#shards.find(symbol);
    if (found === undefined) {
      return undefined;
    }
    const { reader, entry } = found;
    const book = this.#shards.caught(reader, () => reader.book(entry, depth));
    if (book === undefined) {
      return undefined;
    }
    const isSynced = book.isSynced && entry.state === STATE_SYNCED && this.#shards.isLive(reader);
    return { ...book, instrument: reader.describe(entry), isSynced, knownRange: entry.knownRange };
  }

  /**
   * Gives what is there now: at most one batch of each ring. For busy loops; else use the iterator.
   * @param take what it throws comes out of this call; the rest of the batch is not given then
   * @returns how many events were given
   */
  poll(take: (event: SegmentEvent) => void): number {
    let count = 0;
    const counted = (event: SegmentEvent) => {
      count += 1;
      if (event.kind === "lapped") {
        this.lost[event.ring] += event.lost;
      }
      try {
        take(event);
      } catch (cause) {
        throw new TakerFailed("the taker of an event failed", { cause });
      }
    };
    this.#shards.lookInTime();
    try {
      for (const event of this.#shards.takePending()) {
        counted(event);
      }
      for (const reader of this.#shards.readers) {
        this.#shards.caught(reader, () => reader.poll(counted));
      }
    } catch (error) {
      throw error instanceof TakerFailed ? error.cause : error;
    }
    return count;
  }

  /**
   * Blocks the thread until something is published, at most so long. For worker threads: an event loop stands still.
   * @param timeoutMs at most 100
   */
  waitSync(timeoutMs = PARK_MS_MAX): void {
    const beds = this.#beds();
    this.#sleeper.announce(beds ?? []);
    if (!this.#shards.isBehind && !this.#isClosed) {
      this.#sleeper.sleep(beds ?? [], timeoutMs);
    }
  }

  /** Yields events until the reader is closed. One iteration at a time: all share the cursors. */
  async *[Symbol.asyncIterator](): AsyncGenerator<SegmentEvent, void, void> {
    const events: SegmentEvent[] = [];
    for (let idle = 0; !this.#isClosed; idle++) {
      if (this.poll((event) => events.push(event)) > 0) {
        idle = 0;
        yield* events.splice(0);
      }
      await this.#rest(idle);
    }
  }

  /**
   * Calls back for every event until stopped. One at a time, and not beside an iteration.
   * @param onFailure gets what a handler throws; reading ends then
   * @returns stops calling back
   */
  on(handlers: SegmentHandlers, onFailure: (error: unknown) => void): () => void {
    let isStopped = false;
    const run = async () => {
      for (let idle = 0; !this.#isClosed && !isStopped; idle++) {
        const count = this.poll((event) => (isStopped ? undefined : dispatch(handlers, event)));
        idle = count > 0 ? 0 : idle;
        await this.#rest(idle);
      }
    };
    run().catch(onFailure);
    return () => {
      isStopped = true;
    };
  }

  /** Lets go of everything; iterations end. */
  close(): void {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#sleeper.interrupt();
      // A sleep in the pool may still look at a word for as long as a sleep lasts.
      setTimeout(this.#shards.close(), 2 * PARK_MS_MAX);
    }
  }

  #beds(): number[] | undefined {
    return this.#shards.beds((readers) => this.#sleeper.isRung(readers));
  }

  /** Gives the event loop its turn; after some turns without events, sleeps until woken, or for a few milliseconds. */
  async #rest(idle: number): Promise<void> {
    const isTired = idle >= IDLE_TURNS && !this.#isClosed;
    const beds = isTired ? this.#beds() : undefined;
    if (beds !== undefined) {
      this.#sleeper.announce(beds);
    }
    if (!isTired || this.#shards.isBehind) {
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    } else if (beds === undefined) {
      await new Promise((resolve) => {
        setTimeout(resolve, Math.min(1 + (idle - IDLE_TURNS) / 8, POLL_MS_MAX));
      });
    } else {
      await this.#sleeper.sleepAsync(beds, LOOK_MS);
    }
  }
}
