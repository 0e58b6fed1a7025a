/**
 * When and why one book is in sync: what put it out, whether something of its own did, what was asked of the exchange to
 * repair it, and whether it took longer than the exchange's limits and the faults force.
 * Bad case: a fault that shows late; faults count as an explanation until the book was proved right after them.
 */
import type { CheckGround } from "./check_ground.ts";
import type { Fault } from "./fault_ledger.ts";
import type { TruthLog } from "./truth_log.ts";

/** Frames on their way, held by sloppy sockets. */
const TRANSIT_MS = 4000;
/** Until the first book after a start. */
const START_MS = 15_000;

/** The watch over one instrument. */
export class SyncWatch {
  /** Whether its records say that it is right. */
  isSynced = false;
  readonly #log: TruthLog;
  readonly #ground: CheckGround;
  readonly #describe: () => string;
  #unsyncedMs: number;
  #consumedMs = 0;
  #repairs = 0;
  #isFresh = true;
  #isLate = false;
  #syncedMs = 0;
  /** Since when the book holds levels of one snapshot and its updates. */
  #bookMs = 0;
  #isRenewed = true;
  /** Repairs in a row, each sooner after the last than a healthy time. */
  #attempts = 0;
  /** What the waits between them may come to. */
  #backoffMs = 0;

  /** @param describe what it looks like now, for people */
  constructor(log: TruthLog, ground: CheckGround, describe: () => string) {
    this.#log = log;
    this.#ground = ground;
    this.#describe = describe;
    this.#unsyncedMs = ground.now();
  }

  /** The book was proved right: faults before this explain nothing any more. @param atMs Unix ms */
  proved(atMs: number): void {
    this.#consumedMs = Math.max(this.#consumedMs, atMs);
  }

  /** Its book was asked of the exchange. On a fresh connection, and for an audit, that repairs nothing. */
  asked(): void {
    if (this.isSynced) {
      return;
    }
    this.#isRenewed = true;
    if (this.#isFresh) {
      this.#isFresh = false;
      return;
    }
    this.#repairs += 1;
    this.#ground.report.resyncs += 1;
    if (this.#repairs > 1) {
      this.#backOff();
    }
  }

  /** Its connection begins anew. */
  connected(): void {
    this.#isFresh = true;
  }

  /** The book is published as right. */
  enter(): void {
    const { now, report, trace } = this.#ground;
    const { exchange, native } = this.#log;
    this.isSynced = true;
    this.#syncedMs = now();
    this.#bookMs = this.#isRenewed ? now() : this.#bookMs;
    this.#isRenewed = false;
    this.#isLate = false;
    const lastedMs = now() - this.#unsyncedMs;
    report.unsyncedMsMax = Math.max(report.unsyncedMsMax, lastedMs);
    trace.note(`${exchange} ${native} is synced after ${Math.round(lastedMs)} ms`);
    this.#countRepairs();
    this.#repairs = 0;
  }

  #countRepairs(): void {
    const { report, ledger } = this.#ground;
    const { exchange, native } = this.#log;
    const faults = ledger.forcing(exchange, native, this.#consumedMs).filter((fault) => fault.class !== "harmless");
    const forced = faults.reduce((sum, fault) => sum + fault.repairs, 0);
    const share = this.#repairs / Math.max(1, forced);
    report.resyncsPerFault = Math.max(report.resyncsPerFault, share);
    if (share > 1) {
      const because = faults.map(({ kind }) => kind).join(", ");
      const expected = `${forced} or fewer (${because})`;
      this.#ground.fail(this.#log, "at most one repair for each fault", { expected, found: String(this.#repairs) });
    }
  }

  /** The book is published as not right any more. @param options.isRetired its id went for another */
  leave({ isRetired }: { isRetired: boolean }): void {
    if (!this.isSynced) {
      return;
    }
    const { now, trace, ledger, startMs } = this.#ground;
    const { exchange, native } = this.#log;
    this.isSynced = false;
    this.#unsyncedMs = now();
    this.#backoffMs = 0;
    this.#attempts = now() - this.#syncedMs >= ledger.limits.healthyMs ? 0 : this.#attempts;
    this.#backOff();
    const causes = this.#causesNow();
    trace.note(`${exchange} ${native} is not synced any more: ${this.#describe()}`);
    const isHeld = ledger.isHoldingBack(exchange, native, now() - startMs);
    if (causes.length === 0 && !isRetired && !isHeld) {
      this.#ground.fail(this.#log, "a book leaves sync for a fault of its own only", {
        expected: "a fault",
        found: this.#describe(),
      });
    }
  }

  #backOff(): void {
    const { repairBaseMs, repairCapMs } = this.#ground.ledger.limits;
    this.#backoffMs += this.#attempts === 0 ? 0 : Math.min(repairCapMs, repairBaseMs * 2 ** (this.#attempts - 1));
    this.#attempts += 1;
  }

  /**
   * What may have put it out now. A level that a class B fault made wrong outside the range that is compared stays until
   * the book is asked for anew, and may cross it long after everything compared was right.
   */
  #causesNow(): Fault[] {
    const { exchange, native } = this.#log;
    const sinceMs = Math.min(this.#consumedMs, this.#bookMs);
    return this.#ground.ledger
      .touching(exchange, native, sinceMs)
      .filter((fault) => fault.mayUnsync && fault.class !== "harmless")
      .filter((fault) => fault.untilMs >= this.#consumedMs || fault.class === "B");
  }

  /** Looks after how long it lasts. */
  tick(now: number): void {
    const { exchange } = this.#log;
    const lastedMs = now - this.#unsyncedMs;
    if (this.#isLate || lastedMs < START_MS) {
      return;
    }
    const faults = this.#ground.ledger.delaying(exchange, this.#unsyncedMs - TRANSIT_MS);
    const limitMs = faults.reduce((sum, fault) => sum + fault.costMs, START_MS + this.#backoffMs);
    if (lastedMs > limitMs) {
      this.#isLate = true;
      const because = faults.map(({ kind }) => kind).join(", ");
      this.#ground.fail(this.#log, "no book stays out of sync for longer than its faults force", {
        expected: `${Math.round(limitMs)} ms for ${because === "" ? "no fault" : because}`,
        found: `longer, ${this.#describe()}`,
      });
    }
  }
}
