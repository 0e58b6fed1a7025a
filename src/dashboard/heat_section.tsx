/**
 * The heat map's panel: the map, its reading, the colour scale and the buttons of its zoom. The map itself is made and
 * painted by heat_panel.ts. Bad case: no scale yet, before the first book was recorded: the legend is empty.
 */
import { useEffect, useRef } from "react";
import { useCell } from "./cell.ts";
import { formatDecimal } from "./decimal_text.ts";
import type { Painter } from "./frame_loop.ts";
import { scaleFloor } from "./heat_grid.ts";
import { heatColours } from "./heat_map.ts";
import { HeatPanel } from "./heat_panel.ts";
import type { InstrumentStore } from "./instrument_store.ts";
import { append, paintWhileVisible, TextSlot } from "./painting.ts";
import { palette } from "./theme.ts";
import { heatZoom, ZOOM_MAX, zoomBy } from "./view_state.ts";

/** Order book over time. */
export function HeatSection({ instrument }: { instrument: InstrumentStore }) {
  const map = useRef<HTMLDivElement>(null);
  const reading = useRef<HTMLOutputElement>(null);
  const legend = useRef<HTMLDivElement>(null);
  const colours = useCell(palette);
  useEffect(() => {
    const [element, output, scale] = [map.current, reading.current, legend.current];
    if (element === null || output === null || scale === null) {
      return;
    }
    const panel = new HeatPanel(element, instrument, output);
    const paintLegend = mountLegend(scale, { instrument, element });
    const stopPainting = paintWhileVisible(element, instrument, (atMs) => {
      panel.paint(atMs);
      paintLegend(atMs);
    });
    panel.setZoom(heatZoom.get());
    const stopZoom = heatZoom.subscribe(() => panel.setZoom(heatZoom.get()));
    const stopTheme = palette.subscribe(() => panel.resize());
    const observer = new ResizeObserver(() => panel.resize());
    observer.observe(element);
    return () => {
      stopPainting();
      stopZoom();
      stopTheme();
      observer.disconnect();
      element.replaceChildren();
      scale.replaceChildren();
    };
  }, [instrument]);
  return (
    <section className="panel heat_panel" aria-label="Order book over time">
      <header className="panel_head">
        <h3>Order book, last minutes</h3>
        <div className="legend" ref={legend} data-palette={colours.name} />
        <ZoomButtons />
      </header>
      <div className="heat" ref={map} />
      <output className="heat_reading" ref={reading} />
    </section>
  );
}

function ZoomButtons() {
  const zoom = useCell(heatZoom);
  return (
    <div className="zoom">
      <button type="button" title="Coarser prices (−)" disabled={zoom <= -ZOOM_MAX} onClick={() => zoomBy(-1)}>
        −
      </button>
      <button type="button" title="Prices that fit (0)" aria-pressed={zoom === 0} onClick={() => heatZoom.set(0)}>
        fit
      </button>
      <button type="button" title="Finer prices (+)" disabled={zoom >= ZOOM_MAX} onClick={() => zoomBy(1)}>
        +
      </button>
    </div>
  );
}

/** The colours from little to much, with the quantities of both ends. */
function mountLegend(
  parent: HTMLElement,
  { instrument, element }: { instrument: InstrumentStore; element: HTMLElement },
): Painter {
  const least = new TextSlot(append(parent, "span", "least"));
  const canvas = append(parent, "canvas", "ramp") as HTMLCanvasElement;
  const most = new TextSlot(append(parent, "span", "most"));
  const step = new TextSlot(append(parent, "span", "step"));
  const context = canvas.getContext("2d");
  let drawn = "";
  return () => {
    const { full = "", ticksPerRow = "1" } = element.dataset;
    const exponents = instrument.depth.exponents;
    const { name } = palette.get();
    const state = `${full} ${name} ${ticksPerRow}`;
    if (state === drawn || full === "" || exponents.quantity < 0 || context === null) {
      return;
    }
    drawn = state;
    drawRamp(context);
    const amount = (lots: number) => shortAmount(lots, exponents.quantity);
    least.set(`≤ ${amount(scaleFloor(Number(full)))}`);
    most.set(`≥ ${amount(Number(full))}`);
    step.set(`row = ${formatDecimal({ units: BigInt(ticksPerRow), decimals: exponents.price })}`);
  };
}

function drawRamp(context: CanvasRenderingContext2D): void {
  const colours = heatColours(palette.get()).slice(1);
  const { canvas } = context;
  canvas.width = colours.length;
  canvas.height = 1;
  for (const [x, [red, green, blue]] of colours.entries()) {
    context.fillStyle = `rgb(${red} ${green} ${blue})`;
    context.fillRect(x, 0, 1, 1);
  }
}

/** A quantity with three digits that count: the ends of the scale are powers of two, not exact amounts. */
function shortAmount(lots: number, exponent: number): string {
  const value = lots / 10 ** exponent;
  return value >= 1_000 ? Math.round(value).toString() : Number(value.toPrecision(3)).toString();
}
