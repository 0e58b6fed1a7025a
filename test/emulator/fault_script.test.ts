/**
 * Fault scripts: what is accepted, and what is refused with the key that is at fault; and that a script with every fault
 * gives equal journals for equal seeds. Bad case: a key that is accepted and does nothing; every option has its kinds.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse as parseToml } from "smol-toml";
import { describe, expect, test } from "vitest";
import { FAULTS_EXAMPLE } from "../../src/commands/emulate.ts";
import { FAULT_KIND_NAMES, FAULT_KINDS, parseFaultScript, readFaultScript } from "../../src/emulator/mod.ts";
import { ConfigError } from "../../src/errors.ts";
import { EXCHANGE_IDS } from "../../src/model/exchange_id.ts";
import { ask, depthPath, openClient, pass, type Rig, SYMBOLS, startRig, subscribe } from "./memory_rig.ts";

describe("A fault script", () => {
  test.each([
    [[{ kind: "dorp" }], /fault\[0\]\.kind: no such fault, nearest is drop.*was "dorp"/],
    [
      [{ kind: "drop" }, { kind: "drop", probabilty: 0.1 }],
      /fault\[1\]\.probabilty: unknown key, nearest is probability, was 0\.1/,
    ],
    [[{ kind: "drop", probability: 2 }], /fault\[0\]\.probability: .*was 2/],
    [[{ kind: "drop", ms: 5 }], /fault\[0\]\.ms: not an option of drop, was 5/],
    [
      [{ kind: "drop", after: 5, per_second: 1 }],
      /fault\[0\]\.per_second: only one trigger can be given, after is there too/,
    ],
    [[{ kind: "drop", exchange: "krakn" }], /fault\[0\]\.exchange: .*was "krakn"/],
    [
      [{ kind: "wrong_checksum", exchange: "binance" }],
      /fault\[0\]\.exchange: wrong_checksum does not exist on binance/,
    ],
    [[{ kind: "auction", after: 5 }], /fault\[0\]\.after: auction happens at a time/],
    [[{ kind: "age_close", times: 2 }], /fault\[0\]\.times: age_close is a rule that holds/],
    [[{ kind: "age_close", per_second: 2 }], /fault\[0\]\.per_second: age_close is a rule that holds/],
    [[{ kind: "maintenance", instrument: "BTC/USD" }], /fault\[0\]\.instrument: maintenance is of the whole exchange/],
    [[{ kind: "rest_slow", connection: 2 }], /fault\[0\]\.connection: rest_slow cannot be limited so/],
    [[{ kind: "drop", requests: "depth" }], /fault\[0\]\.requests: drop cannot be limited so/],
    [[{ kind: "drop", instrument: "" }], /fault\[0\]\.instrument: .*was ""/],
    [[{ kind: "drop", connection: 0 }], /fault\[0\]\.connection: .*was 0/],
    [[{ kind: "drop", connection: [1, 0] }], /fault\[0\]\.connection\[1\]: .*was 0/],
    [[{}], /fault\[0\]\.kind: .*was undefined/],
    ["drop", /the script: fault: .*was "drop"/],
  ])("is refused with the key when it is %j", (fault, message) => {
    const read = (): unknown => parseFaultScript({ fault }, "the script");
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(message);
  });

  test("is refused when it is no object, has an unknown key, or a wrong seed", () => {
    expect(() => parseFaultScript(7)).toThrow(/the file: .*was 7/);
    expect(() => parseFaultScript({ fault: [], faults: [] })).toThrow(/faults: unknown key, nearest is fault/);
    expect(() => parseFaultScript({ fault: [], seed: -1 })).toThrow(/seed: .*was -1/);
  });

  test("is refused at the start when it aims at what does not run", async () => {
    const start = (rule: Record<string, unknown>): Promise<Rig> => startRig(["kraken"], { faults: [rule] });
    await expect(start({ kind: "drop", exchange: "binance" })).rejects.toThrow(
      /fault\[0\]\.exchange: it does not run, only kraken, was binance/,
    );
    await expect(start({ kind: "server_shutdown" })).rejects.toThrow(
      /fault\[0\]\.kind: it exists on no exchange that runs/,
    );
    await expect(start({ kind: "drop", instrument: "BTC/USDT" })).rejects.toThrow(
      /fault\[0\]\.instrument: it is not listed, nearest is BTC\/USD/,
    );
  });

  test("is read from TOML and JSON alike, and names the file when it cannot be", () => {
    const folder = mkdtempSync(join(tmpdir(), "faults-"));
    const [toml, json, broken] = ["a.toml", "a.json", "b.toml"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(toml, FAULTS_EXAMPLE);
    writeFileSync(json, JSON.stringify(parseToml(FAULTS_EXAMPLE)));
    writeFileSync(broken, "[[fault]\nkind=");
    try {
      const script = readFaultScript(toml);
      expect(script.rules.map(({ kind }) => kind)).toEqual(["drop", "drift_zeros", "silence", "rest_stale", "auction"]);
      expect(script.seed).toBe(7);
      expect(readFaultScript(json)).toEqual(script);
      expect(() => readFaultScript(broken)).toThrow(broken);
      expect(() => readFaultScript(join(folder, "none.toml"))).toThrow(/Cannot read the fault script: .*none\.toml/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("shown in the help starts on all exchanges", async () => {
    const { fault } = parseToml(FAULTS_EXAMPLE) as { fault: Record<string, unknown>[] };
    const rig = await startRig(EXCHANGE_IDS, { faults: fault });
    await pass(rig.clock, 1_000);
    rig.emulator.close();
  });
});

const POLICIES: Readonly<Record<string, object>> = {
  age_close: { age_ms: 3_000 },
  connection_limit: { attempts: 1, per_ms: 15_000, for_ms: 20_000 },
  subscribe_dropped: { for_ms: 20_000 },
};

/** Every kind, often: frames by probability, the rest in time. */
function everything(): Record<string, unknown>[] {
  return FAULT_KIND_NAMES.map((kind): Record<string, unknown> => {
    const { scope, options } = FAULT_KINDS[kind];
    const brief = "for_ms" in options ? { for_ms: 400 } : {};
    switch (scope) {
      case "policy":
        return { kind, at_ms: 20_000, ...brief, ...POLICIES[kind] };
      case "frame":
      case "stream":
        return { kind, instrument: "*", probability: 0.03, ...brief, ...(kind === "delay" ? { ms: 300 } : {}) };
      case "connection":
      case "market":
        return { kind, per_second: kind === "drift_decimals" ? 0.05 : 0.1, ...brief };
      default:
        return {
          kind,
          probability: 0.1,
          ...(kind.startsWith("rest_4") ? { retry_after_s: 1 } : {}),
          ...(kind === "rest_stale" ? { age_ms: 500 } : {}),
        };
    }
  });
}

