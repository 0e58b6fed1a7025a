/**
 * What hub and clients hold, against what was published: a book that is called right must be the book of its version.
 * Bad case: a client that has not proved its last version yet; only what the hash has reached is judged.
 */

import type { Downstream, SimClient } from "./downstream/mod.ts";
import type { InstrumentCheck } from "./instrument_check.ts";
import { digestOf } from "./published_book.ts";

/** An instrument as clients name it, with its check. */
export type Watched = { readonly name: string; readonly check: InstrumentCheck };

/** What the check tells. */
export type DownstreamEvents = {
  readonly fail: (
    about: { exchange: string; native: string },
    what: string,
    was: { expected: string; found: string },
  ) => void;
};

const ALL_LEVELS = 100_000;

/** Judges hub and clients, one client at a time. */
export class DownstreamCheck {
  /** Books compared. */
  compared = 0;
  readonly #downstream: Downstream;
  readonly #watched: readonly Watched[];
  readonly #events: DownstreamEvents;
  #turn = 0;

  constructor(downstream: Downstream, watched: readonly Watched[], events: DownstreamEvents) {
    this.#downstream = downstream;
    this.#watched = watched;
    this.#events = events;
  }

  /** Judges one client, or the hub. */
  next(): void {
    const { clients } = this.#downstream;
    const place = this.#turn % (clients.length + 1);
    this.#turn += 1;
    const client = clients[place];
    for (const watched of this.#watched) {
      if (client === undefined) {
        this.#judgeHub(watched);
        this.#judgeViews(watched);
      } else {
        this.#judgeClient(client, watched);
      }
    }
  }

  /** Whether everybody has caught up with what was published. @returns what is missing */
  missing(): string[] {
    return this.#watched.flatMap(({ name, check }) => {
      const books = this.#downstream.clients.map(
        (client) => [`a ${client.kind} client`, client.book(name, 1)] as const,
      );
      const late = this.#downstream.lateViews(name);
      const all = [["the hub", this.#downstream.hub.book(name, 1)] as const, ...books];
      const behind = all
        .filter(([, book]) => book?.synced !== true || Number(book.version) !== check.version)
        .map(
          ([who, book]) =>
            `${who} at ${name}: ${book?.synced === true ? "synced" : "not synced"} ${book?.version ?? "no book"} of ${check.version}`,
        );
      return [...behind, ...late];
    });
  }

  #judgeViews({ name, check }: Watched): void {
    for (const found of this.#downstream.wrongViews(name)) {
      this.#events.fail(check.book.log, "a view holds the best levels of its book", {
        expected: "those of the hub's book at the same event",
        found,
      });
    }
  }

  #judgeHub({ name, check }: Watched): void {
    const book = this.#downstream.hub.book(name, ALL_LEVELS);
    if (book?.synced === true) {
      this.#judge("the hub", check, book);
    }
  }

  #judgeClient(client: SimClient, { name, check }: Watched): void {
    const book = client.book(name, ALL_LEVELS);
    if (book?.synced === true && book.version === book.provedVersion) {
      this.#judge(`a ${client.kind} client`, check, book);
    }
  }

  #judge(
    who: string,
    check: InstrumentCheck,
    {
      version,
      bids,
      asks,
    }: { version: string; bids: Iterable<readonly [string, string]>; asks: Iterable<readonly [string, string]> },
  ): void {
    this.compared += 1;
    const digest = digestOf([bids, asks]);
    if (!check.hasPublished(Number(version), digest)) {
      this.#events.fail(check.book.log, "a book downstream is the one that was published", {
        expected: `one of version ${version}, published now ${check.version}`,
        found: `another, of ${who}`,
      });
    }
  }
}
