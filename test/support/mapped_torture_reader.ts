/**
 * A reader of the torture: follows every epoch from another process, judges each record by itself, by its version and,
 * where its book follows, by the book's hash; joins anew after laps; compares the cell with the book; sleeps when there is
 * nothing; and accounts for every record of both rings, epoch by epoch.
 * Bad case: anything torn; it is counted by its name and never ignored.
 */
import { setTimeout as pause } from "node:timers/promises";
import { SEGMENT_STATE_CLOSED } from "../../assembly/layout.ts";
import { readAsset } from "../../src/assets.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import { type Attachment, loadLibc, SegmentFollower, Sleeper } from "../../src/mapping/mod.ts";
import { MemoryMap } from "../../src/segment/memory_map.ts";
import { TortureBooks } from "./mapped_torture_books.ts";
import { TortureTrades } from "./mapped_torture_trades.ts";
import type { SeededRandom } from "./seeded_random.ts";

/** What became of the records of one ring. */
export type RingAccount = {
  readonly start: number;
  readonly received: number;
  readonly lost: number;
  readonly cursor: number;
};

/** What a reader tells of one epoch. */
export type TortureSummary = {
  readonly epoch: string;
  readonly deltas: RingAccount;
  readonly trades: RingAccount;
  readonly laps: number;
  /** Joins that led to a book, and that did not. */
  readonly joins: number;
  readonly failedJoins: number;
  /** Images that were taken besides. */
  readonly images: number;
  /** Records that a book took, proved by its hash. */
  readonly applied: number;
  /** Cells that were compared with a book, and that could not be read. */
  readonly cells: number;
  readonly busyCells: number;
  /** Records, images and cells that contradict themselves, by what does. */
  readonly torn: Readonly<Record<string, number>>;
  /** At the end every book was there. */
  readonly isFollowing: boolean;
};

const ARENA_BYTES = 16 * 1024 * 1024;
const LOOK_MS = 20;
const SLEEP_MS = 20;
const REST_EVERY = 20_000;
const TURN_EVERY = 256;

/** One reading process. */
class TortureReader {
  readonly #map = new MemoryMap(2 ** 26);
  readonly #kernel: Kernel;
  readonly #follower: SegmentFollower;
  readonly #sleeper: Sleeper;
  readonly #random: SeededRandom;
  readonly #books: TortureBooks;
  readonly #trades: TortureTrades;
  readonly #torn = new Map<string, number>();
  #lookedAt = 0;
  #next: Attachment | undefined;

  constructor(libc: Awaited<ReturnType<typeof loadLibc>>, options: { directory: string; random: SeededRandom }) {
    const { directory, random } = options;
    const arena = this.#map.reserve("arena", { bytes: ARENA_BYTES });
    this.#kernel = loadKernel({ name: "wasm", memory: this.#map.memory, wasmBytes: readAsset("kernel.wasm") });
    this.#kernel.arenaInit(arena.address, arena.bytes);
    // An epoch that was replaced is read to its end, however long this process is stopped meanwhile.
    const quarantineMs = Number.POSITIVE_INFINITY;
    this.#follower = new SegmentFollower({ libc, map: this.#map, directory, isExplicit: true, quarantineMs });
    this.#sleeper = new Sleeper(libc, this.#map.memory);
    this.#random = random;
    const tear = (what: string) => void this.#torn.set(what, (this.#torn.get(what) ?? 0) + 1);
    this.#books = new TortureBooks(this.#kernel, { random, tear });
    this.#trades = new TortureTrades(this.#kernel, tear);
  }

  /** Waits for a segment. */
  async attach(): Promise<Attachment> {
    for (;;) {
      this.#look();
      const found = this.#next;
      if (found !== undefined) {
        this.#next = undefined;
        return found;
      }
      await pause(1);
    }
  }

  /** Reads an epoch to its end. @returns its account, and whether it ended in an orderly way */
  async read(attachment: Attachment): Promise<{ summary: TortureSummary; isClosed: boolean }> {
    const { view } = attachment;
    this.#torn.clear();
    this.#books.begin(view);
    this.#trades.begin(view);
    let isOver = false;
    for (let turn = 1; !isOver; turn++) {
      const wasOver = view.state === SEGMENT_STATE_CLOSED || this.#isReplaced(attachment);
      const count = this.#books.poll() + this.#trades.poll();
      isOver = wasOver && count === 0 && !this.#isBehind(attachment);
      if (count === 0 && !isOver) {
        this.#sleep(attachment);
      }
      if (turn % TURN_EVERY === 0) {
        await pause(this.#random.below(REST_EVERY / TURN_EVERY) === 0 ? this.#random.below(30) : 0);
      }
    }
    const isFollowing = this.#books.finish();
    return {
      isClosed: view.state === SEGMENT_STATE_CLOSED,
      summary: {
        epoch: String(view.header.epoch),
        ...this.#books.counts(),
        deltas: this.#books.account(),
        trades: this.#trades.account(),
        torn: Object.fromEntries(this.#torn),
        isFollowing,
      },
    };
  }

  #isBehind({ view }: Attachment): boolean {
    return this.#books.cursor !== view.deltaTail || this.#trades.cursor !== view.tradeTail;
  }

  #sleep(attachment: Attachment): void {
    this.#sleeper.announce([attachment.readers]);
    if (!this.#isBehind(attachment) && attachment.view.state !== SEGMENT_STATE_CLOSED) {
      this.#sleeper.sleep([attachment.readers], SLEEP_MS);
    }
  }

  /** Another file took its place; its mapping stays good for as long as this process looks at it. */
  #isReplaced({ view }: Attachment): boolean {
    if (this.#next === undefined && performance.now() - this.#lookedAt >= LOOK_MS) {
      this.#look();
    }
    return this.#next !== undefined && this.#next.view.header.epoch !== view.header.epoch;
  }

  #look(): void {
    this.#lookedAt = performance.now();
    for (const change of this.#follower.look()) {
      this.#next = change.kind === "attached" ? change.attachment : this.#next;
    }
  }
}

/** Follows the segment of a directory until one is closed. @param tell gets the account of each epoch */
export async function readTorture(
  directory: string,
  { random, tell }: { random: SeededRandom; tell: (summary: TortureSummary) => void },
): Promise<void> {
  const reader = new TortureReader(await loadLibc(), { directory, random });
  for (let isClosed = false; !isClosed; ) {
    const epoch = await reader.read(await reader.attach());
    isClosed = epoch.isClosed;
    tell(epoch.summary);
  }
}
