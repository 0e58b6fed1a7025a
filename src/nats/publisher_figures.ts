/**
 * What a publisher says of itself in each beat, as JSON, so that whoever reads the broker can show it: a collector has no
 * page of its own. Bad case: a publisher of another build; figures that are missing count as 0, others are left out.
 */
import { z } from "zod";

const figure = z.number().min(0).max(Number.MAX_SAFE_INTEGER).default(0);

const FIGURES = z.object({
  /** Messages sent, whole books included, and their bytes. */
  messages: figure,
  bytes: figure,
  deltas: figure,
  trades: figure,
  snapshots: figure,
  /** Times that the ring was read again from what the broker had stored. */
  rewinds: figure,
  /** Records that the ring forgot before the broker stored them. */
  lostDeltas: figure,
  lostTrades: figure,
  attempts: figure,
  disconnects: figure,
  reconnects: figure,
  /** Bytes sent that the broker has not stored yet. */
  underWay: figure,
});

/** A publisher's figures; counters since its start, but for `underWay`. */
export type PublisherFigures = z.output<typeof FIGURES>;

/** Figures as bytes. */
export function encodeFigures(figures: PublisherFigures): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(figures));
}

/** Reads figures. @returns undefined when they are none */
export function decodeFigures(bytes: Uint8Array): PublisherFigures | undefined {
  try {
    return FIGURES.parse(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
  } catch {
    return undefined;
  }
}
