/**
 * The exchange emulator: local servers that speak the protocols of Coinbase Exchange, Kraken, Binance and Binance.US,
 * fed by a seeded synthetic market or by a capture. For the demo, for tests, and for other people's clients.
 * Bad case: a port that is taken; nothing is left running and the error names it.
 */
import { ConfigError } from "../errors.ts";
import { EXCHANGE_IDS, type ExchangeId } from "../model/exchange_id.ts";
import { Binance } from "./binance.ts";
import { CapturePlayer } from "./capture_player.ts";
import { loadCapture } from "./capture_source.ts";
import { CoinbaseExchange } from "./coinbase_exchange.ts";
import { DEFAULT_INSTRUMENTS, type MarketInstrument } from "./instruments.ts";
import { Kraken } from "./kraken.ts";
import type { Ladder } from "./ladder.ts";
import { Market } from "./market.ts";
import { MarketRun } from "./market_run.ts";
import type { Protocol } from "./protocol.ts";
import { Random } from "./random.ts";
import { ExchangeServer, type ServerCounts } from "./server.ts";
import { plainDecimal } from "./text.ts";

export { DEFAULT_INSTRUMENTS, type MarketInstrument } from "./instruments.ts";
export type { ServerCounts } from "./server.ts";
export { UNPROVEN_FRAME_KINDS } from "./unproven.ts";

const TICK_MS = 50;
const SEED_DEFAULT = 1;

/** A synthetic market. */
export type MarketSource = {
  kind: "market";
  /** Factor on all event rates, > 0; 1 is about 60 book events and 24 trades a second over all four exchanges. */
  rate?: number;
  /** Instead of `DEFAULT_INSTRUMENTS`; those of exchanges that are not started are left out. */
  instruments?: readonly MarketInstrument[];
};

/** Captures, played as one stream. */
export type CaptureSource = {
  kind: "capture";
  files: readonly string[];
  /** 1 own timing, n times faster, 0 as fast as the socket takes it. */
  speed: number;
  exchange: ExchangeId;
};

/** How to start an emulator. */
export type EmulatorOptions = {
  exchanges: readonly ExchangeId[];
  source: MarketSource | CaptureSource;
  /** Any integer; equal seeds give equal markets. */
  seed?: number;
  /** Address to listen on; loopback unless told otherwise. */
  host?: string;
  /** 0 or absent for any free port. */
  ports?: Partial<Record<ExchangeId, number>>;
  /** Unix milliseconds. */
  now?: () => number;
  log?: (message: string) => void;
};

/** Where an exchange can be reached. */
export type Endpoint = {
  /** As the real one would be given, e.g. `ws://127.0.0.1:40123/v2`; Binance without a path. */
  websocket: string;
  /** e.g. `http://127.0.0.1:40123`. */
  rest: string;
};

/** A level: price and quantity as plain decimals without trailing zeros. */
export type TrueLevel = readonly [price: string, quantity: string];

/** What a book holds, best first. */
export type TrueBook = { bids: TrueLevel[]; asks: TrueLevel[]; updateId: number };

/** A running emulator. */
export type Emulator = {
  /** Where each started exchange can be reached; reading one that was not started throws a RangeError. */
  endpoints: Readonly<Record<ExchangeId, Endpoint>>;
  /** Capture: the last recorded frame has been sent to every subscribed client. Market: never. */
  finished: Promise<void>;
  /** What each server has done. */
  counts(): Partial<Record<ExchangeId, ServerCounts>>;
  /**
   * What a client must hold that applied every frame sent so far (Kraken: up to its depth; Binance: after a REST answer
   * in mid-batch the book is ahead of the stream until the next frame). Exact at any time after `pause`.
   * @throws RangeError when the source is a capture or does not list the symbol
   */
  trueBook(exchange: ExchangeId, nativeSymbol: string): TrueBook;
  /** Market: publishes what is pending and stops simulated time. Heartbeats go on. */
  pause(): void;
  /** Market: goes on. */
  resume(): void;
  /** Cuts every client and frees the ports, within a second. */
  close(): Promise<void>;
};

/**
 * Starts servers for exchanges.
 * @returns when all of them listen
 * @throws ConfigError when a port is taken, a capture cannot be opened, or an option does not fit
 * @throws DecodeError naming file and line when a capture is broken
 */
export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const { exchanges, source, host = "127.0.0.1", ports = {}, now = Date.now } = options;
  const log = options.log ?? ((): void => undefined);
  check(options);
  const run =
    source.kind === "market" ? openMarket(source, { exchanges, seed: options.seed ?? SEED_DEFAULT, now }) : undefined;
  const player = source.kind === "capture" ? await openCapture(source, now) : undefined;
  const random = new Random(options.seed ?? SEED_DEFAULT);
  const servers = new Map<ExchangeId, ExchangeServer>();
  const endpoints = unstarted();
  try {
    for (const exchange of exchanges) {
      const protocol = speak(exchange, { run, player, now, random });
      const server = new ExchangeServer(protocol, { host, port: ports[exchange] ?? 0, log });
      servers.set(exchange, server);
      const address = await server.listen();
      const endpoint: Endpoint = { websocket: `ws://${address}${pathOf(exchange, player)}`, rest: `http://${address}` };
      Object.defineProperty(endpoints, exchange, { value: endpoint, enumerable: true });
      log(`${exchange} listens on ${address}`);
    }
  } catch (cause) {
    await closeAll(servers);
    throw cause;
  }
  const timer = setInterval(() => tick({ servers, player }, now()), TICK_MS);
  run?.start();
  return {
    endpoints,
    finished: player?.finished ?? new Promise(() => undefined),
    counts: () => Object.fromEntries([...servers].map(([exchange, server]) => [exchange, { ...server.counts }])),
    trueBook: (exchange, nativeSymbol) => trueBook(run, exchange, nativeSymbol),
    pause: () => run?.pause(),
    resume: () => run?.resume(),
    close: async () => {
      clearInterval(timer);
      run?.close();
      player?.close();
      await closeAll(servers);
    },
  };
}

