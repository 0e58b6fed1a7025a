/**
 * Random streams through both kernels: snapshots, deltas, trades, rescales, prices at the edges of i64, and the wire frames
 * behind the ring. Records, tables, images and frames must be the same bytes, the books the oracle's, and a client on the
 * other kernel must end with the same book. Bad case: a failing seed; fast-check prints it with the smallest stream.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  APPLY_BOOK,
  APPLY_SNAPSHOT,
  REPLICA_BOOK,
  REPLICA_HASH,
  REPLICA_OK,
  REPLICA_VERSION,
  SIDE_ASK,
  SIDE_BID,
} from "../../assembly/layout.ts";
import type { Kernel, KernelName } from "../../src/kernel/kernel.ts";
import { Oracle } from "../support/oracle.ts";
import { firstDifference, freshKernel, Rig } from "../support/rig.ts";
import { Tap, type TappedFrame } from "../support/tap.ts";

const SEED = 1122;
const price = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 400 }).map((ticks) => (100 + ticks / 4).toFixed(2)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom("129034888.00", "0.01", "92233720368547758", "1e-4", "4.9e-7", "0.00000001"),
  },
);
const quantity = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("0", "0.00000000", "0.0") },
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 10 ** 9 }).map((lots) => (lots / 1e5).toFixed(5)) },
  { weight: 1, arbitrary: fc.constantFrom("1", "10", "0.00000001", "900000000", "2.50") },
);
const levels = (most: number) => fc.array(fc.tuple(price, quantity), { maxLength: most });
const snapshot = fc
  .record({ bids: levels(200), asks: levels(200) })
  .map((book) => JSON.stringify({ type: "snapshot", product_id: "X-Y", ...book, time: "2026-07-07T22:58:17.050195Z" }));
const side = fc.constantFrom("buy", "sell");
const update = fc
  .tuple(fc.array(fc.tuple(side, price, quantity), { maxLength: 60 }), fc.integer({ min: 0, max: 999_999 }))
  .map(([changes, micros]) =>
    JSON.stringify({
      type: "l2update",
      product_id: "X-Y",
      changes,
      time: `2026-07-07T22:58:18.${String(micros).padStart(6, "0")}Z`,
    }),
  );
const frame = fc.oneof({ weight: 1, arbitrary: snapshot }, { weight: 9, arbitrary: update });
const stream = fc.array(frame, { minLength: 1, maxLength: 30 });

/** A price that needs more decimals than the level beside it can have. */
const TOO_FINE = [
  `{"type":"snapshot","product_id":"X-Y","bids":[["92233720368547758","1"]],"asks":[],"time":"2026-07-07T22:58:17.050195Z"}`,
  `{"type":"l2update","product_id":"X-Y","changes":[["buy","4.9e-7","0"]],"time":"2026-07-07T22:58:18.000000Z"}`,
];

/** A client on one kernel that applies book frames. */
class Client {
  readonly kernel: Kernel;
  readonly view: DataView;
  readonly replicas = new Map<number, number>();
  readonly #frame: number;

  constructor(name: KernelName) {
    this.kernel = freshKernel(name).kernel;
    this.view = new DataView(this.kernel.buffer);
    this.#frame = this.kernel.arenaAllocate(1 << 18);
  }

  apply({ id, bytes }: TappedFrame): number {
    const replica = this.replicas.get(id) ?? this.kernel.replicaCreate();
    this.replicas.set(id, replica);
    new Uint8Array(this.kernel.buffer, this.#frame, bytes.length).set(bytes);
    return this.kernel.frameApply(replica, this.#frame, bytes.length);
  }
}

function runBoth(frames: readonly string[]): { wasm: TappedFrame[]; rigs: Rig[]; snapshots: TappedFrame[] } {
  const oracle = new Oracle("coinbase_exchange");
  const rigs = [new Rig("wasm", "coinbase_exchange", ["X-Y"]), new Rig("twin", "coinbase_exchange", ["X-Y"])];
  const taps = rigs.map((rig) => new Tap(rig));
  const sent: TappedFrame[][] = [[], []];
  frames.forEach((text, index) => {
    const codes = rigs.map((rig) => rig.frame(new Uint8Array(Buffer.from(text)), index * 1000));
    expect(codes[0]).toBe(codes[1]);
    if (codes[0] === APPLY_BOOK || codes[0] === APPLY_SNAPSHOT) {
      oracle.frame(text);
      expect(rigs[0]?.book("X-Y")).toEqual(oracle.books.get("X-Y"));
    }
    taps.forEach((tap, kernel) => {
      sent[kernel]?.push(...tap.take());
    });
  });
  expect(sent[0]).toEqual(sent[1]);
  const [wasm, twin] = rigs;
  expect(wasm && twin ? firstDifference(wasm.body(), twin.body()) : 0).toBe(-1);
  const [snapshots = [], others] = taps.map((tap) => tap.snapshots());
  expect(snapshots).toEqual(others);
  return { wasm: sent[0] ?? [], rigs, snapshots };
}

describe("both kernels on random streams", () => {
  it("write the same records, images and wire frames, and the oracle's books, when a stream is random", () => {
    fc.assert(
      fc.property(stream, (frames) => {
        runBoth(frames);
      }),
      { seed: SEED, numRuns: 40, examples: [[TOO_FINE]] },
    );
  });

  for (const name of ["wasm", "twin"] as const) {
    it(`lead a client on ${name} to the producer's book when it starts from a snapshot and applies every frame`, () => {
      fc.assert(
        fc.property(snapshot, stream, (first, frames) => {
          const { wasm, snapshots } = runBoth([first, ...frames]);
          const late = new Client(name);
          for (const sent of snapshots.filter(({ kind }) => kind === "snapshot")) {
            expect(late.apply(sent)).toBe(REPLICA_OK);
          }
          const early = new Client(name);
          const begun = new Set<number>();
          for (const sent of wasm.filter(({ kind }) => kind === "deltas" || kind === "snapshot")) {
            if (sent.kind === "snapshot") {
              begun.add(sent.id);
            }
            if (begun.has(sent.id)) {
              expect(early.apply(sent)).toBe(REPLICA_OK);
            }
          }
          for (const [id, replica] of early.replicas) {
            compareReplicas(early, replica, late, late.replicas.get(id) ?? 0);
          }
        }),
        { seed: SEED + 1, numRuns: 15 },
      );
    });
  }
});

function compareReplicas(a: Client, replicaA: number, b: Client, replicaB: number): void {
  for (const offset of [REPLICA_VERSION, REPLICA_HASH]) {
    expect(a.view.getUint32(replicaA + offset, true)).toBe(b.view.getUint32(replicaB + offset, true));
  }
  for (const which of [SIDE_BID, SIDE_ASK]) {
    expect(a.kernel.bookCount(a.view.getUint32(replicaA + REPLICA_BOOK, true), which)).toBe(
      b.kernel.bookCount(b.view.getUint32(replicaB + REPLICA_BOOK, true), which),
    );
  }
}
