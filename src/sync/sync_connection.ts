/**
 * One connection as the sync sees it: it opens, subscribes its instruments, hears acknowledgements and errors, and closes.
 * Sockets are elsewhere. Bad case: an error that names nothing; it refuses whatever is not yet acknowledged here.
 */
import { REASON_DISCONNECTED, REASON_MAINTENANCE } from "../../assembly/layout.ts";
import type { Channel, ClientMessage, ControlEvent, Exchange } from "../exchanges/mod.ts";
import type { InstrumentAction } from "./instrument_sync.ts";
import { Subscriptions } from "./subscriptions.ts";
import type { SyncAction } from "./sync_action.ts";
import { SIDE_CHANNELS, type TrackedInstrument } from "./tracked_instrument.ts";

/** What a connection needs of the sync around it. */
export type ConnectionGround = {
  readonly exchange: Exchange;
  /** Those that this connection carries. */
  readonly instruments: () => readonly TrackedInstrument[];
  readonly instrument: (native: string) => TrackedInstrument | undefined;
  readonly openUnknown: (native: string) => boolean;
  readonly perform: (instrument: TrackedInstrument, actions: readonly InstrumentAction[], receivedAt: number) => void;
  readonly act: (action: SyncAction) => void;
  readonly receive: (bytes: Uint8Array, receivedAt: number) => number;
  readonly receiveLanded: (frame: LandedFrame) => number;
};

/**
 * A frame that lies in the kernel's memory already. Whoever lets frames land there uses one object for all of them: a time
 * that is passed by itself would be boxed at every call, 16 bytes each.
 */
export type LandedFrame = { address: number; length: number; receivedAt: number };

/** After a second socket was subscribed, repeats are normal for so long, ms. */
const OVERLAP_MS = 30_000;
const ALL_CHANNELS: readonly Channel[] = ["book", ...SIDE_CHANNELS];

/** A connection. Times: receivedAt in ns since the wall anchor. */
export class SyncConnection {
  readonly index: number;
  readonly #ground: ConnectionGround;
  readonly #subscriptions: Subscriptions;
  #isOpen = false;
  #isMaintenance = false;
  #isSending = false;
  /** When requests last waited for their turn, ms. */
  #sendingAt = Number.NEGATIVE_INFINITY;
  #overlappedAt = Number.NEGATIVE_INFINITY;
  /** Requests of the second socket that are not acknowledged. */
  readonly #overlapRequests = new Set<number>();
  /** Those whose books are to be subscribed afresh, in few messages. */
  readonly #renewals = new Map<TrackedInstrument, { isWhole: boolean }>();

  constructor(index: number, ground: ConnectionGround) {
    this.index = index;
    this.#ground = ground;
    this.#subscriptions = new Subscriptions(ground.exchange);
  }

  /** The exchange announced maintenance: a close is expected and its reason is known. */
  get isMaintenance(): boolean {
    return this.#isMaintenance;
  }

  /** Requests wait for their turn to be sent. */
  get isSending(): boolean {
    return this.#isSending;
  }

  /** Whether everything may come twice now. */
  isOverlapping(receivedAt: number): boolean {
    return receivedAt / 1e6 - this.#overlappedAt < OVERLAP_MS;
  }

  /** Everything that was asked on the second socket is acknowledged. */
  get isOverlapWhole(): boolean {
    return this.#overlapRequests.size === 0;
  }

  /** How many messages wait for their turn to be sent. */
  waiting(messages: number, receivedAt: number): void {
    this.#isSending = messages > 0;
    this.#sendingAt = this.#isSending ? receivedAt / 1e6 : this.#sendingAt;
  }

  /** The socket is open: every instrument of this connection is subscribed. */
  opened(receivedAt: number): void {
    this.#isOpen = true;
    this.#isMaintenance = false;
    this.#isSending = false;
    this.#renewals.clear();
    const instruments = this.#ground.instruments();
    for (const instrument of instruments) {
      this.#begin(instrument, receivedAt);
    }
    this.#subscribe(instruments, ALL_CHANNELS);
  }

