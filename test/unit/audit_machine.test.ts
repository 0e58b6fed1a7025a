/**
 * When audits come and what they conclude, with a scripted book in the kernel's place: freshness, patience, confirmation,
 * early repeats. Bad case: a verdict on one answer whose age nobody can prove.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AUDIT_FAILED, AUDIT_INCONCLUSIVE, AUDIT_MATCH, AUDIT_MISMATCH } from "../../assembly/layout.ts";
import type { AuditFreshness } from "../../src/exchanges/mod.ts";
import { AuditMachine } from "../../src/sync/audit_machine.ts";
import { auditSchedule, firstAuditMs } from "../../src/sync/audit_schedule.ts";
import type { AuditFindings } from "../../src/sync/audit_watch.ts";

const INTERVAL_MS = 50_000;
const BEFORE_MS = 1000;
const AFTER_MS = 500;
const CONFIRM_MS = 3000;
const FIRST_AT = 10_000;
const STEP_MS = 100;

const SAME: AuditFindings = {
  result: "compared",
  sequence: 0n,
  timeNs: 0n,
  compared: 100,
  touched: 0,
  agreeing: 1,
  disagreeing: 0,
  mismatchCount: 0,
  mismatches: [],
};

function differing(...prices: bigint[]): AuditFindings {
  const mismatches = prices.map((price) => ({ side: 0, price, ours: 5n, theirs: 6n }));
  return { ...SAME, mismatchCount: prices.length, mismatches };
}

/** A machine, a book that answers from a script, and time. */
class Bench {
  readonly machine: AuditMachine;
  readonly outcomes: [outcome: number, at: number][] = [];
  readonly asks: number[] = [];
  opened = 0;
  closed = 0;
  lastSequence = 100n;
  eventAtNs = 1000n;
  isSynced = true;
  /** Answers a request after so long; undefined: never. */
  answerMs: number | undefined = 200;
  now = 0;
  readonly #script: AuditFindings[];
  #token = 0;
  #answerAt: number | undefined;

  constructor(freshness: AuditFreshness, script: AuditFindings[]) {
    this.#script = script;
    const bench = this;
    this.machine = new AuditMachine({
      book: {
        open: () => {
          this.opened += 1;
        },
        asked: () => undefined,
        close: () => {
          this.closed += 1;
        },
        compare: () => this.#script.shift() ?? SAME,
        get lastSequence() {
          return bench.lastSequence;
        },
        get eventAtNs() {
          return bench.eventAtNs;
        },
      },
      range: () => ({ levels: 0, quantityDecimals: -1 }),
      freshness,
      intervalMs: INTERVAL_MS,
      beforeMs: BEFORE_MS,
      afterMs: AFTER_MS,
      confirmMs: CONFIRM_MS,
      firstAt: FIRST_AT,
    });
  }

