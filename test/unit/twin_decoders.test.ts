/**
 * The twin's decoders frame by frame: what is JSON and what is not, which kind a frame is, what a malformed field says,
 * and what each exchange's rule of continuity does to the book. Whole captures are in twin_captures.test.ts.
 * Bad case: half a frame applied; after every refusal the book must be what it was.
 */
import { describe, expect, it } from "vitest";
import {
  AGGRESSOR_BUY,
  AGGRESSOR_SELL,
  APPLY_BOOK,
  APPLY_BUFFER,
  APPLY_CHECKSUM_BAD,
  APPLY_CONTROL,
  APPLY_CROSSED,
  APPLY_DECODE_ERROR,
  APPLY_GAP,
  APPLY_HEARTBEAT,
  APPLY_IGNORED,
  APPLY_LIMIT,
  APPLY_NOT_SYNCED,
  APPLY_OVERFLOW,
  APPLY_RESCALE,
  APPLY_SNAPSHOT,
  APPLY_STALE,
  APPLY_TICKER,
  APPLY_TRADES,
  APPLY_UNKNOWN_INSTRUMENT,
  APPLY_UNKNOWN_KIND,
  COUNTER_NO_CHANGES,
  COUNTER_RESCALES,
  COUNTER_TRADE_DUPLICATES,
  COUNTER_TRADE_GAPS,
  DECODE_DUPLICATE_FIELD,
  DECODE_FIELD_MISSING,
  DECODE_FIELD_TYPE,
  DECODE_NEGATIVE,
  DECODE_NUMBER,
  DECODE_RANGE,
  DECODE_SYNTAX,
  DECODE_TIME,
  DECODER_BINANCE,
  DECODER_COINBASE_EXCHANGE,
  DECODER_KRAKEN,
  FRAME_LEVELS_MAX,
  HEADER_TRADE_RING_OFFSET,
  INSTRUMENT_STATE,
  JSON_DEPTH_MAX,
  LIMIT_FRAME_LEVELS,
  OUTCOME_DETAIL,
  OUTCOME_NEED_PRICE_EXPONENT,
  OUTCOME_NEED_QUANTITY_EXPONENT,
  REASON_CROSSED,
  REASON_GAP,
  REASON_HEARTBEAT_AHEAD,
  REASON_TRADE_GAP,
  STATE_OUT_OF_SERVICE,
  STATE_RESYNCING,
  STATE_SYNCED,
  STATE_WAITING,
  TRADE_AGGRESSOR,
  TRADE_BYTES,
} from "../../assembly/layout.ts";
import { createTwin } from "../../src/kernel/twin/mod.ts";
import { Rig } from "./twin_rig.ts";

const COINBASE_SNAPSHOT =
  '{"type":"snapshot","product_id":"BTC-USD","bids":[["99.5","1"],["99","2"]],"asks":[["100","3"],["101","4"]]}';
const KRAKEN_SNAPSHOT = (checksum: number): string =>
  `{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":[{"price":99.5,"qty":1.0}],"asks":[{"price":100.0,"qty":3.5}],"checksum":${checksum}}]}`;

/** A rig and one decoder. */
function bench(decoder: number) {
  const rig = new Rig(createTwin);
  const outcome = rig.kernel.outcomeAddress();
  return {
    rig,
    apply: (frame: string): number => rig.kernel.apply(decoder, rig.frame, rig.put(frame), 1),
    feed: (frame: string): number => rig.feed(decoder, frame, 1),
    detail: (): number => rig.word(outcome, OUTCOME_DETAIL),
    outcome: (field: number): number => rig.word(outcome, field),
  };
}

/** Coinbase with a synced book. */
function coinbase() {
  const made = bench(DECODER_COINBASE_EXCHANGE);
  made.feed(COINBASE_SNAPSHOT);
  return { ...made, block: made.rig.instrument("BTC-USD") };
}

function changes(...levels: string[]): string {
  return `{"type":"l2update","product_id":"BTC-USD","changes":[${levels.join(",")}]}`;
}

