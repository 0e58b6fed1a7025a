/**
 * Mutants of books and of the records, images and cells that publish them. Bad case: a mutant in one kernel only is found
 * by comparing the kernels; where both share the logic it is planted in both, so that an oracle has to see it.
 */
import type { Patch } from "./patch.ts";

const BOOK = "assembly/book.ts";
const TWIN_BOOK = "src/kernel/twin/book.ts";
const EVENT = "assembly/event.ts";
const TWIN_EVENT = "src/kernel/twin/event.ts";
const DELTA = "assembly/delta.ts";
const TWIN_DELTA = "src/kernel/twin/delta.ts";

/** Mutants of books and records. */
export const BOOK_MUTANTS: readonly Patch[] = [
  {
    name: "book-split-misplaces",
    why: "a level that goes into a full chunk lands in the wrong half: order and lookups break in deep books",
    edits: [
      {
        file: "assembly/book_chunks.ts",
        find: "  if (place > half) insertAt(",
        replace: "  if (place >= half) insertAt(",
      },
      {
        file: "assembly/book_chunks.ts",
        find: "insertAt(entry + ENTRY_BYTES, place - half, key, quantity);",
        replace: "insertAt(entry + ENTRY_BYTES, place > half ? place - half - 1 : 0, key, quantity);",
      },
    ],
    tests: ["test/unit/mutants_books.test.ts"],
  },
  {
    name: "book-removal-keeps-hash",
    why: "the hash of a removed level stays in the sum: every consumer drops a right book",
    edits: [
      {
        file: BOOK,
        find: "  if (code != BOOK_ADDED) hash -= hashEnd(start, before);\n",
        replace: "  if (code == BOOK_CHANGED) hash -= hashEnd(start, before);\n",
      },
      { file: TWIN_BOOK, find: "        this.hash = hash | 0;\n", replace: "" },
    ],
    tests: ["test/unit/twin_book.test.ts", "test/unit/twin_ring.test.ts"],
  },
  {
    name: "book-locked-counts-as-crossed",
    why: "a locked book is resynced in a loop",
    edits: [
      {
        file: BOOK,
        find: "    bestPrice(book, SIDE_BID) > bestPrice(book, SIDE_ASK)",
        replace: "    bestPrice(book, SIDE_BID) >= bestPrice(book, SIDE_ASK)",
      },
      { file: TWIN_BOOK, find: "asks.priceHigh(ask)) > 0;", replace: "asks.priceHigh(ask)) >= 0;" },
    ],
    tests: ["test/unit/mutants_books.test.ts"],
  },
  {
    name: "crossed-update-stays-synced",
    why: "a book that an update crossed, the one sign of a lost Coinbase update, goes on as right",
    edits: [
      {
        file: EVENT,
        find: "  if (hasFlag(instrument, INSTRUMENT_FLAG_ALLOW_CROSSED)) {\n",
        replace: "  if (hasFlag(instrument, INSTRUMENT_FLAG_ALLOW_CROSSED) || good == APPLY_BOOK) {\n",
      },
      {
        file: TWIN_EVENT,
        find: "    if (hasFlag(words, instrument, INSTRUMENT_FLAG_ALLOW_CROSSED)) {\n",
        replace: "    if (hasFlag(words, instrument, INSTRUMENT_FLAG_ALLOW_CROSSED) || good === APPLY_BOOK) {\n",
      },
    ],
    tests: ["test/unit/mutants_books.test.ts"],
  },
  {
    name: "snapshot-keeps-old-asks",
    why: "a snapshot that is published as a difference leaves the asks that are gone in the book",
    edits: [
      { file: EVENT, find: "  removeAbsent(book, SIDE_ASK);\n", replace: "" },
      { file: TWIN_EVENT, find: "    this.#removeAbsent(book, SIDE_ASK);\n", replace: "" },
    ],
    tests: ["test/differential/stream.test.ts"],
  },
  {
    name: "superseded-first-wins",
    why: "of two entries for one price in one event the first stands, not the last",
    edits: [
      {
        file: "assembly/superseded.ts",
        find: "    if (load<u32>(slot) == stamp) store<u8>(levelAt(load<u32>(slot, 4)), <u8>SIDE_DROPPED, ENTRY_SIDE);\n",
        replace:
          "    if (load<u32>(slot) == stamp) {\n      store<u8>(entry, <u8>SIDE_DROPPED, ENTRY_SIDE);\n      continue;\n    }\n",
      },
      {
        file: "assembly/superseded.ts",
        find: "        store<u8>(earlier, <u8>SIDE_DROPPED, ENTRY_SIDE);",
        replace: "        store<u8>(entry, <u8>SIDE_DROPPED, ENTRY_SIDE);",
      },
      {
        file: "src/kernel/twin/superseded.ts",
        find: "        entries[wordAt(this.#table, slot + 1) * ENTRY_WORDS + ENTRY_SIDE] = SIDE_DROPPED;\n",
        replace: "        entries[at + ENTRY_SIDE] = SIDE_DROPPED;\n        continue;\n",
      },
    ],
    tests: ["test/differential/stream.test.ts", "test/unit/twin_decoders.test.ts"],
  },
  {
    name: "cut-levels-unrecorded",
    why: "levels that leave by truncation leave our book only: every consumer keeps them",
    edits: [
      {
        file: "assembly/changes.ts",
        find: "  if (cutCount > 0) recordCuts(book);",
        replace: "  if (cutCount > <u32>CUTS_MAX) recordCuts(book);",
      },
      {
        file: "src/kernel/twin/cut.ts",
        find: "      if (!this.#superseded.names(side, low, high)) {",
        replace: "      if (side > 1 && !this.#superseded.names(side, low, high)) {",
      },
    ],
    tests: ["test/unit/twin_ring.test.ts", "test/captures/replay.test.ts"],
  },
  {
    name: "cut-records-gross-change",
    why: "a level that came and was cut in one event is published as there",
    edits: [
      {
        file: "assembly/changes.ts",
        find: "    if (entry != 0) store<i64>(entry, 0, ENTRY_QUANTITY);",
        replace: "    if (entry != 0) noteUnchanged();",
      },
      {
        file: "src/kernel/twin/cut.ts",
        find: "      const isLow = place < 0 ? 0 : levels.quantityLow(place);\n      const isHigh = place < 0 ? 0 : levels.quantityHigh(place);\n",
        replace:
          "      const isLow = place < 0 ? wordAt(entries, at + ENTRY_QUANTITY) : levels.quantityLow(place);\n      const isHigh = place < 0 ? wordAt(entries, at + ENTRY_QUANTITY + 1) : levels.quantityHigh(place);\n",
      },
    ],
    tests: ["test/unit/twin_ring.test.ts", "test/captures/replay.test.ts"],
  },
  {
    name: "record-forgets-additions",
    why: "records do not say which changes add a level: consumers find every one of them inconsistent",
    edits: [
      { file: DELTA, find: "  addMask |= (<u32>added) << changes;\n", replace: "" },
      { file: TWIN_DELTA, find: "    this.#addMask |= (isAdded ? 1 : 0) << changes;\n", replace: "" },
    ],
    tests: ["test/unit/twin_ring.test.ts"],
  },
  {
    name: "record-split-hash-late",
    why: "a record that is continued carries the hash of the book after the next change",
    edits: [
      {
        file: DELTA,
        find: "recordClose(hashBefore, eventFlags);",
        replace: "recordClose(bookHash(book), eventFlags);",
      },
      {
        file: TWIN_DELTA,
        find: "this.#closeRecord(hashBefore, this.#flags);",
        replace: "this.#closeRecord(this.#book.hash, this.#flags);",
      },
    ],
    tests: ["test/unit/twin_ring.test.ts", "test/differential/stream.test.ts"],
  },
  {
    name: "record-offset-wraps",
    why: "a price far from the record's base is published modulo 2^32 ticks",
    edits: [
      { file: DELTA, find: " || offset != <i64>(<i32>offset)) {", replace: ") {" },
      {
        file: TWIN_DELTA,
        find: " || this.#changes === DELTA_CHANGES_MAX || isFar) {",
        replace: " || this.#changes === DELTA_CHANGES_MAX) {",
      },
    ],
    tests: ["test/unit/twin_ring.test.ts", "test/differential/stream.test.ts"],
  },
  {
    name: "record-last-on-every-part",
    why: "an event over several records looks closed in its middle: best prices of half an event are published",
    edits: [
      {
        file: DELTA,
        find: "recordClose(hashBefore, eventFlags);",
        replace: "recordClose(hashBefore, eventFlags | FLAG_LAST);",
      },
      {
        file: TWIN_DELTA,
        find: "this.#closeRecord(hashBefore, this.#flags);",
        replace: "this.#closeRecord(hashBefore, this.#flags | FLAG_LAST);",
      },
    ],
    tests: ["test/unit/mutants_books.test.ts"],
  },
  {
    name: "record-not-synced-unmarked",
    why: "records of a book in doubt do not say so",
    edits: [
      {
        file: DELTA,
        find: "  if (load<u32>(instrument, INSTRUMENT_STATE) != STATE_SYNCED) last |= FLAG_NOT_SYNCED;\n",
        replace: "",
      },
      { file: TWIN_DELTA, find: " | (isSynced ? 0 : FLAG_NOT_SYNCED);", replace: " | (isSynced ? 0 : 0);" },
    ],
    tests: ["test/unit/mutants_books.test.ts"],
  },
  {
    name: "record-loses-source-sequence",
    why: "records do not carry the exchange's number: nobody can compare a book with the exchange's",
    edits: [
      {
        file: DELTA,
        find: "  store<u64>(record, sourceSequence, DELTA_SOURCE_SEQUENCE);\n",
        replace: "",
      },
      {
        file: TWIN_DELTA,
        find: "    words[record + (DELTA_SOURCE_SEQUENCE >>> 2)] = this.#sequenceLow;\n",
        replace: "",
      },
    ],
    tests: ["test/unit/mutants_books.test.ts"],
  },
  {
    name: "event-time-falls-to-zero",
    why: "an event without a time is published as of 1970 instead of the last known time",
    edits: [
      {
        file: DELTA,
        find: "  eventAt = at != 0 ? at : load<i64>(target, INSTRUMENT_EVENT_AT);",
        replace: "  eventAt = at;",
      },
      {
        file: TWIN_DELTA,
        find: "    const isTimed = (head.eventLow | head.eventHigh) !== 0;",
        replace: "    const isTimed = head.instrument !== 0;",
      },
    ],
    tests: ["test/unit/mutants_books.test.ts"],
  },
  {
    name: "unsync-leaves-no-record",
    why: "a book that the host takes out of service ends without a word in the ring",
    edits: [
      {
        file: "assembly/instrument.ts",
        find: "  if (wasSynced) emptyRecord(instrument, at, receivedAt);\n",
        replace: "",
      },
      {
        file: "src/kernel/twin/lifecycle.ts",
        find: "  if (wasSynced) {\n    writer.writeEmpty(instrument);\n  }\n",
        replace: "",
      },
    ],
    tests: ["test/unit/twin_ring.test.ts", "test/unit/sync_exchange.test.ts"],
  },
  {
    name: "retire-leaves-no-record",
    why: "an id that was replaced after a rescale ends without a word in the ring",
    edits: [
      {
        file: "assembly/instrument.ts",
        find: "  if (hasFlag(instrument, INSTRUMENT_FLAG_OPENED)) emptyRecord(instrument, at, receivedAt);\n",
        replace: "",
      },
      {
        file: "src/kernel/twin/lifecycle.ts",
        find: "  if (hasFlag(words, instrument, INSTRUMENT_FLAG_OPENED)) {\n    writer.writeEmpty(instrument);\n  }\n",
        replace: "",
      },
    ],
    tests: ["test/unit/mutants_books.test.ts"],
  },
  {
    name: "table-state-stays",
    why: "the instrument table says synced although the book is not: REST and the page show it as right",
    edits: [
      {
        file: "assembly/instrument.ts",
        find: "    atomic.store<u32>(entry, load<u32>(instrument, INSTRUMENT_STATE), TABLE_STATE);\n",
        replace: "",
      },
      {
        file: "src/kernel/twin/instrument.ts",
        find: "    Atomics.store(words, (entry + TABLE_STATE) >>> 2, state);\n",
        replace: "",
      },
    ],
    tests: ["test/unit/mutants_books.test.ts"],
  },
  {
    name: "rescale-leaves-quantities",
    why: "a rescale multiplies prices but not quantities",
    edits: [
      {
        file: BOOK,
        find: "      const quantity = load<i64>(at, QUANTITY) * quantityFactor;",
        replace: "      const quantity = load<i64>(at, QUANTITY);",
      },
      {
        file: TWIN_BOOK,
        find: "side.quantityHigh(place), quantityPower)) {",
        replace: "side.quantityHigh(place), 0 * quantityPower)) {",
      },
    ],
    tests: ["test/unit/twin_book.test.ts", "test/differential/stream.test.ts"],
  },
];
