/**
 * The sync of one exchange: frames go in, the kernel applies them, and every outcome that is not plain is settled here:
 * rescales, buffering, the splice of REST snapshots, faults, unreadable frames, acknowledgements. No I/O and no clock: what
 * is to be sent or fetched leaves as actions, so that a socket, a capture or a test drives the same code.
 * Bad case: a frame whose instrument cannot be told; then every book of its connection is in doubt.
 */
import {
  APPLY_BUFFER,
  APPLY_DECODE_ERROR,
  APPLY_HEARTBEAT,
  APPLY_SNAPSHOT,
  APPLY_TICKER,
  STATE_OUT_OF_SERVICE,
  STATE_SUSPECT,
  STATE_SYNCED,
  TRADING_UNKNOWN,
} from "../../assembly/layout.ts";
import type { Exchange } from "../exchanges/mod.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { SegmentWriter } from "../segment/writer.ts";
import { needsSettling, type SettlerGround, settle } from "./frame_settler.ts";
import type { InstrumentStart } from "./instrument_block.ts";
import { InstrumentWatch } from "./instrument_watch.ts";
import { Outcome } from "./outcome.ts";
import { OutcomeDesk } from "./outcome_desk.ts";
import type { SyncAction, SyncSettings } from "./sync_action.ts";
import { type LandedFrame, SyncConnection } from "./sync_connection.ts";
import type { TrackedInstrument } from "./tracked_instrument.ts";

/** What a sync is built from. */
export type ExchangeSyncOptions = {
  /** With an arena, attached to the segment. */
  readonly kernel: Kernel;
  readonly exchange: Exchange;
  readonly segment: SegmentWriter;
  /** Where frames are put for the kernel. */
  readonly frame: { readonly address: number; readonly bytes: number };
  /** Records of an instrument after which its image is renewed; a quarter of the ring or less. */
  readonly imageEvery: number;
  /** Unix ns of a receivedAt; 0n for an unknown one. */
  readonly wallNs: (receivedAt: number) => bigint;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly settings: SyncSettings;
  /** Levels per side asked of a REST snapshot; the exchange's own figure unless given. */
  readonly snapshotLevels?: number;
  /** Replays: an instrument appears with the first frame that names it. */
  readonly opensUnknown?: boolean;
  /** Somebody makes a larger segment when this one has no room. Default false. */
  readonly canGrow?: boolean;
  /** Hears of every instrument whose state may have changed. */
  readonly changed?: (instrument: TrackedInstrument) => void;
};

/** What became of a REST snapshot; `early`: kept until events of its numbers come. */
export type SnapshotVerdict = "applied" | "early" | "too_old" | "unreadable" | "not_wanted";

const SCRATCH_BYTES = 256;

/** A frame that was applied and is not done with. */
type AppliedFrame = {
  readonly connection: number;
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly receivedAt: number;
};

/** The sync of one exchange. Thread: the producer's. Times: receivedAt in ns since the wall anchor, negative = unknown. */
export class ExchangeSync {
  readonly exchange: Exchange;
  readonly #options: ExchangeSyncOptions;
  readonly #kernel: Kernel;
  readonly #decoder: number;
  readonly #frame: Uint8Array;
  readonly #outcome: Outcome;
  readonly #watch: InstrumentWatch;
  readonly #settler: SettlerGround;
  readonly #desk: OutcomeDesk;
  readonly #connections: SyncConnection[] = [];
  #canGrow: boolean;
  #actions: SyncAction[] = [];

