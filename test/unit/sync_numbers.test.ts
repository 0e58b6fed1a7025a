/**
 * Numbers and names that are not what they were: an exchange that begins to number anew, repeats, names that are not
 * ours. Bad case: an exchange that restarts at low numbers; everything is "old" for ever, and the book stands still.
 */
import { describe, expect, it, vi } from "vitest";
import { COUNTER_RESYNCS, COUNTER_TRADES } from "../../assembly/layout.ts";
import { EXCHANGES } from "../../src/exchanges/mod.ts";
import { EXCHANGE_IDS } from "../../src/model/exchange_id.ts";
import { OrderRecord } from "../../src/sync/order_record.ts";
import { SpliceBuffer } from "../../src/sync/splice_buffer.ts";
import { BINANCE_FIXTURE } from "../conformance/fixtures/binance.ts";
import { COINBASE_EXCHANGE_FIXTURE } from "../conformance/fixtures/coinbase_exchange.ts";
import { Play, UPDATED_BOOK } from "../conformance/play.ts";
import { nativeAt, SyncRig } from "./sync_rig.ts";

vi.setConfig({ testTimeout: 60_000 });

const binance = () => Play.start(BINANCE_FIXTURE, { exchange: EXCHANGES.binance, kernelName: "twin" });
const coinbase = () =>
  Play.start(COINBASE_EXCHANGE_FIXTURE, { exchange: EXCHANGES.coinbase_exchange, kernelName: "twin" });

function event(first: number, last: number): string {
  return `{"e":"depthUpdate","E":1723161255208,"s":"BTCUSDT","U":${first},"u":${last},"b":[["100.5","1.25"]],"a":[]}`;
}

describe.each(EXCHANGE_IDS)("an instrument of %s that is numbered anew", (exchange) => {
  it("ends with the true book, and its trades go on", async () => {
    const struck = nativeAt(exchange, 0);
    const rig = await SyncRig.start({
      exchange,
      count: 1,
      faults: [{ kind: "sequence_reset", instrument: struck, at_ms: 8000 }],
    });
    await rig.pass(30_000);
    const trades = rig.count(COUNTER_TRADES);
    await rig.pass(20_000);
    await rig.settle();
    expect(rig.emulator.faults().total).toBe(1);
    expect(rig.count(COUNTER_TRADES) - trades).toBeGreaterThan(10);
    expect(rig.count(COUNTER_RESYNCS)).toBe(exchange === "kraken" ? 0 : 1);
    expect([rig.state(struck), rig.follower(struck).wrongs]).toEqual(["synced none", []]);
    expect(rig.follower(struck).book).toEqual(rig.truth(struck));
    rig.close();
  });
});

describe("update ids", () => {
  it("that fall take the book out of service with the event that shows it", async () => {
    const play = await binance();
    await play.join();
    play.rig.deliver(BINANCE_FIXTURE.update, BINANCE_FIXTURE.unknownDelete, BINANCE_FIXTURE.nextUpdate);
    expect(play.state).toBe("synced none");
    play.restBody = undefined;
    play.rig.deliver(event(5, 9));
    expect(play.state).toBe("resyncing gap");
    play.restBody = BINANCE_FIXTURE.snapshot.replace('"lastUpdateId":100', '"lastUpdateId":8');
    await play.rig.advance(2000);
    expect([play.state, play.book.bids[0]]).toEqual(["synced none", "100.5 1.25"]);
  });

  it("that repeat change nothing", async () => {
    const play = await binance();
    await play.join();
    play.rig.deliver(BINANCE_FIXTURE.update, BINANCE_FIXTURE.update);
    expect([play.state, play.book, play.rig.count(COUNTER_RESYNCS)]).toEqual(["synced none", UPDATED_BOOK, 0]);
  });

  it("that the snapshot holds already change nothing for a while after it, and are no longer believed later", async () => {
    const play = await binance();
    await play.join();
    play.rig.deliver(event(90, 95), event(96, 99));
    expect([play.state, play.rig.count(COUNTER_RESYNCS)]).toEqual(["synced none", 0]);
    await play.live(15);
    play.rig.deliver(event(97, 98));
    expect(play.state).toBe("resyncing gap");
  });
});

