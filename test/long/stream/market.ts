/**
 * A market of several books as Coinbase Exchange would tell of it: snapshots and updates of about sixteen changes, from a
 * seed. Books of forty to some thousand levels, quantities with few digits and with nineteen, prices that wander; bids
 * stay below asks. Bad case: a change that sets what already stands; nobody tells of it, so it does not count.
 */
import { captureFiles, readCapture } from "../../support/captures.ts";
import { SeededRandom } from "../../support/seeded_random.ts";

/** One book of the market. */
export type MarketBook = {
  readonly native: string;
  /** Levels of a side at the beginning; prices up to so many ticks from the middle change. */
  readonly levels: number;
  /** Depths at which the stream holds views of it, and the least milliseconds between their changes. */
  readonly views: readonly (readonly [depth: number, rateMs: number])[];
  /** Quantities near the largest that fit. */
  readonly isWide: boolean;
  /** The middle, in ticks. */
  middle: number;
  /** Digits behind the point of a price. */
  decimals: number;
};

type Pair = readonly [price: string, quantity: string];

const TICKS_PER_UNIT = 100;
const QUANTITIES = 8192;
const DIGITS = 8;
const LOTS_MAX = 10 ** DIGITS;
/** Of changes: one in four takes a level away. */
const REMOVE_ONE_IN = 4;
/** Changes of an update: three to twenty-nine, seldom up to three hundred. */
const CHANGES_MIN = 3;
const CHANGES_SPREAD = 27;
const LARGE_ONE_IN = 512;
const LARGE_FACTOR = 10;
const WORD = 2 ** 32;
const NEAR_NOTHING = 100;
const MIDDLE = 6_000_000;
const DECIMALS_MAX = 5;
const START_MS = Date.UTC(2026, 0, 5);

/** The books of the market: shallow and deep, one of large numbers. */
export const MARKET_BOOKS: readonly Omit<MarketBook, "middle" | "decimals">[] = [
  {
    native: "BTC-USD",
    levels: 5000,
    isWide: false,
    views: [
      [50, 0],
      [10, 100],
    ],
  },
  { native: "ETH-USD", levels: 600, isWide: false, views: [[10, 0]] },
  { native: "SOL-USD", levels: 160, isWide: false, views: [] },
  { native: "XRP-USD", levels: 40, isWide: false, views: [[0, 250]] },
  { native: "SHIB-USD", levels: 60, isWide: true, views: [] },
];

/** Every frame that Coinbase Exchange sent in the captures: books of forty thousand levels. */
export function capturedFrames(): string[] {
  const lines = captureFiles("coinbase_exchange/").flatMap(readCapture);
  return lines.flatMap(({ t, data }) => (t === "recv" && data !== undefined ? [data] : []));
}

/** Makes frames. Thread: one. */
export class StreamMarket {
  readonly books: readonly MarketBook[];
  readonly #random: SeededRandom;
  readonly #encoder = new TextEncoder();
  /** Texts of prices, by ticks. */
  readonly #prices: string[] = [];
  readonly #quantities: readonly string[];
  readonly #wideQuantities: readonly string[];
  #frames = 0;

