/**
 * Faults of REST answers and of attempts to connect, seen by a raw client in memory; over sockets see shells.test.ts.
 * Bad case: a fault of one instrument's snapshot that also strikes metadata or another instrument; asked for each time.
 */
import { afterEach, describe, expect, test } from "vitest";
import { EXCHANGE_IDS, type ExchangeId } from "../../src/model/exchange_id.ts";
import { parsed } from "./frame_subjects.ts";
import { ask, depthPath, openClient, pass, type Rig, SYMBOLS, startRig } from "./memory_rig.ts";

const EACH = EXCHANGE_IDS.map((exchange) => [exchange] as const);
const METADATA: Readonly<Record<ExchangeId, string>> = {
  coinbase_exchange: "/products",
  kraken: "/0/public/AssetPairs",
  binance: "/api/v3/exchangeInfo",
  binance_us: "/api/v3/exchangeInfo",
};

let rig: Rig;

afterEach(() => rig.emulator.close());

type Asked = { status: number; body: string; headers: Headers };

async function rest(exchange: ExchangeId, path: string, waitMs = 1): Promise<Asked> {
  const answer = await ask(rig, rig.emulator.endpoints[exchange].rest + path, { waitMs });
  if (answer === "nothing" || answer instanceof Error) {
    throw new Error(`Cannot go on: no answer, was ${String(answer)}`);
  }
  return answer;
}

async function start(exchange: ExchangeId, rule: Record<string, unknown>): Promise<{ target: string; other: string }> {
  const [other, target] = SYMBOLS[exchange];
  rig = await startRig([exchange], { faults: [{ exchange, instrument: target, ...rule }] });
  await pass(rig.clock, 10_000);
  return { target: depthPath(exchange, target), other: depthPath(exchange, other) };
}