  /** Subscribes one instrument that came after the socket was open; nothing is sent for the others. */
  join(instrument: TrackedInstrument, receivedAt: number): void {
    if (!this.#isOpen || instrument.machine.isConnected) {
      return;
    }
    this.#begin(instrument, receivedAt);
    this.#subscribe([instrument], ALL_CHANNELS);
  }

  /** Unsubscribes one instrument that goes; nothing is sent for the others. */
  leave(instrument: TrackedInstrument): void {
    this.#renewals.delete(instrument);
    if (this.#isOpen && instrument.machine.isConnected) {
      const { native, depth } = instrument.block;
      for (const message of this.#subscriptions.unsubscribe([native], { channels: ALL_CHANNELS, depth })) {
        this.#send(message);
      }
    }
  }

  /** A second socket took over while the first still worked: it is subscribed, and no book is in doubt. */
  overlapped(receivedAt: number): void {
    this.#isMaintenance = false;
    this.#overlappedAt = receivedAt / 1e6;
    this.#overlapRequests.clear();
    for (const { requestId } of this.#subscribe(this.#ground.instruments(), ALL_CHANNELS)) {
      this.#overlapRequests.add(requestId);
    }
  }

  /** The socket is gone, cleanly or not. */
  closed(receivedAt: number): void {
    this.#isOpen = false;
    this.#isSending = false;
    this.#renewals.clear();
    this.#subscriptions.forget();
    const reason = this.#isMaintenance ? REASON_MAINTENANCE : REASON_DISCONNECTED;
    for (const instrument of this.#ground.instruments()) {
      instrument.side.forget();
      this.#ground.perform(instrument, instrument.machine.closed(reason), receivedAt);
    }
  }

  /**
   * A frame arrived: decoded, applied, its records stand behind the tail.
   * @returns APPLY_*
   */
  receive(bytes: Uint8Array, receivedAt: number): number {
    return this.#ground.receive(bytes, receivedAt);
  }

  /** The same for a frame that lies in the kernel's memory already, where nobody writes during the call. @returns APPLY_* */
  receiveLanded(frame: LandedFrame): number {
    return this.#ground.receiveLanded(frame);
  }

  /** Asks again for what is not acknowledged. */
  tick(receivedAt: number): void {
    const at = receivedAt / 1e6;
    const { ackMs } = this.#ground.exchange.header.timing;
    if (!this.#isOpen || at - this.#sendingAt < ackMs) {
      return;
    }
    const overdue = this.#ground.instruments().filter(({ side }) => side.isOverdue(at, ackMs));
    for (const instrument of overdue) {
      instrument.side.asked(at);
    }
    this.#subscribe(overdue, SIDE_CHANNELS);
  }

  /** Subscribes one book afresh with the next `flush`; the other channels too when they were never acknowledged. */
  resubscribe(instrument: TrackedInstrument, receivedAt: number): void {
    const isWhole = instrument.side.isAccepted;
    if (!isWhole) {
      instrument.side.asked(receivedAt / 1e6);
    }
    this.#renewals.set(instrument, { isWhole });
  }

  /** Asks for all that is to be subscribed afresh: books that failed together share their messages. */
  flush(): void {
    if (this.#renewals.size === 0) {
      return;
    }
    const renewals = [...this.#renewals];
    this.#renewals.clear();
    const instruments = renewals.map(([instrument]) => instrument);
    for (const [depth, natives] of groupedByDepth(instruments)) {
      for (const message of this.#subscriptions.unsubscribe(natives, { channels: ["book"], depth })) {
        this.#send(message);
      }
    }
    const those = (isWhole: boolean) => renewals.filter(([, one]) => one.isWhole === isWhole).map(([it]) => it);
    this.#subscribe(those(true), ["book"]);
    this.#subscribe(those(false), ALL_CHANNELS);
  }

  /** A control frame: acknowledgement, error, status. */
  control(text: string, receivedAt: number): void {
    for (const event of this.#ground.exchange.readControl(text)) {
      this.#meet(event, receivedAt);
    }
  }

  #begin(instrument: TrackedInstrument, receivedAt: number): void {
    instrument.side.forget();
    instrument.side.asked(receivedAt / 1e6);
    instrument.order.opened();
    this.#ground.perform(instrument, instrument.machine.opened(receivedAt / 1e6), receivedAt);
  }

