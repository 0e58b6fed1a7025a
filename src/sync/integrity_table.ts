/**
 * The table of fault classes as Markdown, for the README. Kinds whose cells are all alike share a row, and exchanges that
 * follow one protocol share a column. Bad case: an exchange that differs from its column in one kind; the cell names it.
 */
import type { ExchangeId } from "../model/exchange_id.ts";
import { FAULT_CLASSES, type FaultClassCase, type FaultClassEntry } from "./fault_classes.ts";

type Column = { readonly title: string; readonly exchanges: readonly ExchangeId[] };

const COLUMNS: readonly Column[] = [
  { title: "Coinbase Exchange", exchanges: ["coinbase_exchange"] },
  { title: "Kraken", exchanges: ["kraken"] },
  { title: "Binance, Binance.US", exchanges: ["binance", "binance_us"] },
];
const INTRODUCTION =
  "What can go wrong, and how it shows: **A** the exchange's own rule shows it, with a frame or a timer; **B** only " +
  "inference or the audit can find it; **harmless**: a right client is not disturbed. The kinds are those of " +
  "`emulate --faults`; ″ = as to the left.";
const PARTS = { top: "in the top ten", deep: "below the top ten" } as const;
const FRAMES = {
  book: "updates",
  snapshot: "first books",
  trade: "trades",
  heartbeat: "heartbeats",
  reply: "replies",
} as const;

/** The table of fault classes as Markdown. @returns lines joined by line feeds, without one at the end */
export function integrityTable(): string {
  const rows = new Map<string, string[]>();
  for (const kind of Object.keys(FAULT_CLASSES)) {
    const texts = COLUMNS.map((column) => cellOf(kind, column));
    const cells = texts.map((text, index) => (index > 0 && text === texts[index - 1] ? "″" : text)).join(" | ");
    rows.set(cells, [...(rows.get(cells) ?? []), `\`${kind}\``]);
  }
  return [
    INTRODUCTION,
    "",
    `| fault | ${COLUMNS.map(({ title }) => title).join(" | ")} |`,
    `|---|${COLUMNS.map(() => "---|").join("")}`,
    ...[...rows].map(([cells, kinds]) => `| ${kinds.join(", ")} | ${cells} |`),
  ].join("\n");
}

function cellOf(kind: string, { exchanges }: Column): string {
  const entries = exchanges.map((exchange) => FAULT_CLASSES[kind]?.[exchange]);
  const [first] = entries;
  const isOne = entries.every((entry) => entry === undefined || entry === first);
  if (!isOne) {
    return exchanges.map((exchange, index) => `${exchange}: ${textOf(entries[index])}`).join("; ");
  }
  return textOf(first);
}

function textOf(entry: FaultClassEntry | undefined): string {
  if (entry === undefined) {
    return "–";
  }
  const isWhole = (entry.cases ?? []).some(({ isDeeper }) => isDeeper === true);
  const usual = `**${entry.class}** ${entry.shownBy}${isWhole ? " (depth 10)" : ""}`;
  return [usual, ...(entry.cases ?? []).map(caseText)].join("; ");
}

function caseText({ isDeeper, part, frame, class: faultClass, shownBy }: FaultClassCase): string {
  const where = [
    ...(isDeeper === true ? ["deeper books"] : []),
    ...(part === undefined ? [] : [PARTS[part]]),
    ...(frame === undefined ? [] : [FRAMES[frame]]),
  ].join(" ");
  return `${where}: **${faultClass}** ${shownBy}`;
}
