/**
 * Mutants of the stream: gateway, wire and client. Bad case: a mutant that the client's own check repairs; it shows as
 * resyncs that should not be, so the test has to count them.
 */
import type { Patch } from "./patch.ts";

const BOOK_VIEW = "src/gateway/book_view.ts";
const FRAME_PARTS = "assembly/frame_encode_parts.ts";
const TWIN_FRAME_PARTS = "src/kernel/twin/frame_encode_parts.ts";
const GATEWAY_TEST = "test/unit/gateway_clients.test.ts";
const POLICIES_TEST = "test/unit/gateway_policies.test.ts";
const CLIENT_TEST = "test/unit/client_stream.test.ts";
const FRAME_TEST = "test/unit/twin_frame.test.ts";
const STREAM_TEST = "test/integration/gateway_stream.test.ts";
const RECOVERY_TEST = "test/integration/gateway_recovery.test.ts";
const STREAM = "test/unit/mutants_stream.test.ts";

/** Mutants of gateway, wire and client. */
export const STREAM_MUTANTS: readonly Patch[] = [
  {
    name: "snapshot-part-repeats-level",
    why: "the second part of a large snapshot begins with the last level of the first",
    edits: [
      {
        file: FRAME_PARTS,
        find: "    at = writeSide(book, SIDE_ASK, done - bids, at, end);\n    done += written;",
        replace:
          "    at = writeSide(book, SIDE_ASK, done - bids, at, end);\n    done += written > 1 ? written - 1 : written;",
      },
      {
        file: TWIN_FRAME_PARTS,
        find: "    at = writeSide(bytes, asks, done - bidCount, at, end);\n    done += written;",
        replace:
          "    at = writeSide(bytes, asks, done - bidCount, at, end);\n    done += written > 1 ? written - 1 : written;",
      },
    ],
    tests: [FRAME_TEST],
  },
  {
    name: "frame-snapshot-count-unchecked",
    why: "a snapshot of which a part is missing is taken for the whole book",
    edits: [
      {
        file: "assembly/frame_decode.ts",
        find: "  if (!complete || (bookCrossed(book)",
        replace: "  if ((bookCrossed(book)",
      },
      {
        file: "assembly/frame_decode.ts",
        find: "  if (bookHash(book) != load<u32>(replica, REPLICA_PENDING_HASH)) return replicaFail(replica, REPLICA_HASH_MISMATCH);",
        replace:
          "  if (complete && bookHash(book) != load<u32>(replica, REPLICA_PENDING_HASH)) return replicaFail(replica, REPLICA_HASH_MISMATCH);",
      },
      {
        file: "src/kernel/twin/frame_snapshot.ts",
        find: "  if (!isComplete || (book.isCrossed()",
        replace: "  if ((book.isCrossed()",
      },
      {
        file: "src/kernel/twin/frame_snapshot.ts",
        find: "  if (book.hash !== fieldOf(words, replica, REPLICA_PENDING_HASH)) {",
        replace: "  if (isComplete && book.hash !== fieldOf(words, replica, REPLICA_PENDING_HASH)) {",
      },
    ],
    tests: [FRAME_TEST],
  },
  {
    name: "frame-bbo-best-ask-absolute",
    why: "the best ask of a BBO frame is coded against nothing: clients read the sum of bid and ask",
    edits: [
      {
        file: FRAME_PARTS,
        find: "    at = writeVarint(at, zigzag(bestPrice(book, SIDE_ASK) - bid));",
        replace: "    at = writeVarint(at, zigzag(bestPrice(book, SIDE_ASK)));",
      },
      {
        file: TWIN_FRAME_PARTS,
        find: "    subtract(asks.priceLow(best), asks.priceHigh(best), bidLow, bidHigh);",
        replace: "    subtract(asks.priceLow(best), asks.priceHigh(best), 0, 0);",
      },
    ],
    tests: [FRAME_TEST, STREAM],
  },
  {
    name: "gateway-seldom-proves",
    why: "thousands of frames go out before one carries the hash: a client stays long on a book that nothing proved",
    edits: [
      {
        file: "src/gateway/book_frames.ts",
        find: ">= FRAMES_PER_CHECK - 1 ||",
        replace: ">= 100 * FRAMES_PER_CHECK ||",
      },
    ],
    tests: [STREAM, GATEWAY_TEST],
  },
  {
    name: "gateway-never-proves-quiet-book",
    why: "the last frames before a pause are never proved",
    edits: [
      {
        file: "src/gateway/book_frames.ts",
        find: "    this.#isUnchecked = !wantsCheck;",
        replace: "    this.#isUnchecked = false;",
      },
    ],
    tests: [GATEWAY_TEST],
  },
  {
    name: "gateway-keeps-old-snapshot",
    why: "a client that joins gets the snapshot of an earlier join and then changes of now",
    edits: [
      {
        file: "src/gateway/beginning.ts",
        find: "    subscription.held = version;\n",
        replace: "    subscription.held = subscription.view.output.replica.version;\n",
      },
    ],
    tests: [POLICIES_TEST],
  },
  {
    name: "gateway-joins-in-mid-event",
    why: "a client joins between two records of one event: best prices of half an event",
    edits: [
      {
        file: BOOK_VIEW,
        find: "this.replica.isFollowing && this.replica.isWhole && this.replica.version > 0;",
        replace: "this.replica.isFollowing && this.replica.version > 0;",
      },
    ],
    tests: [GATEWAY_TEST, STREAM_TEST],
  },
  {
    name: "gateway-goes-on-after-failed-check",
    why: "a book that failed its check is not interrupted: its clients wait for ever on an empty one",
    edits: [
      {
        file: BOOK_VIEW,
        find: '    return code === REPLICA_RESET ? "reset" : "lost";',
        replace: '    return code === REPLICA_RESET ? "reset" : "applied";',
      },
    ],
    tests: [RECOVERY_TEST, GATEWAY_TEST],
  },
  {
    name: "gateway-bbo-not-renewed",
    why: "a change of the best quantity alone is not told",
    edits: [
      {
        file: BOOK_VIEW,
        find: "    const { bid, ask } = this.replica.best();\n",
        replace: "    const best = this.replica.best();\n    const [bid, ask] = [best.bid?.[0], best.ask?.[0]];\n",
      },
    ],
    tests: [STREAM, STREAM_TEST],
  },
  {
    name: "gateway-trades-renumbered",
    why: "trades behind a gap take the numbers of the missing ones: clients count nothing as lost",
    edits: [
      {
        file: "src/gateway/trade_view.ts",
        find: "this.#version(record) !== this.#version(last) + 1) {",
        replace: "this.#version(record) < this.#version(last)) {",
      },
    ],
    tests: [STREAM, STREAM_TEST],
  },
  {
    name: "gateway-trade-keeps-old-decimals",
    why: "a trade recorded before a rescale is shown ten times too small after it",
    edits: [
      {
        file: "src/gateway/trade_view.ts",
        find: "memory.getBigInt64(record + TRADE_PRICE, true) * powerOfTen(pricePower);",
        replace: "memory.getBigInt64(record + TRADE_PRICE, true) * powerOfTen(0 * pricePower);",
      },
    ],
    tests: [STREAM],
  },
  {
    name: "gateway-dead-producer-alive",
    why: "books of a producer that died are shown as synced",
    edits: [
      {
        file: "src/gateway/heartbeat_watch.ts",
        find: "    return nowMs - this.#seenAtMs <= this.#staleMs;",
        replace: "    return nowMs - this.#seenAtMs <= 1_000_000 * this.#staleMs;",
      },
    ],
    tests: ["test/integration/gateway_http.test.ts"],
  },
  {
    name: "pump-looks-too-early",
    why: "records that come between the look and the wait are noticed only after the timeout",
    edits: [
      {
        file: "src/gateway/pump.ts",
        find: '    return source.isBehind ? "behind" : "asleep";',
        replace: '    return "asleep";',
      },
    ],
    tests: [STREAM, STREAM_TEST],
  },
  {
    name: "json-synced-always",
    why: "JSON clients are told that every book is synced",
    edits: [
      {
        file: "src/wire/json_form.ts",
        find: "    synced: (flags & FLAG_NOT_SYNCED) === 0,",
        replace: "    synced: (flags & FLAG_NOT_SYNCED) >= 0,",
      },
    ],
    tests: [STREAM],
  },
  {
    name: "json-delta-sides-swapped",
    why: "bids of a JSON delta are asks",
    edits: [
      {
        file: "src/wire/json_form.ts",
        find: '=== 0 ? "bid" : "ask",',
        replace: '=== 0 ? "ask" : "bid",',
      },
    ],
    tests: ["test/unit/wire_frames.test.ts", STREAM_TEST],
  },
  {
    name: "client-resync-storm",
    why: "a book that fails again and again is asked for again without a pause",
    edits: [
      {
        file: "src/client/pacing.ts",
        find: "  return failures === 0 ? 0 :",
        replace: "  return failures >= 0 ? 0 :",
      },
    ],
    tests: [CLIENT_TEST],
  },
  {
    name: "client-never-resyncs",
    why: "a book that failed its check is never asked for again",
    edits: [
      {
        file: "src/client/message_reader.ts",
        find: "      if (connection === this.#connection && view.isWanted) {",
        replace: "      if (connection !== this.#connection && view.isWanted) {",
      },
    ],
    tests: [CLIENT_TEST],
  },
  {
    name: "client-book-outlives-connection",
    why: "after a disconnect a client shows its last book as synced",
    edits: [
      {
        file: "src/client/message_reader.ts",
        find: 'this.#tellStatus(slot, { ...slot.status, state: "connecting", reason: "disconnected" });',
        replace: 'this.#tellStatus(slot, { ...slot.status, reason: "disconnected" });',
      },
    ],
    tests: [CLIENT_TEST],
  },
  {
    name: "client-chain-unchecked",
    why: "a JSON client applies a delta that does not follow its version",
    edits: [
      {
        file: "src/client/view_slot.ts",
        find: "    if (!book.version.equals(wide(message.previousVersion))) {",
        replace: "    if (book.version.equals(wide(message.version))) {",
      },
    ],
    tests: [CLIENT_TEST],
  },
  {
    name: "client-exponents-unchecked",
    why: "a snapshot coded with other exponents than announced is shown ten times too large",
    edits: [
      {
        file: "src/client/view_slot.ts",
        find: "    return priceExponent === this.book.priceExponent && quantityExponent === this.book.quantityExponent;",
        replace: "    return priceExponent >= 0 && quantityExponent >= 0;",
      },
    ],
    tests: [CLIENT_TEST],
  },
  {
    name: "client-keeps-old-socket",
    why: "late messages of a socket that was given up are taken for those of the next",
    edits: [{ file: "src/client/socket.ts", find: "      socket.onmessage = null;\n", replace: "" }],
    tests: [CLIENT_TEST],
  },
  {
    name: "client-reconnects-at-once",
    why: "a thousand clients of a restarted server all come back in the same millisecond",
    edits: [
      {
        file: "src/client/socket.ts",
        find: "this.#runtime.random() * Math.min(",
        replace: "0 * Math.min(",
      },
    ],
    tests: [CLIENT_TEST],
  },
];
