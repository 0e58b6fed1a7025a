/**
 * The depth chart: cumulative quantity from the best price outwards on both sides, with a reading of the exact sum under
 * the pointer. Drawn from the newest column of the depth history, so it shows one version of the book.
 * Bad case: one side is much deeper than what is kept of the other: the price axis ends where the nearer one ends.
 */
import { formatDecimal } from "./decimal_text.ts";
import { type DepthExponents, type DepthLevels, lotsValue } from "./depth_history.ts";
import type { Painter } from "./frame_loop.ts";
import { niceStep } from "./heat_grid.ts";
import { priceText } from "./heat_overlay.ts";
import type { InstrumentStore } from "./instrument_store.ts";
import { append } from "./painting.ts";
import { palette } from "./theme.ts";

const FONT = '11px "Inter", "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif';
const AXIS_HEIGHT = 18;
const HEAD_HEIGHT = 8;
const AMOUNT_EVERY_PX = 70;

/** Where the chart's axes stand: ticks and lots to CSS pixels. */
type Axes = { middle: number; reach: number; most: number; width: number; height: number };

/** Builds a depth chart. @param reading where the sum under the pointer is written; empty otherwise */
export function mountDepthChart(element: HTMLElement, store: InstrumentStore, reading: HTMLElement): Painter {
  const canvas = append(element, "canvas", "depth_canvas") as HTMLCanvasElement;
  const context = canvas.getContext("2d");
  if (context === null) {
    throw new Error("Cannot draw the depth chart: the canvas has no 2d context, was null");
  }
  let pointer: number | undefined;
  let shown = "";
  const point = (x: number | undefined) => {
    pointer = x;
    shown = "";
    store.mark();
  };
  // Asking an element for its size in every frame would lay out the whole page each time.
  let size = { width: 0, height: 0 };
  const observer = new ResizeObserver(([entry]) => {
    size = entry === undefined ? size : { width: entry.contentRect.width, height: entry.contentRect.height };
    store.mark();
  });
  observer.observe(element);
  canvas.addEventListener("pointermove", (event) => point(event.offsetX));
  canvas.addEventListener("pointerdown", (event) => point(event.offsetX));
  canvas.addEventListener("pointerleave", () => point(undefined));
  return () => {
    const { newest } = store.depth;
    const { width, height } = size;
    const state = `${newest?.slot} ${width} ${height} ${palette.get().name}`;
    if (shown === state || newest === undefined || width === 0) {
      return;
    }
    shown = state;
    fitCanvas(canvas, width, height);
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    context.clearRect(0, 0, width, height);
    element.dataset.version = newest.levels === undefined ? "" : newest.version;
    const axes = newest.levels === undefined ? undefined : axesOf(newest.levels, { width, height });
    if (newest.levels === undefined || axes === undefined) {
      reading.textContent = newest.levels === undefined ? "not synced" : "one side is empty";
      return;
    }
    draw(context, newest.levels, { axes, exponent: store.depth.exponents });
    const text = pointer === undefined ? "" : pointed(context, newest.levels, { axes, pointer, store });
    reading.textContent = text;
  };
}