describe("frames", () => {
  const deep = (depth: number): string => `{"type":"status","x":${"[".repeat(depth)}${"]".repeat(depth)}}`;
  it.each([
    ["white space", ' \t\r\n{ "type" : "status" , "x" : [ 1 , { } , [ ] ] } \n'],
    ["every kind of value", '{"x":[null,true,false,-0,0.5,1E+9,1e-9,"\\u00e9\\n\\"\\/"],"type":"status"}'],
    ["the deepest nesting", deep(JSON_DEPTH_MAX - 1)],
  ])("are read when they hold %s", (_, frame) => {
    expect(bench(DECODER_COINBASE_EXCHANGE).apply(frame)).toBe(APPLY_IGNORED);
  });

  it.each([
    "",
    "{",
    "nul",
    '{"type":"status"',
    '{"type":"status"}x',
    '{"type":"status",}',
    '{"type":"status" "x":1}',
    '{"x":01,"type":"status"}',
    '{"x":1.,"type":"status"}',
    '{"x":.5,"type":"status"}',
    '{"x":+1,"type":"status"}',
    '{"x":1e,"type":"status"}',
    '{"x":-,"type":"status"}',
    '{"x":tru,"type":"status"}',
    '{"x":"\\x","type":"status"}',
    '{"x":"\\u12g4","type":"status"}',
    '{"x":"\n","type":"status"}',
    '{"x":[1,],"type":"status"}',
    '{"x":[1 2],"type":"status"}',
    '{x:1,"type":"status"}',
    '{"type":"l2update","product_id":"BTC-USD","changes":[["buy","1","1"]',
    '{"type":"l2update","product_id":"BTC-USD","changes":[["buy","1","1"]"x"]}',
    deep(JSON_DEPTH_MAX),
  ])("are a syntax error when they are %j", (frame) => {
    const { apply, detail } = bench(DECODER_COINBASE_EXCHANGE);
    expect([apply(frame), detail()]).toEqual([APPLY_DECODE_ERROR, DECODE_SYNTAX]);
  });

  it("are never read beyond their end when they are cut anywhere", () => {
    const { rig, apply } = coinbase();
    const frame = changes('["buy","98","1"]');
    const hash = JSON.stringify(rig.textBook(rig.instrument("BTC-USD")));
    for (let length = 0; length < frame.length; length++) {
      rig.put(frame);
      expect(rig.kernel.apply(DECODER_COINBASE_EXCHANGE, rig.frame, length, 1)).toBe(APPLY_DECODE_ERROR);
    }
    expect(JSON.stringify(rig.textBook(rig.instrument("BTC-USD")))).toBe(hash);
    expect(apply(frame)).toBe(APPLY_BOOK);
  });

  it.each([
    [DECODER_COINBASE_EXCHANGE, '{"type":"subscriptions","channels":[]}', APPLY_CONTROL],
    [DECODER_COINBASE_EXCHANGE, '{"type":"ticker","product_id":"X"}', APPLY_IGNORED],
    [DECODER_COINBASE_EXCHANGE, '{"type":"received"}', APPLY_UNKNOWN_KIND],
    [DECODER_COINBASE_EXCHANGE, '{"type":"l2\\u0075pdate"}', APPLY_UNKNOWN_KIND],
    [DECODER_COINBASE_EXCHANGE, "[]", APPLY_UNKNOWN_KIND],
    [DECODER_COINBASE_EXCHANGE, "7", APPLY_UNKNOWN_KIND],
    [DECODER_KRAKEN, '{"channel":"heartbeat"}', APPLY_HEARTBEAT],
    [DECODER_KRAKEN, '{"method":"pong"}', APPLY_CONTROL],
    [DECODER_KRAKEN, '{"Error":"Exceeded msg rate"}', APPLY_CONTROL],
    [DECODER_KRAKEN, '{"event":"systemStatus"}', APPLY_CONTROL],
    [DECODER_KRAKEN, '{"channel":"ticker","data":[{}]}', APPLY_IGNORED],
    [DECODER_KRAKEN, '{"channel":"nobody"}', APPLY_UNKNOWN_KIND],
    [DECODER_KRAKEN, '[0,[["1","2","3"]],"trade","XBT/USD"]', APPLY_IGNORED],
    [DECODER_KRAKEN, '[0,{},"nobody","XBT/USD"]', APPLY_UNKNOWN_KIND],
    [DECODER_BINANCE, '{"result":null,"id":1}', APPLY_CONTROL],
    [DECODER_BINANCE, '{"stream":"!x","data":{"e":"serverShutdown","E":1}}', APPLY_CONTROL],
    [DECODER_BINANCE, '{"u":1,"s":"X","b":"1","B":"2","a":"3","A":"4"}', APPLY_TICKER],
    [DECODER_BINANCE, '{"e":"kline","s":"X","k":{"t":1}}', APPLY_IGNORED],
    [DECODER_BINANCE, '{"lastUpdateId":1,"bids":[],"asks":[]}', APPLY_IGNORED],
    [DECODER_BINANCE, '{"e":"nobody"}', APPLY_UNKNOWN_KIND],
    [9, "{}", APPLY_UNKNOWN_KIND],
  ])("of decoder %i are of the right kind when they are %s", (decoder, frame, code) => {
    expect(bench(decoder).apply(frame)).toBe(code);
  });
});

