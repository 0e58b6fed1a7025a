/**
 * The fault engine: applies a script to everything that an emulator does, at the seams where connections are accepted,
 * frames leave, requests are answered, and the market itself can misbehave. Everything is a function of the script, the
 * seed and the order of events on each connection. Bad case: two rules aim at one thing; the first in the script wins
 * where only one can happen (a request, an attempt), else both do.
 */
import type { ExchangeId } from "../model/exchange_id.ts";
import { AdmissionFaults, type Verdict } from "./admission_faults.ts";
import type { Clock } from "./clock.ts";
import { ConnectionFaults, type Outlet } from "./connection_faults.ts";
import { type FaultEntry, FaultJournal } from "./fault_journal.ts";
import { existsOn, FAULT_KINDS, type FaultScope } from "./fault_kinds.ts";
import type { FaultRule, FaultScript } from "./fault_script.ts";
import { OpenTriggers, Trigger } from "./fault_trigger.ts";
import { publishedEvent } from "./market.ts";
import type { MarketBook } from "./market_book.ts";
import { MarketFaults } from "./market_faults.ts";
import type { MarketRun } from "./market_run.ts";
import type { TrueEvent } from "./protocol.ts";
import { Random } from "./random.ts";
import { RestFaults } from "./rest_faults.ts";

/** What the engine acts on. */
export type FaultEngineOptions = {
  readonly script: FaultScript;
  readonly exchanges: readonly ExchangeId[];
  readonly clock: Clock;
  /** Where the script has none of its own. */
  readonly seed: number;
  /** The synthetic market; undefined when a capture is played. */
  readonly run: MarketRun | undefined;
  readonly onFault: ((entry: FaultEntry) => void) | undefined;
  /** Says to an exchange how it works from now on. */
  readonly setSystem: (exchange: ExchangeId, system: string) => void;
};

/** Applies a script. */
export class FaultEngine {
  readonly journal: FaultJournal;
  readonly admission: AdmissionFaults;
  readonly rest: RestFaults;
  readonly #options: FaultEngineOptions;
  readonly #seed: number;
  readonly #byExchange: ReadonlyMap<ExchangeId, readonly Trigger[]>;
  /** Those of whole connections that time alone decides. */
  readonly #timed: OpenTriggers;
  readonly #market: MarketFaults;
  readonly #connections = new Set<ConnectionFaults>();
  readonly #books: ReadonlyMap<ExchangeId, ReadonlyMap<string, MarketBook>>;

