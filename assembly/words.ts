/**
 * Words of the exchanges' JSON as little-endian integers, so that a key or a kind is recognised by one or two comparisons.
 * A word of up to eight bytes is one u64; a longer one is its first eight bytes and its last eight.
 * Bad case: a word compared without its length: "a" would equal "a\0".
 */
/** type */
export const TYPE: u64 = 0x65707974;
/** changes */
export const CHANGES: u64 = 0x7365676e616863;
/** bids */
export const BIDS: u64 = 0x73646962;
/** asks */
export const ASKS: u64 = 0x736b7361;
/** time */
export const TIME: u64 = 0x656d6974;
/** trade_id */
export const TRADE_ID: u64 = 0x64695f6564617274;
/** side */
export const SIDE: u64 = 0x65646973;
/** size */
export const SIZE: u64 = 0x657a6973;
/** price */
export const PRICE: u64 = 0x6563697270;
/** sequence */
export const SEQUENCE: u64 = 0x65636e6575716573;
/** buy */
export const BUY: u64 = 0x797562;
/** sell */
export const SELL: u64 = 0x6c6c6573;
/** snapshot */
export const SNAPSHOT: u64 = 0x746f687370616e73;
/** l2update */
export const L2UPDATE: u64 = 0x657461647075326c;
/** match */
export const MATCH: u64 = 0x686374616d;
/** status */
export const STATUS: u64 = 0x737574617473;
/** ticker */
export const TICKER: u64 = 0x72656b636974;
/** error */
export const ERROR: u64 = 0x726f727265;
/** channel */
export const CHANNEL: u64 = 0x6c656e6e616863;
/** data: the key of a payload */
export const PAYLOAD: u64 = 0x61746164;
/** method */
export const METHOD: u64 = 0x646f6874656d;
/** Error */
export const UPPER_ERROR: u64 = 0x726f727245;
/** event */
export const EVENT: u64 = 0x746e657665;
/** symbol */
export const SYMBOL: u64 = 0x6c6f626d7973;
/** checksum */
export const CHECKSUM: u64 = 0x6d75736b63656863;
/** qty */
export const QTY: u64 = 0x797471;
/** book */
export const BOOK: u64 = 0x6b6f6f62;
/** trade */
export const TRADE: u64 = 0x6564617274;
/** update */
export const UPDATE: u64 = 0x657461647075;
/** pong */
export const PONG: u64 = 0x676e6f70;
/** ohlc */
export const OHLC: u64 = 0x636c686f;
/** level3 */
export const LEVEL3: u64 = 0x336c6576656c;
/** a */
export const A: u64 = 0x61;
/** b */
export const B: u64 = 0x62;
/** e */
export const E: u64 = 0x65;
/** u */
export const U: u64 = 0x75;
/** pu */
export const PU: u64 = 0x7570;
/** t */
export const T: u64 = 0x74;
/** result */
export const RESULT: u64 = 0x746c75736572;
/** id */
export const ID: u64 = 0x6469;
/** code */
export const CODE: u64 = 0x65646f63;
/** aggTrade */
export const AGG_TRADE: u64 = 0x6564617254676761;
/** kline */
export const KLINE: u64 = 0x656e696c6b;
/** avgPrice */
export const AVG_PRICE: u64 = 0x6563697250677661;
/** MARKET */
export const MARKET: u64 = 0x54454b52414d;
/** product_id */
export const PRODUCT_ID: u64 = 0x5f746375646f7270;
export const PRODUCT_ID_TAIL: u64 = 0x64695f746375646f;
export const PRODUCT_ID_LENGTH: usize = 10;
/** last_trade_id */
export const LAST_TRADE_ID: u64 = 0x6172745f7473616c;
export const LAST_TRADE_ID_TAIL: u64 = 0x64695f6564617274;
export const LAST_TRADE_ID_LENGTH: usize = 13;
/** last_match */
export const LAST_MATCH: u64 = 0x74616d5f7473616c;
export const LAST_MATCH_TAIL: u64 = 0x686374616d5f7473;
export const LAST_MATCH_LENGTH: usize = 10;
/** heartbeat */
export const HEARTBEAT: u64 = 0x6165627472616568;
export const HEARTBEAT_TAIL: u64 = 0x7461656274726165;
export const HEARTBEAT_LENGTH: usize = 9;
/** subscriptions */
export const SUBSCRIPTIONS: u64 = 0x7069726373627573;
export const SUBSCRIPTIONS_TAIL: u64 = 0x736e6f6974706972;
export const SUBSCRIPTIONS_LENGTH: usize = 13;
/** timestamp */
export const TIMESTAMP: u64 = 0x6d617473656d6974;
export const TIMESTAMP_TAIL: u64 = 0x706d617473656d69;
export const TIMESTAMP_LENGTH: usize = 9;
/** instrument */
export const INSTRUMENT: u64 = 0x656d757274736e69;
export const INSTRUMENT_TAIL: u64 = 0x746e656d75727473;
export const INSTRUMENT_LENGTH: usize = 10;
/** lastUpdateId */
export const LAST_UPDATE_ID: u64 = 0x616470557473616c;
export const LAST_UPDATE_ID_TAIL: u64 = 0x6449657461647055;
export const LAST_UPDATE_ID_LENGTH: usize = 12;
/** systemStatus */
export const SYSTEM_STATUS: u64 = 0x74536d6574737973;
export const SYSTEM_STATUS_TAIL: u64 = 0x7375746174536d65;
export const SYSTEM_STATUS_LENGTH: usize = 12;
/** subscriptionStatus */
export const SUBSCRIPTION_STATUS: u64 = 0x7069726373627573;
export const SUBSCRIPTION_STATUS_MIDDLE: u64 = 0x746174536e6f6974;
export const SUBSCRIPTION_STATUS_TAIL: u64 = 0x7375746174536e6f;
export const SUBSCRIPTION_STATUS_LENGTH: usize = 18;
/** depthUpdate */
export const DEPTH_UPDATE: u64 = 0x6470556874706564;
export const DEPTH_UPDATE_TAIL: u64 = 0x6574616470556874;
export const DEPTH_UPDATE_LENGTH: usize = 11;
/** bookTicker */
export const BOOK_TICKER: u64 = 0x6b6369546b6f6f62;
export const BOOK_TICKER_TAIL: u64 = 0x72656b6369546b6f;
export const BOOK_TICKER_LENGTH: usize = 10;
/** serverShutdown */
export const SERVER_SHUTDOWN: u64 = 0x6853726576726573;
export const SERVER_SHUTDOWN_TAIL: u64 = 0x6e776f6474756853;
export const SERVER_SHUTDOWN_LENGTH: usize = 14;
/** 24hrTicker */
export const N24HR_TICKER: u64 = 0x6b63695472683432;
export const N24HR_TICKER_TAIL: u64 = 0x72656b6369547268;
export const N24HR_TICKER_LENGTH: usize = 10;
/** 24hrMiniTicker */
export const N24HR_MINI_TICKER: u64 = 0x696e694d72683432;
export const N24HR_MINI_TICKER_TAIL: u64 = 0x72656b636954696e;
export const N24HR_MINI_TICKER_LENGTH: usize = 14;
/** markPriceUpdate */
export const MARK_PRICE_UPDATE: u64 = 0x636972506b72616d;
export const MARK_PRICE_UPDATE_TAIL: u64 = 0x6574616470556563;
export const MARK_PRICE_UPDATE_LENGTH: usize = 15;
/** forceOrder */
export const FORCE_ORDER: u64 = 0x64724f6563726f66;
export const FORCE_ORDER_TAIL: u64 = 0x726564724f656372;
export const FORCE_ORDER_LENGTH: usize = 10;
/** 1hTicker */
export const N1H_TICKER: u64 = 0x72656b6369546831;
/** 4hTicker */
export const N4H_TICKER: u64 = 0x72656b6369546834;
/** 1dTicker */
export const N1D_TICKER: u64 = 0x72656b6369546431;
