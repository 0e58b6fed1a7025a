/**
 * Charts of the recent best prices, drawn by uPlot: a sparkline of the midpoint on a card, bid, ask and trades in the
 * detail view. Redrawn when the series has a further point, four times a second at most.
 * Bad case: doubles place the pixels and label the axis at round positions; exact prices stand in the reading above.
 */
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import { formatDecimal, midpoint, pixelValue } from "./decimal_text.ts";
import { clockText } from "./display_text.ts";
import type { Painter } from "./frame_loop.ts";
import { type InstrumentStore, TRADES_MAX } from "./instrument_store.ts";
import { AttributeSlot, append, NumberSlot, TextSlot, usePainter } from "./painting.ts";
import type { PriceSeries } from "./price_series.ts";

const COLOURS = {
  bid: "#2fbf8a",
  ask: "#f2576b",
  mid: "#5aa9f2",
  midFill: "rgba(90, 169, 242, 0.10)",
  band: "rgba(138, 152, 170, 0.10)",
  axis: "#8593a5",
  grid: "rgba(133, 147, 165, 0.12)",
} as const;

/** Seconds that a chart shows. */
const WINDOW_SECONDS = 300;
/** Least height of the price axis, as a share of the price: a flat market stays a flat line. */
const LEAST_RANGE = 0.00002;

/** The midpoint now, exact, and its way over the last minutes, without axes. */
export function Sparkline({ store }: { store: InstrumentStore }) {
  const line = useChart(store, sparklineOptions);
  const caption = usePainter<HTMLElement>(store, mountCaption);
  return (
    <figure className="sparkline">
      <figcaption ref={caption} />
      <div className="line" ref={line} aria-hidden="true" />
    </figure>
  );
}

function mountCaption(element: HTMLElement, store: InstrumentStore): Painter {
  append(element, "span", "label").textContent = "mid ";
  const mid = new NumberSlot(append(element, "span", "mid"));
  const moved = append(element, "span", "moved");
  moved.title = "Move of the midpoint over the line shown";
  const movedText = new TextSlot(moved);
  const direction = new AttributeSlot(moved, "data-direction");
  let read = -1;
  return () => {
    const top = store.top(1);
    const [bid, ask] = [top?.bids[0]?.[0], top?.asks[0]?.[0]];
    const isKnown = bid !== undefined && ask !== undefined;
    mid.set(isKnown ? formatDecimal(midpoint(bid, ask)) : "–", store.status.get().priceExponent);
    if (store.series.count !== read) {
      read = store.series.count;
      const change = store.series.change();
      movedText.set(change === undefined ? "" : `${change} bps`);
      direction.set(change?.startsWith("-") === true ? "down" : "up");
    }
  };
}

/** Best bid, best ask and trades over the last minutes, with a reading of exact prices under the pointer. */
export function PriceChart({ store }: { store: InstrumentStore }) {
  const ref = useChart(store, chartOptions);
  return (
    <figure className="price_chart">
      <figcaption>
        <span className="key bid">best bid</span>
        <span className="key ask">best ask</span>
        <span className="key trades">trades: taker buys ▲ sells ▼</span>
      </figcaption>
      <div className="plot" ref={ref} />
    </figure>
  );
}

type Reading = (text: string) => void;
type OptionsOf = (store: InstrumentStore, size: { width: number; height: number }, read: Reading) => uPlot.Options;

function useChart(store: InstrumentStore, optionsOf: OptionsOf) {
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = ref.current;
    if (element === null) {
      return;
    }
    const reading = document.createElement("div");
    reading.className = "reading";
    const read = (text: string) => {
      reading.textContent = text;
    };
    const size = () => ({ width: Math.max(element.clientWidth, 40), height: Math.max(element.clientHeight, 24) });
    const plot = new uPlot(optionsOf(store, size(), read), store.series.columns, element);
    element.append(reading);
    const observer = new ResizeObserver(() => plot.setSize(size()));
    observer.observe(element);
    let drawn = store.series.count;
    const stop = store.onFrame(() => {
      if (store.series.count !== drawn) {
        drawn = store.series.count;
        plot.setData(store.series.columns);
      }
    });
    return () => {
      stop();
      observer.disconnect();
      plot.destroy();
      reading.remove();
    };
  }, [store, optionsOf]);
  return ref;
}

