/**
 * The arbitrage load: emulated exchanges whose books are made to cross, the real `serve` (collectors, segments, gateway,
 * detector) in a process of its own, and here a client that follows every book and judges every opportunity. It passes when
 * each one is what its books say, every crossing that lasted was told, and nothing was told that never crossed.
 * Bad case: a machine so busy that events are seconds late; crossings are missed then, and the report names them.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { WebSocket } from "ws";
import { connect, type StreamClient, type WebSocketClass } from "../client/mod.ts";
import { ConnectionError } from "../errors.ts";
import { ArbitrageJudge, compareWithTruth, WALK_LEVELS } from "./arbitrage_judge.ts";
import type { ArbitrageMarketOptions, ArbitrageTruth, MarketMessage, MarketOrder } from "./arbitrage_market.ts";
import { LOAD_EXCHANGES, LOAD_FEE_BPS, LOAD_PAIRS } from "./arbitrage_plants.ts";
import { Latencies } from "./histogram.ts";
import type { LoadGround } from "./memory_load.ts";
import { ProgramPart } from "./part.ts";
import { atLeast, atMost, type LoadOutcome } from "./report.ts";

/** How the load is. */
export type ArbitrageLoadOptions = {
  readonly seconds: number;
  readonly symbols: number;
  readonly seed: number;
  /** Factor on all event rates. */
  readonly rate: number;
  /** Between two plants, ms. */
  readonly plantMs: number;
  /** Thresholds: a crossing that lasts so long must be told, ms; p99 until it is, ms; share of the opportunities that can be reckoned anew. */
  readonly holdMs: number;
  readonly delayP99Ms: number;
  readonly verifiedShare: number;
};

/** Words of the market's process, behind the program's name; options follow as JSON. */
export const MARKET_WORDS = ["load", "arbitrage-market"] as const;

const SYNC_MS = 60_000;
const LOOK_MS = 100;
/** For the last events to arrive. */
const SETTLE_MS = 1500;
const SLACK_MS = 3000;
const TELL_MS = 10_000;

