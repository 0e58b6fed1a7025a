/**
 * A reader that sleeps on a segment without a timeout is woken when another segment takes its place: nothing is published
 * there any more that would. Bad case: a wait that nobody ends; the reader and its segment stay in memory for good.
 */
import { describe, expect, it } from "vitest";
import { HEADER_DELTA_TAIL, HEADER_TRADE_TAIL } from "../../assembly/layout.ts";
import { LocalSegment } from "../../src/nats/local_segment.ts";
import { MemoryMap } from "../../src/segment/memory_map.ts";
import { makeWorkspace } from "../support/nats_market.ts";
import { SyncRig } from "./sync_rig.ts";

const MEBIBYTE = 1024 * 1024;
const NEVER_MS = 1000;

type Waits = {
  waitAsync(words: Int32Array, index: number, value: number, ms: number): { value: Promise<string> | string };
};

/** Sleeps on both tails as they are. @returns how each wait ended */
function sleepOn(buffer: ArrayBufferLike, address: number): Promise<string[]> {
  const words = new Int32Array(buffer);
  const { waitAsync } = Atomics as unknown as Waits;
  const sleeps = [HEADER_DELTA_TAIL, HEADER_TRADE_TAIL].map((tail) => {
    const index = (address + tail) >>> 2;
    return waitAsync(words, index, Atomics.load(words, index), NEVER_MS).value;
  });
  return Promise.all(sleeps);
}

describe("whoever sleeps on a segment", () => {
  it("is woken when a larger local segment takes its place", async () => {
    const map = new MemoryMap(16 * MEBIBYTE);
    const workspace = makeWorkspace(map, "arena of the test", 4 * MEBIBYTE);
    const sizes = { instrumentCapacity: 2, deltaCapacity: 64, tradeCapacity: 64, imageAreaBytes: 131_072 };
    const segment = new LocalSegment({ map, workspace, exchange: "kraken", generation: 1, sizes });
    const sleep = sleepOn(map.memory.buffer, segment.range.address);
    segment.supersede();
    expect(await sleep).toEqual(["ok", "ok"]);
  });

  it.each([true, false])("is woken when its collector stops, making way: %s", async (makesWay) => {
    const rig = await SyncRig.start({ exchange: "kraken" });
    const sleep = sleepOn(rig.memory, rig.collector.segment.address);
    await rig.collector.stop({ makesWay });
    expect(await sleep).toEqual(["ok", "ok"]);
    rig.close();
  });
});
