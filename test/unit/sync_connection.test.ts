/**
 * When a connection is given up and when it is not: heartbeats that stop, sockets that are deaf, probes before anything is
 * done; quiet books and quiet markets are left alone. Bad case: a connection that is replaced because nobody trades.
 */
import { describe, expect, it, vi } from "vitest";
import { COUNTER_RECONNECTS, COUNTER_RESYNCS } from "../../assembly/layout.ts";
import { EXCHANGES } from "../../src/exchanges/mod.ts";
import { EXCHANGE_IDS } from "../../src/model/exchange_id.ts";
import { BINANCE_FIXTURE } from "../conformance/fixtures/binance.ts";
import { COINBASE_EXCHANGE_FIXTURE } from "../conformance/fixtures/coinbase_exchange.ts";
import { KRAKEN_FIXTURE } from "../conformance/fixtures/kraken.ts";
import { Play } from "../conformance/play.ts";
import { SyncRig } from "./sync_rig.ts";

vi.setConfig({ testTimeout: 60_000 });

const kraken = () => Play.start(KRAKEN_FIXTURE, { exchange: EXCHANGES.kraken, kernelName: "twin" });
const coinbase = () =>
  Play.start(COINBASE_EXCHANGE_FIXTURE, { exchange: EXCHANGES.coinbase_exchange, kernelName: "twin" });
const binance = () => Play.start(BINANCE_FIXTURE, { exchange: EXCHANGES.binance, kernelName: "twin" });

/** Seconds in which the socket answers pings and nothing else comes. */
async function answersPings(play: Play, seconds: number): Promise<void> {
  const { socket } = play.rig;
  for (let second = 0; second < seconds; second++) {
    const { pings } = socket;
    await play.rig.advance(1000);
    if (socket.pings > pings) {
      socket.live();
    }
  }
}

describe("a connection with heartbeats", () => {
  it.each([["kraken", kraken] as const, ["coinbase_exchange", coinbase] as const])(
    "is given up when the heartbeats of %s stop, although pings are answered",
    async (exchange, begin) => {
      const { idleMs } = EXCHANGES[exchange].header.timing;
      const play = await begin();
      await play.join();
      await play.live(30);
      expect([play.state, play.rig.sockets.length]).toEqual(["synced none", 1]);
      const { socket } = play.rig;
      await answersPings(play, idleMs / 1000 - 1);
      expect([play.state, socket.pings > 0]).toEqual(["synced none", true]);
      await answersPings(play, 2);
      expect([play.state, socket.isDropped, play.rig.sockets.length]).toEqual(["connecting disconnected", true, 2]);
    },
  );

  it("is kept when no heartbeat ever came and pings are answered, because nothing was promised", async () => {
    const play = await kraken();
    await play.join();
    await answersPings(play, 60);
    expect([play.state, play.rig.sockets.length]).toEqual(["synced none", 1]);
  });
});

describe("a connection that only pings", () => {
  it("is probed and kept when it answers, however long no frame comes", async () => {
    const play = await binance();
    await play.join();
    await answersPings(play, 600);
    expect([play.state, play.rig.sockets.length, play.rig.count(COUNTER_RESYNCS)]).toEqual(["synced none", 1, 0]);
    expect(play.rig.socket.pings).toBeLessThan(40);
  });

  it("is given up when a probe is not answered, sooner than by silence alone", async () => {
    const play = await binance();
    await play.join();
    const { socket } = play.rig;
    await play.rig.advance(EXCHANGES.binance.header.timing.idleMs - 11_000);
    expect([socket.pings, socket.isDropped]).toEqual([1, false]);
    await play.rig.advance(2000);
    expect([play.state, socket.isDropped]).toEqual(["connecting disconnected", true]);
  });
});

describe.each(EXCHANGE_IDS)("a market on %s where hardly anything happens", (exchange) => {
  it("is left alone for ten minutes", async () => {
    const rig = await SyncRig.start({ exchange, count: 3, rate: 0.01 });
    const said = rig.sent.length;
    await rig.pass(600_000);
    await rig.settle();
    expect(rig.states()).toEqual({ "synced none": 3 });
    expect([rig.sent.length - said, rig.connects.length, rig.count(COUNTER_RECONNECTS)]).toEqual([0, 1, 0]);
    expect(rig.count(COUNTER_RESYNCS)).toBe(0);
    rig.close();
  });
});
