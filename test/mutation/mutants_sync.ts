/**
 * Mutants of sync and feed: what is repaired, how often, and how fast an exchange is asked.
 * Bad case: a mutant that only storms; no book is wrong, so the test has to count requests.
 */
import type { Patch } from "./patch.ts";

const MACHINE = "src/sync/instrument_sync.ts";
const EXCHANGE = "src/sync/exchange_sync.ts";
const DESK = "src/sync/outcome_desk.ts";
const MACHINE_TEST = "test/unit/sync_instrument.test.ts";
const EXCHANGE_TEST = "test/unit/sync_exchange.test.ts";
const BACKOFF_TEST = "test/unit/sync_backoff.test.ts";
const BUFFER_TEST = "test/unit/sync_splice_buffer.test.ts";
const LIMITS_TEST = "test/unit/feed_limits.test.ts";
const BREAKER_TEST = "test/unit/sync_breaker.test.ts";
const CHANGES = "test/unit/feeds_changes.test.ts";
const DIGITS_TEST = "test/unit/sync_digits.test.ts";
const FEED = "test/unit/mutants_feed.test.ts";

/** Mutants of sync and feed. */
export const SYNC_MUTANTS: readonly Patch[] = [
  {
    name: "backoff-no-jitter",
    why: "everything that failed together tries again together",
    edits: [{ file: "src/sync/backoff.ts", find: "    return this.#random() * bound;", replace: "    return bound;" }],
    tests: [BACKOFF_TEST, FEED],
  },
  {
    name: "backoff-no-cap",
    why: "after a long outage an exchange is asked again only after hours",
    edits: [{ file: "src/sync/backoff.ts", find: "Math.min(capMs, baseMs *", replace: "Math.max(0, baseMs *" }],
    tests: [BACKOFF_TEST],
  },
  {
    name: "backoff-forgets-at-once",
    why: "something that fails right after every success hammers the exchange without a pause",
    edits: [
      {
        file: "src/sync/backoff.ts",
        find: "at - this.#healthySince >= healthyMs) {",
        replace: "at - this.#healthySince >= 0 * healthyMs) {",
      },
    ],
    tests: [BACKOFF_TEST],
  },
  {
    name: "splice-drops-newest",
    why: "a full buffer drops the newest event: the snapshot can never meet the rest",
    edits: [
      {
        file: "src/sync/splice_buffer.ts",
        find: "    this.#frames.splice(0, dropped);",
        replace: "    this.#frames.splice(this.#frames.length - dropped, dropped);",
      },
    ],
    tests: [BUFFER_TEST],
  },
  {
    name: "splice-buffer-unbounded",
    why: "events of a book whose snapshot never comes pile up without end",
    edits: [
      {
        file: "src/sync/splice_buffer.ts",
        find: " || this.#bytes > this.#limits.bytesMax) {",
        replace: " && this.#bytes > this.#limits.bytesMax) {",
      },
    ],
    tests: [BUFFER_TEST],
  },
  {
    name: "splice-takes-old-snapshot",
    why: "a snapshot older than the first waiting event is spliced: what is between them is missing",
    edits: [
      {
        file: EXCHANGE,
        find: "    if (!buffer.joins(sequence)) {",
        replace: "    if (!buffer.joins(sequence + 1_000_000_000_000n)) {",
      },
    ],
    tests: [EXCHANGE_TEST],
  },
  {
    name: "splice-forgets-waiting-events",
    why: "events that arrived while the snapshot was fetched are dropped",
    edits: [
      {
        file: EXCHANGE,
        find: "    for (const frame of buffer.take()) {",
        replace: "    for (const frame of buffer.take().slice(1)) {",
      },
    ],
    tests: [EXCHANGE_TEST],
  },
  {
    name: "snapshot-of-another-request",
    why: "the late answer to a request from before a reconnect becomes the book",
    edits: [
      {
        file: EXCHANGE,
        find: "    const isAwaited = token === undefined || instrument?.machine.awaitedSnapshot === token;",
        replace: "    const isAwaited = token === undefined || token > 0;",
      },
    ],
    tests: [EXCHANGE_TEST, MACHINE_TEST],
  },
  {
    name: "unreadable-frame-ignored",
    why: "a frame that cannot be read is dropped and its book goes on as right",
    edits: [
      {
        file: DESK,
        find: "      case APPLY_DECODE_ERROR:\n        watch.unreadable(connection, instrument, receivedAt);\n        return;",
        replace: "      case APPLY_DECODE_ERROR:\n        return;",
      },
    ],
    tests: [EXCHANGE_TEST, "test/conformance/exchanges.test.ts"],
  },
  {
    name: "fault-not-repaired",
    why: "a book whose checksum failed stays out of sync for ever",
    edits: [
      {
        file: DESK,
        find: "      case APPLY_CHECKSUM_BAD:\n        watch.fault(instrument, REASON_CHECKSUM, receivedAt);\n",
        replace: "      case APPLY_CHECKSUM_BAD:\n",
      },
      {
        file: "src/sync/instrument_watch.ts",
        find: "      this.fault(instrument, instrument.block.reason, receivedAt);",
        replace: "      instrument.machine.unreadable(receivedAt / 1e6);",
      },
    ],
    tests: [EXCHANGE_TEST, "test/conformance/exchanges.test.ts", "test/emulator/market_faults.test.ts"],
  },
  {
    name: "repair-storm",
    why: "every fault while a repair is under way starts another one",
    edits: [
      {
        file: MACHINE,
        find: '    if (!this.#isConnected || this.#deadline?.kind === "repair" || this.#isSnapshotAsked) {',
        replace: "    if (!this.#isConnected) {",
      },
    ],
    tests: [MACHINE_TEST],
  },
  {
    name: "silence-after-ack-unnoticed",
    why: "a subscription that was acknowledged and stays silent is waited for without end",
    edits: [
      {
        file: MACHINE,
        find: '    this.#await("first", at + this.#options.firstDataMs);\n',
        replace: "    this.#deadline = undefined;\n",
      },
    ],
    tests: [MACHINE_TEST],
  },
  {
    name: "suspect-never-judged",
    why: "a book in doubt that no event proves right is never repaired",
    edits: [{ file: MACHINE, find: '        this.#await("suspect", at + this.#options.suspectMs);\n', replace: "" }],
    tests: [MACHINE_TEST],
  },
  {
    name: "closed-connection-unsaid",
    why: "when the socket is gone the books stay marked as synced",
    edits: [
      {
        file: "src/sync/sync_connection.ts",
        find: "      this.#ground.perform(instrument, instrument.machine.closed(reason), receivedAt);",
        replace: "      instrument.machine.closed(reason);",
      },
    ],
    tests: [EXCHANGE_TEST, "test/conformance/exchanges.test.ts"],
  },
  {
    name: "rate-window-half",
    why: "twice as many requests as the exchange allows",
    edits: [
      {
        file: "src/feed/rate_window.ts",
        find: "at - item.at < this.#rate.perMs)",
        replace: "at - item.at < this.#rate.perMs / 2)",
      },
    ],
    tests: [LIMITS_TEST],
  },
  {
    name: "rate-window-ignores-weight",
    why: "heavy REST requests count as light ones: the address is banned",
    edits: [{ file: "src/feed/rate_window.ts", find: "sum + item.weight, 0)", replace: "sum + 1, 0)" }],
    tests: [LIMITS_TEST],
  },
  {
    name: "pacer-goes-on",
    why: "an exchange that complained about our rate is sent the rest at once",
    edits: [
      {
        file: "src/feed/pacer.ts",
        find: "    this.#pausedUntil = at + PAUSE_MS;\n",
        replace: "",
      },
    ],
    tests: [LIMITS_TEST],
  },
  {
    name: "rest-ban-ignored",
    why: "after 429 and 418 requests go on: the ban becomes longer",
    edits: [
      {
        file: "src/sync/breaker.ts",
        find: "    return at >= this.#openUntilMs && isFree;",
        replace: "    return isFree;",
      },
    ],
    tests: [LIMITS_TEST, BREAKER_TEST],
  },
  {
    name: "breaker-never-opens",
    why: "an address that always fails is tried at the full rate for ever",
    edits: [
      {
        file: "src/sync/breaker.ts",
        find: "    if (wasTrial || isTooMuch || restMs !== undefined) {",
        replace: "    if (restMs !== undefined) {",
      },
    ],
    tests: [BREAKER_TEST],
  },
  {
    name: "connection-silence-unnoticed",
    why: "a half-open socket counts as a quiet market for ever",
    edits: [
      {
        file: "src/feed/link.ts",
        find: "  if (isUnanswered && at - link.pingedAt >= PONG_MS) {",
        replace: "  if (isUnanswered && at - link.pingedAt >= 1000 * PONG_MS) {",
      },
      {
        file: "src/feed/link.ts",
        find: "  if (at - link.heardAt >= idleMs) {",
        replace: "  if (at - link.heardAt >= 1000 * idleMs) {",
      },
    ],
    tests: ["test/conformance/exchanges.test.ts"],
  },
  {
    name: "connection-tries-without-limit",
    why: "more connection attempts than the exchange allows",
    edits: [
      {
        file: "src/feed/connection.ts",
        find: "attempts.hasRoom(at) ? endpoints",
        replace: "at >= 0 ? endpoints",
      },
    ],
    tests: [FEED],
  },
  {
    name: "subscriptions-all-on-one-connection",
    why: "more instruments on one connection than the exchange carries: some are silently not served",
    edits: [
      {
        file: "src/feed/collector.ts",
        find: "Math.floor(index / instrumentsPerConnection)",
        replace: "Math.floor((0 * index) / instrumentsPerConnection)",
      },
    ],
    tests: [FEED],
  },
  {
    name: "feed-removed-without-a-word",
    why: "an instrument that was removed goes on being shown as synced, with the levels of its last moment",
    edits: [
      {
        file: "src/sync/instrument_block.ts",
        find: "    this.unsync(STATE_RETIRED, REASON_REMOVED, receivedAt);\n",
        replace: "",
      },
    ],
    tests: [CHANGES],
  },
  {
    name: "feed-added-asks-for-all",
    why: "an instrument that is added makes everything on its connection begin anew",
    edits: [
      {
        file: "src/sync/sync_connection.ts",
        find: "    this.#subscribe([instrument], ALL_CHANNELS);",
        replace: "    this.#subscribe(this.#ground.instruments(), ALL_CHANNELS);",
      },
    ],
    tests: [CHANGES],
  },
  {
    name: "feed-comes-back-at-once",
    why: "frames of the old subscription are taken for those of the fresh one",
    edits: [
      {
        file: "src/feed/feed_changes.ts",
        find: "    if (leftMs > 0) {",
        replace: "    if (leftMs > 1e9) {",
      },
    ],
    tests: [CHANGES],
  },
  {
    name: "feed-block-not-fresh",
    why: "an instrument that comes back goes on with the versions and trade numbers of its former life",
    edits: [
      {
        file: "src/sync/instrument_block.ts",
        find: "    if (this.state !== STATE_RETIRED) {",
        replace:
          "    if (this.state === STATE_RETIRED) {\n      view.setUint32(this.address + INSTRUMENT_STATE, STATE_CONNECTING, true);",
      },
    ],
    tests: [CHANGES],
  },
  {
    name: "images-shared",
    why: "two instruments write into the same images: readers of both join torn books",
    edits: [
      {
        file: "src/segment/image_area.ts",
        find: "      this.#free = this.#free.filter((pair) => pair !== free);\n",
        replace: "",
      },
    ],
    tests: ["test/unit/feeds_parts.test.ts"],
  },
  {
    name: "segment-abandoned-as-synced",
    why: "the segment of a dead worker goes on saying that its books are synced",
    edits: [
      {
        file: "src/segment/abandoned.ts",
        find: "    view.setUint32(entry + TABLE_STATE, STATE_CONNECTING, true);\n",
        replace: "",
      },
    ],
    tests: ["test/unit/feed_segment.test.ts"],
  },
  {
    name: "segment-successor-unlinked",
    why: "readers of a retired id never learn where its book went",
    edits: [
      {
        file: "src/segment/writer.ts",
        find: "    this.#entry(retired).setUint32(TABLE_RETIRED_TO, successor.id, true);",
        replace: "    this.#entry(retired).setUint32(TABLE_RETIRED_TO, successor.id * 0, true);",
      },
    ],
    tests: ["test/unit/feed_segment.test.ts"],
  },
  {
    name: "decimals-before-levels-fit",
    why: "digits of a broken frame end an id whose levels cannot be written so finely",
    edits: [
      {
        file: "src/sync/instrument_block.ts",
        find: "(!fits && this.#goesOn)",
        replace: "(!fits && this.#goesOn && fits)",
      },
    ],
    tests: [DIGITS_TEST],
  },
  {
    name: "decimals-behind-stale-levels",
    why: "levels that a snapshot replaces keep its book out of service, because they cannot be written as finely",
    edits: [
      {
        file: "src/sync/instrument_block.ts",
        find: "(!fits && this.#goesOn)",
        replace: "!fits",
      },
    ],
    tests: [DIGITS_TEST],
  },
];
