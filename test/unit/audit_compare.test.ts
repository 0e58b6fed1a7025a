/**
 * The kernel's comparison of a book with a REST body, on both kernels: the same findings byte for byte, no false alarm
 * whatever moves inside the window, and any single wrong level that nobody touched is found.
 * Bad case: a model that forgets what an event named without changing it; such a level is no level to judge.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  COMPARE_BROKEN,
  COMPARE_OK,
  COMPARE_UNREADABLE,
  COUNTER_RECORDS,
  LEVEL_BYTES,
  LEVEL_PRICE,
  LEVEL_QUANTITY,
  SIDE_ASK,
  SIDE_BID,
  WATCH_AGREEING,
  WATCH_ASK_COUNT,
  WATCH_BID_COUNT,
  WATCH_BODY_SEQUENCE,
  WATCH_BODY_TIME,
  WATCH_COMPARED,
  WATCH_DISAGREEING,
  WATCH_FLAGS,
  WATCH_LIST,
  WATCH_MISMATCH_BYTES,
  WATCH_MISMATCH_OURS,
  WATCH_MISMATCH_PRICE,
  WATCH_MISMATCH_SIDE,
  WATCH_MISMATCH_THEIRS,
  WATCH_MISMATCHES,
  WATCH_MISMATCHES_MAX,
  WATCH_PHASE,
  WATCH_PHASE_ASKED,
  WATCH_REST_DECIMALS,
  WATCH_REST_LEVELS,
} from "../../assembly/layout.ts";
import type { KernelName } from "../../src/kernel/kernel.ts";
import { mutated } from "../support/mutation.ts";
import { firstDifference, Rig } from "../support/rig.ts";
import { SeededRandom } from "../support/seeded_random.ts";

const NATIVE = "BTC-USD";
const PRICES = 40;
/** Prices of bids are below, of asks above. */
const MIDDLE = 100;
const BODY_AT = 1024 * 1024;

/** Side → price in whole units → quantity in thousandths; 0 = none. */
type Model = [Map<number, number>, Map<number, number>];
type Change = { readonly side: number; readonly price: number; readonly quantity: number };
type Found = { side: number; price: bigint; ours: bigint; theirs: bigint };

/** A watched book on one kernel. */
class Watched {
  readonly rig: Rig;
  readonly watch: number;
  readonly view: DataView;
  readonly #level: number;
  readonly #body: number;
  #at = 1000;

  constructor(name: KernelName) {
    this.rig = new Rig(name, "coinbase_exchange", [NATIVE]);
    this.view = new DataView(this.rig.buffer);
    this.watch = this.rig.kernel.watchCreate(this.block);
    this.#level = this.rig.kernel.arenaAllocate(LEVEL_BYTES);
    this.#body = this.rig.kernel.arenaAllocate(BODY_AT);
  }

  get block(): number {
    return this.rig.sync.instrument(NATIVE)?.block.address ?? 0;
  }

