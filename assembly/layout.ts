/**
 * Every byte offset, size, flag and code that crosses a boundary: producer to reader, kernel to host, WebAssembly to twin.
 * Read by both compilers (AssemblyScript and TypeScript), so it holds plain integer constants only. All values are
 * little-endian; addresses are byte addresses in the linear memory; sizes are bytes unless the name says otherwise.
 * Bad case: a number changed here without LAYOUT_VERSION: a reader of another build would trust wrong bytes. A test pins them.
 */

/** Version of the segment layout; readers accept this one and the one before. */
export const LAYOUT_VERSION = 3;
/** First eight bytes of a segment, "ALPHAPLS" as two u32 words. */
export const MAGIC_LOW = 0x48504c41;
export const MAGIC_HIGH = 0x534c5041;

// ── Sides, aggressors ────────────────────────────────────────────────────────────────────────────
export const SIDE_BID = 0;
export const SIDE_ASK = 1;
export const AGGRESSOR_UNKNOWN = 0;
export const AGGRESSOR_BUY = 1;
export const AGGRESSOR_SELL = 2;

/**
 * A level in memory, 16 bytes: 0 priceTicks i64 · 8 quantityLots i64.
 */
export const LEVEL_BYTES = 16;
export const LEVEL_PRICE = 0;
export const LEVEL_QUANTITY = 8;

/**
 * Delta record, 256 bytes = four cache lines, at most 16 changes.
 *
 *   0 eventAtNs u64 │ 8 receivedAtNs u64 │ 16 publishedAtNs u64 │ 24 version u64
 *  32 sourceSequence u64 │ 40 basePriceTicks i64 │ 48 instrumentId u32 │ 52 flags u16 │ 54 changeCount u8 │ 55 –
 *  56 sideMask u16 │ 58 addMask u16 │ 60 bookHash u32
 *  64 quantityLots i64 × 16
 * 192 priceOffsetTicks i32 × 16
 */
export const DELTA_BYTES = 256;
export const DELTA_SHIFT = 8;
export const DELTA_CHANGES_MAX = 16;
export const DELTA_EVENT_AT = 0;
export const DELTA_RECEIVED_AT = 8;
export const DELTA_PUBLISHED_AT = 16;
export const DELTA_VERSION = 24;
export const DELTA_SOURCE_SEQUENCE = 32;
export const DELTA_BASE_PRICE = 40;
export const DELTA_INSTRUMENT_ID = 48;
export const DELTA_FLAGS = 52;
export const DELTA_CHANGE_COUNT = 54;
export const DELTA_SIDE_MASK = 56;
export const DELTA_ADD_MASK = 58;
export const DELTA_BOOK_HASH = 60;
export const DELTA_QUANTITIES = 64;
export const DELTA_PRICE_OFFSETS = 192;

/** Closes an event; BBO and crossing are judged here only. */
export const FLAG_LAST = 1;
/** Came from a snapshot of the exchange. */
export const FLAG_SNAPSHOT = 2;
/** The changes do not lead here: load an image of this version or later. */
export const FLAG_RESET = 4;
/** The book is not right, or not known to be right, after this record. */
export const FLAG_NOT_SYNCED = 8;
/** Best bid above best ask after this event. */
export const FLAG_CROSSED = 16;
export const FLAGS_ALL = 31;

/**
 * Trade record, 128 bytes.
 *
 *   0 eventAtNs u64 │ 8 receivedAtNs u64 │ 16 publishedAtNs u64 │ 24 priceTicks i64 │ 32 quantityLots i64
 *  40 sourceSequence u64 │ 48 instrumentId u32 │ 52 flags u16 │ 54 aggressor u8 │ 55 idLength u8 │ 56 tradeId 48 bytes
 * 104 tradeVersion u64 │ 112 bookVersion u64 │ 120 –
 */
export const TRADE_BYTES = 128;
export const TRADE_SHIFT = 7;
export const TRADE_EVENT_AT = 0;
export const TRADE_RECEIVED_AT = 8;
export const TRADE_PUBLISHED_AT = 16;
export const TRADE_PRICE = 24;
export const TRADE_QUANTITY = 32;
export const TRADE_SOURCE_SEQUENCE = 40;
export const TRADE_INSTRUMENT_ID = 48;
export const TRADE_FLAGS = 52;
export const TRADE_AGGRESSOR = 54;
export const TRADE_ID_LENGTH = 55;
export const TRADE_ID = 56;
export const TRADE_ID_BYTES_MAX = 48;
export const TRADE_VERSION = 104;
export const TRADE_BOOK_VERSION = 112;
/** A replay of past prints (`last_match`, trade snapshots): not a fresh trade. */
export const TRADE_FLAG_HISTORY = 1;
/** The exchange's trade ids jumped before this trade. */
export const TRADE_FLAG_GAP_BEFORE = 2;

/**
 * Segment header page, 4096 bytes. Offsets in it are relative to the segment's first byte.
 *
 *   0 magic 2×u32 │ 8 layoutVersion u32 │ 12 headerBytes u32 │ 16 segmentBytes u64 │ 24 epoch u64
 *  32 pid u32 │ 36 shardIndex u16 │ 38 shardCount u16 │ 40 state u32 │ 44 instrumentCapacity u32 │ 48 instrumentCount u32
 *  52 deltaCapacity u32 │ 56 tradeCapacity u32 │ 60 deltaBytes u32 │ 64 tradeBytes u32
 *  72 tableOffset u64 │ 80 cellsOffset u64 │ 88 deltaRingOffset u64 │ 96 tradeRingOffset u64 │ 104 imagesOffset u64
 * 112 imagesUsed u64 │ 120 wallAnchorNs i64 │ 128 monotonicAnchorNs u64 │ 136 exchange, u8 length + 31 bytes
 * 168 metricsOffset u64 (0 in layout 2, which has none)
 * 192 heartbeatNs u64                                       (own cache line)
 * 256 deltaTailIntent u64 │ 320 deltaTail u64               (own cache lines)
 * 384 tradeTailIntent u64 │ 448 tradeTail u64               (own cache lines)
 * 512 waiting i32: readers set it before they sleep; the producer clears it and wakes
 * 1024 counters, u64 × 64 (COUNTER_*)
 * 1536 endpointCount u32 │ 1600 endpoints, ENDPOINT_BYTES × ENDPOINTS_MAX (none in segments of earlier builds: zeros)
 */
