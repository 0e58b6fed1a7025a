/**
 * One book as it was published, beside the truth at the event that it names: plain maps of decimal texts, and the set of
 * levels in which the two differ, kept up to date change by change. Bad case: an exchange that tells only the best levels;
 * then the few that are told are compared outright.
 */
import type { PublishedChange, PublishedImage } from "./ring_tap.ts";
import { type Side, TruthCursor, type TruthLog, type TruthPlace } from "./truth_log.ts";

/** Prices outside are not asserted. */
export type KnownRange = { readonly low: number; readonly high: number };

/** A level in which a book is not right. */
export type Difference = {
  readonly side: Side;
  readonly price: string;
  readonly expected: string;
  readonly found: string;
};

const SIDES = [0, 1] as const;
const NONE = "0";
const EVENTS_TRIED = 400;

/** The published book of one instrument and its truth. */
export class PublishedBook {
  readonly log: TruthLog;
  readonly sides: readonly [Map<string, string>, Map<string, string>] = [new Map(), new Map()];
  /** Of all levels, whatever their order. */
  digest = 0;
  readonly #cursor: TruthCursor;
  /** Prices with a sign for the side: bids as they are, asks behind a minus. */
  readonly #differing = new Set<string>();
  readonly #touch = (side: Side, price: string): void => this.#compare(side, price);

  constructor(log: TruthLog) {
    this.log = log;
    this.#cursor = new TruthCursor(log);
    this.#compareAll();
  }

  /** The place of the truth that was compared last. */
  get place(): TruthPlace {
    return this.#cursor.place;
  }

  /** Forgets every level. */
  clear(): void {
    this.sides[0].clear();
    this.sides[1].clear();
    this.digest = 0;
    this.#compareAll();
  }

  /** Takes the levels of an image. */
  load({ sides }: PublishedImage): void {
    for (const side of SIDES) {
      this.sides[side].clear();
      for (const [price, quantity] of sides[side]) {
        this.sides[side].set(price, quantity);
      }
    }
    this.digest = digestOf(this.sides);
    this.#compareAll();
  }

  /** Applies a change. @returns what is wrong with it by itself */
  apply({ side, price, quantity, isAdded }: PublishedChange): string | undefined {
    const held = this.sides[side].get(price);
    if (quantity === NONE) {
      this.sides[side].delete(price);
    } else {
      this.sides[side].set(price, quantity);
    }
    this.digest = (this.digest - levelDigest(side, price, held) + levelDigest(side, price, quantity)) | 0;
    this.#compare(side, price);
    if (held === (quantity === NONE ? undefined : quantity)) {
      return `a change that changes nothing: ${price} × ${quantity}`;
    }
    return isAdded === (held === undefined)
      ? undefined
      : `${price} × ${quantity} is ${isAdded ? "" : "not "}marked as added`;
  }

  /** In what it differs from the truth at a place. @returns the first difference; undefined when it is right */
  differenceAt(place: TruthPlace, range?: KnownRange): Difference | undefined {
    if (this.log.isCut) {
      return this.#cutDifference(place);
    }
    this.#cursor.move(place, this.#touch);
    for (const key of this.#differing) {
      const side = key.startsWith("-") ? 1 : 0;
      const price = key.slice(1);
      if (range === undefined || isKnown(Number(price), side, range)) {
        const expected = this.#cursor.sides[side].get(price) ?? NONE;
        return { side, price, expected, found: this.sides[side].get(price) ?? NONE };
      }
    }
    return undefined;
  }

  /** Whether it is right at one of the last events. @param sinceUs not at older ones, Unix µs */
  isRightAtEventSince(sinceUs: number, range: KnownRange | undefined): boolean {
    const { events } = this.log;
    for (let count = events.length; count > Math.max(0, events.length - EVENTS_TRIED); count--) {
      if ((events[count - 1]?.timeUs ?? 0) < sinceUs) {
        return false;
      }
      if (this.differenceAt({ events: count, changes: 0 }, range) === undefined) {
        return true;
      }
    }
    return false;
  }

  #cutDifference(place: TruthPlace): Difference | undefined {
    const top = this.log.topAt(place);
    for (const side of SIDES) {
      const held = this.sides[side];
      const wanted = top[side];
      for (const [price, expected] of wanted) {
        const found = held.get(price) ?? NONE;
        if (found !== expected) {
          return { side, price, expected, found };
        }
      }
      if (held.size !== wanted.length) {
        const told = new Set(wanted.map(([price]) => price));
        const price = [...held.keys()].find((one) => !told.has(one)) ?? "";
        return { side, price, expected: NONE, found: held.get(price) ?? NONE };
      }
    }
    return undefined;
  }

  #compare(side: Side, price: string): void {
    const key = `${side === 0 ? "+" : "-"}${price}`;
    if (this.sides[side].get(price) === this.#cursor.sides[side].get(price)) {
      this.#differing.delete(key);
    } else {
      this.#differing.add(key);
    }
  }

  #compareAll(): void {
    if (this.log.isCut) {
      return;
    }
    this.#differing.clear();
    for (const side of SIDES) {
      for (const price of this.sides[side].keys()) {
        this.#compare(side, price);
      }
      for (const price of this.#cursor.sides[side].keys()) {
        this.#compare(side, price);
      }
    }
  }
}

/** A digest of a book, whatever the order of its levels; written apart from the kernel's hash. */
export function digestOf(
  sides: readonly [Iterable<readonly [string, string]>, Iterable<readonly [string, string]>],
): number {
  let sum = 0;
  for (const side of SIDES) {
    for (const [price, quantity] of sides[side]) {
      sum = (sum + levelDigest(side, price, quantity)) | 0;
    }
  }
  return sum;
}

function levelDigest(side: Side, price: string, quantity: string | undefined): number {
  if (quantity === undefined || quantity === NONE) {
    return 0;
  }
  const text = `${side} ${price} ${quantity}`;
  let hash = 0x811c_9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x0100_0193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb_352d);
  return hash ^ (hash >>> 15);
}

function isKnown(price: number, side: Side, { low, high }: KnownRange): boolean {
  return side === 0 ? price >= low : price <= high;
}
