/**
 * Encode and decode of the deltas of a run, and nothing else: the kernel's encoder turns an event's records into a frame,
 * and the client's `StreamBook`, as it is shipped and with all that it looks at in a frame, turns that frame into sides,
 * prices, quantities, times and versions. No levels and no hash at either end: a sink that keeps numbers stands in the
 * place of the client's levels, and the best prices before each event, which the coding refers to, are given to both.
 * Bad case: a frame that is not the gateway's; all are compared with it byte for byte, but for the proof that some carry.
 */
import {
  DELTA_BYTES,
  DELTA_EVENT_AT,
  DELTA_FLAGS,
  DELTA_RECEIVED_AT,
  DELTA_SOURCE_SEQUENCE,
  FLAG_CROSSED,
  FRAME_FLAG_CHECK,
  REPLICA_ALIAS,
  REPLICA_EVENT_AT,
  REPLICA_FRAME_ADDRESS,
  REPLICA_INSTRUMENT_ID,
  REPLICA_OK,
  REPLICA_RECEIVED_AT,
  REPLICA_SOURCE_SEQUENCE,
} from "../assembly/layout.ts";
import type { StreamBook } from "../src/client/stream_book.ts";
import { Word64 } from "../src/client/word64.ts";
import type { Kernel } from "../src/kernel/kernel.ts";
import { mustEqual } from "./harness.ts";
import { NumberSink, sinkingBook } from "./number_sink.ts";
import { addDriver, type CodecDriver } from "./processes/ring_driver.ts";
import type { RecordedRun } from "./recorded_run.ts";
import { reserveBytes } from "./workbench.ts";

const ENCODE_BYTES = 1 << 20;
const REFERENCES_BYTES = 16;
const PART_BYTES = 65_536;
const CHECK_BYTES = 8;
/** What the encoder holds from one event to the next. */
const HELD = [REPLICA_EVENT_AT, REPLICA_RECEIVED_AT, REPLICA_SOURCE_SEQUENCE] as const;
/** What the client's book holds from one event to the next, and where the last record of an event says the same. */
const STAMPS = { eventAt: DELTA_EVENT_AT, receivedAt: DELTA_RECEIVED_AT, sequence: DELTA_SOURCE_SEQUENCE } as const;
const WORDS = ["eventAt", "receivedAt", "sequence", "version"] as const;

type Coder = { replica: number; held: bigint[]; book: StreamBook; from: Word64[] };
type CodedEvent = { owner: number; records: number; count: number; isCrossed: boolean };

/** The codec on the events of a recorded run. */
export class CodecRun {
  /** Changes of all events. */
  readonly changes: number;
  readonly #run: RecordedRun;
  readonly #driver: Kernel & CodecDriver;
  readonly #coders: Coder[];
  readonly #events: CodedEvent[];
  readonly #references: number;
  /** Best bid and ask before each event, for the client. */
  readonly #best: Float64Array;
  /** Where the frame of each event lies, as the client is handed it. */
  readonly #frames: Uint8Array[] = [];
  readonly #addresses: Int32Array;
  readonly #sink: NumberSink;

