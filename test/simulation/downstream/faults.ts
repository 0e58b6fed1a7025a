/**
 * What goes wrong between hub and clients, and how often. All of it is drawn from one source of randomness.
 * Bad case: damage that TCP would have caught is injected here on purpose: memory and proxies do what networks do not.
 */
import { provedBits } from "../../../src/wire/dissect.ts";

/** Faults of the way downstream; 0 = never. */
export type DownstreamFaults = {
  /** Share of binary frames that arrive with one bit flipped. */
  readonly flip: number;
  /** Share of binary frames that never arrive. */
  readonly lose: number;
  /** Share of binary frames that arrive twice. */
  readonly duplicate: number;
  /** Mean milliseconds between two cuts of a resuming client's connection. */
  readonly cutEveryMs: number;
  /** Share of the cuts that nobody is told of. */
  readonly halfOpen: number;
  /** Longest delay of a message, milliseconds; each connection has a delay of its own, and its messages vary around it. */
  readonly delayMs: number;
  /** Bytes per millisecond that a slow client reads. */
  readonly slowBytesPerMs: number;
  /** Share of the messages after which a slow client stops reading for a while. */
  readonly stall: number;
  /** Longest such while, milliseconds. */
  readonly stallMs: number;
  /** Mean milliseconds between two sleeps of the hub. */
  readonly sleepEveryMs: number;
  /** Longest sleep, milliseconds. */
  readonly sleepMs: number;
};

/** Nothing goes wrong; messages take a while. */
export const CALM: DownstreamFaults = {
  flip: 0,
  lose: 0,
  duplicate: 0,
  cutEveryMs: 0,
  halfOpen: 0,
  delayMs: 5,
  slowBytesPerMs: 200,
  stall: 0,
  stallMs: 0,
  sleepEveryMs: 0,
  sleepMs: 0,
};

/** Everything goes wrong, now and then. */
export const ROUGH: DownstreamFaults = {
  flip: 0.002,
  lose: 0.001,
  duplicate: 0.001,
  cutEveryMs: 20_000,
  halfOpen: 0.2,
  delayMs: 40,
  slowBytesPerMs: 12,
  stall: 0.002,
  stallMs: 5000,
  sleepEveryMs: 30_000,
  sleepMs: 3000,
};

/** What was done to the stream, each kind counted. */
export type DamageCounts = {
  /** Bits flipped in binary frames. */
  flips: number;
  /** Of them in bits that a check reaches, by the next one at the latest. */
  provedFlips: number;
  lost: number;
  duplicated: number;
  cuts: number;
  /** Of them cuts that nobody was told of. */
  halfOpen: number;
};

/** Damages frames on their way. */
export class Damage {
  readonly counts: DamageCounts = { flips: 0, provedFlips: 0, lost: 0, duplicated: 0, cuts: 0, halfOpen: 0 };
  #faults: DownstreamFaults;
  readonly #random: () => number;

  /** @param options.random 0 ≤ x < 1 */
  constructor(options: { faults: DownstreamFaults; random: () => number }) {
    this.#faults = options.faults;
    this.#random = options.random;
  }

  /** Nothing is damaged any more. */
  end(): void {
    this.#faults = CALM;
  }

  /** What arrives of a frame: nothing, the frame, or the frame twice; perhaps with a bit flipped. The frame itself stays. */
  arriving(frame: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
    const { flip, lose, duplicate } = this.#faults;
    if (this.#chance(lose)) {
      this.counts.lost += 1;
      return [];
    }
    const arrived = this.#chance(flip) ? this.#flipped(frame) : frame;
    if (this.#chance(duplicate)) {
      this.counts.duplicated += 1;
      return [arrived, arrived];
    }
    return [arrived];
  }

  #flipped(frame: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const damaged = frame.slice();
    const bit = Math.floor(this.#random() * damaged.length * 8);
    damaged[bit >>> 3] = (damaged[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
    this.counts.flips += 1;
    this.counts.provedFlips += provedBits(frame).includes(bit) ? 1 : 0;
    return damaged;
  }

  /** Draws only for faults that there are: a calm run does not depend on them. */
  #chance(share: number): boolean {
    return share > 0 && this.#random() < share;
  }
}
