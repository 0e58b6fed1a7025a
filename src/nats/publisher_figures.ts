/**
 * What a publisher says of itself in each beat, as JSON, so that whoever reads the broker can show it: a collector has no
 * page of its own. Bad case: a publisher of another build; figures that are missing count as 0, others are left out.
 */
import { z } from "zod";
import { PUBLISHER_FIGURES, type PublisherFigures } from "../model/broker_figures.ts";

const figure = z.number().min(0).max(Number.MAX_SAFE_INTEGER).default(0);
const shape = Object.fromEntries(PUBLISHER_FIGURES.map((name) => [name, figure]));
const FIGURES = z.object(shape as Record<keyof PublisherFigures, typeof figure>);

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
