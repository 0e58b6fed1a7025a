/**
 * The machine's constants are there, positive, and told in the head of a run.
 * Bad case: a busy machine; the constants are then too large, never missing, and the measurement ends in bounded time.
 */
import { describe, expect, it } from "vitest";
import { constantsText, measureConstants } from "../../bench/constants.ts";

describe("measureConstants", () => {
  it("measures every constant that the machine has, and tells each with its unit", { timeout: 60_000 }, async () => {
    const constants = await measureConstants();
    const { coreToCoreNs = 1, memcpyGbPerSecond, syscallNs = 0, loopbackUs } = constants;
    expect(coreToCoreNs).toBeGreaterThan(0);
    expect(memcpyGbPerSecond).toBeGreaterThan(0);
    expect(syscallNs).toBeGreaterThanOrEqual(0);
    expect(loopbackUs).toBeGreaterThan(0);
    const text = constantsText({ coreToCoreNs: 63, memcpyGbPerSecond: 9.1, syscallNs: 80, loopbackUs: 21 });
    expect(text).toBe("core to core 63 ns, memcpy 9.1 GB/s, system call 80 ns, loopback round trip 21 µs");
    expect(constantsText({ memcpyGbPerSecond: 9.1, loopbackUs: 21 })).toBe(
      "memcpy 9.1 GB/s, loopback round trip 21 µs",
    );
  });
});
