/** Whether a producer's process is still there: known at once, without taking one that gets no time for dead. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import { hasEnded, processIdentity } from "../../src/mapping/mod.ts";

const closers: (() => unknown)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) {
    close();
  }
});

/** @returns a shell's child; the shell prints what it is told to */
function run(script: string) {
  const child = spawn("/bin/sh", ["-c", script], { stdio: ["ignore", "pipe", "ignore"] });
  closers.push(() => child.kill("SIGKILL"));
  return child;
}

describe("A process", () => {
  it("is the same as long as it lives, also while it is stopped", async () => {
    const child = run("echo up; exec sleep 60");
    await once(child.stdout, "data");
    const pid = child.pid ?? 0;
    const identity = processIdentity(pid);
    expect(identity).toMatch(/^\d+$/);
    child.kill("SIGSTOP");
    expect(hasEnded(pid, identity)).toBe(false);
    child.kill("SIGCONT");
    child.kill("SIGKILL");
    await once(child, "exit");
    expect([processIdentity(pid), hasEnded(pid, identity)]).toEqual([undefined, true]);
  });

  it("has ended when only its exit status is left, because nobody asked for it", async () => {
    // The shell becomes a program that never looks after its child.
    const child = run("sleep 0 & echo $!; exec sleep 60");
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    await expect.poll(() => processIdentity(Number(line.toString("utf8"))), { timeout: 10_000 }).toBe(undefined);
    expect(() => process.kill(Number(line.toString("utf8")), 0)).not.toThrow();
  });

  it("is not taken for another that has its pid now, nor for dead when it was never seen", () => {
    expect(hasEnded(process.pid, "0")).toBe(true);
    expect(hasEnded(process.pid, processIdentity(process.pid))).toBe(false);
    expect(hasEnded(2 ** 31 - 1, undefined)).toBe(false);
    expect([processIdentity(2 ** 31 - 1), processIdentity(0), processIdentity(-1)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});