export const HEADER_BYTES = 4096;
export const HEADER_MAGIC = 0;
export const HEADER_LAYOUT_VERSION = 8;
export const HEADER_HEADER_BYTES = 12;
export const HEADER_SEGMENT_BYTES = 16;
export const HEADER_EPOCH = 24;
export const HEADER_PID = 32;
export const HEADER_SHARD_INDEX = 36;
export const HEADER_SHARD_COUNT = 38;
export const HEADER_STATE = 40;
export const HEADER_INSTRUMENT_CAPACITY = 44;
export const HEADER_INSTRUMENT_COUNT = 48;
export const HEADER_DELTA_CAPACITY = 52;
export const HEADER_TRADE_CAPACITY = 56;
export const HEADER_DELTA_BYTES = 60;
export const HEADER_TRADE_BYTES = 64;
export const HEADER_TABLE_OFFSET = 72;
export const HEADER_CELLS_OFFSET = 80;
export const HEADER_DELTA_RING_OFFSET = 88;
export const HEADER_TRADE_RING_OFFSET = 96;
export const HEADER_IMAGES_OFFSET = 104;
export const HEADER_IMAGES_USED = 112;
export const HEADER_WALL_ANCHOR = 120;
export const HEADER_MONOTONIC_ANCHOR = 128;
export const HEADER_EXCHANGE = 136;
export const HEADER_EXCHANGE_BYTES_MAX = 31;
export const HEADER_METRICS_OFFSET = 168;
export const HEADER_HEARTBEAT = 192;
export const HEADER_DELTA_TAIL_INTENT = 256;
export const HEADER_DELTA_TAIL = 320;
export const HEADER_TRADE_TAIL_INTENT = 384;
export const HEADER_TRADE_TAIL = 448;
export const HEADER_WAITING = 512;
export const HEADER_COUNTERS = 1024;
export const HEADER_COUNTERS_MAX = 64;
export const HEADER_ENDPOINT_COUNT = 1536;
export const HEADER_ENDPOINTS = 1600;

export const SEGMENT_STATE_INITIALISING = 0;
export const SEGMENT_STATE_LIVE = 1;
export const SEGMENT_STATE_SUPERSEDED = 2;
export const SEGMENT_STATE_CLOSED = 3;

/** Segments start and are sized at multiples of this, so that a file can be mapped over them later. */
export const SEGMENT_ALIGN = 65536;

/** Counters of a segment (header) — index of a u64; written by the producer only, monotonic within an epoch. */
export const COUNTER_FRAMES = 0;
export const COUNTER_FRAME_BYTES = 1;
export const COUNTER_BOOK_UPDATES = 2;
export const COUNTER_SNAPSHOTS = 3;
export const COUNTER_TRADES = 4;
export const COUNTER_LEVEL_ENTRIES = 5;
export const COUNTER_CHANGES = 6;
/** Level entries that altered nothing (deletes of unknown levels, repeats). */
export const COUNTER_NO_CHANGES = 7;
export const COUNTER_RECORDS = 8;
export const COUNTER_CHECKSUM_OK = 9;
export const COUNTER_CHECKSUM_BAD = 10;
export const COUNTER_GAPS = 11;
export const COUNTER_TRADE_GAPS = 12;
export const COUNTER_TRADE_DUPLICATES = 13;
export const COUNTER_DECODE_ERRORS = 14;
export const COUNTER_UNKNOWN_KINDS = 15;
export const COUNTER_UNKNOWN_INSTRUMENTS = 16;
export const COUNTER_STALE_FRAMES = 17;
export const COUNTER_BUFFERED_FRAMES = 18;
export const COUNTER_NOT_SYNCED_FRAMES = 19;
export const COUNTER_CROSSED = 20;
export const COUNTER_RESCALES = 21;
export const COUNTER_OVERFLOWS = 22;
export const COUNTER_LIMITS = 23;
export const COUNTER_IMAGES = 24;
export const COUNTER_HEARTBEATS = 25;
export const COUNTER_CONTROL_FRAMES = 26;
export const COUNTER_IGNORED_FRAMES = 27;
/** Trade ids longer than 48 bytes that were cut with a hash suffix. */
export const COUNTER_LONG_TRADE_IDS = 28;
/** Written by the host: */
export const COUNTER_RESYNCS = 32;
export const COUNTER_RECONNECTS = 33;
export const COUNTER_REST_REQUESTS = 34;
export const COUNTER_REST_FAILURES = 35;
export const COUNTER_BUFFER_OVERFLOWS = 36;
/** Audits that came to a verdict: the book matched, or it did not. */
export const COUNTER_AUDITS = 37;
export const COUNTER_AUDIT_MISMATCHES = 38;
/** Audits that could not be judged: a resync or rescale came between, or every answer was too old. */
export const COUNTER_AUDITS_INCONCLUSIVE = 39;
/** Audits without a readable answer. */
export const COUNTER_AUDIT_FAILURES = 40;
/** Instruments whose frames came in a form that is not known, three in a row: an alert. */
export const COUNTER_DRIFTS = 45;

/**
 * An address of the exchange and its circuit breaker, 256 bytes; written by the producer only. The count covers an entry
 * when its kind and address stand; every other field is one store, and fields may be of different moments.
 *
 *   0 kind u32 (ENDPOINT_*) │ 4 state u32 (BREAKER_*) │ 8 sinceNs u64 (Unix) │ 16 openUntilNs u64 (Unix; 0 = not open)
 *  24 attempts u64 │ 32 failures u64 │ 40 openings u64 │ 48 lastFailure u32 (FAILURE_*) │ 52 lastStatus u32 (HTTP; 0 = none)
 *  64 address, u8 length + 191 bytes
 */
