/**
 * Faults that last, on a stream, a subscription or a connection, seen by a raw client beside an undisturbed one.
 * Bad case: a fault that outlives its time; every test looks at what comes after its end too.
 */
import { describe, expect, test } from "vitest";
import { EXCHANGE_IDS, type ExchangeId } from "../../src/model/exchange_id.ts";
import { plain } from "./client.ts";
import { levelsIn, parsed, subjectOf } from "./frame_subjects.ts";
import {
  ask,
  type Came,
  openClient,
  pass,
  type Run,
  run,
  START_MS,
  SYMBOLS,
  startRig,
  subscribe,
} from "./memory_rig.ts";

const EACH = EXCHANGE_IDS.map((exchange) => [exchange] as const);
const CONTENT = ["snapshot", "book", "trade"];

/** A lasting fault on the first connection and the second instrument, and the same run without it. */
async function disturb(exchange: ExchangeId, rule: Record<string, unknown>): Promise<{ calm: Run; stormy: Run }> {
  const faults = [{ exchange, instrument: SYMBOLS[exchange][1], connection: 1, ...rule }];
  const [calm, stormy] = await Promise.all([run(exchange), run(exchange, { faults })]);
  expect(stormy.report.counts).toEqual({ [String(rule.kind)]: 1 });
  expect(stormy.clients[1].texts).toEqual(calm.clients[1].texts);
  return { calm, stormy };
}

/** Pairs of frames that differ, where both runs have the same number of frames. */
function changed({ calm, stormy }: { calm: Run; stormy: Run }): [before: string, after: string][] {
  const [before, after] = [calm.clients[0].texts, stormy.clients[0].texts];
  expect(after).toHaveLength(before.length);
  return before.flatMap((text, index): [string, string][] =>
    text === after[index] ? [] : [[text, after[index] ?? ""]],
  );
}

function isAbout(exchange: ExchangeId, text: string, kinds: readonly string[]): boolean {
  const { kind, symbol } = subjectOf(exchange, text);
  return symbol === SYMBOLS[exchange][1] && kinds.includes(kind);
}

function bare(came: readonly Came[]): [string, number][] {
  return came.map(({ text, atMs }) => [text, atMs]);
}

