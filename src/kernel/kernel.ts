/**
 * The kernel: everything between the bytes of a frame and the bytes of a record or a wire frame, as functions over one
 * linear memory. Two implementations exist, `wasm` (assembly/) and `twin` (src/kernel/twin/); both write the same bytes.
 * Only addresses, 32-bit integers and doubles cross this interface; 64-bit integers lie in memory (assembly/layout.ts).
 * Bad case: views kept over memory that grows; the memory is sized once and never grows.
 *
 * Times: `receivedAt` and `now` are nanoseconds since the wall anchor (clockAnchor) as a double; negative = unknown.
 * One kernel instance belongs to one thread. Handles (books) mean something to the instance that made them only.
 */

/** Which implementation. */
export type KernelName = "wasm" | "twin";

/** Decimal text, hashes, checksums. */
export interface KernelText {
  /**
   * Reads plain or exponent decimal text exactly.
   * @param out DECIMAL_BYTES at an 8-aligned address: mantissa, decimals as written, decimals needed
   * @returns DECIMAL_OK, DECIMAL_SYNTAX or DECIMAL_OVERFLOW
   */
  parseDecimal(text: number, length: number, out: number): number;
  /**
   * Writes the i64 at `value` as plain decimal text without exponent and trailing zeros.
   * @param exponent digits after the point, 0 … 18
   * @param out at least 24 bytes
   * @returns bytes written
   */
  formatDecimal(value: number, exponent: number, out: number): number;
  /** MurmurHash3 of one level (side, price, quantity), u32 as a non-negative number. @param level LEVEL_BYTES */
  levelHash(side: number, level: number): number;
  /** CRC-32 (IEEE), u32 as a non-negative number. */
  crc32(address: number, length: number): number;
}

/** The private arena of this instance. */
export interface KernelArena {
  /** Gives the instance its private range; everything it allocates lies there. @param base 64-aligned */
  arenaInit(base: number, bytes: number): void;
  /** Allocates zeroed bytes, 64-aligned, for the life of the instance. @returns 0 when the arena is exhausted */
  arenaAllocate(bytes: number): number;
  /** Bytes in use. */
  arenaUsed(): number;
}

/** Full-depth books. */
export interface KernelBook {
  /** @returns a handle, 0 when the arena is exhausted */
  bookCreate(): number;
  /** Removes every level. */
  bookClear(book: number): void;
  /** Sets one level to an absolute quantity (0 removes). @returns BOOK_* */
  bookApply(book: number, side: number, level: number): number;
  /** Drops the worst levels of a side beyond `depth`. @returns how many */
  bookTruncate(book: number, side: number, depth: number): number;
  /** Levels of a side. */
  bookCount(book: number, side: number): number;
  /** Book hash (design: sum of level hashes), u32. */
  bookHash(book: number): number;
  /** Writes up to `limit` levels, best first, beginning with the `from`-th (0 = best). @returns how many */
  bookWalk(book: number, side: number, from: number, limit: number, out: number): number;
  /** Whether every level stays within i64 when it is scaled so. @returns 1, or 0 when i64 would overflow */
  bookCanScale(book: number, pricePower: number, quantityPower: number): number;
  /** Multiplies prices by 10^pricePower and quantities by 10^quantityPower, exactly. @returns 0, or 1 when i64 would overflow (book unchanged) */
  bookScale(book: number, pricePower: number, quantityPower: number): number;
}