  run(ms: number): this {
    for (const end = this.now + ms; this.now < end; this.now += STEP_MS) {
      if (this.#answerAt !== undefined && this.now >= this.#answerAt) {
        this.#answerAt = undefined;
        this.machine.answered(this.now, this.#token, new Uint8Array());
      }
      this.take(this.machine.timer(this.now, this.isSynced));
    }
    return this;
  }

  take(actions: ReturnType<AuditMachine["timer"]>): void {
    for (const action of actions) {
      if (action.do === "ask") {
        this.#token = action.token;
        this.asks.push(this.now);
        this.#answerAt = this.answerMs === undefined ? undefined : this.now + this.answerMs;
      } else {
        this.outcomes.push([action.outcome, this.now]);
      }
    }
  }

  fail(): void {
    this.take(this.machine.failed(this.now, this.#token, "no answer"));
  }
}

describe("AuditMachine", () => {
  it("opens its window before the request, waits after the answer, and keeps its rhythm", () => {
    const bench = new Bench("time", []).run(120_000);
    expect(bench.asks).toEqual([10_000, 60_000, 110_000]);
    expect(bench.outcomes.map(([outcome]) => outcome)).toEqual([AUDIT_MATCH, AUDIT_MATCH, AUDIT_MATCH]);
    expect(bench.outcomes[0]?.[1]).toBe(10_000 + 200 + AFTER_MS);
    expect([bench.opened, bench.closed]).toEqual([3, 3]);
  });

  it("confirms a difference by a second answer in the same window when no sequence proves it", () => {
    const bench = new Bench("content", [differing(7n, 9n), differing(9n, 8n)]).run(20_000);
    expect(bench.outcomes.map(([outcome]) => outcome)).toEqual([AUDIT_MISMATCH]);
    expect([bench.asks.length, bench.opened]).toEqual([2, 1]);
  });

  it("takes a difference that is gone in the second answer for a match", () => {
    const bench = new Bench("time", [differing(7n), SAME]).run(20_000);
    expect(bench.outcomes.map(([outcome]) => outcome)).toEqual([AUDIT_MATCH]);
  });

  it("says nothing when every answer differs elsewhere", () => {
    const bench = new Bench("content", [differing(1n), differing(2n), differing(3n), differing(4n)]).run(30_000);
    expect(bench.outcomes[0]?.[0]).toBe(AUDIT_INCONCLUSIVE);
  });

  it("believes one answer whose sequence lies between the opening and now", () => {
    const bench = new Bench("sequence", [{ ...differing(7n), sequence: 100n }]).run(12_000);
    expect(bench.outcomes.map(([outcome]) => outcome)).toEqual([AUDIT_MISMATCH]);
  });

  it("waits for the socket when the answer's sequence is ahead of it, and gives up after a while", () => {
    const ahead = { ...differing(7n), sequence: 150n };
    const patient = new Bench("sequence", [ahead, { ...SAME, sequence: 150n }]);
    patient.run(10_800).lastSequence = 151n;
    expect(patient.run(3000).outcomes.map(([outcome]) => outcome)).toEqual([AUDIT_MATCH]);
    const behind = new Bench("sequence", [ahead, ahead, ahead, ahead, ahead]).run(14_000);
    expect(behind.outcomes[0]?.[0]).toBe(AUDIT_INCONCLUSIVE);
  });

  it.each([
    ["sequence", { ...differing(7n), sequence: 99n }],
    ["time", { ...differing(7n), timeNs: 999n }],
    ["content", { ...differing(7n), agreeing: 1, disagreeing: 4 }],
  ] as const)(
    "asks again when the answer is older than the window by its %s, and never judges it",
    (freshness, old) => {
      const again = new Bench(freshness, [old, { ...SAME, sequence: 100n, timeNs: 1000n }]).run(20_000);
      expect([again.outcomes.map(([outcome]) => outcome), again.asks.length]).toEqual([[AUDIT_MATCH], 2]);
      const never = new Bench(freshness, [old, old, old, old]).run(26_000);
      expect(never.outcomes[0]?.[0]).toBe(AUDIT_INCONCLUSIVE);
    },
  );

  it("counts a failure and tries again soon, and in its rhythm when REST goes on failing", () => {
    const bench = new Bench("time", []);
    bench.answerMs = undefined;
    bench.run(15_000).fail();
    bench.answerMs = 200;
    bench.run(6000);
    expect(bench.outcomes.map(([outcome]) => outcome)).toEqual([AUDIT_FAILED, AUDIT_MATCH]);
    expect(bench.asks).toEqual([10_000, 15_000 + BEFORE_MS + CONFIRM_MS]);

    const failing = new Bench("time", []);
    failing.answerMs = undefined;
    for (let at = 0; at < 120_000; at += 1000) {
      failing.run(1000);
      failing.fail();
    }
    const between = failing.asks.slice(1).map((at, index) => at - (failing.asks[index] ?? 0));
    expect(between.slice(0, 3).every((ms) => ms < 10_000)).toBe(true);
    expect(between[3]).toBeGreaterThan(10_000);
  });

  it("is inconclusive when the book is replaced or leaves synced, and is repeated soon after", () => {
    const replaced = new Bench("time", [{ ...SAME, result: "broken" }]).run(20_000);
    expect(replaced.outcomes.map(([outcome]) => outcome)).toEqual([AUDIT_INCONCLUSIVE, AUDIT_MATCH]);
    const lost = new Bench("time", []).run(9500);
    lost.isSynced = false;
    lost.run(30_000);
    expect(lost.outcomes.map(([outcome]) => outcome)).toEqual([AUDIT_INCONCLUSIVE]);
    lost.isSynced = true;
    expect(lost.run(5000).outcomes.map(([outcome]) => outcome)).toEqual([AUDIT_INCONCLUSIVE, AUDIT_MATCH]);
  });

  it("ignores answers that nobody waits for", () => {
    const bench = new Bench("time", []).run(10_100);
    bench.machine.answered(bench.now, 99, new Uint8Array());
    expect(bench.machine.failed(bench.now, 99, "late")).toEqual([]);
    expect(bench.run(2000).outcomes.map(([outcome]) => outcome)).toEqual([AUDIT_MATCH]);
  });
});

describe("auditSchedule", () => {
  const options = fc.record({
    periodMs: fc.integer({ min: 1000, max: 600_000 }),
    budget: fc.record({ count: fc.integer({ min: 1, max: 5000 }), perMs: fc.integer({ min: 1000, max: 60_000 }) }),
    weight: fc.integer({ min: 1, max: 250 }),
    books: fc.integer({ min: 1, max: 400 }),
    afterMs: fc.integer({ min: 100, max: 5000 }),
    confirmMs: fc.integer({ min: 100, max: 10_000 }),
  });

  it("never spends more than the budget, and says a period that three looks fit into", () => {
    fc.assert(
      fc.property(options, (given) => {
        const { intervalMs, periodMs } = auditSchedule(given);
        const spentPerMs = (given.books * given.weight) / intervalMs;
        expect(spentPerMs).toBeLessThanOrEqual(given.budget.count / given.budget.perMs + 1e-9);
        expect(periodMs - intervalMs).toBeGreaterThanOrEqual(3 * given.afterMs + 2 * given.confirmMs);
        expect(periodMs).toBeGreaterThanOrEqual(given.periodMs);
      }),
    );
  });

  it("spreads the first audits over one interval", () => {
    const times = Array.from({ length: 10 }, (_, index) => firstAuditMs(50_000, { index, books: 10, random: 0.5 }));
    expect(times).toEqual([2500, 7500, 12_500, 17_500, 22_500, 27_500, 32_500, 37_500, 42_500, 47_500]);
  });
});