function check({ exchanges, source }: EmulatorOptions): void {
  if (exchanges.length === 0 || new Set(exchanges).size < exchanges.length) {
    throw new ConfigError(
      `Cannot start the emulator: exchanges must be one or more, each once, was [${exchanges.join(", ")}]`,
    );
  }
  if (source.kind === "market") {
    const { rate = 1 } = source;
    if (!(rate > 0 && rate <= 10_000)) {
      throw new ConfigError(`Cannot start the emulator: rate must be above 0 and at most 10000, was ${rate}`);
    }
    return;
  }
  if (!(source.speed >= 0) || source.speed === Number.POSITIVE_INFINITY) {
    throw new ConfigError(`Cannot start the emulator: speed must be 0 or more, was ${source.speed}`);
  }
  if (source.files.length === 0 || exchanges.some((exchange) => exchange !== source.exchange)) {
    const was = `${exchanges.join(", ")} with ${source.files.length} files of ${source.exchange}`;
    throw new ConfigError(`Cannot start the emulator: a capture serves its own exchange and needs a file, was ${was}`);
  }
}

// Every exchange has a key, so that callers need not ask; the ones not started refuse.
function unstarted(): Record<ExchangeId, Endpoint> {
  const refusals = EXCHANGE_IDS.map((exchange): [ExchangeId, PropertyDescriptor] => {
    const get = (): never => {
      throw new RangeError(`Cannot give an endpoint: the exchange was not started, was ${exchange}`);
    };
    return [exchange, { get, configurable: true, enumerable: false }];
  });
  return Object.defineProperties({} as Record<ExchangeId, Endpoint>, Object.fromEntries(refusals));
}

type MarketContext = { exchanges: readonly ExchangeId[]; seed: number; now: () => number };

function openMarket(
  { rate = 1, instruments = DEFAULT_INSTRUMENTS }: MarketSource,
  { exchanges, seed, now }: MarketContext,
): MarketRun {
  const started = instruments.filter((instrument) => exchanges.includes(instrument.exchange));
  return new MarketRun(new Market({ instruments: started, seed, rate }), now);
}

async function openCapture({ files, exchange, speed }: CaptureSource, now: () => number): Promise<CapturePlayer> {
  return new CapturePlayer(await loadCapture(files, exchange), { speed, now });
}

type Context = { run: MarketRun | undefined; player: CapturePlayer | undefined; now: () => number; random: Random };

function speak(exchange: ExchangeId, { run, player, now, random }: Context): Protocol {
  const source = run !== undefined ? { market: run } : player !== undefined ? { player } : undefined;
  if (source === undefined) {
    throw new RangeError("Cannot start the emulator: neither a market nor a capture, was undefined");
  }
  switch (exchange) {
    case "coinbase_exchange":
      return new CoinbaseExchange(source, now);
    case "kraken":
      return new Kraken(source, { now, random: random.fork("kraken") });
    default:
      return new Binance(exchange, source, { now });
  }
}

function pathOf(exchange: ExchangeId, player: CapturePlayer | undefined): string {
  return exchange === "kraken" && !(player?.capture.isKrakenV1 ?? false) ? "/v2" : "";
}

type Running = { servers: ReadonlyMap<ExchangeId, ExchangeServer>; player: CapturePlayer | undefined };

function tick({ servers, player }: Running, atMs: number): void {
  for (const server of servers.values()) {
    server.tick(atMs);
  }
  player?.tick(atMs);
}

async function closeAll(servers: ReadonlyMap<ExchangeId, ExchangeServer>): Promise<void> {
  await Promise.all([...servers.values()].map((server) => server.close()));
}

function trueBook(run: MarketRun | undefined, exchange: ExchangeId, nativeSymbol: string): TrueBook {
  const book = run?.market.books(exchange).get(nativeSymbol);
  if (book === undefined) {
    throw new RangeError(
      `Cannot tell the true book: no such book in a synthetic market, was ${exchange} ${nativeSymbol}`,
    );
  }
  const { priceDecimals, quantityDecimals } = book.instrument;
  const levels = (ladder: Ladder): TrueLevel[] =>
    Array.from(
      { length: ladder.count },
      (_, rank): TrueLevel => [
        plainDecimal(ladder.price(rank), priceDecimals),
        plainDecimal(ladder.quantity(rank), quantityDecimals),
      ],
    );
  return { bids: levels(book.bids), asks: levels(book.asks), updateId: book.updateId };
}
