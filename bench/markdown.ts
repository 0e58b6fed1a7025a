/**
 * README's tables, rendered from a report: what, ours, JSON.parse, baseline, ratios with their 95 % bounds and verdicts,
 * and the machine above them. A test compares README with the committed report, so a figure cannot be edited by hand.
 * Bad case: a report of a smoke run; it says so in its first line instead of looking like a result.
 */
import { constantsText } from "./constants.ts";
import { goalRows } from "./goal_table.ts";
import { GOALS, goalName } from "./goals.ts";
import type { BenchReport, CaseResult, LimitResult, RatioResult } from "./results.ts";
import { median } from "./statistics.ts";
import { figure, ratioFigure } from "./table.ts";

/** The markers between which README holds the tables. */
export const MARKERS = { begin: "<!-- bench -->", end: "<!-- /bench -->" } as const;

type Column = { title: string; cell: (result: CaseResult) => string };

const WHAT: Column = { title: "what", cell: ({ name }) => name };
const NAMED: Column = { title: "what", cell: ({ bench, name }) => `${bench}: ${name}` };
const UNIT: Column = { title: "unit", cell: ({ unit }) => unit };
const WASM = sideColumn("wasm", "wasm");
const TWIN = sideColumn("twin", "twin");
const PARSE = sideColumn("JSON.parse", "JSON.parse");
const BASELINE = sideColumn("baseline", "baseline");
/** Benchmarks with tables of their own. */
const OWN_TABLES: readonly string[] = ["decoders", "wire", "frame", "peers"];
/** Those of more than one part. */
const SYSTEM: readonly string[] = [
  "fanout",
  "load",
  "pipeline",
  "garbage",
  "memory",
  "day",
  "api",
  "arbitrage",
  "start",
];

