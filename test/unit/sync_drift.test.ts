/**
 * Formats that drift: what cannot be read any more is out of service within three frames, with its reason and an alert,
 * is tried again slowly, and comes back by itself; what only looks different changes nothing.
 * Bad case: an instrument that is asked for again and again because every answer is as bad as the one before.
 */
import { describe, expect, it, vi } from "vitest";
import {
  COUNTER_DRIFTS,
  COUNTER_RESYNCS,
  COUNTER_TRADE_GAPS,
  COUNTER_TRADES,
  COUNTER_UNKNOWN_KINDS,
} from "../../assembly/layout.ts";
import { existsOn, type FaultKind } from "../../src/emulator/fault_kinds.ts";
import { EXCHANGES } from "../../src/exchanges/mod.ts";
import type { KernelName } from "../../src/kernel/kernel.ts";
import { EXCHANGE_IDS, type ExchangeId } from "../../src/model/exchange_id.ts";
import type { Fixture } from "../conformance/fixture.ts";
import { BINANCE_FIXTURE } from "../conformance/fixtures/binance.ts";
import { COINBASE_EXCHANGE_FIXTURE } from "../conformance/fixtures/coinbase_exchange.ts";
import { KRAKEN_FIXTURE } from "../conformance/fixtures/kraken.ts";
import { Play } from "../conformance/play.ts";
import { nativeAt, SyncRig } from "./sync_rig.ts";

vi.setConfig({ testTimeout: 60_000 });

const STRANGE: readonly FaultKind[] = ["drift_renamed", "drift_retyped", "checksum_zero"];
const OTHERWISE_THE_SAME: readonly FaultKind[] = [
  "drift_zeros",
  "drift_reordered",
  "drift_extra",
  "drift_unknown",
  "drift_decimals",
];
const DRIFT_MS = 180_000;
/** Frames of an instrument that are none of its book. */
const BESIDE = /"(match|last_match|heartbeat|trade|subscriptions|method)"/;

function casesOf(kinds: readonly FaultKind[]): [ExchangeId, FaultKind][] {
  return EXCHANGE_IDS.flatMap((exchange) =>
    kinds.filter((kind) => existsOn(kind, exchange)).map((kind): [ExchangeId, FaultKind] => [exchange, kind]),
  );
}

describe("a drift that cannot be read", () => {
  it.each(casesOf(STRANGE))(
    "is out of service on %s within three frames of %s and comes back",
    async (exchange, kind) => {
      const struck = nativeAt(exchange, 0);
      const rig = await SyncRig.start({
        exchange,
        faults: [{ kind, instrument: struck, at_ms: 8000, for_ms: DRIFT_MS }],
      });
      let frames = 0;
      rig.onFrame = (text) => {
        const hasBegun = rig.emulator.faults().total > 0;
        if (hasBegun && text.includes(struck) && !BESIDE.test(text) && rig.state(struck) === "synced none") {
          frames += 1;
        }
      };
      await rig.pass(10_000);
      expect([frames < 3, rig.state(struck), rig.count(COUNTER_DRIFTS) > 0]).toEqual([
        true,
        "out_of_service drift",
        true,
      ]);
      expect(rig.follower(struck).isSynced).toBe(false);
      const said = rig.sent.length;
      await rig.pass(DRIFT_MS - 20_000);
      const asked = rig.sent.slice(said).filter(({ text }) => text.toUpperCase().includes(struck));
      expect(asked.length, "asked slowly").toBeLessThanOrEqual(2 * Math.ceil(DRIFT_MS / 15_000));
      expect(asked.length, "but asked").toBeGreaterThan(2);
      await rig.pass(70_000);
      await rig.settle();
      expect(rig.states()).toEqual({ "synced none": 2 });
      expect([rig.follower(struck).wrongs, rig.follower(struck).book]).toEqual([[], rig.truth(struck)]);
      expect(rig.connects.length).toBe(1);
      rig.close();
    },
  );
});

const FIXTURES: readonly [ExchangeId, Fixture][] = [
  ["coinbase_exchange", COINBASE_EXCHANGE_FIXTURE],
  ["kraken", KRAKEN_FIXTURE],
  ["binance", BINANCE_FIXTURE],
];
const KERNELS: readonly KernelName[] = ["twin", "wasm"];

describe.each(KERNELS)("trades while only the book drifts, on the %s kernel", (kernelName) => {
  it.each(FIXTURES)("are published on %s as ever", async (exchange, fixture) => {
    const play = await Play.start(fixture, { exchange: EXCHANGES[exchange], kernelName });
    await play.join();
    play.rig.deliver(fixture.unreadableUpdate, fixture.unreadableUpdate, fixture.unreadableUpdate);
    expect([play.state, play.rig.count(COUNTER_TRADES)]).toEqual(["out_of_service drift", 0]);
    play.rig.deliver(fixture.buy, fixture.sell);
    expect([play.state, play.rig.count(COUNTER_TRADES)]).toEqual(["out_of_service drift", 2]);
  });

  it("cost no second repair when a heartbeat tells them after the book came back", async () => {
    const play = await Play.start(COINBASE_EXCHANGE_FIXTURE, { exchange: EXCHANGES.coinbase_exchange, kernelName });
    const { unreadableUpdate } = COINBASE_EXCHANGE_FIXTURE;
    await play.join();
    play.rig.deliver(match(7), unreadableUpdate, unreadableUpdate, unreadableUpdate, match(8), match(9));
    expect(play.state).toBe("out_of_service drift");
    const repairs = play.rig.count(COUNTER_RESYNCS);
    await play.live(50);
    await play.deliverBooks();
    play.rig.deliver(beat(9), match(10), beat(10));
    expect([play.state, play.rig.count(COUNTER_RESYNCS) - repairs, play.rig.count(COUNTER_TRADE_GAPS)]).toEqual([
      "synced none",
      0,
      0,
    ]);
  });
});

function beat(last: number): string {
  return `{"type":"heartbeat","last_trade_id":${last},"product_id":"BTC-USD","sequence":1,"time":"2026-07-07T22:58:17.050195Z"}`;
}

function match(id: number): string {
  return `{"type":"match","trade_id":${id},"side":"sell","size":"0.2","price":"101","product_id":"BTC-USD","sequence":2,"time":"2026-07-07T22:58:17.164892Z"}`;
}

describe("a drift that only looks different", () => {
  it.each(casesOf(OTHERWISE_THE_SAME))("changes nothing on %s when it is %s", async (exchange, kind) => {
    const struck = nativeAt(exchange, 0);
    const times = kind === "drift_unknown" ? { times: 200 } : {};
    const rig = await SyncRig.start({ exchange, faults: [{ kind, instrument: struck, at_ms: 8000, ...times }] });
    await rig.pass(30_000);
    await rig.settle();
    expect(rig.emulator.faults().total).toBeGreaterThan(0);
    expect([rig.states(), rig.count(COUNTER_RESYNCS), rig.count(COUNTER_DRIFTS)]).toEqual([{ "synced none": 2 }, 0, 0]);
    expect([rig.follower(struck).wrongs, rig.follower(struck).book]).toEqual([[], rig.truth(struck)]);
    expect(rig.count(COUNTER_UNKNOWN_KINDS) > 100).toBe(kind === "drift_unknown");
    rig.close();
  });
});
