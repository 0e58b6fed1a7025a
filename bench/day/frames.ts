/**
 * A day's frames as Coinbase Exchange would send them, block by block: texts byte by byte into one buffer, sizes as they were
 * captured, times by the day's curve. Made outside of what is timed.
 * Bad case: texts joined as strings; making them would take longer than replaying them.
 */
import { PRICE_EXPONENT, QUANTITY_EXPONENT } from "../deep_book.ts";
import { seededRandom } from "../statistics.ts";
import { DAY_MINUTES, dayCurve } from "./curve.ts";
import { DayModel } from "./model.ts";

/** The only instrument of the day. */
export const NATIVE = "BTC-USD";
/** Unix ms at which the day begins. */
export const DAY_START_MS = Date.UTC(2026, 6, 7);

/** Frames one behind the other. */
export type FrameBlock = {
  /** One view for each frame, as a socket hands them over. */
  readonly frames: Uint8Array[];
  /** ns since the day began, whole microseconds. */
  readonly times: number[];
  readonly updates: number;
};

/**
 * Frames by number of changes, 1 … 19 and more, in the captured stream (coinbase_exchange level2_batch, 1,898 frames with
 * 16,796 changes); those with more had 44.5 on average.
 */
const SIZES = [280, 228, 223, 173, 151, 123, 106, 81, 66, 47, 47, 38, 41, 37, 26, 22, 25, 13, 11, 160];
const LARGE_MEAN = 44.5;
const MEAN_CHANGES = 16_796 / 1898;
const MINUTE_US = 60_000_000;
const DELAY_US = 20_000;
const BLOCK_BYTES = 1 << 23;
const FRAME_ROOM = 1 << 16;
const ENCODER = new TextEncoder();
const HEAD = ENCODER.encode(`{"type":"l2update","product_id":"${NATIVE}","changes":[`);
const BUY = ENCODER.encode('["buy","');
const SELL = ENCODER.encode('["sell","');
const BETWEEN = ENCODER.encode('","');
const CLOSE = ENCODER.encode('"]');
const TIME = ENCODER.encode('],"time":"');
const TAIL = ENCODER.encode('"}');
const COMMA = 0x2c;
const ZERO = 0x30;
const POINT = 0x2e;

/** Makes the frames of a day, or of a part of each of its minutes. */
export class DayFrames {
  readonly model: DayModel;
  readonly #random: () => number;
  readonly #framesOf: Float64Array;
  readonly #updatesPerBlock: number;
  readonly #bytes = new Uint8Array(BLOCK_BYTES);
  #used = 0;
  #minute = 0;
  #minuteFrame = 0;
  #carried = 0;
  #dueFrames: number;

  /** @param updates of the whole day @param updatesPerBlock after which a block ends */
  constructor({ seed, updates, updatesPerBlock }: { seed: number; updates: number; updatesPerBlock: number }) {
    this.model = new DayModel(seed);
    this.#random = seededRandom(seed + 1);
    this.#framesOf = dayCurve(seed).map((part) => (part * updates) / MEAN_CHANGES);
    this.#updatesPerBlock = updatesPerBlock;
    this.#dueFrames = this.#framesDue();
  }

  /** The minute that the next frame belongs to; DAY_MINUTES at the end. */
  get minute(): number {
    return this.#minute;
  }

  /** The next block; its bytes are valid until the one after it. @param untilMinute it does not go beyond */
  next(untilMinute: number): FrameBlock | undefined {
    const frames: Uint8Array[] = [];
    const times: number[] = [];
    let updates = 0;
    this.#used = 0;
    while (updates < this.#updatesPerBlock && this.#used < BLOCK_BYTES - FRAME_ROOM) {
      while (this.#minuteFrame >= this.#dueFrames && this.#minute < DAY_MINUTES) {
        this.#minute += 1;
        this.#minuteFrame = 0;
        this.#dueFrames = this.#framesDue();
      }
      if (this.#minute >= untilMinute) {
        break;
      }
      const atUs = this.#minute * MINUTE_US + Math.floor((this.#minuteFrame * MINUTE_US) / this.#dueFrames);
      const changes = this.#size();
      const start = this.#used;
      this.#write(changes, atUs);
      frames.push(this.#bytes.subarray(start, this.#used));
      times.push((atUs + DELAY_US) * 1000);
      updates += changes;
      this.#minuteFrame += 1;
    }
    return updates === 0 ? undefined : { frames, times, updates };
  }

  /** Whole frames of this minute; what is left of one is carried on. */
  #framesDue(): number {
    const wanted = (this.#framesOf[this.#minute] ?? 0) + this.#carried;
    const whole = Math.floor(wanted);
    this.#carried = wanted - whole;
    return whole;
  }

  #size(): number {
    let place = this.#random() * 1898;
    for (let size = 1; size < SIZES.length; size++) {
      place -= SIZES[size - 1] ?? 0;
      if (place < 0) {
        return size;
      }
    }
    const more = -Math.log(1 - this.#random()) * (LARGE_MEAN - SIZES.length + 0.5);
    return Math.min(SIZES.length + Math.floor(more), 500);
  }

  #write(changes: number, atUs: number): void {
    const { model } = this;
    const bytes = this.#bytes;
    model.beginFrame();
    this.#put(HEAD);
    for (let index = 0; index < changes; index++) {
      if (index > 0) {
        bytes[this.#used] = COMMA;
        this.#used += 1;
      }
      model.draw();
      const { isBid, tick, lots } = model.change;
      this.#put(isBid ? BUY : SELL);
      this.#decimal(tick, PRICE_EXPONENT);
      this.#put(BETWEEN);
      this.#decimal(lots, QUANTITY_EXPONENT);
      this.#put(CLOSE);
    }
    this.#put(TIME);
    const whole = new Date(DAY_START_MS + Math.floor(atUs / 1000)).toISOString();
    const micros = String(atUs % 1000).padStart(3, "0");
    this.#put(ENCODER.encode(whole.replace("Z", `${micros}Z`)));
    this.#put(TAIL);
  }

  #put(text: Uint8Array): void {
    for (let index = 0; index < text.length; index++) {
      this.#bytes[this.#used + index] = text[index] ?? 0;
    }
    this.#used += text.length;
  }

  /** A whole number with a point before its last digits. */
  #decimal(value: number, exponent: number): void {
    const bytes = this.#bytes;
    let digits = exponent + 1;
    for (let limit = 10 ** digits; limit <= value; limit *= 10) {
      digits += 1;
    }
    let rest = value;
    let at = this.#used + digits;
    for (let digit = 0; digit < digits; digit++) {
      if (digit === exponent) {
        bytes[at] = POINT;
        at -= 1;
      }
      const tenth = Math.floor(rest / 10);
      bytes[at] = ZERO + rest - tenth * 10;
      at -= 1;
      rest = tenth;
    }
    this.#used += digits + 1;
  }
}