describe("a snapshot with fresh numbers", () => {
  const OLD = 5_000_000_000;
  const FRESH = BINANCE_FIXTURE.snapshot.replace('"lastUpdateId":100', '"lastUpdateId":8');

  it("waits for events of its numbers while those before are still on their way, and is asked for once", async () => {
    const play = await binance();
    play.restBody = FRESH;
    play.rig.socket.open();
    play.acknowledge();
    play.rig.deliver(event(OLD, OLD));
    await play.rig.advance(2000);
    play.rig.deliver(event(OLD + 1, OLD + 1), event(OLD + 2, OLD + 2));
    await play.rig.advance(5000);
    expect([play.state, play.asked]).toEqual(["waiting waiting_snapshot", 1]);
    play.rig.deliver(event(7, 9), event(10, 11));
    expect([play.state, play.asked, play.rig.count(COUNTER_RESYNCS)]).toEqual(["synced none", 1, 0]);
    expect(play.book.bids).toEqual(["100.5 1.25", "100 2"]);
  });

  it("is believed without them when it is asked for again and nothing came meanwhile", async () => {
    const play = await binance();
    play.restBody = FRESH;
    play.rig.socket.open();
    play.acknowledge();
    play.rig.deliver(event(OLD, OLD));
    await play.live(14);
    expect([play.state, play.asked]).toEqual(["waiting waiting_snapshot", 1]);
    await play.live(3);
    expect([play.state, play.book.bids]).toEqual(["synced none", ["100.5 1.5", "100 2"]]);
  });

  it("is not believed when events of the numbers before go on", async () => {
    const play = await binance();
    play.restBody = FRESH;
    play.rig.socket.open();
    play.acknowledge();
    for (let second = 0; second < 40; second++) {
      play.rig.deliver(event(OLD + second, OLD + second));
      await play.live(1);
    }
    expect([play.state, play.asked]).toEqual(["waiting waiting_snapshot", 3]);
    play.restBody = FRESH.replace('"lastUpdateId":8', `"lastUpdateId":${OLD + 38}`);
    await play.live(10);
    expect(play.state).toBe("synced none");
  });

  it("is asked for again at once when the one there was has the numbers from before", async () => {
    const play = await binance();
    play.restBody = FRESH.replace('"lastUpdateId":8', `"lastUpdateId":${OLD}`);
    await play.join();
    expect(play.state).toBe("synced none");
    play.restBody = FRESH;
    play.rig.deliver(event(7, 9));
    expect(play.state).toBe("resyncing gap");
    await play.rig.advance(2000);
    expect([play.state, play.rig.count(COUNTER_RESYNCS)]).toEqual(["synced none", 1]);
  });
});

describe("OrderRecord", () => {
  it("takes three old trades with none between for others with low numbers", () => {
    const record = new OrderRecord();
    const said = [5n, 5n, 6n, 6n, 6n, 6n].map((tradeVersion) => record.oldTrade(tradeVersion));
    expect(said).toEqual(["repeat", "repeat", "repeat", "repeat", "restart", "repeat"]);
  });
});

describe("OrderRecord with heartbeats", () => {
  it("says that trades are numbered anew when heartbeats stay behind the same trade, not when one was overtaken", () => {
    const overtaken = new OrderRecord();
    const said = [
      overtaken.beat(9n, 10n),
      overtaken.beat(14n, 15n),
      overtaken.beat(15n, 15n),
      overtaken.beat(19n, 20n),
    ];
    expect(said).toEqual(["repeat", "repeat", "repeat", "repeat"]);
    const anew = new OrderRecord();
    expect([anew.beat(3n, 10n), anew.beat(3n, 10n), anew.beat(4n, 4n)]).toEqual(["repeat", "restart", "repeat"]);
  });
});

describe("SpliceBuffer", () => {
  it("forgets the frames of older numbers when a snapshot of younger ones joins", () => {
    const buffer = new SpliceBuffer({ framesMax: 10, bytesMax: 1000 });
    for (const sequence of [1000n, 1001n, 5n, 6n]) {
      buffer.push({ bytes: new Uint8Array(3), receivedAt: 0, firstSequence: sequence, lastSequence: sequence });
    }
    expect([buffer.joins(3n), buffer.length]).toEqual([false, 4]);
    expect([buffer.joins(4n), buffer.bytes]).toEqual([true, 6]);
    expect(buffer.take().map(({ firstSequence }) => firstSequence)).toEqual([5n, 6n]);
    expect(buffer.joins(1n)).toBe(true);
  });
});

describe("a frame for an instrument that is not ours", () => {
  const stranger = COINBASE_EXCHANGE_FIXTURE.update.replace("BTC-USD", "BTC-USE");

  it("may be one of ours with a damaged name: the books of its connection are repaired once", async () => {
    const play = await coinbase();
    await play.join();
    play.rig.deliver(stranger);
    expect([play.state, play.otherState]).toEqual(["resyncing unreadable_frame", "resyncing unreadable_frame"]);
    await play.deliverBooks();
    expect([play.state, play.otherState]).toEqual(["synced none", "synced none"]);
    play.rig.deliver(stranger, stranger);
    expect([play.state, play.rig.count(COUNTER_RESYNCS)]).toEqual(["synced none", 2]);
  });
});
