/**
 * The emulator without a shell: market or capture, exchanges, faults and truth, on a clock that is handed in. The same
 * core runs behind sockets and in memory, and sends the same bytes in both. Bad case: a script that aims at an exchange
 * or instrument which does not run; refused at the start, naming the key.
 */
import { ConfigError } from "../errors.ts";
import type { ExchangeId } from "../model/exchange_id.ts";
import { Binance } from "./binance.ts";
import { EVENTS_KEPT, type Moment } from "./book_history.ts";
import { CapturePlayer } from "./capture_player.ts";
import { loadCapture } from "./capture_source.ts";
import type { Clock } from "./clock.ts";
import { CoinbaseExchange } from "./coinbase_exchange.ts";
import { ExchangeCore, type ServerCounts } from "./exchange_core.ts";
import type { FaultEntry, FaultReport } from "./fault_journal.ts";
import { checkScript, type FaultScript } from "./fault_script.ts";
import { FaultEngine } from "./faults.ts";
import { DEFAULT_INSTRUMENTS, type MarketInstrument } from "./instruments.ts";
import { Kraken } from "./kraken.ts";
import { Market } from "./market.ts";
import type { MarketBook } from "./market_book.ts";
import { MarketRun } from "./market_run.ts";
import { jsonAnswer, type KnownPart, type Protocol, type RestAnswer, type RestRequest } from "./protocol.ts";
import { Random } from "./random.ts";
import { TRUTH_PATH, type TrueBook, type TrueState, type TruthPart, trueBook, trueState, truthPage } from "./truth.ts";

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

/** What an emulator is made of, whatever its shell. */
export type CoreOptions = {
  exchanges: readonly ExchangeId[];
  source: MarketSource | CaptureSource;
  /** Any integer; equal seeds give equal markets. */
  seed?: number;
  /** What goes wrong. */
  faults?: FaultScript;
  /** Called at the moment of every fault. */
  onFault?: (entry: FaultEntry) => void;
  /** Whether the books of the last 10,000 events can be asked for; needs a synthetic market. */
  truth?: boolean;
  /** Of how many events, where 10,000 are too many or too few. */
  truthEvents?: number;
  /** Called at every event of a synthetic book, before it is published: for tests that keep a truth of their own. */
  onEvent?: (book: MarketBook) => void;
  log?: (message: string) => void;
};

/** Path of the page that tells what was injected. */
export const FAULTS_PATH = "/faults";

const TICK_MS = 50;
const SEED_DEFAULT = 1;
const NOTHING: FaultReport = { counts: {}, total: 0, entries: [] };

/**
 * Makes an emulator that waits for its shell.
 * @throws ConfigError when an option does not fit, a capture cannot be opened, or a script aims at nothing
 * @throws DecodeError naming file and line when a capture is broken
 */
export async function openCore(options: CoreOptions, clock: Clock): Promise<EmulatorCore> {
  check(options);
  const { source } = options;
  if (source.kind === "capture") {
    const capture = await loadCapture(source.files, source.exchange);
    return new EmulatorCore(options, clock, new CapturePlayer(capture, { speed: source.speed, clock }));
  }
  return new EmulatorCore(options, clock, openMarket(source, options, clock));
}

/** A running emulator without a shell. */
export class EmulatorCore {
  readonly exchanges: ReadonlyMap<ExchangeId, ExchangeCore>;
  readonly player: CapturePlayer | undefined;
  readonly #run: MarketRun | undefined;
  readonly #clock: Clock;
  readonly #faults: FaultEngine | undefined;
  readonly #hasTruth: boolean;
  #cancel: () => void = () => undefined;

