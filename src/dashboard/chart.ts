/**
 * A uPlot chart in an element: made again when its subject or the palette changes, redrawn when its source has a further
 * point, at most as often as the source grows; a reading of exact values under the pointer.
 * Bad case: doubles place the pixels and label the axis at round positions; exact values stand in the reading.
 */
import { type RefObject, useEffect, useRef } from "react";
import uPlot from "uplot";
import { useCell } from "./cell.ts";
import { clockText } from "./display_text.ts";
import { type Palette, palette } from "./theme.ts";

const FONT = '11px "Inter", "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif';

/** What a chart shows. */
export type ChartSource = {
  /** Points ever added: a chart is redrawn when it grew. */
  count(): number;
  /** Seconds, then one column per line. */
  columns(): uPlot.AlignedData;
  /** Runs a function on the frames in which the source may have grown. @returns ends it */
  onFrame(paint: () => void): () => void;
};

/** Size in CSS pixels. */
export type ChartSize = { width: number; height: number };

/** What a chart looks like. Must be a function of a module or memoised. */
export type ChartOptions = (parts: {
  size: ChartSize;
  colours: Palette;
  /** Writes the reading. */
  read: (text: string) => void;
}) => uPlot.Options;

/** A chart for as long as the component stands. @returns the ref of its element, which must have no React children */
export function useChart(source: ChartSource, optionsOf: ChartOptions): RefObject<HTMLDivElement | null> {
  const ref = useRef<HTMLDivElement>(null);
  const colours = useCell(palette);
  useEffect(() => {
    const element = ref.current;
    return element === null ? undefined : mountChart(element, source, { optionsOf, colours });
  }, [source, optionsOf, colours]);
  return ref;
}

function mountChart(
  element: HTMLElement,
  source: ChartSource,
  { optionsOf, colours }: { optionsOf: ChartOptions; colours: Palette },
): () => void {
  const reading = document.createElement("div");
  reading.className = "reading";
  const read = (text: string) => {
    reading.textContent = text;
  };
  const size = () => ({ width: Math.max(element.clientWidth, 40), height: Math.max(element.clientHeight, 24) });
  const plot = new uPlot(optionsOf({ size: size(), colours, read }), source.columns(), element);
  element.append(reading);
  const observer = new ResizeObserver(() => plot.setSize(size()));
  observer.observe(element);
  let drawn = source.count();
  const stop = source.onFrame(() => {
    if (source.count() !== drawn) {
      drawn = source.count();
      plot.setData(source.columns());
    }
  });
  return () => {
    stop();
    observer.disconnect();
    plot.destroy();
    reading.remove();
  };
}

/** The scales of a chart over time: a window that moves, and a value axis with a margin. */
export function timeScales(seconds: number, leastRange: (most: number) => number): uPlot.Scales {
  return {
    x: { time: true, range: (_plot, least, most) => [Math.max(least, most - seconds), Math.max(most, least + 1)] },
    y: {
      range: (_plot, least, most) => {
        if (least === null || most === null) {
          return [0, 1];
        }
        const margin = Math.max((most - least) * 0.12, leastRange(most));
        return [least - margin, most + margin];
      },
    },
  };
}

/** The axes of a chart over time: clock below, values on the right. */
export function timeAxes(colours: Palette, texts: (positions: number[], step: number) => string[]): uPlot.Axis[] {
  const axis = { stroke: colours.axis, font: FONT, grid: { stroke: colours.grid, width: 1 }, ticks: { show: false } };
  return [
    {
      ...axis,
      space: 80,
      size: 20,
      gap: 6,
      values: (plot, positions) => positions.map((at) => (isCut(plot, at) ? "" : clockText(at * 1000).slice(0, 8))),
    },
    {
      ...axis,
      side: 1,
      space: 26,
      size: 76,
      values: (plot, positions, _axis, _space, step) => (isEmpty(plot) ? [] : texts(positions, step)),
    },
  ];
}

/** Nothing to show yet: an axis without labels is better than one about 1970. */
function isEmpty(plot: uPlot): boolean {
  const lines = plot.data.slice(1) as (number | null | undefined)[][];
  return lines.every((line) => line.every((value) => value === null || value === undefined));
}

/** A label there would be cut off at the left edge. */
function isCut(plot: uPlot, at: number): boolean {
  return plot.valToPos(at, "x") < 26;
}

/** What all charts with a pointer have in common. */
export function chartBase(size: ChartSize): Pick<uPlot.Options, "width" | "height" | "padding" | "legend" | "cursor"> {
  return {
    ...size,
    padding: [8, 0, 0, 0],
    legend: { show: false },
    cursor: { points: { size: 5 }, drag: { x: false, y: false } },
  };
}

/** A line that holds its value until the next point. */
export function steppedLine(stroke: string): uPlot.Series {
  const steps = uPlot.paths.stepped?.({ align: 1 });
  return { stroke, width: 1.25, points: { show: false }, ...(steps === undefined ? {} : { paths: steps }) };
}

/** Labels at the axis's own round positions: as many decimals as the step between two of them has. */
export function axisTexts(positions: number[], step: number): string[] {
  const [, fraction = ""] = new Intl.NumberFormat("en", { maximumSignificantDigits: 6, useGrouping: false })
    .format(step)
    .split(".");
  return positions.map((position) => position.toFixed(fraction.length));
}
