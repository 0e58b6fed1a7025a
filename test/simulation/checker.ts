/**
 * The checker of one world: a tap on every segment, a check for every instrument, and what they see together. It reads
 * what is published and what the market truly did. Bad case: a worker that died; its books are no longer called right
 * once its segment says so.
 */
import { COUNTER_AUDITS, SEGMENT_STATE_LIVE } from "../../assembly/layout.ts";
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import type { CheckGround } from "./check_ground.ts";
import { InstrumentCheck } from "./instrument_check.ts";
import { PublishedBook } from "./published_book.ts";
import { type PublishedRecord, RingTap } from "./ring_tap.ts";
import type { TruthLog } from "./truth_log.ts";

/** Checks everything that is published in one world. */
export class Checker {
  readonly #ground: CheckGround;
  readonly #checks = new Map<string, InstrumentCheck>();
  readonly #logs = new Map<string, TruthLog>();
  readonly #taps = new Map<ExchangeId, RingTap>();
  /** Readers that look at every store of a producer, and what they saw by position. */
  readonly #probes = new Map<ExchangeId, { tap: RingTap; seen: Map<number, string> }>();

  #auditsBefore = 0;

  constructor(ground: CheckGround) {
    this.#ground = ground;
  }

  /** Every instrument. */
  get checks(): ReadonlyMap<string, InstrumentCheck> {
    return this.#checks;
  }

  /** Watches an instrument from here on. */
  watch(log: TruthLog): void {
    this.#logs.set(keyOf(log.exchange, log.native), log);
    this.#checks.set(keyOf(log.exchange, log.native), new InstrumentCheck(new PublishedBook(log), this.#ground));
  }

  /** The truth of an instrument. */
  log(exchange: ExchangeId, native: string): TruthLog | undefined {
    return this.#logs.get(keyOf(exchange, native));
  }

  check(exchange: ExchangeId, native: string): InstrumentCheck | undefined {
    return this.#checks.get(keyOf(exchange, native));
  }

  /** The checks of one exchange. */
  checksOf(exchange: ExchangeId): InstrumentCheck[] {
    return [...this.#checks.values()].filter(({ book }) => book.log.exchange === exchange);
  }

  /** A worker publishes in a segment from here on. */
  attach(exchange: ExchangeId, address: number): void {
    const tap: RingTap = new RingTap(this.#ground.buffer, address, (record, entry) => {
      this.#record(exchange, record);
      this.check(exchange, entry.native)?.record(record, entry, tap);
    });
    this.#taps.set(exchange, tap);
    const seen = new Map<number, string>();
    const probe = new RingTap(this.#ground.buffer, address, (record) => seen.set(record.position, textOf(record)));
    this.#probes.set(exchange, { tap: probe, seen });
  }

  /** Looks at the rings in the midst of whatever a producer does. */
  probe(): void {
    for (const [exchange, { tap }] of this.#probes) {
      try {
        tap.poll();
      } catch (error) {
        if (!(error instanceof RangeError)) {
          throw error;
        }
        const was = { expected: "a whole record", found: error.message };
        this.#ground.fail({ exchange, native: "" }, "a record is written before it is visible", was);
      }
    }
  }

  /** Audits that found every compared level right or not, over all workers. */
  get audits(): number {
    const live = [...this.#taps.values()].reduce((sum, { view }) => sum + view.counter(COUNTER_AUDITS), 0);
    return this.#auditsBefore + live;
  }

  /** A worker is known to be dead. */
  detach(exchange: ExchangeId): void {
    const tap = this.#taps.get(exchange);
    tap?.poll();
    this.#auditsBefore += tap?.view.counter(COUNTER_AUDITS) ?? 0;
    this.#taps.delete(exchange);
    this.#probes.delete(exchange);
    for (const check of this.checksOf(exchange)) {
      check.abandoned();
    }
  }

  /** Looks at what was published. Call after everything that happens. */
  poll(): void {
    for (const tap of this.#taps.values()) {
      tap.poll();
    }
  }

  /** Looks after what lasts. Call every 100 ms. */
  tick(): void {
    for (const check of this.#checks.values()) {
      check.tick();
    }
    for (const [exchange, { view, lost }] of this.#taps) {
      if (lost > 0 || view.state !== SEGMENT_STATE_LIVE) {
        const found = `${lost} lost, segment state ${view.state}`;
        this.#ground.fail({ exchange, native: "" }, "a prompt reader loses nothing", {
          expected: "0 lost, live",
          found,
        });
      }
    }
  }

  #record(exchange: ExchangeId, record: PublishedRecord): void {
    const { id, version, flags, sequence, eventUs, changes, position } = record;
    const { report, trace, fail } = this.#ground;
    const seen = this.#probes.get(exchange)?.seen;
    const early = seen?.get(position);
    seen?.delete(position);
    if (early !== undefined && early !== textOf(record)) {
      const was = { expected: textOf(record), found: early };
      fail({ exchange, native: "" }, "a record is written before it is visible", was);
    }
    report.records += 1;
    trace.mix(id, version, flags, sequence, eventUs, changes.length);
  }
}

function textOf({ id, version, flags, sequence, changes }: PublishedRecord): string {
  const levels = changes.map(({ side, price, quantity }) => `${side} ${price} ${quantity}`).join(", ");
  return `${id} version ${version} flags ${flags} sequence ${sequence}: ${levels}`;
}

/** Exchange and native symbol as one text. */
export function keyOf(exchange: string, native: string): string {
  return `${exchange} ${native}`;
}
