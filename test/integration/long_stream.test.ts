/**
 * The stream through its three consumers, small: some hundred thousand changes here, a hundred million in
 * test/long/stream.ts. STREAM_CHANGES asks for another amount. Every proof must hold, every level be the producer's, every
 * flipped bit be seen; and books that look at nothing must be found out, else the run proves nothing.
 * Bad case: a failure that comes seldom; the message holds the seed.
 */
import { expect, it } from "vitest";
import { FRAME_DELTAS, FRAME_FLAG_CHECK } from "../../assembly/layout.ts";
import { BookConsumer, ClientBook, type FollowedBook } from "../long/stream/books.ts";
import { capturedFrames } from "../long/stream/market.ts";
import { hasPython } from "../long/stream/python.ts";
import { runStream } from "../long/stream/run.ts";
import { StreamSource } from "../long/stream/source.ts";
import { capturesPresent } from "../support/captures.ts";
import { optionalPart } from "../support/require.ts";

const CHANGES = Number(process.env.STREAM_CHANGES ?? 300_000);
const CHECK_BYTES = 8;
const BURSTS = 1500;
const SEED = 20_261_122;
/** Everything happens often. */
const RATES = {
  flip: 60,
  ringFlip: 500,
  skip: 60,
  rejoin: 500,
  reset: 1500,
  reconnect: 3000,
  refine: 4000,
  levels: 5,
};

it(`client and kernel hold the producer's books and see every flipped bit in ${CHANGES} changes`, async () => {
  const result = await runStream(CHANGES, { seed: SEED, rates: RATES, captured: [], pythons: 0 });
  const label = JSON.stringify(result);
  expect(result.problems, label).toEqual([]);
  // Else the run was none.
  const { flips, conflated, resets, reconnects, rescales, snapshots, checks } = result.source;
  for (const count of [flips, conflated, resets, reconnects, rescales, snapshots, checks, result.ringFlips.flips]) {
    expect(count, label).toBeGreaterThan(0);
  }
  for (const { levels, flips: ends } of result.consumers) {
    expect(levels, label).toBeGreaterThan(10_000);
    expect(Object.keys(ends), label).toEqual(expect.arrayContaining(["conflated", "deltas", "snapshot"]));
  }
});

it.skipIf(!optionalPart("Python with numpy", hasPython()))(
  `client, kernel and Python hold the producer's books in ${CHANGES} changes of any seed`,
  async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const result = await runStream(CHANGES, { seed, rates: RATES, captured: [], pythons: 2 });
    const label = `seed ${seed}: ${JSON.stringify(result)}`;
    expect(result.problems, label).toEqual([]);
    expect(result.changes, label).toBeGreaterThanOrEqual(CHANGES);
    // All three saw the same bits in the same way.
    const [client, kernel, python] = result.consumers.map(({ flips }) => flips);
    expect([kernel, python], label).toEqual([client, client]);
  },
);

it.skipIf(!capturesPresent())(
  "client and kernel hold the books when the frames of a captured exchange come first",
  async () => {
    const captured = capturedFrames();
    const result = await runStream(1, { seed: 1, rates: { ...RATES, levels: 1 }, captured, pythons: 0 });
    expect(result.problems).toEqual([]);
    expect(result.source.exchangeFrames).toBeGreaterThan(captured.length);
  },
);

/** A book that reckons another hash. */
class Miscounting extends ClientBook {
  override get hash(): number {
    return super.hash ^ 1;
  }
}

/** A book with a byte less in its levels. */
class Forgetful extends ClientBook {
  override levels(): Uint8Array {
    return super.levels().subarray(0, -1);
  }
}

/** A book that never looks at the hash of a deltas frame. */
class Trusting extends ClientBook {
  override apply(frame: Uint8Array): number {
    if (frame[0] !== (FRAME_DELTAS | FRAME_FLAG_CHECK)) {
      return super.apply(frame);
    }
    const bare = frame.slice(0, -CHECK_BYTES);
    bare[0] = FRAME_DELTAS;
    return super.apply(bare);
  }
}

async function problemsOf(make: () => FollowedBook): Promise<readonly string[]> {
  const consumer = new BookConsumer("one that is wrong", make);
  const source = new StreamSource([consumer], { seed: SEED, rates: RATES });
  for (let burst = 0; burst < BURSTS; burst++) {
    source.burst();
  }
  source.finish();
  return (await consumer.finish()).problems;
}

it("a consumer is found out when it has another hash, lacks a level or looks at no hash", async () => {
  expect(await problemsOf(() => new ClientBook())).toEqual([]);
  expect((await problemsOf(() => new Miscounting()))[0]).toContain("the producer has");
  expect((await problemsOf(() => new Forgetful()))[0]).toContain("a level differs from the producer's");
  expect((await problemsOf(() => new Trusting()))[0]).toContain("nobody saw it");
});
