/**
 * The nine bugs that the simulation can plant by name (`npm run simulate -- --bug NAME`): mistakes that other engines of
 * this kind were shipped with. Bad case: a bug that only one of the two kernels has; then they would be told apart by
 * comparing them, so each is planted in both.
 */
import type { Patch } from "./patch.ts";

const EVENT = "assembly/event.ts";
const TWIN_EVENT = "src/kernel/twin/event.ts";

/** Bugs by the names of `--bug`. */
export const NAMED_BUGS: readonly Patch[] = [
  {
    name: "skip-truncation",
    why: "levels beyond the subscribed depth stay in the book for ever: the exchange never speaks of them again",
    edits: [
      { file: "assembly/changes.ts", find: "  if (depth == 0) applyWhole(", replace: "  if (depth >= 0) applyWhole(" },
      {
        file: TWIN_EVENT,
        find: "    if (depth > 0) {\n      this.#cut.apply(",
        replace: "    if (depth > 0x7fffffff) {\n      this.#cut.apply(",
      },
    ],
    tests: ["test/unit/mutants_kraken.test.ts"],
  },
  {
    name: "accept-gap",
    why: "updates lost between two events of a sequenced feed go unnoticed, the book is wrong from there on",
    edits: [
      {
        file: "assembly/decoders/binance.ts",
        find: "return updateFirst > last + 1 ? APPLY_GAP : FINE;",
        replace: "return FINE;",
      },
      {
        file: "src/kernel/twin/decoders/binance.ts",
        find: "return this.#compare(FIRST, resultLow(), resultHigh()) > 0 ? APPLY_GAP : FINE;",
        replace: "return FINE;",
      },
    ],
    tests: ["test/unit/twin_decoders.test.ts", "test/conformance/exchanges.test.ts"],
  },
  {
    name: "drop-last-change",
    why: "the last level of every update is left out, as by a loop that ends one too early",
    edits: [
      {
        file: EVENT,
        find: "  applyLevels(instrument, first, last);\n  if (watched)",
        replace: "  applyLevels(instrument, first, last > first ? last - 1 : last);\n  if (watched)",
      },
      {
        file: TWIN_EVENT,
        find: "    this.#applyLevels(event);\n    if (isWatched) {",
        replace:
          "    this.#applyLevels({ ...event, last: Math.max(event.first, event.last - 1) });\n    if (isWatched) {",
      },
    ],
    tests: ["test/unit/twin_decoders.test.ts"],
  },
  {
    name: "apply-before-snapshot",
    why: "updates that arrive before the snapshot are applied to the old or empty book, which counts as synced then",
    edits: [
      {
        file: "assembly/decoders/coinbase_exchange.ts",
        find: "  const instrument = resolved();\n  if (load<u32>(instrument, INSTRUMENT_STATE) != STATE_SYNCED) return notSynced(instrument);",
        replace: "  const instrument = resolved();\n  if (outOfService(instrument)) return notSynced(instrument);",
      },
      {
        file: "src/kernel/twin/decoders/coinbase_exchange.ts",
        find: "    if (context.state() !== STATE_SYNCED) {\n      return context.notSynced();",
        replace: "    if (context.isOutOfService()) {\n      return context.notSynced();",
      },
    ],
    tests: ["test/unit/twin_decoders.test.ts", "test/conformance/exchanges.test.ts"],
  },
  {
    name: "ignore-checksum",
    why: "the checksum of the exchange is looked at with the snapshot only: a book that went wrong later is served",
    edits: [
      {
        file: EVENT,
        find: "  if (checksumWanted && !checksumHolds(instrument, book)) {",
        replace: "  if (checksumWanted && good == APPLY_SNAPSHOT && !checksumHolds(instrument, book)) {",
      },
      {
        file: TWIN_EVENT,
        find: "    if (event.checksum !== NO_CHECKSUM && !this.#checksumHolds(event, book)) {",
        replace:
          "    if (event.checksum !== NO_CHECKSUM && good === APPLY_SNAPSHOT && !this.#checksumHolds(event, book)) {",
      },
    ],
    tests: ["test/unit/twin_decoders.test.ts", "test/conformance/exchanges.test.ts"],
  },
  {
    name: "resync-ends-at-ack",
    why: "a book in repair counts as right again when the exchange says yes, before its snapshot came",
    edits: [
      {
        file: "src/sync/instrument_sync.ts",
        find: '    this.#await("first", at + this.#options.firstDataMs);\n    return NOTHING;',
        replace:
          '    this.#await("first", at + this.#options.firstDataMs);\n    return this.#unsync(STATE_SYNCED, REASON_NONE);',
      },
    ],
    tests: ["test/unit/sync_instrument.test.ts", "test/unit/sync_exchange.test.ts"],
  },
  {
    name: "keep-old-handler",
    why: "a socket that was replaced still delivers into the books of its successor",
    edits: [
      {
        file: "src/feed/connection.ts",
        find: "    return link === this.#current || link === this.#successor;",
        replace: "    return link.frames >= 0;",
      },
      {
        file: "src/feed/connection.ts",
        find: "    if (this.#current !== undefined) {\n      this.#current.socket?.drop();\n",
        replace: "    if (this.#current !== undefined) {\n",
      },
    ],
    tests: ["test/conformance/exchanges.test.ts"],
  },
  {
    name: "skip-hash",
    why: "nobody compares the hash: a consumer whose book went wrong shows it as synced",
    edits: [
      {
        file: "assembly/replica.ts",
        find: "  if (hash != load<u32>(record, DELTA_BOOK_HASH)) return replicaFail(replica, REPLICA_HASH_MISMATCH);\n",
        replace: "",
      },
      {
        file: "assembly/frame_decode.ts",
        find: "  return good ? REPLICA_OK : replicaFail(replica, REPLICA_HASH_MISMATCH);",
        replace: "  return good || check ? REPLICA_OK : replicaFail(replica, REPLICA_HASH_MISMATCH);",
      },
      {
        file: "assembly/frame_decode.ts",
        find: "  if (bookHash(book) != load<u32>(replica, REPLICA_PENDING_HASH)) return replicaFail(replica, REPLICA_HASH_MISMATCH);\n",
        replace: "",
      },
      {
        file: "src/kernel/twin/record.ts",
        find: "  if (book.hash !== fieldOf(words, record, DELTA_BOOK_HASH)) {",
        replace: "  if (book.count < 0) {",
      },
      {
        file: "src/kernel/twin/frame_decode.ts",
        find: "  return holds ? REPLICA_OK : replicas.fail(replica, REPLICA_HASH_MISMATCH);",
        replace: "  return holds || hasCheck ? REPLICA_OK : replicas.fail(replica, REPLICA_HASH_MISMATCH);",
      },
      {
        file: "src/kernel/twin/frame_snapshot.ts",
        find: "  if (book.hash !== fieldOf(words, replica, REPLICA_PENDING_HASH)) {",
        replace: "  if (book.count < 0) {",
      },
      {
        file: "src/client/view_slot.ts",
        find: "    return !book.isVerified || book.levels.hash >>> 0 === message.hash;",
        replace: "    return book.state > 0 || book.levels.hash >>> 0 === message.hash;",
      },
      {
        file: "src/client/stream_book.ts",
        find: "    const holds = wordAt(frame, stop) === this.levels.hash && wordAt(frame, stop + 4) === this.chain;",
        replace: "    const holds = Number.isInteger(wordAt(frame, stop));",
      },
      {
        file: "src/client/stream_book.ts",
        find: "    if (this.isVerified && this.levels.hash !== hash) {",
        replace: "    if (this.levels.bids.count < 0 && hash > 0) {",
      },
      {
        file: "src/client/stream_book.ts",
        find: "    if (this.isVerified && levels.hash !== this.#pendingHash) {",
        replace: "    if (levels.bids.count < 0 && this.#pendingHash > 0) {",
      },
    ],
    tests: ["test/unit/twin_ring.test.ts", "test/unit/twin_frame.test.ts"],
  },
  {
    name: "publish-before-write",
    why: "the tail moves when a slot is taken: a reader copies what the record before it left there",
    edits: [
      {
        file: "assembly/producer.ts",
        find: "  const slot = deltaSlot(deltaPosition);\n  deltaPosition++;\n",
        replace:
          "  const slot = deltaSlot(deltaPosition);\n  deltaPosition++;\n  atomic.store<u64>(segment, deltaPosition, HEADER_DELTA_TAIL);\n",
      },
      {
        file: "src/kernel/twin/producer.ts",
        find: "    const slot = this.slot(this.position);\n    this.position++;\n",
        replace:
          "    const slot = this.slot(this.position);\n    this.position++;\n    storePosition(this.#memory, this.#tailAddress, this.position);\n",
      },
    ],
    tests: ["test/unit/twin_ring.test.ts"],
  },
];
