/**
 * Optional parts of the suite are never skipped in silence: the closing line names them, and where everything is
 * demanded a missing one fails. Bad case: the parts file of the surrounding run must not see the parts of this test.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { partsLine } from "../support/optional_parts_reporter.ts";
import { optionalGift, optionalPart, PARTS_FILE_VARIABLE } from "../support/require.ts";

describe("optional parts", () => {
  beforeEach(() => {
    vi.stubEnv(PARTS_FILE_VARIABLE, undefined);
  });

  afterEach(() => {
    vi.unstubAllEnvs();
  });

  it("partsLine names each part once when several files asked for it", () => {
    const records = [
      { name: "captures", isPresent: true },
      { name: "Chromium", isPresent: false },
      { name: "captures", isPresent: true },
    ];
    const lines = records.map((record) => `${JSON.stringify(record)}\n`).join("");
    expect(partsLine(lines)).toBe("optional parts: Chromium SKIPPED, captures present");
  });

  it("optionalPart answers whether the part is there when nothing is demanded", () => {
    vi.stubEnv("ALPHAPULSE_REQUIRE", undefined);
    expect([optionalPart("a", true), optionalPart("b", false)]).toEqual([true, false]);
  });

  it("optionalPart throws when everything is demanded and the part is missing", () => {
    vi.stubEnv("ALPHAPULSE_REQUIRE", "all");
    expect(optionalPart("a", true)).toBe(true);
    expect(() => optionalPart("b", false)).toThrow("Cannot skip b: ALPHAPULSE_REQUIRE=all demands it, was missing");
  });

  it("optionalGift only answers, and notes, when everything is demanded and something is missing that cannot be installed", () => {
    const file = join(mkdtempSync(join(tmpdir(), "alphapulse-parts-")), "parts");
    vi.stubEnv("ALPHAPULSE_REQUIRE", "all");
    vi.stubEnv(PARTS_FILE_VARIABLE, file);
    expect([optionalGift("a", true), optionalGift("b", false)]).toEqual([true, false]);
    expect(partsLine(readFileSync(file, "utf8"))).toBe("optional parts: a present, b SKIPPED");
    rmSync(dirname(file), { recursive: true });
  });
});
