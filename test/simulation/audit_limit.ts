/**
 * How long a class B fault may stay unseen: one period of the audit, which the segment says, and another for each audit
 * that a fault of REST or the death of a worker may have spoilt. What lasted is kept apart for the two.
 * Bad case: an answer that is spoilt late in a period; the audit that repeats it belongs to the next one.
 */
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import type { CheckGround } from "./check_ground.ts";

/** What a spoilt audit's repeats and their answers may take beyond the periods, ms. */
const SPOILT_SLACK_MS = 25_000;
/** A spoilt request may have begun so long before the fault that it was to find, ms. */
const BEFORE_MS = 4000;

/** The audits of one exchange, as the checker expects them. */
export class AuditLimit {
  readonly #ground: CheckGround;
  readonly #exchange: ExchangeId;

  constructor(ground: CheckGround, exchange: ExchangeId) {
    this.#ground = ground;
    this.#exchange = exchange;
  }

  /** Until when the audit must have found it. @param sinceMs Unix ms @param periodMs of its instrument @returns ms */
  findableMs(sinceMs: number, periodMs: number): number {
    const spoilt = this.#spoilt(sinceMs);
    return spoilt === 0 ? periodMs : periodMs * (1 + spoilt) + SPOILT_SLACK_MS;
  }

  /** A book called right was not, for so long. @param sinceMs Unix ms @param lastedMs until now */
  undetected(sinceMs: number, lastedMs: number): void {
    const { report } = this.#ground;
    if (this.#spoilt(sinceMs) === 0) {
      report.undetectableMsMax = Math.max(report.undetectableMsMax, lastedMs);
    } else {
      report.undetectableSpoiltMsMax = Math.max(report.undetectableSpoiltMsMax, lastedMs);
    }
  }

  #spoilt(sinceMs: number): number {
    return this.#ground.ledger.spoilingAudits(this.#exchange, sinceMs - BEFORE_MS);
  }
}
