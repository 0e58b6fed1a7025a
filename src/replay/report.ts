/**
 * What a replay found: the JSON contract, the verdict, and a report for people.
 * Bad case: a book that never got a snapshot; it is named as waiting and does not fail the run by itself.
 */
import type { SideText } from "./decimal.ts";

/** One book at the end of a replay, from the replica behind the wire codec. */
export type ReplayBook = {
  readonly state: string;
  readonly assurance: string;
  readonly version: string;
  readonly hash: number;
  readonly bidLevels: number;
  readonly askLevels: number;
  readonly bids: SideText;
  readonly asks: SideText;
  readonly digest: string;
};

/** The result of a replay. */
export type ReplayResult = {
  readonly kernel: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly bookTicker?: { readonly atEqualUpdateId: number; readonly equal: number };
  readonly books: Readonly<Record<string, ReplayBook>>;
  /** Native symbols that never got a book. */
  readonly waiting: readonly string[];
  readonly trades: Readonly<Record<string, { readonly count: number; readonly digest: string }>>;
  readonly bytes: { readonly frames: number; readonly records: number; readonly wire: number };
  readonly nsPerFrame: number;
  /** Checks that did not hold. */
  readonly failures: readonly string[];
};

const MUST_BE_ZERO = ["checksumBad", "gaps", "resyncs", "decodeErrors"] as const;

/** Everything that speaks against a run, in words; empty when every integrity check held. */
export function problems(result: ReplayResult): string[] {
  const found = [...result.failures];
  for (const name of MUST_BE_ZERO) {
    const count = result.counts[name] ?? 0;
    if (count !== 0) {
      found.push(`${name} is ${count}`);
    }
  }
  for (const [native, book] of Object.entries(result.books)) {
    if (book.state !== "synced") {
      found.push(`${native} ended ${book.state}`);
    }
  }
  const ticker = result.bookTicker;
  if (ticker !== undefined && ticker.equal !== ticker.atEqualUpdateId) {
    found.push(
      `best prices differ from the exchange's ticker at ${ticker.atEqualUpdateId - ticker.equal} of ${ticker.atEqualUpdateId} update ids`,
    );
  }
  return found;
}

/** The JSON object that other programs read. */
export function toJson(result: ReplayResult, source: { exchange: string; files: readonly string[] }): string {
  const { kernel, counts, bookTicker, books, trades, bytes, nsPerFrame } = result;
  return JSON.stringify({
    ...source,
    kernel,
    counts,
    ...(bookTicker === undefined ? {} : { bookTicker }),
    books,
    trades,
    bytes,
    nsPerFrame,
  });
}

/** A report for people. */
export function toText(result: ReplayResult, source: { exchange: string; files: readonly string[] }): string {
  const lines = [`${source.exchange} (${result.kernel} kernel): ${source.files.join(", ")}`, ""];
  for (const [name, count] of Object.entries(result.counts)) {
    lines.push(`  ${name.padEnd(14)} ${count.toLocaleString("en")}`);
  }
  const { frames, records, wire } = result.bytes;
  lines.push(
    `  ${"bytes".padEnd(14)} ${frames.toLocaleString("en")} received → ${records.toLocaleString("en")} in records → ${wire.toLocaleString("en")} on the wire`,
  );
  lines.push(`  ${"ns per frame".padEnd(14)} ${result.nsPerFrame.toLocaleString("en")} (decode, sync, book, ring)`);
  if (result.bookTicker !== undefined) {
    lines.push(`  ${"bookTicker".padEnd(14)} ${result.bookTicker.equal} of ${result.bookTicker.atEqualUpdateId} equal`);
  }
  lines.push(
    "",
    `  ${"book".padEnd(14)} ${"state".padEnd(10)} ${"assurance".padEnd(10)} ${"bids".padStart(7)} ${"asks".padStart(7)}  best bid | best ask`,
  );
  for (const [native, book] of Object.entries(result.books)) {
    const best = `${book.bids[0]?.join(" × ") ?? "none"} | ${book.asks[0]?.join(" × ") ?? "none"}`;
    lines.push(
      `  ${native.padEnd(14)} ${book.state.padEnd(10)} ${book.assurance.padEnd(10)} ${String(book.bidLevels).padStart(7)} ${String(book.askLevels).padStart(7)}  ${best}`,
    );
  }
  for (const native of result.waiting) {
    lines.push(`  ${native.padEnd(14)} waiting    (the capture holds no snapshot of it)`);
  }
  const trades = Object.values(result.trades).reduce((sum, { count }) => sum + count, 0);
  lines.push("", `  ${trades.toLocaleString("en")} trades of ${Object.keys(result.trades).length} instruments`);
  const found = problems(result);
  lines.push(
    "",
    found.length === 0 ? "Every integrity check held." : `FAILED:\n${found.map((text) => `  - ${text}`).join("\n")}`,
  );
  return `${lines.join("\n")}\n`;
}
