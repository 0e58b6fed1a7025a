/**
 * Charts of the recent best prices of one instrument: bid, ask and trades above, the spread below, over the same time.
 * Redrawn when the series has a further point, four times a second at most.
 * Bad case: a time at which the book was not synced is a hole in the lines.
 */
import { useMemo } from "react";
import type uPlot from "uplot";
import {
  axisTexts,
  type ChartOptions,
  type ChartSource,
  chartBase,
  steppedLine,
  timeAxes,
  timeScales,
  useChart,
} from "./chart.ts";
import { formatDecimal, pixelValue, spreadBasisPoints, subtractDecimals } from "./decimal_text.ts";
import { clockText } from "./display_text.ts";
import { type InstrumentStore, TRADES_DRAWN } from "./instrument_store.ts";
import type { PriceSeries } from "./price_series.ts";
import type { Palette } from "./theme.ts";

/** Seconds that a chart shows. */
const WINDOW_SECONDS = 300;
/** Least height of the price axis, as a share of the price: a flat market stays a flat line. */
const LEAST_RANGE = 0.00002;

/** Best bid, best ask and trades over the last minutes, with a reading of exact prices under the pointer. */
export function PriceChart({ store }: { store: InstrumentStore }) {
  const source = useSeries(store, [0, 1, 2]);
  const options = useMemo(() => priceOptions(store), [store]);
  const ref = useChart(source, options);
  return (
    <figure className="price_chart">
      <figcaption>
        <span className="key bid">best bid</span>
        <span className="key ask">best ask</span>
        <span className="key trades">taker buys ▲ sells ▼</span>
      </figcaption>
      <div className="plot" ref={ref} />
    </figure>
  );
}

/** Best ask less best bid over the last minutes. */
export function SpreadChart({ store }: { store: InstrumentStore }) {
  const source = useSeries(store, [0, 4]);
  const options = useMemo(() => spreadOptions(store.series), [store]);
  const ref = useChart(source, options);
  return (
    <figure className="price_chart spread_chart">
      <figcaption>
        <span className="key mid">spread</span>
      </figcaption>
      <div className="plot" ref={ref} />
    </figure>
  );
}

/** Some columns of an instrument's series as a source. */
function useSeries(store: InstrumentStore, columns: readonly number[]): ChartSource {
  const chosen = columns.join();
  return useMemo(() => {
    const numbers = chosen.split(",").map(Number);
    return {
      count: () => store.series.count,
      columns: () => numbers.map((column) => store.series.columns[column] ?? []) as unknown as uPlot.AlignedData,
      onFrame: (paint) => store.onFrame(paint),
    };
  }, [store, chosen]);
}

function priceOptions(store: InstrumentStore): ChartOptions {
  return ({ size, colours, read }) => ({
    ...chartBase(size),
    axes: timeAxes(colours, axisTexts),
    scales: timeScales(WINDOW_SECONDS, (most) => Math.abs(most) * LEAST_RANGE),
    series: [{}, steppedLine(colours.bid), steppedLine(colours.ask)],
    bands: [{ series: [2, 1], fill: colours.band }],
    hooks: {
      draw: [(plot) => drawTrades(plot, store, colours)],
      setCursor: [(plot) => read(priceText(store.series, plot.cursor.idx ?? undefined))],
    },
  });
}

function spreadOptions(series: PriceSeries): ChartOptions {
  return ({ size, colours, read }) => ({
    ...chartBase(size),
    axes: timeAxes(colours, axisTexts),
    scales: timeScales(WINDOW_SECONDS, (most) => Math.max(Math.abs(most) * 0.1, 1e-12)),
    series: [{}, { ...steppedLine(colours.mid), fill: colours.midFill }],
    hooks: { setCursor: [(plot) => read(spreadText(series, plot.cursor.idx ?? undefined))] },
  });
}

function priceText(series: PriceSeries, index: number | undefined): string {
  const [point, time] = pointAt(series, index);
  return point === undefined ? "" : `${time}  bid ${point.bid}  ask ${point.ask}`;
}

function spreadText(series: PriceSeries, index: number | undefined): string {
  const [point, time] = pointAt(series, index);
  if (point === undefined) {
    return "";
  }
  const spread = formatDecimal(subtractDecimals(point.ask, point.bid));
  return `${time}  spread ${spread}  ${spreadBasisPoints(point.bid, point.ask, 3) ?? "–"} bps`;
}

function pointAt(series: PriceSeries, index: number | undefined) {
  const point = index === undefined ? undefined : series.at(index);
  const seconds = index === undefined ? undefined : series.columns[0][index];
  return [point, seconds === undefined ? "" : clockText(seconds * 1000).slice(0, 8)] as const;
}

function drawTrades(plot: uPlot, store: InstrumentStore, colours: Palette): void {
  const context = plot.ctx;
  const size = 3 * devicePixelRatio;
  context.save();
  context.beginPath();
  context.rect(plot.bbox.left, plot.bbox.top, plot.bbox.width, plot.bbox.height);
  context.clip();
  for (const trade of store.trades(TRADES_DRAWN)) {
    const isBuy = trade.aggressor === "buy";
    const x = plot.valToPos(trade.eventAtMs / 1000, "x", true);
    const y = plot.valToPos(pixelValue(trade.price), "y", true);
    const tip = isBuy ? -size : size;
    context.fillStyle = isBuy ? colours.bid : colours.ask;
    context.beginPath();
    context.moveTo(x, y + tip);
    context.lineTo(x - size, y - tip);
    context.lineTo(x + size, y - tip);
    context.fill();
  }
  context.restore();
}
