/**
 * What a subscription of the book channel needs of a view, whatever makes it: the book of an instrument itself, or one
 * that holds its best levels or changes more seldom. Bad case: a view that begins in the middle of an event; `isReady`.
 */
import type { ViewOutput } from "./view_output.ts";

/** A book that can be subscribed: one depth and rate of one instrument. */
export interface StreamView {
  readonly output: ViewOutput;
  /** A client can be given the view now. */
  readonly isReady: boolean;
  /** Sends what waits to those who follow, so that whoever begins now gets nothing twice. */
  flush(): void;
}
