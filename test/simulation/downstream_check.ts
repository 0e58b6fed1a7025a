/**
 * What hub and clients hold, against what was published: a book that is called right must be the book of its version. By
 * its hash whenever it is looked at, which each of them keeps up by itself from its own levels; level by level now and
 * then, and always at the end. Bad case: a client that has not proved its last version yet; only what the hash has reached
 * is judged.
 */

import { isProved, levelSum } from "./downstream/level_sum.ts";
import type { Downstream, SimClient, TextFault } from "./downstream/mod.ts";
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

/** @property levelSum the same of the levels themselves; undefined when they are out of order */
type Head = { readonly version: string; readonly hash: number; readonly levelSum: number | undefined };
type Sides = {
  readonly bids: Iterable<readonly [string, string]>;
  readonly asks: Iterable<readonly [string, string]>;
};

const ALL_LEVELS = 100_000;
/** Every so many looks at a book its levels are compared, not its hash alone. */
const WHOLE_EVERY = 6;
const NOBODY = { exchange: "", native: "" };

/** Judges hub and clients, one client at a time. */
export class DownstreamCheck {
  /** Books compared. */
  compared = 0;
  /** Of them level by level. */
  comparedWhole = 0;
  /** Versions that clients reached and whose hashes were compared. */
  versions = 0;
  readonly #downstream: Downstream;
  readonly #watched: readonly Watched[];
  readonly #events: DownstreamEvents;
  #turn = 0;

  constructor(downstream: Downstream, watched: readonly Watched[], events: DownstreamEvents) {
    this.#downstream = downstream;
    this.#watched = watched;
    this.#events = events;
    const checks = new Map(watched.map(({ name, check }) => [name, check]));
    for (const client of downstream.clients) {
      client.onApplied = (instrument) => this.#judgeApplied(client, instrument, checks.get(instrument));
    }
  }

  /** Judges one client, or the hub. */
  next(): void {
    const { clients } = this.#downstream;
    const round = Math.floor(this.#turn / (clients.length + 1));
    const client = clients[this.#turn % (clients.length + 1)];
    this.#turn += 1;
    for (const [index, watched] of this.#watched.entries()) {
      const isWhole = (round + index) % WHOLE_EVERY === 0;
      if (client === undefined) {
        this.#judgeHub(watched, isWhole);
      } else {
        this.#judgeClient(client, watched, isWhole);
      }
    }
    this.#judgeTexts(this.#downstream.textFaults());
  }

  /** Judges everybody, level by level. */
  last(): void {
    for (const watched of this.#watched) {
      this.#judgeHub(watched, true);
      for (const client of this.#downstream.clients) {
        this.#judgeClient(client, watched, true);
      }
    }
    this.#judgeTexts(this.#downstream.textFaults());
  }

  #judgeHub({ name, check }: Watched, isWhole: boolean): void {
    const { hub } = this.#downstream;
    const head = hub.book(name, 0);
    if (head?.synced === true) {
      const { version, hash } = head;
      const levels = isWhole ? hub.book(name, ALL_LEVELS) : undefined;
      this.#judge("the hub", check, { head: { version, hash, levelSum: hash }, levels });
    }
    for (const found of this.#downstream.wrongViews(name, { isWhole })) {
      this.#events.fail(check.book.log, "a view holds the best levels of its book", {
        expected: "those of the hub's book at the same event",
        found,
      });
    }
  }

  /** At every version that a client reaches and proves: the hash that it keeps is the producer's. */
  #judgeApplied(client: SimClient, instrument: string, check: InstrumentCheck | undefined): void {
    const slot = client.slot(instrument);
    if (check === undefined || slot === undefined || !isProved(slot)) {
      return;
    }
    this.versions += 1;
    const { version, levels } = slot.book;
    if (!check.published.hasHash(version.low >>> 0, levels.hash >>> 0)) {
      this.#failBook(`a ${client.kind} client`, check, version.text);
    }
  }

  #judgeClient(client: SimClient, { name, check }: Watched, isWhole: boolean): void {
    const slot = client.slot(name);
    if (slot !== undefined && isProved(slot)) {
      const { version, levels } = slot.book;
      const head = { version: version.text, hash: levels.hash >>> 0, levelSum: levelSum(levels) };
      this.#judge(`a ${client.kind} client`, check, { head, levels: isWhole ? client.book(name) : undefined });
    }
  }

  #judge(who: string, check: InstrumentCheck, { head, levels }: { head: Head; levels: Sides | undefined }): void {
    this.compared += 1;
    this.comparedWhole += levels === undefined ? 0 : 1;
    const version = Number(head.version);
    const isRight =
      check.published.hasHash(version, head.hash) &&
      head.levelSum === head.hash &&
      (levels === undefined || check.published.hasDigest(version, digestOf([levels.bids, levels.asks])));
    if (!isRight) {
      this.#failBook(who, check, head.version);
    }
  }

  #failBook(who: string, check: InstrumentCheck, version: string): void {
    this.#events.fail(check.book.log, "a book downstream is the one that was published", {
      expected: `one of version ${version}, published now ${check.version}`,
      found: `another, of ${who}`,
    });
  }

  #judgeTexts(faults: readonly TextFault[]): void {
    for (const { text, fault } of faults) {
      this.#events.fail(NOBODY, "a text of the server keeps to its schema", {
        expected: "nothing against it",
        found: `${fault} in ${text}`,
      });
    }
  }
}
