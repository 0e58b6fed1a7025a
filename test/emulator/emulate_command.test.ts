/**
 * `alphapulse emulate` as people start it: its addresses, the truth, a fault script, and the errors of both.
 * Bad case: an old build; this runs what stands in dist/, which `npm test` builds first.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { assetPath } from "../../src/assets.ts";
import type { FaultReport, TrueState } from "../../src/emulator/mod.ts";
import { EXCHANGE_IDS } from "../../src/model/exchange_id.ts";
import { Client, sleep, until } from "./client.ts";

let folder = "";
const closers: (() => unknown)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "emulate-"));
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) {
    await close();
  }
  rmSync(folder, { recursive: true, force: true });
});

type Ended = { output: string; errors: string; code: number | null };

/** Starts the command. @returns when it has printed so many lines, or has ended */
async function emulate(words: readonly string[], lines: number): Promise<Ended> {
  const child = spawn(process.execPath, [assetPath("main.js"), "emulate", "--log-level", "error", ...words]);
  const ended: Ended = { output: "", errors: "", code: null };
  const gone = new Promise<void>((resolve) => {
    child.once("close", (code) => {
      ended.code = code;
      resolve();
    });
  });
  closers.push(() => {
    child.kill("SIGTERM");
    return gone;
  });
  child.stdout.on("data", (chunk: Buffer) => {
    ended.output += chunk.toString("utf8");
  });
  child.stderr.on("data", (chunk: Buffer) => {
    ended.errors += chunk.toString("utf8");
  });
  await until(() => ended.output.split("\n").length > lines || ended.code !== null);
  return ended;
}

async function get<T>(url: string): Promise<{ status: number; body: T }> {
  const response = await fetch(url);
  return { status: response.status, body: (await response.json()) as T };
}

describe("alphapulse emulate", () => {
  test("prints a line per exchange and tells the truth when it is asked for", async () => {
    const { output } = await emulate(["--truth", "--rate", "5"], EXCHANGE_IDS.length);
    const lines = output
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, string>);
    expect(lines.map((line) => Object.keys(line))).toEqual(EXCHANGE_IDS.map(() => ["exchange", "ws", "rest", "truth"]));
    expect(lines.map(({ exchange }) => exchange)).toEqual([...EXCHANGE_IDS]);
    const kraken = lines.find(({ exchange }) => exchange === "kraken");
    const client = await Client.open(kraken?.ws ?? "");
    closers.push(() => client.close());
    client.send({ method: "subscribe", params: { channel: "book", symbol: ["BTC/USD"] } });
    const text = await client.frame((frame) => frame.includes('"channel":"book","type":"update"'));
    const time = /"timestamp":"([^"]+)"/.exec(text)?.[1];
    const { status, body } = await get<TrueState>(`${kraken?.truth}/BTC/USD?time=${time}`);
    expect([status, body.time, body.bids.length, body.asks.length]).toEqual([200, time, 10, 10]);
    expect(body.digest).toMatch(/^[0-9a-f]{64}$/);
    const next = await get<TrueState>(`${kraken?.truth}/BTC/USD?sequence=${body.sequence}`);
    expect(next.body).toEqual(body);
    expect((await get(`${kraken?.truth}/BTC/USD?sequence=${body.sequence + 100_000}`)).status).toBe(404);
  });

  test("injects what a script says and shows the journal", async () => {
    const file = join(folder, "faults.toml");
    writeFileSync(file, '[[fault]]\nkind = "wrong_checksum"\ninstrument = "BTC/USD"\nafter = 2\ntimes = 3\n');
    const { output } = await emulate(["--exchange", "kraken", "--rate", "20", "--faults", file], 1);
    const [, ws = "", rest = ""] = output.trim().split(/\s+/);
    const client = await Client.open(ws);
    closers.push(() => client.close());
    client.send({ method: "subscribe", params: { channel: "book", symbol: ["BTC/USD"] } });
    await until(() => client.objects({ channel: "book", type: "update" }).length > 6);
    await sleep(20);
    const { body } = await get<FaultReport>(`${rest}/faults`);
    expect([body.counts, body.total]).toEqual([{ wrong_checksum: 3 }, 3]);
    expect(body.entries.map(({ frame }) => /"type":"update"/.test(client.frames[frame] ?? ""))).toEqual([
      true,
      true,
      true,
    ]);
  });

  test("ends with status 2 and names the key when a script is wrong", async () => {
    const file = join(folder, "wrong.json");
    writeFileSync(file, '{"fault":[{"kind":"drop","instrument":"BTC/EUR"}]}');
    const { code, errors } = await emulate(["--exchange", "kraken", "--faults", file], 1);
    expect(code).toBe(2);
    expect(errors).toContain("fault[0].instrument: it is not listed");
  });
});
