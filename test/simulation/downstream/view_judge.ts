/**
 * The views of clients against the hub's book, which is judged by itself: at the same event, a view holds the book's best
 * levels. A view of all levels must have the book's hash as well, which costs nothing to ask, so its levels are compared
 * only now and then. Bad case: a hub that is at another event than the client; nothing is compared then, and `judged`
 * counts how often something was.
 */
import type { StreamBook } from "../../../src/client/stream_book.ts";
import type { GatewayCore } from "../../../src/gateway/core.ts";
import type { GatewayBook } from "../../../src/gateway/gateway_book.ts";
import { isProved, levelSum } from "./level_sum.ts";
import type { SimBook, SimClient, SimView } from "./sim_client.ts";

const ALL_LEVELS = 100_000;
/** From the hub to a client that reads promptly, slowly or in pieces, on a network without faults. */
const WAY_MS = 1000;

type Follower = { readonly client: SimClient; readonly view: SimView };
type Sides = Pick<SimBook, "bids" | "asks">;

/** Compares views. */
export class ViewJudge {
  /** Comparisons made. */
  judged = 0;
  readonly #hub: GatewayCore;
  readonly #followers: readonly Follower[];

  constructor(hub: GatewayCore, clients: readonly SimClient[]) {
    this.#hub = hub;
    this.#followers = clients.flatMap((client) => (client.view === undefined ? [] : [{ client, view: client.view }]));
  }

  /**
   * Views that are called right, are at the event at which the hub is, and differ from its book.
   * @param options.isWhole compares the levels of views of all levels, too, and not their hash alone
   */
  wrong(instrument: string, { isWhole }: { isWhole: boolean }): string[] {
    const head = this.#hub.book(instrument, 0);
    let levels: GatewayBook | undefined;
    return this.#followers.flatMap((follower) => {
      const { client, view } = follower;
      const slot = head === undefined ? undefined : client.slot(instrument, view);
      if (head === undefined || slot === undefined || !isProved(slot) || !isSameEvent(slot.book, head)) {
        return [];
      }
      this.judged += 1;
      const { levels: held, version } = slot.book;
      const isHashRight = view.depth > 0 || (held.hash >>> 0 === head.hash && levelSum(held) === head.hash);
      const isDue = isWhole || view.depth > 0;
      levels ??= isDue ? this.#hub.book(instrument, ALL_LEVELS) : undefined;
      const isRight = isHashRight && (!isDue || holds(client.book(instrument, undefined, view), levels, view.depth));
      return isRight ? [] : [`${nameOf(follower)} at ${instrument} ${version.text}`];
    });
  }

  /** How a client's view is called in what is told of it; undefined when it follows none. */
  nameOf(client: SimClient): string | undefined {
    const follower = this.#followers.find((one) => one.client === client);
    return follower === undefined ? undefined : nameOf(follower);
  }

  /**
   * Views that are not what the hub's book is now, nor what it was a moment ago: while a market moves, a view of one change
   * a second is hardly ever at the event of the hub, and never when it is looked at once a second at the wrong moment.
   */
  late(instrument: string): string[] {
    const truth = this.#followers.length === 0 ? undefined : this.#hub.book(instrument, ALL_LEVELS);
    return this.#followers.flatMap((follower) => {
      const { client, view } = follower;
      const book = client.book(instrument, undefined, view);
      const slot = client.slot(instrument, view);
      if (book?.synced !== true || truth?.synced !== true || slot === undefined) {
        return [`${nameOf(follower)} at ${instrument}: not synced`];
      }
      const isThere = holds(book, truth, view.depth) || isJustBehind(slot.book, truth, view.rateMs);
      return isThere ? [] : [`${nameOf(follower)} at ${instrument}: another book`];
    });
  }
}

function nameOf({ client: { kind, form }, view }: Follower): string {
  return `a ${kind} ${form} client's view of depth ${view.depth} and rate ${view.rateMs} ms`;
}

function isSameEvent({ eventAt, receivedAt }: StreamBook, { eventAtNs, receivedAtNs }: GatewayBook): boolean {
  return eventAt.text === eventAtNs && receivedAt.text === receivedAtNs;
}

/** Whether a view is at an event that the hub's book left no longer ago than its rate, and what the way takes, explain. */
function isJustBehind({ receivedAt }: StreamBook, { receivedAtNs }: GatewayBook, rateMs: number): boolean {
  const behindNs = BigInt(receivedAtNs) - BigInt(receivedAt.text);
  return behindNs > 0n && behindNs <= BigInt(rateMs + WAY_MS) * 1_000_000n;
}

/** Whether a view holds the best levels of a book and nothing else. @param depth 0 = all */
function holds(view: Sides | undefined, book: Sides | undefined, depth: number): boolean {
  return (
    view !== undefined &&
    book !== undefined &&
    isBestOf(view.bids, book.bids, depth) &&
    isBestOf(view.asks, book.asks, depth)
  );
}

function isBestOf(held: SimBook["bids"], all: SimBook["bids"], depth: number): boolean {
  const count = depth === 0 ? all.length : Math.min(depth, all.length);
  return (
    held.length === count &&
    held.every(([price, quantity], rank) => price === all[rank]?.[0] && quantity === all[rank]?.[1])
  );
}
