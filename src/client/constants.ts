/**
 * Numbers of the codings of the stream and of the client's book, in a file without imports: there a bundler can put each
 * into the places that use it, which matters where bytes are counted. What they mean is drawn in src/wire/PROTOCOL.md.
 * Bad case: an import added here; every bundle grows by the names.
 */

/** 2^32. */
export const TWO_32 = 4294967296;
/** Bits of an i64. */
export const BITS = 64;

/** Varints: set in every byte but the last. */
export const MORE = 128;
/** Bytes of a varint whose value is a double for sure. */
export const SHORT_BYTES = 7;
/** Bytes of a varint of 64 bits. */
export const LONG_BYTES_MAX = 10;
/** Behind five bits, a number below this makes a double for sure: 2^48. */
export const TAGGED_REST_MAX = 281474976710656;

/** Quantities: factor that is taken out, up to so many times. */
export const HUNDRED = 100;
export const FACTORS_MAX = 3;

/** Frames: bytes of hash and chain, and of the CRC-32. */
export const CHECK_BYTES = 8;
export const SEAL_BYTES = 4;

/** Event head: what is present, and the count above. */
export const STATUS_PRESENT = 1;
export const RECORDS_PRESENT = 2;
export const SEQUENCE_PRESENT = 4;
export const COUNT_SCALE = 8;
export const RECORDS_MAX = 0xffffffff;
/** The receive delay is coded in µs when it is a whole number of them; so are both times of a trade. */
export const DELAY_UNIT = 1000;

/** Trade head: aggressor in the two low bits, then these. */
export const HEAD_MAX = 31;
export const HISTORY_BIT = 4;
export const GAP_BIT = 8;
export const NUMERIC_BIT = 16;
export const ID_BYTES_MAX = 48;

/** Best prices: flags. */
export const BBO_BID = 1;
export const BBO_ASK = 2;
export const BBO_CROSSED = 8;
export const BBO_NOT_SYNCED = 16;
export const BBO_FLAGS = 27;

/** Book: numbers of a level (price, quantity), and levels of a chunk. */
export const STRIDE = 2;
export const CHUNK_LEVELS = 256;
