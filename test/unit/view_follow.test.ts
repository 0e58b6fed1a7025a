/**
 * Views on both kernels: after every step a view holds the best levels of its base, and a client that applies the view's
 * frames holds the view. A step that does not fit leaves everything as it was, and released views cost no memory.
 * Bad case: a view that says nothing when it should; its levels are compared after every step.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  FLAG_CROSSED,
  FLAG_NOT_SYNCED,
  REPLICA_BOOK,
  REPLICA_BUFFER_FULL,
  REPLICA_BYTES,
  REPLICA_EVENT_AT,
  REPLICA_FLAGS,
  REPLICA_INCONSISTENT,
  REPLICA_INSTRUMENT_ID,
  REPLICA_OK,
  REPLICA_STATE,
  REPLICA_STATE_EMPTY,
  SIDE_ASK,
  SIDE_BID,
} from "../../assembly/layout.ts";
import type { KernelName } from "../../src/kernel/kernel.ts";
import { type Change, Link } from "./twin_link.ts";

const VIEW_BUFFER = 16384;
const DEPTHS = [0, 1, 3, 10] as const;
const change = fc.record({
  side: fc.constantFrom(SIDE_BID, SIDE_ASK),
  price: fc.oneof(fc.bigInt({ min: -12n, max: 12n }), fc.bigInt({ min: -(2n ** 29n), max: 2n ** 29n })),
  quantity: fc.oneof(fc.constant(0n), fc.bigInt({ min: 1n, max: 5n })),
});
const record = fc.record({
  changes: fc.array(change, { maxLength: 16 }),
  isLast: fc.boolean(),
  isUnsynced: fc.boolean(),
  isFollowed: fc.boolean(),
  sequence: fc.bigInt({ min: 0n, max: 2n ** 63n }),
  step: fc.bigInt({ min: 0n, max: 10n ** 12n }),
});

function openView(link: Link, bytes = VIEW_BUFFER): number {
  const view = link.kernel.replicaCreate();
  expect(link.kernel.frameBufferCreate(view, bytes)).toBe(0);
  expect(link.kernel.historyCreate(view, 64)).toBe(0);
  return view;
}

function best(link: Link, replica: number, depth: number): unknown {
  const cut = depth === 0 ? undefined : depth;
  return [SIDE_BID, SIDE_ASK].map((side) => link.levels(link.bookOf(replica), side).slice(0, cut));
}

function flagsOf(link: Link, replica: number): number {
  return link.view.getUint32(replica + REPLICA_FLAGS, true);
}

/** A view, a client that follows its frames, and a client that is brought on by conflated frames only. */
class Followed {
  readonly view: number;
  readonly depth: number;
  readonly #link: Link;
  readonly #client: number;
  readonly #slow: number;

  constructor(link: Link, depth: number) {
    this.#link = link;
    this.depth = depth;
    this.view = openView(link);
    this.#client = link.kernel.replicaCreate();
    this.#slow = link.kernel.replicaCreate();
  }

