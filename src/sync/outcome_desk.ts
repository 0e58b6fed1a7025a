/**
 * What follows from the outcome of a frame that was not plain: which instrument or connection is in doubt, what waits for
 * a snapshot, what is only counted. Bad case: a frame whose instrument cannot be told; then every book of its connection
 * is in doubt.
 */
import {
  APPLY_BUFFER,
  APPLY_CHECKSUM_BAD,
  APPLY_CONTROL,
  APPLY_CROSSED,
  APPLY_DECODE_ERROR,
  APPLY_GAP,
  APPLY_LIMIT,
  APPLY_NOT_SYNCED,
  APPLY_OVERFLOW,
  APPLY_STALE,
  APPLY_UNKNOWN_INSTRUMENT,
  APPLY_UNKNOWN_KIND,
  COUNTER_BUFFER_OVERFLOWS,
  COUNTER_TRADE_GAPS,
  LIMIT_ARENA,
  LIMIT_IMAGE,
  REASON_CHECKSUM,
  REASON_CROSSED,
  REASON_GAP,
  REASON_LIMIT,
  REASON_OVERFLOW,
  REASON_TRADE_GAP,
  STATE_SYNCED,
} from "../../assembly/layout.ts";
import type { SegmentWriter } from "../segment/writer.ts";
import type { InstrumentWatch } from "./instrument_watch.ts";
import { instrumentsNamed } from "./named_instruments.ts";
import type { Outcome } from "./outcome.ts";
import type { SyncAction } from "./sync_action.ts";
import type { SyncConnection } from "./sync_connection.ts";
import type { TrackedInstrument } from "./tracked_instrument.ts";

/** What the desk needs of the sync around it. */
export type DeskGround = {
  readonly watch: InstrumentWatch;
  readonly outcome: Outcome;
  readonly segment: SegmentWriter;
  /** Events wait for REST snapshots. */
  readonly keepsFrames: boolean;
  /** Replays: an instrument appears with the first frame that names it. */
  readonly opensUnknown: boolean;
  /** Whether somebody makes a larger segment when this one has no room. */
  readonly canGrow: () => boolean;
  readonly connection: (index: number) => SyncConnection;
  readonly act: (action: SyncAction) => void;
};

/** Names that are not ours are remembered up to this number. */
const STRANGERS_MAX = 256;

/** Where outcomes are settled. Times: receivedAt in ns since the wall anchor. */
export class OutcomeDesk {
  readonly #ground: DeskGround;
  /** Names of instruments that frames told of and that are not ours. */
  readonly #strangers = new Set<string>();

  constructor(ground: DeskGround) {
    this.#ground = ground;
  }

  /**
   * Does what an outcome asks for. @param code APPLY_* of the frame that was applied last
   * @param frame.bytes of it, valid during the call
   */
  finish(
    code: number,
    { connection, bytes, receivedAt }: { connection: number; bytes: Uint8Array; receivedAt: number },
  ): void {
    const { watch, outcome, connection: connectionOf } = this.#ground;
    const { detail } = outcome;
    const instrument = watch.ofBlock(outcome.instrument);
    switch (code) {
      case APPLY_CONTROL:
        connectionOf(connection).control(new TextDecoder().decode(bytes), receivedAt);
        return;
      case APPLY_BUFFER:
        watch.readable(instrument);
        this.#buffer(instrument, bytes, receivedAt);
        return;
      case APPLY_NOT_SYNCED:
        watch.readable(instrument);
        break;
      case APPLY_STALE:
        this.#repeated(instrument, { connection, bytes, receivedAt });
        break;
      case APPLY_UNKNOWN_KIND:
        for (const named of instrumentsNamed(bytes, (native) => watch.named(native))) {
          watch.strangeKind(named, receivedAt);
        }
        break;
      case APPLY_UNKNOWN_INSTRUMENT:
        this.#stranger(connection, receivedAt);
        return;
      case APPLY_DECODE_ERROR:
        watch.unreadable(connection, instrument, receivedAt);
        return;
      case APPLY_GAP:
        this.#keepForSplice(instrument, bytes, receivedAt);
        watch.fault(instrument, detail, receivedAt);
        break;
      case APPLY_CHECKSUM_BAD:
        watch.fault(instrument, REASON_CHECKSUM, receivedAt);
        break;
      case APPLY_CROSSED:
        watch.fault(instrument, REASON_CROSSED, receivedAt);
        break;
      case APPLY_OVERFLOW:
        this.#overflow(instrument, receivedAt);
        break;
      case APPLY_LIMIT:
        this.#limit(instrument, { connection, detail, receivedAt });
        break;
    }
    watch.sweep(receivedAt);
  }

