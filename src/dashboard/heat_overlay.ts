/**
 * What lies over the cells of a heat map: best bid and ask as lines, trades as dots, the axes of price and time, the
 * crosshair. Drawn afresh each time on a canvas of its own, so that the cells below stay untouched.
 * Bad case: exchange and page disagree about the time: trades then stand beside the moment at which they changed the book.
 */
import { formatDecimal } from "./decimal_text.ts";
import { COLUMN_MS, type DepthHistory, safeUnits } from "./depth_history.ts";
import { clockText } from "./display_text.ts";
import { type HeatGrid, lowTickOf, niceStep } from "./heat_grid.ts";
import type { HeatSize } from "./heat_map.ts";
import type { Trade } from "./market_feed.ts";
import type { Palette } from "./theme.ts";

/** Room for the price axis and the time axis, CSS pixels. */
export const AXIS_WIDTH = 76;
/** Height of the time axis, CSS pixels. */
export const AXIS_HEIGHT = 18;
const FONT = '11px "Inter", "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif';
const LABEL_EVERY_PX = 44;
const TIME_EVERY_PX = 96;
const DOT_RADIUS_MIN = 1.25;
const DOT_RADIUS_MAX = 5;

/** A cell that is pointed at. */
export type HeatCursor = { readonly column: number; readonly row: number };

/** What is drawn. */
export type Overlay = {
  readonly context: CanvasRenderingContext2D;
  readonly scale: number;
  readonly size: HeatSize;
  readonly grid: HeatGrid;
  readonly newestSlot: number;
  readonly history: DepthHistory;
  readonly trades: readonly Trade[];
  readonly colours: Palette;
  readonly cursor: HeatCursor | undefined;
};

/** Draws everything, in CSS pixels. */
export function drawOverlay(overlay: Overlay): void {
  const { context, scale, size } = overlay;
  const place = placesOf(overlay);
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  context.font = FONT;
  context.textBaseline = "middle";
  context.save();
  context.beginPath();
  context.rect(0, 0, place.width, place.height);
  context.clip();
  drawBest(overlay, place, "bid");
  drawBest(overlay, place, "ask");
  drawTrades(overlay, place);
  context.restore();
  drawPrices(overlay, place);
  drawTimes(overlay, place);
  if (overlay.cursor !== undefined && overlay.cursor.column < size.columns) {
    drawCursor(overlay, place, overlay.cursor);
  }
}

/** Where things are, in CSS pixels. */
type Places = {
  width: number;
  height: number;
  /** Left edge of a column. */
  x(slot: number): number;
  /** Middle of a tick. */
  y(tick: number): number;
};

function placesOf({ size, scale, grid, newestSlot }: Overlay): Places {
  const columnWidth = size.cellWidth / scale;
  const rowHeight = size.cellHeight / scale;
  return {
    width: size.columns * columnWidth,
    height: size.rows * rowHeight,
    x: (slot) => (size.columns - 1 - (newestSlot - slot)) * columnWidth,
    y: (tick) => (size.rows - (tick + 0.5 - grid.lowTick) / grid.ticksPerRow) * rowHeight,
  };
}

/** A stepped line; it has a hole where the book was not synced. */
function drawBest({ context, history, colours, newestSlot, size }: Overlay, place: Places, side: "bid" | "ask"): void {
  context.beginPath();
  let before: number | undefined;
  for (let slot = newestSlot - size.columns + 1; slot <= newestSlot; slot += 1) {
    const levels = history.at(slot)?.levels;
    const tick = levels?.ticks[side === "bid" ? 0 : levels.bidCount];
    if (tick === undefined) {
      before = undefined;
      continue;
    }
    const y = place.y(tick);
    if (before === undefined) {
      context.moveTo(place.x(slot), y);
    } else if (before !== y) {
      context.lineTo(place.x(slot), y);
    }
    context.lineTo(place.x(slot + 1), y);
    before = y;
  }
  context.strokeStyle = colours[side];
  context.lineWidth = 1.5;
  context.stroke();
}

function drawTrades({ context, trades, history, colours }: Overlay, place: Places): void {
  const shown = trades.filter((trade) => place.x(trade.eventAtMs / COLUMN_MS) >= 0);
  const largest = shown.reduce((most, trade) => Math.max(most, Number(trade.quantity)), 0);
  context.lineWidth = 0.75;
  context.strokeStyle = colours.name === "dark" ? "rgba(8, 12, 18, 0.85)" : "rgba(255, 255, 255, 0.9)";
  for (const trade of shown) {
    const tick = safeUnits(trade.price, Math.max(history.exponents.price, 0));
    if (tick === undefined) {
      continue;
    }
    const radius = DOT_RADIUS_MIN + (DOT_RADIUS_MAX - DOT_RADIUS_MIN) * Math.sqrt(Number(trade.quantity) / largest);
    context.beginPath();
    context.arc(place.x(trade.eventAtMs / COLUMN_MS), place.y(tick), radius, 0, 2 * Math.PI);
    context.fillStyle = trade.aggressor === "sell" ? colours.ask : colours.bid;
    context.fill();
    context.stroke();
  }
}

