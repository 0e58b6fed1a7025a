/**
 * Everything that arrives on a client's connection: control messages, market messages of both forms. Keeps the slots,
 * routes frames by alias, and paces how often a book that failed a check is asked for again.
 * Bad case: a message that cannot be read. When it names a book, that book may be what it was for, and is asked for again;
 * when it names none, nothing on this connection can be trusted, and the connection is given up.
 */
import {
  BBO_ASK_PRICE,
  BBO_ASK_QUANTITY,
  BBO_BID_PRICE,
  BBO_BID_QUANTITY,
  BBO_EVENT_AT,
  BBO_FLAGS,
  BBO_RECEIVED_AT,
  BBO_VERSION,
  CELL_FLAG_ASK,
  CELL_FLAG_BID,
  CELL_FLAG_CROSSED,
  FRAME_BBO,
  FRAME_DELTAS,
  FRAME_KIND_MASK,
  FRAME_SNAPSHOT,
  FRAME_TRADES,
  TRADE_BYTES,
} from "../../assembly/layout.ts";
import { tradeMessage } from "../wire/json_form.ts";
import { fixedText, u64Text } from "../wire/numbers.ts";
import type { BboMessage, JsonLevel, ServerMessage, SyncStatus, TradeMessage } from "../wire/protocol.ts";
import { readServerMessage } from "../wire/server_message.ts";
import { BookSlot, type SlotOutcome } from "./book_slot.ts";
import { BookStore, TRADES_MAX } from "./book_store.ts";
import type { ClientBook, ClientCounts, ClientEvent, InstrumentStatus, ResyncReason } from "./events.ts";
import { failuresLeft, resyncDelayMs } from "./pacing.ts";
import type { ClientRuntime } from "./socket.ts";
import type { Request } from "./subscriptions.ts";

/** A BBO frame's flag beside CELL_FLAG_*: the last event left the book not synced. */
const BBO_NOT_SYNCED = 16;

/** What a reader is made from. */
export type ReaderOptions = {
  readonly memoryBytes: number;
  /** Counted up in place. */
  readonly counts: ClientCounts;
  readonly runtime: ClientRuntime;
  emit(event: ClientEvent): void;
  /** Subscribes again, because a check failed. */
  request(request: Request, reason: ResyncReason): void;
  /** Gives the connection up: it brought what no server sends. */
  fail(reason: string): void;
};

