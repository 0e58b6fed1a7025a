/**
 * The sync around the kernel, where exchanges with REST snapshots or several instruments behave in ways that the
 * conformance cases do not reach: old snapshots, full buffers, known ranges, silent neighbours, larger images.
 * Bad case: a buffer that is emptied by a snapshot that was too old.
 */
import { describe, expect, it } from "vitest";
import { COUNTER_BUFFER_OVERFLOWS, COUNTER_IMAGES, COUNTER_RESYNCS } from "../../assembly/layout.ts";
import { EXCHANGES } from "../../src/exchanges/mod.ts";
import { BINANCE_FIXTURE } from "../conformance/fixtures/binance.ts";
import { COINBASE_EXCHANGE_FIXTURE } from "../conformance/fixtures/coinbase_exchange.ts";
import { KRAKEN_FIXTURE } from "../conformance/fixtures/kraken.ts";
import { Play, UPDATED_BOOK } from "../conformance/play.ts";

const binance = () => Play.start(BINANCE_FIXTURE, { exchange: EXCHANGES.binance, kernelName: "twin" });
const kraken = () => Play.start(KRAKEN_FIXTURE, { exchange: EXCHANGES.kraken, kernelName: "twin" });
const coinbase = () =>
  Play.start(COINBASE_EXCHANGE_FIXTURE, { exchange: EXCHANGES.coinbase_exchange, kernelName: "twin" });

function event(first: number, last: number, price = "100.5"): string {
  return `{"e":"depthUpdate","E":1723161255208,"s":"BTCUSDT","U":${first},"u":${last},"b":[["${price}","1.25"]],"a":[]}`;
}

describe("the splice", () => {
  it("keeps the waiting events when the snapshot is too old, and joins the next one", async () => {
    const play = await binance();
    play.restBody = BINANCE_FIXTURE.snapshot.replace('"lastUpdateId":100', '"lastUpdateId":97');
    play.rig.socket.open();
    play.rig.deliver(BINANCE_FIXTURE.update);
    await play.rig.settle();
    expect(play.state).toBe("waiting waiting_snapshot");
    play.restBody = BINANCE_FIXTURE.snapshot;
    await play.rig.advance(1000);
    expect([play.state, play.book]).toEqual(["synced none", UPDATED_BOOK]);
  });

  it("drops waiting events that the snapshot already holds", async () => {
    const play = await binance();
    play.restBody = undefined;
    play.rig.socket.open();
    play.rig.deliver(event(90, 95, "1"), event(96, 100, "2"), event(101, 104, "3"));
    play.restBody = BINANCE_FIXTURE.snapshot;
    await play.rig.advance(1000);
    expect(play.book.bids).toEqual(["100.5 1.5", "100 2", "3 1.25"]);
  });

  it("finds a gap among the waiting events when one is missing, and goes on", async () => {
    const play = await binance();
    play.restBody = undefined;
    play.rig.socket.open();
    play.rig.deliver(event(101, 102), event(105, 106), event(107, 108));
    play.restBody = BINANCE_FIXTURE.snapshot;
    await play.rig.advance(100);
    play.restBody = BINANCE_FIXTURE.secondSnapshot;
    await play.rig.advance(2000);
    expect([play.state, play.book.bids, play.rig.count(COUNTER_RESYNCS)]).toEqual(["synced none", ["99.5 1"], 1]);
  });

  it("keeps the event that showed the gap, because the next snapshot may be older than it", async () => {
    const play = await binance();
    await play.join();
    play.restBody = BINANCE_FIXTURE.secondSnapshot.replace('"lastUpdateId":200', '"lastUpdateId":109');
    play.rig.deliver(BINANCE_FIXTURE.update, ...BINANCE_FIXTURE.loss);
    await play.rig.advance(1000);
    expect([play.state, play.book.bids]).toEqual(["synced none", ["100 2.5", "99.5 1"]]);
  });

  it("repairs nothing later when the next event proved a suspect book right", async () => {
    const play = await binance();
    await play.join();
    play.rig.deliver("{garbage", BINANCE_FIXTURE.update);
    await play.live(70);
    // The other book, which no event proved right, is repaired once.
    expect([play.state, play.rig.count(COUNTER_RESYNCS)]).toEqual(["synced none", 1]);
  });

  it("accepts a snapshot that is newer than everything that waits", async () => {
    const play = await binance();
    play.restBody = BINANCE_FIXTURE.secondSnapshot;
    play.rig.socket.open();
    play.rig.deliver(event(150, 160));
    await play.rig.settle();
    play.rig.deliver(event(199, 203, "99"));
    expect([play.state, play.book.bids]).toEqual(["synced none", ["99.5 1", "99 1.25"]]);
  });

  it("keeps the newest events and counts the others when too many wait", async () => {
    const play = await binance();
    play.restBody = undefined;
    play.rig.socket.open();
    for (let id = 1; id <= 5010; id++) {
      play.rig.deliver(event(id, id));
    }
    expect(play.rig.count(COUNTER_BUFFER_OVERFLOWS)).toBe(10);
    play.restBody = BINANCE_FIXTURE.snapshot;
    await play.rig.advance(1000);
    expect([play.state, play.book.bids[0]]).toEqual(["synced none", "100.5 1.25"]);
  });

  it("ignores a snapshot that arrives when the connection is gone", async () => {
    const play = await binance();
    play.rig.socket.open();
    play.acknowledge();
    play.rig.socket.close();
    await play.rig.settle();
    expect(play.state).toBe("connecting disconnected");
  });

  it("asks again when the body is no snapshot", async () => {
    const play = await binance();
    play.restBody = '{"code":-1121,"msg":"Invalid symbol."}';
    play.rig.socket.open();
    play.acknowledge();
    await play.rig.settle();
    expect(play.state).toBe("waiting waiting_snapshot");
    play.restBody = '{"lastUpdateId":100,"bids":[["100.5"]],"asks":[]}';
    await play.rig.advance(1000);
    expect(play.state).toBe("waiting waiting_snapshot");
    play.restBody = BINANCE_FIXTURE.snapshot;
    await play.rig.advance(3000);
    expect(play.state).toBe("synced none");
  });

  it("says which prices the exchange told of when its snapshot was cut, in the decimals of the current id", async () => {
    const play = await binance();
    const levels = (from: number, step: number) =>
      Array.from({ length: 5000 }, (_, index) => `["${(from + step * index).toFixed(1)}","1"]`).join(",");
    play.restBody = `{"lastUpdateId":100,"bids":[${levels(1000, -0.1)}],"asks":[["1000.1","1"]]}`;
    await play.join();
    const range = () => play.rig.view.instruments().findLast(({ native }) => native === "BTCUSDT")?.knownRange;
    expect(range()).toEqual({ lowTicks: 5001n, highTicks: 2n ** 63n - 1n });
    play.rig.deliver(event(101, 101, "999.95"));
    expect(range()).toEqual({ lowTicks: 50_010n, highTicks: 2n ** 63n - 1n });
  });
});

