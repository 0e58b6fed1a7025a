/**
 * Worker of the ring torture: as `producer` it applies generated frames as fast as it can on a tiny ring with many images;
 * as `reader` it follows with random pauses, verifies every record and image by version and hash, rejoins after every lap,
 * and counts. Bad case: anything torn; it is reported by its code, never ignored.
 */
import { parentPort, workerData } from "node:worker_threads";
import {
  DECODER_COINBASE_EXCHANGE,
  DELTA_BYTES,
  IMAGE_OK,
  INSTRUMENT_BOOK,
  INSTRUMENT_VERSION,
  POLL_LAPPED,
  READER_CURSOR,
  READER_LAPS,
  READER_LOST,
  REPLICA_EMPTY,
  REPLICA_HASH,
  REPLICA_INSTRUMENT_ID,
  REPLICA_OK,
  REPLICA_RESET,
  REPLICA_STALE,
  REPLICA_STATE,
  REPLICA_STATE_FOLLOWING,
  REPLICA_VERSION,
  RING_DELTAS,
} from "../../assembly/layout.ts";
import type { Kernel, KernelName } from "../../src/kernel/kernel.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import { ReplicaJoiner } from "../../src/segment/join.ts";
import { SegmentView } from "../../src/segment/view.ts";
import { SeededRandom } from "./seeded_random.ts";

/** What a worker is started with. */
export type TortureStart = {
  readonly role: "producer" | "reader";
  readonly kernel: KernelName;
  readonly memory: WebAssembly.Memory;
  readonly wasm: WebAssembly.Module;
  readonly arena: { readonly address: number; readonly bytes: number };
  readonly segment: number;
  /** Address of the instrument block; made by the test on the producer's arena beforehand. */
  readonly instrument: number;
  readonly frame: number;
  /** i32: 1 = the producer has finished. */
  readonly done: number;
  readonly frames: number;
  readonly seed: number;
};

/** What a worker reports. */
export type TortureReport =
  | { readonly role: "producer"; readonly version: string; readonly hash: number; readonly records: number }
  | {
      readonly role: "reader";
      readonly received: number;
      readonly lost: number;
      readonly cursor: number;
      readonly laps: number;
      readonly joins: number;
      readonly version: string;
      readonly hash: number;
      readonly errors: readonly string[];
    };

const POLL_RECORDS = 32;

const options = workerData as TortureStart;
const kernel = loadKernel({ name: options.kernel, memory: options.memory, wasmBytes: options.wasm });
kernel.arenaInit(options.arena.address, options.arena.bytes);
const view = new DataView(options.memory.buffer);
const words = new Int32Array(options.memory.buffer);
const random = new SeededRandom(options.seed);

function produce(producer: Kernel): TortureReport {
  const block = openInstrument(producer);
  let records = 0;
  put(producer, snapshot(), 0);
  for (let index = 1; index <= options.frames; index++) {
    put(producer, index % 5000 === 0 ? snapshot() : update(), index);
    if (random.below(4) !== 0) {
      records += producer.publish(index);
    }
  }
  records += producer.publish(options.frames + 1);
  Atomics.store(words, options.done >>> 2, 1);
  const version = view.getBigUint64(block + INSTRUMENT_VERSION, true).toString();
  return { role: "producer", version, hash: producer.bookHash(view.getUint32(block + INSTRUMENT_BOOK, true)), records };
}

/** The block that the test described lies at `instrument`; the kernel's own one takes its fields over. */
function openInstrument(producer: Kernel): number {
  producer.clockAnchor(1, 0);
  producer.producerAttach(options.segment);
  const name = options.frame;
  new Uint8Array(options.memory.buffer, name, 3).set(Buffer.from("X-Y"));
  const block = producer.instrumentCreate(name, 3);
  const book = view.getUint32(block + INSTRUMENT_BOOK, true);
  new Uint8Array(options.memory.buffer, block, 384).set(new Uint8Array(options.memory.buffer, options.instrument, 384));
  view.setUint32(block + INSTRUMENT_BOOK, book, true);
  return block;
}

function put(producer: Kernel, text: string, at: number): void {
  const bytes = Buffer.from(text);
  new Uint8Array(options.memory.buffer, options.frame, bytes.length).set(bytes);
  producer.apply(DECODER_COINBASE_EXCHANGE, options.frame, bytes.length, at);
}

function level(): [string, string] {
  return [String(100 + random.below(400)), random.below(3) === 0 ? "0" : String(1 + random.below(1_000_000))];
}