describe("Coinbase Exchange", () => {
  it("asks for the instrument, then for its exponents, when a first snapshot comes", () => {
    const { rig, apply, outcome } = bench(DECODER_COINBASE_EXCHANGE);
    expect(apply(COINBASE_SNAPSHOT)).toBe(APPLY_UNKNOWN_INSTRUMENT);
    const block = rig.instrument("BTC-USD");
    expect(apply(COINBASE_SNAPSHOT)).toBe(APPLY_RESCALE);
    expect([outcome(OUTCOME_NEED_PRICE_EXPONENT), outcome(OUTCOME_NEED_QUANTITY_EXPONENT)]).toEqual([1, 0]);
    expect(rig.kernel.instrumentRescale(block, 1, 0, 1)).toBe(0);
    expect(apply(COINBASE_SNAPSHOT)).toBe(APPLY_SNAPSHOT);
    expect(rig.textBook(block)).toEqual({
      bids: [
        ["99.5", "1"],
        ["99", "2"],
      ],
      asks: [
        ["100", "3"],
        ["101", "4"],
      ],
    });
  });

  it("applies keys and numbers in any order and form when they are well-formed", () => {
    const { rig, apply, block } = coinbase();
    const frame =
      '{"changes":[["sell",100.0,"0.000","more",{}],["buy","099.50","1e1"]],"x":1,"product_id":"BTC-USD","type":"l2update"}';
    expect(apply(frame)).toBe(APPLY_BOOK);
    expect(rig.textBook(block)).toEqual({
      bids: [
        ["99.5", "10"],
        ["99", "2"],
      ],
      asks: [["101", "4"]],
    });
  });

  it.each([
    [changes('["buy","x","1"]'), DECODE_NUMBER],
    [changes('["buy","1",true]'), DECODE_FIELD_TYPE],
    [changes('["hold","1","1"]'), DECODE_FIELD_TYPE],
    [changes('["buy","1"]'), DECODE_FIELD_TYPE],
    [changes('{"side":"buy"}'), DECODE_FIELD_TYPE],
    [changes('["buy","1","-1"]'), DECODE_NEGATIVE],
    [changes('["buy","0","1"]'), DECODE_RANGE],
    [changes('["buy","-1","1"]'), DECODE_RANGE],
    [changes('["buy"," 1","1"]'), DECODE_NUMBER],
    ['{"type":"l2update","product_id":"BTC-USD"}', DECODE_FIELD_MISSING],
    ['{"type":"l2update","product_id":"BTC-USD","changes":{}}', DECODE_FIELD_TYPE],
    ['{"type":"l2update","changes":[]}', DECODE_FIELD_MISSING],
    ['{"type":"l2update","product_id":7,"changes":[]}', DECODE_FIELD_TYPE],
    ['{"type":"l2update","type":"l2update","product_id":"BTC-USD","changes":[]}', DECODE_DUPLICATE_FIELD],
    ['{"type":"l2update","product_id":"BTC-USD","changes":[],"time":"yesterday"}', DECODE_TIME],
    ['{"type":"match","product_id":"BTC-USD","trade_id":"x","side":"buy","size":"1","price":"1"}', DECODE_FIELD_TYPE],
    ['{"type":"match","product_id":"BTC-USD","trade_id":1,"size":"1","price":"1"}', DECODE_FIELD_MISSING],
  ])("refuses %s and keeps the book when a field is wrong", (frame, detail) => {
    const made = coinbase();
    const before = made.rig.textBook(made.block);
    expect([made.apply(frame), made.detail()]).toEqual([APPLY_DECODE_ERROR, detail]);
    expect(made.rig.textBook(made.block)).toEqual(before);
  });

  it("goes out of service when a number fits no i64", () => {
    const { rig, apply, block } = coinbase();
    expect(apply(changes('["buy","99999999999999999999","1"]'))).toBe(APPLY_OVERFLOW);
    expect(rig.word(block, INSTRUMENT_STATE)).toBe(STATE_OUT_OF_SERVICE);
    expect(apply(changes('["buy","98","1"]'))).toBe(APPLY_NOT_SYNCED);
  });

  it("multiplies its own book when a later token has more digits", () => {
    const { rig, feed, block } = coinbase();
    expect(feed(changes('["buy","99.25","0.125"]'))).toBe(APPLY_BOOK);
    expect(rig.counter(COUNTER_RESCALES)).toBe(1);
    expect(rig.current(block).id).toBe(2);
    expect(rig.textBook(block).bids).toEqual([
      ["99.5", "1"],
      ["99.25", "0.125"],
      ["99", "2"],
    ]);
  });

  it("stops being synced when an update crosses the book, and not when the snapshot does", () => {
    const crossing = coinbase();
    expect([crossing.apply(changes('["buy","100.5","1"]')), crossing.detail()]).toEqual([
      APPLY_CROSSED,
      REASON_CROSSED,
    ]);
    expect(crossing.rig.word(crossing.block, INSTRUMENT_STATE)).toBe(STATE_RESYNCING);
    const crossed = bench(DECODER_COINBASE_EXCHANGE);
    expect(crossed.feed(COINBASE_SNAPSHOT.replace("99.5", "105"))).toBe(APPLY_SNAPSHOT);
    expect(crossed.apply(changes('["buy","98","1"]'))).toBe(APPLY_BOOK);
  });

  it("counts each level once when an event names it twice", () => {
    const { rig, apply, block } = coinbase();
    expect(apply(changes('["buy","98","1"]', '["buy","98","5"]', '["buy","97","0"]'))).toBe(APPLY_BOOK);
    expect(rig.counter(COUNTER_NO_CHANGES)).toBe(2);
    expect(rig.textBook(block).bids.at(-1)).toEqual(["98", "5"]);
  });

  it("judges trade ids and heartbeats when trades are missing", () => {
    const { rig, apply, detail, block } = coinbase();
    const match = (type: string, id: number, side = "sell"): string =>
      `{"type":"${type}","product_id":"BTC-USD","trade_id":${id},"side":"${side}","size":"1","price":"100"}`;
    const heartbeat = (id: number): string => `{"type":"heartbeat","product_id":"BTC-USD","last_trade_id":${id}}`;
    expect([match("last_match", 7), match("match", 8), match("match", 8)].map(apply)).toEqual([
      APPLY_TRADES,
      APPLY_TRADES,
      APPLY_STALE,
    ]);
    expect(apply(heartbeat(8))).toBe(APPLY_HEARTBEAT);
    expect([apply(match("match", 10, "buy")), detail()]).toEqual([APPLY_GAP, REASON_TRADE_GAP]);
    expect(rig.word(block, INSTRUMENT_STATE)).toBe(STATE_RESYNCING);
    expect(apply(changes('["buy","98","1"]'))).toBe(APPLY_NOT_SYNCED);
    expect(apply(COINBASE_SNAPSHOT)).toBe(APPLY_SNAPSHOT);
    expect([apply(heartbeat(12)), detail()]).toEqual([APPLY_GAP, REASON_HEARTBEAT_AHEAD]);
    expect([rig.counter(COUNTER_TRADE_GAPS), rig.counter(COUNTER_TRADE_DUPLICATES)]).toEqual([2, 1]);
    const ring = 65536 + Number(rig.u64(65536 + HEADER_TRADE_RING_OFFSET));
    const sides = [0, 1, 2].map((index) => rig.bytes[ring + index * TRADE_BYTES + TRADE_AGGRESSOR]);
    expect(sides).toEqual([AGGRESSOR_BUY, AGGRESSOR_BUY, AGGRESSOR_SELL]);
  });

  it("names the limit when a frame holds too many levels", () => {
    const rig = new Rig(createTwin, { frameBytes: 8 * 1048576 });
    rig.feed(DECODER_COINBASE_EXCHANGE, COINBASE_SNAPSHOT, 1);
    const levels = Array.from({ length: FRAME_LEVELS_MAX + 1 }, () => '["buy","1","1"]');
    expect(rig.feed(DECODER_COINBASE_EXCHANGE, changes(levels.join(",")), 1)).toBe(APPLY_LIMIT);
    expect(rig.word(rig.kernel.outcomeAddress(), OUTCOME_DETAIL)).toBe(LIMIT_FRAME_LEVELS);
  });
});

