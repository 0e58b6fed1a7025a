/**
 * Faults that last: from one frame on the form of a stream is another, or nothing comes any more, until a time or a
 * number of frames is over. Bad case: two of them on one stream; both apply, in the order in which they began.
 */
import type { ExchangeId } from "../model/exchange_id.ts";
import type { Clock } from "./clock.ts";
import { type DriftKind, driftedFrame } from "./drift_edits.ts";
import type { FaultRecord } from "./fault_journal.ts";
import type { FaultRule } from "./fault_script.ts";
import { OpenTriggers, type Trigger } from "./fault_trigger.ts";
import type { Parcel } from "./held_frames.ts";
import type { FrameKind } from "./protocol.ts";

/** What these faults need. */
export type LastingFaultsOptions = {
  readonly exchange: ExchangeId;
  readonly clock: Clock;
  readonly isDue: (trigger: Trigger) => boolean;
  /** One has begun, with this frame. */
  readonly spend: (trigger: Trigger, parcel: Parcel) => FaultRecord;
};

type Lasting = {
  readonly trigger: Trigger;
  readonly symbol: string | undefined;
  readonly endMs: number;
  readonly record: FaultRecord;
  left: number;
};

const BOOKS: readonly FrameKind[] = ["snapshot", "book"];
const CONTENT: readonly FrameKind[] = ["snapshot", "book", "trade", "ticker", "kline"];

/** The lasting faults of one connection. */
export class LastingFaults {
  readonly #triggers: OpenTriggers;
  readonly #options: LastingFaultsOptions;
  #lasting: Lasting[] = [];

  constructor(triggers: readonly Trigger[], options: LastingFaultsOptions) {
    this.#triggers = new OpenTriggers(triggers);
    this.#options = options;
  }

  /** Gives a frame the form that its stream has now. @returns true when it is swallowed */
  reshape(parcel: Parcel): boolean {
    const atMs = this.#options.clock.now();
    const { kind, symbol } = parcel.about;
    if (this.#lasting.length > 0) {
      this.#lasting = this.#lasting.filter((one) => one.endMs > atMs && one.left > 0);
    }
    for (const one of this.#lasting) {
      if (isUnder(one, symbol) && this.#applies(one.trigger.rule, kind) && this.#edit(one.trigger.rule, parcel)) {
        one.left -= 1;
        one.record.touched(parcel.about);
        if (one.trigger.rule.kind === "silence") {
          return true;
        }
      }
    }
    for (const trigger of this.#triggers.at(atMs)) {
      const hasBegun = this.#lasting.some((one) => one.trigger === trigger && isUnder(one, symbol));
      const isTarget = !hasBegun && this.#applies(trigger.rule, kind) && matches(trigger.rule, symbol);
      if (isTarget && this.#options.isDue(trigger) && this.#begin(trigger, parcel)) {
        return true;
      }
    }
    return false;
  }

  // True when the frame is swallowed. A frame that has nothing to change begins nothing.
  #begin(trigger: Trigger, parcel: Parcel): boolean {
    if (!this.#edit(trigger.rule, parcel)) {
      return false;
    }
    const { instruments, options, kind } = trigger.rule;
    const { for_ms: forMs = Number.POSITIVE_INFINITY, for_frames: left = Number.POSITIVE_INFINITY } = options;
    const symbol = instruments === "*" ? parcel.about.symbol : undefined;
    const record = this.#options.spend(trigger, parcel);
    this.#lasting.push({ trigger, symbol, endMs: this.#options.clock.now() + forMs, record, left: left - 1 });
    return kind === "silence";
  }

  // Whether the frame is another now; silence needs no other frame.
  #edit({ kind, options }: FaultRule, parcel: Parcel): boolean {
    if (kind === "silence") {
      return true;
    }
    const { exchange } = this.#options;
    const text = driftedFrame(kind as DriftKind, parcel.frame.toString(), { exchange, options });
    parcel.frame = text ?? parcel.frame;
    return text !== undefined;
  }

  #applies(rule: FaultRule, kind: FrameKind): boolean {
    return isWanted(rule, kind, rule.kind === "silence" ? CONTENT : BOOKS);
  }
}

/** Whether a frame is about what a rule aims at. */
export function matches({ instruments }: FaultRule, symbol: string): boolean {
  return instruments === undefined || (instruments === "*" ? symbol !== "" : instruments.includes(symbol));
}

/** Whether a rule aims at frames of a kind. @param usual where the rule does not say */
export function isWanted({ frames }: FaultRule, kind: FrameKind, usual: readonly FrameKind[]): boolean {
  return (frames ?? usual).includes(kind);
}

function isUnder({ trigger, symbol: only }: Lasting, symbol: string): boolean {
  return only === undefined ? matches(trigger.rule, symbol) : only === symbol;
}