  /** @throws RangeError when the arena has no room for the scratch */
  constructor(options: ExchangeSyncOptions) {
    const { kernel, frame, segment, imageEvery, wallNs, settings, random } = options;
    this.exchange = options.exchange;
    this.#options = options;
    this.#kernel = kernel;
    this.#decoder = options.exchange.header.decoder;
    this.#canGrow = options.canGrow === true;
    this.#frame = new Uint8Array(kernel.buffer, frame.address, frame.bytes);
    this.#outcome = new Outcome(kernel);
    const scratch = kernel.arenaAllocate(SCRATCH_BYTES);
    if (scratch === 0) {
      throw new RangeError(`Cannot start the sync: the arena is exhausted, was ${kernel.arenaUsed()} bytes in use`);
    }
    this.#watch = new InstrumentWatch({
      exchange: options.exchange,
      ground: {
        kernel,
        view: new DataView(kernel.buffer),
        segment,
        scratch,
        imageEvery,
        wallNs,
        canGrow: () => this.#canGrow,
      },
      settings,
      random,
      snapshotLevels: this.#snapshotLevels,
      act: (action) => this.#actions.push(action),
      resubscribe: (instrument, receivedAt) =>
        this.connection(instrument.connection).resubscribe(instrument, receivedAt),
      isSending: (connection) => this.#connections[connection]?.isSending ?? false,
      ...(options.changed === undefined ? {} : { changed: options.changed }),
    });
    this.#settler = {
      outcome: this.#outcome,
      blockOf: (address) => this.#watch.ofBlock(address)?.block,
      openUnknown: (native) => this.#openUnknown(native),
    };
    this.#desk = new OutcomeDesk({
      watch: this.#watch,
      outcome: this.#outcome,
      segment,
      keepsFrames: this.exchange.header.snapshot === "rest",
      opensUnknown: options.opensUnknown === true,
      canGrow: () => this.#canGrow,
      connection: (index) => this.connection(index),
      act: (action) => this.#actions.push(action),
    });
  }

  /** All instruments, in the order of their opening. */
  get instruments(): readonly TrackedInstrument[] {
    return this.#watch.all;
  }

  /** @param native the exchange's spelling */
  instrument(native: string): TrackedInstrument | undefined {
    return this.#watch.named(native);
  }

  /**
   * Puts an instrument under watch; it is connecting until its connection opens.
   * @param connection index of the connection that will carry it
   * @throws RangeError when kernel or segment have no room for it
   */
  open(start: InstrumentStart, connection = 0): TrackedInstrument {
    return this.#watch.open(start, connection);
  }

  /** Takes an instrument out of service for good: it is unsubscribed, and its entry says that it was removed. */
  close(instrument: TrackedInstrument, receivedAt: number): void {
    this.#connections[instrument.connection]?.leave(instrument);
    this.#watch.close(instrument, receivedAt);
  }

  /** A connection by its index; it is made when it is first asked for. */
  connection(index: number): SyncConnection {
    const made = this.#connections[index];
    if (made !== undefined) {
      return made;
    }
    const connection = new SyncConnection(index, {
      exchange: this.exchange,
      instruments: () => this.#watch.ofConnection(index),
      instrument: (native) => this.#watch.named(native),
      openUnknown: (native) => this.#openUnknown(native),
      perform: (instrument, actions, receivedAt) => this.#watch.perform(instrument, actions, receivedAt),
      act: (action) => this.#actions.push(action),
      receive: (bytes, receivedAt) => this.#receive(index, bytes, receivedAt),
      receiveLanded: (frame) => this.#receiveLanded(index, frame),
    });
    this.#connections[index] = connection;
    return connection;
  }

  /** Takes what is to be done now. */
  takeActions(): SyncAction[] {
    for (const connection of this.#connections) {
      connection?.flush();
    }
    const actions = this.#actions;
    if (actions.length > 0) {
      this.#actions = [];
    }
    return actions;
  }

  /**
   * A REST snapshot arrived: it replaces the book, and the waiting events follow.
   * @param options.token of the action that asked for it; absent in replays
   */
  snapshotArrived(native: string, body: Uint8Array, options: { token?: number; receivedAt: number }): SnapshotVerdict {
    const { token, receivedAt } = options;
    const instrument = this.#watch.named(native);
    const isAwaited = token === undefined || instrument?.machine.awaitedSnapshot === token;
    if (instrument === undefined || !isAwaited || !wantsSnapshot(instrument.block.state)) {
      return "not_wanted";
    }
    const verdict = this.#splice(instrument, body, receivedAt);
    if (verdict === "early" && token !== undefined) {
      this.#watch.perform(instrument, instrument.machine.snapshotEarly(receivedAt / 1e6, token), receivedAt);
    } else if (verdict !== "applied" && token !== undefined) {
      this.snapshotFailed(native, { token, receivedAt });
    }
    return verdict;
  }

  /** A REST snapshot could not be fetched. */
  snapshotFailed(native: string, options: { token: number; receivedAt: number }): void {
    const instrument = this.#watch.named(native);
    if (instrument !== undefined) {
      const actions = instrument.machine.snapshotFailed(options.receivedAt / 1e6, options.token);
      this.#watch.perform(instrument, actions, options.receivedAt);
    }
  }

  /**
   * Something else than its own frames says that a book is not right, e.g. an audit: it is repaired if it was in service.
   * @param reason REASON_* that readers see until it is right again
   */
  mistrust(native: string, { reason, receivedAt }: { reason: number; receivedAt: number }): void {
    const instrument = this.#watch.named(native);
    if (instrument !== undefined) {
      this.#watch.mistrust(instrument, reason, receivedAt);
    }
  }

  /** Looks after what is overdue: repairs, acknowledgements, images. Call about ten times a second. */
  tick(receivedAt: number): void {
    this.#watch.tick(receivedAt);
    for (const connection of this.#connections) {
      connection?.tick(receivedAt);
    }
  }

  /** Says of every book that it ends here. @param options.makesWay for a larger segment, in which it goes on */
  stop(receivedAt: number, options: { makesWay?: boolean } = {}): void {
    this.#watch.stop(receivedAt, options);
  }

  /** There will be no larger segment: books that wait for one are out of service. */
  refuseRoom(receivedAt: number): void {
    this.#canGrow = false;
    this.#watch.refuseRoom(receivedAt);
  }

  /** Publishes what was written. @param now ns since the wall anchor @returns records */
  publish(now: number): number {
    return this.#kernel.publish(now);
  }

  get #snapshotLevels(): number {
    return this.#options.snapshotLevels ?? this.exchange.header.snapshotLevels;
  }

  /** Brings a frame into the kernel's memory. */
  #receive(connection: number, bytes: Uint8Array, receivedAt: number): number {
    if (bytes.length > this.#frame.length) {
      this.#watch.unreadable(connection, undefined, receivedAt);
      return APPLY_DECODE_ERROR;
    }
    this.#frame.set(bytes);
    const { address } = this.#options.frame;
    const code = this.#kernel.apply(this.#decoder, address, bytes.length, receivedAt);
    return this.#isDone(code, receivedAt) ? code : this.#settle(code, { connection, address, bytes, receivedAt });
  }

  /** The hot path: no object is made for a plain frame. */
  #receiveLanded(connection: number, frame: LandedFrame): number {
    const code = this.#kernel.apply(this.#decoder, frame.address, frame.length, frame.receivedAt);
    if (isPlain(code) && code !== APPLY_HEARTBEAT && !this.#watch.hasSuspects) {
      return code;
    }
    const { address, length, receivedAt } = frame;
    if (this.#isDone(code, receivedAt)) {
      return code;
    }
    // A copy: texts are not decoded from shared memory.
    const bytes = new Uint8Array(this.#kernel.buffer, address, length).slice();
    return this.#settle(code, { connection, address, bytes, receivedAt });
  }

  /** Whether nothing is left to do. */
  #isDone(code: number, receivedAt: number): boolean {
    if (code === APPLY_HEARTBEAT) {
      this.#desk.heartbeat(receivedAt);
    }
    return isPlain(code) && !this.#watch.hasSuspects;
  }

  /** @param code of the first attempt @returns the final one */
  #settle(code: number, { connection, address, bytes, receivedAt }: AppliedFrame): number {
    const again = () => this.#kernel.apply(this.#decoder, address, bytes.length, receivedAt);
    const last = needsSettling(code) ? settle(this.#settler, code, { again, receivedAt }) : code;
    const instrument = last === APPLY_BUFFER ? this.#watch.ofBlock(this.#outcome.instrument) : undefined;
    this.#desk.finish(last, { connection, bytes, receivedAt });
    const early = instrument?.buffer.takeEarly();
    if (instrument !== undefined && early !== undefined) {
      this.#splice(instrument, early, receivedAt);
    }
    return last;
  }

  #splice(instrument: TrackedInstrument, body: Uint8Array, receivedAt: number): SnapshotVerdict {
    const sequence = this.exchange.snapshotSequence(body);
    if (sequence === undefined || body.length > this.#frame.length) {
      return "unreadable";
    }
    const { block, buffer, connection } = instrument;
    if (!buffer.joins(sequence)) {
      if (!buffer.isEarly(sequence)) {
        return "too_old";
      }
      buffer.keepEarly(body, sequence);
      return "early";
    }
    this.#frame.set(body);
    const { address } = this.#options.frame;
    const again = () => this.#kernel.applySnapshot(this.#decoder, block.address, address, body.length, receivedAt);
    const code = settle(this.#settler, again(), { again, receivedAt });
    if (code !== APPLY_SNAPSHOT) {
      if (code !== APPLY_DECODE_ERROR) {
        this.#desk.finish(code, { connection, bytes: body, receivedAt });
      }
      return "unreadable";
    }
    block.noteKnownRange(this.#snapshotLevels);
    this.#watch.sweep(receivedAt);
    for (const frame of buffer.take()) {
      this.#receive(connection, frame.bytes, frame.receivedAt);
    }
    return "applied";
  }

  #openUnknown(native: string): boolean {
    if (this.#options.opensUnknown !== true || native === "") {
      return false;
    }
    const { header } = this.exchange;
    const depth = header.defaultDepth;
    this.open({
      native,
      canonical: this.exchange.canonicalName(native),
      assurance: this.exchange.assurance(depth),
      depth,
      priceExponent: -1,
      quantityExponent: -1,
      tradingStatus: TRADING_UNKNOWN,
      imageLevels: header.imageLevels,
    });
    return true;
  }
}

/** Outcomes after which nothing is left to do as long as no book is in doubt. */
function isPlain(code: number): boolean {
  return (code <= APPLY_HEARTBEAT && code !== APPLY_SNAPSHOT) || code === APPLY_TICKER;
}

function wantsSnapshot(state: number): boolean {
  return state !== STATE_SYNCED && state !== STATE_SUSPECT && state !== STATE_OUT_OF_SERVICE;
}
