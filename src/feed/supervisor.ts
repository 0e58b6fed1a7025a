/**
 * Keeps a worker thread per exchange alive, each at a post of its own: nobody notices what happens to another.
 * Bad case: an exchange that refuses its instruments when all are started; everything is stopped then.
 */
import type { ExchangeId } from "../model/exchange_id.ts";
import type { SegmentHandle } from "../segment/writer.ts";
import { CollectorPost, type SupervisorOptions } from "./collector_post.ts";
import type { FeedChange } from "./feed_changes.ts";
import type { FeedRequest } from "./worker_messages.ts";

export type { SupervisorOptions } from "./collector_post.ts";
export type { FeedChange, FeedRefusal } from "./feed_changes.ts";
export { collectorRanges, type SegmentSizes, type SizeRecord, segmentConfig } from "./segment_growth.ts";

const CHECK_MS = 1000;

/** The workers of all exchanges. Thread: the one that owns the memory map. */
export class Supervisor {
  readonly #posts: CollectorPost[];
  #timer: NodeJS.Timeout | undefined;

  /** @throws RangeError when the memory has no room for the ranges */
  constructor(options: SupervisorOptions) {
    const vacant = () => this.#posts.flatMap((post) => post.vacantBytes);
    this.#posts = options.exchanges.map((selected) => new CollectorPost(options, { selected, vacant }));
  }

  /**
   * Starts all workers.
   * @returns when every one has checked its instruments and begun to connect, or could not reach its exchange
   * @throws ConfigError when one refuses its instruments; everything is stopped then
   */
  async start(): Promise<void> {
    this.#timer = setInterval(() => {
      for (const post of this.#posts) {
        post.check();
      }
    }, CHECK_MS);
    try {
      await Promise.all(this.#posts.map((post) => post.start()));
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** The segments that are live now, one for each worker that came so far. */
  segments(): SegmentHandle[] {
    return this.#posts.flatMap((post) => (post.segment === undefined ? [] : [post.segment]));
  }

  /** The instruments that each exchange shall have now. */
  feeds(): { readonly exchange: ExchangeId; readonly instruments: readonly string[] }[] {
    return this.#posts.map(({ exchange, instruments }) => ({ exchange, instruments }));
  }

  /**
   * Adds or removes an instrument of an exchange while everything else goes on. It lasts until this process ends.
   * @param canonical `BASE-QUOTE` @returns when it is done or refused; the first book comes later
   */
  async change(type: FeedRequest["type"], exchange: ExchangeId, canonical: string): Promise<FeedChange> {
    const post = this.#posts.find((one) => one.exchange === exchange);
    if (post === undefined) {
      const nearest = this.#posts.map((one) => one.exchange);
      const message = `Cannot ${type} an instrument: only ${nearest.join(", ")} run here, was ${exchange}`;
      return { kind: "refused", code: "unknown_exchange", message, nearest };
    }
    return await post.change(type, canonical);
  }

  /** How often workers had to be replaced. */
  get restarts(): number {
    return this.#posts.reduce((sum, post) => sum + post.restarts, 0);
  }

  /** Ends a worker as if it had died; another takes its post. */
  replace(exchange: ExchangeId): void {
    for (const post of this.#posts) {
      post.replace(exchange);
    }
  }

  /** Stops all workers within a second. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#posts.map((post) => post.stop()));
  }
}
