/**
 * Bars and latency curves by uPlot, in the colours of the page.
 * Bad case: names as long as a line; they are broken into lines of a few letters below their bars.
 */
import uPlot from "uplot";
import type { ShownBars, ShownLatency } from "./figures.ts";

const HEIGHT = 320;
const NAME_LETTERS = 15;
const NAME_LINES = 3;
const BAR_SHARE = 0.86;
const LOG = 3;
const NARROW = 700;
/** More groups than this are numbered, and named in a list. */
const NAMED_MAX = 8;
const MARKED = [50, 90, 99, 99.9, 100];
/** Where the greatest value stands on the axis of percentiles. */
const GREATEST = 4.2;

/** Draws groups of bars into a panel. */
export function drawBars(box: HTMLElement, { sides, groups, unit }: ShownBars): void {
  const shown = sides.map((_, index) => index).filter((index) => groups.some(({ values }) => values[index] !== null));
  const width = shown.length + 1;
  const xs = groups.flatMap((_, group) => Array.from({ length: width }, (__, place) => group * width + place));
  const series = shown.map((side, place) =>
    xs.map((x) => (x % width === place ? (groups[Math.floor(x / width)]?.values[side] ?? null) : null)),
  );
  const centres = groups.map((_, group) => group * width + (shown.length - 1) / 2);
  const isNarrow = box.clientWidth < NARROW || groups.length > NAMED_MAX;
  const bars = uPlot.paths.bars?.({ size: [BAR_SHARE, 60], align: 0 });
  box.append(legend(shown.map((side) => ({ name: sideName(sides[side] ?? ""), colour: side }))));
  plot(box, {
    data: [xs, ...series],
    options: {
      scales: { x: { time: false, range: [-1, xs.length - 1] }, y: { range: (_, __, most) => [0, most * 1.12] } },
      series: [
        {},
        ...shown.map((side) => ({
          ...(bars === undefined ? {} : { paths: bars }),
          fill: colour(`--side-${side}`),
          stroke: colour(`--side-${side}`),
          width: 0,
          points: { show: false },
        })),
      ],
      axes: [
        {
          ...axis(),
          splits: () => centres,
          values: () => groups.map(({ name }, index) => (isNarrow ? `${index + 1}` : wrapped(name))),
          grid: { show: false },
          ticks: { show: false },
          size: isNarrow ? 30 : 70,
        },
        { ...axis(), label: unit, labelSize: 22, size: 72 },
      ],
      hooks: { draw: [(chart) => drawValues(chart, { series, xs })] },
    },
  });
  if (isNarrow) {
    const list = document.createElement("ol");
    list.className = "hint";
    list.append(...groups.map(({ name }) => Object.assign(document.createElement("li"), { textContent: name })));
    box.append(list);
  }
}

/** Draws latency by percentile into a panel. */
export function drawLatency(box: HTMLElement, { curves, unit }: ShownLatency): void {
  const places = [...new Set(curves.flatMap(({ points }) => points.map(([percentile]) => place(percentile))))].sort(
    (a, b) => a - b,
  );
  const series = curves.map(({ points }) =>
    places.map((at) => points.find(([percentile]) => place(percentile) === at)?.[1] ?? null),
  );
  box.append(legend(curves.map(({ name }, index) => ({ name, colour: index % 6 }))));
  plot(box, {
    data: [places, ...series],
    options: {
      scales: { x: { time: false, range: [0.2, GREATEST + 0.1] }, y: { distr: LOG } },
      series: [
        {},
        ...curves.map((_, index) => ({
          stroke: colour(`--side-${index % 6}`),
          width: 2,
          spanGaps: true,
          points: { show: true, size: 7, fill: colour(`--side-${index % 6}`) },
        })),
      ],
      axes: [
        {
          ...axis(),
          splits: () => MARKED.map(place),
          values: () => MARKED.map((percentile) => (percentile === 100 ? "max" : `p${percentile}`)),
        },
        { ...axis(), label: unit, labelSize: 22, size: 66, values: (_, splits) => splits.map(shortNumber) },
      ],
    },
  });
}

type Plot = { data: uPlot.AlignedData; options: Omit<uPlot.Options, "width" | "height"> };

function plot(box: HTMLElement, { data, options }: Plot): void {
  const inner = getComputedStyle(box);
  const width = box.clientWidth - Number.parseFloat(inner.paddingLeft) - Number.parseFloat(inner.paddingRight);
  const fixed = { width, height: HEIGHT, legend: { show: false }, cursor: { show: false } };
  new uPlot({ ...options, ...fixed }, data, box);
}

/** The value of each bar above it. */
function drawValues(
  chart: uPlot,
  { series, xs }: { series: readonly (number | null)[][]; xs: readonly number[] },
): void {
  const { ctx } = chart;
  const ratio = devicePixelRatio;
  const room = Math.abs(chart.valToPos(1, "x", true) - chart.valToPos(0, "x", true));
  ctx.save();
  ctx.fillStyle = colour("--text");
  ctx.font = `${Math.min(11 * ratio, room / 2.9)}px system-ui, sans-serif`;
  ctx.textAlign = "center";
  for (const values of series) {
    for (const [index, value] of values.entries()) {
      if (value !== null) {
        const left = chart.valToPos(xs[index] ?? 0, "x", true);
        ctx.fillText(shortNumber(value), left, chart.valToPos(value, "y", true) - 5 * ratio);
      }
    }
  }
  ctx.restore();
}

function axis(): uPlot.Axis {
  const line = colour("--line");
  return { stroke: colour("--muted"), grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
}

function legend(entries: readonly { name: string; colour: number }[]): HTMLElement {
  const box = document.createElement("p");
  box.className = "legend";
  for (const entry of entries) {
    const item = document.createElement("span");
    item.textContent = entry.name;
    item.style.setProperty("--colour", `var(--side-${entry.colour})`);
    box.append(item);
  }
  return box;
}

function sideName(name: string): string {
  return name === "wasm" ? "AlphaPulse" : name === "twin" ? "AlphaPulse without WebAssembly" : name;
}

/** Percentiles by the share beyond them: 90, 99, 99.9 are equally far apart. */
function place(percentile: number): number {
  return percentile >= 100 ? GREATEST : -Math.log10(1 - percentile / 100);
}

/** Broken into lines at its spaces. */
function wrapped(name: string): string {
  const lines: string[] = [];
  for (const word of name.replace(/, \d{4}$/, "").split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= NAME_LETTERS) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else {
      lines.push(word);
    }
  }
  const held = lines.slice(0, NAME_LINES);
  return `${held.join("\n")}${lines.length > NAME_LINES ? " …" : ""}`;
}

function shortNumber(value: number | null): string {
  if (value === null) {
    return "";
  }
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value >= 10_000 ? `${(value / 1000).toFixed(0)}k` : Number(value.toFixed(digits)).toLocaleString("en");
}

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
