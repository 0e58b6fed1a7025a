/**
 * Which price stands in which row of a heat map, what quantity a cell holds, and which colour that is. A row covers a
 * whole number of ticks; a cell holds the sum of all levels of its row. Pure: numbers in, numbers out.
 * Bad case: a row beyond the levels that are kept: its sum would be too small, so it is UNKNOWN and painted as such.
 */
import { type DepthLevels, lotsValue } from "./depth_history.ts";

/** The sum of a row that reaches beyond the known levels. */
export const UNKNOWN = -1;
/** Heat steps: 0 is empty, 1 … HEAT_STEPS − 1 from little to much. */
export const HEAT_STEPS = 256;
/** The largest quantity of a scale is so many times the smallest that has a colour of its own: 2^7. */
const SCALE_DOUBLINGS = 7;
/** The part of the kept levels that counts for a fitting row height: the outermost may stand alone far away. */
const REACH_SHARE = 0.9;
/** The part of their reach that is shown: closer, the moves of the price can be seen. */
const SHOWN_SHARE = 0.4;
/** A book of fewer levels a side is shallow: so many times their reach is shown. */
const SHALLOW_LEVELS = 100;
const SHOWN_SHALLOW = 2;
/** The half of the height has room for so many times the recent move. */
const MOVED_SHARE = 1.2;

/** Rows of a heat map; row 0 is the highest price. */
export type HeatGrid = {
  readonly rows: number;
  readonly ticksPerRow: number;
  /** The lowest tick of the lowest row, a multiple of `ticksPerRow`. */
  readonly lowTick: number;
};

/** The lowest tick of a row; the row ends before the lowest tick of the row above. */
export function lowTickOf(grid: HeatGrid, row: number): number {
  return grid.lowTick + (grid.rows - 1 - row) * grid.ticksPerRow;
}

/** The row of a tick; outside 0 … rows − 1 when it is not in the grid. */
export function rowOf(grid: HeatGrid, tick: number): number {
  return grid.rows - 1 - Math.floor((tick - grid.lowTick) / grid.ticksPerRow);
}

/** A grid that has a price in its middle. */
export function centredGrid(tick: number, { rows, ticksPerRow }: { rows: number; ticksPerRow: number }): HeatGrid {
  const middle = Math.floor(tick / ticksPerRow);
  return { rows, ticksPerRow, lowTick: (middle - Math.floor(rows / 2)) * ticksPerRow };
}

/**
 * Writes the quantity of every row, lots as doubles.
 * @param sums at least `rows` long; UNKNOWN where the levels do not reach
 * @returns the largest of them
 */
export function sumRows(grid: HeatGrid, levels: DepthLevels, sums: Float64Array): number {
  const { rows, ticksPerRow, lowTick } = grid;
  const { ticks, bidCount, lowestKnown, highestKnown } = levels;
  for (let row = 0; row < rows; row += 1) {
    const low = lowTickOf(grid, row);
    sums[row] = low < lowestKnown || low + ticksPerRow - 1 > highestKnown ? UNKNOWN : 0;
  }
  const top = lowTick + rows * ticksPerRow;
  let largest = 0;
  const add = (index: number, tick: number) => {
    const row = rowOf(grid, tick);
    const sum = sums[row];
    if (sum !== undefined && sum >= 0) {
      sums[row] = sum + lotsValue(levels, index);
      largest = Math.max(largest, sums[row]);
    }
  };
  for (let index = 0; index < bidCount; index += 1) {
    const tick = ticks[index] ?? 0;
    if (tick < lowTick) {
      break;
    }
    add(index, tick);
  }
  for (let index = bidCount; index < ticks.length; index += 1) {
    const tick = ticks[index] ?? 0;
    if (tick >= top) {
      break;
    }
    add(index, tick);
  }
  return largest;
}

/** The exact quantity of a cell, lots; undefined where the levels do not reach. */
export function cellLots(grid: HeatGrid, row: number, levels: DepthLevels): bigint | undefined {
  const low = lowTickOf(grid, row);
  const end = low + grid.ticksPerRow;
  if (low < levels.lowestKnown || end - 1 > levels.highestKnown) {
    return undefined;
  }
  let sum = 0n;
  for (let index = 0; index < levels.ticks.length; index += 1) {
    const tick = levels.ticks[index] ?? 0;
    sum += tick >= low && tick < end ? (levels.lots[index] ?? 0n) : 0n;
  }
  return sum;
}

/**
 * The colour of a quantity on a logarithmic scale.
 * @param value lots, ≥ 0
 * @param full lots from which on the colour is the strongest
 * @returns 0 for nothing, else 1 … HEAT_STEPS − 1
 */
export function heatStep(value: number, full: number): number {
  if (value <= 0) {
    return 0;
  }
  const share = 1 + Math.log2(value / full) / SCALE_DOUBLINGS;
  return 1 + Math.round((HEAT_STEPS - 2) * Math.min(Math.max(share, 0), 1));
}

/** The scale for a largest quantity: the power of two at or above it; kept while the largest is within a quarter of it. */
export function fullScale(largest: number, before: number): number {
  if (largest <= before && largest >= before / 4 && before > 0) {
    return before;
  }
  return largest > 0 ? 2 ** Math.ceil(Math.log2(largest)) : Math.max(before, 1);
}

/** The smallest quantity that has a colour of its own. */
export function scaleFloor(full: number): number {
  return full / 2 ** SCALE_DOUBLINGS;
}

/** 1, 2, 5, 10, 20 … : the first that is not below a number. */
export function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least) ?? 1;
}

/** The next step up or down in 1, 2, 5, 10, 20 …; never below 1. */
export function neighbourStep(step: number, direction: 1 | -1): number {
  if (direction > 0) {
    return niceStep(step + 1);
  }
  const power = 10 ** Math.floor(Math.log10(step));
  const candidates = [power / 2, power, 2 * power, 5 * power].filter((other) => other < step && other >= 1);
  return candidates.at(-1) ?? 1;
}

/**
 * A row height of 1, 2, 5, 10 … ticks: of a deep book well within the known levels, of a shallow one some times their
 * reach; and at least what the price moved lately.
 * @param rows of the grid
 * @param moved ticks between the lowest and the highest best price of the time shown
 */
export function fittingTicks(levels: DepthLevels, rows: number, moved: number): number {
  const { ticks, bidCount } = levels;
  const [bestBid, bestAsk] = [ticks[0], ticks[bidCount]];
  if (bestBid === undefined || bestAsk === undefined || bidCount === 0) {
    return 1;
  }
  const reach = (first: number, count: number) => {
    const deepest = ticks[first + Math.floor((count - 1) * REACH_SHARE)] ?? 0;
    return Math.abs(deepest - (ticks[first] ?? 0));
  };
  const span = Math.min(reach(0, bidCount), reach(bidCount, ticks.length - bidCount));
  const share = ticks.length < 2 * SHALLOW_LEVELS ? SHOWN_SHALLOW : SHOWN_SHARE;
  const half = Math.max(share * span, MOVED_SHARE * moved);
  return neighbourStep(Math.floor(half / Math.max(rows / 2, 1)) + 1, -1);
}