/** Reads messages and keeps the books. */
export class MessageReader {
  readonly #options: ReaderOptions;
  readonly #store: BookStore;
  readonly #byName = new Map<string, BookSlot>();
  readonly #byAlias = new Map<number, BookSlot>();
  #connection = 0;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#store = new BookStore(options.memoryBytes);
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
    for (const slot of this.#byName.values()) {
      slot.nextTrade = undefined;
      slot.interrupt();
      if (slot.status.reason !== "disconnected" || slot.status.state !== "connecting") {
        slot.status = { ...slot.status, state: "connecting", reason: "disconnected" };
        this.#options.emit({ type: "status", instrument: slot.instrument, ...slot.status });
      }
    }
  }

  /** @returns undefined before there is one */
  book(instrument: string, depth?: number): ClientBook | undefined {
    return this.#byName.get(instrument)?.book(depth);
  }

  statuses(): InstrumentStatus[] {
    return [...this.#byName.values()].map((slot) => ({ instrument: slot.instrument, ...slot.status }));
  }

  #readText(text: string): void {
    const message = readServerMessage(text);
    if (message === undefined) {
      this.#options.counts.malformed += 1;
      this.#options.fail("a text that is no message");
      return;
    }
    this.#act(message);
  }

  #act(message: ServerMessage): void {
    const { emit, counts } = this.#options;
    switch (message.type) {
      case "subscribed":
        if (message.channel !== "stats") {
          this.#open(message);
        }
        return;
      case "status":
        this.#setStatus(message);
        return;
      case "orderbook":
      case "orderbook_delta":
        this.#applyMessage(message);
        return;
      case "trade":
        this.#trade(message);
        return;
      case "unsubscribed":
        if (message.channel === "book" && message.instrument !== undefined) {
          this.#close(message.instrument);
        }
        return;
      case "reset":
        counts.resets += 1;
        if (message.channel === "book") {
          this.#byName.get(message.instrument)?.interrupt();
        }
        emit(message);
        return;
      case "bbo":
      case "stats":
        emit(message);
        return;
      case "instruments":
        emit({ type: "instruments", instruments: message.instruments });
        return;
      case "error":
        emit({ type: "error", code: message.code, message: message.message });
        return;
      default:
        // welcome and pong say nothing that is kept; types of a later protocol are left alone.
        return;
    }
  }

  /** An acknowledgement: from here on the alias stands for the instrument. */
  #open(message: { channel: string; instrument: string; alias: number } & SyncStatus): void {
    const { instrument, alias } = message;
    const status = statusOf(message);
    let slot = this.#byName.get(instrument);
    if (slot === undefined) {
      slot = new BookSlot(this.#store, { instrument, alias, status });
      this.#byName.set(instrument, slot);
    }
    slot.alias = alias;
    this.#byAlias.set(alias, slot);
    if (message.channel === "book") {
      slot.wantsBook = true;
      slot.begin();
    }
    this.#setStatus(message);
  }

  #close(instrument: string): void {
    const slot = this.#byName.get(instrument);
    if (slot !== undefined) {
      slot.wantsBook = false;
      slot.clear();
    }
  }

  #setStatus(message: { instrument: string } & SyncStatus): void {
    const slot = this.#byName.get(message.instrument);
    if (slot === undefined) {
      return;
    }
    const status = statusOf(message);
    if (
      status.priceExponent !== slot.status.priceExponent ||
      status.quantityExponent !== slot.status.quantityExponent
    ) {
      slot.begin();
      slot.nextTrade = undefined;
    }
    slot.status = status;
    this.#options.emit({ type: "status", instrument: slot.instrument, ...status });
  }

  #readFrame(frame: Uint8Array): void {
    const alias = readAlias(frame);
    const slot = alias === undefined ? undefined : this.#byAlias.get(alias);
    if (slot === undefined) {
      this.#options.counts.malformed += 1;
      this.#options.fail("a frame that names nothing subscribed");
      return;
    }
    const address = this.#store.load(frame);
    const kind = (frame[0] ?? 0) & FRAME_KIND_MASK;
    if (kind === FRAME_DELTAS || kind === FRAME_SNAPSHOT) {
      if (!slot.wantsBook) {
        return;
      }
      this.#settle(slot, slot.applyFrame(address, frame.byteLength));
    } else if (kind === FRAME_TRADES) {
      this.#tradesFrame(slot, address, frame.byteLength);
    } else if (kind === FRAME_BBO) {
      this.#bboFrame(slot, address, frame.byteLength);
    } else {
      this.#distrust(slot);
    }
  }

  /** A frame that names an instrument cannot be read: it may have been one of its book, whatever kind it says. */
  #distrust(slot: BookSlot): void {
    this.#options.counts.malformed += 1;
    if (slot.wantsBook) {
      slot.clear();
      this.#resync(slot, "malformed");
    }
  }

  #applyMessage(message: Extract<ServerMessage, { type: "orderbook" | "orderbook_delta" }>): void {
    const slot = this.#byName.get(message.instrument);
    if (slot?.wantsBook === true) {
      const isSnapshot = message.type === "orderbook";
      this.#settle(slot, isSnapshot ? slot.applySnapshot(message) : slot.applyDelta(message));
    }
  }

  #settle(slot: BookSlot, outcome: SlotOutcome): void {
    const { counts, emit } = this.#options;
    if (outcome.kind === "failed") {
      this.#resync(slot, outcome.reason);
    } else if (outcome.kind !== "ignored") {
      counts.framesApplied += 1;
      if (outcome.kind === "applied") {
        const { records, isSnapshot } = outcome;
        emit({ type: "book", instrument: slot.instrument, version: slot.version, records, isSnapshot });
      }
    }
  }

  #resync(slot: BookSlot, reason: ResyncReason): void {
    const { counts, runtime, emit, request } = this.#options;
    counts.resyncs += 1;
    const nowMs = runtime.now();
    slot.failures = failuresLeft(slot.failures, nowMs - slot.failedAtMs);
    const delayMs = resyncDelayMs(slot.failures, runtime.random());
    slot.failures += 1;
    slot.failedAtMs = nowMs;
    emit({ type: "resync", instrument: slot.instrument, reason });
    const connection = this.#connection;
    const ask = () => {
      if (connection === this.#connection && slot.wantsBook) {
        request({ channels: ["book"], instruments: [slot.instrument] }, reason);
      }
    };
    if (delayMs === 0) {
      ask();
    } else {
      runtime.after(delayMs, ask);
    }
  }

  #tradesFrame(slot: BookSlot, frame: number, length: number): void {
    const { kernel, memory, trades } = this.#store;
    const count = kernel.tradesDecode(frame, length, trades, TRADES_MAX);
    if (count < 0) {
      this.#distrust(slot);
      return;
    }
    const { instrument, status } = slot;
    for (let index = 0; index < count; index++) {
      this.#trade(tradeMessage(memory, trades + index * TRADE_BYTES, { ...status, instrument }));
    }
  }

  #trade(message: TradeMessage): void {
    const slot = this.#byName.get(message.instrument);
    if (slot !== undefined) {
      const version = BigInt(message.version);
      if (slot.nextTrade !== undefined && version > slot.nextTrade) {
        this.#options.counts.tradesMissed += Number(version - slot.nextTrade);
      }
      slot.nextTrade = version + 1n;
    }
    this.#options.emit(message);
  }

  #bboFrame(slot: BookSlot, frame: number, length: number): void {
    const { kernel, memory, bbo } = this.#store;
    if (kernel.bboDecode(frame, length, bbo) !== 0) {
      this.#distrust(slot);
      return;
    }
    const flags = memory.getUint32(bbo + BBO_FLAGS, true);
    const { priceExponent, quantityExponent } = slot.status;
    const level = (flag: number, price: number, quantity: number): JsonLevel | null =>
      (flags & flag) === 0
        ? null
        : [fixedText(memory, bbo + price, priceExponent), fixedText(memory, bbo + quantity, quantityExponent)];
    const message: BboMessage = {
      type: "bbo",
      instrument: slot.instrument,
      version: u64Text(memory, bbo + BBO_VERSION),
      synced: (flags & BBO_NOT_SYNCED) === 0,
      crossed: (flags & CELL_FLAG_CROSSED) !== 0,
      bid: level(CELL_FLAG_BID, BBO_BID_PRICE, BBO_BID_QUANTITY),
      ask: level(CELL_FLAG_ASK, BBO_ASK_PRICE, BBO_ASK_QUANTITY),
      eventAtNs: u64Text(memory, bbo + BBO_EVENT_AT),
      receivedAtNs: u64Text(memory, bbo + BBO_RECEIVED_AT),
    };
    this.#options.emit(message);
  }
}

function statusOf(message: SyncStatus): SyncStatus {
  const { state, assurance, reason, sinceNs, trading, priceExponent, quantityExponent } = message;
  return { state, assurance, reason, sinceNs, trading, priceExponent, quantityExponent };
}

/** The alias behind the first byte of a frame; undefined when the frame is too short or the number too long. */
function readAlias(frame: Uint8Array): number | undefined {
  let alias = 0;
  for (let index = 1; index <= 5; index++) {
    const byte = frame[index];
    if (byte === undefined) {
      return undefined;
    }
    alias += (byte & 0x7f) * 2 ** (7 * (index - 1));
    if (byte < 0x80) {
      return alias;
    }
  }
  return undefined;
}