function sparklineOptions(_store: InstrumentStore, size: { width: number; height: number }): uPlot.Options {
  return {
    ...size,
    padding: [3, 0, 3, 0],
    cursor: { show: false },
    legend: { show: false },
    axes: [{ show: false }, { show: false }],
    scales: scales(),
    series: [
      {},
      { show: false },
      { show: false },
      { stroke: COLOURS.mid, fill: COLOURS.midFill, width: 1.25, points: { show: false } },
    ],
  };
}

function chartOptions(store: InstrumentStore, size: { width: number; height: number }, read: Reading): uPlot.Options {
  const steps = uPlot.paths.stepped?.({ align: 1 });
  const stepped = steps === undefined ? {} : { paths: steps };
  const axis = {
    stroke: COLOURS.axis,
    font: '11px "Inter", "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif',
    grid: { stroke: COLOURS.grid, width: 1 },
    ticks: { show: false },
  };
  return {
    ...size,
    padding: [8, 4, 0, 0],
    legend: { show: false },
    cursor: { points: { size: 5 }, drag: { x: false, y: false } },
    axes: [
      {
        ...axis,
        space: 80,
        size: 20,
        gap: 6,
        values: (_plot, splits) => splits.map((at) => clockText(at * 1000).slice(0, 8)),
      },
      {
        ...axis,
        side: 1,
        size: (_plot, texts) => 14 + 7 * Math.max(...(texts ?? []).map((text) => text.length), 4),
        values: (_plot, splits, _axis, _space, step) => axisTexts(splits, step),
      },
    ],
    scales: scales(),
    series: [
      {},
      { stroke: COLOURS.bid, width: 1.25, points: { show: false }, ...stepped },
      { stroke: COLOURS.ask, width: 1.25, points: { show: false }, ...stepped },
      { show: false },
    ],
    bands: [{ series: [2, 1], fill: COLOURS.band }],
    hooks: {
      draw: [(plot) => drawTrades(plot, store)],
      setCursor: [(plot) => read(readingText(store.series, plot.cursor.idx ?? undefined))],
    },
  };
}

function scales(): uPlot.Scales {
  return {
    x: {
      time: true,
      range: (_plot, least, most) => [Math.max(least, most - WINDOW_SECONDS), Math.max(most, least + 1)],
    },
    y: {
      range: (_plot, least, most) => {
        const margin = Math.max((most - least) * 0.12, Math.abs(most) * LEAST_RANGE);
        return [least - margin, most + margin];
      },
    },
  };
}

/** Labels at the axis's own round positions: as many decimals as the step between two of them has. */
function axisTexts(positions: number[], step: number): string[] {
  const [, fraction = ""] = new Intl.NumberFormat("en", { maximumSignificantDigits: 6, useGrouping: false })
    .format(step)
    .split(".");
  return positions.map((position) => position.toFixed(fraction.length));
}

function readingText(series: PriceSeries, index: number | undefined): string {
  const point = index === undefined ? undefined : series.at(index);
  const seconds = index === undefined ? undefined : series.columns[0][index];
  if (point === undefined || seconds === undefined) {
    return "";
  }
  return `${clockText(seconds * 1000).slice(0, 8)}  bid ${point.bid}  ask ${point.ask}`;
}

function drawTrades(plot: uPlot, store: InstrumentStore): void {
  const context = plot.ctx;
  const size = 3 * devicePixelRatio;
  context.save();
  context.beginPath();
  context.rect(plot.bbox.left, plot.bbox.top, plot.bbox.width, plot.bbox.height);
  context.clip();
  for (const trade of store.trades(TRADES_MAX)) {
    const isBuy = trade.aggressor === "buy";
    const x = plot.valToPos(trade.eventAtMs / 1000, "x", true);
    const y = plot.valToPos(pixelValue(trade.price), "y", true);
    const tip = isBuy ? -size : size;
    context.fillStyle = isBuy ? COLOURS.bid : COLOURS.ask;
    context.beginPath();
    context.moveTo(x, y + tip);
    context.lineTo(x - size, y - tip);
    context.lineTo(x + size, y - tip);
    context.fill();
  }
  context.restore();
}
