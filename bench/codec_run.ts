/**
 * Encode and decode of the deltas of a run, and nothing else: the kernel's encoder turns an event's records into a frame,
 * the client's reader turns that frame into sides, prices and quantities as numbers. No book and no hash at either end;
 * the best prices before each event, which the coding refers to, are given to both.
 * Bad case: a frame that is not the gateway's; all are compared with it byte for byte, but for the proof that some carry.
 */
import {
  DELTA_BYTES,
  FRAME_FLAG_CHECK,
  REPLICA_ALIAS,
  REPLICA_EVENT_AT,
  REPLICA_FRAME_ADDRESS,
  REPLICA_INSTRUMENT_ID,
  REPLICA_OK,
  REPLICA_RECEIVED_AT,
  REPLICA_SOURCE_SEQUENCE,
  REPLICA_TIME_UNIT,
} from "../assembly/layout.ts";
import { ByteReader } from "../src/client/byte_reader.ts";
import type { Kernel } from "../src/kernel/kernel.ts";
import { mustEqual } from "./harness.ts";
import { addDriver, type CodecDriver } from "./processes/ring_driver.ts";
import type { RecordedRun } from "./recorded_run.ts";
import { reserveBytes } from "./workbench.ts";

const ENCODE_BYTES = 1 << 20;
const REFERENCES_BYTES = 16;
const PART_BYTES = 65_536;
const CHECK_BYTES = 8;
const DELAY_UNIT = 1000;
/** What the encoder holds from one event to the next. */
const HELD = [REPLICA_EVENT_AT, REPLICA_RECEIVED_AT, REPLICA_SOURCE_SEQUENCE] as const;
const STATUS_PRESENT = 1;
const RECORDS_PRESENT = 2;
const SEQUENCE_PRESENT = 4;
const ASK_BIT = 1;
const REMOVED_BIT = 2;

type Coder = { replica: number; held: bigint[]; unit: number };
type CodedEvent = { owner: number; records: number; count: number };

/** The codec on the events of a recorded run. */
export class CodecRun {
  /** Changes of all events. */
  readonly changes: number;
  readonly #run: RecordedRun;
  readonly #driver: Kernel & CodecDriver;
  readonly #coders: Coder[];
  readonly #events: CodedEvent[];
  readonly #references: number;
  /** Best bid and ask before each event, for the reader. */
  readonly #best: Float64Array;
  readonly #reader = new ByteReader();
  readonly #sides: Uint8Array;
  readonly #prices: Float64Array;
  readonly #quantities: Float64Array;

  /** @throws Error when a frame is not that of the gateway */
  constructor(run: RecordedRun) {
    const { bench } = run.engine;
    this.#run = run;
    this.#driver = addDriver(bench.map, "codec");
    this.#events = eventsOf(run);
    this.#references = reserveBytes(bench, "references", this.#events.length * REFERENCES_BYTES);
    this.#best = new Float64Array(this.#events.length * 2);
    const part = reserveBytes(bench, "codec part", PART_BYTES);
    const followed = run.engine.check.followed;
    const open = () => run.received().parts.map((parts, index) => this.#open(parts, { part, index }));
    this.#learnReferences(open());
    this.#coders = open().map((replica, index) => {
      mustEqual("an encode buffer", this.#driver.frameBufferCreate(replica, ENCODE_BYTES), 0);
      const held = HELD.map((field) => bench.view.getBigUint64(replica + field, true));
      return { replica, held, unit: bench.view.getUint32((followed[index]?.replica ?? 0) + REPLICA_TIME_UNIT, true) };
    });
    this.changes = run.messages.reduce((sum, { changes }) => sum + changes.length, 0);
    this.#sides = new Uint8Array(this.changes);
    this.#prices = new Float64Array(this.changes);
    this.#quantities = new Float64Array(this.changes);
    this.#compare();
  }

  /** Brings the encoder back to the snapshots. */
  rewind(): void {
    for (const { replica, held } of this.#coders) {
      for (const [index, field] of HELD.entries()) {
        this.#run.engine.bench.view.setBigUint64(replica + field, held[index] ?? 0n, true);
      }
    }
  }

  /** Every event into a frame, every frame into numbers. @returns changes that arrived, negative on a failure */
  run(): number {
    const { view, bytes } = this.#run.engine.bench;
    const driver = this.#driver;
    let arrived = 0;
    for (let index = 0; index < this.#events.length; index++) {
      const { owner, records, count } = this.#events[index] as CodedEvent;
      const { replica, unit } = this.#coders[owner] as Coder;
      const length = driver.codecEncode(replica, records, count, this.#references + index * REFERENCES_BYTES);
      const at = view.getUint32(replica + REPLICA_FRAME_ADDRESS, true);
      this.#reader.open(bytes, at + 1, at + length);
      arrived = this.#decode(arrived, { index, unit });
    }
    return this.#reader.failed ? -1 : arrived;
  }

  /** Judges a run. @throws Error when a number did not arrive as it was sent */
  verify(arrived: number): void {
    mustEqual("changes that arrived", arrived, this.changes);
    let at = 0;
    for (const { records, count } of this.#events) {
      for (const { side, price, quantity } of this.#run.changesOf({ records, count })) {
        mustEqual("the side of a change", this.#sides[at] ?? -1, side);
        mustEqual("the price of a change", this.#prices[at] ?? Number.NaN, price);
        mustEqual("the quantity of a change", this.#quantities[at] ?? Number.NaN, quantity);
        at += 1;
      }
    }
  }

  /** @returns changes read so far */
  #decode(before: number, { index, unit }: { index: number; unit: number }): number {
    const reader = this.#reader;
    reader.varint();
    const head = reader.varint() as number;
    if ((head & STATUS_PRESENT) !== 0) {
      reader.byte();
    }
    if ((head & RECORDS_PRESENT) !== 0) {
      reader.varint();
    }
    if ((head & SEQUENCE_PRESENT) !== 0) {
      reader.zigzag();
    }
    reader.time(unit);
    reader.time(DELAY_UNIT);
    let bid = this.#best[2 * index] as number;
    let ask = this.#best[2 * index + 1] as number;
    const end = before + (head >>> 3);
    for (let at = before; at < end; at++) {
      const first = reader.byte();
      const step = reader.step(first) as number;
      const price = (first & ASK_BIT) !== 0 ? ask + step : bid + step;
      if ((first & ASK_BIT) !== 0) {
        ask = price;
      } else {
        bid = price;
      }
      this.#sides[at] = first & ASK_BIT;
      this.#prices[at] = price;
      this.#quantities[at] = (first & REMOVED_BIT) === 0 ? (reader.quantity() as number) : 0;
    }
    return end;
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

  /** Every frame must be the gateway's, but for its proof. */
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
    }
  }
}

/** The events of a run, by the records that they consist of. */
function eventsOf(run: RecordedRun): CodedEvent[] {
  const events: CodedEvent[] = [];
  let first = 0;
  for (let index = 0; index < run.count; index++) {
    if (run.isEnd(index)) {
      const count = index + 1 - first;
      events.push({ owner: run.owner(index), records: run.records + first * DELTA_BYTES, count });
      first = index + 1;
    }
  }
  return events;
}
