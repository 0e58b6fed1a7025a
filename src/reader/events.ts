/**
 * What a reader of segments is given: records as plain values, and outcomes as values too, because loss is something to
 * act on and no error. Prices and quantities are integers in ticks and lots; `instrument.price` and `instrument.quantity`
 * make exact decimal text of them. Bad case: a consumer that ignores `lapped` and `epoch`; its own books are wrong then.
 */
import type { AssuranceWord } from "../model/states.ts";

/** An instrument of a segment. */
export type SegmentInstrument = {
  /** `exchange:BASE-QUOTE`. */
  readonly name: string;
  readonly exchange: string;
  /** `BASE-QUOTE`. */
  readonly symbol: string;
  /** The exchange's own spelling. */
  readonly native: string;
  /** Within the epoch of its segment; a rescale gives the instrument a fresh one. */
  readonly id: number;
  /** Decimals of a tick; −1 = not known yet. */
  readonly priceExponent: number;
  /** Decimals of a lot; −1 = not known yet. */
  readonly quantityExponent: number;
  /** Levels per side that are subscribed; 0 = all. */
  readonly depth: number;
  /** How the exchange lets us know that the book is right. */
  readonly assurance: AssuranceWord | "unknown";
  /** Ticks as exact decimal text. */
  price(ticks: bigint): string;
  /** Lots as exact decimal text. */
  quantity(lots: bigint): string;
};

/** One level's fresh absolute quantity. */
export type LevelChange = {
  readonly side: "bid" | "ask";
  readonly priceTicks: bigint;
  /** 0 = the level is gone. */
  readonly quantityLots: bigint;
  /** The level was not there before. */
  readonly isAdded: boolean;
};

/** A delta record: at most 16 changes of one book; an event with more goes on in the next record until `isLast`. */
export type DeltaEvent = {
  readonly kind: "delta";
  readonly instrument: SegmentInstrument;
  /** +1 per record and book within an epoch. */
  readonly version: bigint;
  /** What the exchange numbered; 0 = nothing. */
  readonly sourceSequence: bigint;
  /** Unix ns by the exchange, by us at the socket, by us at publish; 0 = unknown. */
  readonly eventAtNs: bigint;
  readonly receivedAtNs: bigint;
  readonly publishedAtNs: bigint;
  readonly isLast: boolean;
  readonly isSnapshot: boolean;
  /** The changes do not lead here: take an image of this version or later. */
  readonly isReset: boolean;
  /** The book is known to be right after this record. */
  readonly isSynced: boolean;
  readonly isCrossed: boolean;
  /** Of the whole book after this record. */
  readonly bookHash: number;
  readonly changes: readonly LevelChange[];
};

/** A trade. */
export type TradeEvent = {
  readonly kind: "trade";
  readonly instrument: SegmentInstrument;
  readonly tradeId: string;
  readonly priceTicks: bigint;
  readonly quantityLots: bigint;
  /** The taker's side. */
  readonly aggressor: "buy" | "sell" | "unknown";
  readonly isHistory: boolean;
  /** The exchange's trade ids jumped before it. */
  readonly hasGapBefore: boolean;
  readonly eventAtNs: bigint;
  readonly receivedAtNs: bigint;
  readonly publishedAtNs: bigint;
  /** +1 per trade and instrument within an epoch. */
  readonly tradeVersion: bigint;
  /** Of the book when the trade was received. */
  readonly bookVersion: bigint;
};

/** A level of a whole book. */
export type BookLevel = { readonly priceTicks: bigint; readonly quantityLots: bigint };

/** A whole book to begin with, when reading starts at images: deltas with a higher version follow. */
export type ImageEvent = {
  readonly kind: "image";
  readonly instrument: SegmentInstrument;
  readonly version: bigint;
  readonly hash: number;
  readonly isSynced: boolean;
  /** Best first. */
  readonly bids: readonly BookLevel[];
  readonly asks: readonly BookLevel[];
};

/** What happened to the reading itself. */
export type OutcomeEvent =
  /** A segment is being read from now on. */
  | { readonly kind: "attached"; readonly segment: string; readonly epoch: bigint; readonly pid: number }
  /** The ring overtook this reader: exactly so many records were lost. */
  | { readonly kind: "lapped"; readonly segment: string; readonly ring: "deltas" | "trades"; readonly lost: number }
  /** The producer began anew: what it published while it was gone is unknown; ids, versions and positions start again. */
  | { readonly kind: "epoch"; readonly segment: string; readonly epoch: bigint; readonly previous: bigint }
  /** The producer is silent or was buried: its books are not known to be right. */
  | { readonly kind: "stale"; readonly segment: string; readonly ageMs: number }
  /** It gives signs of life again. */
  | { readonly kind: "alive"; readonly segment: string }
  /** The producer ended in an orderly way, or its segment is gone. */
  | { readonly kind: "closed"; readonly segment: string }
  /** A file that cannot be trusted is left alone. */
  | { readonly kind: "refused"; readonly segment: string; readonly reason: string };

/** Everything that an iterator yields. */
export type SegmentEvent = DeltaEvent | TradeEvent | ImageEvent | OutcomeEvent;

/** What is called back. */
export type SegmentHandlers = {
  readonly delta?: (event: DeltaEvent) => void;
  readonly trade?: (event: TradeEvent) => void;
  readonly image?: (event: ImageEvent) => void;
  readonly outcome?: (event: OutcomeEvent) => void;
};

/** Gives an event to the handler of its kind. */
export function dispatch(handlers: SegmentHandlers, event: SegmentEvent): void {
  switch (event.kind) {
    case "delta":
      handlers.delta?.(event);
      break;
    case "trade":
      handlers.trade?.(event);
      break;
    case "image":
      handlers.image?.(event);
      break;
    default:
      handlers.outcome?.(event);
  }
}
