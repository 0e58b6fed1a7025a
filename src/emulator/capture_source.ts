/**
 * Reads captures (gzip or plain JSON lines) into what playback needs: frames and REST bodies in recorded order with
 * their times, and the listings that the metadata answers give. Several files are one stream.
 * Bad case: a broken line or a broken gzip; the error names the file and the line, nothing is served.
 */
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { createGunzip } from "node:zlib";
import { ConfigError, DecodeError } from "../errors.ts";
import type { ExchangeId } from "../model/exchange_id.ts";
import type { RecordedFrame } from "./audience.ts";
import { classify, type KrakenChannel } from "./capture_frames.ts";
import { ListingCollector } from "./capture_listings.ts";
import type { Listing } from "./instruments.ts";
import { isObject } from "./text.ts";

/** A REST depth body that stands in a capture. */
export type RecordedBody = {
  symbol: string;
  /** JSON text, byte-exact. */
  body: string;
  /** Microseconds since the capture began. */
  atUs: number;
};

/** A capture in memory. */
export type Capture = {
  exchange: ExchangeId;
  /** In recorded order. */
  records: readonly (RecordedFrame | RecordedBody)[];
  /** The instruments that occur in it. */
  listings: readonly Listing[];
  /** Whether heartbeats were recorded. */
  hasHeartbeats: boolean;
  /** Kraken: whether it is WebSocket v1. */
  isKrakenV1: boolean;
  /** Kraken v2: acknowledged depth by symbol. */
  depths: ReadonlyMap<string, number>;
  /** Kraken v1: acknowledged channels. */
  krakenChannels: readonly KrakenChannel[];
};

const KINDS = ["header", "connect", "send", "recv", "http"];
const GZIP_MAGIC = 0x1f8b;
/** Between frames that carry no time at all. */
const STEP_US = 1_000;
/** A longer silence between two files is not waited for. */
const FILE_GAP_MAX_US = 1_000_000;

/** Whether a record is a frame. */
export function isFrame(record: RecordedFrame | RecordedBody): record is RecordedFrame {
  return "text" in record;
}

/**
 * Loads captures.
 * @param files paths, in order
 * @param exchange whose frames they must hold
 * @throws ConfigError when a file cannot be opened or is of another exchange
 * @throws DecodeError naming file and line when a line or the gzip is broken
 */
export async function loadCapture(files: readonly string[], exchange: ExchangeId): Promise<Capture> {
  const loader = new Loader(exchange);
  for (const file of files) {
    loader.startFile();
    let number = 0;
    for await (const line of readLines(file)) {
      number += 1;
      loader.line(line, `${file}:${number}`);
    }
  }
  return loader.finish(files);
}

type CaptureLine = { t: string; data: string; ts: string | undefined; url: string; exchange: unknown };

class Loader {
  readonly #exchange: ExchangeId;
  readonly #records: (RecordedFrame | RecordedBody)[] = [];
  readonly #listings: ListingCollector;
  readonly #depths = new Map<string, number>();
  readonly #krakenChannels: KrakenChannel[] = [];
  #hasHeartbeats = false;
  #isHeaded = false;
  #isFirstOfFile = true;
  /** Unix microseconds that stand for zero; undefined before the first time is known. */
  #originUs: number | undefined;
  #atUs = 0;

  constructor(exchange: ExchangeId) {
    this.#exchange = exchange;
    this.#listings = new ListingCollector(exchange);
  }

  startFile(): void {
    this.#isHeaded = false;
    this.#isFirstOfFile = true;
  }

  line(text: string, place: string): void {
    const line = parseLine(text, place);
    if (line.t === "header") {
      this.#isHeaded = true;
      if (line.exchange !== this.#exchange) {
        throw new ConfigError(`Cannot serve capture ${place}: not of ${this.#exchange}, was ${String(line.exchange)}`);
      }
    } else if (!this.#isHeaded) {
      throw new DecodeError(`Cannot read capture ${place}: no header before it, was ${text.slice(0, 80)}`);
    } else if (line.t === "recv") {
      this.#frame(line);
    } else if (line.t === "http") {
      this.#body(line);
    }
  }

  finish(files: readonly string[]): Capture {
    if (!this.#records.some(isFrame)) {
      throw new ConfigError(`Cannot serve capture: it holds no frames, was ${files.join(", ")}`);
    }
    return {
      exchange: this.#exchange,
      records: this.#records,
      listings: this.#listings.listings(),
      hasHeartbeats: this.#hasHeartbeats,
      isKrakenV1: this.#krakenChannels.length > 0,
      depths: this.#depths,
      krakenChannels: this.#krakenChannels,
    };
  }

