/**
 * A heat map in an element: two canvases, the crosshair by pointer and by arrow keys, the reading of the cell pointed at.
 * The element carries what was painted last (data-version, data-low-tick, data-ticks-per-row, data-full, …), for tests.
 * Bad case: the element has no size yet (hidden tab, folded panel): nothing is painted until it has one.
 */
import { formatDecimal } from "./decimal_text.ts";
import { COLUMN_MS, type DepthColumn, type DepthHistory } from "./depth_history.ts";
import { clockText } from "./display_text.ts";
import type { Painter } from "./frame_loop.ts";
import { cellLots, centredGrid, fittingTicks, type HeatGrid, lowTickOf, neighbourStep, rowOf } from "./heat_grid.ts";
import { HeatMap } from "./heat_map.ts";
import { AXIS_HEIGHT, AXIS_WIDTH, drawOverlay, type HeatCursor, priceText } from "./heat_overlay.ts";
import { type InstrumentStore, TRADES_DRAWN } from "./instrument_store.ts";
import { append } from "./painting.ts";
import { palette } from "./theme.ts";

const CELL_HEIGHT = 4;
const NARROW_PX = 560;
/** The best prices stay within this share of the height around the middle. */
const MIDDLE_SHARE = 0.6;

/** A heat map that stands in the page. */
export class HeatPanel {
  readonly paint: Painter;
  readonly #element: HTMLElement;
  readonly #store: InstrumentStore;
  readonly #history: DepthHistory;
  readonly #map: HeatMap;
  readonly #canvases: { cells: HTMLCanvasElement; overlay: HTMLCanvasElement };
  readonly #reading: HTMLElement;
  readonly #context: CanvasRenderingContext2D;
  #grid: HeatGrid | undefined;
  #fitting = 0;
  #zoom = 0;
  #cursor: HeatCursor | undefined;
  #isStale = true;
  #paintedSlot = -1;

  /** @param reading where the values of the cell pointed at are written */
  constructor(element: HTMLElement, store: InstrumentStore, reading: HTMLElement) {
    this.#element = element;
    this.#store = store;
    this.#history = store.depth;
    this.#reading = reading;
    element.tabIndex = 0;
    element.setAttribute("role", "application");
    element.setAttribute("aria-label", "Heat map of quantity by price and time; arrow keys move from cell to cell");
    const cells = append(element, "canvas", "cells") as HTMLCanvasElement;
    const overlay = append(element, "canvas", "overlay") as HTMLCanvasElement;
    this.#canvases = { cells, overlay };
    this.#map = new HeatMap(cells, this.#history);
    const context = overlay.getContext("2d");
    if (context === null) {
      throw new Error("Cannot draw over the heat map: the canvas has no 2d context, was null");
    }
    this.#context = context;
    this.paint = () => this.#paint();
    this.#listen();
    this.resize();
  }

  /** Takes the size of the element. */
  resize(): void {
    const scale = devicePixelRatio;
    const { clientWidth, clientHeight } = this.#element;
    const cellWidth = Math.max(1, Math.round((clientWidth < NARROW_PX ? 1 : 2) * scale));
    const cellHeight = Math.max(1, Math.round(CELL_HEIGHT * scale));
    const columns = Math.max(0, Math.floor(((clientWidth - AXIS_WIDTH) * scale) / cellWidth));
    const rows = Math.max(0, Math.floor(((clientHeight - AXIS_HEIGHT) * scale) / cellHeight));
    const { cells, overlay } = this.#canvases;
    this.#map.resize({ columns, rows, cellWidth, cellHeight });
    cells.style.width = `${cells.width / scale}px`;
    cells.style.height = `${cells.height / scale}px`;
    overlay.width = Math.round(clientWidth * scale);
    overlay.height = Math.round(clientHeight * scale);
    overlay.style.width = `${clientWidth}px`;
    overlay.style.height = `${clientHeight}px`;
    this.#grid = undefined;
    this.#cursor = undefined;
    this.#touch();
  }

  /** Zooms the price axis. @param zoom steps in (above 0) or out; 0 fits */
  setZoom(zoom: number): void {
    this.#zoom = zoom;
    this.#grid = undefined;
    this.#touch();
  }

