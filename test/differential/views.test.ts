/**
 * Both kernels as a gateway's: random records, conflated updates, views that come and go, clients that follow or lag, and
 * frames that were damaged on the way. Every return code, every frame and every field of every replica must be the same.
 * Bad case: a difference that only shows later; the whole state is compared after every step.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  REPLICA_BOOK,
  REPLICA_BUFFER_ADDRESS,
  REPLICA_BYTES,
  REPLICA_EPOCH,
  REPLICA_FRAME_ADDRESS,
  REPLICA_HISTORY,
  REPLICA_INSTRUMENT_ID,
  SIDE_ASK,
  SIDE_BID,
} from "../../assembly/layout.ts";
import type { KernelName } from "../../src/kernel/kernel.ts";
import { DECODED, Link } from "../unit/twin_link.ts";

const SEED = 55;
const VIEWS = 3;
const CHANGE_WORDS = 24;
/** Where things lie is each kernel's own; the rest of a block is not. */
const ADDRESSES = [REPLICA_BOOK, REPLICA_FRAME_ADDRESS, REPLICA_BUFFER_ADDRESS, REPLICA_HISTORY];

const change = fc.record({
  side: fc.constantFrom(SIDE_BID, SIDE_ASK),
  price: fc.oneof(
    { weight: 9, arbitrary: fc.bigInt({ min: -10n, max: 10n }) },
    { weight: 1, arbitrary: fc.bigInt({ min: -(2n ** 29n), max: 2n ** 29n }) },
  ),
  quantity: fc.oneof(fc.constant(0n), fc.bigInt({ min: 1n, max: 4n }), fc.bigInt({ min: 1n, max: 2n ** 63n - 1n })),
});
const record = fc.record({
  kind: fc.constant("record" as const),
  changes: fc.array(change, { maxLength: 16 }),
  isLast: fc.nat(4).map((number) => number > 0),
  isUnsynced: fc.boolean(),
  sequence: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  step: fc.oneof(fc.bigInt({ min: -5n, max: 10n ** 12n }), fc.constantFrom(1000n, 1_000_000n)),
});
const view = fc.nat(VIEWS - 1);
const step = fc.oneof(
  { weight: 12, arbitrary: record },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("take" as const), check: fc.nat(1) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("conflate" as const),
      back: fc.nat(20),
      limit: fc.constantFrom(100, 300, 9000),
    }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("follow" as const), view, depth: fc.constantFrom(0, 1, 4) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("snapshot" as const), view }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("frame" as const),
      view,
      damage: fc.option(fc.nat(4000), { freq: 8, nil: null }).map((at) => (at === null || at % 4 > 0 ? null : at)),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("catch up" as const), view }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("renew" as const), view, entries: fc.constantFrom(2, 16, 64) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("history" as const), entries: fc.constantFrom(0, 3, 4, 32) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("clear" as const), view }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** One gateway and its clients on one kernel. */
class Stage {
  readonly link: Link;
  readonly #views: { view: number; client: number }[];

  constructor(name: KernelName) {
    this.link = new Link(name);
    this.link.kernel.historyCreate(this.link.replica, 32);
    this.#views = Array.from({ length: VIEWS }, () => ({
      view: this.#open(8),
      client: this.link.kernel.replicaCreate(),
    }));
  }

  #open(entries: number): number {
    const { kernel } = this.link;
    const replica = kernel.replicaCreate();
    kernel.frameBufferCreate(replica, 600);
    kernel.historyCreate(replica, entries);
    return replica;
  }

  /** Everything that a step returned or wrote. */
  play(step: Step): unknown {
    const { link } = this;
    const { kernel } = link;
    if (step.kind === "record") {
      const { changes, ...rest } = step;
      link.write(changes, rest);
      return link.apply();
    }
    if (step.kind === "take") {
      return [...link.take(step.check)];
    }
    if (step.kind === "history") {
      return step.entries === 0
        ? kernel.historyRelease(link.replica)
        : kernel.historyCreate(link.replica, step.entries);
    }
    if (step.kind === "conflate") {
      const from = link.versionOf(link.replica) - BigInt(step.back);
      const low = Number(from & 0xffffffffn);
      const count = kernel.historyChanges(link.replica, low, Number((from >> 32n) & 0xffffffffn), DECODED, 8192);
      kernel.historyReach(link.replica);
      const changes = link.bytes.slice(DECODED, DECODED + Math.max(count, 0) * CHANGE_WORDS);
      return [count, ...changes, ...link.conflated(BigInt.asUintN(64, from), { limit: step.limit })];
    }
    return this.#playView(step);
  }

  #playView(step: Exclude<Step, { kind: "record" | "take" | "history" | "conflate" }>): unknown {
    const { link } = this;
    const { kernel } = link;
    const ends = this.#views[step.view] ?? { view: 0, client: 0 };
    switch (step.kind) {
      case "follow":
        return kernel.viewFollow(ends.view, link.replica, step.depth);
      case "snapshot": {
        const code = kernel.viewFollow(ends.view, link.replica, step.view * 3);
        link.take(0, ends.view);
        link.view.setUint32(ends.view + REPLICA_EPOCH, 7 + step.view, true);
        return [code, ...link.parts(120, ends.view).map((part) => [link.give(part, ends.client), ...part])];
      }
      case "frame": {
        const frame = link.take(1, ends.view);
        if (step.damage !== null && frame.length > 0) {
          const at = step.damage % frame.length;
          frame[at] = (frame[at] ?? 0) ^ (1 << (step.damage & 7));
        }
        return [frame.length === 0 ? 0 : link.give(frame, ends.client), ...frame];
      }
      case "catch up": {
        const frame = link.conflated(link.versionOf(ends.client), { replica: ends.view });
        return [frame.length === 0 ? 0 : link.give(frame, ends.client), ...frame];
      }
      case "renew":
        kernel.replicaRelease(ends.view);
        ends.view = this.#open(step.entries);
        return 0;
      case "clear":
        return kernel.replicaClear(ends.view);
    }
  }

  /** Every block, without addresses, and every level, a line each. */
  state(): string {
    const { link } = this;
    const replicas = [link.replica, link.client, ...this.#views.flatMap((ends) => [ends.view, ends.client])];
    return replicas.map((replica) => this.#lineOf(replica)).join("\n");
  }

  #lineOf(replica: number): string {
    const { link } = this;
    const block = Buffer.from(link.bytes.slice(replica + REPLICA_INSTRUMENT_ID, replica + REPLICA_BYTES));
    for (const address of ADDRESSES) {
      block.fill(0, address, address + 4);
    }
    const book = link.bookOf(replica);
    const levels = [SIDE_BID, SIDE_ASK].map((side) => link.levels(book, side).join(" "));
    return `${block.toString("hex")} ${levels.join(" | ")} ${link.kernel.bookHash(book)}`;
  }
}

describe("both kernels as a gateway's", () => {
  it("say and hold the same when anything happens", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 60, size: "max" }), (steps) => {
        const stages = [new Stage("wasm"), new Stage("twin")];
        for (const [index, one] of steps.entries()) {
          const [wasm, twin] = stages.map((stage) => JSON.stringify(stage.play(one)));
          expect(twin, `step ${index}`).toBe(wasm);
          const [wasmState, twinState] = stages.map((stage) => stage.state());
          expect(twinState, `state after step ${index}`).toBe(wasmState);
        }
      }),
      { seed: SEED, numRuns: 60 },
    );
  });
});
