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
  /** When its last event was received, ms of the detector's clock. */
  readonly updatedAtMs: number;
  /** Of its last event, decimal. */
  readonly version: string;
  readonly hash: number;
  readonly priceExponent: number;
  readonly quantityExponent: number;
  /** Best price in ticks, as a double; NaN when the side is empty. @param side SIDE_* */
  bestTicks(side: number): number;
  /** A level, the best one is 0; undefined behind the last. @param side SIDE_* */
  level(side: number, index: number): ArbitrageLevel | undefined;
}
