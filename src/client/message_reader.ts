/**
 * Everything that arrives on a client's connection: control messages, market messages of both forms. Routes frames to
 * views by alias, and paces how often a book that failed a check is asked for again.
 * Bad case: a message that cannot be read. When it names a book, that book may be what it was for, and is asked for again;
 * when it names none, nothing on this connection can be trusted, and the connection is given up.
 */
import {
  FRAME_BBO,
  FRAME_CONFLATED,
  FRAME_DELTAS,
  FRAME_KIND_MASK,
  FRAME_SNAPSHOT,
  FRAME_TRADES,
} from "../../assembly/layout.ts";
import type { BboMessage, ServerMessage, SubscribedMessage, SyncStatus, TradeMessage } from "../wire/protocol.ts";
import { readServerMessage } from "../wire/server_message.ts";
import { ByteReader } from "./byte_reader.ts";
import type { ClientCounts, ClientEvent, ResyncReason } from "./events.ts";
import { type InstrumentSlot, type SlotStore, UNKNOWN } from "./instrument_slot.ts";
import { readBbo, readTrades } from "./market_frames.ts";
import { failuresLeft, resyncDelayMs } from "./pacing.ts";
import type { ClientRuntime } from "./socket.ts";
import type { SlotOutcome, ViewSlot } from "./view_slot.ts";

/** What a reader is made from. */
export type ReaderOptions = {
  readonly store: SlotStore;
  /** Counted up in place. */
  readonly counts: ClientCounts;
  readonly runtime: ClientRuntime;
  emit(event: ClientEvent): void;
  /** Subscribes a book again, because a check failed. */
  request(slot: ViewSlot, reason: ResyncReason): void;
  /** Gives the connection up: it brought what no server sends. */
  fail(reason: string): void;
};

/** Reads messages and keeps the books. */
export class MessageReader {
  readonly #options: ReaderOptions;
  readonly #byAlias = new Map<number, ViewSlot>();
  readonly #address = new ByteReader();
  #connection = 0;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  /** Acts on one message. */
  read(content: string | ArrayBuffer): void {
    const { counts } = this.#options;
    counts.messagesIn += 1;
    if (typeof content === "string") {
      counts.bytesIn += content.length;
      this.#readText(content);
    } else {
      counts.bytesIn += content.byteLength;
      this.#readFrame(new Uint8Array(content));
    }
  }

  /** The connection is down: no book is known to be right, aliases mean nothing any more. */
  disconnected(): void {
    this.#connection += 1;
    this.#byAlias.clear();
    for (const slot of this.#options.store.instruments) {
      slot.nextTrade = undefined;
      slot.bbo = undefined;
      for (const view of slot.views) {
        view.suspend();
      }
      const { state, reason } = slot.status;
      if (slot.isTold && (reason !== "disconnected" || state !== "connecting")) {
        this.#tellStatus(slot, { ...slot.status, state: "connecting", reason: "disconnected" });
      }
    }
  }

