/**
 * The log: JSON lines with levels, or text for people; repeats are held back and counted, states are told once with their
 * reason, secrets never. Bad case: a line that vanishes without a number, or a key that an error prints.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  REASON_GAP,
  REASON_NONE,
  STATE_CONNECTING,
  STATE_RESYNCING,
  STATE_SYNCED,
  STATE_WAITING,
} from "../../assembly/layout.ts";
import { type LogOptions, openLog, withoutSecrets } from "../../src/commands/log.ts";
import { RepeatFilter } from "../../src/commands/repeat_filter.ts";
import { commandConfig } from "../../src/commands/settings.ts";
import { type ConfigSources, loadConfig } from "../../src/config/mod.ts";
import type { Report } from "../../src/feed/collector.ts";
import { StateNotes } from "../../src/feed/state_notes.ts";

const SECRET = "ops:correct-horse-battery";

/** A log whose lines and clock the test holds. */
function open(options: LogOptions & { level?: "info" | "warn" | "trace" } = {}) {
  const lines: string[] = [];
  const clock = { ms: 0 };
  const { level = "info", ...rest } = options;
  const log = openLog(level, { format: "json", write: (line) => lines.push(line), now: () => clock.ms, ...rest });
  const parsed = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return { log, lines, clock, parsed };
}

