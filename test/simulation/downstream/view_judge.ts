/**
 * The views of clients against the hub's book, which is judged by itself: at the same event, a view holds the book's best
 * levels. Bad case: a hub that is at another event than the client; nothing is compared then, and `judged` counts how often
 * something was.
 */
import type { GatewayCore } from "../../../src/gateway/core.ts";
import type { SimBook, SimClient } from "./sim_client.ts";

const ALL_LEVELS = 100_000;

/** Compares views. */
export class ViewJudge {
  /** Comparisons made. */
  judged = 0;
  readonly #hub: GatewayCore;
  readonly #clients: readonly SimClient[];

  constructor(hub: GatewayCore, clients: readonly SimClient[]) {
    this.#hub = hub;
    this.#clients = clients;
  }

  /** Views that are called right, are at the event at which the hub is, and differ from its book. */
  wrong(instrument: string): string[] {
    return this.#clients.flatMap((client) => {
      const book = client.book(instrument, undefined, client.view);
      const truth = this.#truth(instrument, client);
      const isProved = book?.synced === true && book.version === book.provedVersion;
      if (!isProved || truth === undefined || !isSameEvent(book, truth)) {
        return [];
      }
      this.judged += 1;
      return textOf(book) === textOf(truth) ? [] : [`${nameOf(client)} at ${instrument} ${book.version}`];
    });
  }

  /** Views that are not yet what the hub's book is now. */
  late(instrument: string): string[] {
    return this.#clients.flatMap((client) => {
      const book = client.book(instrument, undefined, client.view);
      const truth = this.#truth(instrument, client);
      const isThere = book?.synced === true && truth?.synced === true && textOf(book) === textOf(truth);
      return isThere
        ? []
        : [`${nameOf(client)} at ${instrument}: ${book?.synced === true ? "another book" : "not synced"}`];
    });
  }

  #truth(instrument: string, { view }: SimClient) {
    return this.#hub.book(instrument, view.depth === 0 ? ALL_LEVELS : view.depth);
  }
}

function nameOf({ kind, form, view }: SimClient): string {
  return `a ${kind} ${form} client's view of depth ${view.depth} and rate ${view.rateMs} ms`;
}

type Moment = Pick<SimBook, "eventAtNs" | "receivedAtNs">;

function isSameEvent(one: Moment, other: Moment): boolean {
  return one.eventAtNs === other.eventAtNs && one.receivedAtNs === other.receivedAtNs;
}

function textOf({ bids, asks }: Pick<SimBook, "bids" | "asks">): string {
  return JSON.stringify([bids, asks]);
}
