/**
 * A book as the detector reads it. Nothing is copied: the best prices are looked at as doubles, and levels are read as
 * exact integers only when a crossing is near.
 * Bad case: reading between two records of one event; the owner calls the detector at the end of events only.
 */

/** Price in ticks and quantity in lots. */
export type ArbitrageLevel = { readonly price: bigint; readonly quantity: bigint };

/** One book of one exchange. */
export interface ArbitrageBook {
  /** `exchange:BASE-QUOTE` */
  readonly instrument: string;
  readonly exchange: string;
  readonly base: string;
  readonly quote: string;
  /** Known to be right at this moment: synced, and not crossed in itself. */
  readonly isUsable: boolean;
  /** Between two events; in the middle of one it is neither walked nor closed: its end is judged. */
  readonly isWhole: boolean;
  /** When its last event was received, ms of the detector's clock. */
  readonly updatedAtMs: number;
  /** Of its last event. */
  readonly version: number;
  readonly hash: number;
  /** Digits after the point, 0 … 18. */
  readonly priceExponent: number;
  readonly quantityExponent: number;
  /** Best price as a double, off by a few parts in 10^16 at most; NaN when the side is empty. @param side SIDE_* */
  bestPrice(side: number): number;
  /** A level, the best one is 0; undefined behind the last. @param side SIDE_* */
  level(side: number, index: number): ArbitrageLevel | undefined;
  /**
   * The best levels as doubles, ticks and lots in turn, as many as fit; exact up to 2^53, larger ones are told too large.
   * @param side SIDE_* @returns how many levels
   */
  readLevels(side: number, out: Float64Array): number;
}