  constructor(options: FaultEngineOptions) {
    const { script, exchanges, clock, run } = options;
    this.#options = options;
    this.journal = new FaultJournal(options.onFault);
    this.#seed = script.seed ?? options.seed;
    const startMs = clock.now();
    const triggers = script.rules.map(
      (rule) => new Trigger(rule, new Random(this.#seed, `fault:${rule.index}`), startMs),
    );
    const ofScope = (scope: FaultScope): Trigger[] =>
      triggers.filter(({ rule }) => FAULT_KINDS[rule.kind].scope === scope);
    this.#byExchange = new Map(
      exchanges.map((exchange) => [exchange, triggers.filter(({ rule }) => appliesTo(rule, exchange))]),
    );
    this.#timed = new OpenTriggers(ofScope("connection").filter(({ isTimed }) => isTimed));
    this.#books = new Map(exchanges.map((exchange) => [exchange, run?.market.books(exchange) ?? new Map()]));
    const shared = { clock, seed: this.#seed, journal: this.journal };
    this.admission = new AdmissionFaults({ ...shared, triggersOf: (exchange) => this.#triggersOf(exchange) });
    this.rest = new RestFaults({
      ...shared,
      triggersOf: (exchange) => this.#triggersOf(exchange),
      isOlder: (exchange, symbol, ageMs) => this.#isOlder(exchange, symbol, ageMs),
      eventOf: (exchange, symbol, ageMs) => this.#eventOf(exchange, symbol, ageMs),
    });
    this.#market = new MarketFaults({
      ...shared,
      run,
      books: this.#books,
      triggers: ofScope("market"),
      announce: (exchange, system, closeAtMs) => this.#announce(exchange, system, closeAtMs),
      refuse: (exchange, span) => this.admission.refuse(exchange, span),
    });
  }

  /** The faults of a connection that was accepted. @param number on its exchange, from 1 */
  connect(exchange: ExchangeId, number: number, outlet: Outlet): ConnectionFaults {
    const { clock } = this.#options;
    const connection = new ConnectionFaults({
      exchange,
      number,
      outlet,
      clock,
      seed: this.#seed,
      journal: this.journal,
      triggers: this.#triggersOf(exchange),
      bookOf: (symbol) => this.#books.get(exchange)?.get(symbol),
    });
    this.#connections.add(connection);
    return connection;
  }

  /** A connection is gone. */
  disconnect(connection: ConnectionFaults): void {
    this.#connections.delete(connection);
    connection.closed();
  }

  /** What happens to an attempt to connect. */
  admit(exchange: ExchangeId, remote: string): Verdict {
    return this.admission.judge(exchange, remote);
  }

  /** Lets what is due at a time happen. Call about every 50 ms. */
  tick(atMs: number): void {
    this.#market.tick(atMs);
    for (const connection of this.#connections) {
      connection.tick(atMs);
    }
    for (const trigger of this.#timed.at(atMs)) {
      this.#befall(trigger, atMs);
    }
  }

  /** Ends what waits. */
  close(): void {
    for (const connection of this.#connections) {
      connection.closed();
    }
    this.#connections.clear();
  }

  // At a time: every connection that the rule names. At a rate: one of them.
  #befall(trigger: Trigger, atMs: number): void {
    const { rule } = trigger;
    if (!trigger.isDueAt(atMs)) {
      return;
    }
    const victims = [...this.#connections].filter((one) => !one.isOver && isTarget(rule, one));
    const index = rule.perSecond === undefined ? undefined : trigger.random.below(Math.max(1, victims.length));
    const chosen = index === undefined ? victims : victims.slice(index, index + 1);
    const struck = chosen.filter((connection) => connection.befall(trigger));
    if (struck.length > 0) {
      trigger.spend(atMs);
    }
  }

  #announce(exchange: ExchangeId, system: string, closeAtMs: number): void {
    this.#options.setSystem(exchange, system);
    for (const connection of this.#connections) {
      if (connection.exchange === exchange) {
        connection.announce({ what: "maintenance", system }, closeAtMs);
      }
    }
  }

  #triggersOf(exchange: ExchangeId): readonly Trigger[] {
    return this.#byExchange.get(exchange) ?? [];
  }

  #eventOf(exchange: ExchangeId, symbol: string, ageMs: number): TrueEvent | undefined {
    const { run } = this.#options;
    const book = this.#books.get(exchange)?.get(symbol);
    if (book === undefined || run === undefined) {
      return undefined;
    }
    const history = ageMs > 0 ? run.market.history(book) : undefined;
    return history?.eventAt(run.stampOf(book) - ageMs * 1000) ?? publishedEvent(book);
  }

  // Whether the book of so long ago is still known and another than today's.
  #isOlder(exchange: ExchangeId, symbol: string, ageMs: number): boolean {
    const { run } = this.#options;
    const book = this.#books.get(exchange)?.get(symbol);
    const thenUs = run === undefined ? 0 : run.stamp(run.market.nowUs) - ageMs * 1000;
    const history = book === undefined ? undefined : run?.market.history(book);
    return book !== undefined && (history?.reaches(thenUs) ?? false) && book.eventUs > thenUs;
  }
}

/** Whether a rule can happen on an exchange. */
export function appliesTo({ kind, exchanges }: FaultRule, exchange: ExchangeId): boolean {
  return existsOn(kind, exchange) && (exchanges?.includes(exchange) ?? true);
}

function isTarget(rule: FaultRule, connection: ConnectionFaults): boolean {
  const { connections, instruments } = rule;
  const isAbout =
    instruments === undefined || instruments === "*" || instruments.some((symbol) => connection.subscribed.has(symbol));
  return appliesTo(rule, connection.exchange) && (connections?.includes(connection.number) ?? true) && isAbout;
}