  frame(text: string): void {
    this.#at += 1000;
    this.rig.frame(Buffer.from(text), this.#at);
  }

  open(): void {
    this.rig.kernel.watchOpen(this.watch);
  }

  asked(): void {
    this.view.setUint32(this.watch + WATCH_PHASE, WATCH_PHASE_ASKED, true);
  }

  force({ side, price, quantity }: Change): void {
    this.view.setBigInt64(this.#level + LEVEL_PRICE, BigInt(price), true);
    this.view.setBigInt64(this.#level + LEVEL_QUANTITY, BigInt(quantity), true);
    this.rig.kernel.levelForce(this.block, side, this.#level, this.#at);
  }

  compare(body: string): number {
    const bytes = Buffer.from(body);
    new Uint8Array(this.rig.buffer, this.#body, bytes.length).set(bytes);
    return this.rig.kernel.auditCompare(this.watch, this.#body, bytes.length);
  }

  word(field: number): number {
    return this.view.getUint32(this.watch + field, true);
  }

  get found(): Found[] {
    return Array.from({ length: Math.min(this.word(WATCH_MISMATCHES), WATCH_MISMATCHES_MAX) }, (_, index) => {
      const at = this.watch + WATCH_LIST + index * WATCH_MISMATCH_BYTES;
      const long = (field: number) => this.view.getBigInt64(at + field, true);
      return {
        side: this.view.getUint32(at + WATCH_MISMATCH_SIDE, true),
        price: long(WATCH_MISMATCH_PRICE),
        ours: long(WATCH_MISMATCH_OURS),
        theirs: long(WATCH_MISMATCH_THEIRS),
      };
    });
  }

  /** Everything but the addresses. */
  get findings(): Uint8Array {
    return new Uint8Array(this.rig.buffer, this.watch + WATCH_PHASE, WATCH_LIST - WATCH_PHASE);
  }
}

function text(quantity: number): string {
  return (quantity / 1000).toFixed(3);
}

function snapshotOf(model: Model): string {
  const side = (index: number) =>
    [...(model[index]?.entries() ?? [])].map(([price, quantity]) => `["${price}.00","${text(quantity)}"]`).join(",");
  return `{"type":"snapshot","product_id":"${NATIVE}","asks":[${side(SIDE_ASK)}],"bids":[${side(SIDE_BID)}]}`;
}

function updateOf(changes: readonly Change[]): string {
  const words = changes.map(
    ({ side, price, quantity }) => `["${side === SIDE_BID ? "buy" : "sell"}","${price}.00","${text(quantity)}"]`,
  );
  return `{"type":"l2update","product_id":"${NATIVE}","changes":[${words.join(",")}]}`;
}

/** @param decimals of the quantities, rounded up so that none vanishes */
function bodyOf(model: Model, { decimals = 3, levels = PRICES }: { decimals?: number; levels?: number } = {}): string {
  const side = (index: number, sign: number) =>
    [...(model[index]?.entries() ?? [])]
      .sort(([one], [other]) => (one - other) * sign)
      .slice(0, levels)
      .map(([price, quantity]) => {
        const unit = 10 ** (3 - decimals);
        return `["${price}","${((Math.ceil(quantity / unit) * unit) / 1000).toFixed(decimals)}",1]`;
      })
      .join(",");
  return `{"bids":[${side(SIDE_BID, -1)}],"asks":[${side(SIDE_ASK, 1)}],"sequence":7,"auction":null,"time":"2026-11-22T10:00:00.5Z"}`;
}

function apply(model: Model, changes: readonly Change[]): void {
  for (const { side, price, quantity } of changes) {
    if (quantity === 0) {
      model[side]?.delete(price);
    } else {
      model[side]?.set(price, quantity);
    }
  }
}

function copy(model: Model): Model {
  return [new Map(model[0]), new Map(model[1])];
}

const change: fc.Arbitrary<Change> = fc
  .tuple(fc.constantFrom(SIDE_BID, SIDE_ASK), fc.integer({ min: 1, max: PRICES }), fc.integer({ min: 0, max: 5 }))
  .map(([side, away, quantity]) => ({ side, price: side === SIDE_BID ? MIDDLE - away : MIDDLE + away, quantity }));
const events = fc.array(fc.array(change, { minLength: 1, maxLength: 6 }), { maxLength: 6 });

const SCENE = fc.record({
  first: fc.array(change, { minLength: 20, maxLength: 60 }),
  before: events,
  /** Inside the window: before the exchange took the state of the body, and after. */
  until: events,
  after: events,
  wrong: change,
  levels: fc.integer({ min: 1, max: PRICES }),
  decimals: fc.integer({ min: 1, max: 3 }),
});
type Scene = typeof SCENE extends fc.Arbitrary<infer Value> ? Value : never;

/** Plays a scene on one kernel. @returns the state of the body and the prices named inside the window */
function play(watched: Watched, scene: Scene): { state: Model; named: Set<string> } {
  const model: Model = [new Map(), new Map()];
  const named = new Set<string>();
  const run = (parts: readonly (readonly Change[])[], isWatched: boolean) => {
    for (const changes of parts) {
      apply(model, changes);
      watched.frame(updateOf(changes));
      for (const { side, price } of isWatched ? changes : []) {
        named.add(`${side} ${price}`);
      }
    }
  };
  apply(
    model,
    scene.first.map((one) => ({ ...one, quantity: one.quantity + 1 })),
  );
  watched.frame(snapshotOf(model));
  run(scene.before, false);
  watched.open();
  run(scene.until, true);
  watched.asked();
  const state = copy(model);
  run(scene.after, true);
  return { state, named };
}

describe.each(["wasm", "twin"] as const)("auditCompare on %s", (name) => {
  it("finds nothing wrong, whatever moves inside the window, and exactly the one level that was made wrong", () => {
    const watched = new Watched(name);
    fc.assert(
      fc.property(SCENE, (scene) => {
        const { state, named } = play(watched, scene);
        expect([watched.compare(bodyOf(state)), watched.found]).toEqual([COMPARE_OK, []]);
        const { wrong } = scene;
        watched.force(wrong);
        expect(watched.compare(bodyOf(state))).toBe(COMPARE_OK);
        const truth = state[wrong.side]?.get(wrong.price) ?? 0;
        const isToBeFound = truth !== wrong.quantity && !named.has(`${wrong.side} ${wrong.price}`);
        const theirs = truth === 0 ? -1n : BigInt(truth) * lots(watched);
        const ours = BigInt(wrong.quantity);
        expect(watched.found.map(({ side, price, theirs: listed }) => ({ side, price, listed }))).toEqual(
          isToBeFound ? [{ side: wrong.side, price: BigInt(wrong.price), listed: theirs }] : [],
        );
        expect(watched.found.every((found) => found.ours === ours)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it("judges only what a cut and rounded body asserts", () => {
    const watched = new Watched(name);
    fc.assert(
      fc.property(SCENE, (scene) => {
        const { levels, decimals, wrong } = scene;
        watched.view.setUint32(watched.watch + WATCH_REST_LEVELS, levels, true);
        watched.view.setInt32(watched.watch + WATCH_REST_DECIMALS, decimals, true);
        const { state } = play(watched, scene);
        expect([watched.compare(bodyOf(state, { decimals, levels })), watched.found]).toEqual([COMPARE_OK, []]);
        const isFull = (state[wrong.side]?.size ?? 0) >= levels;
        watched.force({ ...wrong, price: wrong.side === SIDE_BID ? 1 : 1000, quantity: 9000 });
        watched.compare(bodyOf(state, { decimals, levels }));
        expect(watched.word(WATCH_MISMATCHES)).toBe(isFull ? 0 : 1);
      }),
      { numRuns: 40 },
    );
  });

  it("tells a fresh body from an old one when levels changed before it was asked for", () => {
    const watched = new Watched(name);
    const model: Model = [new Map([[99, 5]]), new Map([[101, 5]])];
    watched.frame(snapshotOf(model));
    watched.open();
    const old = bodyOf(model);
    const changes = [
      { side: SIDE_BID, price: 99, quantity: 7 },
      { side: SIDE_ASK, price: 102, quantity: 1 },
    ];
    apply(model, changes);
    watched.frame(updateOf(changes));
    watched.asked();
    const late = [{ side: SIDE_ASK, price: 101, quantity: 0 }];
    watched.frame(updateOf(late));
    watched.compare(old);
    expect([watched.word(WATCH_AGREEING), watched.word(WATCH_DISAGREEING), watched.found]).toEqual([0, 2, []]);
    watched.compare(bodyOf(model));
    expect([watched.word(WATCH_AGREEING), watched.word(WATCH_DISAGREEING), watched.found]).toEqual([2, 0, []]);
    expect([watched.word(WATCH_BID_COUNT), watched.word(WATCH_ASK_COUNT), watched.word(WATCH_COMPARED)]).toEqual([
      1, 2, 3,
    ]);
    expect(watched.view.getBigInt64(watched.watch + WATCH_BODY_TIME, true)).toBe(1_795_341_600_500_000_000n);
  });

  it("reads the bodies of all exchanges", () => {
    const watched = new Watched(name);
    watched.frame(snapshotOf([new Map([[99, 5000]]), new Map([[101, 5000]])]));
    watched.open();
    const levels = { bids: '[["99.00","5.000",1700000000]]', asks: '[["101.0","5","0"]]' };
    const bodies = [
      `{"lastUpdateId":9007199254740993,"bids":${levels.bids},"asks":${levels.asks}}`,
      `{"error":[],"result":{"XXBTZUSD":{"asks":${levels.asks},"bids":${levels.bids}}}}`,
    ];
    expect(bodies.map((body) => [watched.compare(body), watched.word(WATCH_MISMATCHES)])).toEqual([
      [COMPARE_OK, 0],
      [COMPARE_OK, 0],
    ]);
    watched.compare(bodies[0] ?? "");
    expect(watched.view.getBigUint64(watched.watch + WATCH_BODY_SEQUENCE, true)).toBe(9007199254740993n);
  });

  it.each([
    ["nothing", ""],
    ["an error of Kraken", '{"error":["EAPI:Rate limit exceeded"]}'],
    ["half a body", '{"bids":[["99","5"]],"asks":[["101","5"'],
    ["one side only", '{"bids":[["99","5"]]}'],
    ["a side twice", '{"bids":[],"bids":[],"asks":[]}'],
    ["levels out of order", '{"bids":[["98","5"],["99","5"]],"asks":[]}'],
    ["a number that is none", '{"bids":[["99","x"]],"asks":[]}'],
    ["more digits than the book has", '{"bids":[["99","5.0000001"]],"asks":[]}'],
    ["something behind it", '{"bids":[],"asks":[]} x'],
    ["a list", "[]"],
  ])("refuses %s", (_, body) => {
    const watched = new Watched(name);
    watched.frame(snapshotOf([new Map([[99, 5]]), new Map([[101, 5]])]));
    watched.open();
    expect([watched.compare(body), watched.found]).toEqual([COMPARE_UNREADABLE, []]);
  });

  it("says nothing when the watch is closed, or a snapshot or a fault came in between", () => {
    const watched = new Watched(name);
    const model: Model = [new Map([[99, 5]]), new Map([[101, 5]])];
    const body = bodyOf(model);
    watched.frame(snapshotOf(model));
    expect(watched.compare(body)).toBe(COMPARE_BROKEN);
    watched.open();
    expect(watched.compare(body)).toBe(COMPARE_OK);
    watched.frame(snapshotOf(model));
    expect([watched.compare(body), watched.word(WATCH_FLAGS)]).toEqual([COMPARE_BROKEN, 1]);
    watched.open();
    expect(watched.compare(body)).toBe(COMPARE_OK);
    watched.rig.kernel.watchClose(watched.watch);
    expect(watched.compare(body)).toBe(COMPARE_BROKEN);
  });

  it("publishes a forced level as one record like any other", () => {
    const watched = new Watched(name);
    watched.frame(snapshotOf([new Map([[99, 5]]), new Map([[101, 5]])]));
    const records = watched.rig.segment.counter(COUNTER_RECORDS);
    watched.force({ side: SIDE_ASK, price: 105, quantity: 3 });
    expect(watched.rig.segment.counter(COUNTER_RECORDS)).toBe(records + 1);
  });
});

it("auditCompare gives the same findings, byte for byte, on both kernels", () => {
  const both = [new Watched("wasm"), new Watched("twin")];
  fc.assert(
    fc.property(SCENE, (scene) => {
      const [wasm, twin] = both.map((watched) => {
        watched.view.setUint32(watched.watch + WATCH_REST_LEVELS, scene.levels, true);
        watched.view.setInt32(watched.watch + WATCH_REST_DECIMALS, scene.decimals - 1, true);
        const { state } = play(watched, scene);
        watched.force(scene.wrong);
        return { watched, code: watched.compare(bodyOf(state, { levels: scene.levels })) };
      });
      if (wasm !== undefined && twin !== undefined) {
        expect(wasm.code).toBe(twin.code);
        expect(firstDifference(wasm.watched.findings, twin.watched.findings)).toBe(-1);
        expect(wasm.watched.found).toEqual(twin.watched.found);
      }
    }),
    { numRuns: 200 },
  );
});

it("auditCompare survives damaged bodies and judges them alike on both kernels", () => {
  const random = new SeededRandom(20_261_122);
  const model: Model = [new Map(), new Map()];
  for (let away = 1; away <= PRICES; away++) {
    model[SIDE_BID].set(MIDDLE - away, away);
    model[SIDE_ASK].set(MIDDLE + away, away);
  }
  const [wasm, twin] = [new Watched("wasm"), new Watched("twin")];
  const bodies = [bodyOf(model), bodyOf(model, { decimals: 2, levels: 5 }), '{"lastUpdateId":1,"bids":[],"asks":[]}'];
  const originals = bodies.map((body) => new Uint8Array(Buffer.from(body)));
  for (const watched of [wasm, twin]) {
    watched.frame(snapshotOf(model));
    watched.open();
  }
  const codes = new Set<number>();
  for (let round = 0; round < 3000; round++) {
    const body = Buffer.from(mutated(random.pick(originals), random, originals)).toString("latin1");
    const [one, other] = [wasm.compare(body), twin.compare(body)];
    codes.add(one);
    const where = `round ${round}: ${body}`;
    expect([where, one, firstDifference(wasm.findings, twin.findings)]).toEqual([where, other, -1]);
    expect(wasm.found).toEqual(twin.found);
  }
  expect([...codes].sort()).toEqual([COMPARE_OK, COMPARE_UNREADABLE]);
});

/** Lots of a thousandth: the book's own exponent decides. */
function lots(watched: Watched): bigint {
  const exponent = watched.rig.sync.instrument(NATIVE)?.block.quantityExponent ?? 3;
  return 10n ** BigInt(exponent - 3);
}
