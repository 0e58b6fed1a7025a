/**
 * The k6 scripts in k6 itself, against a demo, for seconds instead of minutes and with few clients: what they count is held
 * against their thresholds, and a wrong target is refused. Bad case: no k6; skipped by name (deploy/load/README.md says how to get it).
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { packageFolder } from "../../src/assets.ts";
import { DemoProcess } from "../browser/demo_process.ts";
import { findProgram } from "../support/prometheus.ts";
import { optionalGift } from "../support/require.ts";

type Report = {
  command: string;
  isGood: boolean;
  thresholds: { name: string; wanted: string; isMet: boolean }[];
  metrics: Record<string, { count?: number }>;
};

const K6 = process.env.ALPHAPULSE_K6 ?? findProgram("k6") ?? "";
/** Latencies of a starved machine say nothing: what counts here is what is right. */
const PATIENT_MS = "60000";

function run(script: string, settings: Readonly<Record<string, string>>) {
  const words = Object.entries(settings).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
  const environment = { ...process.env, K6_NO_USAGE_REPORT: "true", K6_AUTO_EXTENSION_RESOLUTION: "false" };
  return new Promise<{ status: number; out: string; error: string }>((resolve) => {
    const path = join(packageFolder(), "deploy/load", script);
    const child = execFile(K6, ["run", "--quiet", ...words, path], { env: environment }, (_, out, error) => {
      resolve({ status: child.exitCode ?? -1, out, error });
    });
  });
}

describe.skipIf(!optionalGift("k6", K6 !== ""))("k6", () => {
  let demo: DemoProcess;

  beforeAll(async () => {
    demo = await DemoProcess.start();
  });

  afterAll(async () => {
    await demo?.stop();
  });

  it("takes every frame of the stream apart when clients follow the demo", async () => {
    const limits = { LATENCY_MED_MS: PATIENT_MS, CONNECT_P95_MS: PATIENT_MS };
    const url = `ws://127.0.0.1:${demo.port}/ws`;
    const { status, out, error } = await run("stream.js", { URL: url, CLIENTS: "10", DURATION: "8s", ...limits });
    const report = JSON.parse(out) as Report;
    expect(report.thresholds.filter(({ isMet }) => !isMet)).toEqual([]);
    expect(status, error).toBe(0);
    expect(report.isGood).toBe(true);
    expect(report.metrics.alphapulse_events?.count).toBeGreaterThan(10);
    expect(report.command).toContain(`-e URL='${url}'`);
  });

  it("gets right answers of every route when it asks the demo at a fixed rate", async () => {
    const settings = { RATE: "30", DURATION: "4s", CLIENTS: "20", P95_MS: PATIENT_MS };
    const { status, out, error } = await run("rest.js", { URL: `http://127.0.0.1:${demo.port}`, ...settings });
    const report = JSON.parse(out) as Report;
    const judged = report.thresholds.filter(({ name }) => name !== "dropped_iterations");
    expect(judged.filter(({ isMet }) => !isMet)).toEqual([]);
    expect(judged.length).toBeGreaterThan(8);
    // Every route was asked that is there: none was left out as not served.
    expect(error).not.toContain("not served here");
    expect([0, 99], error).toContain(status);
  });

  it("refuses another machine when that was not said to be meant", async () => {
    const { status, error } = await run("stream.js", { URL: "ws://192.0.2.1/ws" });
    expect(status).not.toBe(0);
    expect(error).toContain("set REMOTE=1 if that is meant");
  });

  it.each([
    ["stream.js", { CLIENTS: "2001" }, "Cannot use CLIENTS: it must be a whole number from 1 to 2000, was 2001"],
    ["rest.js", { RATE: "0" }, "Cannot use RATE: it must be a whole number from 1 to 10000, was 0"],
    ["rest.js", { DURATION: "2h" }, "Cannot use DURATION: it must be above 0 and at most 3600 s, was 2h"],
  ])("refuses %s with %j when it is out of its bounds", async (script, settings, text) => {
    const { status, error } = await run(script, settings);
    expect(status).not.toBe(0);
    expect(error).toContain(text);
  });
});
