/**
 * Boards and alerts against the real thing: promtool judges the rules, and a real Prometheus scrapes a running demo and
 * is asked every query of every board. Bad case: a metric that only appears once something went wrong; its query says what
 * stands there until then.
 */
import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect, type StreamClient } from "../../src/client/mod.ts";
import { METRIC_NAMES } from "../../src/gateway/metric_families.ts";
import { DemoProcess } from "../browser/demo_process.ts";
import { boardQueries, metricsOf, PROMETHEUS_FOLDER, readAlerts } from "../support/boards.ts";
import { findProgram, RunningPrometheus } from "../support/prometheus.ts";
import { optionalPart } from "../support/require.ts";
import { WitnessSocket } from "../support/server_messages.ts";

const PATIENCE = { timeout: 40_000, interval: 500 };
/** A range that holds many scrapes of one second. */
const WINDOW = "15s";
const SCRAPED_MS = 25_000;
const promtool = findProgram("promtool");
const prometheus = findProgram("prometheus");

describe.skipIf(!optionalPart("promtool", promtool !== undefined))("promtool", () => {
  it.each([
    ["check", "config", "prometheus.yml"],
    ["check", "rules", "rules.yml"],
    ["test", "rules", "rules_test.yml"],
  ])("finds nothing to object: %s %s %s", (...words) => {
    const [verb = "", what = "", file = ""] = words;
    const printed = execFileSync(promtool ?? "", [verb, what, file], { cwd: PROMETHEUS_FOLDER, encoding: "utf8" });
    expect(printed).toContain("SUCCESS");
    expect(printed).not.toContain("FAILED");
  });
});

describe.skipIf(!optionalPart("prometheus", prometheus !== undefined))(
  "a Prometheus that scrapes a running demo",
  () => {
    let demo: DemoProcess | undefined;
    let running: RunningPrometheus | undefined;
    let client: StreamClient | undefined;
    const query = (expr: string) => running?.query(expr) ?? Promise.resolve([]);

    beforeAll(async () => {
      demo = await DemoProcess.start("--rate", "4", "--exchange", "coinbase_exchange,kraken,binance,binance_us");
      client = connect(`${demo.url.replace("http", "ws")}/ws`, { WebSocket: WitnessSocket });
      client.subscribe({ channels: ["book", "trades", "bbo"], instruments: ["*:*"] });
      running = await RunningPrometheus.start(prometheus ?? "", new URL(demo.url).host);
      await until(async () => (await query('up{job="alphapulse"} == 1')).length === 1);
      await until(async () => (await query("min(alphapulse_instrument_synced) == 1")).length === 1);
      await new Promise((resolve) => setTimeout(resolve, SCRAPED_MS));
    }, 120_000);

    afterAll(async () => {
      client?.close();
      await Promise.all([running?.stop(), demo?.stop()]);
    });

    it("gets figures for every query of every board", async () => {
      const queries = boardQueries(WINDOW);
      expect(queries.length).toBeGreaterThan(60);
      const empty: string[] = [];
      for (const { board, panel, expr } of queries) {
        const series = await query(expr);
        if (series.length === 0 || series.every(({ value }) => value[1] === "NaN")) {
          empty.push(`${board}, ${panel}: ${expr}`);
        }
      }
      expect(empty).toEqual([]);
    });

    it("knows every metric that an alert asks for, and evaluates every rule", async () => {
      // It appears with the first repair; what is recorded from it, too.
      const late = new Set(["alphapulse_resyncs_total", "alphapulse:resyncs:increase10m"]);
      const names = new Set(readAlerts().flatMap(({ text }) => metricsOf(text.slice(0, text.indexOf("annotations:")))));
      const unknown: string[] = [];
      // What a broker's gateway alone has is asked of its declaration here, and of a broker in nats_metrics.test.ts.
      const ofBroker = METRIC_NAMES.filter((name) => name.startsWith("alphapulse_nats_"));
      for (const name of names) {
        const isThere = (await query(`{__name__=~"${name}(_count)?"}`)).length > 0;
        if (!isThere && !late.has(name) && !ofBroker.includes(name)) {
          unknown.push(name);
        }
      }
      expect(unknown).toEqual([]);
      await expect
        .poll(async () => (await running?.rules())?.filter(({ health }) => health !== "ok"), PATIENCE)
        .toEqual([]);
      const firing = (await running?.rules())?.filter(({ state }) => state === "firing").map(({ name }) => name);
      expect(firing).toEqual([]);
    });
  },
);

async function until(isDone: () => Promise<boolean>): Promise<void> {
  for (const endsAt = Date.now() + PATIENCE.timeout; !(await isDone()); ) {
    if (Date.now() > endsAt) {
      throw new Error(`Cannot go on: the demo is not scraped or not synced, was ${PATIENCE.timeout} ms`);
    }
    await new Promise((resolve) => setTimeout(resolve, PATIENCE.interval));
  }
}