  #readText(text: string): void {
    const message = readServerMessage(text);
    if (message === undefined) {
      this.#options.counts.malformed += 1;
      this.#options.fail("a text that is no message");
    } else {
      this.#act(message);
    }
  }

  #act(message: ServerMessage): void {
    const { counts, emit, store } = this.#options;
    switch (message.type) {
      case "subscribed":
        this.#open(message);
        return;
      case "status":
        this.#setStatus(store.find(message.instrument), message);
        return;
      case "orderbook":
      case "orderbook_delta":
        this.#applyMessage(message);
        return;
      case "trade":
        this.#trade(store.instrument(message.instrument), message);
        return;
      case "bbo":
        this.#bbo(store.instrument(message.instrument), message);
        return;
      case "unsubscribed":
        if (message.channel === "book") {
          const view = store.view(message.instrument, message);
          view.isWanted = false;
          view.clear();
          view.tell(undefined);
        }
        return;
      case "reset":
        counts.resets += 1;
        if (message.channel === "book") {
          const view = store.view(message.instrument, message);
          view.interrupt();
          view.tell(undefined);
        }
        emit(message);
        return;
      case "stats":
      case "opportunity":
      case "opportunities":
      case "instruments":
      case "error":
        emit(message);
        return;
      default:
        // welcome and pong say nothing that is kept; types of a later protocol are left alone.
        return;
    }
  }

  /** An acknowledgement: from here on the alias stands for the view; for other channels than books for the whole book's. */
  #open(message: SubscribedMessage): void {
    if (!("alias" in message)) {
      return;
    }
    const { store } = this.#options;
    const view = store.view(message.instrument, message);
    this.#byAlias.set(message.alias, view);
    if (message.channel === "book") {
      view.isWanted = true;
      if (message.resumed) {
        this.#options.counts.resumes += 1;
        view.resume();
      } else {
        view.begin();
      }
    }
    this.#setStatus(view.instrument, message);
  }

  #setStatus(slot: InstrumentSlot | undefined, message: SyncStatus): void {
    if (slot === undefined) {
      return;
    }
    const status = statusOf(message);
    const { priceExponent, quantityExponent } = slot.status;
    if (priceExponent !== status.priceExponent || quantityExponent !== status.quantityExponent) {
      slot.nextTrade = undefined;
      for (const view of slot.views) {
        view.begin();
      }
    }
    this.#tellStatus(slot, status);
  }

  #tellStatus(slot: InstrumentSlot, status: SyncStatus): void {
    this.#options.emit({ type: "status", ...slot.setStatus(status) });
  }

  #readFrame(frame: Uint8Array): void {
    this.#address.open(frame, 1, frame.length);
    const alias = this.#address.varint();
    const view = this.#address.failed ? undefined : this.#byAlias.get(alias as number);
    if (view === undefined) {
      this.#options.counts.malformed += 1;
      this.#options.fail("a frame that names nothing subscribed");
      return;
    }
    const kind = (frame[0] ?? 0) & FRAME_KIND_MASK;
    if (kind === FRAME_DELTAS || kind === FRAME_SNAPSHOT || kind === FRAME_CONFLATED) {
      if (view.isWanted) {
        this.#settle(view, view.applyFrame(frame));
      }
    } else if (kind === FRAME_TRADES) {
      this.#tradesFrame(view, frame);
    } else if (kind === FRAME_BBO) {
      this.#bboFrame(view, frame);
    } else {
      this.#distrust(view);
    }
  }

  /** A frame that names an instrument cannot be read: it may have been one of its book, whatever kind it says. */
  #distrust(view: ViewSlot): void {
    this.#options.counts.malformed += 1;
    if (view.isWanted) {
      view.clear();
      this.#resync(view, "malformed");
    }
  }

  #applyMessage(message: Extract<ServerMessage, { type: "orderbook" | "orderbook_delta" }>): void {
    const view = this.#options.store.view(message.instrument, message);
    if (view.isWanted) {
      this.#settle(view, message.type === "orderbook" ? view.applySnapshot(message) : view.applyDelta(message));
    }
  }

  #settle(view: ViewSlot, outcome: SlotOutcome): void {
    const { counts, emit } = this.#options;
    if (outcome.kind === "failed") {
      this.#resync(view, outcome.reason);
    } else if (outcome.kind !== "ignored") {
      counts.framesApplied += 1;
      if (outcome.kind === "applied") {
        const { records, isSnapshot } = outcome;
        const { instrument, depth, rateMs, book } = view;
        emit({
          type: "book",
          instrument: instrument.name,
          depth,
          rateMs,
          version: book.version.text,
          records,
          isSnapshot,
        });
        view.tell(outcome);
      }
    }
  }

  #resync(view: ViewSlot, reason: ResyncReason): void {
    const { counts, runtime, emit, request } = this.#options;
    counts.resyncs += 1;
    const nowMs = runtime.now();
    view.failures = failuresLeft(view.failures, nowMs - view.failedAtMs);
    const delayMs = resyncDelayMs(view.failures, runtime.random());
    view.failures += 1;
    view.failedAtMs = nowMs;
    const { instrument, depth, rateMs } = view;
    emit({ type: "resync", instrument: instrument.name, depth, rateMs, reason });
    view.tell(undefined);
    const connection = this.#connection;
    const ask = () => {
      if (connection === this.#connection && view.isWanted) {
        request(view, reason);
      }
    };
    if (delayMs === 0) {
      ask();
    } else {
      runtime.after(delayMs, ask);
    }
  }

  #tradesFrame(view: ViewSlot, frame: Uint8Array): void {
    const { name, status } = view.instrument;
    const trades = readTrades(frame, { ...status, instrument: name });
    if (trades === undefined) {
      this.#distrust(view);
      return;
    }
    for (const trade of trades) {
      this.#trade(view.instrument, trade);
    }
  }

  #trade(slot: InstrumentSlot, message: TradeMessage): void {
    const version = BigInt(message.version);
    if (slot.nextTrade !== undefined && version > slot.nextTrade) {
      this.#options.counts.tradesMissed += Number(version - slot.nextTrade);
    }
    slot.nextTrade = version + 1n;
    this.#options.emit(message);
    for (const watcher of slot.tradeWatchers) {
      watcher(message);
    }
  }

  #bboFrame(view: ViewSlot, frame: Uint8Array): void {
    const { name, status } = view.instrument;
    const message = readBbo(frame, { ...status, instrument: name });
    if (message === undefined) {
      this.#distrust(view);
      return;
    }
    this.#bbo(view.instrument, message);
  }

  #bbo(slot: InstrumentSlot, message: BboMessage): void {
    slot.bbo = message;
    this.#options.emit(message);
    for (const watcher of slot.bboWatchers) {
      watcher(message);
    }
  }
}

const STATUS_FIELDS = Object.keys(UNKNOWN) as (keyof SyncStatus)[];

/** The status in a message that says more. */
function statusOf(message: SyncStatus): SyncStatus {
  return Object.fromEntries(STATUS_FIELDS.map((field) => [field, message[field]])) as SyncStatus;
}
