/**
 * What signals do to commands: one that starts is ended when its start takes too long, one that ends by itself has the time
 * that its ending takes; a second signal ends either at once. Bad case: a load that is cut short before it could report.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

const HOUR_MS = 3_600_000;

let exits: unknown[];
let known: NodeJS.SignalsListener[];

beforeEach(() => {
  vi.useFakeTimers();
  // Each test has a program of its own, which was told nothing yet.
  vi.resetModules();
  known = process.listeners("SIGINT");
  exits = [];
  vi.spyOn(process, "exit").mockImplementation((status) => {
    exits.push(status);
    return undefined as never;
  });
});

afterEach(() => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    for (const listener of process.listeners(signal).filter((one) => !known.includes(one))) {
      process.off(signal, listener);
    }
  }
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** What the program does about SIGINT; the test's own process is not told. */
function interrupt(): void {
  for (const listener of process.listeners("SIGINT").filter((one) => !known.includes(one))) {
    listener("SIGINT");
  }
}

describe("A command that is told to end", () => {
  it("is ended by force when its start does not come to its end", async () => {
    const { heedSignals } = await import("../../src/commands/shutdown.ts");
    const stopped = heedSignals();
    interrupt();
    await stopped;
    expect(exits).toEqual([]);
    vi.advanceTimersByTime(HOUR_MS);
    expect(exits).toEqual([1]);
  });

  it("has all the time that it takes when it ends by itself, until a second signal", async () => {
    const { heedInterruption } = await import("../../src/commands/shutdown.ts");
    const stopped = heedInterruption();
    interrupt();
    await stopped;
    vi.advanceTimersByTime(HOUR_MS);
    expect(exits).toEqual([]);
    interrupt();
    expect(exits).toEqual([1]);
  });
});