  /**
   * A heartbeat of an instrument that told its last trade. While the book is out of service the trades that were missed
   * are counted here; later they would look like another loss, and the book would be repaired twice.
   */
  heartbeat(receivedAt: number): void {
    const { watch, outcome, segment } = this.#ground;
    const instrument = watch.ofBlock(outcome.instrument);
    const { lastSequence: theirs, firstSequence: ours } = outcome;
    if (instrument === undefined || theirs === 0n || !instrument.block.hasTrades) {
      return;
    }
    const { block, order } = instrument;
    const isRestart = order.beat(theirs, ours) === "restart";
    if (isRestart || (theirs > ours && block.state !== STATE_SYNCED)) {
      block.setLastTrade(theirs);
      segment.count(COUNTER_TRADE_GAPS);
    }
    if (isRestart) {
      watch.mistrust(instrument, REASON_TRADE_GAP, receivedAt);
    }
  }

  /** Older than what is there: a repeat, or the exchange has begun to number anew. */
  #repeated(
    instrument: TrackedInstrument | undefined,
    { connection, bytes, receivedAt }: { connection: number; bytes: Uint8Array; receivedAt: number },
  ): void {
    if (instrument === undefined) {
      return;
    }
    const { block, order, silence } = instrument;
    const { lastSequence } = this.#ground.outcome;
    if (lastSequence !== 0n) {
      silence.heard();
    }
    if (this.#ground.connection(connection).isOverlapping(receivedAt)) {
      return;
    }
    if (lastSequence === 0n) {
      if (order.oldTrade(block.tradeVersion) === "restart") {
        block.setLastTrade(0n);
      }
      return;
    }
    const { lastSequence: bookSequence, isSplicing } = block;
    const event = { lastSequence, bookSequence, isSplicing, at: receivedAt / 1e6 };
    if (order.oldEvent(event) === "restart") {
      this.#keepForSplice(instrument, bytes, receivedAt);
      this.#ground.watch.mistrust(instrument, REASON_GAP, receivedAt);
    }
  }

  /** A name that is not ours may be a damaged one of ours; a name that comes again is somebody else's. */
  #stranger(connection: number, receivedAt: number): void {
    const name = this.#ground.outcome.symbol;
    if (this.#strangers.has(name) || this.#ground.opensUnknown) {
      return;
    }
    if (this.#strangers.size < STRANGERS_MAX) {
      this.#strangers.add(name);
    }
    this.#ground.watch.unreadable(connection, undefined, receivedAt);
  }

  #limit(
    instrument: TrackedInstrument | undefined,
    { connection, detail, receivedAt }: { connection: number; detail: number; receivedAt: number },
  ): void {
    if (detail !== LIMIT_ARENA && detail !== LIMIT_IMAGE) {
      this.#ground.watch.unreadable(connection, instrument, receivedAt);
      return;
    }
    const { watch, canGrow, act } = this.#ground;
    if (detail === LIMIT_IMAGE && canGrow()) {
      watch.noRoom(instrument, receivedAt);
      return;
    }
    const what = detail === LIMIT_ARENA ? "the kernel's arena" : "the segment's table or image area";
    const text = `Cannot hold the book: ${what} is exhausted`;
    act({ do: "report", level: "error", text, native: instrument?.block.native ?? "" });
    watch.outOfService(instrument, REASON_LIMIT, receivedAt);
  }

  /** Numbers out of range; a rescale that found no room for a fresh id has already said so. */
  #overflow(instrument: TrackedInstrument | undefined, receivedAt: number): void {
    const { watch } = this.#ground;
    if (instrument?.block.reason === REASON_LIMIT) {
      watch.noRoom(instrument, receivedAt);
    } else {
      watch.outOfService(instrument, REASON_OVERFLOW, receivedAt);
    }
  }

  #buffer(instrument: TrackedInstrument | undefined, bytes: Uint8Array, receivedAt: number): void {
    this.#keepForSplice(instrument, bytes, receivedAt);
    if (instrument !== undefined) {
      this.#ground.watch.perform(instrument, instrument.machine.buffered(), receivedAt);
    }
  }

  /** The event that showed a gap waits too: the next snapshot may be older than it. */
  #keepForSplice(instrument: TrackedInstrument | undefined, bytes: Uint8Array, receivedAt: number): void {
    if (instrument === undefined || !this.#ground.keepsFrames) {
      return;
    }
    const { firstSequence, lastSequence } = this.#ground.outcome;
    const copy = new Uint8Array(bytes);
    const dropped = instrument.buffer.push({ bytes: copy, receivedAt, firstSequence, lastSequence });
    if (dropped > 0) {
      this.#ground.segment.count(COUNTER_BUFFER_OVERFLOWS, dropped);
    }
  }
}
