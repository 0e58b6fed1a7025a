/**
 * The instruments that one exchange shall have, as they were configured and changed since, and the changes that its worker
 * was asked for. The set outlives the worker: its successor begins with it.
 * Bad case: a worker that ends with changes under way. An instrument that was to go is gone, because the successor does
 * not know it; one that was to come is refused, and whoever asked may ask again.
 */
import type { FeedChange, FeedRefusal } from "./feed_changes.ts";
import type { FeedRequest } from "./worker_messages.ts";

type Asked = FeedRequest & { readonly answer: (change: FeedChange) => void };

/** The wanted instruments of one exchange. */
export class WantedFeeds {
  readonly #wanted: Set<string>;
  readonly #asked = new Map<number, Asked>();
  #lastRequest = 0;

  /** @param instruments canonical names that it begins with */
  constructor(instruments: readonly string[]) {
    this.#wanted = new Set(instruments);
  }

  /** Canonical names, in the order of their coming. */
  get instruments(): readonly string[] {
    return [...this.#wanted];
  }

  /** @param canonical `BASE-QUOTE` */
  has(canonical: string): boolean {
    return this.#wanted.has(canonical);
  }

  /** Asks the worker. @param post sends it the request @returns its answer */
  ask(type: FeedRequest["type"], canonical: string, post: (request: FeedRequest) => void): Promise<FeedChange> {
    this.#lastRequest += 1;
    const request = { type, canonical, request: this.#lastRequest };
    return new Promise((answer) => {
      this.#asked.set(request.request, { ...request, answer });
      post(request);
    });
  }

  /** The worker has answered. */
  answered(request: number, change: FeedChange): void {
    const asked = this.#asked.get(request);
    if (asked === undefined) {
      return;
    }
    this.#asked.delete(request);
    this.#keep(asked, change);
    asked.answer(change);
  }

  /** There is no worker, and none will answer what was asked. @returns what is removed by that */
  workerEnded(): string[] {
    const open = [...this.#asked.values()];
    this.#asked.clear();
    for (const asked of open) {
      const change = this.withoutWorker(asked.type, asked.canonical);
      asked.answer(change);
    }
    return open.filter(({ type }) => type === "remove").map(({ canonical }) => canonical);
  }

  /** What becomes of a change while there is no worker: the next one begins with what is wanted then. */
  withoutWorker(type: FeedRequest["type"], canonical: string): FeedChange {
    if (type === "add") {
      return this.has(canonical) ? { kind: "already_there" } : noCollector(canonical);
    }
    return { kind: this.#wanted.delete(canonical) ? "removed" : "not_there" };
  }

  #keep({ canonical }: Asked, { kind }: FeedChange): void {
    if (kind === "added" || kind === "already_there") {
      this.#wanted.add(canonical);
    } else if (kind === "removed" || kind === "not_there") {
      this.#wanted.delete(canonical);
    }
  }
}

function noCollector(canonical: string): FeedRefusal {
  const message = `Cannot add an instrument: its collector is being started again, was ${canonical}`;
  return { kind: "refused", code: "unavailable", message, nearest: [] };
}
