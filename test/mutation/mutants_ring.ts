/**
 * Mutants of the ring, the images, the top-of-book cells and the readers' replicas: everything that two threads share.
 * Bad case: an order of stores that no single thread can see; a test that looks between two stores has to find those.
 */
import type { Patch } from "./patch.ts";

const RING = "assembly/ring.ts";
const TWIN_RING = "src/kernel/twin/ring.ts";
const PRODUCER = "assembly/producer.ts";
const TWIN_PRODUCER = "src/kernel/twin/producer.ts";
const IMAGE = "assembly/image.ts";
const TWIN_IMAGE = "src/kernel/twin/image.ts";
const TWIN_LOAD = "src/kernel/twin/image_load.ts";
const DELTA = "assembly/delta.ts";
const TWIN_CELL = "src/kernel/twin/cell.ts";
const REPLICA = "assembly/replica.ts";
const TWIN_RECORD = "src/kernel/twin/record.ts";
const ORDER = "test/unit/mutants_order.test.ts";

/** Mutants of what threads share. */
export const RING_MUTANTS: readonly Patch[] = [
  {
    name: "ring-intact-off-by-one",
    why: "a reader takes a record that the producer is overwriting",
    edits: [
      {
        file: RING,
        find: "  if (cursor + capacity < intent) return",
        replace: "  if (cursor + capacity + 1 < intent) return",
      },
      {
        file: TWIN_RING,
        find: "  if (cursor + capacity < loadPosition(",
        replace: "  if (cursor + capacity + 1 < loadPosition(",
      },
    ],
    tests: ["test/unit/twin_ring.test.ts"],
  },
  {
    name: "ring-no-intent",
    why: "nothing announces that a slot is about to be overwritten: readers take torn records for whole ones",
    edits: [
      { file: PRODUCER, find: "  deltaClaim(1);\n", replace: "" },
      { file: TWIN_PRODUCER, find: "    this.claim(1);\n", replace: "" },
    ],
    tests: ["test/unit/twin_ring.test.ts", ORDER],
  },
  {
    name: "ring-claim-renewed-late",
    why: "when a claim that reaches ahead is used up, one record is written that nothing announces",
    edits: [
      { file: PRODUCER, find: "  if (want <= deltaIntent) return;", replace: "  if (want <= deltaIntent + 1) return;" },
      { file: TWIN_PRODUCER, find: "    if (want > this.#intent) {", replace: "    if (want > this.#intent + 1) {" },
    ],
    tests: [ORDER],
  },
  {
    name: "ring-loss-overstated",
    why: "a lapped reader is told another number of lost records than it lost",
    edits: [
      {
        file: RING,
        find: "load<u64>(reader, READER_LOST) + (fresh - cursor)",
        replace: "load<u64>(reader, READER_LOST) + (tail - cursor)",
      },
      { file: TWIN_RING, find: " + fresh - cursor);", replace: " + tail - cursor);" },
    ],
    tests: ["test/unit/twin_ring.test.ts"],
  },
  {
    name: "ring-wakes-nobody",
    why: "waiting readers sleep until their timeout: every quiet market is late by up to 100 ms",
    edits: [
      { file: RING, find: "  atomic.notify(segment + HEADER_DELTA_TAIL, -1);\n", replace: "" },
      { file: TWIN_RING, find: "  Atomics.notify(words, (segment + HEADER_DELTA_TAIL) >>> 2);\n", replace: "" },
    ],
    tests: ["test/unit/twin_ring.test.ts", ORDER, "test/integration/torture.test.ts"],
  },
  {
    name: "publish-stamps-last-only",
    why: "of a batch only the last record says when it was published",
    edits: [
      { file: RING, find: "min(deltas, deltaRoom())", replace: "min(deltas, <u64>1)" },
      {
        file: TWIN_PRODUCER,
        find: "Math.min(this.position - this.tail, this.capacity)",
        replace: "Math.min(this.position - this.tail, 1)",
      },
    ],
    tests: ["test/unit/twin_ring.test.ts", ORDER],
  },
  {
    name: "trade-tail-first",
    why: "trades are visible before they are written",
    edits: [
      {
        file: PRODUCER,
        find: "  tradePosition = want;\n",
        replace: "  tradePosition = want;\n  atomic.store<u64>(segment, want, HEADER_TRADE_TAIL);\n",
      },
      {
        file: TWIN_PRODUCER,
        find: "    this.position++;\n    return slot;",
        replace:
          "    this.position++;\n    if (this.#recordBytes < 256) storePosition(this.#memory, this.#tailAddress, this.position);\n    return slot;",
      },
    ],
    tests: ["test/unit/twin_ring.test.ts", ORDER],
  },
  {
    name: "image-position-ahead",
    why: "a reader that joins by the patrol's image misses the record after it",
    edits: [
      {
        file: IMAGE,
        find: "load<u64>(instrument, INSTRUMENT_VERSION), deltaRecords());",
        replace: "load<u64>(instrument, INSTRUMENT_VERSION), deltaRecords() + 1);",
      },
      {
        file: TWIN_IMAGE,
        find: "instrument + INSTRUMENT_VERSION), deltas.position);",
        replace: "instrument + INSTRUMENT_VERSION), deltas.position + 1);",
      },
    ],
    tests: ["test/unit/twin_ring.test.ts", "test/unit/segment_join.test.ts"],
  },
  {
    name: "image-never-odd",
    why: "an image that is being written looks whole: readers load half of it",
    edits: [
      { file: IMAGE, find: "  atomic.store<u32>(image, generation + 1, IMAGE_GENERATION);\n", replace: "" },
      {
        file: TWIN_IMAGE,
        find: "  Atomics.store(words, (image + IMAGE_GENERATION) >>> 2, generation + 1);\n",
        replace: "",
      },
    ],
    tests: [ORDER],
  },
  {
    name: "image-current-before-complete",
    why: "readers are pointed to an image whose levels are still being written",
    edits: [
      {
        file: IMAGE,
        find: "  store<u32>(image, load<u32>(instrument, INSTRUMENT_STATE), IMAGE_STATE);\n",
        replace:
          "  atomic.store<u32>(entry, index, TABLE_CURRENT_IMAGE);\n  store<u32>(image, load<u32>(instrument, INSTRUMENT_STATE), IMAGE_STATE);\n",
      },
      {
        file: TWIN_IMAGE,
        find: "  writeU64(words, image + IMAGE_VERSION, version);\n",
        replace:
          "  Atomics.store(words, (entry + TABLE_CURRENT_IMAGE) >>> 2, number);\n  writeU64(words, image + IMAGE_VERSION, version);\n",
      },
    ],
    tests: [ORDER],
  },
  {
    name: "image-not-looked-at-again",
    why: "a reader does not notice that the image was rewritten while it copied",
    edits: [
      {
        file: IMAGE,
        find: "    if (atomic.load<u32>(image, IMAGE_GENERATION) != generation) continue;\n",
        replace: "",
      },
      {
        file: TWIN_LOAD,
        find: "      if (Atomics.load(words, image) !== generation) {\n        continue;\n      }\n",
        replace: "",
      },
    ],
    tests: [ORDER],
  },
  {
    name: "image-hash-unchecked",
    why: "an image that was damaged becomes somebody's book",
    edits: [
      {
        file: IMAGE,
        find: "    bookCount(book, SIDE_ASK) == asks &&\n    bookHash(book) == load<u32>(copy, IMAGE_HASH);",
        replace: "    bookCount(book, SIDE_ASK) == asks;",
      },
      { file: TWIN_LOAD, find: " && book.hash === this.field(IMAGE_HASH)) {", replace: ") {" },
    ],
    tests: ["test/unit/segment_join.test.ts"],
  },
  {
    name: "cell-never-odd",
    why: "the best prices of two moments are read as one",
    edits: [
      {
        file: DELTA,
        find: "  atomic.store<u32>(cell, sequence + 1, CELL_SEQUENCE);\n",
        replace: "",
      },
      {
        file: TWIN_CELL,
        find: "  Atomics.store(words, (cell + CELL_SEQUENCE) >>> 2, sequence + 1);\n  let cellFlags",
        replace: "  let cellFlags",
      },
    ],
    tests: [ORDER],
  },
  {
    name: "cell-keeps-emptied-side",
    why: "a side that has no levels any more still shows its last best price",
    edits: [
      {
        file: DELTA,
        find: "  let cellFlags = load<u32>(cell, CELL_FLAGS) & CELL_FLAG_TRADE;",
        replace: "  let cellFlags = load<u32>(cell, CELL_FLAGS) & (CELL_FLAG_TRADE | CELL_FLAG_BID | CELL_FLAG_ASK);",
      },
      {
        file: TWIN_CELL,
        find: " & CELL_FLAG_TRADE;",
        replace: " & (CELL_FLAG_TRADE | CELL_FLAG_BID | CELL_FLAG_ASK);",
      },
    ],
    tests: ["test/unit/twin_ring.test.ts", ORDER],
  },
  {
    name: "replica-accepts-jump",
    why: "a reader goes on after records of its book were lost, as long as the hash happens to hold",
    edits: [
      { file: REPLICA, find: "  if (version != held + 1) return", replace: "  if (version < held + 1) return" },
      {
        file: TWIN_RECORD,
        find: "  return low === resultLow() && high === resultHigh() ? REPLICA_OK : REPLICA_CHAIN_BROKEN;",
        replace: "  return REPLICA_OK;",
      },
    ],
    tests: ["test/unit/twin_frame.test.ts", ORDER],
  },
  {
    name: "replica-takes-old-image",
    why: "after a Reset a reader loads the image of before it: an old book with the Reset's version",
    edits: [
      {
        file: REPLICA,
        find: "  if (awaited && version < load<u64>(replica, REPLICA_VERSION)) return IMAGE_BUSY;\n",
        replace: "",
      },
      { file: TWIN_LOAD, find: "  if (order < 0) {\n    return IMAGE_BUSY;\n  }\n", replace: "" },
    ],
    tests: ["test/unit/twin_ring.test.ts", ORDER],
  },
  {
    name: "join-at-tail",
    why: "a reader joins by the image but reads on from the tail: what came between is missing",
    edits: [
      {
        file: "src/segment/join.ts",
        find: "      from: this.#read(replica + REPLICA_JOIN_SEQUENCE),\n",
        replace: "      from: options.until,\n",
      },
    ],
    tests: ["test/unit/segment_join.test.ts"],
  },
];
