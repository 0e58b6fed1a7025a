/**
 * The captures that benchmarks run on, one stream per exchange and protocol: those that are known by name, and whatever
 * `serve` recorded into the folder, so that anybody can measure on frames of their own.
 * Bad case: a recording with a reconnection in it; it is read up to there, for a stream begins with one snapshot.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import { packageFolder } from "../src/assets.ts";
import { type CaptureLine, captureTimeNs, readCapture } from "../src/capture/mod.ts";
import { EXCHANGES } from "../src/exchanges/mod.ts";
import type { ExchangeId } from "../src/model/exchange_id.ts";
import { makeStream, type RawFrame, type Stream } from "./stream.ts";

/** A stream that a capture holds. */
export type CapturedSource = {
  id: string;
  title: string;
  exchange: ExchangeId;
  files: readonly string[];
  /** Several connections may follow each other in it. */
  isRecording?: true;
};

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

/** `<exchange>_<start>_<part>.jsonl.gz`, as the recorder names its files. */
const RECORDING = /^(([a-z_]+)_\d{8}T\d{6}Z)_\d{3,}\.jsonl\.gz$/;

/** The folder of the captures: ALPHAPULSE_CAPTURES, or ../shared/captures beside the repository. */
export function capturesFolder(): string {
  return resolve(process.env.ALPHAPULSE_CAPTURES ?? join(packageFolder(), "../shared/captures"));
}

/** Every source that is there: captures known by name, then recordings in the order of their times. */
export function capturedSources(): CapturedSource[] {
  return [...CAPTURED_SOURCES.filter(isCaptured), ...recordedSources(capturesFolder())];
}

/**
 * Recordings in a folder, by the names that the recorder gives: parts of one recording are one stream.
 * @returns nothing when there is no such folder
 */
export function recordedSources(folder: string): CapturedSource[] {
  const recordings = new Map<string, { exchange: ExchangeId; files: string[] }>();
  for (const name of existsSync(folder) ? readdirSync(folder).sort() : []) {
    const [, id = "", exchange = ""] = RECORDING.exec(name) ?? [];
    if (isExchange(exchange)) {
      const recording = recordings.get(id) ?? { exchange, files: [] };
      recording.files.push(name);
      recordings.set(id, recording);
    }
  }
  return Array.from(recordings, ([id, { exchange, files }]) => ({
    id,
    title: `${EXCHANGES[exchange].header.title}, recorded ${id.slice(exchange.length + 1)}`,
    exchange,
    files,
    isRecording: true,
  }));
}

/** A source by its id, whether its files are there or not. */
export function findSource(id: string): CapturedSource | undefined {
  return [...capturedSources(), ...CAPTURED_SOURCES].find((source) => source.id === id);
}

function isExchange(name: string): name is ExchangeId {
  return Object.hasOwn(EXCHANGES, name);
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
  const { id, title, files, isRecording = false } = source;
  const raw: RawFrame[] = [];
  let connection: string | number | undefined;
  let isOver = false;
  for (const file of files) {
    for await (const { line } of readCapture(join(capturesFolder(), file))) {
      isOver ||= raw.length >= framesMax || (isRecording && isAgain(line, connection));
      if (isOver) {
        break;
      }
      if (line.t !== "recv" && line.t !== "http") {
        continue;
      }
      connection ??= line.t === "recv" ? line.conn : undefined;
      if (!isRecording || line.t === "http" || line.conn === connection) {
        const atNs = captureTimeNs(line.ts);
        const url = line.t === "http" ? { url: line.url } : {};
        raw.push({ text: line.data, ...url, ...(atNs === undefined ? {} : { atNs }) });
      }
    }
  }
  return makeStream({ id, title, exchange: EXCHANGES[source.exchange], source: "capture", files }, raw);
}

/** Whether the connection that a stream is made of begins anew. */
function isAgain(line: CaptureLine, connection: string | number | undefined): boolean {
  return connection !== undefined && line.t === "connect" && line.conn === connection;
}

/** A captured REST body of generic JSON; undefined when it is not there. */
export function readJsonBody(): string | undefined {
  const path = join(capturesFolder(), JSON_BODY);
  return existsSync(path) ? gunzipSync(readFileSync(path)).toString("utf8") : undefined;
}
