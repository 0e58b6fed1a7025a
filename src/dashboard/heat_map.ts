/**
 * The cells of a heat map on a canvas: a column per COLUMN_MS, a row per price step, one colour per cell. A further column
 * moves the picture and paints itself only; a changed grid, scale or palette repaints a bounded number of columns a frame.
 * Bad case: a jump of the price moves the grid and everything is repainted: newest columns first, the rest within frames.
 */
import { COLUMNS_MAX, type DepthColumn, type DepthHistory } from "./depth_history.ts";
import { fullScale, HEAT_STEPS, type HeatGrid, heatStep, sumRows, UNKNOWN } from "./heat_grid.ts";
import type { Palette } from "./theme.ts";

/** Columns painted in one frame at most. */
const COLUMNS_PER_FRAME = 60;

/** Size of the map in cells, and of a cell in device pixels. */
export type HeatSize = {
  readonly columns: number;
  readonly rows: number;
  readonly cellWidth: number;
  readonly cellHeight: number;
};

/** What a map shows. */
export type HeatView = { readonly grid: HeatGrid; readonly newestSlot: number; readonly colours: Palette };

/** Colours as the canvas holds them. */
type Inks = { readonly palette: Palette; readonly steps: Uint32Array; readonly unknown: number; readonly hole: number };

/** Paints cells into a canvas. */
export class HeatMap {
  readonly #context: CanvasRenderingContext2D;
  readonly #history: DepthHistory;
  #size: HeatSize = { columns: 0, rows: 0, cellWidth: 1, cellHeight: 1 };
  #image: ImageData | undefined;
  #pixels = new Uint32Array(0);
  #sums = new Float64Array(0);
  #inks: Inks | undefined;
  #view: HeatView | undefined;
  #full = 0;
  /** Largest quantity of each painted column, by slot, and the columns that are still to be painted: from here down. */
  readonly #largest = new Float64Array(COLUMNS_MAX);
  #pending = -1;
  #hasGrown = false;

  constructor(canvas: HTMLCanvasElement, history: DepthHistory) {
    const context = canvas.getContext("2d", { alpha: false });
    if (context === null) {
      throw new Error("Cannot paint the heat map: the canvas has no 2d context, was null");
    }
    this.#context = context;
    this.#history = history;
  }

  get size(): HeatSize {
    return this.#size;
  }

  /** Lots of the strongest colour. */
  get full(): number {
    return this.#full;
  }

  /** Sets the size; everything is painted again. */
  resize(size: HeatSize): void {
    const { canvas } = this.#context;
    this.#size = size;
    canvas.width = size.columns * size.cellWidth;
    canvas.height = size.rows * size.cellHeight;
    this.#image = this.#context.createImageData(size.cellWidth, Math.max(canvas.height, 1));
    this.#pixels = new Uint32Array(this.#image.data.buffer);
    this.#sums = new Float64Array(size.rows);
    this.#view = undefined;
  }

  /**
   * Brings the canvas to a view.
   * @returns whether columns are still to be painted in a later frame
   */
  paint(view: HeatView): boolean {
    const before = this.#view;
    this.#view = view;
    if (this.#inks?.palette !== view.colours) {
      this.#inks = inksOf(view.colours);
      this.#pending = view.newestSlot;
    }
    const passed = before === undefined ? Number.POSITIVE_INFINITY : view.newestSlot - before.newestSlot;
    if (before?.grid !== view.grid || passed < 0 || passed >= this.#size.columns) {
      this.#pending = view.newestSlot;
    } else if (passed > 0) {
      this.#shift(passed);
      for (let slot = before.newestSlot + 1; slot <= view.newestSlot; slot += 1) {
        this.#paintSlot(slot);
      }
      this.#fitScale(view.newestSlot);
    }
    return this.#continue(view.newestSlot);
  }

  /** The slot of a column of cells. */
  slotOf(column: number): number {
    return (this.#view?.newestSlot ?? 0) - (this.#size.columns - 1 - column);
  }

  #oldestSlot(newest: number): number {
    return Math.max(newest - this.#size.columns + 1, newest - COLUMNS_MAX + 1);
  }

  /** Moves the picture to the left. */
  #shift(columns: number): void {
    const { canvas } = this.#context;
    this.#context.globalCompositeOperation = "copy";
    this.#context.drawImage(canvas, -columns * this.#size.cellWidth, 0);
    this.#context.globalCompositeOperation = "source-over";
  }