export const ENDPOINT_BYTES = 256;
export const ENDPOINTS_MAX = 8;
export const ENDPOINT_KIND = 0;
export const ENDPOINT_STATE = 4;
export const ENDPOINT_SINCE = 8;
export const ENDPOINT_OPEN_UNTIL = 16;
export const ENDPOINT_ATTEMPTS = 24;
export const ENDPOINT_FAILURES = 32;
export const ENDPOINT_OPENINGS = 40;
export const ENDPOINT_LAST_FAILURE = 48;
export const ENDPOINT_LAST_STATUS = 52;
export const ENDPOINT_ADDRESS = 64;
export const ENDPOINT_ADDRESS_BYTES_MAX = 191;

export const ENDPOINT_WEBSOCKET = 1;
export const ENDPOINT_REST = 2;

/** A breaker: nothing is wrong. */
export const BREAKER_CLOSED = 0;
/** Its rest is over: one attempt may be made, or is under way. */
export const BREAKER_HALF_OPEN = 1;
/** Nobody may try. */
export const BREAKER_OPEN = 2;

/** How the last failure of an endpoint looked. */
export const FAILURE_NONE = 0;
/** No connection: refused, no such name, TLS. */
export const FAILURE_UNREACHABLE = 1;
/** An HTTP status that refuses. */
export const FAILURE_STATUS = 2;
export const FAILURE_TIMEOUT = 3;
/** It accepted the connection and closed it at once. */
export const FAILURE_CLOSED = 4;

/**
 * Histogram, 8768 bytes: whole nanoseconds, log-linear. Values below HISTOGRAM_LINEAR have a count each; above, every
 * octave has HISTOGRAM_LINEAR counts, so that a count's bounds lie at most 3.1 % apart and its middle errs by 1.6 %.
 * Values at HISTOGRAM_VALUE_MAX and above are counted as that. All are u64 and only grow; the number of values is the sum
 * of the counts.
 *
 *   0 sum u64 │ 8 max u64 │ 16 negative u64 (values below 0: kept out) │ 24 unknown u64 (no value could be had: kept out)
 *  64 counts u64 × HISTOGRAM_COUNTS
 */
export const HISTOGRAM_BYTES = 8768;
export const HISTOGRAM_SUM = 0;
export const HISTOGRAM_MAX = 8;
export const HISTOGRAM_NEGATIVE = 16;
export const HISTOGRAM_UNKNOWN = 24;
export const HISTOGRAM_FIRST_COUNT = 64;
export const HISTOGRAM_COUNTS = 1088;
/** Counts of an octave: 2^HISTOGRAM_LINEAR_SHIFT. */
export const HISTOGRAM_LINEAR = 32;
export const HISTOGRAM_LINEAR_SHIFT = 5;
/** 2^38 − 1 ns, 275 s. */
export const HISTOGRAM_VALUE_MAX = 274877906943;

/**
 * Metrics of a segment, at metricsOffset: a head, the histograms, then INSTRUMENT_METRICS_BYTES for each table entry.
 *
 *   0 clockOffsetNs i64 (our clock − the exchange's, as far as proved; taken off exchange times) │ 8 clockOffsetLow i64
 *  16 clockOffsetHigh i64 (bounds; I64_MIN and I64_MAX = unknown) │ 24 leastDelayNs i64 (least received − event since the host took it;
 *     I64_MAX = none) │ 32 heapUsedBytes u64 (of the producer's thread)
 *  64 histograms: METRICS_EXCHANGE … METRICS_LOOP
 */
export const METRICS_CLOCK_OFFSET = 0;
export const METRICS_CLOCK_LOW = 8;
export const METRICS_CLOCK_HIGH = 16;
export const METRICS_LEAST_DELAY = 24;
export const METRICS_HEAP_USED = 32;
/** Exchange's clock → received, the clock offset taken off; events with a time of their own, snapshots left out. */
export const METRICS_EXCHANGE = 64;
/** Received → published, every event. */
export const METRICS_PUBLISH = 8832;
/** A frame from its arrival until it was decoded, applied and settled. */
export const METRICS_DECODE = 17600;
/** Garbage collector pauses of the producer's thread. */
export const METRICS_PAUSE = 26368;
/** Event-loop delay of the producer's thread. */
export const METRICS_LOOP = 35136;
export const METRICS_INSTRUMENTS = 43904;
/** Exchange times further than this from ours (2^53 ns, 104 days) are no times. */
export const METRICS_DELAY_MAX = 9007199254740992;

/**
 * Counters of one table entry, 384 bytes, u64 each; written by the producer only.
 *
 *   0 frames │ 8 frameBytes (that named this instrument) │ 16 updates (book messages of the socket, snapshots left out) │ 24 changes │ 32 records
 *  40 wholeBookBytes (16 bytes × levels, summed over updates: what re-sending the book would have cost) │ 48 snapshots │ 56 gaps
 *  64 latencyNs i64 (exchange → published of the last update, clock offset taken off; 0 = unknown) │ 72 notSyncedNs (up to the last change of state)
 *  80 snapshotBytes (part of frameBytes)
 * 128 resyncs × 32, by REASON_*
 */
export const INSTRUMENT_METRICS_BYTES = 384;
export const INSTRUMENT_METRICS_FRAMES = 0;
export const INSTRUMENT_METRICS_FRAME_BYTES = 8;
export const INSTRUMENT_METRICS_UPDATES = 16;
export const INSTRUMENT_METRICS_CHANGES = 24;
export const INSTRUMENT_METRICS_RECORDS = 32;
export const INSTRUMENT_METRICS_WHOLE_BOOK = 40;
export const INSTRUMENT_METRICS_SNAPSHOTS = 48;
export const INSTRUMENT_METRICS_GAPS = 56;
export const INSTRUMENT_METRICS_LATENCY = 64;
export const INSTRUMENT_METRICS_NOT_SYNCED = 72;
export const INSTRUMENT_METRICS_SNAPSHOT_BYTES = 80;
export const INSTRUMENT_METRICS_RESYNCS = 128;
export const INSTRUMENT_METRICS_REASONS_MAX = 32;

