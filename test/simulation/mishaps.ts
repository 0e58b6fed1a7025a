/**
 * What happens on our own machine in one world: workers die, at once or by hanging, and the wall clock is set.
 * Bad case: a worker that dies while its exchange is in trouble anyway; both must be mended.
 */
import type { Random } from "../../src/emulator/random.ts";
import type { VirtualClock } from "../../src/emulator/virtual_clock.ts";
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import type { Post } from "./post.ts";

type Death = { readonly atMs: number; readonly place: number; readonly isKnown: boolean };

/** What mishaps act on. */
export type MishapGround = {
  readonly clock: VirtualClock;
  readonly posts: readonly Post[];
  /** A worker died; it takes about so long until another is there. */
  readonly died: (exchange: ExchangeId, lastsMs: number) => void;
  readonly stepped: (ms: number) => void;
};

const FIRST_MS = 20_000;
const DEATH_SHARE = 0.6;
const STEP_SHARE = 0.5;
const STEP_MS_MAX = 7_200_000;
const HANG_MS = 9000;
const CRASH_MS = 1500;

/** The mishaps of one world. */
export class Mishaps {
  /** Wall time minus the clock's, ms. */
  wallStepMs = 0;
  readonly #deaths: Death[] = [];
  readonly #step: { readonly atMs: number; readonly ms: number } | undefined;

  /** @param endMs nothing happens after this */
  constructor(random: Random, endMs: number) {
    const at = (): number => FIRST_MS + random.unit() * Math.max(0, endMs - FIRST_MS - HANG_MS);
    while (random.chance(DEATH_SHARE) && this.#deaths.length < 3) {
      this.#deaths.push({ atMs: at(), place: random.below(4), isKnown: random.chance(0.5) });
    }
    this.#step = random.chance(STEP_SHARE)
      ? { atMs: at(), ms: Math.round((random.unit() * 2 - 1) * STEP_MS_MAX) }
      : undefined;
  }

  /** Lets them happen on the clock. */
  start({ clock, posts, died, stepped }: MishapGround): void {
    for (const { atMs, place, isKnown } of this.#deaths) {
      clock.setTimer(() => {
        const post = posts[place];
        if (post?.worker?.life.isAlive === true) {
          died(post.exchange, isKnown ? CRASH_MS : HANG_MS);
          post.kill({ isKnown });
        }
      }, atMs);
    }
    const step = this.#step;
    if (step !== undefined) {
      clock.setTimer(() => {
        this.wallStepMs += step.ms;
        stepped(step.ms);
      }, step.atMs);
    }
  }
}