describe("Kraken", () => {
  const text = new TextEncoder().encode("10003599510");
  const zip = createTwin(new ArrayBuffer(4096));
  new Uint8Array(zip.buffer).set(text, 0);
  const good = zip.crc32(0, text.length);

  it("verifies the checksum of the wire's digits when a book comes", () => {
    const { rig, feed } = bench(DECODER_KRAKEN);
    expect(feed(KRAKEN_SNAPSHOT(good))).toBe(APPLY_SNAPSHOT);
    const block = rig.instrument("BTC/USD");
    expect(rig.word(block, INSTRUMENT_STATE)).toBe(STATE_SYNCED);
    const update = `{"data":[{"checksum":1,"asks":[],"bids":[{"qty":0,"price":99.5}],"symbol":"BTC/USD"}],"type":"update","channel":"book"}`;
    expect(feed(update)).toBe(APPLY_CHECKSUM_BAD);
    expect(rig.word(block, INSTRUMENT_STATE)).toBe(STATE_RESYNCING);
    expect(feed(update)).toBe(APPLY_NOT_SYNCED);
  });

  it("applies nothing when one of several entries is wrong", () => {
    const { rig, feed, apply } = bench(DECODER_KRAKEN);
    feed(KRAKEN_SNAPSHOT(good));
    const before = rig.textBook(rig.instrument("BTC/USD"));
    const entry = '{"symbol":"BTC/USD","bids":[{"price":99.5,"qty":0}],"asks":[],"checksum":1}';
    const frame = (second: string): string => `{"channel":"book","type":"update","data":[${entry},${second}]}`;
    expect(apply(frame('{"symbol":"BTC/USD","bids":[{"price":1}],"asks":[],"checksum":1}'))).toBe(APPLY_DECODE_ERROR);
    expect(apply(frame('{"symbol":"ETH/USD","bids":[],"asks":[],"checksum":1}'))).toBe(APPLY_UNKNOWN_INSTRUMENT);
    expect(apply(frame("7"))).toBe(APPLY_DECODE_ERROR);
    expect(rig.textBook(rig.instrument("BTC/USD"))).toEqual(before);
  });
});