function snapshot(): string {
  const side = () => Array.from({ length: 300 }, () => level());
  return JSON.stringify({
    type: "snapshot",
    product_id: "X-Y",
    bids: side()
      .map(([price, lots]) => [String(Number(price) - 100), lots])
      .filter(([price]) => price !== "0"),
    asks: side().map(([price, lots]) => [String(Number(price) + 1000), lots]),
  });
}

function update(): string {
  const changes = Array.from({ length: 1 + random.below(40) }, () => {
    const [price, lots] = level();
    return random.below(2) === 0 ? ["buy", price, lots] : ["sell", String(Number(price) + 1000), lots];
  });
  return JSON.stringify({ type: "l2update", product_id: "X-Y", changes });
}

/** One reader: a ring reader, a replica, and its rejoining. */
class Follower {
  readonly #kernel: Kernel;
  readonly #segment = new SegmentView(options.memory.buffer, options.segment);
  readonly #reader: number;
  readonly #records: number;
  readonly #replica: number;
  readonly #joiner: ReplicaJoiner;
  readonly #start: number;
  readonly #errors: string[] = [];
  #received = 0;
  #joins = 0;

  constructor(reader: Kernel) {
    this.#kernel = reader;
    this.#reader = reader.readerCreate(options.segment, RING_DELTAS);
    this.#records = reader.arenaAllocate(POLL_RECORDS * DELTA_BYTES);
    this.#replica = reader.replicaCreate();
    view.setUint32(this.#replica + REPLICA_INSTRUMENT_ID, 1, true);
    const scratch = reader.arenaAllocate(POLL_RECORDS * DELTA_BYTES);
    this.#joiner = new ReplicaJoiner(reader, { segment: this.#segment, scratch, scratchRecords: POLL_RECORDS });
    this.#start = this.#u64(this.#reader + READER_CURSOR);
  }

  run(): TortureReport {
    let finished = false;
    while (!finished || !this.#isCurrent()) {
      finished = Atomics.load(words, options.done >>> 2) === 1;
      const count = this.#kernel.readerPoll(this.#reader, this.#records, 1 + random.below(POLL_RECORDS));
      if (count === POLL_LAPPED) {
        this.#kernel.replicaClear(this.#replica);
      }
      for (let index = 0; index < count; index++) {
        this.#apply(this.#records + index * DELTA_BYTES);
      }
      this.#received += Math.max(0, count);
      this.#rejoin();
      this.#pause();
    }
    return this.#report();
  }

  #isCurrent(): boolean {
    const isFollowing = view.getUint32(this.#replica + REPLICA_STATE, true) === REPLICA_STATE_FOLLOWING;
    return (
      this.#errors.length > 20 || (isFollowing && this.#u64(this.#reader + READER_CURSOR) === this.#segment.deltaTail)
    );
  }

  #apply(record: number): void {
    const code = this.#kernel.replicaApply(this.#replica, record);
    if (code === REPLICA_RESET || code === REPLICA_EMPTY || code === REPLICA_STALE || code === REPLICA_OK) {
      return;
    }
    this.#errors.push(`record refused with code ${code}`);
  }

  #rejoin(): void {
    if (view.getUint32(this.#replica + REPLICA_STATE, true) === REPLICA_STATE_FOLLOWING) {
      return;
    }
    const entry = this.#segment.instruments()[0]?.address ?? 0;
    const outcome = this.#joiner.join(this.#replica, { entry, until: this.#u64(this.#reader + READER_CURSOR) });
    this.#joins += outcome.kind === "joined" ? 1 : 0;
    if (outcome.kind === "corrupt" && outcome.code !== IMAGE_OK) {
      this.#errors.push(`join found corruption, code ${outcome.code}`);
    }
  }

  /** Adversarial timing: mostly none, sometimes long enough to be lapped many times. */
  #pause(): void {
    const kind = random.below(200);
    if (kind === 0) {
      Atomics.wait(words, options.done >>> 2, 2, 1 + random.below(4));
    } else if (kind < 20) {
      for (let spin = random.below(3000); spin > 0; spin--) {
        Atomics.load(words, options.done >>> 2);
      }
    }
  }

  #report(): TortureReport {
    return {
      role: "reader",
      received: this.#received,
      lost: this.#u64(this.#reader + READER_LOST),
      cursor: this.#u64(this.#reader + READER_CURSOR) - this.#start,
      laps: view.getUint32(this.#reader + READER_LAPS, true),
      joins: this.#joins,
      version: view.getBigUint64(this.#replica + REPLICA_VERSION, true).toString(),
      hash: view.getUint32(this.#replica + REPLICA_HASH, true),
      errors: this.#errors,
    };
  }

  #u64(address: number): number {
    return Number(view.getBigUint64(address, true));
  }
}

parentPort?.postMessage(options.role === "producer" ? produce(kernel) : new Follower(kernel).run());