/** Clients that reconnect whenever they are closed, and ask REST all the time. */
async function storm(seed: number): Promise<{ journal: string; counts: object }> {
  const rig = await startRig(EXCHANGE_IDS, { seed, faults: everything(), rate: 5, levels: 80 });
  const clients = EXCHANGE_IDS.flatMap((exchange) =>
    [0, 1].map(() => ({ exchange, client: openClient(rig, exchange) })),
  );
  for (const one of clients) {
    subscribe(one.client, one.exchange);
  }
  for (let second = 0; second < 40; second += 1) {
    for (const exchange of EXCHANGE_IDS) {
      void ask(rig, rig.emulator.endpoints[exchange].rest + depthPath(exchange, SYMBOLS[exchange][0]), { waitMs: 0 });
    }
    await pass(rig.clock, 1_000);
    for (const one of clients.filter(
      ({ client }) => client.closed.length > 0 || client.opened === 0 || second % 7 === 6,
    )) {
      one.client.drop();
      one.client = openClient(rig, one.exchange);
      subscribe(one.client, one.exchange);
    }
  }
  rig.emulator.close();
  const { entries, counts } = rig.emulator.faults();
  return { journal: entries.map((entry) => JSON.stringify(entry)).join("\n"), counts };
}

describe("The fault journal", () => {
  test("is equal for equal seeds, another for another seed, and knows every kind, when everything goes wrong", async () => {
    const [first, second, third] = [await storm(3), await storm(3), await storm(4)];
    expect(second.journal).toBe(first.journal);
    expect(third.journal).not.toBe(first.journal);
    expect(Object.keys({ ...first.counts, ...third.counts }).sort()).toEqual([...FAULT_KIND_NAMES].sort());
  });
});
