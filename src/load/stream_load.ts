/**
 * The stream load: many clients of a running gateway that each keep whole books and prove them by version chain and hash,
 * and hold them against one another at every version. It passes when all were served, no check failed, no trade was missed
 * and the latency from the collector's receipt to the applied book keeps its bound. What is counted came after all were served.
 * Bad case: more clients than this one process can serve; its own lag is in the report, and the latencies are not the server's then.
 */
import { setTimeout as pause } from "node:timers/promises";
import { WebSocket } from "ws";
import { type ClientEvent, connect, type StreamClient, type WebSocketClass } from "../client/mod.ts";
import { ConfigError } from "../errors.ts";
import { isLoopback } from "../model/addresses.ts";
import { Agreement } from "./agreement.ts";
import { Latencies } from "./histogram.ts";
import type { LoadGround } from "./memory_load.ts";
import { atLeast, atMost, type LoadOutcome } from "./report.ts";

/** How the load is. */
export type StreamLoadOptions = {
  /** `ws://HOST:PORT/ws` */
  readonly url: string;
  readonly clients: number;
  readonly seconds: number;
  /** Instruments or patterns. */
  readonly instruments: readonly string[];
  /** Thresholds: p99 from receipt to the applied book, ms; until all have all books, ms. */
  readonly p99Ms: number;
  readonly servedMs: number;
};

const LOOK_MS = 50;
const TELL_MS = 10_000;
/** Connections that are opened at once. */
const WAVE = 20;

/** Counts that add up over clients. */
type Sums = Record<
  "resyncs" | "malformed" | "reconnects" | "tradesMissed" | "framesApplied" | "bytesIn" | "messagesIn",
  number
>;

/**
 * Whom a load may be put on.
 * @throws ConfigError when it is no address of a stream, or another machine's and that was not said to be meant
 */
export function checkTarget(url: string, isRemoteMeant: boolean): void {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^wss?:$/.test(parsed.protocol)) {
    throw new ConfigError(`Cannot put load on a stream: --url must be ws:// or wss://, was ${url}`);
  }
  if (!isLoopback(parsed.hostname) && !isRemoteMeant) {
    throw new ConfigError(`Cannot put load on another machine: add --remote if that is meant, was ${url}`);
  }
}

/** Runs it. */
export async function runStreamLoad(options: StreamLoadOptions, ground: LoadGround): Promise<LoadOutcome> {
  const run = new StreamRun(options, ground);
  try {
    return await run.result();
  } finally {
    run.close();
  }
}

class StreamRun {
  readonly #options: StreamLoadOptions;
  readonly #ground: LoadGround;
  readonly #clients: StreamClient[] = [];
  readonly #latencies = new Latencies();
  readonly #agreement = new Agreement();
  readonly #problems: string[] = [];
  #isCounting = false;
  #expected: readonly string[] = [];
  #events = 0;
  #trades = 0;
  #lagMsMax = 0;
  #wasStopped = false;

  constructor(options: StreamLoadOptions, ground: LoadGround) {
    this.#options = options;
    this.#ground = ground;
    void ground.stopped.then(() => {
      this.#wasStopped = true;
    });
  }

  async result(): Promise<LoadOutcome> {
    const { clients, seconds } = this.#options;
    const startedAt = performance.now();
    await this.#connectAll();
    const servedMs = await this.#served(startedAt);
    this.#ground.tell(`${clients} clients hold ${this.#expected.length} books each after ${Math.round(servedMs)} ms`);
    const loadedAt = performance.now();
    this.#isCounting = true;
    let toldAt = loadedAt;
    for (let lookedAt = loadedAt; lookedAt - loadedAt < seconds * 1000 && !this.#wasStopped; ) {
      await pause(LOOK_MS);
      const now = performance.now();
      this.#lagMsMax = Math.max(this.#lagMsMax, now - lookedAt - LOOK_MS);
      lookedAt = now;
      if (now - toldAt >= TELL_MS) {
        toldAt = now;
        this.#ground.tell(`${Math.round((now - loadedAt) / 1000)} s: ${this.#events.toLocaleString("en")} events`);
      }
    }
    return this.#conclude({ servedMs, took: (performance.now() - loadedAt) / 1000 });
  }

  close(): void {
    for (const client of this.#clients) {
      client.close();
    }
  }

