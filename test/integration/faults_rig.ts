/**
 * The whole engine under faults, over real sockets and in real time: the emulator with a script and the truth, collectors
 * in worker threads, the gateway, and a witness at its stream; the truth is asked about every book that was published.
 * Bad case: a book that is wrong for one event only; hence every event is asked for at the truth, not the last ones.
 */
import { compileKernel, type Engine, startEngine } from "../../src/commands/engine.ts";
import { loadConfig } from "../../src/config/mod.ts";
import {
  DEFAULT_INSTRUMENTS,
  type Emulator,
  type FaultEntry,
  type MarketInstrument,
  parseFaultScript,
  startEmulator,
} from "../../src/emulator/mod.ts";
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import { checkServerTexts } from "../support/server_messages.ts";
import { digestOf, nameOf, type Published, Witness } from "./faults_witness.ts";

/** Both instruments of each exchange: the one that faults aim at, and the one that must not notice. */
export const PAIRS: Readonly<Record<ExchangeId, { readonly victim: string; readonly other: string }>> = {
  coinbase_exchange: { victim: "ETH-USD", other: "BTC-USD" },
  kraken: { victim: "ETH/USD", other: "BTC/USD" },
  binance: { victim: "ETHUSDT", other: "BTCUSDT" },
  binance_us: { victim: "ETHUSD", other: "BTCUSD" },
};

const MIB = 1024 * 1024;
const NS_PER_US = 1000n;
const QUESTIONS_AT_ONCE = 8;
const SNAPSHOT_LEVELS = 100;

/** How a storm is made. */
export type StormOptions = {
  readonly exchanges: readonly ExchangeId[];
  /** As in a script's file. */
  readonly faults: readonly Record<string, unknown>[];
  /** Settings of the engine, by their dotted names. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** A seed whose market has few silences. */
  readonly seed: number;
  /** Levels of a book, both sides. */
  readonly levels?: number;
  /** The emulator runs, and nobody has connected yet. */
  readonly begun?: (emulator: Emulator) => void;
};

/** A published book that is not the true one. */
export type Wrong = Published & { readonly truth: string };

/** An emulator with faults, an engine, and a witness. */
export class Storm {
  readonly emulator: Emulator;
  readonly engine: Engine;
  readonly witness: Witness;
  readonly reports: string[];
  /** Levels per side that Kraken's books have. */
  readonly krakenDepth: number;
  readonly #wrong: Wrong[] = [];
  readonly #asking: Promise<void>;
  #asked = 0;
  #underWay = 0;
  #isClosed = false;

  constructor(parts: {
    emulator: Emulator;
    engine: Engine;
    witness: Witness;
    reports: string[];
    krakenDepth: number;
  }) {
    this.emulator = parts.emulator;
    this.engine = parts.engine;
    this.witness = parts.witness;
    this.reports = parts.reports;
    this.krakenDepth = parts.krakenDepth;
    this.#asking = this.#askAlong();
  }

  /** What was injected on an exchange. */
  entries(exchange: ExchangeId): FaultEntry[] {
    return this.emulator.faults().entries.filter((entry) => entry.exchange === exchange);
  }

  /** Books that are not synced, or not what the truth says of their last event; the market should stand still. */
  async unfinished(): Promise<string[]> {
    const names: string[] = [];
    for (const { exchange, native, book } of this.witness.all()) {
      const latest = await ask(this.emulator, exchange, native);
      if (!book.isSynced || latest.digest !== digestOf(book)) {
        const place = `at ${timeOf(book.eventAtNs)} ${book.sequence}, the truth at ${latest.time} ${latest.sequence}`;
        names.push(`${exchange} ${native}: ${book.isSynced ? `differs ${place}` : "not synced"}`);
      }
    }
    return names;
  }

  /** Asks the truth about every synced book that was published. @returns the wrong ones, and how many were asked for */
  async judge(): Promise<{ wrong: readonly Wrong[]; asked: number }> {
    while (this.#asked < this.witness.published.length || this.#underWay > 0) {
      await this.#askNext();
    }
    return { wrong: this.#wrong, asked: this.#asked };
  }

  // Asks while the storm goes on, so that nothing is left to do at its end.
  async #askAlong(): Promise<void> {
    while (!this.#isClosed) {
      await this.#askNext();
    }
  }

  async #askNext(): Promise<void> {
    const some = this.witness.published.slice(this.#asked, this.#asked + QUESTIONS_AT_ONCE);
    if (some.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return;
    }
    this.#asked += some.length;
    this.#underWay += 1;
    try {
      for (const one of some) {
        const { digest } = await ask(this.emulator, one.exchange, questionOf(one));
        if (digest !== one.digest && !(await this.#isMisdated(one))) {
          this.#wrong.push({ ...one, truth: digest });
        }
      }
    } finally {
      this.#underWay -= 1;
    }
  }

  // A flipped bit may have struck the time alone: then the book is that of the altered event, under the time before it.
  async #isMisdated({ exchange, native, eventAtNs, digest }: Published): Promise<boolean> {
    const next = this.entries(exchange)
      .filter(({ kind }) => kind === "corrupt_bit" || kind === "corrupt_byte")
      .flatMap(({ events }) => events?.[native]?.first.time ?? [])
      .find((time) => time > timeOf(eventAtNs));
    return next !== undefined && (await ask(this.emulator, exchange, `${native}?time=${next}`)).digest === digest;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#asking;
    this.witness.close();
    await this.engine.close();
    await this.emulator.close();
    checkServerTexts();
  }
}

