/**
 * Books that stand still while their connection lives: what each exchange lets us know, and what only an audit can find.
 * Bad case: a subscription that is acknowledged and dead; heartbeats and neighbours look as they always do.
 */
import { describe, expect, it, vi } from "vitest";
import { COUNTER_RESYNCS, COUNTER_TRADE_GAPS } from "../../assembly/layout.ts";
import { EXCHANGES } from "../../src/exchanges/mod.ts";
import { EXCHANGE_IDS } from "../../src/model/exchange_id.ts";
import { SilenceRecord } from "../../src/sync/silence_record.ts";
import { BINANCE_FIXTURE } from "../conformance/fixtures/binance.ts";
import { COINBASE_EXCHANGE_FIXTURE } from "../conformance/fixtures/coinbase_exchange.ts";
import { Play } from "../conformance/play.ts";
import { nativeAt, SyncRig } from "./sync_rig.ts";

vi.setConfig({ testTimeout: 60_000 });

describe("a book of Coinbase that falls silent", () => {
  it("is found by the next heartbeat when there were trades, asked for again, and comes back", async () => {
    const struck = nativeAt("coinbase_exchange", 0);
    const rig = await SyncRig.start({
      exchange: "coinbase_exchange",
      faults: [{ kind: "silence", instrument: struck, at_ms: 8000, for_ms: 30_000 }],
    });
    await rig.pass(8000);
    expect([rig.state(struck), rig.count(COUNTER_RESYNCS)]).toEqual(["resyncing heartbeat_ahead", 1]);
    await rig.pass(50_000);
    await rig.settle();
    expect([rig.states(), rig.connects.length]).toEqual([{ "synced none": 2 }, 1]);
    expect([rig.follower(struck).wrongs, rig.follower(struck).book]).toEqual([[], rig.truth(struck)]);
    rig.close();
  });
});

describe.each(EXCHANGE_IDS)("a subscription on %s that is acknowledged and silent", (exchange) => {
  it("is renewed once, and the other book is undisturbed", async () => {
    const { firstDataMs } = EXCHANGES[exchange].header.timing;
    const struck = nativeAt(exchange, 0);
    const rig = await SyncRig.start({ exchange, faults: [{ kind: "silent_subscription", instrument: struck }] });
    const said = rig.sent.length;
    await rig.pass(firstDataMs + 12_000);
    await rig.settle();
    const renewed = rig.sent.slice(said).map(({ text }) => text.toUpperCase());
    expect(rig.emulator.faults().total).toBe(1);
    expect(renewed.filter((text) => text.includes(struck) && !text.includes("UNSUB")).length).toBe(1);
    expect(renewed.filter((text) => text.includes(nativeAt(exchange, 1)))).toEqual([]);
    expect([rig.states(), rig.connects.length]).toEqual([{ "synced none": 2 }, 1]);
    expect([rig.follower(struck).wrongs, rig.follower(struck).book]).toEqual([[], rig.truth(struck)]);
    rig.close();
  });
});

describe("a book of Binance whose snapshot was ahead of its events", () => {
  const event = (last: number) =>
    `{"e":"depthUpdate","E":1723161255208,"s":"BTCUSDT","U":${last},"u":${last},"b":[["100.5","1.25"]],"a":[]}`;
  const trade = (id: number) =>
    `{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":${id},"p":"101.2","q":"0.2","T":1723161255342,"m":false,"M":true}`;

  it("is not silent while trades and old events come, and is when the events cease", async () => {
    const play = await Play.start(BINANCE_FIXTURE, { exchange: EXCHANGES.binance, kernelName: "twin" });
    await play.join();
    for (let second = 1; second <= 8; second++) {
      play.rig.deliver(event(90 + second), trade(second));
      await play.live(1);
    }
    expect([play.state, play.rig.count(COUNTER_RESYNCS)]).toEqual(["synced none", 0]);
    for (let second = 9; second <= 18; second++) {
      play.rig.deliver(trade(second));
      await play.live(1);
    }
    expect([play.state, play.rig.count(COUNTER_RESYNCS)]).toEqual(["resyncing silent", 1]);
  });
});

describe("SilenceRecord", () => {
  it("counts the stillness from the last sign of life", () => {
    const record = new SilenceRecord();
    const look = (at: number, tradeVersion: bigint) => record.isSilent({ version: 7n, tradeVersion, at });
    expect([look(0, 3n), look(1000, 6n)]).toEqual([false, false]);
    record.heard();
    expect([look(7000, 6n), look(8000, 9n), look(12_000, 9n), look(13_000, 9n)]).toEqual([false, false, false, true]);
  });

  it("says nothing of a book without trades, however long it stands still", () => {
    const record = new SilenceRecord();
    const said = [0, 1000, 100_000, 1e9].map((at) => record.isSilent({ version: 7n, tradeVersion: 3n, at }));
    expect(said).toEqual([false, false, false, false]);
  });

  it("says that a book is silent when several trades came and no event followed for seconds", () => {
    const record = new SilenceRecord();
    const look = (at: number, tradeVersion: bigint, version = 7n) => record.isSilent({ version, tradeVersion, at });
    expect([look(0, 3n), look(1000, 4n), look(2000, 5n), look(5000, 6n), look(6000, 6n)]).toEqual([
      false,
      false,
      false,
      false,
      true,
    ]);
    expect([look(7000, 6n, 8n), look(12_000, 7n, 8n), look(30_000, 8n, 8n), look(31_000, 9n, 8n)]).toEqual([
      false,
      false,
      false,
      true,
    ]);
  });
});

describe("trades of Coinbase that are missed while the book is out of service", () => {
  it("are counted then, and cost no second repair when the book is back", async () => {
    const play = await Play.start(COINBASE_EXCHANGE_FIXTURE, {
      exchange: EXCHANGES.coinbase_exchange,
      kernelName: "twin",
    });
    const beat = (last: number) =>
      `{"type":"heartbeat","last_trade_id":${last},"product_id":"BTC-USD","sequence":1,"time":"2026-07-07T22:58:17.050195Z"}`;
    const match = (id: number) =>
      `{"type":"match","trade_id":${id},"side":"sell","size":"0.2","price":"101","product_id":"BTC-USD","sequence":2,"time":"2026-07-07T22:58:17.164892Z"}`;
    await play.join();
    play.rig.deliver(match(7), beat(9));
    expect([play.state, play.rig.count(COUNTER_TRADE_GAPS)]).toEqual(["resyncing heartbeat_ahead", 1]);
    play.rig.deliver(beat(12), beat(12));
    expect(play.rig.count(COUNTER_TRADE_GAPS)).toBe(2);
    await play.deliverBooks();
    play.rig.deliver(beat(12), match(13));
    expect([play.state, play.rig.count(COUNTER_RESYNCS)]).toEqual(["synced none", 1]);
  });
});