  /** @throws Error when a frame is not that of the gateway */
  constructor(run: RecordedRun) {
    const { bench } = run.engine;
    this.#run = run;
    this.#driver = addDriver(bench.map, "codec");
    this.#events = eventsOf(run);
    this.#references = reserveBytes(bench, "references", this.#events.length * REFERENCES_BYTES);
    this.#best = new Float64Array(this.#events.length * 2);
    this.#addresses = new Int32Array(this.#events.length);
    const part = reserveBytes(bench, "codec part", PART_BYTES);
    const { parts } = run.received();
    const open = () => parts.map((own, index) => this.#open(own, { part, index }));
    this.#learnReferences(open());
    this.changes = run.messages.reduce((sum, { changes }) => sum + changes.length, 0);
    this.#sink = new NumberSink(this.changes);
    this.#coders = open().map((replica, index) => {
      mustEqual("an encode buffer", this.#driver.frameBufferCreate(replica, ENCODE_BYTES), 0);
      const held = HELD.map((field) => bench.view.getBigUint64(replica + field, true));
      const book = sinkingBook(parts[index] ?? [], this.#sink);
      return { replica, held, book, from: WORDS.map((name) => copyOf(book[name])) };
    });
    this.#compare();
  }

  /** Brings both ends back to the snapshots. */
  rewind(): void {
    this.#sink.count = 0;
    for (const { replica, held, book, from } of this.#coders) {
      for (const [index, field] of HELD.entries()) {
        this.#run.engine.bench.view.setBigUint64(replica + field, held[index] ?? 0n, true);
      }
      for (const [index, name] of WORDS.entries()) {
        book[name].copy(from[index] ?? book[name]);
      }
    }
  }

  /** Every event into a frame, every frame into numbers. @returns changes that arrived, negative on a failure */
  run(): number {
    const { view } = this.#run.engine.bench;
    const driver = this.#driver;
    const sink = this.#sink;
    let failures = 0;
    for (let index = 0; index < this.#events.length; index++) {
      const { owner, records, count, isCrossed } = this.#events[index] as CodedEvent;
      const { replica, book } = this.#coders[owner] as Coder;
      const length = driver.codecEncode(replica, records, count, this.#references + index * REFERENCES_BYTES);
      const frame = this.#frames[index] as Uint8Array;
      const isInPlace = view.getUint32(replica + REPLICA_FRAME_ADDRESS, true) === this.#addresses[index];
      sink.bids.at = this.#best[2 * index] as number;
      sink.asks.at = this.#best[2 * index + 1] as number;
      sink.isCrossed = isCrossed;
      failures += isInPlace && length === frame.length && book.apply(frame) === REPLICA_OK ? 0 : 1;
    }
    return failures === 0 ? sink.count : -failures;
  }

  /** Judges a run. @throws Error when a number did not arrive as it was sent */
  verify(arrived: number): void {
    mustEqual("changes that arrived", arrived, this.changes);
    const { sides, prices, quantities } = this.#sink;
    let at = 0;
    for (const { records, count } of this.#events) {
      for (const { side, price, quantity } of this.#run.changesOf({ records, count })) {
        mustEqual("the side of a change", sides[at] ?? -1, side);
        mustEqual("the price of a change", prices[at] ?? Number.NaN, price);
        mustEqual("the quantity of a change", quantities[at] ?? Number.NaN, quantity);
        at += 1;
      }
    }
    const { view } = this.#run.engine.bench;
    const last = new Map(this.#events.map((event) => [event.owner, lastOf(event)]));
    for (const [owner, record] of last) {
      for (const [name, field] of Object.entries(STAMPS)) {
        const reached = this.#coders[owner]?.book[name as keyof typeof STAMPS].value ?? -1n;
        mustEqual(`the last ${name}`, reached, view.getBigUint64(record + field, true));
      }
    }
  }

  /** A replica with the book of a snapshot. */
  #open(parts: readonly Uint8Array[], { part, index }: { part: number; index: number }): number {
    const { bench, check } = this.#run.engine;
    const replica = this.#driver.replicaCreate();
    bench.view.setUint32(replica + REPLICA_INSTRUMENT_ID, check.followed[index]?.block.entry.id ?? 0, true);
    bench.view.setUint32(replica + REPLICA_ALIAS, index + 1, true);
    for (const bytes of parts) {
      bench.bytes.set(bytes, part);
      mustEqual("a snapshot part", this.#driver.frameApply(replica, part, bytes.length), REPLICA_OK);
    }
    return replica;
  }

  #learnReferences(replicas: readonly number[]): void {
    const { view } = this.#run.engine.bench;
    for (const [index, { owner, records, count }] of this.#events.entries()) {
      const replica = replicas[owner] ?? 0;
      const references = this.#references + index * REFERENCES_BYTES;
      this.#driver.codecReferences(replica, references);
      this.#best[2 * index] = Number(view.getBigInt64(references, true));
      this.#best[2 * index + 1] = Number(view.getBigInt64(references + 8, true));
      for (let record = 0; record < count; record++) {
        const applied = this.#driver.replicaApply(replica, records + record * DELTA_BYTES);
        mustEqual("a record", applied, REPLICA_OK);
      }
    }
    for (const replica of replicas) {
      this.#driver.replicaRelease(replica);
    }
  }

  /** Every frame must be the gateway's, but for its proof; where each lies is the same in every run. */
  #compare(): void {
    const { frames } = this.#run.received();
    const { view, bytes } = this.#run.engine.bench;
    this.rewind();
    for (const [index, { owner, records, count }] of this.#events.entries()) {
      const { replica } = this.#coders[owner] as Coder;
      const length = this.#driver.codecEncode(replica, records, count, this.#references + index * REFERENCES_BYTES);
      const at = view.getUint32(replica + REPLICA_FRAME_ADDRESS, true);
      const expected = frames[index] ?? new Uint8Array();
      const hasCheck = ((expected[0] ?? 0) & FRAME_FLAG_CHECK) !== 0;
      const body = expected.slice(1, hasCheck ? expected.length - CHECK_BYTES : expected.length);
      const own = bytes.slice(at + 1, at + length);
      mustEqual(`frame ${index}`, Buffer.compare(Buffer.from(own), Buffer.from(body)), 0);
      this.#frames.push(bytes.subarray(at, at + length));
      this.#addresses[index] = at;
    }
  }
}

/** Address of the last record of an event. */
function lastOf({ records, count }: Pick<CodedEvent, "records" | "count">): number {
  return records + (count - 1) * DELTA_BYTES;
}

function copyOf(word: Word64): Word64 {
  const copy = new Word64();
  copy.copy(word);
  return copy;
}

/** The events of a run, by the records that they consist of. */
function eventsOf(run: RecordedRun): CodedEvent[] {
  const events: CodedEvent[] = [];
  let first = 0;
  for (let index = 0; index < run.count; index++) {
    if (run.isEnd(index)) {
      const count = index + 1 - first;
      const records = run.records + first * DELTA_BYTES;
      const flags = run.engine.bench.view.getUint16(lastOf({ records, count }) + DELTA_FLAGS, true);
      // Field by field: objects that are spread from others are read 300 ns slower here, each with a shape of its own.
      events.push({ owner: run.owner(index), records, count, isCrossed: (flags & FLAG_CROSSED) !== 0 });
      first = index + 1;
    }
  }
  return events;
}