function drawPrices({ context, grid, history, colours, newestSlot }: Overlay, place: Places): void {
  const exponent = Math.max(history.exponents.price, 0);
  const ticksPerPixel = (grid.ticksPerRow * grid.rows) / Math.max(place.height, 1);
  const step = niceStep(Math.ceil(ticksPerPixel * LABEL_EVERY_PX));
  context.textAlign = "left";
  for (let tick = Math.ceil(grid.lowTick / step) * step; place.y(tick) > 8; tick += step) {
    const y = place.y(tick);
    if (y < place.height - 6) {
      context.fillStyle = colours.grid;
      context.fillRect(place.width, Math.round(y), 4, 1);
      context.fillStyle = colours.axis;
      context.fillText(priceText(tick, exponent), place.width + 7, y);
    }
  }
  const levels = history.at(newestSlot)?.levels;
  if (levels !== undefined) {
    const [bid, ask] = [levels.ticks[0], levels.ticks[levels.bidCount]];
    const isTight = bid !== undefined && ask !== undefined && place.y(bid) - place.y(ask) < 16;
    drawPriceLabel(context, { tick: bid, exponent, colour: colours.bid, shift: isTight ? 8 : 0, place, colours });
    drawPriceLabel(context, { tick: ask, exponent, colour: colours.ask, shift: isTight ? -8 : 0, place, colours });
  }
}

type PriceLabel = {
  tick: number | undefined;
  exponent: number;
  colour: string;
  shift: number;
  place: Places;
  colours: Palette;
};

function drawPriceLabel(context: CanvasRenderingContext2D, label: PriceLabel): void {
  const { tick, place, exponent } = label;
  if (tick === undefined || place.y(tick) < 0 || place.y(tick) > place.height) {
    return;
  }
  const y = Math.round(place.y(tick) + label.shift);
  context.fillStyle = label.colours.label;
  context.fillRect(place.width + 3, y - 8, AXIS_WIDTH - 3, 16);
  context.fillStyle = label.colour;
  context.fillText(priceText(tick, exponent), place.width + 7, y + 0.5);
}

function drawTimes({ context, size, scale, newestSlot, colours }: Overlay, place: Places): void {
  const slotsPerLabel = Math.ceil((TIME_EVERY_PX * scale) / size.cellWidth);
  const seconds = [5, 10, 15, 30, 60, 120].find((every) => (every * 1_000) / COLUMN_MS >= slotsPerLabel) ?? 120;
  const every = (seconds * 1_000) / COLUMN_MS;
  context.textAlign = "center";
  for (let slot = Math.floor(newestSlot / every) * every; place.x(slot) > 24; slot -= every) {
    if (place.x(slot) > place.width - 24) {
      continue;
    }
    context.fillStyle = colours.grid;
    context.fillRect(Math.round(place.x(slot)), place.height, 1, 4);
    context.fillStyle = colours.axis;
    context.fillText(clockText(slot * COLUMN_MS).slice(0, 8), place.x(slot), place.height + 11);
  }
}

function drawCursor(
  { context, grid, history, size, scale, colours }: Overlay,
  place: Places,
  cursor: HeatCursor,
): void {
  const x = ((cursor.column + 0.5) * size.cellWidth) / scale;
  const y = ((cursor.row + 0.5) * size.cellHeight) / scale;
  context.strokeStyle = colours.crosshair;
  context.lineWidth = 1;
  context.setLineDash([3, 3]);
  context.beginPath();
  context.moveTo(x, 0);
  context.lineTo(x, place.height);
  context.moveTo(0, y);
  context.lineTo(place.width, y);
  context.stroke();
  context.setLineDash([]);
  context.fillStyle = colours.text;
  context.fillRect(place.width + 3, y - 8, AXIS_WIDTH - 3, 16);
  context.fillStyle = colours.label;
  context.textAlign = "left";
  const exponent = Math.max(history.exponents.price, 0);
  context.fillText(priceText(lowTickOf(grid, cursor.row), exponent), place.width + 7, y + 0.5);
}

/** A price in ticks as text. @param tick below 10^15 */
export function priceText(tick: number, exponent: number): string {
  return formatDecimal({ units: BigInt(tick), decimals: exponent });
}
