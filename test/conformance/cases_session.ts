/**
 * Conformance: subscribing, acknowledgements, silence, closes and reconnects.
 * Bad case: a subscription that is acknowledged and never delivers; nothing but a timer can see it.
 */
import { COUNTER_RECONNECTS } from "../../assembly/layout.ts";
import { type ConformanceCase, SNAPSHOT_BOOK } from "./play.ts";

/** Cases about sessions. */
export const SESSION_CASES: readonly ConformanceCase[] = [
  {
    name: "subscribes every instrument once, within the limits of a message and of a second",
    play: ({ exchange }) => {
      const { limits } = exchange.header;
      const natives = Array.from({ length: 2 * limits.instrumentsPerMessage + 1 }, (_, index) => `X${index}`);
      const ids: number[] = [];
      const nextRequestId = () => ids.push(ids.length + 1);
      const messages = exchange.subscribe({ natives, channels: ["book"], depth: 10, nextRequestId });
      const carried = messages.flatMap((message) => message.natives);
      const sizes = messages.map((message) => message.natives.length);
      return {
        isEveryOne: [...new Set(carried)].length === natives.length && carried.length === natives.length,
        isWithin: Math.max(...sizes) <= limits.instrumentsPerMessage,
        isJson: messages.every(({ text }) => typeof JSON.parse(text) === "object"),
      };
    },
    expected: () => ({ isEveryOne: true, isWithin: true, isJson: true }),
  },
  {
    name: "sends no faster than the exchange allows",
    play: async (play) => {
      const { messages } = play.exchange.header.limits;
      play.rig.socket.open();
      const { sent } = play.rig.socket;
      let most = 0;
      for (let second = 0; second < 30; second++) {
        const before = sent.length;
        await play.live(1);
        most = Math.max(most, ((sent.length - before) * messages.perMs) / 1000);
      }
      return { isWithin: most <= messages.count, isSent: sent.length > 0 };
    },
    expected: () => ({ isWithin: true, isSent: true }),
  },
  {
    name: "asks again when an acknowledgement does not come, then replaces the connection",
    play: async (play) => {
      const { ackMs } = play.exchange.header.timing;
      play.rig.socket.open();
      const first = play.rig.socket.sent.length;
      await play.live(ackMs / 1000 + 1);
      const state = play.state;
      const again = play.rig.socket.sent.length > first;
      await play.live((2 * ackMs) / 1000 + 2);
      return { state, again, sockets: play.rig.sockets.length };
    },
    expected: () => ({ state: "waiting silent", again: true, sockets: 2 }),
  },
  {
    name: "asks again when a first book does not come",
    play: async (play) => {
      play.restBody = undefined;
      play.rig.socket.open();
      play.acknowledge();
      await play.rig.settle();
      const { asked } = play;
      await play.live(play.exchange.header.timing.firstDataMs / 1000 + 1);
      const again = play.asked > asked;
      await play.repair(play.fixture.snapshot);
      await play.live(20);
      return { again, state: play.state, book: play.book };
    },
    expected: () => ({ again: true, state: "synced none", book: SNAPSHOT_BOOK }),
  },
  {
    name: "takes a refused instrument out of service and tries again later",
    play: async (play) => {
      play.rig.socket.open();
      play.acknowledge(play.fixture.refuse);
      const state = play.state;
      const sent = play.rig.socket.sent.length;
      await play.live(46);
      const again = play.rig.socket.sent.length > sent;
      await play.deliverBooks();
      return { state, again, after: play.state };
    },
    expected: () => ({ state: "out_of_service refused", again: true, after: "synced none" }),
  },
  {
    name: "keeps its books when an error is about nothing that is awaited",
    play: async (play) => {
      await play.join();
      play.rig.deliver(play.fixture.error);
      await play.live(1);
      return {
        states: [play.state, play.otherState],
        isReported: play.rig.reports.some(({ text }) => text.includes("exchange")),
      };
    },
    expected: () => ({ states: ["synced none", "synced none"], isReported: true }),
  },
  {
    name: "changes nothing by heartbeats and status frames",
    play: async (play) => {
      await play.join();
      play.rig.deltas();
      await play.live(3);
      return {
        states: [play.state, play.otherState],
        records: play.rig.deltas().length,
        sockets: play.rig.sockets.length,
      };
    },
    expected: () => ({ states: ["synced none", "synced none"], records: 0, sockets: 1 }),
  },
  {
    name: "reconnects after a clean close and says meanwhile that the books are not right",
    play: async (play) => {
      await play.join();
      play.rig.socket.close("closed with 1000");
      const states = [play.state, play.otherState];
      await play.rig.advance(200);
      const sockets = play.rig.sockets.length;
      await play.join();
      return { states, sockets, after: play.state, book: play.book, counted: play.rig.count(COUNTER_RECONNECTS) };
    },
    expected: () => ({
      states: ["connecting disconnected", "connecting disconnected"],
      sockets: 2,
      after: "synced none",
      book: SNAPSHOT_BOOK,
      counted: 1,
    }),
  },
  {
    name: "waits longer and longer, within a limit, when it cannot connect",
    play: async (play) => {
      const opened: number[] = [play.rig.nowMs];
      for (let attempt = 0; attempt < 12; attempt++) {
        const { length } = play.rig.sockets;
        play.rig.socket.close("connection refused");
        for (let step = 0; step < 400 && play.rig.sockets.length === length; step++) {
          await play.rig.advance(100);
        }
        opened.push(play.rig.nowMs);
      }
      const delays = opened.slice(1).map((at, index) => at - (opened[index] ?? 0));
      const isGrowing = delays.slice(2, 7).every((delay, index) => delay >= (delays[index + 1] ?? 0));
      return { isGrowing, isLimited: Math.max(...delays) <= 30_100, isLate: (delays.at(-1) ?? 0) > 5000 };
    },
    expected: () => ({ isGrowing: true, isLimited: true, isLate: true }),
  },
  {
    name: "does not hear a socket that was replaced",
    play: async (play) => {
      await play.join();
      const [old] = play.rig.sockets;
      old?.close("closed with 1006");
      await play.rig.advance(200);
      await play.join();
      old?.deliver(play.fixture.update);
      old?.deliver("garbage");
      old?.close("again");
      await play.rig.advance(100);
      return { state: play.state, book: play.book, sockets: play.rig.sockets.length };
    },
    expected: () => ({ state: "synced none", book: SNAPSHOT_BOOK, sockets: 2 }),
  },
  {
    name: "replaces a connection that is silent, and not one that lives",
    play: async (play) => {
      const { idleMs } = play.exchange.header.timing;
      await play.join();
      await play.live(Math.ceil(idleMs / 1000) + 2);
      const sockets = play.rig.sockets.length;
      for (let ms = 0; ms < idleMs + 300 && play.rig.sockets[0]?.isDropped === false; ms += 100) {
        await play.rig.advance(100);
      }
      const state = play.state;
      await play.rig.advance(100);
      return { sockets, state, after: play.rig.sockets.length, isDropped: play.rig.sockets[0]?.isDropped };
    },
    expected: () => ({ sockets: 1, state: "connecting disconnected", after: 2, isDropped: true }),
  },
  {
    name: "says that its books ended when it stops",
    play: async (play) => {
      await play.join();
      await play.rig.collector.stop();
      return { states: [play.state, play.otherState], isDropped: play.rig.socket.isDropped };
    },
    expected: () => ({ states: ["connecting stopped", "connecting stopped"], isDropped: true }),
  },
];
