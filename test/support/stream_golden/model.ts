/**
 * A book of the stream as PROTOCOL.md describes it, in the plainest form: maps of BigInt, hash and chain computed from
 * nothing but their definition. It says what a client must hold after a frame; the kernels only encode.
 * Bad case: speed; it is for hundreds of small books.
 */

const U32 = 0xffffffff;
const SIDES = ["bid", "ask"] as const;

/** A side by name. */
export type Side = (typeof SIDES)[number];
/** One level's absolute quantity from now on; 0 removes it. */
export type Change = readonly [side: Side, price: bigint, quantity: bigint];
/** Price and quantity, decimal. */
export type LevelText = [price: string, quantity: string];

/** Record flags that the stream carries. */
export const STATUS = { snapshot: 2, notSynced: 8, crossed: 16 } as const;

/** What a client holds; every u64 and i64 is decimal text. */
export type BookState = {
  epoch: number;
  version: string;
  hash: number;
  /** Absent in the JSON form. */
  chain?: number;
  /** Sum of `STATUS`. The JSON form does not say `snapshot`. */
  status: number;
  eventAtNs: string;
  receivedAtNs: string;
  sequence: string;
  priceExponent: number;
  quantityExponent: number;
  /** Ticks and lots, best first. */
  bids: LevelText[];
  asks: LevelText[];
};

/** When an event happened and what the exchange numbered it. */
export type Stamps = { eventAt: bigint; receivedAt: bigint; sequence: bigint };

/** A book with its proof. */
export class ModelBook {
  readonly levels: Readonly<Record<Side, Map<bigint, bigint>>> = { bid: new Map(), ask: new Map() };
  version = 0n;
  chain = 0;
  status = 0;
  stamps: Stamps = { eventAt: 0n, receivedAt: 0n, sequence: 0n };

  /** Sets one level. @returns whether it was not there before */
  set([side, price, quantity]: Change): boolean {
    const levels = this.levels[side];
    const isAdded = !levels.has(price);
    if (quantity === 0n) {
      levels.delete(price);
    } else {
      levels.set(price, quantity);
    }
    return isAdded;
  }

  /** Ends an event. */
  end(status: number, stamps: Stamps): void {
    this.status = status;
    this.stamps = stamps;
    this.chain = chainNext(this.chain, { hash: this.hash(), version: this.version, status, stamps });
  }

  /** Prices of a side, best first. */
  prices(side: Side): bigint[] {
    const rising = [...this.levels[side].keys()].sort((one, other) => (one < other ? -1 : 1));
    return side === "bid" ? rising.reverse() : rising;
  }

  /** Best bid above best ask. */
  isCrossed(): boolean {
    const [bid] = this.prices("bid");
    const [ask] = this.prices("ask");
    return bid !== undefined && ask !== undefined && bid > ask;
  }

  /** Sum of the level hashes. */
  hash(): number {
    const hashes = SIDES.flatMap((side, code) =>
      [...this.levels[side]].map(([price, quantity]) => levelHash(code, price, quantity)),
    );
    return hashes.reduce((sum, hash) => (sum + hash) >>> 0, 0);
  }

  /** Levels of a side as text, best first. */
  texts(side: Side): LevelText[] {
    return this.prices(side).map((price) => [String(price), String(this.levels[side].get(price))]);
  }
}

/** MurmurHash3-x86-32, seed 0, over the five words of a level. @param side 0 bid, 1 ask */
export function levelHash(side: number, price: bigint, quantity: bigint): number {
  const words = [side, low(price), high(price), low(quantity), high(quantity)];
  let hash = 0;
  for (const word of words) {
    const mixed = Math.imul(rotate(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593);
    hash = (Math.imul(rotate(hash ^ mixed, 13), 5) + 0xe6546b64) | 0;
  }
  hash ^= 20;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The chain after an event. */
export function chainNext(
  chain: number,
  event: { hash: number; version: bigint; status: number; stamps: Stamps },
): number {
  const { eventAt, receivedAt, sequence } = event.stamps;
  const times = low(eventAt) ^ rotate(high(eventAt), 7) ^ rotate(low(receivedAt), 11) ^ rotate(high(receivedAt), 18);
  const stamps = times ^ rotate(low(sequence), 22) ^ rotate(high(sequence), 29);
  const mixed = rotate(chain, 5) ^ event.hash ^ low(event.version) ^ (event.status << 24) ^ stamps;
  return (Math.imul(mixed, 0x9e3779b1) + 0x7f4a7c15) >>> 0;
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

function low(value: bigint): number {
  return Number(value & BigInt(U32)) | 0;
}

function high(value: bigint): number {
  return Number((value >> 32n) & BigInt(U32)) | 0;
}
