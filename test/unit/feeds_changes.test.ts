/**
 * Instruments that come and go while a collector runs: whatever the order, exactly the wanted ones are synced and true in
 * the end, and an instrument that nobody touched never notices: no message, no resync, no break in its versions.
 * Bad case: an exchange whose acknowledgements repeat everything that is subscribed; nothing may follow from that.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AUDIT_MATCH, COUNTER_GAPS, COUNTER_RESYNCS, STATE_RETIRED, STATE_SYNCED } from "../../assembly/layout.ts";
import type { Exchange } from "../../src/exchanges/mod.ts";
import type { FeedChange } from "../../src/feed/feed_changes.ts";
import { EXCHANGE_IDS, type ExchangeId } from "../../src/model/exchange_id.ts";
import { REASON_WORDS } from "../../src/model/states.ts";
import { canonicalAt, nativeAt, SyncRig } from "./sync_rig.ts";

type Step = { readonly index: number; readonly isAdded: boolean; readonly pauseMs: number };

const COUNT = 6;

/** Makes the changes one after the other and lets time pass until all are answered. */
async function change(rig: SyncRig, steps: readonly Step[]): Promise<FeedChange[]> {
  const answers: Promise<FeedChange>[] = [];
  for (const { index, isAdded, pauseMs } of steps) {
    const canonical = canonicalAt(index);
    const native = nativeAt(rig.exchange, index);
    const answer = isAdded ? rig.collector.add(canonical) : rig.collector.remove(canonical);
    answers.push(
      answer.then((made) => {
        if (made.kind === "removed") {
          rig.forget(native);
        }
        return made;
      }),
    );
    await pass(rig, pauseMs);
  }
  await pass(rig, 1500 * steps.length + 3000);
  return Promise.all(answers);
}

/** Lets time pass, and whoever waits for a time go on between two ticks. */
async function pass(rig: SyncRig, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 100) {
    await rig.pass(Math.min(left, 100));
  }
}

function synced(rig: SyncRig): number[] {
  return rig.natives.flatMap((native, index) => (rig.state(native) === "synced none" ? [index] : []));
}

const added = (index: number, pauseMs = 0): Step => ({ index, isAdded: true, pauseMs });
const removed = (index: number, pauseMs = 0): Step => ({ index, isAdded: false, pauseMs });

