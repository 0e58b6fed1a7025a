/**
 * The stream of the long run: frames of the market go through decoder, ring and replica into the gateway's own views, and
 * what these publish goes to every consumer. Now and then a consumer misses frames and gets one conflated update, begins
 * anew from a snapshot, an exchange snapshot resets a book, the connection closes, prices get one more digit.
 * Bad case: whatever the replica behind the ring refuses; it ends the run, because nothing was damaged there.
 */
import { APPLY_TICKER, DELTA_INSTRUMENT_ID, IMAGE_OK } from "../../../assembly/layout.ts";
import { BookView } from "../../../src/gateway/book_view.ts";
import { DerivedView } from "../../../src/gateway/derived_view.ts";
import { completeLimits } from "../../../src/gateway/limits.ts";
import { Outlet } from "../../../src/gateway/outlet.ts";
import type { StreamView } from "../../../src/gateway/stream_view.ts";
import type { Connection, Payload } from "../../../src/gateway/transport.ts";
import { SeededRandom } from "../../support/seeded_random.ts";
import { Channel, type ChannelGround, type SourceCounts, type SourceRates } from "./channel.ts";
import { StreamGround } from "./ground.ts";
import { type MarketBook, StreamMarket } from "./market.ts";
import type { Consumer } from "./parts.ts";
import { RingTrials } from "./ring_trials.ts";

type BaseBook = {
  readonly book: MarketBook;
  readonly id: number;
  readonly view: BookView;
  readonly channels: Channel[];
};

/** Exchange frames between two flushes, at most. */
const BURST_MAX = 6;
const FRAME_NS = 60_000;
/** Makes the stream. Thread: one. */
export class StreamSource {
  readonly counts: SourceCounts = {
    exchangeFrames: 0,
    records: 0,
    frames: 0,
    bytes: 0,
    checks: 0,
    snapshots: 0,
    snapshotParts: 0,
    resets: 0,
    reconnects: 0,
    rescales: 0,
    conflated: 0,
    skippedFrames: 0,
    flips: 0,
    flipsReplaced: 0,
  };
  readonly ringTrials: RingTrials;
  readonly #ground = new StreamGround();
  readonly #outlet = new Outlet();
  readonly #limits = completeLimits();
  readonly #market: StreamMarket;
  readonly #random: SeededRandom;
  readonly #rates: SourceRates;
  readonly #shared: ChannelGround;
  readonly #bases = new Map<number, BaseBook>();
  readonly #topics = new Map<string, Channel>();
  readonly #touched = new Set<BaseBook>();
  #aliases = 0;
  #origins = 0;
  #atNs = 0;

