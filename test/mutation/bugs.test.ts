/**
 * Keeps the catalogue of planted bugs fresh: every edit fits its file exactly once and changes it, names are unique, and
 * the tests that it points to are there or in the catalogue for good reason.
 * Bad case: a refactoring moves the text; the failing name says which edit to renew.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { packageFolder } from "../../src/assets.ts";
import { BUGS, bugNamed, NAMED_BUGS } from "./bugs.ts";
import { editedFiles, patchedText } from "./patch.ts";

const root = packageFolder();
const read = (file: string) => readFileSync(join(root, file), "utf8");

describe("the catalogue of planted bugs", () => {
  for (const bug of BUGS) {
    it(`still fits the source when ${bug.name} is planted`, () => {
      for (const file of editedFiles(bug)) {
        const text = read(file);
        expect(patchedText(bug, file, text)).not.toBe(text);
      }
      expect(bug.tests.filter((file) => !existsSync(join(root, file)))).toEqual([]);
    });
  }

  it("holds the nine names of --bug, each name once, and enough further mutants", () => {
    expect(NAMED_BUGS.map((bug) => bug.name).sort()).toEqual([
      "accept-gap",
      "apply-before-snapshot",
      "drop-last-change",
      "ignore-checksum",
      "keep-old-handler",
      "publish-before-write",
      "resync-ends-at-ack",
      "skip-hash",
      "skip-truncation",
    ]);
    expect(new Set(BUGS.map((bug) => bug.name)).size).toBe(BUGS.length);
    expect(BUGS.length).toBeGreaterThanOrEqual(NAMED_BUGS.length + 30);
  });

  it("says which names there are when a bug is unknown", () => {
    expect(() => bugNamed("none")).toThrow(/--bug knows skip-truncation, .*was none/);
    expect(bugNamed("skip-hash").name).toBe("skip-hash");
  });

  it("is an error when an edit's text is gone or stands there twice", () => {
    const bug = { name: "x", why: "", tests: [], edits: [{ file: "a.ts", find: "b", replace: "c" }] };
    expect(patchedText(bug, "a.ts", "abd")).toBe("acd");
    expect(() => patchedText(bug, "a.ts", "ad")).toThrow(
      "Cannot patch a.ts: the text must stand there once, was 0 times: b",
    );
    expect(() => patchedText(bug, "a.ts", "abb")).toThrow("was 2 times");
  });
});
