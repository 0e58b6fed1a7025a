/**
 * The captures that benchmarks run on, one stream per exchange and protocol.
 * Bad case: a capture that is missing; it is named, and its exchange is measured on the emulator's frames.
 */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import { packageFolder } from "../src/assets.ts";
import { captureTimeNs, readCapture } from "../src/capture/mod.ts";
import { EXCHANGES } from "../src/exchanges/mod.ts";
import type { ExchangeId } from "../src/model/exchange_id.ts";
import { makeStream, type RawFrame, type Stream } from "./stream.ts";

/** A stream that a capture holds. */
export type CapturedSource = { id: string; title: string; exchange: ExchangeId; files: readonly string[] };

/** All of them, in the order of the report. */
export const CAPTURED_SOURCES: readonly CapturedSource[] = [
  {
    id: "coinbase_exchange",
    title: "Coinbase Exchange level2_batch, BTC-USD + ETH-USD, 2026",
    exchange: "coinbase_exchange",
    files: ["coinbase_exchange/level2_batch_matches_heartbeat_20260707.jsonl.gz"],
  },
  {
    id: "kraken_v2",
    title: "Kraken v2 book 10, BTC/USD + ETH/USD, 2026",
    exchange: "kraken",
    files: ["kraken/v2_book10_trade_btcusd_ethusd_20260707_first1800.jsonl.gz"],
  },
  {
    id: "kraken_v1",
    title: "Kraken v1 book 1000, 10 pairs, 2021",
    exchange: "kraken",
    files: ["kraken/v1_book1000_10pairs_20210405.jsonl.gz"],
  },
  {
    id: "binance_btcusdt",
    title: "Binance depth@100ms, BTCUSDT, 2024",
    exchange: "binance",
    files: ["binance/spot_btcusdt_20240808_part1.jsonl.gz"],
  },
  {
    id: "binance_10pairs",
    title: "Binance depth@100ms, 10 pairs, 2021",
    exchange: "binance",
    files: ["binance/spot_10pairs_20210405.jsonl.gz"],
  },
  {
    id: "binance_us",
    title: "Binance.US depth@100ms, 10 pairs, 2021",
    exchange: "binance_us",
    files: ["binance_us/spot_10pairs_20210405.jsonl.gz"],
  },
];

/** A large body of generic JSON, for the scanner alone. */
const JSON_BODY = "coinbase_exchange/rest_products_20210417.json.gz";

/** The folder of the captures: ALPHAPULSE_CAPTURES, or ../shared/captures beside the repository. */
export function capturesFolder(): string {
  return resolve(process.env.ALPHAPULSE_CAPTURES ?? join(packageFolder(), "../shared/captures"));
}

/** Whether every file of a source is there. */
export function isCaptured({ files }: CapturedSource): boolean {
  return files.every((file) => existsSync(join(capturesFolder(), file)));
}

/**
 * Reads a source.
 * @param framesMax frames to read at most
 * @throws ConfigError naming file and line when a capture is broken
 */
export async function readCaptured(
  source: CapturedSource,
  framesMax: number = Number.POSITIVE_INFINITY,
): Promise<Stream> {
  const { id, title, files } = source;
  const raw: RawFrame[] = [];
  for (const file of files) {
    for await (const { line } of readCapture(join(capturesFolder(), file))) {
      if (raw.length >= framesMax) {
        break;
      }
      if (line.t !== "recv" && line.t !== "http") {
        continue;
      }
      const atNs = captureTimeNs(line.ts);
      const url = line.t === "http" ? { url: line.url } : {};
      raw.push({ text: line.data, ...url, ...(atNs === undefined ? {} : { atNs }) });
    }
  }
  return makeStream({ id, title, exchange: EXCHANGES[source.exchange], source: "capture", files }, raw);
}

/** A captured REST body of generic JSON; undefined when it is not there. */
export function readJsonBody(): string | undefined {
  const path = join(capturesFolder(), JSON_BODY);
  return existsSync(path) ? gunzipSync(readFileSync(path)).toString("utf8") : undefined;
}