function refusal(sources: ConfigSources): string {
  try {
    loadConfig(sources);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return "not refused";
}

describe("The log", () => {
  it("writes one JSON line per event with level, time, fields and text", () => {
    const { log, lines, parsed } = open();
    log.info({ exchange: "kraken", instrument: "BTC/USD" }, "The book is synced");
    log.warn("No fields");
    expect(lines.every((line) => line.endsWith("}\n"))).toBe(true);
    expect(parsed()).toEqual([
      {
        level: "info",
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        exchange: "kraken",
        instrument: "BTC/USD",
        msg: "The book is synced",
      },
      { level: "warn", time: expect.any(String), msg: "No fields" },
    ]);
  });

  it("leaves out what is below its level", () => {
    const { log, parsed } = open({ level: "warn" });
    log.info("unseen");
    log.debug("unseen");
    log.error("seen");
    expect(parsed().map(({ msg }) => msg)).toEqual(["seen"]);
  });

  it("writes text for people when that is asked for", () => {
    const { log, lines } = open({ format: "pretty" });
    log.warn({ exchange: "kraken", instrument: "BTC/USD", reason: "gap" }, "The book is resyncing: gap");
    const text = lines.join("");
    expect(text).toMatch(/WARN.*kraken BTC\/USD The book is resyncing: gap/);
    expect(text).not.toContain("{");
  });

  it("holds repeats back, whatever the numbers in them, and tells how many when their time is over", () => {
    const { log, clock, parsed } = open();
    for (let attempt = 0; attempt < 100; attempt++) {
      log.warn({ exchange: "kraken" }, `Disconnected: next attempt in ${attempt} ms`);
    }
    log.warn({ exchange: "binance" }, "Disconnected: next attempt in 5 ms");
    expect(parsed()).toHaveLength(6);
    clock.ms = 10_000;
    log.info("Something else");
    const [, , , , , , ...later] = parsed();
    expect(later.find(({ heldBack }) => heldBack !== undefined)).toMatchObject({
      level: "warn",
      exchange: "kraken",
      heldBack: 95,
      msg: "Disconnected: next attempt in 99 ms (95 like this were held back)",
    });
    expect(later).toHaveLength(2);
  });

  it("tells nothing that would open a door: addresses, parameters, fields", () => {
    const { log, lines } = open();
    log.info({ url: `wss://${SECRET}@host/ws`, key: SECRET, token: SECRET }, `Connecting to wss://${SECRET}@host/ws`);
    log.info(`Refused /ws?key=${SECRET}&a=1`);
    expect(lines.join("")).not.toContain("battery");
    expect(lines.join("")).toContain("wss://***@host/ws");
    expect(lines.join("")).toContain("/ws?key=***&a=1");
    expect(withoutSecrets("https://host:8443/path?depth=5")).toBe("https://host:8443/path?depth=5");
  });
});

describe("Repeats", () => {
  it("are told or counted, each exactly once, in any order and at any times", () => {
    const step = fc.record({ kind: fc.integer({ min: 0, max: 5 }), pauseMs: fc.integer({ min: 0, max: 700 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const clock = { ms: 0 };
        const limits = { linesMax: 2, windowMs: 1000, kindsMax: 3 };
        const filter = new RepeatFilter<string>({ now: () => clock.ms, limits });
        const counts = new Map<string, number>();
        const add = (kind: string, by: number) => counts.set(kind, (counts.get(kind) ?? 0) + by);
        for (const { kind, pauseMs } of steps) {
          clock.ms += pauseMs;
          add(String(kind), filter.admit(String(kind), String(kind)) ? 1 : 0);
          for (const { line, count } of filter.takeSettled()) {
            add(line, count);
          }
        }
        for (const { line, count } of filter.takeSettled({ all: true })) {
          add(line, count);
        }
        for (let kind = 0; kind <= 5; kind++) {
          const said = steps.filter((it) => it.kind === kind).length;
          expect(counts.get(String(kind)) ?? 0).toBe(said);
        }
      }),
    );
  });
});

describe("States in the log", () => {
  it("are told once each, with the reason and what was before", () => {
    const reports: Report[] = [];
    const notes = new StateNotes((report) => reports.push(report));
    const look = (state: number, reason: number) => notes.look({ native: "BTC/USD", state, reason });
    look(STATE_CONNECTING, 1);
    look(STATE_WAITING, 2);
    look(STATE_WAITING, 2);
    look(STATE_SYNCED, REASON_NONE);
    look(STATE_RESYNCING, REASON_GAP);
    look(STATE_RESYNCING, REASON_GAP);
    look(STATE_SYNCED, REASON_NONE);
    expect(reports).toEqual([
      {
        level: "info",
        native: "BTC/USD",
        text: "The book is waiting: waiting_snapshot",
        fields: { state: "waiting", reason: "waiting_snapshot", was: "connecting" },
      },
      {
        level: "info",
        native: "BTC/USD",
        text: "The book is synced",
        fields: { state: "synced", reason: "none", was: "waiting" },
      },
      {
        level: "warn",
        native: "BTC/USD",
        text: "The book is resyncing: gap",
        fields: { state: "resyncing", reason: "gap", was: "synced" },
      },
      {
        level: "info",
        native: "BTC/USD",
        text: "The book is synced",
        fields: { state: "synced", reason: "none", was: "resyncing" },
      },
    ]);
  });
});

describe("Errors of the configuration", () => {
  it.each<[where: string, sources: ConfigSources]>([
    ["a key that is too short", { flags: { "access.keys": "ops:battery" } }],
    ["a key without a name", { environment: { ALPHAPULSE_ACCESS_KEYS: "correct-horse-battery" } }],
    ["a key in the file", { file: { path: "alphapulse.toml", text: '[access]\nkeys = ["ops:battery"]' } }],
    ["a name that is nearly right", { environment: { ALPHAPULSE_ACCESS_KEY: SECRET } }],
    ["a flag that is nearly right", { flags: { "access.key": SECRET } }],
    ["a file with a name that is nearly right", { file: { path: "a.toml", text: `[access]\nkeyz = ["${SECRET}"]` } }],
    ["an address with a password", { flags: { "exchanges.kraken.rest_url": "ftp://ops:battery@host" } }],
  ])("name the setting and not its value: %s", (_, sources) => {
    const message = refusal(sources);
    expect(message).toMatch(/^Cannot use/);
    expect(message).toMatch(/access|ACCESS|rest_url/);
    expect(message).not.toContain("battery");
  });

  it("show the values of other settings, which somebody must find", () => {
    expect(refusal({ flags: { port: "eight" } })).toMatch(/was "eight"$/);
    expect(() => commandConfig({ set: [`access.keys:${SECRET}`] })).toThrow(/was access.keys$/);
  });
});