describe.each(EXCHANGE_IDS)("Feeds of %s", (exchange) => {
  it("are exactly the wanted ones, synced and true, after any sequence of additions and removals", async () => {
    const step = fc.record({
      index: fc.integer({ min: 1, max: COUNT - 1 }),
      isAdded: fc.boolean(),
      pauseMs: fc.constantFrom(0, 0, 40, 300, 1700),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => wantedSetHolds(exchange, steps)),
      { numRuns: 5 },
    );
  });

  it("go without a trace in the others: no message names them, no version breaks, nothing is repaired", async () => {
    const rig = await SyncRig.start({ exchange, count: 4, begins: 2 });
    const [said, natives] = [rig.sent.length, [nativeAt(exchange, 0), nativeAt(exchange, 1)]];
    const resets = natives.map((native) => rig.follower(native).resets);
    const versions = natives.map((native) => rig.follower(native).version);
    const kinds = (await change(rig, [added(2, 2000), added(3, 2000), removed(2, 2000), removed(3, 2000)])).map(
      ({ kind }) => kind,
    );
    expect(kinds).toEqual(["added", "added", "removed", "removed"]);
    expect(rig.connects).toHaveLength(1);
    const later = rig.sent.slice(said).map(({ text }) => text.toUpperCase());
    expect(later.length).toBeGreaterThan(0);
    for (const [position, native] of natives.entries()) {
      expect(later.filter((text) => text.includes(native))).toEqual([]);
      expect(rig.follower(native).wrongs).toEqual([]);
      expect(rig.follower(native).resets).toBe(resets[position]);
      expect(rig.follower(native).version).toBeGreaterThan(versions[position] ?? 0);
    }
    expect([rig.count(COUNTER_GAPS), rig.count(COUNTER_RESYNCS)]).toEqual([0, 0]);
    await rig.settle();
    expect(natives.map((native) => rig.follower(native).book)).toEqual(natives.map((native) => rig.truth(native)));
    rig.close();
  });

  it("end with a record that says not synced, and with an entry that says why", async () => {
    const rig = await SyncRig.start({ exchange, count: 2 });
    const native = nativeAt(exchange, 1);
    expect(rig.follower(native).isSynced).toBe(true);
    const before = rig.follower(native).version;
    await rig.collector.remove(canonicalAt(1));
    rig.tap.poll();
    expect([rig.follower(native).isSynced, rig.follower(native).version]).toEqual([false, before + 1]);
    const entry = rig.tap.view.instruments().find((one) => one.native === native);
    expect([entry?.state, REASON_WORDS[entry?.reason as 0], entry?.retiredTo, entry?.currentImage]).toEqual([
      STATE_RETIRED,
      "removed",
      0,
      0,
    ]);
    await rig.pass(3000);
    expect(rig.follower(native).version).toBe(before + 1);
    rig.close();
  });

  it("come back only when the frames of their old subscription are through, and cost no memory for it", async () => {
    const rig = await SyncRig.start({ exchange, count: 2 });
    const native = nativeAt(exchange, 1);
    await change(rig, [removed(1), added(1)]);
    const said = rig.sent.length;
    const used = rig.arenaUsed();
    for (let round = 0; round < 5; round++) {
      await change(rig, [removed(1), added(1)]);
    }
    const moments = rig.sent
      .slice(said)
      .map(({ atMs, text }) => ({ atMs, isEnd: text.toLowerCase().includes("unsub") }));
    const ends = moments.filter(({ isEnd }) => isEnd).map(({ atMs }) => atMs);
    const pauses = ends.map((end) => (moments.find(({ atMs, isEnd }) => !isEnd && atMs >= end)?.atMs ?? 0) - end);
    expect(ends.length).toBeGreaterThanOrEqual(5);
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(1000);
    expect([rig.arenaUsed() - used, rig.state(native)]).toEqual([0, "synced none"]);
    rig.close();
  });

  it("are audited like those that were there from the beginning", async () => {
    const rig = await SyncRig.start({ exchange, count: 3, begins: 2 });
    const [answer] = await change(rig, [added(2)]);
    const periods = () => rig.tap.view.instruments().map(({ auditPeriodMs }) => auditPeriodMs);
    expect([answer?.kind, new Set(periods()).size, periods()[0]]).toEqual(["added", 1, 60_000]);
    await pass(rig, 130_000);
    const entry = rig.tap.view.instruments().find(({ native }) => native === nativeAt(exchange, 2));
    expect([entry?.auditOutcome, entry?.state]).toEqual([AUDIT_MATCH, STATE_SYNCED]);
    rig.close();
  });

  it("are refused with the nearest names when the exchange does not list them, and a repetition changes nothing", async () => {
    const rig = await SyncRig.start({ exchange, count: 3, begins: 2 });
    const answers = change(rig, [{ index: 77, isAdded: true, pauseMs: 0 }, added(1), removed(2), added(2), added(2)]);
    const [unknown, ...others] = await answers;
    expect(unknown).toMatchObject({ kind: "refused", code: "unknown_instrument" });
    expect(unknown?.kind === "refused" && unknown.nearest.length).toBeGreaterThan(0);
    expect(others.map(({ kind }) => kind)).toEqual(["already_there", "not_there", "added", "already_there"]);
    expect(synced(rig)).toEqual([0, 1, 2]);
    rig.close();
  });

  it("open a further connection where the exchange's limit asks for it, and close it with its last instrument", async () => {
    const adapt = (it: Exchange): Exchange => ({
      ...it,
      header: { ...it.header, limits: { ...it.header.limits, instrumentsPerConnection: 2 } },
    });
    const rig = await SyncRig.start({ exchange, count: 4, begins: 2, adapt });
    expect(rig.connects).toHaveLength(1);
    await change(rig, [added(2), added(3)]);
    expect([rig.connects.length, synced(rig)]).toEqual([2, [0, 1, 2, 3]]);
    await change(rig, [removed(2), removed(3)]);
    await change(rig, [added(3)]);
    expect([rig.connects.length, synced(rig)]).toEqual([3, [0, 1, 3]]);
    await change(rig, [removed(0), removed(1), removed(3)]);
    expect(synced(rig)).toEqual([]);
    await change(rig, [added(1)]);
    expect(synced(rig)).toEqual([1]);
    rig.close();
  });

  it("are left out, with a line, when another collector takes over and the exchange does not list them any more", async () => {
    const rig = await SyncRig.start({ exchange, count: 2, unlisted: ["BTC-Q77"] });
    expect(rig.reports.filter(({ level }) => level === "error")).toMatchObject([
      { text: expect.stringMatching(/lists no such instrument, nearest is .*, was BTC-Q77$/) },
    ]);
    expect([synced(rig), rig.state(nativeAt(exchange, 77))]).toEqual([[0, 1], "unknown unknown"]);
    expect(rig.sent.filter(({ text }) => text.toUpperCase().includes(nativeAt(exchange, 77)))).toEqual([]);
    rig.close();
  });

  it("are refused when the segment has no room, and come where another one went", async () => {
    const rig = await SyncRig.start({ exchange, count: 4, begins: 2, imagePairs: 3 });
    const [, refused] = await change(rig, [added(2), added(3)]);
    expect(refused).toMatchObject({ kind: "refused", code: "no_room" });
    expect(rig.collector.segment.takeShortages()).toEqual([]);
    expect(synced(rig)).toEqual([0, 1, 2]);
    const kinds = (await change(rig, [removed(1), added(3)])).map(({ kind }) => kind);
    expect([kinds, synced(rig)]).toEqual([
      ["removed", "added"],
      [0, 2, 3],
    ]);
    await rig.settle();
    expect(rig.follower(nativeAt(exchange, 3)).book).toEqual(rig.truth(nativeAt(exchange, 3)));
    rig.close();
  });
});

async function wantedSetHolds(exchange: ExchangeId, steps: readonly Step[]): Promise<void> {
  const rig = await SyncRig.start({ exchange, count: COUNT, begins: 3 });
  const untouched = rig.follower(nativeAt(exchange, 0));
  const { resets } = untouched;
  await change(rig, steps);
  const wanted = new Set([0, 1, 2]);
  for (const { index, isAdded } of steps) {
    wanted[isAdded ? "add" : "delete"](index);
  }
  expect(synced(rig)).toEqual([...wanted].sort());
  expect([untouched.wrongs, untouched.resets, rig.connects.length]).toEqual([[], resets, 1]);
  await rig.settle();
  for (const index of wanted) {
    const native = nativeAt(exchange, index);
    expect(rig.follower(native).book, native).toEqual(rig.truth(native));
    expect(rig.follower(native).wrongs, native).toEqual([]);
  }
  rig.close();
}