  #meet(event: ControlEvent, receivedAt: number): void {
    switch (event.kind) {
      case "accepted":
        this.#accepted(event, receivedAt);
        break;
      case "refused":
        this.#refused(event, receivedAt);
        break;
      case "error":
        this.#report("warn", `The exchange reports an error: ${event.reason}`);
        for (const instrument of this.#ground.instruments().filter(({ machine }) => machine.isUnanswered)) {
          this.#refuse(instrument, event.reason, receivedAt);
        }
        break;
      case "notice":
        this.#report("info", `The exchange says: ${event.reason}`);
        break;
      case "rate_limited":
        this.#report("warn", `The exchange limits our requests: ${event.reason}`);
        this.#ground.act({ do: "slow_down", connection: this.index });
        break;
      case "status":
        this.#status(event);
        break;
      case "reconnect":
        this.#ground.act({ do: "reconnect", connection: this.index, graceful: true, why: event.reason });
        break;
    }
  }

  #accepted(event: Extract<ControlEvent, { kind: "accepted" }>, receivedAt: number): void {
    const { natives, channels } = this.#subscriptions.answered(event);
    this.#overlapRequests.delete(event.requestId ?? -1);
    for (const native of natives) {
      const isThere = this.#ground.instrument(native) !== undefined || this.#ground.openUnknown(native);
      const instrument = isThere ? this.#ground.instrument(native) : undefined;
      if (instrument === undefined) {
        continue;
      }
      if (event.depth !== undefined && event.depth !== instrument.block.depth && channels.includes("book")) {
        instrument.block.setDepth(event.depth, this.#ground.exchange.assurance(event.depth));
      }
      if (channels.includes("trades")) {
        instrument.side.accepted();
      }
      if (channels.includes("book")) {
        this.#ground.perform(instrument, instrument.machine.accepted(receivedAt / 1e6), receivedAt);
      }
    }
  }

  #refused(event: Extract<ControlEvent, { kind: "refused" }>, receivedAt: number): void {
    const { natives, channels } = this.#subscriptions.answered(event);
    for (const native of natives) {
      const instrument = this.#ground.instrument(native);
      if (instrument !== undefined && (channels.includes("book") || channels.length === 0)) {
        this.#refuse(instrument, event.reason, receivedAt);
      } else {
        this.#report("warn", `The exchange refuses ${channels.join(" and ")}: ${event.reason}`, native);
      }
    }
    if (natives.length === 0) {
      this.#report("warn", `The exchange refuses a request: ${event.reason}`);
    }
  }

  #refuse(instrument: TrackedInstrument, reason: string, receivedAt: number): void {
    this.#report("error", `The exchange refuses the book: ${reason}`, instrument.block.native);
    this.#ground.perform(instrument, instrument.machine.refused(receivedAt / 1e6), receivedAt);
  }

  #status(event: Extract<ControlEvent, { kind: "status" }>): void {
    this.#isMaintenance = event.isMaintenance;
    this.#report(event.isMaintenance ? "warn" : "info", `The exchange is ${event.reason}`);
    for (const instrument of this.#ground.instruments()) {
      instrument.block.setExchangeStatus(event.tradingStatus);
    }
  }

  #subscribe(instruments: readonly TrackedInstrument[], channels: readonly Channel[]): ClientMessage[] {
    const messages = [...groupedByDepth(instruments)].flatMap(([depth, natives]) =>
      this.#subscriptions.subscribe(natives, { channels, depth }),
    );
    for (const message of messages) {
      this.#send(message);
    }
    return messages;
  }

  #send(message: ClientMessage): void {
    this.#ground.act({ do: "send", connection: this.index, message });
  }

  #report(level: "info" | "warn" | "error", text: string, native?: string): void {
    this.#ground.act({ do: "report", level, text, ...(native === undefined ? {} : { native }) });
  }
}

function groupedByDepth(instruments: readonly TrackedInstrument[]): Map<number, string[]> {
  const groups = new Map<number, string[]>();
  for (const { block } of instruments) {
    const natives = groups.get(block.depth) ?? [];
    natives.push(block.native);
    groups.set(block.depth, natives);
  }
  return groups;
}
