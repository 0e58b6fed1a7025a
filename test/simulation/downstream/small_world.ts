/**
 * A small world around the downstream: one producer whose books are known by version from an oracle of their own, and hub
 * and clients behind it on virtual time. Bad case: a book that nobody calls right; `judged` counts the comparisons made.
 */
import { expect } from "vitest";
import { VirtualClock } from "../../../src/emulator/virtual_clock.ts";
import { loadKernel } from "../../../src/kernel/load.ts";
import { Market, type Producer } from "../../integration/gateway_market.ts";
import { wideBook } from "../../integration/gateway_rig.ts";
import { SeededRandom } from "../../support/seeded_random.ts";
import { BookTruth, bookText, type Change, type Pairs } from "./book_truth.ts";
import { type Downstream, type DownstreamFaults, type SimClient, startDownstream } from "./mod.ts";

const START_MS = 1_700_000_000_000;
/** What the producer has, in its exchange's spelling. */
export const NATIVES = ["BTC-USD", "ETH-USD"] as const;
const running: Downstream[] = [];

/** Stops every world that was made. */
export function stopWorlds(): void {
  for (const downstream of running.splice(0)) {
    downstream.stop();
  }
}

/** One seed's world: a producer, its books by version, and the downstream behind it. */
export class World {
  readonly clock = new VirtualClock(START_MS);
  readonly producer: Producer;
  readonly downstream: Downstream;
  /** Over the memory that they all share. */
  readonly memory: DataView;
  /** Comparisons made, and of them those of views. */
  judged = 0;
  judgedViews = 0;
  readonly #truth: BookTruth;
  readonly #random: SeededRandom;

  constructor(seed: number, options: { faults: DownstreamFaults; clients: number; deltaCapacity?: number }) {
    const market = new Market(256);
    this.memory = new DataView(market.map.memory.buffer);
    this.#random = new SeededRandom(seed);
    this.producer = market.produce({ deltaCapacity: options.deltaCapacity ?? 4096 });
    this.#truth = new BookTruth(this.producer, this.memory);
    for (const native of NATIVES) {
      this.#truth.snapshot(native, wideBook(40));
    }
    const arena = market.map.reserve("hub", { bytes: 96 << 20 });
    const kernel = loadKernel({ name: "twin", memory: market.map.memory });
    kernel.arenaInit(arena.address, arena.bytes);
    this.downstream = startDownstream({
      kernel,
      segments: () => [this.producer.segment],
      clock: this.clock,
      random: () => this.#random.next() / 2 ** 32,
      clients: options.clients,
      faults: options.faults,
      limits: { heartbeatStaleMs: 1e15 },
    });
    running.push(this.downstream);
  }

  /** So many events, a few milliseconds between them; every client is judged now and then. */
  run(events: number): void {
    for (let event = 0; event < events; event++) {
      const native = NATIVES[this.#random.below(3) === 0 ? 1 : 0] ?? NATIVES[0];
      this.update(native);
      this.clock.advance(this.#random.below(20));
      if (event % 8 === 0) {
        this.judge();
      }
    }
    this.judge();
  }

  /** Compares every book that is called right. @throws AssertionError when one is not the producer's */
  judge(): void {
    expect(this.downstream.textFaults()).toEqual([]);
    for (const native of NATIVES) {
      const book = this.downstream.hub.book(`coinbase_exchange:${native}`, 1000);
      if (book?.synced) {
        this.#compare(native, "hub", book);
      }
    }
    for (const client of this.downstream.clients) {
      for (const native of NATIVES) {
        const book = client.book(`coinbase_exchange:${native}`);
        if (book?.synced && book.version === book.provedVersion) {
          this.#compare(native, client.kind, book);
        }
        this.#judgeView(native, client);
      }
    }
  }

  /** Every client holds the producer's book of now and its best levels, and says so. */
  get isSettled(): boolean {
    return NATIVES.every((native) => {
      const name = `coinbase_exchange:${native}`;
      const areThere = this.downstream.clients.every((client) => {
        const book = client.book(name);
        return book?.synced === true && book.version === this.#truth.version(native);
      });
      return areThere && this.downstream.lateViews(name).length === 0;
    });
  }

  /** One event of an instrument, published. */
  update(native: string): void {
    const count = 1 + this.#random.below(4);
    this.#truth.update(
      native,
      Array.from({ length: count }, () => this.#change()),
    );
  }

  #judgeView(native: string, client: SimClient): void {
    const { view } = client;
    const book = view && client.book(`coinbase_exchange:${native}`, undefined, view);
    if (view === undefined || book?.synced !== true || book.version !== book.provedVersion) {
      return;
    }
    const { depth, rateMs } = view;
    const truth = this.#truth.topText(native, book.eventAtNs, depth);
    if (truth === undefined) {
      // The time is what memory lied about; nothing says which event this is.
      return;
    }
    this.judged += 1;
    this.judgedViews += 1;
    expect(bookText(book), `${client.kind} ${native} view ${depth} ${rateMs} ${book.version}`).toBe(truth);
  }

  #compare(native: string, who: string, { version, bids, asks }: Held): void {
    this.judged += 1;
    expect(bookText({ bids, asks }), `${who} ${native} ${version}`).toBe(this.#truth.text(native, version));
  }

  #change(): Change {
    const step = 1 + this.#random.below(50);
    const size = this.#random.below(3) === 0 ? "0" : String(1 + this.#random.below(20));
    return this.#random.below(2) === 0
      ? ["buy", (1000 - step / 100).toFixed(2), size]
      : ["sell", (1000 + step / 100).toFixed(2), size];
  }
}

type Held = { readonly version: string; readonly bids: Pairs; readonly asks: Pairs };
