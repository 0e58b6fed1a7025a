/** The answers of the API benchmark. Bad case: a bare server that refuses everything quickly; its p99 would be compared with. */
import { describe, expect, it } from "vitest";
import { accepted } from "../../bench/api.bench.ts";

const LOADED = { answer: "loaded", count: 1000, p50: 1, p99: 2, p999: 3, max: 4, bytes: 5, other: 0 } as const;

describe("accepted", () => {
  it("takes a load whose answers were all 200", () => {
    expect(accepted("ours", LOADED)).toBe(LOADED);
  });

  it("refuses one with another answer, and one without any, whoever gave them", () => {
    expect(() => accepted("bare", { ...LOADED, other: 3 })).toThrow(
      "every answer must be 200, was not so for 3 of bare",
    );
    expect(() => accepted("ours", { ...LOADED, count: 0 })).toThrow(
      "every answer must be 200, was not so for 0 of ours",
    );
  });
});
