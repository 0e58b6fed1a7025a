/**
 * All instruments of one exchange under watch: keeps each machine in step with what the kernel found, and turns what the
 * machines want into kernel calls and actions. Bad case: a frame with several events changes several instruments while
 * its outcome names one; `sweep` compares them all.
 */
import {
  COUNTER_BOOK_UPDATES,
  COUNTER_DRIFTS,
  REASON_CHECKSUM,
  REASON_LIMIT,
  REASON_SILENT,
  REASON_STOPPED,
  STATE_CONNECTING,
  STATE_OUT_OF_SERVICE,
  STATE_RESYNCING,
  STATE_SUSPECT,
  STATE_SYNCED,
} from "../../assembly/layout.ts";
import type { Exchange } from "../exchanges/mod.ts";
import { FORM_FRAMES_MAX, FormRecord } from "./form_record.ts";
import { InstrumentBlock, type InstrumentGround, type InstrumentStart } from "./instrument_block.ts";
import { type InstrumentAction, InstrumentSync } from "./instrument_sync.ts";
import { OrderRecord } from "./order_record.ts";
import { SilenceRecord } from "./silence_record.ts";
import { SpliceBuffer } from "./splice_buffer.ts";
import type { SyncAction, SyncSettings } from "./sync_action.ts";
import { SideChannels, type TrackedInstrument } from "./tracked_instrument.ts";

/** What a watch is built from. */
export type WatchOptions = {
  readonly exchange: Exchange;
  readonly ground: InstrumentGround;
  readonly settings: SyncSettings;
  readonly random: () => number;
  /** Levels per side asked of a REST snapshot. */
  readonly snapshotLevels: number;
  readonly act: (action: SyncAction) => void;
  /** Subscribes one book afresh. */
  readonly resubscribe: (instrument: TrackedInstrument, receivedAt: number) => void;
  /** Hears of every instrument whose state may have changed. */
  readonly changed?: (instrument: TrackedInstrument) => void;
  /** Whether requests of a connection still wait for their turn to be sent. */
  readonly isSending: (connection: number) => boolean;
};

/** Trades without events of a book are looked for this often, ms. */
const SILENCE_CHECK_MS = 1000;