describe.each(EACH)("a REST fault of %s", (exchange) => {
  test("rest_slow gives the answer of the time of the request, later, when it strikes", async () => {
    const { target, other } = await start(exchange, { kind: "rest_slow", ms: 3_000 });
    const url = rig.emulator.endpoints[exchange].rest + target;
    const before = JSON.stringify(rig.emulator.trueBook(exchange, SYMBOLS[exchange][1]).bids[0]);
    const asked = rig.emulator.fetch(url).then((response) => response.text());
    await pass(rig.clock, 2_000);
    expect((await rest(exchange, other)).status).toBe(200);
    const early = await Promise.race([asked, Promise.resolve("nothing")]);
    expect(early).toBe("nothing");
    await pass(rig.clock, 1_000);
    const [price, quantity] = JSON.parse(before) as [string, string];
    expect(firstBid(await asked)).toEqual(
      exchange === "kraken" ? [Number(price), expect.any(Number)] : [Number(price), Number(quantity)],
    );
    expect((await rest(exchange, target)).status).toBe(200);
    expect(rig.emulator.faults().counts).toEqual({ rest_slow: 1 });
  });

  test("rest_stale answers with the book of some time ago when it strikes", async () => {
    const { target, other } = await start(exchange, { kind: "rest_stale", age_ms: 5_000 });
    const symbol = SYMBOLS[exchange][1];
    expect((await rest(exchange, other)).status).toBe(200);
    const { updateId } = rig.emulator.trueBook(exchange, symbol);
    await pass(rig.clock, 5_000);
    const agoUs = (rig.clock.now() - 5_000) * 1000;
    const stale = (await rest(exchange, target)).body;
    // The market wakes at least every 50 ms.
    const possible = Array.from({ length: 60 }, (_, ms) => {
      const moment = { timeUs: agoUs - ms * 1000, nowUs: Number.POSITIVE_INFINITY };
      return JSON.stringify(rig.emulator.truth(exchange, symbol, { moment }).bids.map(([price]) => Number(price)));
    });
    expect(possible).toContain(JSON.stringify(prices(stale)));
    const fresh = (await rest(exchange, target)).body;
    expect(possible).not.toContain(JSON.stringify(prices(fresh)));
    if (exchange.startsWith("binance")) {
      expect(Number(parsed(stale).lastUpdateId)).toBeLessThanOrEqual(updateId);
      expect(Number(parsed(fresh).lastUpdateId)).toBeGreaterThan(updateId);
    }
    expect(rig.emulator.faults().counts).toEqual({ rest_stale: 1 });
  });

  test("rest_error answers its status once when it strikes, metadata and others never", async () => {
    const { target, other } = await start(exchange, { kind: "rest_error", status: 502 });
    expect((await rest(exchange, other)).status).toBe(200);
    expect((await rest(exchange, METADATA[exchange])).status).toBe(200);
    expect((await rest(exchange, target)).status).toBe(502);
    expect((await rest(exchange, target)).status).toBe(200);
    expect(rig.emulator.faults().entries).toMatchObject([
      { kind: "rest_error", instrument: SYMBOLS[exchange][1], frame: 2 },
    ]);
  });

  test("rest_timeout answers nothing, and the request ends when its signal aborts", async () => {
    const { target } = await start(exchange, { kind: "rest_timeout" });
    const url = rig.emulator.endpoints[exchange].rest + target;
    const stop = new AbortController();
    const asked = rig.emulator.fetch(url, { signal: stop.signal }).catch((error: unknown) => error);
    await pass(rig.clock, 60_000);
    expect(await Promise.race([asked, Promise.resolve("nothing")])).toBe("nothing");
    stop.abort(new Error("patience is over"));
    expect(await asked).toEqual(new Error("patience is over"));
    expect((await rest(exchange, target)).status).toBe(200);
  });

  test("rest_truncated answers half a body, or cuts the connection in its midst, when it strikes", async () => {
    const { target } = await start(exchange, { kind: "rest_truncated" });
    const half = await rest(exchange, target);
    expect([half.status, Object.keys(parsed(half.body))]).toEqual([200, []]);
    const whole = await rest(exchange, target);
    expect(Math.abs(whole.body.length / 2 - half.body.length)).toBeLessThan(whole.body.length / 10);
    rig.emulator.close();
    const abrupt = await start(exchange, { kind: "rest_truncated", abrupt: true });
    const answer = await ask(rig, rig.emulator.endpoints[exchange].rest + abrupt.target);
    expect(answer).toBeInstanceOf(TypeError);
  });

  test.each([
    ["rest_429", 429],
    ["rest_418", 418],
  ])("%s refuses every request until Retry-After is over when it strikes", async (kind, status) => {
    const { target, other } = await start(exchange, { kind, retry_after_s: 7 });
    const refused = await rest(exchange, target);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([status, "7"]);
    await pass(rig.clock, 2_500);
    const again = await rest(exchange, other);
    expect([again.status, again.headers.get("retry-after")]).toEqual([status, "5"]);
    await pass(rig.clock, 4_500);
    expect((await rest(exchange, target)).status).toBe(200);
    expect(rig.emulator.faults().counts).toEqual({ [kind]: 1 });
  });

  test("connect_refused and connect_silent strike one attempt each", async () => {
    const faults = [
      { kind: "connect_refused", exchange, status: 502 },
      { kind: "connect_silent", exchange, after: 0 },
    ];
    rig = await startRig([exchange], { faults });
    const [refused, silent, fine] = [openClient(rig, exchange), openClient(rig, exchange), openClient(rig, exchange)];
    await pass(rig.clock, 1_000);
    expect([refused.opened, refused.closed]).toEqual([0, ["Unexpected server response: 502"]]);
    expect([silent.opened, silent.closed]).toEqual([0, []]);
    expect([fine.opened, fine.closed]).toEqual([1, []]);
    expect(rig.emulator.faults().entries).toMatchObject([
      { kind: "connect_refused", frame: 0 },
      { kind: "connect_silent", frame: 1 },
    ]);
  });

  test("connection_limit refuses attempts over the documented limit, and not for ever", async () => {
    const limits = { coinbase_exchange: [20, 2_500], kraken: [150, 600_000], binance: [300, 300_000] } as const;
    const [attempts, perMs] = limits[exchange === "binance_us" ? "binance" : exchange];
    rig = await startRig([exchange], { faults: [{ kind: "connection_limit", exchange }] });
    for (let count = 0; count < attempts; count += 1) {
      openClient(rig, exchange).drop();
    }
    const over = openClient(rig, exchange);
    rig.clock.advance(1);
    expect(over.closed).toEqual(["Unexpected server response: 429"]);
    rig.clock.advance(perMs);
    const later = openClient(rig, exchange);
    rig.clock.advance(1);
    expect([later.opened, later.closed]).toEqual([1, []]);
    expect(rig.emulator.faults().counts).toEqual({ connection_limit: 1 });
  });
});

function prices(body: string): number[] {
  const { bids, result } = parsed(body) as { bids?: [string][]; result?: Record<string, { bids: [string][] }> };
  const list = bids ?? Object.values(result ?? {})[0]?.bids ?? [];
  return list.map(([price]) => Number(price));
}

function firstBid(body: string): [number, number] {
  const { bids, result } = parsed(body) as {
    bids?: [string, string][];
    result?: Record<string, { bids: [string, string][] }>;
  };
  const [first] = bids ?? Object.values(result ?? {})[0]?.bids ?? [];
  return [Number(first?.[0]), Number(first?.[1])];
}
