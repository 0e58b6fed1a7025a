/**
 * Builds the listings of a capture from its frames: precisions from the tokens, currencies from the spelling.
 * Bad case: a Binance symbol does not say where base and quote part; the longest known quote decides, and a symbol
 * that ends in none of them is listed with its last three letters as the quote.
 */
import type { ExchangeId } from "../model/exchange_id.ts";
import type { Topic } from "./audience.ts";
import type { Listing } from "./instruments.ts";

/** Price and quantity tokens that stand side by side, in every exchange's book frames. */
const LEVEL = /(?:\["|,"|"price":)(\d+(?:\.\d+)?)(?:","|,"qty":)(\d+(?:\.\d+)?)(?=["}])/g;
const QUOTES = "USDT USDC BTC ETH BNB USD EUR GBP AUD BRL TRY RUB NGN UAH DAI TRX XRP PAX JPY".split(" ");
/** Only on Binance: on Binance.US `HNTUSD` and `BNBUSD` are pairs against USD. */
const BINANCE_QUOTES = ["FDUSD", "BUSD", "TUSD", "BIDR"];
const QUOTE_LENGTH_DEFAULT = 3;
const OLD_NAMES: Readonly<Record<string, string>> = { XBT: "BTC", XDG: "DOGE" };

type Precision = { price: number; quantity: number; pricePadding: number; quantityPadding: number };

/** Collects what the frames of a capture show of its instruments. */
export class ListingCollector {
  readonly #exchange: ExchangeId;
  readonly #precisions = new Map<string, Precision>();

  constructor(exchange: ExchangeId) {
    this.#exchange = exchange;
  }

  /** Looks at a frame. */
  frame({ kind, symbol }: Topic, text: string): void {
    if (symbol !== "" && (kind === "book" || kind === "trade")) {
      this.body(symbol, kind === "book" ? text : "");
    }
  }

  /** Looks at the levels in a text. */
  body(symbol: string, text: string): void {
    const precision = this.#precisions.get(symbol) ?? { price: 0, quantity: 0, pricePadding: 0, quantityPadding: 0 };
    this.#precisions.set(symbol, precision);
    for (const [, price = "", quantity = ""] of text.matchAll(LEVEL)) {
      precision.price = Math.max(precision.price, this.#decimals(price));
      precision.quantity = Math.max(precision.quantity, this.#decimals(quantity));
      precision.pricePadding = Math.max(precision.pricePadding, paddingOf(price));
      precision.quantityPadding = Math.max(precision.quantityPadding, paddingOf(quantity));
    }
  }

  /** The listings found, in order of their first frame. */
  listings(): Listing[] {
    return [...this.#precisions].map(([native, precision]) => ({
      native,
      ...this.#currencies(native),
      priceDecimals: precision.price,
      quantityDecimals: precision.quantity,
      pricePadding: precision.pricePadding,
      quantityPadding: precision.quantityPadding,
    }));
  }

  // Coinbase and Kraken pad to the instrument's precision; Binance pads everything alike, there only digits count.
  #decimals(token: string): number {
    const isPaddedAlike = this.#exchange === "binance" || this.#exchange === "binance_us";
    return paddingOf(isPaddedAlike && token.includes(".") ? token.replace(/0+$/, "") : token);
  }

  #currencies(native: string): Pick<Listing, "base" | "quote"> {
    const separator = native.includes("/") ? "/" : "-";
    const [base = native, quote] = native.split(separator);
    if (quote !== undefined) {
      return { base: OLD_NAMES[base] ?? base, quote: OLD_NAMES[quote] ?? quote };
    }
    const quotes = this.#exchange === "binance" ? [...BINANCE_QUOTES, ...QUOTES] : QUOTES;
    const known = quotes.filter((one) => native.endsWith(one) && native.length > one.length);
    const longest = known.sort((a, b) => b.length - a.length)[0];
    const cut = native.length - (longest?.length ?? QUOTE_LENGTH_DEFAULT);
    return { base: native.slice(0, cut), quote: native.slice(cut) };
  }
}

function paddingOf(token: string): number {
  const point = token.indexOf(".");
  return point < 0 ? 0 : token.length - point - 1;
}