  /** Draws again in the next frame. */
  readonly #touch = (): void => {
    this.#isStale = true;
    this.#store.mark();
  };

  #paint(): void {
    const { newest, newestKnown } = this.#history;
    const { size } = this.#map;
    if (newest === undefined || size.columns === 0 || size.rows === 0) {
      return;
    }
    if (newest.slot === this.#paintedSlot && !this.#isStale) {
      return;
    }
    const colours = palette.get();
    const grid = this.#fit(newestKnown, size.rows);
    this.#paintedSlot = newest.slot;
    this.#isStale = this.#map.paint({ grid, newestSlot: newest.slot, colours });
    drawOverlay({
      context: this.#context,
      scale: devicePixelRatio,
      size,
      grid,
      newestSlot: newest.slot,
      history: this.#history,
      trades: this.#store.trades(TRADES_DRAWN),
      colours,
      cursor: this.#cursor,
    });
    this.#tell(newest, grid);
    this.#read(grid);
    if (this.#isStale) {
      this.#store.mark();
    }
  }

  /** The grid for the newest book: stays while the best prices are near its middle. */
  #fit(newest: DepthColumn | undefined, rows: number): HeatGrid {
    const levels = newest?.levels;
    const held = this.#grid;
    if (levels === undefined) {
      this.#grid = held ?? centredGrid(0, { rows, ticksPerRow: 1 });
      return this.#grid;
    }
    const fitting = fittingTicks(levels, rows, this.#moved());
    if (fitting >= this.#fitting * 2 || fitting * 4 < this.#fitting) {
      this.#fitting = fitting;
      this.#grid = undefined;
    }
    const bid = levels.ticks[0] ?? 0;
    const middle = Math.floor((bid + (levels.ticks[levels.bidCount] ?? bid)) / 2);
    const row = held === undefined ? Number.NaN : rowOf(held, middle);
    const isInside = Math.abs(row - rows / 2) <= (rows / 2) * MIDDLE_SHARE;
    if (this.#grid === undefined || !isInside) {
      this.#grid = centredGrid(middle, { rows, ticksPerRow: zoomedStep(this.#fitting, this.#zoom) });
      this.#isStale = true;
    }
    return this.#grid;
  }

  /** Ticks between the lowest and the highest best price of the columns shown. */
  #moved(): number {
    const newest = this.#history.newest?.slot ?? 0;
    let [lowest, highest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let slot = newest; slot > newest - this.#map.size.columns; slot -= 1) {
      const levels = this.#history.at(slot)?.levels;
      const [bid, ask] = [levels?.ticks[0], levels?.ticks[levels.bidCount]];
      lowest = Math.min(lowest, bid ?? lowest);
      highest = Math.max(highest, ask ?? highest);
    }
    return Math.max(highest - lowest, 0);
  }

  #tell(newest: DepthColumn, grid: HeatGrid): void {
    const { size, full } = this.#map;
    const said = {
      slot: newest.slot,
      version: newest.version,
      lowTick: grid.lowTick,
      ticksPerRow: grid.ticksPerRow,
      rows: grid.rows,
      columns: size.columns,
      cellWidth: size.cellWidth,
      cellHeight: size.cellHeight,
      full,
      isWhole: !this.#isStale,
    };
    for (const [name, value] of Object.entries(said)) {
      this.#element.dataset[name] = String(value);
    }
  }

  /** Writes what the cell pointed at holds. */
  #read(grid: HeatGrid): void {
    const cursor = this.#cursor;
    const column = cursor === undefined ? undefined : this.#history.at(this.#map.slotOf(cursor.column));
    if (cursor === undefined) {
      this.#say("", { version: "" });
      return;
    }
    const levels = column?.levels;
    if (column === undefined || levels === undefined) {
      this.#say(column === undefined ? "nothing recorded then" : "not synced then", { version: "" });
      return;
    }
    const { price, quantity } = this.#history.exponents;
    const low = lowTickOf(grid, cursor.row);
    const lots = cellLots(grid, cursor.row, levels);
    const range = grid.ticksPerRow === 1 ? "" : ` … ${priceText(low + grid.ticksPerRow - 1, price)}`;
    const amount = lots === undefined ? "deeper than recorded" : formatDecimal({ units: lots, decimals: quantity });
    const [bid, ask] = [levels.ticks[0], levels.ticks[levels.bidCount]].map((tick) =>
      tick === undefined ? "–" : priceText(tick, price),
    );
    const time = clockText(column.readAt * COLUMN_MS).slice(0, 10);
    this.#say(`${time}   price ${priceText(low, price)}${range}   quantity ${amount}   bid ${bid}   ask ${ask}`, {
      version: column.version,
      row: String(cursor.row),
      column: String(cursor.column),
      lowTick: String(low),
      ticks: String(grid.ticksPerRow),
      lots: lots === undefined ? "unknown" : String(lots),
    });
  }

  #say(text: string, facts: Record<string, string>): void {
    if (this.#reading.textContent !== text) {
      this.#reading.textContent = text;
    }
    Object.assign(this.#reading.dataset, facts);
  }

  #listen(): void {
    const { overlay } = this.#canvases;
    const element = this.#element;
    overlay.addEventListener("pointermove", (event) => this.#point(event.offsetX, event.offsetY));
    overlay.addEventListener("pointerdown", (event) => this.#point(event.offsetX, event.offsetY));
    overlay.addEventListener("pointerleave", () => this.#moveCursor(undefined));
    element.addEventListener("blur", () => this.#moveCursor(undefined));
    element.addEventListener("keydown", (event) => {
      const moves: Record<string, [number, number]> = {
        ArrowLeft: [-1, 0],
        ArrowRight: [1, 0],
        ArrowUp: [0, -1],
        ArrowDown: [0, 1],
      };
      const move = moves[event.key];
      if (move !== undefined) {
        event.preventDefault();
        const { columns, rows } = this.#map.size;
        const far = event.shiftKey ? 10 : 1;
        const from = this.#cursor ?? { column: columns - 1, row: Math.floor(rows / 2) };
        this.#moveCursor({
          column: clamp(from.column + move[0] * far, columns),
          row: clamp(from.row + move[1] * far, rows),
        });
      }
    });
  }

  #point(x: number, y: number): void {
    const { columns, rows, cellWidth, cellHeight } = this.#map.size;
    const column = Math.floor((x * devicePixelRatio) / cellWidth);
    const row = Math.floor((y * devicePixelRatio) / cellHeight);
    this.#moveCursor(column < columns && row < rows && column >= 0 && row >= 0 ? { column, row } : undefined);
  }

  #moveCursor(cursor: HeatCursor | undefined): void {
    this.#cursor = cursor;
    this.#touch();
  }
}

function clamp(value: number, count: number): number {
  return Math.min(Math.max(value, 0), count - 1);
}

/** The row height so many steps of 1, 2, 5, 10 … from the fitting one. */
function zoomedStep(fitting: number, zoom: number): number {
  let step = Math.max(fitting, 1);
  for (let left = Math.abs(zoom); left > 0; left -= 1) {
    step = neighbourStep(step, zoom > 0 ? -1 : 1);
  }
  return step;
}