describe("a connection with two instruments", () => {
  it("is not replaced when one of them works and the other stays silent", async () => {
    const play = await kraken();
    play.rig.socket.open();
    play.acknowledge();
    play.rig.deliver(KRAKEN_FIXTURE.snapshot);
    await play.live(60);
    expect([play.state, play.otherState, play.rig.sockets.length]).toEqual(["synced none", "waiting silent", 1]);
  });

  it("asks for the trades again when only they were not acknowledged", async () => {
    const play = await kraken();
    play.rig.socket.open();
    const { sent } = play.rig.socket;
    const books = sent.filter((text) => text.includes('"book"'));
    play.rig.deliver(
      ...books.flatMap(KRAKEN_FIXTURE.acknowledge),
      KRAKEN_FIXTURE.snapshot,
      KRAKEN_FIXTURE.otherSnapshot,
    );
    const before = sent.length;
    await play.live(11);
    expect(sent.slice(before).map((text) => (JSON.parse(text) as { params: object }).params)).toEqual([
      { channel: "trade", symbol: ["BTC/USD", "DOGE/USD"], snapshot: false },
    ]);
    play.acknowledge();
    const after = sent.length;
    await play.live(60);
    expect([sent.length, play.state]).toEqual([after, "synced none"]);
  });

  it("slows down when the exchange says that requests come too fast", async () => {
    const play = await kraken();
    play.rig.socket.open();
    const { sent } = play.rig.socket;
    const before = sent.length;
    await play.live(9);
    play.rig.deliver('{"Error":"Exceeded msg rate"}');
    await play.live(3);
    expect(sent.length).toBe(before);
    await play.live(3);
    expect(sent.length).toBeGreaterThan(before);
  });

  it("shows the state of the exchange, and what is listed when it is open again", async () => {
    const play = await kraken();
    await play.join();
    const status = (system: string) =>
      `{"channel":"status","type":"update","data":[{"system":"${system}","connection_id":4421894013101914413}]}`;
    play.rig.deliver(status("maintenance"));
    expect(play.rig.listing("BTC-USD").trading).toBe("halted");
    play.rig.socket.close();
    expect(play.state).toBe("connecting maintenance");
    await play.rig.advance(2000);
    expect(play.rig.sockets.length).toBe(1);
    await play.rig.advance(6000);
    play.rig.socket.open();
    play.rig.deliver(status("online"));
    expect([play.rig.listing("BTC-USD").trading, play.rig.listing("DOGE-USD").trading]).toEqual(["open", "limited"]);
  });

  it("takes the depth that the exchange acknowledged when it is another", async () => {
    const play = await kraken();
    play.rig.socket.open();
    const answers = play.rig.socket.sent.flatMap(KRAKEN_FIXTURE.acknowledge);
    play.rig.deliver(...answers.map((text) => text.replace('"depth":10', '"depth":25')));
    expect(play.rig.listing("BTC-USD")).toMatchObject({ depth: 25, assurance: "inferred" });
  });

  it("moves to larger images under a fresh id when a book outgrows them", async () => {
    const play = await coinbase();
    const bids = Array.from({ length: 2000 }, (_, index) => `["${(100 - index * 0.01).toFixed(2)}","1"]`).join(",");
    play.rig.socket.open();
    play.rig.deliver(`{"type":"snapshot","product_id":"BTC-USD","asks":[["101","1"]],"bids":[${bids}]}`);
    await play.rig.advance(200);
    const entry = play.rig.view.instruments().findLast(({ native }) => native === "BTC-USD");
    expect([play.state, play.book.bids.length > 0, (entry?.imageCapacity ?? 0) >= 2001]).toEqual([
      "synced none",
      true,
      true,
    ]);
    expect([entry?.currentImage !== 0, play.rig.count(COUNTER_IMAGES) > 0]).toEqual([true, true]);
  });
});