  #frame(line: CaptureLine): void {
    const found = classify(this.#exchange, line.data);
    if (found.depth !== undefined) {
      this.#depths.set(found.depth.symbol, found.depth.levels);
    }
    if (found.krakenChannel !== undefined) {
      this.#krakenChannels.push(found.krakenChannel);
    }
    const { topic, lastTrade } = found;
    if (topic === undefined) {
      return;
    }
    this.#hasHeartbeats ||= topic.kind === "heartbeat";
    this.#listings.frame(topic, line.data);
    const atUs = this.#time(line.ts === undefined ? found.atUs : microsOf(line.ts));
    this.#records.push({ ...topic, text: line.data, atUs, ...(lastTrade === undefined ? {} : { lastTrade }) });
  }

  #body(line: CaptureLine): void {
    const url = URL.canParse(line.url) ? new URL(line.url) : undefined;
    const symbol = url?.searchParams.get("symbol") ?? "";
    if (url?.pathname.endsWith("/depth") && symbol !== "") {
      this.#listings.body(symbol, line.data);
      this.#records.push({
        symbol,
        body: line.data,
        atUs: this.#time(line.ts === undefined ? undefined : microsOf(line.ts)),
      });
    }
  }

  // Never backwards: exchange times and several files may not be in order.
  #time(unixUs: number | undefined): number {
    if (unixUs === undefined) {
      this.#atUs += STEP_US;
      return this.#atUs;
    }
    this.#originUs ??= unixUs;
    const gapUs = unixUs - this.#originUs - this.#atUs;
    if (this.#isFirstOfFile && (gapUs < 0 || gapUs > FILE_GAP_MAX_US)) {
      this.#originUs = unixUs - this.#atUs - STEP_US;
    }
    this.#isFirstOfFile = false;
    this.#atUs = Math.max(this.#atUs, unixUs - this.#originUs);
    return this.#atUs;
  }
}

function parseLine(text: string, place: string): CaptureLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new DecodeError(`Cannot read capture ${place}: not JSON, was ${text.slice(0, 80)}`, { cause });
  }
  const { t, data, ts, url, exchange } = isObject(value) ? value : {};
  const isTimed = ts === undefined || (typeof ts === "string" && /^\d{1,12}(\.\d+)?$/.test(ts));
  const needsText = t === "recv" || t === "http";
  if (typeof t !== "string" || !KINDS.includes(t) || !isTimed || (needsText && typeof data !== "string")) {
    throw new DecodeError(`Cannot read capture ${place}: not a capture line, was ${text.slice(0, 80)}`);
  }
  return { t, data: typeof data === "string" ? data : "", ts, url: typeof url === "string" ? url : "", exchange };
}

/** Unix microseconds of decimal seconds. */
function microsOf(ts: string): number {
  const [seconds = "0", fraction = ""] = ts.split(".");
  return Number(seconds) * 1_000_000 + Number(fraction.padEnd(6, "0").slice(0, 6));
}

// Lines without their ends; empty lines count, for the number in errors, but must be the last.
async function* readLines(file: string): AsyncGenerator<string> {
  const isPacked = await isGzip(file);
  const raw = createReadStream(file);
  const source = isPacked ? raw.pipe(createGunzip()) : raw;
  raw.on("error", (error) => source.destroy(error));
  const decoder = new TextDecoder();
  let rest = "";
  let number = 1;
  try {
    for await (const chunk of source) {
      const lines = (rest + decoder.decode(chunk as Buffer, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        yield line;
        number += 1;
      }
    }
  } catch (cause) {
    if (cause instanceof DecodeError || cause instanceof ConfigError) {
      throw cause;
    }
    throw new DecodeError(`Cannot read capture ${file}:${number}: ${reasonOf(cause)}, was cut or damaged there`, {
      cause,
    });
  }
  if (rest.length > 0) {
    yield rest;
  }
}

async function isGzip(file: string): Promise<boolean> {
  const handle = await open(file).catch((cause: unknown) => {
    throw new ConfigError(`Cannot open capture: ${reasonOf(cause)}, was ${file}`, { cause });
  });
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer.readUInt16BE(0) === GZIP_MAGIC;
  } finally {
    await handle.close();
  }
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
