/**
 * Frames to mutate, per decoder: small hand-written ones of every kind, and some of each kind from the captures when they
 * are there. Bad case: frames that the decoder under test does not know; they only exercise the scanner.
 */
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import { captureFiles, readCapture } from "./captures.ts";

/** What a fuzz run works on. */
export type Corpus = {
  readonly exchange: ExchangeId;
  readonly natives: readonly string[];
  /** Frames that bring every book into sync, in this order. */
  readonly snapshots: readonly string[];
  /** REST bodies by native symbol, for exchanges that need them. */
  readonly rest: Readonly<Record<string, string>>;
  readonly frames: readonly string[];
};

const FRAME_CHARACTERS_MAX = 3000;
const FRAMES_PER_FILE = 60;

const COINBASE: Corpus = {
  exchange: "coinbase_exchange",
  natives: ["BTC-USD", "ETH-USD"],
  rest: {},
  snapshots: [
    '{"type":"snapshot","product_id":"BTC-USD","asks":[["9999999.50","1.00000000"],["63519.00","0.50000000"]],"bids":[["1.00","2.00000000"],["101.00","0.10000000"]],"time":"2026-07-07T22:58:17.050195Z"}',
    '{"type":"snapshot","product_id":"ETH-USD","asks":[["1790.5","1"]],"bids":[["11.0","2"]]}',
  ],
  frames: [
    '{"type":"l2update","product_id":"BTC-USD","changes":[["buy","101.00","0.00000000"],["sell","70001.75","3.25000000"],["buy","100.99","0.00000001"]],"time":"2026-07-07T22:58:17.150195Z"}',
    '{"type":"l2update","product_id":"ETH-USD","changes":[["sell","1790.5","0"],["sell","129034888.00","4.9e-7"]],"time":"0001-01-01T00:00:00.000000Z"}',
    '{"type":"match","trade_id":10,"maker_order_id":"a","taker_order_id":"b","side":"sell","size":"0.2","price":"101.5","product_id":"BTC-USD","sequence":132235026010,"time":"2026-07-07T22:58:17.164892Z"}',
    '{"type":"last_match","trade_id":9,"side":"buy","size":"0.2","price":"101.5","product_id":"BTC-USD","sequence":7,"time":"2026-07-07T22:58:17Z"}',
    '{"type":"heartbeat","last_trade_id":10,"product_id":"BTC-USD","sequence":132235026653,"time":"2026-07-07T22:58:18.000000Z"}',
    '{"type":"subscriptions","channels":[{"name":"level2_50","product_ids":["BTC-USD"],"account_ids":null}]}',
    '{"type":"error","message":"Failed to subscribe","reason":"BTC-XYZ is not a valid product"}',
  ],
};

const KRAKEN: Corpus = {
  exchange: "kraken",
  natives: ["BTC/USD", "ETH/USD", "XBT/USD"],
  rest: {},
  snapshots: [
    '{"channel":"book","type":"snapshot","data":[{"symbol":"ETH/USD","bids":[{"price":1774.13,"qty":1.13309580}],"asks":[{"price":1774.14,"qty":2.31805112}],"checksum":3684457465,"timestamp":"2026-07-07T23:00:03.973810Z"}]}',
    '{"channel":"book","type":"update","data":[{"symbol":"ETH/USD","bids":[{"price":1774.10,"qty":1.50000000}],"asks":[{"price":1774.20,"qty":0.50000000}],"checksum":3407811209,"timestamp":"2026-07-07T23:00:03.977459Z"}]}',
    '[320,{"as":[["5541.30000","2.50700000","1534614248.123678"]],"bs":[["5541.20000","1.52900000","1534614248.765567"]]},"book-10","XBT/USD"]',
    '[320,{"b":[["5541.10000","0.40000000","1534614335.345903","r"]],"c":"954178338"},"book-10","XBT/USD"]',
  ],
  frames: [
    '{"channel":"book","type":"update","data":[{"symbol":"ETH/USD","bids":[{"price":1774.10,"qty":1.5}],"asks":[{"price":1774.14,"qty":0}],"checksum":1,"timestamp":"2026-07-07T23:00:03.977459Z"}]}',
    '{"channel":"trade","type":"update","data":[{"symbol":"ETH/USD","side":"buy","price":1774.14,"qty":0.00147959,"ord_type":"limit","trade_id":64175815,"timestamp":"2026-07-07T23:00:04.585581Z"}]}',
    '[320,{"a":[["5541.30000","0.00000000","1534614248.456738"]]},{"b":[["5541.10000","0.4","1534614335.345903","r"]],"c":"974947235"},"book-10","XBT/USD"]',
    '{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online","api_version":"v2","connection_id":4421894013101914413}]}',
    '{"channel":"heartbeat"}',
    '{"event":"heartbeat"}',
  ],
};

