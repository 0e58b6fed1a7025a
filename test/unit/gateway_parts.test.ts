/** Parts of the gateway that need no socket: names and patterns, limits, counting, files, the choice of transport. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Backlog } from "../../src/gateway/backlog.ts";
import { chooseTransport } from "../../src/gateway/choose_transport.ts";
import { mixEpoch } from "../../src/gateway/epochs.ts";
import { Instruments } from "../../src/gateway/instruments.ts";
import { completeLimits, GATEWAY_LIMITS } from "../../src/gateway/limits.ts";
import { SILENT_LOG } from "../../src/gateway/log.ts";
import { MessageCredit } from "../../src/gateway/message_credit.ts";
import { Outlet } from "../../src/gateway/outlet.ts";
import { StaticFiles } from "../../src/gateway/static_files.ts";
import type { Connection } from "../../src/gateway/transport.ts";
import { Workspace } from "../../src/gateway/workspace.ts";
import { freshKernel } from "../support/rig.ts";

function instruments() {
  const { kernel } = freshKernel("twin");
  const workspace = new Workspace(kernel, 64);
  const made = new Instruments(workspace, { outlet: new Outlet(), limits: GATEWAY_LIMITS, now: () => 0 });
  for (const name of ["kraken:BTC-USD", "kraken:ETH-USD", "binance_us:BTC-USD", "coinbase_exchange:BTC-USD"]) {
    const [exchange = "", symbol = ""] = name.split(":");
    made.obtain(exchange, symbol);
  }
  return made;
}

describe("Instruments", () => {
  it.each([
    ["kraken:BTC-USD", ["kraken:BTC-USD"]],
    ["kraken:*", ["kraken:BTC-USD", "kraken:ETH-USD"]],
    ["*:BTC-USD", ["kraken:BTC-USD", "binance_us:BTC-USD", "coinbase_exchange:BTC-USD"]],
    ["*:*", ["kraken:BTC-USD", "kraken:ETH-USD", "binance_us:BTC-USD", "coinbase_exchange:BTC-USD"]],
    ["coinbase:BTC-USD", ["coinbase_exchange:BTC-USD"]],
    ["BTC-USD", []],
    ["kraken:btc-usd", []],
    ["", []],
    [":", []],
    ["*", []],
    ["kraken:BTC-*", []],
  ])("match %j as %j", (pattern, names) => {
    expect(
      instruments()
        .match(pattern)
        .map(({ name }) => name.instrument),
    ).toEqual(names);
  });

  it("keep the alias of a name and give each name its own", () => {
    const made = instruments();
    expect(made.obtain("kraken", "ETH-USD").alias).toBe(2);
    expect(new Set([...made.all()].map(({ alias }) => alias)).size).toBe(made.size);
  });

  it("name the nearest ones when a name is misspelt", () => {
    expect(instruments().nearest("kraken:BTCUSD")[0]).toBe("kraken:BTC-USD");
    expect(instruments().nearest("zzz")).toEqual([]);
  });
});

describe("Limits", () => {
  it("refuse numbers that are not positive and a transport limit too near to ours", () => {
    expect(completeLimits({ connectionsMax: 5 })).toEqual({ ...GATEWAY_LIMITS, connectionsMax: 5 });
    expect(() => completeLimits({ idleSeconds: 0 })).toThrow("idleSeconds must be a positive number, was 0");
    expect(() => completeLimits({ batchRecords: Number.NaN })).toThrow(RangeError);
    expect(() => completeLimits({ losslessBytesMax: 9_000_000 })).toThrow("backpressureBytesMax");
  });
});

describe("Outlet", () => {
  it("counts listeners and publishes only while there are some", () => {
    const outlet = new Outlet();
    const published: string[] = [];
    outlet.attach({ port: 1, publish: (topic) => void published.push(topic), close: () => Promise.resolve() });
    const connection = { subscribe: () => undefined, unsubscribe: () => undefined } as unknown as Connection;
    outlet.publish("a", "nobody");
    outlet.join(connection, "a");
    outlet.join(connection, "a");
    outlet.publish("a", new Uint8Array(10));
    outlet.leave(connection, "a");
    expect(outlet.listeners("a")).toBe(1);
    outlet.leave(connection, "a");
    outlet.publish("a", "nobody");
    expect(published).toEqual(["a"]);
    expect(outlet.totals).toEqual({ bytesOut: 20, framesOut: 2, wireFrames: 1 });
    expect([outlet.takeBurst(), outlet.takeBurst()]).toEqual([10, 0]);
  });
});

describe("StaticFiles", () => {
  it("serves what was there at start and nothing else", () => {
    const folder = mkdtempSync(join(tmpdir(), "alphapulse-files-"));
    mkdirSync(join(folder, "a b"));
    writeFileSync(join(folder, "a b/ü.svg"), "<svg/>");
    const files = new StaticFiles(folder);
    rmSync(folder, { recursive: true });
    const ask = (path: string) => files.answer({ path, ifNoneMatch: "" });
    expect(ask("/a%20b/%C3%BC.svg")).toMatchObject({ status: 200, headers: { "content-type": "image/svg+xml" } });
    expect([ask("/"), ask("/a%20b"), ask("/../x"), ask("/%E0%A4%A")]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(() => new StaticFiles(folder)).toThrow("Cannot serve the page");
  });
});

describe("chooseTransport", () => {
  it("falls back to ws with a warning when the addon cannot load", async () => {
    const warnings: string[] = [];
    const log = { ...SILENT_LOG, warn: (message: string) => void warnings.push(message) };
    const transport = await chooseTransport(log, () => Promise.reject(new Error("no such file\nmore")));
    expect(transport.name).toBe("ws");
    expect(warnings).toEqual([expect.stringMatching(/^Cannot load uWebSockets.js, serving with ws.*no such file$/)]);
  });
});

describe("Backlog", () => {
  const limits = completeLimits();
  const look = (backlog: Backlog, bytes: number, hasLossless = false) => backlog.look(bytes, { nowMs: 5, hasLossless });

  it("conflates above the limit and is drained below a quarter of it, when bytes are all that changes", () => {
    const backlog = new Backlog(limits, 0);
    expect(look(backlog, limits.backlogBytesMax)).toBe("nothing");
    expect(look(backlog, limits.backlogBytesMax + 1)).toBe("conflate");
    expect([backlog.state, backlog.sinceMs]).toEqual(["conflated", 5]);
    expect(look(backlog, limits.backlogBytesMax / 4 + 1)).toBe("nothing");
    expect(look(backlog, limits.backlogBytesMax / 4)).toBe("drained");
    expect(backlog.isLive).toBe(true);
  });

  it("waits for the second limit when something must not be merged, and expels for answers only beyond that", () => {
    const backlog = new Backlog(limits, 0);
    look(backlog, limits.backlogBytesMax + 1);
    expect(look(backlog, limits.losslessBytesMax, true)).toBe("nothing");
    expect(look(backlog, limits.losslessBytesMax + 1, true)).toBe("reset");
    expect(look(backlog, limits.losslessBytesMax + limits.backlogBytesMax)).toBe("nothing");
    expect(look(backlog, limits.losslessBytesMax + limits.backlogBytesMax + 2)).toBe("expel");
  });

  it("lets a message be that is larger than the limit until it was read", () => {
    const backlog = new Backlog(limits, 0);
    backlog.allow(1_000_000);
    expect(look(backlog, 1_100_000)).toBe("nothing");
    expect(look(backlog, limits.snapshotWindowBytes)).toBe("nothing");
    expect(look(backlog, limits.backlogBytesMax + 1)).toBe("conflate");
  });
});

describe("MessageCredit", () => {
  it("allows ten seconds' worth at once and refills with time", () => {
    const credit = new MessageCredit({ perSecond: 2, nowMs: 1000 });
    const taken = Array.from({ length: 21 }, () => credit.take(1000));
    expect(taken.filter(Boolean)).toHaveLength(20);
    expect([credit.take(1499), credit.take(1500), credit.take(1500), credit.take(900)]).toEqual([
      false,
      true,
      false,
      false,
    ]);
  });
});

describe("Epochs", () => {
  it("differ with every word and its place, and are the same for the same words", () => {
    const words = [
      [1, 2, 3],
      [1, 3, 2],
      [1, 2, 4],
      [0, 2, 3],
      [1, 2, 3, 0],
    ];
    const epochs = words.map(mixEpoch);
    expect(new Set(epochs).size).toBe(words.length);
    expect(epochs.every((epoch) => Number.isInteger(epoch) && epoch >= 0 && epoch < 2 ** 32)).toBe(true);
    expect(mixEpoch([1, 2, 3])).toBe(epochs[0]);
  });
});
