/**
 * The books in Rust end where our book ends, change for change, and their digest is able to differ.
 * Bad case: no rustc; the test skips, and the end of the run says so.
 */
import { afterAll, describe, expect, it } from "vitest";
import { deepStream } from "../../bench/deep_stream.ts";
import { Engine } from "../../bench/engine.ts";
import { CHANGE_BYTES, changeColumns, type LevelChanges, takeChanges } from "../../bench/peers/level_changes.ts";
import { openRust, type RustBooks } from "../../bench/peers/rust.ts";
import { optionalPart } from "../support/require.ts";

const UPDATES = 60;
const rust = await openRust();
const library = "missing" in rust ? undefined : rust;

describe("level changes", () => {
  it("takeChanges gives the levels of the snapshot and every change of the updates", () => {
    const { first, changes, digests } = takeChanges(new Engine("twin", deepStream(UPDATES)));
    const { books, sides } = changeColumns(first);
    expect([first.length / CHANGE_BYTES, new Set(books).size, new Set(sides).size, digests.length]).toEqual([
      45_000, 1, 2, 1,
    ]);
    expect(changes.length / CHANGE_BYTES).toBeGreaterThan(UPDATES * 5);
  });
});

describe.skipIf(!optionalPart("rustc", library !== undefined))("books in Rust", () => {
  const opened: RustBooks[] = [];
  const open = (changes: LevelChanges): RustBooks[] => {
    const books = library?.open(changes) ?? [];
    opened.push(...books);
    return books;
  };

  afterAll(() => {
    for (const { close } of opened) {
      close();
    }
  });

  it("both end in our book after every run, and in another one when one quantity differs", () => {
    const changes = takeChanges(new Engine("twin", deepStream(UPDATES)));
    const [expected] = changes.digests;
    const books = open(changes);
    for (const { reset, run, digest } of [...books, ...books]) {
      reset();
      expect(digest(0)).not.toBe(expected);
      run();
      expect(digest(0)).toBe(expected);
    }
    const wrong = Buffer.from(changes.changes);
    const last = wrong.length - CHANGE_BYTES + 8;
    wrong.writeBigInt64LE(wrong.readBigInt64LE(last) + 1n, last);
    for (const { reset, run, digest } of open({ ...changes, changes: wrong })) {
      reset();
      run();
      expect(digest(0)).not.toBe(expected);
    }
    expect(books.map(({ name }) => name)).toEqual(["Rust BTreeMap", "Rust sorted Vec"]);
  });
});