function binanceCorpus(exchange: "binance" | "binance_us"): Corpus {
  const body =
    '{"lastUpdateId":100,"bids":[["101.00","2.00"],["100.50","0.10"]],"asks":[["101.50","1.00"],["102.00","0.50"]]}';
  return {
    exchange,
    natives: ["BTCUSDT", "ETHUSDT"],
    rest: { BTCUSDT: body, ETHUSDT: body },
    snapshots: [],
    frames: [
      '{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161255208,"s":"BTCUSDT","U":99,"u":101,"b":[["101.00","0.00"],["100.99","0.00001"]],"a":[["101.75","3.25"]]}}',
      '{"e":"depthUpdate","E":1723161255208,"s":"ETHUSDT","U":101,"u":110,"b":[],"a":[["101.50","7"]]}',
      '{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":1723161256299,"T":1723161256298,"s":"BTCUSDT","U":90,"u":120,"pu":100,"b":[["58710.20","0.014"]],"a":[]}}',
      '{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,"p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}}',
      '{"e":"aggTrade","E":1617647603484,"s":"ETHUSDT","a":18938405,"p":"0.21448000","q":"2062.9","f":1,"l":2,"T":1617647603483,"m":false,"M":true}',
      '{"u":499822861,"s":"BTCUSDT","b":"0.21437000","B":"2800.0","a":"0.21449","A":"11400.0"}',
      '{"result":null,"id":1}',
    ],
  };
}

/** The frames of one exchange. @param withCaptures frames of real captures as well */
export function corpusOf(exchange: ExchangeId, withCaptures: boolean): Corpus {
  const corpus = exchange === "coinbase_exchange" ? COINBASE : exchange === "kraken" ? KRAKEN : binanceCorpus(exchange);
  if (!withCaptures) {
    return corpus;
  }
  const frames = [...corpus.frames];
  for (const file of captureFiles(exchange === "binance_us" ? "binance_us/" : `${exchange}/`)) {
    const fitting = readCapture(file).filter(
      (line) => line.t === "recv" && (line.data?.length ?? 0) < FRAME_CHARACTERS_MAX,
    );
    const step = Math.max(1, Math.floor(fitting.length / FRAMES_PER_FILE));
    frames.push(...fitting.filter((_, index) => index % step === 0).map((line) => renamed(line.data ?? "", exchange)));
  }
  return { ...corpus, frames };
}

/** Captured frames name many instruments and update ids; they are sent to ours and near the snapshot, so that they meet a book. */
function renamed(text: string, exchange: ExchangeId): string {
  if (exchange === "kraken") {
    return text.replace(/"[A-Z]+\/[A-Z]+"\]$/, '"XBT/USD"]');
  }
  if (exchange === "coinbase_exchange") {
    return text;
  }
  const near = text.replace(/"U":\d+,"u":\d+/, '"U":100,"u":103').replace(/"pu":\d+/, '"pu":100');
  return near.replace(/"s":"[A-Z]+"/, '"s":"BTCUSDT"');
}
