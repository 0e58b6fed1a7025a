/**
 * Charts of one pair across its exchanges: everybody's midpoint, and the gap between the best bid and best ask of all,
 * below zero where exchanges are crossed. Bad case: one exchange only: there is no gap to draw.
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
import { clockText, exchangeName } from "./display_text.ts";
import type { PairGroup } from "./market_store.ts";
import type { Columns, PairSeries } from "./pair_series.ts";
import type { Palette } from "./theme.ts";

const WINDOW_SECONDS = 300;

/** Midpoints of all exchanges. */
export function MiddlesChart({ group }: { group: PairGroup }) {
  const source = useMemo(() => sourceOf(group, (series) => series.middles), [group]);
  const options = useMemo(() => middlesOptions(group), [group]);
  const ref = useChart(source, options);
  return (
    <figure className="price_chart">
      <figcaption>
        {group.instruments.map((instrument, index) => (
          <span key={instrument.instrument} className="key" data-series={index}>
            {exchangeName(instrument.exchange)}
          </span>
        ))}
      </figcaption>
      <div className="plot" ref={ref} />
    </figure>
  );
}

/** The gap between the best bid and the best ask of all exchanges. */
export function GapChart({ group }: { group: PairGroup }) {
  const source = useMemo(() => sourceOf(group, (series) => series.gaps), [group]);
  const options = useMemo(() => gapOptions(group.series), [group]);
  const ref = useChart(source, options);
  return (
    <figure className="price_chart spread_chart">
      <figcaption>
        <span className="key mid">best ask − best bid across exchanges, bps; below zero: crossed</span>
      </figcaption>
      <div className="plot" ref={ref} />
    </figure>
  );
}

function sourceOf({ series, instruments }: PairGroup, read: (series: PairSeries) => Columns): ChartSource {
  return {
    count: () => series.count,
    columns: () => read(series) as unknown as uPlot.AlignedData,
    onFrame: (paint) => {
      const stops = instruments.map((instrument) => instrument.onFrame(paint));
      return () => {
        for (const stop of stops) {
          stop();
        }
      };
    },
  };
}

function middlesOptions({ instruments, series }: PairGroup): ChartOptions {
  return ({ size, colours, read }) => ({
    ...chartBase(size),
    axes: timeAxes(colours, axisTexts),
    scales: timeScales(WINDOW_SECONDS, (most) => Math.abs(most) * 0.00002),
    series: [{}, ...instruments.map((_, index) => steppedLine(colourOf(colours, index)))],
    hooks: {
      setCursor: [
        (plot) => {
          const index = plot.cursor.idx ?? -1;
          const texts = instruments.map((instrument, line) => {
            const text = series.texts(index)?.middles[line] ?? "";
            return text === "" ? "" : `${exchangeName(instrument.exchange)} ${text}`;
          });
          const time = series.middles[0][index];
          read(time === undefined ? "" : [clockText(time * 1000).slice(0, 8), ...texts.filter(Boolean)].join("  "));
        },
      ],
    },
  });
}

function gapOptions(series: PairSeries): ChartOptions {
  return ({ size, colours, read }) => ({
    ...chartBase(size),
    axes: timeAxes(colours, axisTexts),
    scales: {
      ...timeScales(WINDOW_SECONDS, () => 0.05),
      y: { range: (_plot, least, most) => [Math.min(least * 1.15, -0.05), Math.max(most * 1.15, 0.05)] },
    },
    series: [{}, { ...steppedLine(colours.mid), fill: colours.midFill }],
    hooks: {
      drawSeries: [(plot) => drawZero(plot, colours)],
      setCursor: [
        (plot) => {
          const index = plot.cursor.idx ?? -1;
          const [time, gap] = [series.gaps[0][index], series.texts(index)?.gap ?? ""];
          const word = gap.startsWith("-") ? "  crossed" : "";
          read(time === undefined || gap === "" ? "" : `${clockText(time * 1000).slice(0, 8)}  ${gap} bps${word}`);
        },
      ],
    },
  });
}

/** The line between apart and crossed, and the stretch below it in the colour of trouble. */
function drawZero(plot: uPlot, colours: Palette): void {
  const y = Math.round(plot.valToPos(0, "y", true));
  const { left, top, width, height } = plot.bbox;
  plot.ctx.save();
  plot.ctx.fillStyle = colours.warn;
  plot.ctx.globalAlpha = 0.07;
  plot.ctx.fillRect(left, y, width, Math.max(top + height - y, 0));
  plot.ctx.globalAlpha = 0.7;
  plot.ctx.fillRect(left, y, width, 1);
  plot.ctx.restore();
}

/** The colour of a line. */
export function colourOf(colours: Palette, index: number): string {
  return colours.series[index % colours.series.length] ?? colours.mid;
}