/** The producer of one segment: frames in, records out. */
export interface KernelProducer {
  /** Sets the wall anchor (Unix ns) that receivedAt and now are relative to. */
  clockAnchor(low: number, high: number): void;
  /** Binds this instance to the segment it produces. @param segment address of its header */
  producerAttach(segment: number): void;
  /** Creates an instrument block; a name that exists already returns its block. @returns block address, 0 when exhausted */
  instrumentCreate(name: number, nameLength: number): number;
  /** @returns block address, 0 when unknown */
  instrumentFind(name: number, nameLength: number): number;
  /** The OUTCOME_BYTES that apply and applySnapshot fill. */
  outcomeAddress(): number;
  /**
   * Decodes one frame, applies it and writes its records behind the tail.
   * @param decoder DECODER_*
   * @returns APPLY_*; more in the outcome
   */
  apply(decoder: number, frame: number, length: number, receivedAt: number): number;
  /** Replaces an instrument's book by a REST body of its exchange. @returns APPLY_* (APPLY_SNAPSHOT when it held) */
  applySnapshot(decoder: number, instrument: number, body: number, length: number, receivedAt: number): number;
  /** Says that an instrument is not synced: state and reason are set and a NotSynced record is written when it was synced. */
  instrumentUnsync(instrument: number, state: number, reason: number, receivedAt: number): void;
  /** Writes the last record (NotSynced) under the current id, because a rescale follows. The host then sets id and addresses of the next one. */
  instrumentRetire(instrument: number, receivedAt: number): void;
  /**
   * Sets the exponents, scaling the book; after instrumentRetire the versions start again at 0 and a synced book is published by an image and a Reset record.
   * @returns 0, or 1 when i64 would overflow (nothing changed)
   */
  instrumentRescale(instrument: number, priceExponent: number, quantityExponent: number, receivedAt: number): number;
  /** Stamps the batch, moves both tails, wakes waiting readers, takes a due image. @returns records published */
  publish(now: number): number;
}

/** The audit of a producer's books against REST. */
export interface KernelAudit {
  /** Makes the watch of an instrument; the host keeps it for the instrument's life. @returns WATCH_BYTES block, 0 when exhausted */
  watchCreate(instrument: number): number;
  /** From now on every level that the instrument's events name is noted. Cost: about 0.1 µs a level while open, nothing else. */
  watchOpen(watch: number): void;
  /** Ends the noting. */
  watchClose(watch: number): void;
  /**
   * Compares the watched book with a REST depth body of any exchange, leaving out the levels noted.
   * @returns COMPARE_*; the findings stand in the watch. Cost: 3 ms for 45,000 levels on wasm
   */
  auditCompare(watch: number, body: number, length: number): number;
  /**
   * Sets one level and publishes the change, as a lost or wrong update of the exchange would leave the book: for tests and
   * simulations only. @param level LEVEL_BYTES
   */
  levelForce(instrument: number, side: number, level: number, receivedAt: number): void;
}

/** Histograms of spans in shared memory (HISTOGRAM_BYTES each); readers look at the memory itself. */
export interface KernelHistogram {
  /**
   * Records one span. @param nanoseconds negative = counted as such and kept out; NaN = counted as unknown and kept out
   * Cost: 6 ns on wasm, nothing is allocated.
   */
  histogramRecord(histogram: number, nanoseconds: number): void;
  /**
   * Records for every whole event in a row of delta records how long ago it was published.
   * @param anchorLow of the Unix ns that `now` is relative to @param now ns since then, finite
   */
  histogramSpans(
    histogram: number,
    records: number,
    count: number,
    anchorLow: number,
    anchorHigh: number,
    now: number,
  ): void;
}

/** Readers of rings, images and records. */
export interface KernelReader {
  /** @param ring RING_* @returns READER_BYTES block, its cursor at the tail; the host may set the cursor */
  readerCreate(segment: number, ring: number): number;
  /** Copies up to `limit` records to `out`. @returns how many, or POLL_LAPPED */
  readerPoll(reader: number, out: number, limit: number): number;
  /** @returns REPLICA_BYTES block, EMPTY; the host sets id, exponents, alias, time unit, epoch; 0 when the arena is exhausted */
  replicaCreate(): number;
  /** Gives back a replica with its book, encode buffer and history; later replicas use that memory. The block is not to be touched again. */
  replicaRelease(replica: number): void;
  /** Forgets the book: EMPTY, version 0. */
  replicaClear(replica: number): void;
  /** Expects the instrument's first record next (version 1): FOLLOWING an empty book at version 0. */
  replicaBegin(replica: number): void;
  /**
   * Checks one delta record against the version chain, applies it, verifies the hash and, when a buffer was given, encodes it for the stream.
   * @returns REPLICA_*
   */
  replicaApply(replica: number, record: number): number;
  /**
   * Loads the current image of the replica's instrument: generation checked before and after, hash verified.
   * Afterwards records at ring positions below REPLICA_JOIN_SEQUENCE are to be skipped by their version.
   * @param entry address of the instrument's table entry
   * @returns IMAGE_*
   */
  imageLoad(replica: number, segment: number, entry: number): number;
}

