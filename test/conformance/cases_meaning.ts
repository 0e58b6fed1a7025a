/**
 * Conformance: names, numbers, trades: what the exchange's words mean in ours.
 * Bad case: a side that means the maker; half of the exchanges say it that way.
 */
import { AGGRESSOR_BUY, AGGRESSOR_SELL, COUNTER_TRADE_DUPLICATES } from "../../assembly/layout.ts";
import { ASSURANCE_WORDS, TRADING_WORDS, wordOf } from "../../src/model/states.ts";
import type { ConformanceCase } from "./play.ts";

/** Cases about meaning. */
export const MEANING_CASES: readonly ConformanceCase[] = [
  {
    name: "publishes the taker's side of a trade",
    play: async (play) => {
      await play.join();
      play.rig.deliver(play.fixture.buy, play.fixture.sell);
      return play.rig.trades().map(({ id, aggressor }) => [id, aggressor]);
    },
    expected: () => [
      ["1000", AGGRESSOR_BUY],
      ["1001", AGGRESSOR_SELL],
    ],
  },
  {
    name: "never publishes a past or repeated trade as a fresh one",
    play: async (play) => {
      await play.join();
      play.rig.deliver(...play.fixture.past, play.fixture.buy, play.fixture.buy);
      const trades = play.rig.trades();
      return {
        fresh: trades.filter(({ history }) => !history).map(({ id }) => id),
        past: trades.filter(({ history }) => history).length,
        repeated: play.rig.count(COUNTER_TRADE_DUPLICATES),
      };
    },
    expected: ({ past }) => ({ fresh: ["1000"], past: past.length, repeated: 1 }),
  },
  {
    name: "flags the trade after which ids jumped",
    play: async (play) => {
      await play.join();
      play.rig.deliver(play.fixture.buy, play.fixture.sell);
      play.rig.deliver(...[play.fixture.sell].map((text) => text.replace("1001", "1007")));
      return play.rig.trades().map(({ gapBefore }) => gapBefore);
    },
    expected: () => [false, false, true],
  },
  {
    name: "reads decimals, names and trading status from the instrument list, whatever else is in it",
    play: ({ exchange, fixture, rig }) => {
      const { instruments, unreadable } = exchange.readMetadata(fixture.metadata);
      const listed = instruments.map(({ native, canonical, priceExponent, quantityExponent }) => {
        return [native, canonical, priceExponent, quantityExponent];
      });
      const statuses = instruments.map(({ tradingStatus }) => wordOf(TRADING_WORDS, tradingStatus));
      return { listed, statuses, unreadable: unreadable.length, exponents: rig.listing(fixture.canonical).exponents };
    },
    expected: ({ native, canonical, otherNative, otherCanonical }) => ({
      listed: [
        [native, canonical, 1, 8],
        [otherNative, otherCanonical, 1, 8],
      ],
      statuses: ["open", "limited"],
      unreadable: 1,
      exponents: [1, 8],
    }),
  },
  {
    name: "refuses an instrument list that is none",
    play: ({ exchange }) => {
      return ["<html>Service unavailable</html>", "[1", "7", '{"error":["EGeneral"]}'].map((body) => {
        try {
          return exchange.readMetadata(body);
        } catch (error) {
          return error instanceof Error ? error.name : "no error";
        }
      });
    },
    expected: () => ["DecodeError", "DecodeError", "DecodeError", "DecodeError"],
  },
  {
    name: "maps canonical and native names both ways",
    play: ({ exchange, fixture }) => ({
      natives: [fixture.canonical, fixture.otherCanonical].map((name) => exchange.nativeName(name)),
      canonicals: [fixture.native, fixture.otherNative].map((name) => exchange.canonicalName(name)),
    }),
    expected: ({ native, otherNative, canonical, otherCanonical }) => ({
      natives: [native, otherNative],
      canonicals: [canonical, otherCanonical],
    }),
  },
  {
    name: "says how each depth can be known to be right",
    play: ({ exchange, rig, fixture }) => {
      const words = exchange.header.depths.map((depth) => wordOf(ASSURANCE_WORDS, exchange.assurance(depth)));
      return {
        isSaid: words.every((word) => word !== "none" && word !== "unknown"),
        shown: rig.listing(fixture.canonical),
      };
    },
    expected: ({ canonical }, exchange) => ({
      isSaid: canonical !== "",
      shown: {
        assurance: wordOf(ASSURANCE_WORDS, exchange.assurance(exchange.header.defaultDepth)),
        trading: "open",
        exponents: [1, 8],
        depth: exchange.header.defaultDepth,
      },
    }),
  },
  {
    name: "lists default instruments that its own names can spell",
    play: ({ exchange }) => {
      return exchange.header.defaultInstruments.map((name) => exchange.canonicalName(exchange.nativeName(name)));
    },
    expected: (_fixture, { header }) => [...header.defaultInstruments],
  },
];
