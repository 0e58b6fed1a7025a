/**
 * Vectors of random books and events from one seed: many levels, many changes, several frames in a row.
 * Bad case: another seed makes other vectors; the seed is part of what is frozen.
 */
import { SeededRandom } from "../seeded_random.ts";
import { type Change, STATUS } from "./model.ts";
import type { GoldenStream } from "./stream.ts";
import type { Scenes } from "./vector.ts";

const SEED = 20_261_122;
const AT = 1_795_371_612_123_456_000n;
const VECTORS = 12;
const LEVELS = 30;
const SPREAD = 40;

/** Adds the vectors. */
export function addRandom(scenes: Scenes): void {
  const random = new SeededRandom(SEED);
  for (let index = 0; index < VECTORS; index++) {
    const timeUnit = random.pick([1, 1000, 1_000_000]);
    const options = { alias: random.below(2 ** 20), version: BigInt(random.below(2 ** 40)), timeUnit };
    const setup = (stream: GoldenStream) => fill(stream, random);
    scenes.leads(`random/deltas ${index}`, {
      options,
      setup,
      act: (stream) => Array.from({ length: 3 }, () => stir(stream, random).frame(random.below(2) === 0)),
    });
    scenes.leads(`random/conflated ${index}`, {
      options,
      setup,
      act: (stream) => {
        const from = stream.model.version;
        for (let event = 0; event < 10; event++) {
          stir(stream, random);
        }
        return [stream.conflated(from), stir(stream, random).frame(true)];
      },
    });
  }
}

function fill(stream: GoldenStream, random: SeededRandom): void {
  const changes = Array.from({ length: LEVELS }, (_, index): Change[] => [
    ["bid", 100_000n - BigInt(index * 3), lots(random)],
    ["ask", 100_001n + BigInt(index * 2), lots(random)],
  ]);
  stream.event(changes.flat(), { eventAt: AT, receivedAt: AT + BigInt(random.below(1e9)) });
}

/** One event that moves a few levels on either side of the touch and never crosses the book. */
function stir(stream: GoldenStream, random: SeededRandom): GoldenStream {
  const { model } = stream;
  const changes: Change[] = [];
  const touched = new Set<string>();
  for (let count = random.below(6); count >= 0; count--) {
    const side = random.pick(["bid", "ask"] as const);
    const away = BigInt(random.below(SPREAD));
    const price = side === "bid" ? 100_000n - away : 100_001n + away;
    const held = model.levels[side].get(price);
    const isRemoval = held !== undefined && random.below(3) === 0;
    const quantity = isRemoval ? 0n : lots(random);
    if (!touched.has(`${side}${price}`) && quantity !== held) {
      touched.add(`${side}${price}`);
      changes.push([side, price, quantity]);
    }
  }
  const { eventAt, sequence } = model.stamps;
  const at = eventAt + BigInt(random.below(5e8));
  return stream.event(changes, {
    eventAt: at,
    receivedAt: at + BigInt(random.below(1e7)),
    sequence: sequence + BigInt(random.below(3)),
    status: random.below(8) === 0 ? STATUS.notSynced : 0,
  });
}

function lots(random: SeededRandom): bigint {
  const digits = random.below(12);
  const tail = random.pick([1n, 100n, 10_000n, 1_000_000n]);
  return BigInt(1 + random.below(10 ** digits)) * tail;
}