describe.each(EACH)("a lasting fault of %s", (exchange) => {
  test("silence swallows content of its instrument while it lasts, and no heartbeat", async () => {
    const { calm, stormy } = await disturb(exchange, { kind: "silence", at_ms: 3_000, for_ms: 4_000 });
    const [entry] = stormy.report.entries;
    const [fromMs, untilMs] = [entry?.atMs ?? 0, (entry?.atMs ?? 0) + 4_000];
    const kept = calm.clients[0].came.filter(
      ({ text, atMs }) => !isAbout(exchange, text, CONTENT) || atMs < fromMs || atMs >= untilMs,
    );
    expect(kept.length).toBeLessThan(calm.clients[0].came.length);
    expect(bare(stormy.clients[0].came)).toEqual(bare(kept));
  });

  test("silence of any one instrument leaves the other alone when the target is a star", async () => {
    const faults = [{ kind: "silence", exchange, instrument: "*", connection: 1, at_ms: 3_000 }];
    const [calm, stormy] = await Promise.all([run(exchange), run(exchange, { faults })]);
    const hushed = stormy.report.entries[0]?.instrument ?? "";
    expect(SYMBOLS[exchange]).toContain(hushed);
    const ofOthers = (text: string): boolean => subjectOf(exchange, text).symbol !== hushed;
    expect(stormy.clients[0].texts.filter(ofOthers)).toEqual(calm.clients[0].texts.filter(ofOthers));
    expect(stormy.clients[0].texts.length).toBeLessThan(calm.clients[0].texts.length);
  });

  test("drift_zeros takes the zeros and leaves the values when it lasts three frames", async () => {
    const pairs = changed(await disturb(exchange, { kind: "drift_zeros", after: 3, for_frames: 3 }));
    expect(pairs).toHaveLength(3);
    for (const [before, after] of pairs) {
      expect(isAbout(exchange, before, ["snapshot", "book"])).toBe(true);
      expect(levelsIn(exchange, after)).toEqual(levelsIn(exchange, before));
      expect(after).not.toMatch(/[:,["]\d+\.\d*0[",}\]]/);
      expect(before).toMatch(/[:,["]\d+\.\d*0[",}\]]/);
    }
  });

  test("drift_renamed gives the field of the levels another name when it lasts three frames", async () => {
    const names = { coinbase_exchange: ["changes", "updates"], kraken: ["bids", "buys"], binance: ["b", "bids"] };
    const [field, to] = names[exchange === "binance_us" ? "binance" : exchange] as [string, string];
    const pairs = changed(await disturb(exchange, { kind: "drift_renamed", after: 3, for_frames: 3 }));
    expect(pairs).toHaveLength(3);
    for (const [before, after] of pairs) {
      expect(after.replace(`"${to}":`, `"${field}":`)).toBe(before);
    }
  });

  test("drift_reordered reverses the fields of every object when it lasts three frames", async () => {
    const pairs = changed(await disturb(exchange, { kind: "drift_reordered", after: 3, for_frames: 3 }));
    expect(pairs).toHaveLength(3);
    for (const [before, after] of pairs) {
      expect(parsed(after)).toEqual(parsed(before));
      expect(Object.keys(parsed(after))).toEqual(Object.keys(parsed(before)).reverse());
    }
  });

  test("drift_retyped calls book frames something else when it lasts three frames", async () => {
    const pairs = changed(await disturb(exchange, { kind: "drift_retyped", after: 3, for_frames: 3 }));
    expect(pairs).toHaveLength(3);
    for (const [before, after] of pairs) {
      expect([subjectOf(exchange, before).kind, subjectOf(exchange, after).kind]).toEqual(["book", "other"]);
      expect(levelsIn(exchange, after)).toEqual(levelsIn(exchange, before));
    }
  });

  test("drift_extra adds a first and a last field when it lasts three frames", async () => {
    const pairs = changed(await disturb(exchange, { kind: "drift_extra", after: 3, for_frames: 3 }));
    expect(pairs).toHaveLength(3);
    for (const [before, after] of pairs) {
      const keys = Object.keys(parsed(after));
      expect(keys).toEqual(["extra_first", ...Object.keys(parsed(before)), "extra_last"]);
      const stripped = after
        .replaceAll('"extra_first":{"a":[1,"2",null],"b":{}},', "")
        .replaceAll(',"extra_last":3.50', "");
      expect(stripped).toBe(before);
    }
  });

  test("silent_subscription acknowledges and sends no book until it is subscribed anew", async () => {
    const [first, second] = SYMBOLS[exchange];
    const faults = [{ kind: "silent_subscription", instrument: second, connection: 1 }];
    const rig = await startRig([exchange], { faults });
    const client = openClient(rig, exchange);
    subscribe(client, exchange);
    rig.clock.advance(5_000);
    const books = (symbol: string): number =>
      client.texts.filter((text) => {
        const subject = subjectOf(exchange, text);
        return subject.symbol === symbol && (subject.kind === "book" || subject.kind === "snapshot");
      }).length;
    expect(books(second)).toBe(0);
    expect(books(first)).toBeGreaterThan(5);
    expect(rig.emulator.faults().entries).toMatchObject([{ kind: "silent_subscription", instrument: second }]);
    if (exchange === "coinbase_exchange") {
      const request = { product_ids: [second], channels: ["level2_batch"] };
      client.send({ type: "unsubscribe", ...request });
      client.send({ type: "subscribe", ...request });
    } else if (exchange === "kraken") {
      const params = { channel: "book", symbol: [second] };
      expect(client.texts.filter((text) => text.includes('"success":true') && text.includes(second))).toHaveLength(2);
      client.send({ method: "unsubscribe", params });
      client.send({ method: "subscribe", params });
    } else {
      const params = [`${second.toLowerCase()}@depth@100ms`];
      client.send({ method: "UNSUBSCRIBE", params, id: 1 });
      client.send({ method: "SUBSCRIBE", params, id: 2 });
    }
    rig.clock.advance(5_000);
    expect(books(second)).toBeGreaterThan(3);
    rig.emulator.close();
  });

  test("half_open leaves the connection open, mute and deaf, then cut, when it befalls one", async () => {
    const faults = [{ kind: "half_open", exchange, connection: 1, at_ms: 3_000, for_ms: 60_000 }];
    const rig = await startRig([exchange], { faults });
    const [deaf, other] = [openClient(rig, exchange), openClient(rig, exchange)];
    for (const client of [deaf, other]) {
      subscribe(client, exchange);
    }
    rig.clock.advance(4_000);
    const [entry] = rig.emulator.faults().entries;
    expect(entry).toMatchObject({ kind: "half_open", connection: 1, frame: deaf.came.length });
    expect(deaf.came.at(-1)?.atMs).toBeLessThanOrEqual(entry?.atMs ?? 0);
    const { clientMessages } = rig.emulator.counts()[exchange] ?? {};
    const alive = deaf.alive;
    deaf.ping();
    deaf.send({ type: "subscribe", method: "ping" });
    rig.clock.advance(50_000);
    expect([deaf.closed, deaf.alive, rig.emulator.counts()[exchange]?.clientMessages]).toEqual([
      [],
      alive,
      clientMessages,
    ]);
    expect(deaf.came).toHaveLength(entry?.frame ?? -1);
    expect(other.came.length).toBeGreaterThan(2 * deaf.came.length);
    rig.clock.advance(10_000);
    expect([deaf.closed, other.closed]).toEqual([["closed with 1006"], []]);
    rig.emulator.close();
  });

  test.each([
    ["close", { code: 4001 }, "closed with 4001"],
    ["cut", {}, "closed with 1006"],
  ])("%s ends one connection after its frames when it befalls it", async (kind, options, reason) => {
    const faults = [{ kind, exchange, connection: 1, after: 20, ...options }];
    const [calm, stormy] = await Promise.all([run(exchange), run(exchange, { faults })]);
    expect(stormy.clients[0].closed).toEqual([reason]);
    expect(stormy.clients[0].texts).toEqual(calm.clients[0].texts.slice(0, 20));
    expect(stormy.clients[1].closed).toEqual([]);
    expect(stormy.clients[1].texts).toEqual(calm.clients[1].texts);
    expect(stormy.report.entries).toMatchObject([{ kind, connection: 1, frame: 20 }]);
  });

  test("age_close ends a connection at its age, and the next one at its own", async () => {
    const faults = [{ kind: "age_close", exchange, age_ms: 5_000 }];
    const rig = await startRig([exchange], { faults });
    const first = openClient(rig, exchange);
    subscribe(first, exchange);
    rig.clock.advance(2_500);
    const second = openClient(rig, exchange);
    subscribe(second, exchange);
    rig.clock.advance(2_400);
    expect([first.closed, second.closed]).toEqual([[], []]);
    rig.clock.advance(200);
    expect([first.closed, second.closed]).toEqual([["closed with 1000 maximum age"], []]);
    rig.clock.advance(2_500);
    expect(second.closed).toHaveLength(1);
    expect(rig.emulator.faults().counts).toEqual({ age_close: 2 });
    rig.emulator.close();
  });
});