describe("an overlapping replacement", () => {
  const shutdown = '{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1723161255208}}';

  it("loses no event and doubts no book when the server announces its end", async () => {
    const play = await binance();
    await play.join();
    play.rig.deliver(BINANCE_FIXTURE.update);
    play.rig.deltas();
    const [old] = play.rig.sockets;
    play.rig.deliver(shutdown);
    expect(play.rig.sockets.length).toBe(2);
    play.rig.socket.open();
    play.acknowledge();
    old?.deliver(BINANCE_FIXTURE.unknownDelete);
    play.rig.deliver(BINANCE_FIXTURE.unknownDelete);
    await play.rig.advance(4000);
    play.rig.deliver(BINANCE_FIXTURE.nextUpdate);
    expect([old?.isDropped, play.state, play.rig.sockets.length]).toEqual([true, "synced none", 2]);
    expect(play.rig.deltas().map(({ flags }) => flags)).toEqual([1, 1]);
  });

  it("takes over at once when the old one closes first", async () => {
    const play = await binance();
    await play.join();
    const [old] = play.rig.sockets;
    play.rig.deliver(shutdown);
    play.rig.socket.open();
    play.acknowledge();
    old?.close();
    play.rig.deliver(BINANCE_FIXTURE.update);
    expect([play.state, play.book]).toEqual(["synced none", UPDATED_BOOK]);
  });

  it("begins its books anew when the old one closes before the other was acknowledged", async () => {
    const play = await binance();
    await play.join();
    const [old] = play.rig.sockets;
    play.rig.deliver(shutdown);
    play.rig.socket.open();
    old?.close();
    expect([play.state, play.rig.sockets.length]).toEqual(["waiting waiting_snapshot", 2]);
    await play.deliverBooks();
    expect(play.state).toBe("synced none");
  });

  it("gives up a replacement whose subscriptions nobody acknowledges, and tries another without a storm", async () => {
    const play = await binance();
    await play.join();
    const [old] = play.rig.sockets;
    play.rig.deliver(shutdown);
    let opened = old;
    for (let second = 0; second < 60; second++) {
      old?.live();
      if (play.rig.socket !== opened) {
        opened = play.rig.socket;
        opened.open();
      }
      await play.rig.advance(1000);
    }
    expect([play.state, old?.isDropped]).toEqual(["synced none", false]);
    expect(play.rig.sockets.length).toBeGreaterThan(2);
    expect(play.rig.sockets.length).toBeLessThan(12);
    play.acknowledge();
    await play.rig.advance(4000);
    expect([play.state, old?.isDropped]).toEqual(["synced none", true]);
  });

  it("reconnects in the ordinary way when the old one closes before the other opened", async () => {
    const play = await binance();
    await play.join();
    const [old] = play.rig.sockets;
    play.rig.deliver(shutdown);
    old?.close();
    expect(play.state).toBe("connecting disconnected");
    await play.rig.advance(200);
    await play.join();
    expect(play.state).toBe("synced none");
  });

  it("happens by itself when the connection is old", async () => {
    const { header } = EXCHANGES.binance;
    const timing = { ...header.timing, rotateMs: 30_000 };
    const exchange = { ...EXCHANGES.binance, header: { ...header, timing } };
    const play = await Play.start(BINANCE_FIXTURE, { exchange, kernelName: "twin" });
    await play.join();
    await play.live(28);
    expect(play.rig.sockets.length).toBe(1);
    await play.live(4);
    play.rig.socket.open();
    play.acknowledge();
    await play.live(5);
    expect([play.rig.sockets.length, play.rig.sockets[0]?.isDropped, play.state]).toEqual([2, true, "synced none"]);
  });
});
