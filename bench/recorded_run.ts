/**
 * The records that one run of an engine left in the ring, kept in memory, with the snapshots that they follow: the input
 * of everything behind the ring, to be played again and again. The gateway's replica encodes, the client's decodes.
 * Bad case: playing them on books that do not stand at the snapshots; `rewind` brings both back and is verified.
 */
import {
  DELTA_BASE_PRICE,
  DELTA_BYTES,
  DELTA_CHANGE_COUNT,
  DELTA_FLAGS,
  DELTA_PRICE_OFFSETS,
  DELTA_QUANTITIES,
  DELTA_RECEIVED_AT,
  DELTA_SIDE_MASK,
  FLAG_LAST,
  REPLICA_ALIAS,
  REPLICA_EVENT_AT,
  REPLICA_FRAME_ADDRESS,
  REPLICA_HASH,
  REPLICA_INSTRUMENT_ID,
  REPLICA_NEXT_LEVEL,
  REPLICA_OK,
  REPLICA_PRICE_EXPONENT,
  REPLICA_QUANTITY_EXPONENT,
  REPLICA_TIME_UNIT,
} from "../assembly/layout.ts";
import type { Kernel } from "../src/kernel/kernel.ts";
import { orderBookDeltaMessage, recordChanges } from "../src/wire/json_form.ts";
import type { JsonChange, OrderBookDeltaMessage } from "../src/wire/protocol.ts";
import type { Engine } from "./engine.ts";
import { mustEqual } from "./harness.ts";
import type { Followed } from "./ring_check.ts";
import { addKernel, reserveBytes } from "./workbench.ts";

const PART_BYTES = 65_536;
const ENCODE_BYTES = 1 << 20;
const FINISHED = 0xffffffff;
/** The gateway sends the hash with every 64th frame and with the first frame of a second. */
const FRAMES_PER_CHECK = 64;
const CHECK_EVERY_NS = 1_000_000_000n;
const TIME_UNITS = [1_000_000n, 1000n, 1n] as const;

/** One instrument at both ends of the wire. */
type Ends = { gateway: number; client: number; plain: number; plainClient: number; parts: Uint8Array[] };

/** A change as the stream codes it. */
export type PlainChange = { side: number; price: number; quantity: number };

/** The records of one run. */
export class RecordedRun {
  readonly engine: Engine;
  readonly count: number;
  /** Of whole events. */
  readonly messages: OrderBookDeltaMessage[] = [];
  readonly gateway: Kernel;
  readonly client: Kernel;
  readonly #view: DataView;
  readonly #records: number;
  readonly #owners: Int32Array;
  /** 0 = the event goes on, 1 = it ends here, 2 = it ends and its frame carries the hash. */
  readonly #ends: Uint8Array;
  readonly #instruments: Ends[];
  readonly #part: number;
  #frames: { addresses: Int32Array; lengths: Int32Array } | undefined;

