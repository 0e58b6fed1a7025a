/**
 * Mutants of the exchanges' decoders: sides, sequences, trade ids, times. Bad case: a rule of an exchange that stands in
 * one kernel only would be found by comparing them; each mutant is in both.
 */
import type { Patch } from "./patch.ts";

const COINBASE = "assembly/decoders/coinbase_exchange.ts";
const TWIN_COINBASE = "src/kernel/twin/decoders/coinbase_exchange.ts";
const KRAKEN = "assembly/decoders/kraken.ts";
const TWIN_KRAKEN = "src/kernel/twin/decoders/kraken.ts";
const BINANCE = "assembly/decoders/binance.ts";
const TWIN_BINANCE = "src/kernel/twin/decoders/binance.ts";
const TRADE = "assembly/trade.ts";
const TWIN_TRADE = "src/kernel/twin/trade.ts";
const DECODERS = "test/unit/twin_decoders.test.ts";
const CONFORMANCE = "test/conformance/exchanges.test.ts";

/** Mutants of decoders and trades. */
export const DECODER_MUTANTS: readonly Patch[] = [
  {
    name: "coinbase-maker-as-taker",
    why: "every Coinbase trade has the wrong aggressor",
    edits: [
      {
        file: COINBASE,
        find: "  if (textIs(F_SIDE, SELL, 4)) return AGGRESSOR_BUY;\n  return textIs(F_SIDE, BUY, 3) ? AGGRESSOR_SELL : 0;",
        replace:
          "  if (textIs(F_SIDE, SELL, 4)) return AGGRESSOR_SELL;\n  return textIs(F_SIDE, BUY, 3) ? AGGRESSOR_BUY : 0;",
      },
      {
        file: TWIN_COINBASE,
        find: "    return side === BUY ? AGGRESSOR_SELL : AGGRESSOR_BUY;",
        replace: "    return side === BUY ? AGGRESSOR_BUY : AGGRESSOR_SELL;",
      },
    ],
    tests: [CONFORMANCE, DECODERS],
  },
  {
    name: "coinbase-trade-gap-ignored",
    why: "a missing trade, the sign of lost messages, leaves the book synced",
    edits: [
      {
        file: COINBASE,
        find: "  if (written == TRADE_JUMPED && flags == 0) return lost(",
        replace: "  if (written == TRADE_JUMPED && flags != 0) return lost(",
      },
      {
        file: TWIN_COINBASE,
        find: "    if (written === TRADE_JUMPED && flags === 0) {",
        replace: "    if (written === TRADE_JUMPED && flags !== 0) {",
      },
    ],
    tests: [DECODERS, CONFORMANCE],
  },
  {
    name: "coinbase-heartbeat-ahead-ignored",
    why: "a heartbeat that tells of a trade we never saw leaves the book synced",
    edits: [
      { file: COINBASE, find: "  if (!seen || id <= load", replace: "  if (!seen || id >= load" },
      {
        file: TWIN_COINBASE,
        find: "compareUnsigned(low, high, lastLow, lastHigh) > 0;",
        replace: "compareUnsigned(low, high, lastLow, lastHigh) < 0;",
      },
    ],
    tests: [DECODERS, CONFORMANCE],
  },
  {
    name: "coinbase-sides-swapped",
    why: "bids of a Coinbase snapshot become asks and asks bids",
    edits: [
      {
        file: COINBASE,
        find: "field == F_BIDS ? SIDE_BID : SIDE_ASK",
        replace: "field == F_BIDS ? SIDE_ASK : SIDE_BID",
      },
      { file: TWIN_COINBASE, find: "BID_PAIRS : ASK_PAIRS", replace: "ASK_PAIRS : BID_PAIRS" },
    ],
    tests: [CONFORMANCE, DECODERS],
  },
  {
    name: "binance-maker-inverted",
    why: "every Binance trade has the wrong aggressor",
    edits: [
      {
        file: BINANCE,
        find: "maker == TYPE_TRUE ? AGGRESSOR_SELL : AGGRESSOR_BUY",
        replace: "maker == TYPE_TRUE ? AGGRESSOR_BUY : AGGRESSOR_SELL",
      },
      {
        file: TWIN_BINANCE,
        find: "maker === TYPE_TRUE ? AGGRESSOR_SELL : AGGRESSOR_BUY",
        replace: "maker === TYPE_TRUE ? AGGRESSOR_BUY : AGGRESSOR_SELL",
      },
    ],
    tests: [CONFORMANCE, DECODERS],
  },
  {
    name: "binance-gap-of-one",
    why: "one lost update goes unnoticed",
    edits: [
      { file: BINANCE, find: "  return updateFirst > last + 1 ?", replace: "  return updateFirst > last + 2 ?" },
      { file: TWIN_BINANCE, find: "    add(low, high, 1, 0);\n", replace: "    add(low, high, 2, 0);\n" },
    ],
    tests: [DECODERS, CONFORMANCE],
  },
  {
    name: "binance-stale-applied",
    why: "updates from before the snapshot undo what it says",
    edits: [
      {
        file: BINANCE,
        find: "  if (updateLast <= last) return APPLY_STALE;\n  return updateFirst > last + 1",
        replace: "  return updateFirst > last + 1",
      },
      {
        file: TWIN_BINANCE,
        find: "    if (this.#compare(LAST, low, high) <= 0) {\n      return APPLY_STALE;\n    }\n",
        replace: "",
      },
    ],
    tests: [DECODERS, "test/unit/sync_exchange.test.ts"],
  },
  {
    name: "binance-futures-chain-ignored",
    why: "a futures update that does not name its predecessor is applied",
    edits: [
      {
        file: BINANCE,
        find: "  if (updateLast <= last) return APPLY_STALE;\n  return updatePrevious == last ? FINE : APPLY_GAP;",
        replace: "  if (updateLast <= last) return APPLY_STALE;\n  return FINE;",
      },
      { file: TWIN_BINANCE, find: "    return follows ? FINE : APPLY_GAP;", replace: "    return FINE;" },
    ],
    tests: [DECODERS, CONFORMANCE],
  },
  {
    name: "binance-updates-unbuffered",
    why: "updates before the REST snapshot are judged at once instead of kept: the splice has nothing to join",
    edits: [
      {
        file: BINANCE,
        find: "  if (state != STATE_SYNCED && state != STATE_SUSPECT) return finish(APPLY_BUFFER, instrument, 0);",
        replace: "  if (state != STATE_SYNCED && state != STATE_SUSPECT) return notSynced(instrument);",
      },
      {
        file: TWIN_BINANCE,
        find: "      return context.finish(APPLY_BUFFER, instrument);",
        replace: "      return context.notSynced();",
      },
    ],
    tests: [DECODERS, "test/unit/sync_exchange.test.ts"],
  },
  {
    name: "binance-microseconds-unknown",
    why: "event times in µs are taken for unreadable: events carry the time of an older one",
    edits: [
      {
        file: "assembly/time.ts",
        find: "  if (number >= 100_000_000_000_000) return",
        replace: "  if (number >= 100_000_000_000_000_000) return",
      },
      { file: "src/kernel/twin/time.ts", find: "value >= 1e14 ? 3 : 6;", replace: "value >= 1e17 ? 3 : 6;" },
    ],
    tests: ["test/unit/mutants_books.test.ts"],
  },
  {
    name: "binance-sides-swapped",
    why: "bids of Binance become asks and asks bids",
    edits: [
      {
        file: "assembly/decoders/binance_fields.ts",
        find: "field == F_BIDS || field == F_REST_BIDS ? SIDE_BID : SIDE_ASK",
        replace: "field == F_BIDS || field == F_REST_BIDS ? SIDE_ASK : SIDE_BID",
      },
      {
        file: "src/kernel/twin/decoders/binance_fields.ts",
        find: "pairForm(isBids, depth)",
        replace: "pairForm(!isBids, depth)",
      },
    ],
    tests: [CONFORMANCE, DECODERS],
  },
  {
    name: "kraken-side-inverted",
    why: "every Kraken trade has the wrong aggressor",
    edits: [
      {
        file: KRAKEN,
        find: "  if (textIs(E_SIDE, BUY, 3)) tradeSide(trade, AGGRESSOR_BUY, flags);\n  else if (textIs(E_SIDE, SELL, 4)) tradeSide(trade, AGGRESSOR_SELL, flags);",
        replace:
          "  if (textIs(E_SIDE, BUY, 3)) tradeSide(trade, AGGRESSOR_SELL, flags);\n  else if (textIs(E_SIDE, SELL, 4)) tradeSide(trade, AGGRESSOR_BUY, flags);",
      },
      {
        file: TWIN_KRAKEN,
        find: "side === BUY ? AGGRESSOR_BUY : AGGRESSOR_SELL",
        replace: "side === BUY ? AGGRESSOR_SELL : AGGRESSOR_BUY",
      },
    ],
    tests: [CONFORMANCE, DECODERS],
  },
  {
    name: "kraken-history-unmarked",
    why: "the past trades of a subscription are published as if they happened now",
    edits: [
      { file: KRAKEN, find: "messageType() == 1 ? TRADE_FLAG_HISTORY : 0;", replace: "messageType() == 1 ? 0 : 0;" },
      {
        file: TWIN_KRAKEN,
        find: "this.#isSnapshot() ? TRADE_FLAG_HISTORY : 0;",
        replace: "this.#isSnapshot() ? 0 : 0;",
      },
    ],
    tests: [CONFORMANCE, DECODERS, "test/captures/replay.test.ts"],
  },
  {
    name: "kraken-update-after-fault-applied",
    why: "after a bad checksum updates go on being applied, and the first good one makes the book synced again unrepaired",
    edits: [
      {
        file: KRAKEN,
        find: "  return snapshot || state == STATE_SYNCED || state == STATE_SUSPECT;",
        replace: "  return snapshot || state != 0;",
      },
      {
        file: "src/kernel/twin/decoders/kraken_book.ts",
        find: "  return isSnapshot || state === STATE_SYNCED || state === STATE_SUSPECT;",
        replace: "  return isSnapshot || state !== 0;",
      },
    ],
    tests: [DECODERS, CONFORMANCE],
  },
  {
    name: "kraken-v1-depth-ignored",
    why: "the depth in a v1 channel's name is not taken: levels beyond it stay",
    edits: [
      { file: "assembly/decoders/kraken_array.ts", find: "  noteDepth(instrument);\n", replace: "" },
      { file: "src/kernel/twin/decoders/kraken_array.ts", find: "    this.#noteDepth();\n", replace: "" },
    ],
    tests: ["test/unit/mutants_kraken.test.ts"],
  },
  {
    name: "kraken-v1-sides-swapped",
    why: "asks of a v1 book become bids",
    edits: [
      {
        file: "assembly/decoders/kraken_array.ts",
        find: "bit == 1 ? SIDE_ASK : SIDE_BID",
        replace: "bit == 1 ? SIDE_BID : SIDE_ASK",
      },
      {
        file: "src/kernel/twin/decoders/kraken_array.ts",
        find: "isAsk ? ASK_PAIRS : BID_PAIRS",
        replace: "isAsk ? BID_PAIRS : ASK_PAIRS",
      },
    ],
    tests: ["test/captures/replay.test.ts", CONFORMANCE],
  },
  {
    name: "kraken-v1-seconds-truncated",
    why: "v1 event times lose what stands behind the point",
    edits: [
      {
        file: "assembly/time.ts",
        find: "  value = whole * SECOND + fraction;\n",
        replace: "  value = whole * SECOND;\n",
      },
      { file: "src/kernel/twin/time.ts", find: "  setTime(whole, fraction);", replace: "  setTime(whole, 0);" },
    ],
    tests: ["test/unit/mutants_kraken.test.ts"],
  },
  {
    name: "time-fraction-not-scaled",
    why: "microseconds of an RFC 3339 time are read as nanoseconds",
    edits: [
      {
        file: "assembly/time.ts",
        find: "      if (i < digits) {\n        digit = <u32>load<u8>(at + 20 + i) - 0x30;\n        if (digit > 9) return false;\n      }\n",
        replace:
          "      if (i < digits) {\n        digit = <u32>load<u8>(at + 20 + i) - 0x30;\n        if (digit > 9) return false;\n      } else break;\n",
      },
      {
        file: "src/kernel/twin/time.ts",
        find: "    value = value * 10 + digit;\n",
        replace: "    value = i < count ? value * 10 + digit : value;\n",
      },
    ],
    tests: ["test/unit/mutants_books.test.ts"],
  },
  {
    name: "trade-duplicate-recorded",
    why: "a trade that comes twice is published twice",
    edits: [
      { file: TRADE, find: "  if (seen && number <= last) {", replace: "  if (seen && number < last) {" },
      { file: TWIN_TRADE, find: "lastLow, lastHigh) <= 0) {", replace: "lastLow, lastHigh) < 0) {" },
    ],
    tests: [DECODERS, CONFORMANCE],
  },
  {
    name: "trade-gap-unmarked",
    why: "trades that are missing leave no mark on the next one",
    edits: [
      { file: TRADE, find: "(jumped ? TRADE_FLAG_GAP_BEFORE : 0)", replace: "(jumped ? 0 : 0)" },
      { file: TWIN_TRADE, find: "(hasJumped ? TRADE_FLAG_GAP_BEFORE : 0)", replace: "(hasJumped ? 0 : 0)" },
    ],
    tests: [DECODERS, CONFORMANCE],
  },
  {
    name: "frame-number-overflow-skipped",
    why: "a level whose number fits nothing is left out instead of taking the instrument out of service",
    edits: [
      {
        file: "assembly/levels.ts",
        find: "    if (load<u8>(entry, OVERFLOW)) return SCALE_OVERFLOW;\n",
        replace: "    if (load<u8>(entry, OVERFLOW)) store<i64>(entry, 0, ENTRY_QUANTITY);\n",
      },
      {
        file: "src/kernel/twin/levels.ts",
        find: "      if (wordAt(entries, at + OVERFLOW) !== 0) {\n        return SCALE_OVERFLOW;\n      }\n",
        replace:
          "      if (wordAt(entries, at + OVERFLOW) !== 0) {\n        entries[at + ENTRY_QUANTITY] = 0;\n        entries[at + ENTRY_QUANTITY + 1] = 0;\n      }\n",
      },
    ],
    tests: [DECODERS, "test/unit/twin_decoders.test.ts"],
  },
  {
    name: "frame-bad-level-skipped",
    why: "a frame with an unreadable level is applied without it instead of being refused",
    edits: [
      {
        file: "assembly/decoders/common.ts",
        find: "  return levelsMalformed() != 0 ? decodeError(levelsMalformed()) : FINE;",
        replace: "  return FINE;",
      },
      {
        file: "src/kernel/twin/decoders/common.ts",
        find: "    return this.levels.malformed === 0 ? FINE : this.decodeError(this.levels.malformed);",
        replace: "    return FINE;",
      },
    ],
    tests: [DECODERS, CONFORMANCE],
  },
];
