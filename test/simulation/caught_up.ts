/**
 * Whether everybody downstream catches up with what is published: each of them, at each instrument, must lately have held
 * the book of that moment. The market goes on meanwhile, and a view may be a second behind by its rate, so that all of
 * them hardly ever are where they must be at one and the same moment.
 * Bad case: one that got stuck; it held the book once, but not lately, and is missing.
 */
import type { Downstream } from "./downstream/mod.ts";
import type { Watched } from "./downstream_check.ts";

/** What counts as lately, ms: a slow client may take that long for what it has not read yet. */
const LATELY_MS = 10_000;
/** Whoever was there so lately is not looked at again, ms. */
const FRESH_MS = 5000;

/** Follows who caught up with what. */
export class CaughtUp {
  readonly #downstream: Downstream;
  readonly #watched: readonly Watched[];
  readonly #now: () => number;
  /** By who and instrument: when it was seen with the book of that moment, Unix ms. */
  readonly #seenMs = new Map<string, number>();
  /** The same: what else it had when it was looked at last. */
  readonly #behind = new Map<string, string>();

  /** @param now Unix ms of the virtual clock */
  constructor(downstream: Downstream, watched: readonly Watched[], now: () => number) {
    this.#downstream = downstream;
    this.#watched = watched;
    this.#now = now;
  }

  /** Looks at everybody who was not there lately. @returns who is missing still */
  look(): string[] {
    const { hub, clients } = this.#downstream;
    for (const { name, check } of this.#watched) {
      const version = String(check.version);
      this.#note(`the hub at ${name}`, () => behind(hub.book(name, 0), version));
      for (const [index, client] of clients.entries()) {
        this.#note(`client ${index} (${client.kind}) at ${name}`, () => behind(client.book(name, 0), version));
      }
      this.#note(`views at ${name}`, () => this.#lateViews(name));
    }
    return this.#missing();
  }

  /** Each view of an instrument by itself; a view that is there is noted as that. @returns undefined when all were there lately */
  #lateViews(name: string): string | undefined {
    const late = new Set(this.#downstream.lateViews(name));
    for (const client of this.#downstream.clients) {
      const { view } = client;
      const who = view && this.#downstream.viewName(client);
      if (who !== undefined && ![...late].some((text) => text.startsWith(who))) {
        this.#seenMs.set(`${who} at ${name}`, this.#now());
      }
    }
    const missing = [...late].filter((text) => !this.#wasSeen(text.slice(0, text.indexOf(": ")), LATELY_MS));
    return missing.length === 0 ? undefined : missing.join("; ");
  }

  #note(key: string, look: () => string | undefined): void {
    if (this.#wasSeen(key, FRESH_MS)) {
      return;
    }
    const found = look();
    if (found === undefined) {
      this.#seenMs.set(key, this.#now());
      this.#behind.delete(key);
    } else {
      this.#behind.set(key, found);
    }
  }

  #wasSeen(key: string, withinMs: number): boolean {
    return this.#now() - (this.#seenMs.get(key) ?? Number.NEGATIVE_INFINITY) <= withinMs;
  }

  #missing(): string[] {
    return [...this.#behind].flatMap(([key, found]) => (this.#wasSeen(key, LATELY_MS) ? [] : [`${key}: ${found}`]));
  }
}

function behind(book: { synced: boolean; version: string } | undefined, version: string): string | undefined {
  if (book?.synced === true && book.version === version) {
    return undefined;
  }
  return `${book?.synced === true ? "synced" : "not synced"} ${book?.version ?? "no book"} of ${version}`;
}