describe("Binance", () => {
  const diff = (first: number, last: number, level: string, previous?: number): string =>
    `{"stream":"x@depth","data":{"e":"depthUpdate","E":1700000000000,"s":"BTCUSDT","U":${first},"u":${last}${
      previous === undefined ? "" : `,"pu":${previous}`
    },"b":[${level}],"a":[]}}`;
  const body = '{"lastUpdateId":100,"bids":[["99.50","1.0"]],"asks":[["100.00","3.5"]]}';

  it("buffers until the REST body comes, then splices and follows by the spot rule", () => {
    const { rig, feed, detail } = bench(DECODER_BINANCE);
    expect([diff(90, 95, ""), diff(96, 105, '["99.00","2"]')].map(feed)).toEqual([APPLY_BUFFER, APPLY_BUFFER]);
    const block = rig.instrument("BTCUSDT");
    expect(rig.word(block, INSTRUMENT_STATE)).toBe(STATE_WAITING);
    expect(rig.seed(DECODER_BINANCE, "BTCUSDT", body, 1)).toBe(APPLY_SNAPSHOT);
    expect(rig.textBook(block).bids).toEqual([
      ["99.5", "1"],
      ["99", "2"],
    ]);
    expect(feed(diff(106, 106, '["99.00","0"]'))).toBe(APPLY_BOOK);
    expect(feed(diff(106, 106, '["99.00","7"]'))).toBe(APPLY_STALE);
    expect([feed(diff(108, 109, "")), detail()]).toEqual([APPLY_GAP, REASON_GAP]);
    expect(feed(diff(110, 110, ""))).toBe(APPLY_BUFFER);
  });

  it("follows by the futures rule when updates name their predecessor", () => {
    const { rig, feed } = bench(DECODER_BINANCE);
    rig.seed(DECODER_BINANCE, "BTCUSDT", body, 1);
    expect(feed(diff(80, 99, "", 70))).toBe(APPLY_STALE);
    expect(feed(diff(98, 104, "", 97))).toBe(APPLY_BOOK);
    expect(feed(diff(110, 120, "", 104))).toBe(APPLY_BOOK);
    expect(feed(diff(121, 130, "", 119))).toBe(APPLY_GAP);
  });

  it("refuses the REST body when it is malformed", () => {
    const { rig, detail } = bench(DECODER_BINANCE);
    expect(rig.seed(DECODER_BINANCE, "BTCUSDT", body.replace("100", '"x"'), 1)).toBe(APPLY_DECODE_ERROR);
    expect(rig.seed(DECODER_BINANCE, "BTCUSDT", body.replace('["99.50","1.0"]', '["99.50"]'), 1)).toBe(
      APPLY_DECODE_ERROR,
    );
    expect(detail()).toBe(DECODE_FIELD_TYPE);
    expect(rig.seed(DECODER_KRAKEN, "BTCUSDT", body, 1)).toBe(APPLY_UNKNOWN_KIND);
  });
});
