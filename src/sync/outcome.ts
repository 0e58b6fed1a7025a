/**
 * The outcome block that the kernel fills with every frame, read field by field. Bad case: reading it after the next
 * apply; it describes the last frame only.
 */
import {
  OUTCOME_BYTES,
  OUTCOME_DETAIL,
  OUTCOME_ENTRIES,
  OUTCOME_FIRST_SEQUENCE,
  OUTCOME_INSTRUMENT,
  OUTCOME_LAST_SEQUENCE,
  OUTCOME_NEED_PRICE_EXPONENT,
  OUTCOME_NEED_QUANTITY_EXPONENT,
  OUTCOME_SYMBOL_ADDRESS,
  OUTCOME_SYMBOL_LENGTH,
} from "../../assembly/layout.ts";
import type { Kernel } from "../kernel/kernel.ts";

/** The last outcome of a kernel. */
export class Outcome {
  readonly #buffer: ArrayBufferLike;
  readonly #view: DataView;

  constructor(kernel: Kernel) {
    this.#buffer = kernel.buffer;
    this.#view = new DataView(kernel.buffer, kernel.outcomeAddress(), OUTCOME_BYTES);
  }

  /** Address of the instrument's block; 0 = none could be told. */
  get instrument(): number {
    return this.#view.getUint32(OUTCOME_INSTRUMENT, true);
  }

  /** REASON_*, DECODE_* or LIMIT_*, by the code. */
  get detail(): number {
    return this.#view.getInt32(OUTCOME_DETAIL, true);
  }

  /** Level entries of the frame. */
  get entries(): number {
    return this.#view.getUint32(OUTCOME_ENTRIES, true);
  }

  /** First update id of the event. */
  get firstSequence(): bigint {
    return this.#view.getBigUint64(OUTCOME_FIRST_SEQUENCE, true);
  }

  /** Last update id of the event. */
  get lastSequence(): bigint {
    return this.#view.getBigUint64(OUTCOME_LAST_SEQUENCE, true);
  }

  /** The decimals that the frame needs. */
  get needs(): { price: number; quantity: number } {
    return {
      price: this.#view.getInt32(OUTCOME_NEED_PRICE_EXPONENT, true),
      quantity: this.#view.getInt32(OUTCOME_NEED_QUANTITY_EXPONENT, true),
    };
  }

  /** The instrument's name as the frame spells it. */
  get symbol(): string {
    const address = this.#view.getUint32(OUTCOME_SYMBOL_ADDRESS, true);
    const length = this.#view.getUint32(OUTCOME_SYMBOL_LENGTH, true);
    return new TextDecoder().decode(new Uint8Array(this.#buffer, address, length).slice());
  }
}