/** Starts all of it; returns when the stream is subscribed. */
export async function startStorm(options: StormOptions): Promise<Storm> {
  const { exchanges, faults, settings, seed, levels = 120, begun } = options;
  const emulator = await startEmulator({
    exchanges,
    source: { kind: "market", rate: 1, instruments: lively(levels) },
    seed,
    truth: true,
    faults: parseFaultScript({ fault: faults }),
  });
  begun?.(emulator);
  const endpoints = exchanges.flatMap((id) => [
    [`exchanges.${id}.websocket_urls`, emulator.endpoints[id].websocket],
    [`exchanges.${id}.rest_url`, emulator.endpoints[id].rest],
    [`exchanges.${id}.image_levels`, 1024],
    // All that there is, at a weight that leaves room for many repairs a minute.
    [`exchanges.${id}.snapshot_levels`, SNAPSHOT_LEVELS],
    [`exchanges.${id}.ack_ms`, 1_500],
    [`exchanges.${id}.first_data_ms`, 2_000],
  ]);
  const config = loadConfig({
    flags: { ...BRISK, exchange: [...exchanges], ...Object.fromEntries(endpoints), ...settings },
  });
  const reports: string[] = [];
  const keep = (fields: unknown, text: string): void => {
    reports.push(`${JSON.stringify(fields)} ${text}`);
  };
  const log = { info: keep, warn: keep, error: keep } as unknown as Parameters<typeof startEngine>[1];
  const kernelModule = compileKernel(config);
  const engine = await startEngine(config, log, { kernelModule });
  const natives = exchanges.flatMap((exchange) =>
    Object.values(PAIRS[exchange]).map((native) => ({ exchange, native, name: nameOf(exchange, native) })),
  );
  const witness = new Witness(engine.gateway.url, natives);
  await witness.opened;
  return new Storm({ emulator, engine, witness, reports, krakenDepth: config.exchanges.kraken.depth });
}

/** Everything short, so that faults show and are repaired within two seconds, and no machine is too slow for it. */
const BRISK: Readonly<Record<string, unknown>> = {
  port: 0,
  log_level: "silent",
  "collector.arena_bytes": 32 * MIB,
  "collector.frame_bytes_max": 4 * MIB,
  "collector.rest_timeout_ms": 1_500,
  "collector.connect_timeout_ms": 5_000,
  "collector.reconnect_base_ms": 50,
  "collector.reconnect_cap_ms": 400,
  "collector.repair_base_ms": 50,
  "collector.repair_cap_ms": 400,
  "collector.healthy_ms": 1000,
  "collector.suspect_ms": 1500,
  "collector.refused_ms": 1000,
  "segment.delta_capacity": 4096,
  "segment.trade_capacity": 1024,
  "segment.instrument_capacity": 32,
  "gateway.arena_bytes": 64 * MIB,
};

/** Small books that change about eight times a second. */
function lively(levels: number): MarketInstrument[] {
  return DEFAULT_INSTRUMENTS.filter(({ base }) => base !== "SOL").map(({ absurdAsk: _absurd, ...instrument }) => ({
    ...instrument,
    levels,
    eventsPerSecond: 8,
    changesPerEvent: 3,
    changesMax: 40,
  }));
}

/** Binance is asked by its sequence, the others by the time of the event. */
function questionOf({ exchange, native, sequence, eventAtNs }: Published): string {
  if (exchange === "binance" || exchange === "binance_us") {
    return `${native}?sequence=${sequence}`;
  }
  return `${native}?time=${timeOf(eventAtNs)}`;
}

/** RFC 3339 with microseconds. */
export function timeOf(atNs: bigint): string {
  const us = atNs / NS_PER_US;
  const fraction = String(us % 1_000_000n).padStart(6, "0");
  return `${new Date(Number(us / 1000n)).toISOString().slice(0, 19)}.${fraction}Z`;
}

type Truth = { readonly digest: string; readonly time?: string; readonly sequence?: number };

async function ask(emulator: Emulator, exchange: ExchangeId, path: string): Promise<Truth> {
  const response = await fetch(`${emulator.endpoints[exchange].truth}/${path}`);
  const { digest, reason, time = "", sequence = 0 } = (await response.json()) as Partial<Truth> & { reason?: string };
  return { digest: digest ?? `${response.status} ${reason}`, time, sequence };
}