  /** Takes the view as it is to both clients. */
  load(): void {
    expect(this.#link.kernel.viewFollow(this.view, this.#link.replica, this.depth)).toBeGreaterThan(0);
    for (const part of this.#link.parts(4096, this.view)) {
      expect(this.#link.give(part, this.#client)).toBe(REPLICA_OK);
      expect(this.#link.give(part, this.#slow)).toBe(REPLICA_OK);
    }
  }

  follow(): void {
    const link = this.#link;
    const before = link.versionOf(this.view);
    const code = link.kernel.viewFollow(this.view, link.replica, this.depth);
    expect(code).toBeGreaterThanOrEqual(0);
    expect(link.versionOf(this.view) - before).toBe(code > 0 ? 1n : 0n);
    expect(best(link, this.view, 0)).toEqual(best(link, link.replica, this.depth));
    expect(flagsOf(link, this.view) & FLAG_NOT_SYNCED).toBe(flagsOf(link, link.replica) & FLAG_NOT_SYNCED);
    const frame = link.take(1, this.view);
    expect(link.give(frame, this.#client)).toBe(REPLICA_OK);
    expect(link.contents(this.#client)).toEqual(link.contents(this.view));
    if (code > 0) {
      const field = (replica: number): bigint => link.view.getBigUint64(replica + REPLICA_EVENT_AT, true);
      expect(field(this.view)).toBe(field(link.replica));
    }
  }

  /** One conflated frame from what the slow client holds. */
  catchUp(): void {
    const link = this.#link;
    const frame = link.conflated(link.versionOf(this.#slow), { replica: this.view });
    if (frame.length > 0) {
      expect(link.give(frame, this.#slow)).toBe(REPLICA_OK);
      expect(link.contents(this.#slow)).toEqual(link.contents(this.view));
    }
  }
}

function write(link: Link, changes: Change[], isUnsynced = false): void {
  link.write(changes, { isLast: true, isUnsynced, sequence: 0n, step: 1000n });
  expect(link.apply()).toBe(REPLICA_OK);
  link.take(0);
}

describe.each(["wasm", "twin"] as const)("viewFollow on %s", (name) => {
  it("makes a view the best levels of its base, in frames that a client holds, when anything happens", () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 30 }), fc.constantFrom(0, 4, 256), (records, entries) => {
        const link = new Link(name);
        expect(entries === 0 || link.kernel.historyCreate(link.replica, entries) === 0).toBe(true);
        const views = DEPTHS.map((depth) => new Followed(link, depth));
        for (const view of views) {
          view.load();
        }
        for (const [index, { changes, isFollowed, ...rest }] of records.entries()) {
          link.write(changes, { ...rest, isUnsynced: rest.isUnsynced && rest.isLast });
          expect(link.apply()).toBe(REPLICA_OK);
          link.take(0);
          for (const view of isFollowed && rest.isLast ? views : []) {
            view.follow();
          }
          if (index % 5 === 4) {
            views[index % views.length]?.catchUp();
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  it("says that only the status changed when the levels did not", () => {
    const link = new Link(name);
    write(link, [{ side: SIDE_BID, price: 5n, quantity: 1n }]);
    const followed = new Followed(link, 1);
    followed.load();
    write(link, [{ side: SIDE_BID, price: 4n, quantity: 1n }], true);
    expect(link.kernel.viewFollow(followed.view, link.replica, 1)).toBe(1);
    expect(flagsOf(link, followed.view) & FLAG_NOT_SYNCED).toBe(FLAG_NOT_SYNCED);
    write(link, [{ side: SIDE_BID, price: 3n, quantity: 1n }], true);
    expect(link.kernel.viewFollow(followed.view, link.replica, 1)).toBe(0);
    followed.follow();
    write(link, [{ side: SIDE_ASK, price: 2n, quantity: 1n }]);
    followed.follow();
    expect(flagsOf(link, followed.view) & FLAG_CROSSED).toBe(FLAG_CROSSED);
  });

  it("leaves everything as it was when the buffer is full or missing, and goes on when it has grown", () => {
    const link = new Link(name);
    write(link, [{ side: SIDE_BID, price: 5n, quantity: 1n }]);
    const view = openView(link, 512);
    link.kernel.viewFollow(view, link.replica, 0);
    const client = link.kernel.replicaCreate();
    expect(link.parts(4096, view).map((part) => link.give(part, client))).toEqual([REPLICA_OK]);
    for (let at = 0n; at < 40n; at++) {
      write(link, [{ side: SIDE_ASK, price: at * 1_000_003n, quantity: 123_456_789_012_345n }]);
      write(link, [{ side: SIDE_BID, price: 5n, quantity: at + 2n }]);
    }
    const before = link.contents(view);
    expect(link.kernel.viewFollow(view, link.replica, 0)).toBe(REPLICA_BUFFER_FULL);
    expect(link.contents(view)).toEqual(before);
    expect(link.take(0, view)).toHaveLength(0);
    expect(link.kernel.viewFollow(view, link.replica, 0)).toBe(REPLICA_BUFFER_FULL);
    expect(link.kernel.frameBufferCreate(view, VIEW_BUFFER)).toBe(0);
    expect(link.kernel.viewFollow(view, link.replica, 0)).toBe(41);
    expect(best(link, view, 0)).toEqual(best(link, link.replica, 0));
    expect(link.give(link.take(1, view), client)).toBe(REPLICA_OK);
    expect(link.contents(client)).toEqual(link.contents(view));
    const bare = link.kernel.replicaCreate();
    expect(link.kernel.viewFollow(bare, link.replica, 0)).toBe(41);
    write(link, [{ side: SIDE_BID, price: 6n, quantity: 1n }]);
    expect(link.kernel.viewFollow(bare, link.replica, 0)).toBe(REPLICA_BUFFER_FULL);
  });

  it("keeps what was coded when the buffer grows", () => {
    const link = new Link(name);
    write(link, [{ side: SIDE_BID, price: 5n, quantity: 1n }]);
    const followed = new Followed(link, 2);
    followed.load();
    write(link, [{ side: SIDE_BID, price: 6n, quantity: 1n }]);
    expect(link.kernel.viewFollow(followed.view, link.replica, 2)).toBe(1);
    expect(link.kernel.frameBufferCreate(followed.view, 256)).toBe(1);
    expect(link.kernel.frameBufferCreate(followed.view, 2 * VIEW_BUFFER)).toBe(0);
    write(link, [{ side: SIDE_BID, price: 7n, quantity: 1n }]);
    followed.follow();
  });

  it("waits in the middle of an event, refuses a base without a book, and takes the whole of the next one", () => {
    const link = new Link(name);
    write(link, [{ side: SIDE_BID, price: 5n, quantity: 1n }]);
    const view = openView(link);
    link.kernel.viewFollow(view, link.replica, 0);
    link.write([{ side: SIDE_BID, price: 6n, quantity: 1n }], { isLast: false, sequence: 0n, step: 0n });
    link.apply();
    expect(link.kernel.viewFollow(view, link.replica, 0)).toBe(0);
    expect(link.versionOf(view)).toBe(1n);
    link.kernel.replicaClear(link.replica);
    expect(link.kernel.viewFollow(view, link.replica, 0)).toBe(REPLICA_INCONSISTENT);
    expect(link.levels(link.bookOf(view), SIDE_BID)).toHaveLength(1);
    link.kernel.replicaBegin(link.replica);
    expect(link.kernel.viewFollow(view, link.replica, 0)).toBe(1);
    expect(link.levels(link.bookOf(view), SIDE_BID)).toHaveLength(0);
    link.kernel.replicaClear(view);
    expect(link.view.getUint32(view + REPLICA_STATE, true)).toBe(REPLICA_STATE_EMPTY);
    link.view.setUint32(link.replica + REPLICA_INSTRUMENT_ID, 77, true);
    expect(link.kernel.viewFollow(view, link.replica, 0)).toBe(1);
    expect(link.view.getUint32(view + REPLICA_INSTRUMENT_ID, true)).toBe(77);
  });
});

/** A view that lives for a moment. @returns whether all of it could be had */
function passView(link: Link, index: number): boolean {
  const { kernel } = link;
  const view = kernel.replicaCreate();
  const isWhole =
    view > 0 &&
    kernel.frameBufferCreate(view, index % 3 === 0 ? 20_000 : 4096) === 0 &&
    kernel.historyCreate(view, index % 2 === 0 ? 64 : 256) === 0 &&
    kernel.viewFollow(view, link.replica, index % 40) > 0;
  kernel.replicaRelease(view);
  return isWhole;
}

describe.each<[KernelName]>([["wasm"], ["twin"]])("replicaRelease on %s", (name) => {
  it("lets 10,000 views come and go without growth when each gives its memory back", () => {
    const link = new Link(name);
    for (let at = 0n; at < 100n; at++) {
      const side = at % 2n === 0n ? SIDE_BID : SIDE_ASK;
      write(link, [{ side, price: side === SIDE_BID ? -at : at, quantity: 1n }]);
    }
    let whole = 0;
    const pass = (count: number): void => {
      for (let index = 0; index < count; index++) {
        whole += passView(link, index) ? 1 : 0;
      }
    };
    pass(120);
    const used = link.kernel.arenaUsed();
    pass(10_000);
    expect(link.kernel.arenaUsed()).toBe(used);
    expect(whole).toBe(10_120);
  });

  it("gives the next replica a block like the first when one was used before", () => {
    const link = new Link(name);
    write(link, [{ side: SIDE_BID, price: 5n, quantity: 1n }]);
    const blockOf = (replica: number): Uint8Array => {
      const block = link.bytes.slice(replica, replica + REPLICA_BYTES);
      block.fill(0, REPLICA_BOOK, REPLICA_BOOK + 4);
      return block;
    };
    const fresh = blockOf(link.kernel.replicaCreate());
    const used = openView(link);
    link.kernel.viewFollow(used, link.replica, 0);
    link.kernel.replicaRelease(used);
    const next = link.kernel.replicaCreate();
    expect(next).toBe(used);
    expect(blockOf(next)).toEqual(fresh);
    expect(link.levels(link.bookOf(next), SIDE_BID)).toEqual([]);
    expect(link.kernel.bookHash(link.bookOf(next))).toBe(0);
  });
});