/**
 * Instrument table entry, 256 bytes. Strings and offsets are written before instrumentCount counts the entry.
 *
 *   0 id u32 │ 4 state u32 │ 8 assurance u32 │ 12 reason u32 │ 16 tradingStatus u32 │ 20 retiredTo u32 (0 = in use)
 *  24 priceExponent i32 (−1 = not yet known) │ 28 quantityExponent i32 │ 32 depth u32 (0 = full) │ 36 currentImage u32 (0 none, 1, 2)
 *  40 imageCapacity u32 (levels) │ 44 flags u32 │ 48 imageOffset u64 (first image; the second follows) │ 56 imageBytes u64 (one)
 *  64 sinceNs u64 │ 72 knownLowTicks i64 │ 80 knownHighTicks i64
 *  96 canonical, u8 length + 47 bytes │ 144 native, u8 length + 63 bytes
 * 208 auditPeriodMs u32 (0 = not audited) │ 212 auditOutcome u32 (AUDIT_*) │ 216 auditedAtNs u64 │ 224 –
 */
export const TABLE_BYTES = 256;
export const TABLE_ID = 0;
export const TABLE_STATE = 4;
export const TABLE_ASSURANCE = 8;
export const TABLE_REASON = 12;
export const TABLE_TRADING_STATUS = 16;
export const TABLE_RETIRED_TO = 20;
export const TABLE_PRICE_EXPONENT = 24;
export const TABLE_QUANTITY_EXPONENT = 28;
export const TABLE_DEPTH = 32;
export const TABLE_CURRENT_IMAGE = 36;
export const TABLE_IMAGE_CAPACITY = 40;
export const TABLE_FLAGS = 44;
export const TABLE_IMAGE_OFFSET = 48;
export const TABLE_IMAGE_BYTES = 56;
export const TABLE_SINCE = 64;
export const TABLE_KNOWN_LOW = 72;
export const TABLE_KNOWN_HIGH = 80;
export const TABLE_CANONICAL = 96;
export const TABLE_CANONICAL_BYTES_MAX = 47;
export const TABLE_NATIVE = 144;
export const TABLE_NATIVE_BYTES_MAX = 63;
export const TABLE_AUDIT_PERIOD = 208;
export const TABLE_AUDIT_OUTCOME = 212;
export const TABLE_AUDITED_AT = 216;
/** TABLE_FLAGS: knownLow/knownHigh bound what the exchange told us (Binance snapshots are cut). */
export const TABLE_FLAG_RANGE_KNOWN = 1;

/** Outcome of an instrument's last audit. */
export const AUDIT_NONE = 0;
/** Every level that could be compared was the same. */
export const AUDIT_MATCH = 1;
/** A level differed that did not change meanwhile: the book is repaired. */
export const AUDIT_MISMATCH = 2;
/** Nothing could be said. */
export const AUDIT_INCONCLUSIVE = 3;
/** No readable answer came. */
export const AUDIT_FAILED = 4;

/** Sync state of an instrument. */
export const STATE_CONNECTING = 0;
export const STATE_WAITING = 1;
export const STATE_SYNCED = 2;
export const STATE_RESYNCING = 3;
export const STATE_OUT_OF_SERVICE = 4;
/** A frame was unreadable; the next event may prove by sequence or checksum that nothing was lost. Shown as resyncing. */
export const STATE_SUSPECT = 5;
export const STATE_RETIRED = 6;

/** How the exchange lets us know that the book is right. */
export const ASSURANCE_NONE = 0;
export const ASSURANCE_SEQUENCE = 1;
export const ASSURANCE_CHECKSUM = 2;
export const ASSURANCE_INFERRED = 3;

/** Why an instrument is not synced. */
export const REASON_NONE = 0;
export const REASON_CONNECTING = 1;
export const REASON_WAITING_SNAPSHOT = 2;
export const REASON_GAP = 3;
export const REASON_CHECKSUM = 4;
export const REASON_CROSSED = 5;
export const REASON_TRADE_GAP = 6;
export const REASON_HEARTBEAT_AHEAD = 7;
export const REASON_UNREADABLE_FRAME = 8;
export const REASON_DISCONNECTED = 9;
export const REASON_OVERFLOW = 10;
export const REASON_RESCALED = 11;
export const REASON_LIMIT = 12;
export const REASON_SILENT = 13;
export const REASON_MAINTENANCE = 14;
export const REASON_REFUSED = 15;
export const REASON_AUDIT = 16;
export const REASON_STOPPED = 17;
export const REASON_DRIFT = 18;
/** Somebody took the instrument out of service for good; its entry is retired without a successor. */
export const REASON_REMOVED = 19;

/** Trading status, separate from sync state. */
export const TRADING_UNKNOWN = 0;
export const TRADING_OPEN = 1;
export const TRADING_HALTED = 2;
export const TRADING_AUCTION = 3;
export const TRADING_LIMITED = 4;

/**
 * Top-of-book cell, 128 bytes, a seqlock: odd sequence while written, read it before and after.
 *
 *  0 sequence u32 │ 4 state u32 │ 8 version u64 │ 16 bidPrice i64 │ 24 bidQuantity i64 │ 32 askPrice i64 │ 40 askQuantity i64
 * 48 tradePrice i64 │ 56 tradeQuantity i64 │ 64 tradeAtNs u64 │ 72 eventAtNs u64 │ 80 receivedAtNs u64
 * 88 instrumentId u32 │ 92 flags u32 (CELL_*) │ 96 tradeVersion u64
 */
export const CELL_BYTES = 128;
export const CELL_SEQUENCE = 0;
export const CELL_STATE = 4;
export const CELL_VERSION = 8;
export const CELL_BID_PRICE = 16;
export const CELL_BID_QUANTITY = 24;
export const CELL_ASK_PRICE = 32;
export const CELL_ASK_QUANTITY = 40;
export const CELL_TRADE_PRICE = 48;
export const CELL_TRADE_QUANTITY = 56;
export const CELL_TRADE_AT = 64;
export const CELL_EVENT_AT = 72;
export const CELL_RECEIVED_AT = 80;
export const CELL_INSTRUMENT_ID = 88;
export const CELL_FLAGS = 92;
export const CELL_TRADE_VERSION = 96;
export const CELL_FLAG_BID = 1;
export const CELL_FLAG_ASK = 2;
export const CELL_FLAG_TRADE = 4;
export const CELL_FLAG_CROSSED = 8;

