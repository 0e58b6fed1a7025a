/**
 * The way of the midpoint over the last minutes in one small canvas per row of the overview. Drawn about once a second,
 * each row in another frame, so that many rows never draw together.
 * Bad case: an instrument without a synced book: the line has a hole.
 */
import type { Painter } from "./frame_loop.ts";
import type { InstrumentStore } from "./instrument_store.ts";
import { append } from "./painting.ts";
import { palette } from "./theme.ts";

const WIDTH = 96;
const HEIGHT = 22;
/** Points between two drawings: a second. */
const POINTS_PER_DRAWING = 4;
let rowsMade = 0;

/** Builds a sparkline in an element. */
export function mountSparkline(element: HTMLElement, store: InstrumentStore): Painter {
  const canvas = append(element, "canvas", "spark") as HTMLCanvasElement;
  const scale = Math.max(devicePixelRatio, 1);
  canvas.width = Math.round(WIDTH * scale);
  canvas.height = Math.round(HEIGHT * scale);
  const context = canvas.getContext("2d");
  rowsMade += 1;
  const turn = rowsMade % POINTS_PER_DRAWING;
  let drawn = "";
  return () => {
    const { series } = store;
    const state = `${Math.floor((series.count + turn) / POINTS_PER_DRAWING)} ${palette.get().name}`;
    if (state !== drawn && context !== null) {
      drawn = state;
      context.setTransform(scale, 0, 0, scale, 0, 0);
      context.clearRect(0, 0, WIDTH, HEIGHT);
      drawLine(context, series.columns[3]);
    }
  };
}

function drawLine(context: CanvasRenderingContext2D, middles: readonly (number | null)[]): void {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of middles) {
    if (value !== null) {
      least = Math.min(least, value);
      most = Math.max(most, value);
    }
  }
  const range = Math.max(most - least, Math.abs(most) * 1e-6);
  const step = Math.max(1, Math.floor(middles.length / WIDTH));
  let isDrawing = false;
  context.beginPath();
  for (let index = 0; index < middles.length; index += step) {
    const value = middles[index];
    if (value === null || value === undefined) {
      isDrawing = false;
      continue;
    }
    const x = (index / Math.max(middles.length - 1, 1)) * WIDTH;
    const y = HEIGHT - 2 - ((value - least) / range) * (HEIGHT - 4);
    if (isDrawing) {
      context.lineTo(x, y);
    } else {
      context.moveTo(x, y);
    }
    isDrawing = true;
  }
  context.strokeStyle = palette.get().mid;
  context.lineWidth = 1.25;
  context.stroke();
}
