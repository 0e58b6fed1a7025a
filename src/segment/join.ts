/**
 * Joins a replica to a running segment: load the instrument's image, then read the ring again from the image's position
 * up to where the caller's main reader stands, applying that instrument's records only. Afterwards the main reader goes
 * on without a gap; records that it still brings and the image already held are skipped by their version.
 * Bad case: the producer overwrites image or ring meanwhile. Every step notices, tries are bounded, and the outcome says
 * what stood in the way; the replica is then EMPTY and the caller asks again later.
 */
import {
  DELTA_BYTES,
  DELTA_INSTRUMENT_ID,
  IMAGE_BUSY,
  IMAGE_LAPPED,
  IMAGE_NONE,
  IMAGE_OK,
  POLL_LAPPED,
  READER_CURSOR,
  REPLICA_BUFFER_FULL,
  REPLICA_EVENT_OPEN,
  REPLICA_INSTRUMENT_ID,
  REPLICA_JOIN_SEQUENCE,
  REPLICA_OK,
  REPLICA_RESET,
  REPLICA_STALE,
  RING_DELTAS,
} from "../../assembly/layout.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { SegmentView } from "./view.ts";

const TRIES_MAX = 8;
const TWO_32 = 4_294_967_296;

/**
 * How a join ended. Only after `joined` the replica follows the ring.
 * `no_image`: the ring has forgotten the beginning and no image was taken yet; one is due soon. `busy`: image or ring
 * were overwritten during every try. `corrupt`: image or records contradict their hash, version chain or id.
 */
export type JoinOutcome =
  | { readonly kind: "joined"; readonly from: "image" | "start" }
  | { readonly kind: "no_image" }
  | { readonly kind: "busy" }
  | { readonly kind: "corrupt"; readonly code: number };

/** Joins replicas of one segment, one at a time. */
export class ReplicaJoiner {
  readonly #kernel: Kernel;
  readonly #segment: SegmentView;
  readonly #memory: DataView;
  readonly #reader: number;
  readonly #scratch: number;
  readonly #scratchRecords: number;

  /**
   * @param kernel of the calling thread; a reader block is taken from its arena
   * @param options.scratch arena bytes for records being read again; may be shared with whatever else runs on this thread
   * @param options.scratchRecords records that fit there
   * @throws RangeError when the arena is exhausted
   */
  constructor(kernel: Kernel, options: { segment: SegmentView; scratch: number; scratchRecords: number }) {
    this.#kernel = kernel;
    this.#segment = options.segment;
    this.#memory = new DataView(kernel.buffer);
    this.#scratch = options.scratch;
    this.#scratchRecords = options.scratchRecords;
    this.#reader = kernel.readerCreate(options.segment.address, RING_DELTAS);
    if (this.#reader === 0) {
      throw new RangeError(`Cannot join a segment: the arena is exhausted, was ${kernel.arenaUsed()} bytes used`);
    }
  }

  /**
   * Brings a replica to where the main reader stands.
   * @param replica its id is set; an encode buffer's content is discarded, the caller starts its clients anew anyway
   * @param options.entry address of the instrument's table entry
   * @param options.until ring position of the main reader's next record
   * @returns the outcome; anything but `joined` leaves the replica EMPTY
   * Cost: copying the image's levels and at most one ring of records.
   */
  join(replica: number, options: { entry: number; until: number }): JoinOutcome {
    let last: JoinOutcome = { kind: "busy" };
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      last = this.#tryJoin(replica, options);
      if (last.kind === "joined" || last.kind === "no_image") {
        return last;
      }
    }
    this.#kernel.replicaClear(replica);
    return last;
  }

  #tryJoin(replica: number, options: { entry: number; until: number }): JoinOutcome {
    const loaded = this.#kernel.imageLoad(replica, this.#segment.address, options.entry);
    if (loaded === IMAGE_BUSY || loaded === IMAGE_LAPPED) {
      return { kind: "busy" };
    }
    if (loaded === IMAGE_NONE) {
      return this.#joinFromStart(replica, options.until);
    }
    if (loaded !== IMAGE_OK) {
      return { kind: "corrupt", code: loaded };
    }
    return this.#catchUp(replica, "image", {
      from: this.#read(replica + REPLICA_JOIN_SEQUENCE),
      until: options.until,
    });
  }

  /** Without an image the whole history is needed: possible as long as the ring has not gone round. */
  #joinFromStart(replica: number, until: number): JoinOutcome {
    if (this.#segment.deltaTailIntent > this.#segment.header.deltaCapacity) {
      this.#kernel.replicaClear(replica);
      return { kind: "no_image" };
    }
    this.#kernel.replicaBegin(replica);
    return this.#catchUp(replica, "start", { from: 0, until });
  }

  #catchUp(replica: number, source: "image" | "start", range: { from: number; until: number }): JoinOutcome {
    this.#write(this.#reader + READER_CURSOR, range.from);
    for (let position = range.from; position < range.until; ) {
      const limit = Math.min(this.#scratchRecords, range.until - position);
      const count = this.#kernel.readerPoll(this.#reader, this.#scratch, limit);
      if (count === POLL_LAPPED) {
        return { kind: "busy" };
      }
      if (count === 0) {
        break;
      }
      const code = this.#apply(replica, count);
      if (code !== REPLICA_OK) {
        return code === REPLICA_RESET ? { kind: "busy" } : { kind: "corrupt", code };
      }
      position += count;
    }
    return { kind: "joined", from: source };
  }

  /** @returns REPLICA_OK, or the first result that ends the attempt */
  #apply(replica: number, count: number): number {
    const id = this.#memory.getUint32(replica + REPLICA_INSTRUMENT_ID, true);
    for (let index = 0; index < count; index++) {
      const record = this.#scratch + index * DELTA_BYTES;
      if (this.#memory.getUint32(record + DELTA_INSTRUMENT_ID, true) !== id) {
        continue;
      }
      let code = this.#kernel.replicaApply(replica, record);
      if (code === REPLICA_BUFFER_FULL && this.#memory.getUint32(replica + REPLICA_EVENT_OPEN, true) === 0) {
        this.#kernel.frameTake(replica, 0);
        code = this.#kernel.replicaApply(replica, record);
      }
      if (code !== REPLICA_OK && code !== REPLICA_STALE) {
        return code;
      }
    }
    return REPLICA_OK;
  }

  #read(address: number): number {
    return this.#memory.getUint32(address + 4, true) * TWO_32 + this.#memory.getUint32(address, true);
  }

  #write(address: number, count: number): void {
    this.#memory.setUint32(address, count >>> 0, true);
    this.#memory.setUint32(address + 4, Math.floor(count / TWO_32), true);
  }
}
