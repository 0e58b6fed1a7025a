/**
 * What happens in a synthetic book: a level's new quantity, an execution, a move of the best prices.
 * Bad case: a level that comes and goes within one event; both changes are kept, in order, because each has its number.
 */
import type { BookSide } from "./ladder.ts";

/** One level's absolute new quantity. */
export type Change = {
  side: BookSide;
  /** Ticks. */
  price: number;
  /** Lots; 0 removes. */
  quantity: number;
  /** Lots before this change; 0 when there was no level. */
  before: number;
};

/** One execution against one resting order. */
export type Fill = {
  id: number;
  /** The exchange's own count of everything that happens in the book. */
  sequence: number;
  /** Ticks. */
  price: number;
  /** Lots. */
  quantity: number;
  /** The side of the book that was consumed: ASK when the taker bought. */
  maker: BookSide;
  /** Number of the taker's order: fills of one order share it. */
  order: number;
  /** Simulated microseconds. */
  atUs: number;
};

/** The best levels after an event. */
export type Touch = { updateId: number; bid: number; bidQuantity: number; ask: number; askQuantity: number };
