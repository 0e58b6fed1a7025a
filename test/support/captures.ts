/**
 * The captured frames of real exchanges and what an independent program rebuilt from them. They stand beside the
 * repository in ../shared/captures, or where ALPHAPULSE_CAPTURES says; their README describes the format.
 * Bad case: they are missing; tests skip through `capturesPresent()`, which the end of the run reports.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import { packageFolder } from "../../src/assets.ts";
import { optionalPart } from "./require.ts";

/** One line of a capture. `data` is byte-exact as received; `ts` is Unix seconds as a decimal text. */
export type CaptureLine = {
  t: "header" | "connect" | "send" | "recv" | "http";
  data?: string;
  ts?: string;
  url?: string;
  conn?: string;
  url_inferred?: boolean;
};

/** Price and quantity as plain decimals without exponent or trailing zeros. */
export type ExpectedLevel = [price: string, quantity: string];

/** What stands in one book at the end of a capture; `bids` and `asks` are the best ten, best first. */
export type ExpectedBook = {
  bidLevels: number;
  askLevels: number;
  bids: ExpectedLevel[];
  asks: ExpectedLevel[];
  digest: string;
};

/** What an independent program rebuilt from one capture, or from several read as one stream. */
export type ExpectedCapture = {
  exchange: string;
  files: string[];
  counts: Record<string, number>;
  bookTicker?: { atEqualUpdateId: number; equal: number };
  books: Record<string, ExpectedBook>;
  trades: Record<string, { count: number; digest: string }>;
};

/**
 * The folder of the captures.
 * @returns absolute path; it exists only if `capturesPresent()`
 */
export function capturesFolder(): string {
  return resolve(process.env.ALPHAPULSE_CAPTURES ?? join(packageFolder(), "../shared/captures"));
}

/**
 * Whether the captures are there; notes it for the closing line of the run.
 * @throws Error when they are missing and ALPHAPULSE_REQUIRE=all
 */
export function capturesPresent(): boolean {
  return optionalPart("captures", existsSync(join(capturesFolder(), "expected.json")));
}

/**
 * Every capture (`*.jsonl.gz`), sorted.
 * @param under only those below this folder, e.g. `kraken`; empty for all
 * @returns paths relative to the folder of the captures, e.g. `kraken/v1_trade_10pairs_20210405.jsonl.gz`; empty when
 * there are none
 */
export function captureFiles(under = ""): string[] {
  const folder = capturesFolder();
  const names = existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: "utf8" }) : [];
  return names.filter((name) => name.startsWith(under) && name.endsWith(".jsonl.gz")).sort();
}

/** The absolute path of a capture or REST body. @param file relative to the folder of the captures */
export function capturePath(file: string): string {
  return join(capturesFolder(), file);
}

/**
 * Every line of a capture, the header included.
 * @param file relative to the folder of the captures
 * @throws Error naming file and line when a line is not JSON
 */
export function readCapture(file: string): CaptureLine[] {
  const text = gunzipSync(readFileSync(capturePath(file))).toString("utf8");
  const lines = text.split("\n").filter((line) => line.length > 0);
  return lines.map((line, index) => {
    try {
      return JSON.parse(line) as CaptureLine;
    } catch (cause) {
      throw new Error(`Cannot read ${file}:${index + 1}: no JSON, was ${line.slice(0, 80)}`, { cause });
    }
  });
}

/**
 * The text of a REST body (`rest_*.json.gz`).
 * @param file relative to the folder of the captures
 */
export function readRestBody(file: string): string {
  return gunzipSync(readFileSync(capturePath(file))).toString("utf8");
}

/** What the captures must give, by file name; names joined by ` + ` are several files read as one stream. */
export function expected(): Record<string, ExpectedCapture> {
  return JSON.parse(readFileSync(capturePath("expected.json"), "utf8")) as Record<string, ExpectedCapture>;
}