describe("a lasting fault", () => {
  test("checksum_zero sets Kraken's checksum to 0 and nothing else", async () => {
    const pairs = changed(await disturb("kraken", { kind: "checksum_zero", after: 3, for_frames: 3 }));
    expect(pairs).toHaveLength(3);
    for (const [before, after] of pairs) {
      expect(after).toBe(before.replace(/"checksum":\d+/, '"checksum":0'));
      expect(after).not.toBe(before);
    }
  });

  test("server_shutdown is announced, then Binance closes the connection", async () => {
    const exchange = "binance";
    const faults = [{ kind: "server_shutdown", exchange, connection: 1, at_ms: 2_000, close_after_ms: 1_500 }];
    const [calm, stormy] = await Promise.all([run(exchange), run(exchange, { faults })]);
    const [entry] = stormy.report.entries;
    const announced = stormy.clients[0].came[entry?.frame ?? 0];
    expect(announced?.text).toBe(`{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":${entry?.atMs}}}`);
    expect(stormy.clients[0].closed).toEqual(["closed with 1001 going away"]);
    const rest = stormy.clients[0].texts.toSpliced(entry?.frame ?? 0, 1);
    const before = calm.clients[0].came.filter(({ atMs }) => atMs < (entry?.atMs ?? 0) + 1_500);
    expect(rest.length).toBeGreaterThanOrEqual(before.length);
    expect(rest.length).toBeLessThan(calm.clients[0].came.length);
    expect(rest).toEqual(calm.clients[0].texts.slice(0, rest.length));
    expect(stormy.clients[1].texts).toEqual(calm.clients[1].texts);
  });

  test.each(["coinbase_exchange", "kraken"] as const)(
    "snapshot_midstream repeats the book of %s as it stands",
    async (exchange) => {
      const instrument = SYMBOLS[exchange][1];
      const faults = [{ kind: "snapshot_midstream", exchange, instrument, connection: 1, after: 60 }];
      const [calm, stormy] = await Promise.all([run(exchange), run(exchange, { faults })]);
      const [entry] = stormy.report.entries;
      const { texts } = stormy.clients[0];
      const snapshot = texts[entry?.frame ?? 0] ?? "";
      expect(entry).toMatchObject({ instrument, connection: 1, frame: 60 });
      expect(subjectOf(exchange, snapshot)).toEqual({ kind: "snapshot", symbol: instrument });
      expect(texts.toSpliced(60, 1)).toEqual(calm.clients[0].texts);
      expect(stormy.clients[1].texts).toEqual(calm.clients[1].texts);
      const held = new Map<string, string>();
      for (const text of texts.slice(0, 61).filter((one) => subjectOf(exchange, one).symbol === instrument)) {
        for (const [side, price, quantity] of levelsIn(exchange, text)) {
          held.set(`${side} ${price}`, quantity);
        }
      }
      for (const [side, price, quantity] of levelsIn(exchange, snapshot)) {
        expect(held.get(`${side} ${price}`)).toBe(plain(quantity));
      }
    },
  );

  test("maintenance is announced on every connection of Kraken, which then closes and refuses", async () => {
    const faults = [{ kind: "maintenance", at_ms: 3_000, close_after_ms: 1_000, for_ms: 6_000 }];
    const rig = await startRig(["kraken", "binance"], { faults });
    const [one, two, other] = [openClient(rig, "kraken"), openClient(rig, "kraken"), openClient(rig, "binance")];
    subscribe(one, "kraken");
    rig.clock.advance(5_000);
    for (const client of [one, two]) {
      const statuses = client.texts.filter((text) => text.startsWith('{"channel":"status"'));
      expect(statuses.map((text) => /"system":"(\w+)"/.exec(text)?.[1])).toEqual(["online", "maintenance"]);
      expect(new Set(statuses.map((text) => /"connection_id":(\d+)/.exec(text)?.[1])).size).toBe(1);
      expect(client.closed).toEqual(["closed with 1001 going away"]);
    }
    expect(other.closed).toEqual([]);
    const refused = openClient(rig, "kraken");
    rig.clock.advance(100);
    expect([refused.opened, refused.closed]).toEqual([0, ["Unexpected server response: 503"]]);
    rig.clock.advance(START_MS + 9_100 - rig.clock.now());
    const again = openClient(rig, "kraken");
    rig.clock.advance(100);
    expect(again.texts[0]).toContain('"system":"online"');
    expect(rig.emulator.faults().entries).toMatchObject([{ kind: "maintenance", exchange: "kraken", connection: 0 }]);
    rig.emulator.close();
  });

  test("post_only is announced to all and to whoever comes, nothing is closed, and online again at its end", async () => {
    const faults = [{ kind: "maintenance", system: "post_only", at_ms: 3_000, for_ms: 4_000 }];
    const rig = await startRig(["kraken"], { faults });
    const systems = ({ texts }: { texts: readonly string[] }): (string | undefined)[] =>
      texts.flatMap((text) => /"system":"(\w+)"/.exec(text)?.[1] ?? []);
    const early = openClient(rig, "kraken");
    await pass(rig.clock, 5_000);
    const late = openClient(rig, "kraken");
    const asked = await ask(rig, `${rig.emulator.endpoints.kraken.rest}/0/public/SystemStatus`);
    expect(typeof asked === "object" && "body" in asked && asked.body).toContain('"status":"post_only"');
    await pass(rig.clock, 5_000);
    expect([systems(early), systems(late)]).toEqual([
      ["online", "post_only", "online"],
      ["post_only", "online"],
    ]);
    expect([early.closed, late.closed]).toEqual([[], []]);
    rig.emulator.close();
  });

  test("subscribe_dropped lets a burst pass and drops the rest, and Kraken says so", async () => {
    const faults = [{ kind: "subscribe_dropped", requests_per_second: 1, burst: 2, for_ms: 10_000 }];
    const rig = await startRig(["kraken", "coinbase_exchange", "binance"], { faults });
    const kraken = openClient(rig, "kraken");
    for (const symbol of ["BTC/USD", "ETH/USD", "SOL/USD"]) {
      kraken.send({ method: "subscribe", params: { channel: "book", symbol: [symbol] } });
    }
    kraken.send({ method: "ping" });
    const coinbase = openClient(rig, "coinbase_exchange");
    for (const product of ["BTC-USD", "ETH-USD", "SOL-USD"]) {
      coinbase.send({ type: "subscribe", product_ids: [product], channels: ["level2_batch"] });
    }
    const binance = openClient(rig, "binance", "/ws");
    for (const id of [1, 2, 3]) {
      binance.send({ method: "SUBSCRIBE", params: [`${["btc", "eth", "sol"][id - 1]}usdt@depth@100ms`], id });
    }
    rig.clock.advance(500);
    expect(kraken.texts.filter((text) => text.includes('"success":true'))).toHaveLength(2);
    expect(kraken.texts.filter((text) => text === '{"Error":"Exceeded msg rate"}')).toHaveLength(1);
    expect(kraken.texts.filter((text) => text.includes('"pong"'))).toHaveLength(1);
    expect(coinbase.texts.filter((text) => text.includes('"subscriptions"'))).toHaveLength(2);
    expect(binance.texts.filter((text) => text.includes('"result":null'))).toHaveLength(2);
    expect(rig.emulator.faults().counts).toEqual({ subscribe_dropped: 3 });
    rig.clock.advance(10_000);
    for (const symbol of ["SOL/USD", "SOL/USD", "SOL/USD"]) {
      kraken.send({ method: "subscribe", params: { channel: "book", symbol: [symbol] } });
    }
    rig.clock.advance(100);
    expect(rig.emulator.faults().total).toBe(3);
    rig.emulator.close();
  });
});