/** All tables, without the markers; ends in a line break. */
export function renderMarkdown(report: BenchReport): string {
  const of = (bench: string) => report.results.filter((result) => result.bench === bench);
  const parts = [
    machineLine(report),
    goalSection(report),
    section(
      "Frames in memory → exact book, hash and delta records in the ring (ns per frame)",
      of("decoders").filter(isFromMemory),
      [WHAT, WASM, TWIN, PARSE, BASELINE, ratioColumn("JSON.parse"), ratioColumn("baseline")],
    ),
    section("Bytes on the wire per level entry of the exchange", of("wire"), [
      WHAT,
      sideColumn("wasm", "ours"),
      sideColumn("exchange JSON", "exchange JSON"),
      sideColumn("JSON deflated", "JSON, permessage-deflate"),
      ratioColumn("exchange JSON"),
      ratioColumn("JSON deflated"),
    ]),
    section(
      "Deltas of the stream: both ends with books and hashes against JSON text (ns per event)",
      of("frame").filter(isWhole),
      [
        WHAT,
        WASM,
        TWIN,
        sideColumn("JSON", "JSON"),
        sideColumn("JSON, books", "JSON with books"),
        BASELINE,
        ratioColumn("JSON"),
        ratioColumn("JSON, books"),
        ratioColumn("baseline"),
      ],
    ),
    section("Peers on the same captured frames, the same books checked out", of("peers"), [
      WHAT,
      UNIT,
      WASM,
      { title: "peers", cell: others },
      { title: "peers ÷ ours", cell: otherRatios },
    ]),
    section("Parts of the kernel, ring and client", report.results.filter(isPart), [
      NAMED,
      UNIT,
      WASM,
      TWIN,
      { title: "others", cell: others },
      { title: "others ÷ wasm", cell: otherRatios },
    ]),
    section("From socket to socket, garbage, memory, the day, REST", report.results.filter(isSystem), [
      NAMED,
      UNIT,
      { title: "sides", cell: everySide },
      { title: "others ÷ ours", cell: otherRatios },
    ]),
    legend(report),
  ];
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

/**
 * README's text between the markers.
 * @returns undefined when a marker is missing
 */
export function betweenMarkers(readme: string): string | undefined {
  const begin = readme.indexOf(MARKERS.begin);
  const end = readme.indexOf(MARKERS.end);
  return begin < 0 || end < begin ? undefined : readme.slice(begin + MARKERS.begin.length, end).trim();
}

/**
 * README with other tables between its markers.
 * @throws RangeError when a marker is missing
 */
export function withTables(readme: string, tables: string): string {
  const held = betweenMarkers(readme);
  if (held === undefined) {
    throw new RangeError(`Cannot put tables into a text: it must hold ${MARKERS.begin} and ${MARKERS.end}`);
  }
  const begin = readme.indexOf(MARKERS.begin) + MARKERS.begin.length;
  return `${readme.slice(0, begin)}\n${tables.trim()}\n${readme.slice(readme.indexOf(MARKERS.end))}`;
}

/** Not the cases that come through the sync: they are in the report. */
function isFromMemory({ facts }: CaseResult): boolean {
  return facts.choice !== "sync";
}

/** Encoding and decoding together: their halves are in the report. */
function isWhole({ name }: CaseResult): boolean {
  return name.endsWith("encode and decode");
}

function isPart({ bench }: CaseResult): boolean {
  return ![...OWN_TABLES, ...SYSTEM].includes(bench);
}

function isSystem({ bench }: CaseResult): boolean {
  return SYSTEM.includes(bench);
}

function goalSection({ results }: BenchReport): string {
  const rows = goalRows(results).map(({ name, what, must, goal, measured, verdict }) =>
    row([name, what, must, goal, measured, verdict === "goal" ? "**goal**" : verdict]),
  );
  const head = ["", "what / against", "must", "goal", "measured: the worst case", "verdict"];
  return `**Goals**\n\n${[row(head), row(head.map(() => "---")), ...rows].join("\n")}`;
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function machineLine({ machine, constants, command, isSmoke, rounds, source, results }: BenchReport): string {
  const { cpu, cpus, node, commit, date } = machine;
  const discarded = results.reduce((sum, result) => sum + result.rounds.discarded, 0);
  const told = constants === undefined ? "" : ` The machine by itself: ${constantsText(constants)}.`;
  const smoke = isSmoke ? "Smoke run, judges nothing. " : "";
  const frames = source === "captures" ? "captured frames" : "frames of the emulator's market";
  return (
    `${smoke}${date.slice(0, 10)}, ${cpu} × ${cpus}, Node ${node}, commit ${commit}; \`${command}\`: ${frames}, ` +
    `${rounds} paired rounds, ${discarded} discarded for stolen CPU time.${told}`
  );
}

function section(title: string, results: readonly CaseResult[], columns: readonly Column[]): string {
  if (results.length === 0) {
    return "";
  }
  const shown = columns.filter(({ cell }) => results.some((result) => cell(result) !== ""));
  const lines = [
    row(shown.map(({ title: name }) => name)),
    row(shown.map((_, index) => (index === 0 ? "---" : "---:"))),
    ...results.map((result) => row(shown.map(({ cell }) => cell(result)))),
  ];
  return `**${title}**\n\n${lines.join("\n")}`;
}

function sideColumn(side: string, title: string): Column {
  return { title, cell: (result) => sideFigure(result, side) };
}

function ratioColumn(other: string): Column {
  return {
    title: `${other} ÷ ours`,
    cell: ({ ratios }) => {
      const ratio = ratios.find((candidate) => candidate.other === other);
      return ratio === undefined ? "" : ratioCell(ratio);
    },
  };
}

function ratioCell({ median: middle, low, high, goal, verdict }: RatioResult): string {
  const spread = low === high ? "" : ` (${figure(low)} … ${figure(high)})`;
  const judged = goal === undefined ? "" : ` ${goalName(goal)} ${verdict ?? ""}`;
  return `**${ratioFigure(middle)}**${spread}${judged}`;
}

function sideFigure({ sides }: CaseResult, name: string): string {
  const side = sides.find((candidate) => candidate.name === name);
  return side === undefined ? "" : figure(median(side.samples));
}

function others(result: CaseResult): string {
  const named = result.sides.filter(({ name }) => name !== "wasm" && name !== "twin");
  return named.map(({ name, samples }) => `${name} ${figure(median(samples))}`).join(", ");
}

function everySide({ sides }: CaseResult): string {
  return sides.map(({ name, samples }) => `${name} ${figure(median(samples))}`).join(", ");
}

function otherRatios({ ratios, limits = [] }: CaseResult): string {
  const named = ratios.filter(({ other }) => other !== "twin");
  const label = ({ other, ours }: RatioResult) => (ours === "wasm" ? "" : `${other} ÷ ${ours} `);
  return [...named.map((ratio) => `${label(ratio)}${ratioCell(ratio)}`), ...limits.map(limitCell)].join(", ");
}

function limitCell({ side, goal, median: middle, high, verdict }: LimitResult): string {
  const spread = middle === high ? "" : ` … ${figure(high)}`;
  return `${side} **${figure(middle)}**${spread} ${GOALS[goal].unit} ${goalName(goal)} ${verdict}`;
}

function legend({ results }: BenchReport): string {
  const skipped = results.flatMap(({ notes }) => notes.filter((note) => note.startsWith("skipped: ")));
  return [
    "Ratio: median of paired rounds and its 95 % bootstrap interval; a verdict goes by the unfavourable bound, a goal by its worst case. In the tables below the goals a ratio is other ÷ ours: above 1 ours is quicker.",
    ...[...new Set(skipped)].map((note) => `S${note.slice(1)}.`),
  ].join(" ");
}
