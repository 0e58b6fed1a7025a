/**
 * Which books may be traded against each other: every pair of exchanges with the same base and quote (or quotes that are
 * configured to be the same), both ways; and, when asked for, every circle through three books of one exchange, both ways.
 * A lane is one such path and the life of the opportunity on it.
 * Bad case: many exchanges with the same pair; lanes grow with the square of their number, as the comparisons do.
 */
import type { ArbitrageBook } from "./book.ts";
import { CrossPath } from "./cross_path.ts";
import type { ArbitragePath, Crossing } from "./crossing.ts";
import { TrianglePath } from "./triangle_path.ts";

/** One path and what is open on it. */
export class Lane {
  readonly path: ArbitragePath;
  /** What was found last; undefined = nothing is open. */
  crossing: Crossing | undefined;
  id = 0;
  openedAtMs = 0;
  changedAtMs = 0;
  toldAtMs = Number.NEGATIVE_INFINITY;
  profitBpsMax = 0n;
  /** Its opening was told. */
  isAnnounced = false;
  /** It changed since it was told. */
  isUntold = false;

  constructor(path: ArbitragePath) {
    this.path = path;
  }
}

/** What lanes are made by. */
export type LaneRules = {
  /** Taker fee of an exchange in parts of FEE_UNIT. */
  fee(exchange: string): bigint;
  readonly equivalents: readonly (readonly string[])[];
  readonly triangular: boolean;
};

/** All lanes between the books that were added. */
export class Lanes {
  readonly #rules: LaneRules;
  readonly #byBook = new Map<ArbitrageBook, Lane[]>();

  constructor(rules: LaneRules) {
    this.#rules = rules;
  }

  /** The lanes that a book is part of, in the order of their making. */
  of(book: ArbitrageBook): readonly Lane[] {
    return this.#byBook.get(book) ?? [];
  }

  /** Takes a book in. */
  add(book: ArbitrageBook): void {
    const others = [...this.#byBook.keys()];
    this.#byBook.set(book, []);
    for (const path of [...this.#crossPaths(book, others), ...this.#trianglePaths(book, others)]) {
      const lane = new Lane(path);
      for (const one of path.books) {
        this.#byBook.get(one)?.push(lane);
      }
    }
  }

  /** Takes a book out. @returns the lanes that it was part of, which are gone */
  remove(book: ArbitrageBook): readonly Lane[] {
    const gone = this.of(book);
    this.#byBook.delete(book);
    for (const [other, lanes] of this.#byBook) {
      if (lanes.some((lane) => gone.includes(lane))) {
        this.#byBook.set(
          other,
          lanes.filter((lane) => !gone.includes(lane)),
        );
      }
    }
    return gone;
  }

  #crossPaths(book: ArbitrageBook, others: readonly ArbitrageBook[]): ArbitragePath[] {
    const fee = ({ exchange }: ArbitrageBook) => this.#rules.fee(exchange);
    const isPeer = (other: ArbitrageBook) =>
      other.exchange !== book.exchange &&
      other.base === book.base &&
      this.#currencyOf(other.quote) === this.#currencyOf(book.quote);
    return others
      .filter(isPeer)
      .flatMap((other) => [
        new CrossPath(book, other, { buy: fee(book), sell: fee(other) }),
        new CrossPath(other, book, { buy: fee(other), sell: fee(book) }),
      ]);
  }

  #trianglePaths(book: ArbitrageBook, others: readonly ArbitrageBook[]): ArbitragePath[] {
    if (!this.#rules.triangular) {
      return [];
    }
    const fee = this.#rules.fee(book.exchange);
    const books = [...others.filter(({ exchange }) => exchange === book.exchange), book];
    return books.flatMap((direct) =>
      books
        .filter((inner) => inner.base === direct.base && inner.quote !== direct.quote)
        .flatMap((inner) =>
          books
            .filter((outer) => outer.base === inner.quote && outer.quote === direct.quote)
            .filter((outer) => [direct, inner, outer].includes(book))
            .flatMap((outer) =>
              [true, false].map((buysInner) => new TrianglePath({ direct, inner, outer }, { buysInner, fee })),
            ),
        ),
    );
  }

  #currencyOf(quote: string): string {
    return this.#rules.equivalents.find((currencies) => currencies.includes(quote))?.[0] ?? quote;
  }
}