  /** @param options.captured frames of Coinbase Exchange as they came, told before those of the market */
  constructor(
    consumers: readonly Consumer[],
    { seed, rates, captured = [] }: { seed: number; rates: SourceRates; captured?: readonly string[] },
  ) {
    this.#rates = rates;
    this.#random = new SeededRandom(seed + 1);
    const { counts } = this;
    const nowMs = () => this.#atNs / 1e6;
    this.#shared = { ground: this.#ground, consumers, counts, rates, random: this.#random, nowMs };
    this.#market = new StreamMarket(seed);
    this.ringTrials = new RingTrials(this.#ground.workspace, new SeededRandom(seed + 2));
    this.#outlet.attach({
      port: 0,
      publish: (topic, payload) => this.#publish(topic, payload),
      close: async () => undefined,
    });
    for (const book of this.#market.books) {
      this.#ground.open(book);
    }
    for (const text of captured) {
      this.#feed(new TextEncoder().encode(text));
      this.#flush();
    }
    for (const book of this.#market.books) {
      this.#feed(this.#market.snapshot(book));
    }
    this.#flush();
  }

  /** Some frames of one book, and what they publish. */
  burst(): void {
    const book = this.#market.pick();
    if (this.#isTime(this.#rates.reconnect)) {
      this.#reconnect();
    }
    const count = 1 + this.#random.below(BURST_MAX);
    for (let index = 0; index < count; index++) {
      this.#feed(this.#next(book));
    }
    this.#flush();
    for (const base of this.#bases.values()) {
      if (base.book === book) {
        for (const channel of base.channels) {
          channel.pass();
        }
      }
    }
  }

  /** Ends every absence and every trial, and compares all books. */
  finish(): void {
    // A view that waited for its rate when its book last moved may be due by now.
    for (const base of this.#bases.values()) {
      this.#touched.add(base);
    }
    this.#flush();
    for (const channel of this.#topics.values()) {
      channel.finish();
    }
  }

  #next(book: MarketBook): Uint8Array {
    if (this.#isTime(this.#rates.refine)) {
      const refined = this.#market.refine(book);
      if (refined !== undefined) {
        this.counts.rescales += 1;
        return refined;
      }
    }
    return this.#isTime(this.#rates.reset) ? this.#market.snapshot(book) : this.#market.update(book);
  }

  #reconnect(): void {
    this.counts.reconnects += 1;
    this.#ground.reconnect(this.#atNs);
    this.#drain();
    this.#flush();
    for (const book of this.#market.books) {
      this.#feed(this.#market.snapshot(book));
    }
    this.#flush();
  }

  #feed(bytes: Uint8Array): void {
    this.#atNs += FRAME_NS;
    this.counts.exchangeFrames += 1;
    const code = this.#ground.frame(bytes, this.#atNs);
    if (code > APPLY_TICKER) {
      throw new Error(`Cannot feed the market: the kernel refuses a frame, was ${code}`);
    }
    this.#drain();
  }

  #drain(): void {
    this.#ground.poll((record) => this.#record(record));
  }

  #record(record: number): void {
    this.counts.records += 1;
    const { workspace } = this.#ground;
    const id = workspace.u32(record + DELTA_INSTRUMENT_ID);
    const base = this.#bases.get(id) ?? this.#open(id);
    this.ringTrials.follow(id, record);
    if (this.#isTime(this.#rates.ringFlip) && base.view.isReady) {
      this.ringTrials.attempt(id, record, base.view);
    }
    const outcome = base.view.apply(record);
    if (outcome === "lost") {
      throw new Error(`Cannot follow the ring: the replica of instrument ${id} refuses a record`);
    }
    if (outcome === "reset") {
      this.#reset(base);
    }
    this.#touched.add(base);
  }

  /** The book comes as an image; whoever followed needs a snapshot. */
  #reset(base: BaseBook): void {
    const { workspace, view } = this.#ground;
    const code = workspace.kernel.imageLoad(
      base.view.replica.address,
      view.address,
      this.#ground.entry(base.id).address,
    );
    if (code !== IMAGE_OK) {
      throw new Error(`Cannot load the image of instrument ${base.id}: code ${code}`);
    }
    this.counts.resets += 1;
    this.ringTrials.giveUp(base.id);
    base.view.restart();
    for (const channel of base.channels) {
      channel.interrupt();
      if (channel.view instanceof DerivedView) {
        channel.view.restart(++this.#origins);
      }
    }
  }

  #open(id: number): BaseBook {
    const entry = this.#ground.entry(id);
    const book = this.#market.books.find(({ native }) => native === entry.native);
    if (book === undefined) {
      throw new Error(`Cannot serve instrument ${id}: nobody made it, was ${entry.native}`);
    }
    for (const old of [...this.#bases.values()].filter((base) => base.book === book)) {
      this.#close(old);
    }
    const instrument = `coinbase_exchange:${book.native}`;
    const common = { instrument, outlet: this.#outlet, limits: this.#limits, now: this.#shared.nowMs };
    const { workspace } = this.#ground;
    const view = new BookView(workspace, { ...common, alias: ++this.#aliases });
    view.replica.bind(id);
    view.replica.exponents = entry;
    view.begin(++this.#origins);
    const base: BaseBook = { book, id, view, channels: [] };
    this.#addChannel(base, view, { alias: this.#aliases, depth: 0, rateMs: 0 });
    for (const [depth, rateMs] of book.views) {
      const shape = { alias: ++this.#aliases, depth, rateMs };
      const derived = new DerivedView(workspace, { ...common, ...shape, base: view });
      derived.restart(++this.#origins);
      this.#addChannel(base, derived, shape);
    }
    this.#bases.set(id, base);
    return base;
  }

  #addChannel(base: BaseBook, view: StreamView, shape: { alias: number; depth: number; rateMs: number }): void {
    const { book, id } = base;
    const channel = new Channel(view, { label: { native: book.native, id, ...shape }, shared: this.#shared });
    base.channels.push(channel);
    view.output.attach("binary");
    this.#topics.set(view.output.topics.binary, channel);
    this.#outlet.join(NOBODY, view.output.topics.binary);
  }

  /** Another id stands for the book from here on: its views end. */
  #close(base: BaseBook): void {
    this.#bases.delete(base.id);
    this.ringTrials.giveUp(base.id);
    this.#touched.delete(base);
    for (const channel of base.channels) {
      channel.end();
      this.#topics.delete(channel.view.output.topics.binary);
      this.#outlet.leave(NOBODY, channel.view.output.topics.binary);
      channel.view.output.replica.release();
    }
  }

  #flush(): void {
    const nowMs = this.#shared.nowMs();
    for (const base of this.#touched) {
      base.view.flush();
      for (const { view } of base.channels) {
        if (view instanceof DerivedView && view.dueAtMs <= nowMs && view.follow(nowMs) === "lost") {
          throw new Error(`Cannot follow a book: no room for a view of ${base.book.native}`);
        }
      }
      for (const channel of base.channels) {
        channel.settle();
      }
    }
    this.#touched.clear();
  }

  /** What a view published. */
  #publish(topic: string, payload: Payload): void {
    const channel = this.#topics.get(topic);
    if (channel === undefined || !(payload instanceof Uint8Array)) {
      throw new Error(`Cannot deliver what nobody wants: was ${topic}`);
    }
    channel.publish(payload);
  }

  #isTime(oneIn: number): boolean {
    return this.#random.below(oneIn) === 0;
  }
}

/** The outlet counts listeners; what is published goes to the consumers, whoever it is. */
const NOBODY: Connection = {
  id: 0,
  protocol: "",
  remote: "",
  send: () => undefined,
  subscribe: () => undefined,
  unsubscribe: () => undefined,
  bufferedBytes: () => 0,
  close: () => undefined,
};