/** Runs it. @throws ConnectionError when a process cannot be started or books do not come */
export async function runArbitrageLoad(options: ArbitrageLoadOptions, ground: LoadGround): Promise<LoadOutcome> {
  const directory = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "alphapulse-load-"));
  const run = new ArbitrageRun(directory, options, ground);
  try {
    return await run.result();
  } finally {
    await run.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

class ArbitrageRun {
  readonly #directory: string;
  readonly #options: ArbitrageLoadOptions;
  readonly #ground: LoadGround;
  readonly #pairs: readonly string[];
  readonly #judge = new ArbitrageJudge();
  readonly #latencies = new Latencies();
  readonly #parts: ProgramPart[] = [];
  #client: StreamClient | undefined;
  #wasStopped = false;

  constructor(directory: string, options: ArbitrageLoadOptions, ground: LoadGround) {
    this.#directory = directory;
    this.#options = options;
    this.#ground = ground;
    this.#pairs = LOAD_PAIRS.slice(0, options.symbols);
    void ground.stopped.then(() => {
      this.#wasStopped = true;
    });
  }

  async result(): Promise<LoadOutcome> {
    const { seconds } = this.#options;
    const { market, endpoints } = await this.#startMarket();
    const url = await this.#startServe(endpoints);
    const client = this.#follow(url);
    await this.#synced(client);
    this.#ground.tell(`${LOAD_EXCHANGES.length * this.#pairs.length} books are synced; planting for ${seconds} s`);
    market.say({ kind: "plant" } satisfies MarketOrder);
    const startedAt = performance.now();
    const elapsed = () => (performance.now() - startedAt) / 1000;
    let toldAt = startedAt;
    while (elapsed() < seconds && !this.#wasStopped) {
      await pause(LOOK_MS);
      this.#mustLive();
      if (performance.now() - toldAt >= TELL_MS) {
        toldAt = performance.now();
        const { opened, verified } = this.#judge.counts;
        this.#ground.tell(`${Math.round(elapsed())} s: ${opened} opened, ${verified} reckoned anew`);
      }
    }
    const took = elapsed();
    const truth = market.next((message) => truthOf(message as MarketMessage));
    market.say({ kind: "finish" } satisfies MarketOrder);
    const known = await truth;
    await pause(SETTLE_MS);
    this.#judge.finish(nowMs());
    return this.#conclude(known, { client, took });
  }

  /** Ends whatever runs. */
  async close(): Promise<void> {
    this.#client?.close();
    await Promise.all(this.#parts.map((part) => part.end()));
  }

  async #startMarket() {
    const { seed, rate, plantMs } = this.#options;
    const market: ArbitrageMarketOptions = { pairs: this.#pairs, seed, rate, plantEveryMs: plantMs };
    const part = this.#start("the market", [...MARKET_WORDS, JSON.stringify(market)]);
    const endpoints = await part.next((message) => {
      const said = message as MarketMessage;
      return said.kind === "ready" ? said.endpoints : undefined;
    });
    return { market: part, endpoints };
  }

  async #startServe(endpoints: Readonly<Record<string, { websocket: string; rest: string }>>): Promise<string> {
    const settings = LOAD_EXCHANGES.flatMap((id) => [
      `exchanges.${id}.websocket_urls=${endpoints[id]?.websocket}`,
      `exchanges.${id}.rest_url=${endpoints[id]?.rest}`,
      `arbitrage.fees_bps.${id}=${LOAD_FEE_BPS}`,
    ]);
    // Not the configuration of the user's folder.
    const config = join(this.#directory, "load.toml");
    writeFileSync(config, "");
    const place = [
      "--config",
      config,
      "--directory",
      this.#directory,
      "--host",
      "127.0.0.1",
      "--port",
      "0",
      "--log-level",
      "warn",
    ];
    const chosen = ["--exchange", LOAD_EXCHANGES.join(","), "--symbols", this.#pairs.join(",")];
    const words = ["serve", ...chosen, ...place, ...settings.flatMap((setting) => ["--set", setting])];
    return await this.#start("serve", words).nextLine((line) => /http(:\/\/[\d.]+:\d+)/.exec(line)?.[1]);
  }

  #start(name: string, words: readonly string[]): ProgramPart {
    const part = new ProgramPart(name, words);
    this.#parts.push(part);
    return part;
  }

  #follow(address: string): StreamClient {
    const client = connect(`ws${address}/ws`, { WebSocket: WebSocket as unknown as WebSocketClass });
    this.#client = client;
    client.on((event) => {
      if (event.type === "opportunity") {
        this.#judge.opportunity(event, nowMs());
      } else if (event.type === "book") {
        const book = client.peek(event.instrument, WALK_LEVELS);
        if (book !== undefined) {
          this.#judge.book(book);
          this.#measure(book.receivedAtNs, event.records);
        }
      }
    });
    client.subscribe({ channels: ["arbitrage"], instruments: [] });
    client.subscribe({ channels: ["book"], instruments: ["*:*"] });
    return client;
  }

  #measure(receivedAtNs: string, records: number): void {
    if (records > 0) {
      this.#latencies.record(nowMs() - Number(BigInt(receivedAtNs) / 1000n) / 1000);
    }
  }

  async #synced(client: StreamClient): Promise<void> {
    const names = LOAD_EXCHANGES.flatMap((id) => this.#pairs.map((pair) => `${id}:${pair}`));
    const isMissing = (name: string) => client.peek(name, 1)?.isSynced !== true;
    for (const until = performance.now() + SYNC_MS; names.some(isMissing) && !this.#wasStopped; ) {
      this.#mustLive();
      if (performance.now() > until) {
        const missing = names.filter(isMissing);
        throw new ConnectionError(
          `Cannot run the load: ${missing.length} of ${names.length} books are not synced, was ${missing.slice(0, 5).join(", ")}`,
        );
      }
      await pause(LOOK_MS);
    }
  }

  #mustLive(): void {
    const lost = this.#parts.find(({ isLost }) => isLost);
    if (lost !== undefined && !this.#wasStopped) {
      throw new ConnectionError(`Cannot run the load: ${lost.name} ended by itself, was pid ${lost.pid}`);
    }
  }

  #conclude(truth: ArbitrageTruth, { client, took }: { client: StreamClient; took: number }): LoadOutcome {
    const { holdMs, delayP99Ms, verifiedShare, seconds } = this.#options;
    const { counts, closedBy, problems, told } = this.#judge;
    const verdict = compareWithTruth(told, truth, { holdMs, slackMs: SLACK_MS });
    const { resyncs, malformed, reconnects, bytesIn, messagesIn } = client.counts;
    const share = counts.verified / Math.max(1, counts.verified + counts.unseen);
    return {
      isComplete: !this.#wasStopped && took >= seconds,
      seconds: took,
      thresholds: [
        atLeast("crossings that lasted and were told", verdict.seen, 1),
        atMost("p99 ms from crossing to telling", verdict.delays.report().p99, delayP99Ms),
        atLeast("share of opportunities reckoned anew", round(share), verifiedShare),
        atMost("books that failed a check", resyncs + malformed, 0),
      ],
      problems: [...problems, ...verdict.problems],
      figures: {
        options: { ...this.#options },
        exchanges: LOAD_EXCHANGES,
        symbols: this.#pairs,
        truth: { events: truth.events, plants: truth.plants.length, crossings: truth.sure.length, due: verdict.due },
        told: { ...counts, closedBy, dueAndTold: verdict.seen },
        delayMs: verdict.delays.report(),
        bookLatencyMs: this.#latencies.report(),
        client: { resyncs, malformed, reconnects, bytesIn, messagesIn },
      },
    };
  }
}

function truthOf(message: MarketMessage): ArbitrageTruth | undefined {
  return message.kind === "truth" ? message.truth : undefined;
}

function round(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}

/** Unix ms. */
function nowMs(): number {
  return performance.timeOrigin + performance.now();
}