  constructor(options: CoreOptions, clock: Clock, source: MarketRun | CapturePlayer) {
    const { exchanges, faults: script, seed = SEED_DEFAULT, log = () => undefined } = options;
    this.#clock = clock;
    this.#run = source instanceof MarketRun ? source : undefined;
    this.player = source instanceof CapturePlayer ? source : undefined;
    this.#hasTruth = options.truth ?? false;
    const random = new Random(seed);
    const protocols = exchanges.map((exchange) => [exchange, speak(exchange, { source, clock, random })] as const);
    const spoken = new Map(protocols);
    const setSystem = (exchange: ExchangeId, system: string): void => spoken.get(exchange)?.setSystem?.(system);
    const { onFault } = options;
    this.#faults =
      script === undefined
        ? undefined
        : new FaultEngine({ script, exchanges, clock, seed, run: this.#run, onFault, setSystem });
    if (script !== undefined) {
      const symbols = new Map(protocols.map(([exchange, protocol]) => [exchange, protocol.symbols]));
      checkScript(script, { symbols, hasMarket: this.#run !== undefined });
    }
    const faults = this.#faults;
    const core = (exchange: ExchangeId, protocol: Protocol): ExchangeCore => {
      const page = (request: RestRequest): RestAnswer | undefined => this.#page({ exchange, protocol }, request);
      return new ExchangeCore({ exchange, protocol, faults, page, log });
    };
    this.exchanges = new Map(protocols.map(([exchange, protocol]) => [exchange, core(exchange, protocol)]));
  }

  /** Lets time pass. */
  start(): void {
    this.#tickLater();
    this.#run?.start();
  }

  /** Stops everything. */
  close(): void {
    this.#cancel();
    this.#run?.close();
    this.player?.close();
    this.#faults?.close();
  }

  /** Market: publishes what is pending and stops simulated time. Heartbeats go on. */
  pause(): void {
    this.#run?.pause();
  }

  /** Market: goes on. */
  resume(): void {
    this.#run?.resume();
  }

  /** What each exchange has done. */
  counts(): Partial<Record<ExchangeId, ServerCounts>> {
    const copy = ({ counts }: ExchangeCore): ServerCounts => ({
      ...counts,
      bookSubscriptions: { ...counts.bookSubscriptions },
    });
    return Object.fromEntries([...this.exchanges].map(([exchange, core]) => [exchange, copy(core)]));
  }

  /** What was injected so far. */
  faults(): FaultReport {
    return this.#faults?.journal.report() ?? NOTHING;
  }

  /** The whole book as it stands. @throws RangeError when the source is a capture or does not list the symbol */
  trueBook(exchange: ExchangeId, nativeSymbol: string): TrueBook {
    return trueBook(this.#book(exchange, nativeSymbol));
  }

  /** A book at one of its last events. @throws RangeError when it is not known, with the reason */
  truth(exchange: ExchangeId, nativeSymbol: string, { moment = "latest", ...part }: TruthQuestion = {}): TrueState {
    const book = this.#book(exchange, nativeSymbol);
    const state = this.#run === undefined ? undefined : trueState(this.#run.market, book, { moment, part });
    if (state === undefined || "reason" in state) {
      const was = `${exchange} ${nativeSymbol} at ${JSON.stringify(moment)}`;
      throw new RangeError(`Cannot tell the truth: ${state?.reason ?? "no market runs"}, was ${was}`);
    }
    return state;
  }

  #book(exchange: ExchangeId, nativeSymbol: string): MarketBook {
    const book = this.#run?.market.books(exchange).get(nativeSymbol);
    if (book === undefined) {
      throw new RangeError(
        `Cannot tell the true book: no such book in a synthetic market, was ${exchange} ${nativeSymbol}`,
      );
    }
    return book;
  }

  #page({ exchange, protocol }: Place, request: RestRequest): RestAnswer | undefined {
    const { path } = request;
    const run = this.#run;
    if (this.#hasTruth && run !== undefined && (path === TRUTH_PATH || path.startsWith(`${TRUTH_PATH}/`))) {
      const known = (symbol: string): KnownPart => protocol.known?.(symbol) ?? {};
      return truthPage({ run, books: run.market.books(exchange), known }, request);
    }
    return this.#faults !== undefined && path === FAULTS_PATH ? jsonAnswer(200, this.faults()) : undefined;
  }

  #tickLater(): void {
    this.#cancel = this.#clock.setTimer(() => {
      const atMs = this.#clock.now();
      this.#faults?.tick(atMs);
      for (const exchange of this.exchanges.values()) {
        exchange.tick(atMs);
      }
      this.player?.tick(atMs);
      this.#tickLater();
    }, TICK_MS);
  }
}

type Place = { readonly exchange: ExchangeId; readonly protocol: Protocol };

/** What to ask of the truth: by default the whole newest state. */
export type TruthQuestion = TruthPart & { readonly moment?: Moment };

function check({ exchanges, source, truth = false, truthEvents = EVENTS_KEPT }: CoreOptions): void {
  if (exchanges.length === 0 || new Set(exchanges).size < exchanges.length) {
    throw new ConfigError(
      `Cannot start the emulator: exchanges must be one or more, each once, was [${exchanges.join(", ")}]`,
    );
  }
  if (!Number.isInteger(truthEvents) || truthEvents < 1 || truthEvents > 1_000_000) {
    throw new ConfigError(`Cannot start the emulator: truthEvents must be 1 to 1000000, was ${truthEvents}`);
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
  if (truth) {
    throw new ConfigError("Cannot start the emulator: truth needs a synthetic market, was a capture");
  }
}

function openMarket(
  { rate = 1, instruments = DEFAULT_INSTRUMENTS }: MarketSource,
  { exchanges, seed = SEED_DEFAULT, truth = false, truthEvents = EVENTS_KEPT, faults, onEvent }: CoreOptions,
  clock: Clock,
): MarketRun {
  const started = instruments.filter((instrument) => exchanges.includes(instrument.exchange));
  const keepsHistory = truth || (faults?.rules.some(({ kind }) => kind === "rest_stale") ?? false);
  const eventsKept = keepsHistory ? truthEvents : 0;
  return new MarketRun(new Market({ instruments: started, seed, rate }), clock, { eventsKept, onEvent });
}

type Context = { source: MarketRun | CapturePlayer; clock: Clock; random: Random };

function speak(exchange: ExchangeId, { source, clock: { now }, random }: Context): Protocol {
  const from = source instanceof MarketRun ? { market: source } : { player: source };
  switch (exchange) {
    case "coinbase_exchange":
      return new CoinbaseExchange(from, now);
    case "kraken":
      return new Kraken(from, { now, random: random.fork("kraken") });
    default:
      return new Binance(exchange, from, { now });
  }
}