function fitCanvas(canvas: HTMLCanvasElement, width: number, height: number): void {
  const [deviceWidth, deviceHeight] = [Math.round(width * devicePixelRatio), Math.round(height * devicePixelRatio)];
  if (canvas.width !== deviceWidth || canvas.height !== deviceHeight) {
    canvas.width = deviceWidth;
    canvas.height = deviceHeight;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
}

function axesOf(levels: DepthLevels, { width, height }: { width: number; height: number }): Axes | undefined {
  const { ticks, bidCount } = levels;
  const [bid, ask] = [ticks[0], ticks[bidCount]];
  if (bidCount === 0 || bid === undefined || ask === undefined) {
    return undefined;
  }
  const middle = (bid + ask) / 2;
  const within = (count: number, first: number) => ticks[first + Math.max(0, Math.floor(count * 0.9) - 1)] ?? middle;
  const farBid = middle - within(bidCount, 0);
  const farAsk = within(ticks.length - bidCount, bidCount) - middle;
  const reach = Math.max(Math.min(farBid, farAsk), 1);
  const sum = (first: number, end: number) => {
    let total = 0;
    for (let index = first; index < end && Math.abs((ticks[index] ?? 0) - middle) <= reach; index += 1) {
      total += lotsValue(levels, index);
    }
    return total;
  };
  const most = Math.max(sum(0, bidCount), sum(bidCount, ticks.length), 1) * 1.05;
  return { middle, reach, most, width, height: height - AXIS_HEIGHT };
}

function draw(
  context: CanvasRenderingContext2D,
  levels: DepthLevels,
  { axes, exponent }: { axes: Axes; exponent: DepthExponents },
): void {
  const colours = palette.get();
  drawAxis(context, axes, exponent.price);
  drawAmounts(context, axes, exponent.quantity);
  const asks = levels.ticks.length;
  drawSide(context, levels, { axes, first: 0, end: levels.bidCount, stroke: colours.bid, fill: colours.bidFill });
  drawSide(context, levels, { axes, first: levels.bidCount, end: asks, stroke: colours.ask, fill: colours.askFill });
}

type Side = { axes: Axes; first: number; end: number; stroke: string; fill: string };

function drawSide(context: CanvasRenderingContext2D, levels: DepthLevels, side: Side): void {
  const { axes, first, end } = side;
  const edge = first === 0 ? 0 : axes.width;
  let total = 0;
  context.beginPath();
  context.moveTo(xOf(axes, levels.ticks[first] ?? 0), axes.height);
  for (let index = first; index < end; index += 1) {
    const tick = levels.ticks[index] ?? 0;
    if (Math.abs(tick - axes.middle) > axes.reach) {
      break;
    }
    context.lineTo(xOf(axes, tick), yOf(axes, total));
    total += lotsValue(levels, index);
    context.lineTo(xOf(axes, tick), yOf(axes, total));
  }
  context.lineTo(edge, yOf(axes, total));
  context.strokeStyle = side.stroke;
  context.lineWidth = 1.5;
  context.stroke();
  context.lineTo(edge, axes.height);
  context.fillStyle = side.fill;
  context.fill();
}

function drawAxis(context: CanvasRenderingContext2D, axes: Axes, exponent: number): void {
  const colours = palette.get();
  const step = niceStep(Math.ceil((2 * axes.reach * 92) / axes.width));
  context.font = FONT;
  context.textAlign = "center";
  context.textBaseline = "middle";
  const least = Math.ceil((axes.middle - axes.reach) / step) * step;
  for (let tick = least; tick <= axes.middle + axes.reach; tick += step) {
    const x = xOf(axes, tick);
    context.fillStyle = colours.grid;
    context.fillRect(Math.round(x), HEAD_HEIGHT, 1, axes.height - HEAD_HEIGHT);
    if (x > 34 && x < axes.width - 34) {
      context.fillStyle = colours.axis;
      context.fillText(priceText(tick, exponent), x, axes.height + 11);
    }
  }
}

/** Lines at round amounts, each with its amount. */
function drawAmounts(context: CanvasRenderingContext2D, axes: Axes, exponent: number): void {
  const colours = palette.get();
  const step = niceStep(Math.ceil(axes.most / Math.max(axes.height / AMOUNT_EVERY_PX, 1)));
  context.textAlign = "left";
  for (let lots = step; lots < axes.most; lots += step) {
    const y = Math.round(yOf(axes, lots));
    context.fillStyle = colours.grid;
    context.fillRect(0, y, axes.width, 1);
    context.fillStyle = colours.axis;
    const text = formatDecimal({ units: BigInt(lots), decimals: exponent });
    context.fillText(text.includes(".") ? text.replace(/\.?0+$/, "") : text, 2, y - 7);
  }
}

/** Draws the line under the pointer. @returns what stands there, exact */
function pointed(
  context: CanvasRenderingContext2D,
  levels: DepthLevels,
  { axes, pointer, store }: { axes: Axes; pointer: number; store: InstrumentStore },
): string {
  const tick = Math.round(axes.middle + (pointer / axes.width - 0.5) * 2 * axes.reach);
  context.fillStyle = palette.get().crosshair;
  context.fillRect(Math.round(pointer), HEAD_HEIGHT, 1, axes.height - HEAD_HEIGHT);
  const isBid = tick < axes.middle;
  const { price, quantity } = store.depth.exponents;
  const lots = cumulativeLots(levels, tick, isBid ? "bid" : "ask");
  const side = isBid ? "bids from" : "asks up to";
  return `${side} ${priceText(tick, price)}:  ${formatDecimal({ units: lots, decimals: quantity })}`;
}

/** The exact quantity between the best price of a side and a price, that price included, lots. */
export function cumulativeLots(levels: DepthLevels, tick: number, side: "bid" | "ask"): bigint {
  const { ticks, lots, bidCount } = levels;
  const [first, end] = side === "bid" ? [0, bidCount] : [bidCount, ticks.length];
  let sum = 0n;
  for (let index = first; index < end; index += 1) {
    const at = ticks[index] ?? 0;
    if (side === "bid" ? at < tick : at > tick) {
      break;
    }
    sum += lots[index] ?? 0n;
  }
  return sum;
}

function xOf({ middle, reach, width }: Axes, tick: number): number {
  return (0.5 + (tick - middle) / (2 * reach)) * width;
}

function yOf({ most, height }: Axes, lots: number): number {
  return height - (lots / most) * (height - HEAD_HEIGHT);
}