/** The instruments of one exchange. Times: receivedAt in ns since the wall anchor. */
export class InstrumentWatch {
  readonly #options: WatchOptions;
  readonly #byNative = new Map<string, TrackedInstrument>();
  readonly #byBlock = new Map<number, TrackedInstrument>();
  #suspects = 0;
  #silenceCheckedAt = 0;
  /** Unreadable frames in a row that name no instrument, and the updates that were applied before them. */
  #strange = { frames: 0, updates: 0 };

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /** All, in the order of their opening. */
  get all(): readonly TrackedInstrument[] {
    return [...this.#byNative.values()];
  }

  /** Whether some book is suspect: then every outcome is followed by a sweep. */
  get hasSuspects(): boolean {
    return this.#suspects > 0;
  }

  /** @param native the exchange's spelling */
  named(native: string): TrackedInstrument | undefined {
    return this.#byNative.get(native);
  }

  /** @param address of the kernel's block */
  ofBlock(address: number): TrackedInstrument | undefined {
    return this.#byBlock.get(address);
  }

  /** Those that a connection carries. */
  ofConnection(connection: number): readonly TrackedInstrument[] {
    return this.all.filter((instrument) => instrument.connection === connection);
  }

  /** Puts an instrument under watch. @throws RangeError when kernel or segment have no room for it */
  open(start: InstrumentStart, connection: number): TrackedInstrument {
    const { exchange, ground, settings, random } = this.#options;
    const { snapshot, timing } = exchange.header;
    const block = new InstrumentBlock(ground, start);
    const machine = new InstrumentSync({
      snapshot,
      unreadable: () => exchange.unreadable(block.depth),
      ackMs: timing.ackMs,
      firstDataMs: timing.firstDataMs,
      suspectMs: settings.suspectMs,
      refusedMs: settings.refusedMs,
      backoff: { baseMs: settings.repairBaseMs, capMs: settings.repairCapMs, healthyMs: settings.healthyMs },
      random,
    });
    const buffer = new SpliceBuffer({ framesMax: settings.bufferFramesMax, bytesMax: settings.bufferBytesMax });
    const records = { form: new FormRecord(), order: new OrderRecord(), silence: new SilenceRecord() };
    const instrument = { block, machine, buffer, connection, side: new SideChannels(), ...records };
    this.#byNative.set(start.native, instrument);
    this.#byBlock.set(block.address, instrument);
    return instrument;
  }

  /** Takes an instrument out of the watch for good. */
  close(instrument: TrackedInstrument, receivedAt: number): void {
    const { block, buffer } = instrument;
    buffer.clear();
    block.close(receivedAt);
    this.#byNative.delete(block.native);
    this.#byBlock.delete(block.address);
    this.#options.changed?.(instrument);
    this.sweep(receivedAt);
  }

  /** Follows the kernel's own changes of state. */
  sweep(receivedAt: number): void {
    let suspects = 0;
    for (const instrument of this.#byNative.values()) {
      const { block, machine } = instrument;
      const { state } = block;
      if (state !== machine.state) {
        this.#follow(instrument, state, receivedAt);
      }
      suspects += block.state === STATE_SUSPECT ? 1 : 0;
    }
    this.#suspects = suspects;
  }

  /** The kernel found a fault. @param reason REASON_* */
  fault(instrument: TrackedInstrument | undefined, reason: number, receivedAt: number): void {
    if (instrument === undefined) {
      return;
    }
    const { machine, form } = instrument;
    const isFresh = machine.state !== STATE_SYNCED && machine.state !== STATE_SUSPECT;
    if (reason === REASON_CHECKSUM && form.badChecksum(isFresh)) {
      this.#drifted(instrument, "checksums fail straight after each snapshot", receivedAt);
    } else {
      this.perform(instrument, machine.fault(receivedAt / 1e6, reason), receivedAt);
    }
  }

  /** Something else than the book's own frames says that it is not right. @param reason REASON_* */
  mistrust(instrument: TrackedInstrument, reason: number, receivedAt: number): void {
    this.perform(instrument, instrument.machine.mistrusted(receivedAt / 1e6, reason), receivedAt);
  }

  /** A frame of a kind that does not exist names this book: three in a row without an update stand in its place. */
  strangeKind(instrument: TrackedInstrument, receivedAt: number): void {
    if (this.#isStrange(instrument)) {
      this.#drifted(instrument, "frames of an unknown kind come in place of its own", receivedAt);
    }
  }

  /** An update of a book that is not synced could be read. Out of service trades are refused alike and prove nothing. */
  readable(instrument: TrackedInstrument | undefined): void {
    if (instrument !== undefined && instrument.block.state !== STATE_OUT_OF_SERVICE) {
      instrument.form.readable();
    }
  }

  /** The book cannot be held. @param reason REASON_* */
  outOfService(instrument: TrackedInstrument | undefined, reason: number, receivedAt: number): void {
    if (instrument !== undefined) {
      this.perform(instrument, instrument.machine.outOfService(receivedAt / 1e6, reason), receivedAt);
    }
  }

  /** The segment has no room for the book. */
  noRoom(instrument: TrackedInstrument | undefined, receivedAt: number): void {
    if (instrument !== undefined && this.#options.ground.canGrow?.() === true) {
      this.perform(instrument, instrument.machine.awaitRoom(), receivedAt);
    } else {
      this.outOfService(instrument, REASON_LIMIT, receivedAt);
    }
  }

  /** There will be no larger segment: what waited for it is out of service. */
  refuseRoom(receivedAt: number): void {
    for (const instrument of this.all.filter(({ machine }) => machine.isAwaitingRoom)) {
      this.outOfService(instrument, REASON_LIMIT, receivedAt);
    }
  }

  /** A frame could not be read. @param instrument whose it was; undefined = it could be any of the connection */
  unreadable(connection: number, instrument: TrackedInstrument | undefined, receivedAt: number): void {
    if (instrument === undefined) {
      this.#strangeFrame();
    } else if (this.#isStrange(instrument)) {
      this.#drifted(instrument, "its frames cannot be read", receivedAt);
    }
    for (const concerned of instrument === undefined ? this.ofConnection(connection) : [instrument]) {
      this.perform(concerned, concerned.machine.unreadable(receivedAt / 1e6), receivedAt);
    }
    this.sweep(receivedAt);
  }

  /** Looks after what is overdue, and after books that outgrew their images. */
  tick(receivedAt: number): void {
    const at = receivedAt / 1e6;
    const isCheckDue = at - this.#silenceCheckedAt >= SILENCE_CHECK_MS;
    this.#silenceCheckedAt = isCheckDue ? at : this.#silenceCheckedAt;
    for (const instrument of this.#byNative.values()) {
      const { machine, block, connection } = instrument;
      if (machine.deadline !== undefined && machine.deadline <= at) {
        this.perform(instrument, machine.timer(at, { isSending: this.#options.isSending(connection) }), receivedAt);
      }
      if (isCheckDue && block.state === STATE_SYNCED) {
        this.#checkSilence(instrument, receivedAt);
      }
      const isFull = block.isImageFull && block.state !== STATE_OUT_OF_SERVICE && !machine.isAwaitingRoom;
      if (isFull && !block.growImages(block.levels, receivedAt)) {
        this.noRoom(instrument, receivedAt);
      }
    }
  }

  /** Says of every book that it ends here. @param options.makesWay for a larger segment, in which it goes on */
  stop(receivedAt: number, { makesWay = false }: { makesWay?: boolean } = {}): void {
    for (const instrument of this.#byNative.values()) {
      const { machine } = instrument;
      const actions = [...machine.closed(REASON_STOPPED), ...(makesWay ? machine.awaitRoom() : [])];
      this.perform(instrument, actions.slice(-1), receivedAt);
    }
  }

  /** Does what a machine wants. */
  perform(instrument: TrackedInstrument, actions: readonly InstrumentAction[], receivedAt: number): void {
    const { block, buffer, connection } = instrument;
    const { act, ground, resubscribe, changed } = this.#options;
    // The kernel may have changed it before.
    changed?.(instrument);
    for (const action of actions) {
      switch (action.do) {
        case "unsync":
          block.unsync(action.state, action.reason, receivedAt);
          if (action.state === STATE_CONNECTING) {
            buffer.clear();
          }
          break;
        case "count_resync":
          ground.segment.countResync(block.entry, instrument.machine.reason);
          break;
        case "snapshot":
          this.#askSnapshot(block.native, action.token);
          break;
        case "resubscribe":
          resubscribe(instrument, receivedAt);
          break;
        case "silent":
          if (!this.ofConnection(connection).some(({ machine }) => machine.state === STATE_SYNCED)) {
            act({ do: "reconnect", connection, graceful: false, why: `${block.native} stays silent` });
          }
          break;
      }
    }
    changed?.(instrument);
  }

  #checkSilence(instrument: TrackedInstrument, receivedAt: number): void {
    const { version, tradeVersion } = instrument.block;
    if (instrument.silence.isSilent({ version, tradeVersion, at: receivedAt / 1e6 })) {
      this.mistrust(instrument, REASON_SILENT, receivedAt);
    }
  }

  #isStrange({ form, block }: TrackedInstrument): boolean {
    return form.strange(block.version, block.state === STATE_SYNCED);
  }

  /** Frames that name nobody: the books are repaired as after any such frame, but an alert is due. */
  #strangeFrame(): void {
    const { segment } = this.#options.ground;
    const updates = segment.counter(COUNTER_BOOK_UPDATES);
    const frames = updates === this.#strange.updates ? this.#strange.frames + 1 : 1;
    this.#strange = { frames, updates };
    if (frames === FORM_FRAMES_MAX) {
      segment.count(COUNTER_DRIFTS);
      this.#options.act({
        do: "report",
        level: "error",
        text: "Frames in a row cannot be read and name no instrument",
      });
    }
  }

  #drifted(instrument: TrackedInstrument, why: string, receivedAt: number): void {
    const actions = instrument.machine.drifted(receivedAt / 1e6);
    if (actions.length > 0) {
      const { native } = instrument.block;
      this.#options.ground.segment.count(COUNTER_DRIFTS);
      this.#options.act({ do: "report", level: "error", text: `The exchange's format drifts: ${why}`, native });
      this.perform(instrument, actions, receivedAt);
    }
  }

  #follow(instrument: TrackedInstrument, state: number, receivedAt: number): void {
    if (state === STATE_SYNCED) {
      const { block, machine, form, order } = instrument;
      if (machine.state === STATE_SUSPECT) {
        form.readable();
      }
      form.synced(block.version);
      order.synced(receivedAt / 1e6);
      this.perform(instrument, instrument.machine.synced(receivedAt / 1e6), receivedAt);
    } else if (state === STATE_RESYNCING && instrument.block.reason === REASON_LIMIT) {
      this.noRoom(instrument, receivedAt);
    } else if (state === STATE_RESYNCING) {
      this.fault(instrument, instrument.block.reason, receivedAt);
    } else if (state === STATE_OUT_OF_SERVICE) {
      this.outOfService(instrument, instrument.block.reason, receivedAt);
    }
  }

  #askSnapshot(native: string, token: number): void {
    const { exchange, snapshotLevels, act } = this.#options;
    const request = exchange.snapshotRequest(native, snapshotLevels);
    if (request !== undefined) {
      act({ do: "snapshot", native, request, token });
    }
  }
}