/**
 * Book image: header 64 bytes, then bids best first, then asks best first, LEVEL_BYTES each.
 *
 *  0 generation u32 (odd while written) │ 4 state u32 │ 8 epoch u64 │ 16 version u64 │ 24 ringSequence u64
 * 32 bidCount u32 │ 36 askCount u32 │ 40 hash u32 │ 44 instrumentId u32 │ 48 eventAtNs u64 │ 56 sourceSequence u64
 */
export const IMAGE_HEADER_BYTES = 64;
export const IMAGE_GENERATION = 0;
export const IMAGE_STATE = 4;
export const IMAGE_EPOCH = 8;
export const IMAGE_VERSION = 16;
export const IMAGE_RING_SEQUENCE = 24;
export const IMAGE_BID_COUNT = 32;
export const IMAGE_ASK_COUNT = 36;
export const IMAGE_HASH = 40;
export const IMAGE_INSTRUMENT_ID = 44;
export const IMAGE_EVENT_AT = 48;
export const IMAGE_SOURCE_SEQUENCE = 56;

/**
 * Producer's instrument block, 512 bytes, private to one collector thread (kernel and host).
 *
 *   0 id u32 │ 4 state u32 │ 8 priceExponent i32 │ 12 quantityExponent i32 (−1 = unknown) │ 16 depth u32 │ 20 reason u32 │ 24 flags u32
 *  28 book u32 (kernel handle) │ 32 version u64 │ 40 lastSequence u64 │ 48 lastTradeId u64 │ 56 tradeVersion u64
 *  64 wirePriceDecimals u32 │ 68 wireQuantityDecimals u32 (Kraken: most decimals seen in tokens since the snapshot)
 *  72 tableAddress u32 │ 76 cellAddress u32 │ 80 imageAddress u32 (0 = no images) │ 84 imageBytes u32 │ 88 imageCapacity u32 (levels)
 *  92 recordsSinceImage u32 │ 96 imageEvery u32 (records) │ 104 eventAt u64 │ 112 receivedAt u64
 * 120 imageAt u64 (ring sequence of the last image) │ 128 checksumCache u32 (kernel's own) │ 132 watch u32 (0 = not watched)
 * 136 metricsAddress u32 (0 = not counted)
 * 384 nameLength u32 │ 388 name, at most 120 bytes
 */
export const INSTRUMENT_BYTES = 512;
export const INSTRUMENT_ID = 0;
export const INSTRUMENT_STATE = 4;
export const INSTRUMENT_PRICE_EXPONENT = 8;
export const INSTRUMENT_QUANTITY_EXPONENT = 12;
export const INSTRUMENT_DEPTH = 16;
export const INSTRUMENT_REASON = 20;
export const INSTRUMENT_FLAGS = 24;
export const INSTRUMENT_BOOK = 28;
export const INSTRUMENT_VERSION = 32;
export const INSTRUMENT_LAST_SEQUENCE = 40;
export const INSTRUMENT_LAST_TRADE_ID = 48;
export const INSTRUMENT_TRADE_VERSION = 56;
export const INSTRUMENT_WIRE_PRICE_DECIMALS = 64;
export const INSTRUMENT_WIRE_QUANTITY_DECIMALS = 68;
export const INSTRUMENT_TABLE_ADDRESS = 72;
export const INSTRUMENT_CELL_ADDRESS = 76;
export const INSTRUMENT_IMAGE_ADDRESS = 80;
export const INSTRUMENT_IMAGE_BYTES = 84;
export const INSTRUMENT_IMAGE_CAPACITY = 88;
export const INSTRUMENT_RECORDS_SINCE_IMAGE = 92;
export const INSTRUMENT_IMAGE_EVERY = 96;
export const INSTRUMENT_EVENT_AT = 104;
export const INSTRUMENT_RECEIVED_AT = 112;
export const INSTRUMENT_IMAGE_AT = 120;
export const INSTRUMENT_CHECKSUM_CACHE = 128;
export const INSTRUMENT_WATCH = 132;
export const INSTRUMENT_METRICS_ADDRESS = 136;
export const INSTRUMENT_NAME_LENGTH = 384;
export const INSTRUMENT_NAME = 388;
export const INSTRUMENT_NAME_BYTES_MAX = 120;
/** A record was published under this id: its exponents are fixed. Set by the kernel. */
export const INSTRUMENT_FLAG_OPENED = 1;
/** The REST snapshot is applied and no event followed yet: the straddling first event is accepted. */
export const INSTRUMENT_FLAG_SPLICING = 2;
/** The snapshot itself was crossed (or an auction runs): Crossed is published and does not unsync. */
export const INSTRUMENT_FLAG_ALLOW_CROSSED = 4;
/** A trade id was seen: continuity is judged. */
export const INSTRUMENT_FLAG_TRADE_SEEN = 16;

/** The book outgrew its image: the host opens a larger one. Set by the kernel. */
export const INSTRUMENT_FLAG_IMAGE_FULL = 32;

/**
 * Watch: what the socket touches of an instrument's book between watchOpen and watchClose, and how the book then compares
 * with a REST body. Made by watchCreate, one per instrument.
 *
 *   0 instrument u32 │ 4 touched u32 (book handle: the levels named by events) │ 8 late u32 (the same, since WATCH_PHASE_ASKED)
 *  12 phase u32 (WATCH_PHASE_*, the host says when the request goes out) │ 16 flags u32
 *  20 restLevels u32 (asked per side; 0 = all) │ 24 restDecimals i32 (of the body's quantities; −1 = exact) │ 28 narrowed u32 (bit per side)
 *  32 lowTicks i64 │ 40 highTicks i64 (asserted range; the host sets them) │ 48 narrowBid i64 │ 56 narrowAsk i64 (worst price held at all times)
 * auditCompare fills:
 *  64 bodySequence u64 │ 72 bodyTimeNs i64 (0 = the body has none) │ 80 compared u32 │ 84 mismatches u32 │ 88 touchedLevels u32
 *  92 agreeing u32 (changes before the request that the body knows) │ 96 disagreeing u32 │ 100 bidCount u32 │ 104 askCount u32
 * 128 the first WATCH_MISMATCHES_MAX mismatches, 32 bytes: price i64 │ ours i64 (0 = absent) │ theirs i64 (−1 = absent) │ side u32
 */