  /** Repaints with another scale when the largest quantity outgrew it, or fell far below; not while a repaint is under way. */
  #fitScale(newest: number): void {
    if (this.#hasGrown) {
      this.#hasGrown = false;
      this.#pending = newest;
    }
    if (this.#pending >= this.#oldestSlot(newest)) {
      return;
    }
    let largest = 0;
    for (let slot = newest; slot >= this.#oldestSlot(newest); slot -= 1) {
      largest = Math.max(largest, this.#history.at(slot) === undefined ? 0 : (this.#largest[slot % COLUMNS_MAX] ?? 0));
    }
    const full = fullScale(largest, this.#full);
    if (full !== this.#full) {
      this.#full = full;
      this.#pending = newest;
    }
  }

  /** Paints some of the columns that are still to be painted. @returns whether there are more */
  #continue(newest: number): boolean {
    const oldest = this.#oldestSlot(newest);
    if (this.#pending < oldest) {
      return false;
    }
    const until = Math.max(oldest, this.#pending - COLUMNS_PER_FRAME + 1);
    for (let slot = this.#pending; slot >= until; slot -= 1) {
      this.#paintSlot(slot);
    }
    this.#pending = until - 1;
    this.#fitScale(newest);
    return this.#pending >= oldest;
  }

  #paintSlot(slot: number): void {
    const { columns, cellWidth } = this.#size;
    const view = this.#view;
    const image = this.#image;
    if (view === undefined || image === undefined || this.#inks === undefined) {
      return;
    }
    const column = this.#history.at(slot);
    this.#colour(column, view, this.#inks);
    const x = (columns - 1 - (view.newestSlot - slot)) * cellWidth;
    this.#context.putImageData(image, x, 0);
  }

  /** Colours one column of cells. */
  #colour(column: DepthColumn | undefined, { grid }: HeatView, inks: Inks): void {
    const { rows, cellWidth, cellHeight } = this.#size;
    const levels = column?.levels;
    const pixelsPerRow = cellWidth * cellHeight;
    if (column === undefined || levels === undefined) {
      if (column !== undefined) {
        this.#largest[column.slot % COLUMNS_MAX] = 0;
      }
      this.#pixels.fill(column === undefined ? inks.unknown : inks.hole);
      return;
    }
    const largest = sumRows(grid, levels, this.#sums);
    this.#largest[column.slot % COLUMNS_MAX] = largest;
    if (largest > this.#full) {
      this.#full = fullScale(largest, this.#full);
      this.#hasGrown = true;
    }
    const full = this.#full;
    for (let row = 0; row < rows; row += 1) {
      const sum = this.#sums[row] ?? 0;
      const ink = sum === UNKNOWN ? inks.unknown : (inks.steps[heatStep(sum, full)] ?? 0);
      this.#pixels.fill(ink, row * pixelsPerRow, (row + 1) * pixelsPerRow);
    }
  }
}

/** The colours of all heat steps, red, green and blue 0 … 255 each; step 0 is empty. */
export function heatColours(palette: Palette): [number, number, number][] {
  const stops = palette.heat.map(channels);
  const colours = Array.from({ length: HEAT_STEPS - 1 }, (_, step) => {
    const at = (step / (HEAT_STEPS - 2)) * (stops.length - 1);
    const below = Math.min(Math.floor(at), stops.length - 2);
    const [from, to] = [stops[below], stops[below + 1]];
    const mix = (channel: 0 | 1 | 2) =>
      Math.round((from?.[channel] ?? 0) * (1 - at + below) + (to?.[channel] ?? 0) * (at - below));
    return [mix(0), mix(1), mix(2)] as [number, number, number];
  });
  return [channels(palette.heatEmpty), ...colours];
}

function channels(colour: string): [number, number, number] {
  const value = Number.parseInt(colour.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

function inksOf(palette: Palette): Inks {
  const ink = ([red, green, blue]: [number, number, number]) => (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
  return {
    palette,
    steps: Uint32Array.from(heatColours(palette), ink),
    unknown: ink(channels(palette.heatUnknown)),
    hole: ink(channels(palette.heatHole)),
  };
}
