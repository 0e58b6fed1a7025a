/**
 * One instrument with all that watches over it: the kernel's block, its machine, the frames that wait for its snapshot,
 * whether its trades are subscribed, and what its frames looked like lately. Bad case: trades whose subscription was dropped by a rate limit while the book's
 * was not; they are asked for again until they are acknowledged.
 */
import type { Channel } from "../exchanges/mod.ts";
import type { FormRecord } from "./form_record.ts";
import type { InstrumentBlock } from "./instrument_block.ts";
import type { InstrumentSync } from "./instrument_sync.ts";
import type { OrderRecord } from "./order_record.ts";
import type { SilenceRecord } from "./silence_record.ts";
import type { SpliceBuffer } from "./splice_buffer.ts";

/** An instrument under watch. */
export type TrackedInstrument = {
  readonly block: InstrumentBlock;
  readonly machine: InstrumentSync;
  readonly buffer: SpliceBuffer;
  /** Index of its connection. */
  readonly connection: number;
  readonly side: SideChannels;
  readonly form: FormRecord;
  readonly order: OrderRecord;
  readonly silence: SilenceRecord;
};

/** The channels beside the book. */
export const SIDE_CHANNELS: readonly Channel[] = ["trades", "heartbeat"];

/** Follows the acknowledgement of the channels beside the book: one ack stands for both. */
export class SideChannels {
  #askedAt: number | undefined;
  #isAccepted = false;
  #attempts = 0;

  /** The exchange acknowledged the trades. */
  get isAccepted(): boolean {
    return this.#isAccepted;
  }

  /** The request goes out. @param at ms */
  asked(at: number): void {
    this.#askedAt = at;
    this.#attempts += 1;
  }

  /** The exchange acknowledged it. */
  accepted(): void {
    this.#isAccepted = true;
    this.#attempts = 0;
  }

  /** The connection is gone, or opens afresh. */
  forget(): void {
    this.#askedAt = undefined;
    this.#isAccepted = false;
    this.#attempts = 0;
  }

  /** Whether to ask again: not acknowledged for `ackMs`, twice that after the second attempt, and so on up to 32 times. */
  isOverdue(at: number, ackMs: number): boolean {
    const patience = ackMs * 2 ** Math.min(5, this.#attempts - 1);
    return !this.#isAccepted && this.#askedAt !== undefined && at - this.#askedAt >= patience;
  }
}
