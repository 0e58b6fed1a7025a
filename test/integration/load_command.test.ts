/**
 * `alphapulse load` as a user runs it: the built program, short loads, its reports and its statuses, also when it is cut
 * short. Bad case: processes or folders that stay behind.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { assetPath } from "../../src/assets.ts";
import { DemoProcess } from "../browser/demo_process.ts";

type Account = { received: number; lost: number };
type Report = {
  command: string;
  isGood: boolean;
  isComplete: boolean;
  problems: string[];
  thresholds: { name: string; isMet: boolean }[];
  published: { deltas: number; trades: number };
  readers: { name: string; deltas: Account; trades: Account; laps: number; verified: number }[];
  truth: { due: number };
  told: { dueAndTold: number; verified: number };
  booksCompared: number;
};

/** On a starved machine latencies and delays say nothing: what counts here is what is right. */
const PATIENT_MS = "60000";
const SHARED = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

const running: ChildProcess[] = [];
const demos: DemoProcess[] = [];

afterEach(async () => {
  for (const child of running.splice(0)) {
    child.kill("SIGKILL");
  }
  await Promise.all(demos.splice(0).map((demo) => demo.stop()));
});

function start(words: readonly string[]) {
  const child = spawn(process.execPath, [assetPath("main.js"), "load", ...words], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.push(child);
  const said = { out: "", error: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said.out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said.error += text;
  });
  const ended = once(child, "close").then(([status]) => ({ status: status as number | null, ...said }));
  return { child, said, ended };
}

function reportOf({ out, error }: { out: string; error: string }): Report {
  expect(out, error).not.toBe("");
  return JSON.parse(out) as Report;
}

function leftBehind(): string[] {
  return readdirSync(SHARED).filter((name) => name.startsWith("alphapulse-load-"));
}

describe("alphapulse load memory", () => {
  it("accounts for every record and verifies it when readers follow and one of them is lazy", async () => {
    const before = leftBehind();
    const words = ["memory", "--seconds", "3", "--rate", "10000", "--readers", "2", "--capacity", "1024"];
    const thresholds = ["--p99-ms", PATIENT_MS, "--rate-share", "0.1"];
    const ended = await start([...words, ...thresholds]).ended;
    const report = reportOf(ended);
    expect(report.problems).toEqual([]);
    expect(ended.status).toBe(0);
    expect(report).toMatchObject({ isGood: true, command: `alphapulse load ${[...words, ...thresholds].join(" ")}` });
    expect(report.readers.map(({ name }) => name)).toEqual(["reader 1", "lazy reader 2"]);
    for (const { deltas, trades, verified } of report.readers) {
      expect(deltas.received + deltas.lost).toBe(report.published.deltas);
      expect(trades.received + trades.lost).toBe(report.published.trades);
      expect(verified).toBeGreaterThan(0);
    }
    expect(report.readers[1]?.deltas.lost).toBeGreaterThan(0);
    expect(leftBehind().filter((name) => !before.includes(name))).toEqual([]);
  });

  it("reports what was done when it is interrupted, and leaves nothing behind", async () => {
    const before = leftBehind();
    const { child, said, ended } = start(["memory", "--seconds", "600", "--readers", "2", "--rate", "200"]);
    await until(() => said.error.includes("records published"));
    // The lazy reader naps for two minutes by now: what is said to it wakes it.
    child.kill("SIGINT");
    const report = reportOf(await ended);
    expect(report).toMatchObject({ isComplete: false, problems: [] });
    const whole = { received: report.published.deltas, lost: 0 };
    expect(report.readers.map(({ name, deltas }) => [name, deltas])).toEqual([
      ["reader 1", whole],
      ["lazy reader 2", whole],
    ]);
    expect(leftBehind().filter((name) => !before.includes(name))).toEqual([]);
  });

  it("fails with status 1 when a threshold is not met", async () => {
    const words = [
      "memory",
      "--seconds",
      "0.5",
      "--readers",
      "1",
      "--lazy",
      "0",
      "--rate",
      "1000",
      "--p99-ms",
      "0.001",
    ];
    const ended = await start(words).ended;
    expect(ended.status).toBe(1);
    expect(reportOf(ended)).toMatchObject({ isGood: false, problems: [] });
  });

  it.each([
    [["memory", "--readers", "0"], "Cannot use --readers: it must be a whole number from 1 to 16, was 0"],
    [["memory", "--capacity", "5000"], "Cannot use --capacity: it must be a power of two, was 5000"],
    [["stream", "--url", "ws://192.0.2.1/ws"], "Cannot put load on another machine: add --remote if that is meant"],
  ])("refuses %j with status 2 when it cannot be used", async (words, text) => {
    const { status, error } = await start(words).ended;
    expect(status).toBe(2);
    expect(error).toContain(text);
  });
});

describe("alphapulse load arbitrage", () => {
  it("reckons every opportunity anew and misses no lasting crossing when the real serve detects them", async () => {
    // The market of this seed is neither quiet nor silent in its first half minute.
    const market = ["--seconds", "9", "--symbols", "3", "--seed", "15", "--rate", "2", "--plant-ms", "300"];
    const thresholds = ["--hold-ms", "2000", "--delay-p99-ms", PATIENT_MS, "--verified-share", "0.3"];
    const ended = await start(["arbitrage", ...market, ...thresholds]).ended;
    const report = reportOf(ended);
    expect(report.problems).toEqual([]);
    expect(ended.status, JSON.stringify(report.thresholds)).toBe(0);
    expect(report.told.verified).toBeGreaterThan(0);
    expect(report.told.dueAndTold).toBe(report.truth.due);
  });

  it.runIf(process.platform === "linux")("takes the market and serve along when it is killed", async () => {
    const before = leftBehind();
    const { child, said } = start(["arbitrage", "--seconds", "60", "--symbols", "1"]);
    await until(() => said.error.includes("books are synced"));
    const parts = childrenOf(child.pid);
    try {
      expect(parts, said.error).toHaveLength(2);
      child.kill("SIGKILL");
      await until(() => !parts.some(lives), 10_000);
      expect(parts.filter(lives)).toEqual([]);
    } finally {
      for (const pid of parts.filter(lives)) {
        process.kill(pid, "SIGKILL");
      }
      // Nobody is left who would have removed it.
      for (const name of leftBehind().filter((one) => !before.includes(one))) {
        rmSync(join(SHARED, name), { recursive: true, force: true });
      }
    }
  });
});

describe("alphapulse load stream", () => {
  it("proves the books of all its clients when it is put on a demo", async () => {
    const demo = await DemoProcess.start();
    demos.push(demo);
    const url = `ws://127.0.0.1:${demo.port}/ws`;
    const words = ["stream", "--url", url, "--clients", "5", "--seconds", "3", "--p99-ms", PATIENT_MS];
    const ended = await start([...words, "--served-ms", PATIENT_MS]).ended;
    const report = reportOf(ended);
    expect(report.problems).toEqual([]);
    expect(ended.status, JSON.stringify(report.thresholds)).toBe(0);
    expect(report.booksCompared).toBeGreaterThan(5);
  });
});

function childrenOf(pid: number | undefined): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
}

function lives(pid: number): boolean {
  return existsSync(`/proc/${pid}`);
}

async function until(holds: () => boolean, patienceMs = 50_000): Promise<void> {
  for (const endsAt = Date.now() + patienceMs; !holds() && Date.now() < endsAt; ) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
