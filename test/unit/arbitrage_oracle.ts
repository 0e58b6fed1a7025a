/**
 * A brute-force detector: every lot of a book on its own, the i-th cheapest bought against the i-th dearest sold, every
 * pair of books at every event, with fractions of BigInt. Slow and obvious; what the real one is held against.
 * Bad case: large books; quantities in these tests are a few lots.
 */

/** Levels by price in ticks → lots. */
export type PlainSide = ReadonlyMap<bigint, bigint>;
/** A book as a test made it. */
export type PlainBook = {
  readonly instrument: string;
  readonly exchange: string;
  readonly bids: PlainSide;
  readonly asks: PlainSide;
  readonly tickExponent: number;
  readonly lotExponent: number;
  readonly isUsable: boolean;
  readonly updatedAtMs: number;
  readonly feeBps: number;
};

/** What is open between two books at one moment; money in units of 10^-30. */
export type PlainOpportunity = {
  readonly key: string;
  readonly quantity: bigint;
  readonly cost: bigint;
  readonly proceeds: bigint;
  readonly profit: bigint;
};

const DIGITS = 15;

/** Everything that is open between these books at this moment. */
export function bruteForce(
  books: readonly PlainBook[],
  { nowMs, ageMsMax }: { nowMs: number; ageMsMax: number },
): PlainOpportunity[] {
  const live = books.filter(({ isUsable, updatedAtMs }) => isUsable && nowMs - updatedAtMs <= ageMsMax);
  const found = live.flatMap((buy) =>
    live.filter(({ exchange }) => exchange !== buy.exchange).map((sell) => between(buy, sell)),
  );
  return found.filter((one) => one !== undefined);
}

function between(buy: PlainBook, sell: PlainBook): PlainOpportunity | undefined {
  // One lot of the finer book is the unit of quantity.
  const lotExponent = Math.max(buy.lotExponent, sell.lotExponent);
  const asks = lots(buy, buy.asks, lotExponent).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const bids = lots(sell, sell.bids, lotExponent).sort((a, b) => (a < b ? 1 : a > b ? -1 : 0));
  let quantity = 0n;
  let cost = 0n;
  let proceeds = 0n;
  let profit = 0n;
  for (let index = 0; index < Math.min(asks.length, bids.length); index++) {
    const [ask = 0n, bid = 0n] = [asks[index], bids[index]];
    const gain = bid * BigInt(10_000 - sell.feeBps) - ask * BigInt(10_000 + buy.feeBps);
    if (gain <= 0n) {
      break;
    }
    quantity += 1n;
    cost += ask;
    proceeds += bid;
    profit += gain;
  }
  const scale = 10n ** BigInt(DIGITS - lotExponent);
  const key = `${buy.instrument} > ${sell.instrument}`;
  return quantity === 0n
    ? undefined
    : {
        key,
        quantity: quantity * scale,
        cost: cost * scale,
        proceeds: proceeds * scale,
        profit: (profit * scale) / 10_000n,
      };
}

/** The price of every single lot, in units of 10^-15. */
function lots(book: PlainBook, side: PlainSide, lotExponent: number): bigint[] {
  const priceScale = 10n ** BigInt(DIGITS - book.tickExponent);
  const lotScale = 10 ** (lotExponent - book.lotExponent);
  return [...side].flatMap(([price, quantity]) =>
    new Array<bigint>(Number(quantity) * lotScale).fill(price * priceScale),
  );
}
