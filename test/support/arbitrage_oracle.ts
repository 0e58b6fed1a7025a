/**
 * Brute-force detectors: every lot of a book on its own, the i-th cheapest bought against the i-th dearest sold, every pair
 * of books at every event; in a circle, what every further lot costs when all are paid for from the beginning. Slow and
 * obvious; what the real one is held against. Bad case: large books; quantities in these tests are a few lots.
 */

/** Levels by price in ticks → lots. */
export type PlainSide = ReadonlyMap<bigint, bigint>;
/** A book as a test made it. */
export type PlainBook = {
  readonly instrument: string;
  readonly exchange: string;
  readonly base: string;
  readonly quote: string;
  readonly bids: PlainSide;
  readonly asks: PlainSide;
  readonly priceExponent: number;
  readonly quantityExponent: number;
  readonly isUsable: boolean;
  readonly updatedAtMs: number;
};

/** What is open on one way at one moment; the quantity in units of 10^-MONEY_DIGITS, too. */
export type PlainOpportunity = { readonly key: string; readonly quantity: bigint; readonly profit: bigint };

/** What counts. */
export type PlainRules = {
  readonly nowMs: number;
  readonly ageMsMax: number;
  /** Whole basis points by exchange. */
  readonly feesBps: Readonly<Record<string, number>>;
};

/** Digits after the point of all sums: exact for exponents up to 8. */
export const MONEY_DIGITS = 60;
const ONE = 10n ** BigInt(MONEY_DIGITS);

/** Everything that is open across exchanges. */
export function bruteForce(books: readonly PlainBook[], rules: PlainRules): PlainOpportunity[] {
  const live = liveOf(books, rules);
  const isPeer = (one: PlainBook, other: PlainBook) =>
    one.exchange !== other.exchange && one.base === other.base && one.quote === other.quote;
  const found = live.flatMap((buy) =>
    live.filter((sell) => isPeer(buy, sell)).map((sell) => between(buy, sell, rules.feesBps)),
  );
  return found.filter((one) => one !== undefined).sort(byKey);
}

/** Everything that is open in circles within exchanges. */
export function bruteCircles(books: readonly PlainBook[], rules: PlainRules): PlainOpportunity[] {
  const live = liveOf(books, rules);
  const found = live.flatMap((direct) =>
    live.flatMap((inner) =>
      live
        .filter((outer) => new Set([direct.exchange, inner.exchange, outer.exchange]).size === 1)
        .filter((outer) => direct.base === inner.base && inner.quote === outer.base && outer.quote === direct.quote)
        .flatMap((outer) => [
          circle({ direct, inner, outer }, { buysInner: true, feesBps: rules.feesBps }),
          circle({ direct, inner, outer }, { buysInner: false, feesBps: rules.feesBps }),
        ]),
    ),
  );
  return found.filter((one) => one !== undefined).sort(byKey);
}

/** For comparing lists. */
export function byKey(one: { key: string }, other: { key: string }): number {
  return one.key < other.key ? -1 : one.key > other.key ? 1 : 0;
}

function liveOf(books: readonly PlainBook[], { nowMs, ageMsMax }: PlainRules): PlainBook[] {
  return books.filter(({ isUsable, updatedAtMs }) => isUsable && nowMs - updatedAtMs <= ageMsMax);
}

function between(
  buy: PlainBook,
  sell: PlainBook,
  feesBps: Readonly<Record<string, number>>,
): PlainOpportunity | undefined {
  const lotExponent = Math.max(buy.quantityExponent, sell.quantityExponent);
  const asks = lotPrices(buy, "asks", lotExponent);
  const bids = lotPrices(sell, "bids", lotExponent);
  const [paid, got] = [BigInt(10_000 + (feesBps[buy.exchange] ?? 0)), BigInt(10_000 - (feesBps[sell.exchange] ?? 0))];
  let quantity = 0n;
  let profit = 0n;
  for (let index = 0; index < Math.min(asks.length, bids.length); index++) {
    const gain = (bids[index] ?? 0n) * got - (asks[index] ?? 0n) * paid;
    if (gain <= 0n) {
      break;
    }
    quantity += 1n;
    profit += gain;
  }
  const scale = 10n ** BigInt(lotExponent);
  const key = `${buy.instrument} > ${sell.instrument}`;
  return quantity === 0n ? undefined : { key, quantity: (quantity * ONE) / scale, profit: profit / 10_000n / scale };
}

function circle(
  { direct, inner, outer }: Record<"direct" | "inner" | "outer", PlainBook>,
  { buysInner, feesBps }: { buysInner: boolean; feesBps: Readonly<Record<string, number>> },
): PlainOpportunity | undefined {
  const fee = feesBps[direct.exchange] ?? 0;
  const [paid, got] = [BigInt(10_000 + fee), BigInt(10_000 - fee)];
  const lotExponent = Math.max(direct.quantityExponent, inner.quantityExponent);
  const scale = 10n ** BigInt(lotExponent);
  const directPrices = lotPrices(direct, buysInner ? "bids" : "asks", lotExponent);
  const innerPrices = lotPrices(inner, buysInner ? "asks" : "bids", lotExponent);
  const side = buysInner ? "asks" : "bids";
  let quantity = 0n;
  let passed = 0n;
  let money = 0n;
  for (let index = 0; index < Math.min(directPrices.length, innerPrices.length); index++) {
    const through = passed + ((innerPrices[index] ?? 0n) * (buysInner ? paid : got)) / 10_000n / scale;
    const outside = worthOf(outer, side, through);
    const before = worthOf(outer, side, passed);
    if (outside === undefined || before === undefined) {
      break;
    }
    const directMoney = (directPrices[index] ?? 0n) / scale;
    const gain = buysInner
      ? directMoney * got - (outside - before) * paid
      : (outside - before) * got - directMoney * paid;
    if (gain <= 0n) {
      break;
    }
    quantity += 1n;
    passed = through;
    money += gain;
  }
  const key = (buysInner ? [outer, inner, direct] : [direct, inner, outer]).map(({ instrument }) => instrument);
  return quantity === 0n
    ? undefined
    : { key: key.join(" > "), quantity: (quantity * ONE) / scale, profit: money / 10_000n };
}

/** What an amount of the base costs or brings, taken from the best level on; undefined when the side has less. */
function worthOf(book: PlainBook, side: "bids" | "asks", amount: bigint): bigint | undefined {
  let rest = amount;
  let worth = 0n;
  for (const [price, lots] of sorted(book, side)) {
    const size = (lots * ONE) / 10n ** BigInt(book.quantityExponent);
    const part = rest < size ? rest : size;
    worth += (part * price) / 10n ** BigInt(book.priceExponent);
    rest -= part;
  }
  return rest === 0n ? worth : undefined;
}

/** The price of every single lot, best first, in units of 10^-MONEY_DIGITS. */
function lotPrices(book: PlainBook, side: "bids" | "asks", lotExponent: number): bigint[] {
  const lots = 10 ** (lotExponent - book.quantityExponent);
  return sorted(book, side).flatMap(([price, quantity]) =>
    new Array<bigint>(Number(quantity) * lots).fill((price * ONE) / 10n ** BigInt(book.priceExponent)),
  );
}

function sorted(book: PlainBook, side: "bids" | "asks"): [bigint, bigint][] {
  const sign = side === "bids" ? -1 : 1;
  return [...book[side]].sort(([one], [other]) => sign * (one < other ? -1 : 1));
}
