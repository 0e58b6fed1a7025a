/**
 * The market that a day is made from, and the independent book that the kernel's is compared with at its end: 45,000 levels
 * in plain typed arrays, changed near the touch and, more rarely, far from it. It shares no code with the kernel: its hash
 * is the baseline's. Seeded; the touch wanders, the book keeps its size and never crosses.
 * Bad case: a level named twice in one frame; only the last would count, so a stamp keeps every level to one change a frame.
 */
import { levelHash } from "../baseline/hash.ts";
import { deepBook } from "../deep_book.ts";
import { seededRandom } from "../statistics.ts";

/** One change as it was drawn last: read it before the next is drawn. */
export type DrawnChange = { isBid: boolean; tick: number; lots: number };

/** A side; the best level is the last one. */
type ModelSide = { readonly ticks: Int32Array; count: number; readonly isBid: boolean };

/** Every price that can occur, in ticks. */
const WINDOW = 1 << 24;
const SIDE_ROOM = 1 << 16;
const TOUCH_MEAN_RANK = 12;
const FAR_MEAN_RANK = 2500;
const FAR_SHARE = 0.08;
const CHANGE_SHARE = 0.6;
const LOTS_MAX = 500_000_000;
/** Of the levels that come at the touch, those that come inside the spread. */
const INSIDE_SHARE = 0.5;
const INSIDE_MAX = 40;

/** A book of whole ticks and lots. */
export class DayModel {
  readonly change: DrawnChange = { isBid: true, tick: 0, lots: 0 };
  readonly #random: () => number;
  readonly #bids = side(true);
  readonly #asks = side(false);
  readonly #lots = new Int32Array(WINDOW);
  readonly #stamps = new Uint32Array(WINDOW);
  readonly #levels: number;
  #frame = 0;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    const book = deepBook(undefined, seed);
    for (const [own, source] of [
      [this.#bids, book.bids],
      [this.#asks, book.asks],
    ] as const) {
      for (const tick of source.ticks.toReversed()) {
        own.ticks[own.count] = tick;
        own.count += 1;
        this.#lots[tick] = source.lots.get(tick) ?? 0;
      }
    }
    this.#levels = this.#bids.count;
  }

  /** Levels of a side, best first, as [tick, lots]. */
  levels(isBid: boolean): [tick: number, lots: number][] {
    const { ticks, count } = isBid ? this.#bids : this.#asks;
    return Array.from({ length: count }, (_, rank) => {
      const tick = ticks[count - 1 - rank] ?? 0;
      return [tick, this.#lots[tick] ?? 0];
    });
  }

  /** The book hash: the sum of all level hashes. */
  hash(): number {
    const words = new Int32Array(4);
    let sum = 0;
    for (const { ticks, count, isBid } of [this.#bids, this.#asks]) {
      for (let place = 0; place < count; place++) {
        words[0] = ticks[place] ?? 0;
        words[2] = this.#lots[words[0]] ?? 0;
        sum = (sum + levelHash(isBid ? 0 : 1, words, 0)) >>> 0;
      }
    }
    return sum;
  }

  /** The changes that follow belong to one frame. */
  beginFrame(): void {
    this.#frame += 1;
  }

  /** Draws a change, makes it, and leaves it in `change`. */
  draw(): void {
    while (!this.#tryDraw()) {
      // The level was named in this frame already: another one is drawn.
    }
  }

  #tryDraw(): boolean {
    const random = this.#random;
    const own = random() < 0.5 ? this.#bids : this.#asks;
    const mean = random() < FAR_SHARE ? FAR_MEAN_RANK : TOUCH_MEAN_RANK;
    const rank = Math.min(own.count - 2, Math.floor(-Math.log(1 - random()) * mean));
    const place = own.count - 1 - rank;
    const tick = own.ticks[place] ?? 0;
    const share = random();
    const addsBelow = CHANGE_SHARE + (1 - CHANGE_SHARE) * (own.count < this.#levels ? 0.55 : 0.45);
    if (share >= CHANGE_SHARE && share < addsBelow) {
      const added = this.#freeTick(own, place, rank);
      if (added !== 0) {
        return this.#add(own, added);
      }
    }
    if (this.#stamps[tick] === this.#frame) {
      return false;
    }
    if (share >= addsBelow) {
      own.ticks.copyWithin(place, place + 1, own.count);
      own.count -= 1;
      this.#note(own, tick, 0);
    } else {
      this.#note(own, tick, 1 + Math.floor(random() * LOTS_MAX));
    }
    return true;
  }

  /** A price without a level beside the level at `place`; 0 when there is none, or it was named in this frame. */
  #freeTick(own: ModelSide, place: number, rank: number): number {
    const tick = own.ticks[place] ?? 0;
    let free = Math.floor((tick + (own.ticks[place - 1] ?? 0)) / 2);
    if (rank === 0 && this.#random() < INSIDE_SHARE) {
      const other = own.isBid ? this.#asks : this.#bids;
      const spread = Math.abs((other.ticks[other.count - 1] ?? 0) - tick);
      const step = 1 + Math.floor(this.#random() * Math.min(spread, INSIDE_MAX));
      free = step < spread ? tick + (own.isBid ? step : -step) : 0;
    }
    return free === 0 || this.#lots[free] !== 0 || this.#stamps[free] === this.#frame ? 0 : free;
  }

  #add(own: ModelSide, tick: number): boolean {
    let place = own.count;
    while (place > 0 && own.isBid === (own.ticks[place - 1] ?? 0) > tick) {
      place -= 1;
    }
    own.ticks.copyWithin(place + 1, place, own.count);
    own.ticks[place] = tick;
    own.count += 1;
    this.#note(own, tick, 1 + Math.floor(this.#random() * LOTS_MAX));
    return true;
  }

  #note({ isBid }: ModelSide, tick: number, lots: number): void {
    this.#lots[tick] = lots;
    this.#stamps[tick] = this.#frame;
    this.change.isBid = isBid;
    this.change.tick = tick;
    this.change.lots = lots;
  }
}

function side(isBid: boolean): ModelSide {
  return { ticks: new Int32Array(SIDE_ROOM), count: 0, isBid };
}