export const WATCH_BYTES = 2176;
export const WATCH_INSTRUMENT = 0;
export const WATCH_TOUCHED = 4;
export const WATCH_LATE = 8;
export const WATCH_PHASE = 12;
export const WATCH_FLAGS = 16;
export const WATCH_REST_LEVELS = 20;
export const WATCH_REST_DECIMALS = 24;
export const WATCH_NARROWED = 28;
export const WATCH_LOW = 32;
export const WATCH_HIGH = 40;
export const WATCH_NARROW_BID = 48;
export const WATCH_NARROW_ASK = 56;
export const WATCH_BODY_SEQUENCE = 64;
export const WATCH_BODY_TIME = 72;
export const WATCH_COMPARED = 80;
export const WATCH_MISMATCHES = 84;
export const WATCH_TOUCHED_LEVELS = 88;
export const WATCH_AGREEING = 92;
export const WATCH_DISAGREEING = 96;
export const WATCH_BID_COUNT = 100;
export const WATCH_ASK_COUNT = 104;
export const WATCH_LIST = 128;
export const WATCH_MISMATCHES_MAX = 64;
export const WATCH_MISMATCH_BYTES = 32;
export const WATCH_MISMATCH_PRICE = 0;
export const WATCH_MISMATCH_OURS = 8;
export const WATCH_MISMATCH_THEIRS = 16;
export const WATCH_MISMATCH_SIDE = 24;
export const WATCH_PHASE_CLOSED = 0;
export const WATCH_PHASE_OPEN = 1;
export const WATCH_PHASE_ASKED = 2;
/** A snapshot, a rescale or a fault came, or the arena was exhausted: nothing can be said of this window. */
export const WATCH_FLAG_BROKEN = 1;

/** auditCompare results. */
export const COMPARE_OK = 0;
/** No depth body: not JSON, no levels, levels out of order, or numbers that the instrument cannot hold. */
export const COMPARE_UNREADABLE = 1;
/** The watch is broken or closed. */
export const COMPARE_BROKEN = 2;

/** Decoders. */
export const DECODER_COINBASE_EXCHANGE = 1;
export const DECODER_KRAKEN = 2;
export const DECODER_BINANCE = 3;

/**
 * What one apply call found, 128 bytes at outcomeAddress().
 *
 *  0 code i32 │ 4 instrument u32 (block address, 0 = none) │ 8 detail i32 (REASON_* or DECODE_*) │ 12 –
 * 16 needPriceExponent i32 │ 20 needQuantityExponent i32 │ 24 symbolAddress u32 │ 28 symbolLength u32
 * 32 firstSequence u64 │ 40 lastSequence u64 │ 48 records u32 │ 52 changes u32 │ 56 entries u32 │ 60 flags u32 (record flags)
 * 64 eventAtNs u64 │ 72 checksumExpected u32 │ 76 checksumComputed u32 │ 80 events u32 (book events applied) │ 84 trades u32
 */
export const OUTCOME_BYTES = 128;
export const OUTCOME_CODE = 0;
export const OUTCOME_INSTRUMENT = 4;
export const OUTCOME_DETAIL = 8;
export const OUTCOME_NEED_PRICE_EXPONENT = 16;
export const OUTCOME_NEED_QUANTITY_EXPONENT = 20;
export const OUTCOME_SYMBOL_ADDRESS = 24;
export const OUTCOME_SYMBOL_LENGTH = 28;
export const OUTCOME_FIRST_SEQUENCE = 32;
export const OUTCOME_LAST_SEQUENCE = 40;
export const OUTCOME_RECORDS = 48;
export const OUTCOME_CHANGES = 52;
export const OUTCOME_ENTRIES = 56;
export const OUTCOME_FLAGS = 60;
export const OUTCOME_EVENT_AT = 64;
export const OUTCOME_CHECKSUM_EXPECTED = 72;
export const OUTCOME_CHECKSUM_COMPUTED = 76;
export const OUTCOME_EVENTS = 80;
export const OUTCOME_TRADES = 84;

/** A known kind that carries nothing for the book (ticker, kline, …). */
export const APPLY_IGNORED = 0;
/** Book changes were applied and recorded. */
export const APPLY_BOOK = 1;
/** The book was replaced by a snapshot of the exchange. */
export const APPLY_SNAPSHOT = 2;
/** Trades were recorded. */
export const APPLY_TRADES = 3;
/** A heartbeat, and it agrees with what was seen. */
export const APPLY_HEARTBEAT = 4;
/** Acknowledgement, error, status: the host reads it as JSON. */
export const APPLY_CONTROL = 5;
/** A best-bid-offer frame; not used for the book. */
export const APPLY_TICKER = 6;
/** The instrument waits for its REST snapshot: the host keeps the frame (first/lastSequence are set). */
export const APPLY_BUFFER = 7;
/** An event older than the book: dropped. */
export const APPLY_STALE = 8;
/** A book event for an instrument that is not synced: dropped. */
export const APPLY_NOT_SYNCED = 9;
/** Known to be well-formed JSON of a kind nobody documented: counted, ignored. */
export const APPLY_UNKNOWN_KIND = 10;
/** The instrument is not ours; symbolAddress/symbolLength name it. Nothing was applied. */
export const APPLY_UNKNOWN_INSTRUMENT = 11;
/** A loss that the exchange's rule shows; the instrument is not synced from here (detail = REASON_*). */
export const APPLY_GAP = 12;
/** The checksum differs; the event was applied, its record says NotSynced. */
export const APPLY_CHECKSUM_BAD = 13;
/** Crossed after the whole event; the instrument is not synced from here. */
export const APPLY_CROSSED = 14;
/** Tokens need more digits than the instrument's exponents: nothing applied; rescale, then apply the frame again. */
export const APPLY_RESCALE = 15;
/** A number does not fit i64 even so: the instrument is out of service. */
export const APPLY_OVERFLOW = 16;
/** The frame could not be read; nothing applied; instrument is set when it could still be told. */
export const APPLY_DECODE_ERROR = 17;
/** A named limit was hit (scratch, arena, image): detail says which. */
export const APPLY_LIMIT = 18;