  /** Runs the engine's book frames once. */
  constructor(engine: Engine) {
    const { bench, check } = engine;
    this.engine = engine;
    this.gateway = addKernel(bench.map, bench.name, "gateway");
    this.client = addKernel(bench.map, bench.name, "client");
    this.#view = bench.view;
    this.#part = reserveBytes(bench, "part", PART_BYTES);
    const { records } = engine.counts("book");
    this.#records = reserveBytes(bench, "records", records * DELTA_BYTES);
    engine.reset();
    const units = timeUnits(engine);
    this.#instruments = check.followed.map((followed, index) =>
      this.#open(followed, { index, unit: units[index] ?? 1 }),
    );
    const kept = this.#keep();
    this.count = kept.owners.length;
    this.#owners = Int32Array.from(kept.owners);
    this.#ends = checkPlaces(kept);
    mustEqual("records kept", this.count, records);
  }

  /** Events of the run. */
  get events(): number {
    return this.messages.length;
  }

  /** Address of the first record. */
  get records(): number {
    return this.#records;
  }

  /** Place of the instrument that a record is of. */
  owner(index: number): number {
    return this.#owners[index] ?? -1;
  }

  /** Whether an event ends with a record. */
  isEnd(index: number): boolean {
    return (this.#ends[index] ?? 0) > 0;
  }

  /** The changes of records that follow each other, as mantissas. */
  *changesOf({ records, count }: { records: number; count: number }): Generator<PlainChange> {
    const view = this.#view;
    for (let record = records; record < records + count * DELTA_BYTES; record += DELTA_BYTES) {
      const sides = view.getUint16(record + DELTA_SIDE_MASK, true);
      const base = view.getBigInt64(record + DELTA_BASE_PRICE, true);
      for (let index = 0; index < view.getUint8(record + DELTA_CHANGE_COUNT); index++) {
        const offset = view.getInt32(record + DELTA_PRICE_OFFSETS + 4 * index, true);
        const quantity = Number(view.getBigInt64(record + DELTA_QUANTITIES + 8 * index, true));
        yield { side: (sides >> index) & 1, price: Number(base) + offset, quantity };
      }
    }
  }

  /** Brings both ends back to the snapshots. */
  rewind(): void {
    for (const { gateway, client, plain, plainClient, parts } of this.#instruments) {
      this.gateway.frameTake(gateway, 0);
      for (const part of parts) {
        this.engine.bench.bytes.set(part, this.#part);
        mustEqual("a snapshot part", this.gateway.frameApply(gateway, this.#part, part.length), REPLICA_OK);
        mustEqual("a snapshot part", this.gateway.frameApply(plain, this.#part, part.length), REPLICA_OK);
        mustEqual("a snapshot part", this.client.frameApply(client, this.#part, part.length), REPLICA_OK);
        mustEqual("a snapshot part", this.client.frameApply(plainClient, this.#part, part.length), REPLICA_OK);
      }
    }
  }

  /** Every record through the gateway's replica into frames, every frame into the client's. @returns bytes of frames, negative on a failure */
  encodeAndDecode(): number {
    const { gateway, client } = this;
    const view = this.#view;
    let bytes = 0;
    for (let index = 0; index < this.count; index++) {
      const ends = this.#instruments[this.#owners[index] as number] as Ends;
      if (gateway.replicaApply(ends.gateway, this.#records + index * DELTA_BYTES) !== REPLICA_OK) {
        return -1;
      }
      const end = this.#ends[index] as number;
      if (end > 0) {
        const length = gateway.frameTake(ends.gateway, end - 1);
        const address = view.getUint32(ends.gateway + REPLICA_FRAME_ADDRESS, true);
        if (client.frameApply(ends.client, address, length) !== REPLICA_OK) {
          return -1;
        }
        bytes += length;
      }
    }
    return bytes;
  }

  /** The gateway's half. @returns bytes of frames, negative on a failure */
  encode(): number {
    const { gateway } = this;
    let bytes = 0;
    for (let index = 0; index < this.count; index++) {
      const { gateway: replica } = this.#instruments[this.#owners[index] as number] as Ends;
      if (gateway.replicaApply(replica, this.#records + index * DELTA_BYTES) !== REPLICA_OK) {
        return -1;
      }
      const end = this.#ends[index] as number;
      bytes += end > 0 ? gateway.frameTake(replica, end - 1) : 0;
    }
    return bytes;
  }

  /** The gateway's half without an encoder: chain, book and hash only. @returns failures */
  follow(): number {
    const { gateway } = this;
    let failures = 0;
    for (let index = 0; index < this.count; index++) {
      const { plain } = this.#instruments[this.#owners[index] as number] as Ends;
      failures += gateway.replicaApply(plain, this.#records + index * DELTA_BYTES) === REPLICA_OK ? 0 : 1;
    }
    return failures;
  }

  /** Every record into the books of both ends, each verified by hash, with nothing coded between them. @returns failures */
  followBoth(): number {
    const { gateway, client } = this;
    let failures = 0;
    for (let index = 0; index < this.count; index++) {
      const { plain, plainClient } = this.#instruments[this.#owners[index] as number] as Ends;
      const record = this.#records + index * DELTA_BYTES;
      failures += gateway.replicaApply(plain, record) === REPLICA_OK ? 0 : 1;
      failures += client.replicaApply(plainClient, record) === REPLICA_OK ? 0 : 1;
    }
    return failures;
  }

  /** The client's half, of frames that `keepFrames` kept. @returns bytes of frames, negative on a failure */
  decode(): number {
    const { client } = this;
    const { addresses, lengths } = this.keepFrames();
    let bytes = 0;
    let event = 0;
    for (let index = 0; index < this.count; index++) {
      if ((this.#ends[index] as number) > 0) {
        const ends = this.#instruments[this.#owners[index] as number] as Ends;
        const length = lengths[event] as number;
        if (client.frameApply(ends.client, addresses[event] as number, length) !== REPLICA_OK) {
          return -1;
        }
        bytes += length;
        event += 1;
      }
    }
    return bytes;
  }

  /** Encodes once and keeps every frame in memory. */
  keepFrames(): { addresses: Int32Array; lengths: Int32Array } {
    if (this.#frames !== undefined) {
      return this.#frames;
    }
    this.rewind();
    const total = this.encode();
    const address = reserveBytes(this.engine.bench, "frames", total + 8 * this.events);
    const addresses = new Int32Array(this.events);
    const lengths = new Int32Array(this.events);
    this.rewind();
    let at = address;
    let event = 0;
    for (let index = 0; index < this.count; index++) {
      const { gateway: replica } = this.#instruments[this.#owners[index] ?? 0] as Ends;
      mustEqual("a record", this.gateway.replicaApply(replica, this.#records + index * DELTA_BYTES), REPLICA_OK);
      const end = this.#ends[index] ?? 0;
      if (end > 0) {
        const length = this.gateway.frameTake(replica, end - 1);
        const from = this.#view.getUint32(replica + REPLICA_FRAME_ADDRESS, true);
        this.engine.bench.bytes.copyWithin(at, from, from + length);
        addresses[event] = at;
        lengths[event] = length;
        at += length;
        event += 1;
      }
    }
    this.#frames = { addresses, lengths };
    return this.#frames;
  }

  /** Bytes of every frame, in order. */
  get frameLengths(): Int32Array {
    return this.keepFrames().lengths;
  }

  /** What a client receives: the snapshot parts of each instrument, then every frame in order; alias 1 is the first instrument. */
  received(): { parts: Uint8Array[][]; frames: Uint8Array[] } {
    const { addresses, lengths } = this.keepFrames();
    const { bytes } = this.engine.bench;
    const frames = Array.from(addresses, (address, index) => bytes.slice(address, address + (lengths[index] ?? 0)));
    return { parts: this.#instruments.map(({ parts }) => parts), frames };
  }

  /** Frames that carry the hash. */
  get checks(): number {
    return this.#ends.filter((end) => end === 2).length;
  }

  /** @param end whose books are to be judged @throws Error when a book is not the producer's */
  verify(end: "gateway" | "client" | "plain" | "plainClient"): void {
    for (const [index, { block }] of this.engine.check.followed.entries()) {
      const replica = this.#instruments[index]?.[end] ?? 0;
      const hash = this.#view.getUint32(replica + REPLICA_HASH, true);
      mustEqual(`the ${end}'s book of ${block.native}`, hash, this.engine.hash(block));
    }
  }

  #open({ block, replica }: Followed, { index, unit }: { index: number; unit: number }): Ends {
    const view = this.#view;
    const gateway = this.gateway.replicaCreate();
    const plain = this.gateway.replicaCreate();
    const client = this.client.replicaCreate();
    const plainClient = this.client.replicaCreate();
    mustEqual("an encode buffer", this.gateway.frameBufferCreate(gateway, ENCODE_BYTES), 0);
    for (const target of [gateway, plain, client, plainClient]) {
      view.setUint32(target + REPLICA_INSTRUMENT_ID, block.entry.id, true);
      view.setUint32(target + REPLICA_ALIAS, index + 1, true);
    }
    view.setUint32(replica + REPLICA_ALIAS, index + 1, true);
    view.setUint32(replica + REPLICA_TIME_UNIT, unit, true);
    view.setInt32(replica + REPLICA_PRICE_EXPONENT, block.priceExponent, true);
    view.setInt32(replica + REPLICA_QUANTITY_EXPONENT, block.quantityExponent, true);
    view.setUint32(replica + REPLICA_NEXT_LEVEL, 0, true);
    const parts: Uint8Array[] = [];
    while (view.getUint32(replica + REPLICA_NEXT_LEVEL, true) !== FINISHED) {
      const length = this.engine.bench.reader.snapshotEncode(replica, this.#part, PART_BYTES);
      parts.push(this.engine.bench.bytes.slice(this.#part, this.#part + length));
    }
    return { gateway, client, plain, plainClient, parts };
  }

  /** Runs the engine and keeps what it writes. */
  #keep(): { owners: number[]; isLast: boolean[]; receivedAt: bigint[] } {
    const { bench, check } = this.engine;
    const owners: number[] = [];
    const isLast: boolean[] = [];
    const receivedAt: bigint[] = [];
    let changes: JsonChange[] = [];
    const versions = new Map<string, string>();
    check.listen((record, followed) => {
      const { block } = followed;
      bench.bytes.copyWithin(this.#records + owners.length * DELTA_BYTES, record, record + DELTA_BYTES);
      owners.push(check.followed.indexOf(followed));
      const isEnd = (this.#view.getUint16(record + DELTA_FLAGS, true) & FLAG_LAST) !== 0;
      isLast.push(isEnd);
      receivedAt.push(this.#view.getBigUint64(record + DELTA_RECEIVED_AT, true));
      const { priceExponent, quantityExponent } = block;
      changes.push(...recordChanges(this.#view, record, { priceExponent, quantityExponent }));
      if (isEnd) {
        const instrument = block.canonical;
        const previousVersion = versions.get(instrument) ?? "0";
        const view = { instrument, depth: 0, rateMs: 0 };
        const message = orderBookDeltaMessage(this.#view, followed.replica, { ...view, previousVersion, changes });
        this.messages.push(message);
        versions.set(instrument, message.version);
        changes = [];
      }
    });
    this.engine.verify("book", this.engine.run("book"));
    check.listen(undefined);
    return { owners, isLast, receivedAt };
  }
}

/** Which events carry the hash, by the gateway's rule. */
function checkPlaces({ owners, isLast, receivedAt }: { owners: number[]; isLast: boolean[]; receivedAt: bigint[] }) {
  const since = new Map<number, { frames: number; at: bigint }>();
  return Uint8Array.from(owners, (owner, index) => {
    if (isLast[index] !== true) {
      return 0;
    }
    const at = receivedAt[index] ?? 0n;
    const last = since.get(owner) ?? { frames: 0, at };
    const isDue = last.frames >= FRAMES_PER_CHECK - 1 || at - last.at >= CHECK_EVERY_NS;
    since.set(owner, isDue ? { frames: 0, at } : { frames: last.frames + 1, at: last.at });
    return isDue ? 2 : 1;
  });
}

/** The coarsest unit that every event time of an instrument divides by, as the gateway learns it. */
function timeUnits(engine: Engine): number[] {
  const { check, bench } = engine;
  const units = check.followed.map(() => 0);
  check.listen((record, followed) => {
    const at = bench.view.getBigUint64(record, true);
    const index = check.followed.indexOf(followed);
    while (at % (TIME_UNITS[units[index] ?? 0] ?? 1n) !== 0n) {
      units[index] = (units[index] ?? 0) + 1;
    }
  });
  engine.verify("book", engine.run("book"));
  check.listen(undefined);
  engine.reset();
  for (const [index, { replica }] of check.followed.entries()) {
    const at = bench.view.getBigUint64(replica + REPLICA_EVENT_AT, true);
    while (at % (TIME_UNITS[units[index] ?? 0] ?? 1n) !== 0n) {
      units[index] = (units[index] ?? 0) + 1;
    }
  }
  return units.map((unit) => Number(TIME_UNITS[unit] ?? 1n));
}
