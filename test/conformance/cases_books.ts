/**
 * Conformance: how a book comes to be, moves, falls out and comes back.
 * Bad case: a frame that is counted but changes nothing; hence every case looks at the book itself.
 */
import {
  COUNTER_DECODE_ERRORS,
  COUNTER_OVERFLOWS,
  COUNTER_RESYNCS,
  COUNTER_UNKNOWN_KINDS,
  FLAG_CROSSED,
  FLAG_NOT_SYNCED,
} from "../../assembly/layout.ts";
import { type ConformanceCase, NEXT_BOOK, type Play, SECOND_BOOK, SNAPSHOT_BOOK, UPDATED_BOOK } from "./play.ts";

const EMPTY_BOOK = { bids: [], asks: [] };

/** Cases about books. */
export const BOOK_CASES: readonly ConformanceCase[] = [
  {
    name: "holds no book before the snapshot joins",
    play: async ({ rig, fixture }) => {
      rig.socket.open();
      rig.deliver(fixture.update);
      await rig.settle();
      return { state: rig.state(fixture.canonical), book: rig.book(fixture.canonical) };
    },
    expected: ({ snapshotUrl }) =>
      snapshotUrl === ""
        ? { state: "waiting waiting_snapshot", book: EMPTY_BOOK }
        : { state: "synced none", book: UPDATED_BOOK },
  },
  {
    name: "is synced when the snapshot joined",
    play: async (play) => {
      await play.join();
      return { states: [play.state, play.otherState], book: play.book };
    },
    expected: () => ({ states: ["synced none", "synced none"], book: SNAPSHOT_BOOK }),
  },
  {
    name: "applies deltas in order",
    play: async (play) => {
      await play.join();
      play.rig.deliver(play.fixture.update, play.fixture.unknownDelete, play.fixture.nextUpdate);
      return { book: play.book, state: play.state };
    },
    expected: () => ({ book: NEXT_BOOK, state: "synced none" }),
  },
  {
    name: "records every event when a delete names a level that was not there",
    play: async (play) => {
      await play.join();
      play.rig.deliver(play.fixture.update);
      const before = last(play.rig.deltas()).version;
      play.rig.deliver(play.fixture.unknownDelete);
      return { versions: play.rig.deltas().map(({ version }) => version - before), book: play.book, state: play.state };
    },
    expected: () => ({ versions: [1], book: UPDATED_BOOK, state: "synced none" }),
  },
  {
    name: "takes a book out with the frame that shows a loss, and repairs that one only",
    play: async (play) => {
      await play.join();
      play.rig.deliver(play.fixture.update);
      play.rig.deltas();
      const asked = play.asked;
      play.restBody = undefined;
      play.rig.deliver(...play.fixture.loss);
      const flags = last(play.rig.deltas()).flags & FLAG_NOT_SYNCED;
      const seen = { state: play.state, other: play.otherState, flags, resyncs: play.rig.count(COUNTER_RESYNCS) };
      await play.rig.advance(100);
      return { ...seen, asked: play.asked - asked };
    },
    expected: ({ lossReason }) => ({
      state: `resyncing ${lossReason}`,
      other: "synced none",
      flags: FLAG_NOT_SYNCED,
      resyncs: 1,
      asked: 1,
    }),
  },
  {
    name: "brings a lost book back by the next snapshot",
    play: async (play) => {
      await play.join();
      await play.repairAfter([play.fixture.update, ...play.fixture.loss], play.fixture.secondSnapshot);
      return { state: play.state, book: play.book, flags: last(play.rig.deltas()).flags & FLAG_NOT_SYNCED };
    },
    expected: () => ({ state: "synced none", book: SECOND_BOOK, flags: 0 }),
  },
  {
    name: "resyncs a book that crossed after a whole event",
    play: async (play) => {
      await play.join();
      play.restBody = play.fixture.secondSnapshot;
      play.rig.deliver(play.fixture.update, play.fixture.crossing);
      const flags = last(play.rig.deltas()).flags & (FLAG_CROSSED | FLAG_NOT_SYNCED);
      const state = play.state;
      await play.repair(play.fixture.secondSnapshot);
      return { flags, state, after: play.state, book: play.book };
    },
    expected: () => ({
      flags: FLAG_CROSSED | FLAG_NOT_SYNCED,
      state: "resyncing crossed",
      after: "synced none",
      book: SECOND_BOOK,
    }),
  },
  {
    name: "publishes a snapshot that is crossed itself as crossed, without a resync",
    play: async (play) => {
      await play.join();
      await play.repairAfter([play.fixture.update, ...play.fixture.loss], play.fixture.crossedSnapshot);
      const resyncs = play.rig.count(COUNTER_RESYNCS);
      const flags = last(play.rig.deltas()).flags & (FLAG_CROSSED | FLAG_NOT_SYNCED);
      await play.live(3);
      return { state: play.state, flags, more: play.rig.count(COUNTER_RESYNCS) - resyncs };
    },
    expected: () => ({ state: "synced none", flags: FLAG_CROSSED, more: 0 }),
  },
  {
    name: "doubts every book of the connection after an unreadable frame, and trusts them again by its own rule",
    play: async (play) => {
      await play.join();
      play.restBody = undefined;
      const { asked } = play;
      play.rig.deliver(play.fixture.update.slice(0, -9));
      const seen = { states: [play.state, play.otherState], errors: play.rig.count(COUNTER_DECODE_ERRORS) };
      play.rig.deliver(play.fixture.update);
      await play.rig.advance(100);
      return { ...seen, after: play.state, repaired: play.asked - asked };
    },
    expected: ({ unreadableShows, provesItself }) => ({
      states: [unreadableShows, unreadableShows],
      errors: 1,
      after: provesItself ? "synced none" : unreadableShows,
      repaired: provesItself ? 0 : 1,
    }),
  },
  {
    name: "doubts one book only when the unreadable frame still names it",
    play: async (play) => {
      await play.join();
      play.restBody = undefined;
      play.rig.deliver(play.fixture.unreadableUpdate);
      return { states: [play.state, play.otherState], errors: play.rig.count(COUNTER_DECODE_ERRORS) };
    },
    expected: ({ unreadableShows }) => ({ states: [unreadableShows, "synced none"], errors: 1 }),
  },
  {
    name: "survives binary, empty and oversized frames",
    play: async (play) => {
      await play.join();
      play.rig.deliver(Buffer.from([0, 255, 1, 254]), "", "null", `"${"x".repeat(2 * 1024 * 1024)}"`);
      await play.repair(play.fixture.secondSnapshot);
      await play.live(2);
      return play.state === "synced none" || play.state === play.fixture.unreadableShows;
    },
    expected: () => true,
  },
  {
    name: "counts and ignores a frame of an unknown kind",
    play: async (play) => {
      await play.join();
      play.rig.deliver(play.fixture.unknownKind);
      return { unknown: play.rig.count(COUNTER_UNKNOWN_KINDS), states: [play.state, play.otherState], book: play.book };
    },
    expected: () => ({ unknown: 1, states: ["synced none", "synced none"], book: SNAPSHOT_BOOK }),
  },
  {
    name: "gives a book more decimals under a fresh id, with nothing lost",
    play: async (play) => {
      await play.join();
      play.rig.deliver(play.fixture.finer);
      const ids = play.rig.ids(play.fixture.canonical).length;
      const { exponents } = play.rig.listing(play.fixture.canonical);
      const [first, second] = play.rig.view
        .instruments()
        .filter(({ canonical }) => canonical === play.fixture.canonical);
      const isLinked = first?.retiredTo === second?.id && second?.retiredTo === 0;
      return { ids, isLinked, exponents, book: play.book, state: play.state };
    },
    expected: () => ({
      ids: 2,
      isLinked: true,
      exponents: [2, 9],
      book: { bids: ["100.5 1.5", "100.25 0.123456789", "100 2"], asks: SNAPSHOT_BOOK.asks },
      state: "synced none",
    }),
  },
  {
    name: "takes only the instrument out of service whose number does not fit",
    play: async (play) => {
      await play.join();
      play.rig.deliver(play.fixture.overflowing);
      await play.live(2);
      return { states: [play.state, play.otherState], counted: play.rig.count(COUNTER_OVERFLOWS) };
    },
    expected: () => ({ states: ["out_of_service overflow", "synced none"], counted: 1 }),
  },
];

function last(records: ReturnType<Play["rig"]["deltas"]>): { flags: number; version: number } {
  const record = records.at(-1);
  if (record === undefined) {
    throw new Error("Cannot look at the last record: none was published, was 0");
  }
  return record;
}