/** Details of APPLY_DECODE_ERROR. */
export const DECODE_SYNTAX = 1;
export const DECODE_FIELD_MISSING = 2;
export const DECODE_FIELD_TYPE = 3;
export const DECODE_NUMBER = 4;
export const DECODE_TIME = 5;
export const DECODE_DUPLICATE_FIELD = 6;
export const DECODE_RANGE = 7;
export const DECODE_NEGATIVE = 8;

/** Details of APPLY_LIMIT. */
export const LIMIT_FRAME_LEVELS = 1;
export const LIMIT_FRAME_EVENTS = 2;
export const LIMIT_ARENA = 3;
export const LIMIT_IMAGE = 4;

/** parseDecimal results. */
export const DECIMAL_OK = 0;
export const DECIMAL_SYNTAX = 1;
export const DECIMAL_OVERFLOW = 2;
/** parseDecimal output, 16 bytes: 0 mantissa i64 │ 8 decimals i32 (as written) │ 12 neededDecimals i32 (without trailing zeros) */
export const DECIMAL_BYTES = 16;
export const DECIMAL_MANTISSA = 0;
export const DECIMAL_DECIMALS = 8;
export const DECIMAL_NEEDED = 12;
/** Most decimals that an exponent may have. */
export const EXPONENT_MAX = 18;

/** bookApply results. */
export const BOOK_UNCHANGED = 0;
export const BOOK_CHANGED = 1;
export const BOOK_ADDED = 2;
export const BOOK_REMOVED = 3;
export const BOOK_FULL = -1;

/**
 * Ring reader block, 64 bytes: 0 cursor u64 │ 8 lost u64 (records overwritten before they were read, exact)
 * 16 segment u32 (address) │ 20 ring u32 (RING_*) │ 24 laps u32
 */
export const READER_BYTES = 64;
export const READER_CURSOR = 0;
export const READER_LOST = 8;
export const READER_SEGMENT = 16;
export const READER_RING = 20;
export const READER_LAPS = 24;
export const RING_DELTAS = 0;
export const RING_TRADES = 1;
/** readerPoll: the ring overtook the reader; `lost` has grown and the cursor stands at tail − capacity/4. */
export const POLL_LAPPED = -1;

/**
 * Replica block, 256 bytes: a reader's book, and the encoder or decoder state of its stream view.
 *
 *   0 instrumentId u32 │ 4 book u32 (kernel handle) │ 8 version u64 │ 16 hash u32 │ 20 flags u32 (record flags at the last Last)
 *  24 state u32 (REPLICA_STATE_*) │ 28 chain u32 │ 32 eventAt u64 │ 40 receivedAt u64 │ 48 sourceSequence u64
 *  56 priceExponent i32 │ 60 quantityExponent i32 │ 64 alias u32 │ 68 timeUnit u32 (ns; 1, 1000, 1000000)
 *  72 frameAddress u32 (first byte of the frame that frameTake closed) │ 76 bufferAddress u32 │ 80 bufferBytes u32
 *  84 bufferUsed u32 │ 88 events u32 (whole events in the buffer) │ 92 framesSinceCheck u32 │ 96 changes u64 (applied)
 * 104 nextLevel u32 (snapshot coding) │ 108 bidCount u32 (announced) │ 112 askCount u32 │ 116 pendingHash u32 │ 120 joinSequence u64
 * 128 eventOpen u32 │ 132 eventStart u32 │ 136 eventRecords u32 │ 140 eventChanges u32 │ 144 refBid i64 │ 152 refAsk i64
 * 160 epoch u32 (of the view; the host sets it, snapshots carry it) │ 164 life u32 (grows when the book is forgotten)
 * 168 eventVersion u64 (at the end of the last whole event) │ 176 historyFrom u64 (written by historyReach)
 * 184 historyFloor u64 (no older version is reached) │ 192 history u32 (address of its entries, 0 = none) │ 196 historyEntries u32
 * 200 historyUsed u32 │ 204 historyNext u32 (entry written next) │ 208 baseVersion u64 (of the base when viewFollow last ran) │ 216 baseLife u32
 */
export const REPLICA_BYTES = 256;
export const REPLICA_INSTRUMENT_ID = 0;
export const REPLICA_BOOK = 4;
export const REPLICA_VERSION = 8;
export const REPLICA_HASH = 16;
export const REPLICA_FLAGS = 20;
export const REPLICA_STATE = 24;
export const REPLICA_CHAIN = 28;
export const REPLICA_EVENT_AT = 32;
export const REPLICA_RECEIVED_AT = 40;
export const REPLICA_SOURCE_SEQUENCE = 48;
export const REPLICA_PRICE_EXPONENT = 56;
export const REPLICA_QUANTITY_EXPONENT = 60;
export const REPLICA_ALIAS = 64;
export const REPLICA_TIME_UNIT = 68;
export const REPLICA_FRAME_ADDRESS = 72;
export const REPLICA_BUFFER_ADDRESS = 76;
export const REPLICA_BUFFER_BYTES = 80;
export const REPLICA_BUFFER_USED = 84;
export const REPLICA_EVENTS = 88;
export const REPLICA_FRAMES_SINCE_CHECK = 92;
export const REPLICA_CHANGES = 96;
export const REPLICA_NEXT_LEVEL = 104;
export const REPLICA_BID_COUNT = 108;
export const REPLICA_ASK_COUNT = 112;
export const REPLICA_PENDING_HASH = 116;
export const REPLICA_JOIN_SEQUENCE = 120;
export const REPLICA_EVENT_OPEN = 128;
export const REPLICA_EVENT_START = 132;
export const REPLICA_EVENT_RECORDS = 136;
export const REPLICA_REF_BID = 144;
export const REPLICA_REF_ASK = 152;
export const REPLICA_EVENT_CHANGES = 140;
export const REPLICA_EPOCH = 160;
export const REPLICA_LIFE = 164;
export const REPLICA_EVENT_VERSION = 168;
export const REPLICA_HISTORY_FROM = 176;
export const REPLICA_HISTORY_FLOOR = 184;
export const REPLICA_HISTORY = 192;
export const REPLICA_HISTORY_ENTRIES = 196;
export const REPLICA_HISTORY_USED = 200;
export const REPLICA_HISTORY_NEXT = 204;
export const REPLICA_BASE_VERSION = 208;
export const REPLICA_BASE_LIFE = 216;