  /** @param seed any integer; equal seeds give equal frames */
  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
    this.books = MARKET_BOOKS.map((book, index) => ({ ...book, middle: MIDDLE / 10 ** index, decimals: 2 }));
    this.#quantities = Array.from({ length: QUANTITIES }, () => this.#quantity());
    this.#wideQuantities = Array.from({ length: QUANTITIES }, () => `${this.#random.below(9e10)}.${this.#lots()}`);
  }

  /** Any book; the shallow ones as often as the deep ones. */
  pick(): MarketBook {
    return this.#random.pick(this.books);
  }

  /** The whole book anew, at a middle somewhere near. */
  snapshot(book: MarketBook): Uint8Array {
    book.middle += this.#random.below(21) - 10;
    const side = (sign: -1 | 1): Pair[] =>
      Array.from({ length: book.levels }, (_, index) => [
        this.#price(book.middle + sign * (index + 1)),
        this.#amount(book),
      ]);
    return this.#frame({ type: "snapshot", product_id: book.native, bids: side(-1), asks: side(1) });
  }

  /** One event of some changes near the middle, which may move by a tick. */
  update(book: MarketBook): Uint8Array {
    const random = this.#random;
    // A price never comes near to nothing.
    const step = book.middle < 2 * book.levels + NEAR_NOTHING ? 1 : random.below(3) - 1;
    book.middle += step;
    const factor = random.below(LARGE_ONE_IN) === 0 ? LARGE_FACTOR : 1;
    const count = (CHANGES_MIN + random.below(CHANGES_SPREAD)) * factor;
    // Whatever stood at the middle, and where the other side is now, goes away first.
    let changes = "";
    for (let tick = book.middle - Math.abs(step); tick <= book.middle + Math.abs(step); tick++) {
      changes += tick <= book.middle ? `["sell","${this.#price(tick)}","0"],` : "";
      changes += tick >= book.middle ? `["buy","${this.#price(tick)}","0"],` : "";
    }
    for (let index = 0; index < count; index++) {
      changes += this.#change(book);
    }
    const text = `{"type":"l2update","product_id":"${book.native}","changes":[${changes.slice(0, -1)}],"time":"${this.#time()}"}`;
    return this.#encoder.encode(text);
  }

  /** A level that comes and goes at a price with one more digit than all before: the book is scaled. @returns undefined when it has enough */
  refine(book: MarketBook): Uint8Array | undefined {
    if (book.isWide || book.decimals >= DECIMALS_MAX) {
      return undefined;
    }
    book.decimals += 1;
    const price = `${this.#price(book.middle - 2)}${"0".repeat(book.decimals - 3)}1`;
    const changes = [
      ["buy", price, this.#amount(book)],
      ["buy", price, "0"],
    ];
    return this.#frame({ type: "l2update", product_id: book.native, changes });
  }

  #change(book: MarketBook): string {
    const random = this.#random;
    // Most changes are near the middle.
    const share = random.next() / WORD;
    const distance = 1 + Math.floor(book.levels * share * share * share);
    const isBid = (random.next() & 1) === 0;
    const price = this.#price(book.middle + (isBid ? -distance : distance));
    const quantity = (random.next() & (REMOVE_ONE_IN - 1)) === 0 ? "0" : this.#amount(book);
    return isBid ? `["buy","${price}","${quantity}"],` : `["sell","${price}","${quantity}"],`;
  }

  #amount({ isWide }: MarketBook): string {
    const list = isWide ? this.#wideQuantities : this.#quantities;
    return list[this.#random.next() & (QUANTITIES - 1)] ?? "1";
  }

  /** Amounts as they come: round ones, small ones, ones with all digits. */
  #quantity(): string {
    const whole = this.#random.below(4) === 0 ? this.#random.below(1000) : this.#random.below(3);
    const digits = this.#lots().slice(0, 1 + this.#random.below(DIGITS));
    return `${whole}.${digits}1`.slice(0, `${whole}.`.length + DIGITS);
  }

  #lots(): string {
    return String(1 + this.#random.below(LOTS_MAX - 1)).padStart(DIGITS, "0");
  }

  #price(tick: number): string {
    const known = this.#prices[tick];
    if (known !== undefined) {
      return known;
    }
    const cents = String(tick % TICKS_PER_UNIT).padStart(2, "0");
    const price = `${Math.floor(tick / TICKS_PER_UNIT)}.${cents}`;
    this.#prices[tick] = price;
    return price;
  }

  #frame(message: object): Uint8Array {
    return this.#encoder.encode(JSON.stringify({ ...message, time: this.#time() }));
  }

  /** Some microseconds later than the last. */
  #time(): string {
    this.#frames += 1;
    const micros = this.#frames * 37;
    const date = new Date(START_MS + Math.floor(micros / 1000)).toISOString().slice(0, -1);
    return `${date}${String(micros % 1000).padStart(3, "0")}Z`;
  }
}