  async #connectAll(): Promise<void> {
    const { url, clients, instruments } = this.#options;
    for (let index = 0; index < clients && !this.#wasStopped; index++) {
      const client = connect(url, { WebSocket: WebSocket as unknown as WebSocketClass });
      this.#clients.push(client);
      client.on((event) => this.#take(index, { client, event }));
      client.subscribe({ channels: ["book", "trades"], instruments });
      if (index % WAVE === WAVE - 1) {
        await pause(LOOK_MS);
      }
    }
  }

  #take(index: number, { client, event }: { client: StreamClient; event: ClientEvent }): void {
    if (event.type === "book" && event.records > 0) {
      const book = this.#isCounting ? client.peek(event.instrument, 0) : undefined;
      if (book !== undefined) {
        this.#events += 1;
        this.#agreement.take(event.instrument, book, index);
        this.#measure(book.receivedAtNs);
      }
    } else if (event.type === "trade") {
      this.#trades += this.#isCounting ? 1 : 0;
    } else if (event.type === "status" && event.state !== "synced") {
      this.#agreement.forget(event.instrument);
    } else if (event.type === "error") {
      this.#problems.push(`the server refused: ${event.code} ${event.message}`);
    }
  }

  /** @param receivedAtNs Unix ns; "0" = unknown, which is no latency of half a century */
  #measure(receivedAtNs: string): void {
    if (receivedAtNs !== "0") {
      this.#latencies.record(performance.timeOrigin + performance.now() - Number(BigInt(receivedAtNs) / 1000n) / 1000);
    }
  }

  /** Waits until every client has every book. @returns ms since the first connection */
  async #served(startedAt: number): Promise<number> {
    const until = startedAt + 3 * this.#options.servedMs;
    while (!this.#hasAll() && performance.now() < until && !this.#wasStopped) {
      await pause(LOOK_MS);
    }
    return performance.now() - startedAt;
  }

  #hasAll(): boolean {
    this.#expected = this.#clients[0]?.statuses().map(({ instrument }) => instrument) ?? [];
    const isServed = (client: StreamClient) => this.#expected.every((name) => client.peek(name, 0) !== undefined);
    return this.#expected.length > 0 && this.#clients.every((client) => client.state === "open" && isServed(client));
  }

  #conclude({ servedMs, took }: { servedMs: number; took: number }): LoadOutcome {
    const { clients, seconds, p99Ms, servedMs: servedMsMax, instruments, url } = this.#options;
    const sums = this.#sums();
    const books = this.#clients.map((client) =>
      this.#expected.filter((name) => client.peek(name, 0)?.isSynced === true),
    );
    const synced = books.reduce((total, names) => total + names.length, 0);
    const { compared } = this.#agreement;
    const latencyMs = this.#latencies.report();
    return {
      isComplete: !this.#wasStopped && took >= seconds,
      seconds: took,
      thresholds: [
        atLeast("clients connected", this.#clients.filter(({ state }) => state === "open").length, clients),
        atMost("ms until all have all books", Math.round(servedMs), servedMsMax),
        atLeast("synced books at the end", synced, Math.max(1, clients * this.#expected.length)),
        atLeast("events applied", this.#events, 1),
        atLeast("books compared with another client's at the same version", compared, clients > 1 ? 1 : 0),
        atMost("p99 ms from receipt to the applied book", latencyMs.p99, p99Ms),
        ...(["resyncs", "malformed", "reconnects", "tradesMissed"] as const).map((name) => atMost(name, sums[name], 0)),
      ],
      problems: [...this.#problems, ...this.#agreement.problems],
      figures: {
        options: { url, clients, seconds, instruments, p99Ms, servedMs: servedMsMax },
        instruments: this.#expected,
        servedMs: Math.round(servedMs),
        events: this.#events,
        trades: this.#trades,
        booksCompared: compared,
        latencyMs,
        ownLagMsMax: Math.round(this.#lagMsMax),
        totals: sums,
      },
    };
  }

  #sums(): Sums {
    const sums: Sums = {
      resyncs: 0,
      malformed: 0,
      reconnects: 0,
      tradesMissed: 0,
      framesApplied: 0,
      bytesIn: 0,
      messagesIn: 0,
    };
    for (const { counts } of this.#clients) {
      for (const name of Object.keys(sums) as (keyof Sums)[]) {
        sums[name] += counts[name];
      }
    }
    return sums;
  }
}