/**
 * Entry of a replica's history, 32 bytes: one change of the book, as it was applied.
 *
 *  0 price i64 │ 8 quantity i64 (after the change) │ 16 version u64 (of the record that brought it)
 * 24 kind u32 (side | HISTORY_HELD) │ 28 records u32 (version − the version before its event)
 */
export const HISTORY_BYTES = 32;
export const HISTORY_PRICE = 0;
export const HISTORY_QUANTITY = 8;
export const HISTORY_VERSION = 16;
export const HISTORY_KIND = 24;
export const HISTORY_RECORDS = 28;
/** The level was there before the change. */
export const HISTORY_HELD = 2;
/** Entries of a history: a power of two, at least 2 and at most this. */
export const HISTORY_ENTRIES_MAX = 1048576;

/** Change as historyChanges writes it, 24 bytes: 0 price i64 │ 8 quantity i64 (0 = removed) │ 16 side u32 │ 20 – */
export const CHANGE_BYTES = 24;
export const CHANGE_PRICE = 0;
export const CHANGE_QUANTITY = 8;
export const CHANGE_SIDE = 16;

/** The replica has no book yet, or lost it: load an image (segment) or a snapshot (stream). */
export const REPLICA_STATE_EMPTY = 0;
/** The book equals the producer's at `version` (whether that book is synced is in the flags). */
export const REPLICA_STATE_FOLLOWING = 1;
/** Snapshot parts are arriving. */
export const REPLICA_STATE_LOADING = 2;

/** replicaApply and frameApply results. */
export const REPLICA_OK = 0;
/** Reset record: load an image at this version or later. The record is consumed. */
export const REPLICA_RESET = 1;
/** Record at or before the version held: skipped. */
export const REPLICA_STALE = 2;
/** The replica has no book: skipped until an image or snapshot is loaded. */
export const REPLICA_EMPTY = 3;
/** The version does not follow the one held. The replica is EMPTY now. */
export const REPLICA_CHAIN_BROKEN = -1;
/** Hash or chain hash differ. The replica is EMPTY now. */
export const REPLICA_HASH_MISMATCH = -2;
/** A field contradicts the book or itself. The replica is EMPTY now. */
export const REPLICA_INCONSISTENT = -3;
/** The encoder's buffer cannot take another record: take the frame first. Nothing was consumed. */
export const REPLICA_BUFFER_FULL = -4;
/** No memory for the book. The replica is EMPTY now. */
export const REPLICA_NO_MEMORY = -5;

/** imageLoad results. */
export const IMAGE_OK = 0;
/** There is no image yet. */
export const IMAGE_NONE = 1;
/** The image was overwritten while it was copied, every time. */
export const IMAGE_BUSY = 2;
/** The ring has already overtaken the image's position. */
export const IMAGE_LAPPED = 3;
/** Counts, hash or id are wrong. */
export const IMAGE_CORRUPT = -1;

/**
 * Stream frames (subprotocol alphapulse.v1.bin): byte 0 = kind | flags, then the alias as varint, then the body; all kinds
 * but deltas end with the CRC-32 of what stands before. The grammar is drawn in src/wire/PROTOCOL.md.
 */
export const FRAME_DELTAS = 1;
export const FRAME_SNAPSHOT = 2;
export const FRAME_TRADES = 3;
export const FRAME_BBO = 4;
/** The last quantity per price since a version: what a client missed, in one step. */
export const FRAME_CONFLATED = 5;
export const FRAME_KIND_MASK = 15;
/** Deltas: hash u32 and chain u32 end the frame. */
export const FRAME_FLAG_CHECK = 16;
/** Snapshot: first part, carries the head. */
export const FRAME_FLAG_FIRST = 32;
/** Snapshot: last part, the hash must hold now. */
export const FRAME_FLAG_FINAL = 64;
/** Frames are kept at or below this, but for a single event that is larger. */
export const FRAME_BYTES_MAX = 65536;

/** BBO as decoded, 64 bytes: 0 flags u32 (CELL_FLAG_*) │ 8 version u64 │ 16 bidPrice │ 24 bidQuantity │ 32 askPrice │ 40 askQuantity │ 48 eventAt u64 │ 56 receivedAt u64 */
export const BBO_BYTES = 64;
export const BBO_FLAGS = 0;
export const BBO_VERSION = 8;
export const BBO_BID_PRICE = 16;
export const BBO_BID_QUANTITY = 24;
export const BBO_ASK_PRICE = 32;
export const BBO_ASK_QUANTITY = 40;
export const BBO_EVENT_AT = 48;
export const BBO_RECEIVED_AT = 56;

/** A snapshot at most this large (levels of it and of the held book together) is published as its true difference. */
export const INLINE_SNAPSHOT_LEVELS = 256;

/** Limits of one frame of an exchange. */
export const FRAME_LEVELS_MAX = 262144;
export const FRAME_EVENTS_MAX = 64;
export const FRAME_TRADES_MAX = 4096;
export const JSON_DEPTH_MAX = 32;