/** What changed in a replica's book of late, so that a client which missed some of it catches up in one step. */
export interface KernelHistory {
  /**
   * Keeps the last changes of a replica from now on, at every apply, whoever listens. A history it had is given back.
   * @param entries changes kept, a power of two, 2 … HISTORY_ENTRIES_MAX @returns 0, or 1 when exhausted or no such number
   */
  historyCreate(replica: number, entries: number): number;
  /** Gives the memory of a history back. */
  historyRelease(replica: number): void;
  /** Writes the oldest version that a conflated update can begin at into REPLICA_HISTORY_FROM; without history that is the version held. */
  historyReach(replica: number): void;
  /**
   * Writes every level that changed since a version as it is now, CHANGE_BYTES each: bids by rising price, then asks.
   * @param limit bytes at `out`
   * @returns how many; −1 when the history does not reach, an event is under way or `limit` is too small
   */
  historyChanges(replica: number, fromLow: number, fromHigh: number, out: number, limit: number): number;
  /**
   * Encodes what changed since a version as one FRAME_CONFLATED frame. A level that came and went since is left out.
   * @param limit bytes at `out`
   * @returns bytes; 0 when the history does not reach, an event is under way or the frame would be larger than `limit`
   */
  conflatedEncode(replica: number, fromLow: number, fromHigh: number, out: number, limit: number): number;
  /**
   * Makes a view equal to the best `depth` levels of each side of a base (0 = all), as one event of one record that is coded
   * into its buffer, with the base's times, sequence and status; crossed is judged by the view's own best prices.
   * An EMPTY view takes the levels, id, exponents and time unit of the base without coding them: its clients need a snapshot.
   * Cost: O(depth), or O(changes) when depth is 0 and the base has a history that reaches.
   * @returns changes, at least 1 when there is an event (also for a status alone); 0 when nothing changed or the base is in
   *   the middle of an event; REPLICA_INCONSISTENT when the base does not follow (nothing was done); REPLICA_BUFFER_FULL when
   *   the buffer is too small or missing (nothing was done: take the frame or grow the buffer); REPLICA_NO_MEMORY (the view is EMPTY now)
   */
  viewFollow(view: number, base: number, depth: number): number;
}

/** The stream's frames. Encoders run in the gateway, decoders in every client. All but deltas end with a CRC-32. */
export interface KernelFrame {
  /**
   * Gives a replica an encode buffer; from now on replicaApply encodes each event. A buffer it had is given back, what was
   * coded in it moves over. @returns 0, or 1 when exhausted or too small
   */
  frameBufferCreate(replica: number, bytes: number): number;
  /** Closes the frame of the events encoded since the last call (address at REPLICA_FRAME_ADDRESS). @param check 1 = carry the hash @returns bytes, 0 when there is no whole event and no check wanted */
  frameTake(replica: number, check: number): number;
  /** Encodes the next part of a snapshot of the replica (begin with REPLICA_NEXT_LEVEL = 0). @returns bytes; NEXT_LEVEL is 0xffffffff after the last part */
  snapshotEncode(replica: number, out: number, limit: number): number;
  /** Encodes trade records (of one instrument, in order) as one frame. @returns bytes, 0 when `limit` is too small */
  tradesEncode(alias: number, trades: number, count: number, out: number, limit: number): number;
  /** Encodes the replica's best bid and offer. @returns bytes */
  bboEncode(replica: number, out: number): number;
  /** Applies a FRAME_DELTAS, FRAME_SNAPSHOT or FRAME_CONFLATED frame to a client's replica. @returns REPLICA_* */
  frameApply(replica: number, frame: number, length: number): number;
  /** Decodes a FRAME_TRADES frame into TRADE_BYTES records. @returns count, or -1 when the frame is malformed or holds more than `limit` */
  tradesDecode(frame: number, length: number, out: number, limit: number): number;
  /** Decodes a FRAME_BBO frame into BBO_BYTES. @returns 0, or -1 when malformed */
  bboDecode(frame: number, length: number, out: number): number;
}

/** A kernel instance over a memory. */
export interface Kernel
  extends KernelText,
    KernelArena,
    KernelBook,
    KernelProducer,
    KernelAudit,
    KernelHistogram,
    KernelReader,
    KernelHistory,
    KernelFrame {
  readonly name: KernelName;
  /** The linear memory: a SharedArrayBuffer between threads, a plain ArrayBuffer in clients. */
  readonly buffer: ArrayBufferLike;
}
