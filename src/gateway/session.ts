/**
 * One client: what it subscribed, what it has been given, and how far behind it reads. Every subscription is either live
 * (on its topic) or pending: it waits for its beginning (a snapshot for a book) until the client has room and the book is
 * ready. A client that reads too slowly is taken off everything and begins anew when it has read what it was sent.
 * Bad case: a client that goes on asking while it reads nothing; when its answers fill the limit once more, it is closed.
 */
import {
  CLOSE_CODES,
  type MarketChannel,
  RESET_REASONS,
  type ResetReason,
  type ServerMessage,
} from "../wire/protocol.ts";
import type { ServedInstrument } from "./instrument.ts";
import type { GatewayLimits } from "./limits.ts";
import type { Form, Outlet } from "./outlet.ts";
import { marketTopic, STATS_TOPIC, statusTopic } from "./topics.ts";
import type { Connection } from "./transport.ts";

/** One channel of one instrument for one client. */
export type Subscription = {
  readonly session: Session;
  readonly instrument: ServedInstrument;
  readonly channel: MarketChannel;
  readonly topic: string;
  /** On its topic. */
  isLive: boolean;
  /** To be told before it begins again. */
  reset: ResetReason | undefined;
};

/** What became of one client, for statistics. */
export type SessionCounts = { resets: number; dropped: number; protocolErrors: number };

/** A connected client. */
export class Session {
  readonly connection: Connection;
  readonly form: Form;
  readonly counts: SessionCounts = { resets: 0, dropped: 0, protocolErrors: 0 };
  /** Messages that the client may still send; refilled over time by its keeper. */
  messageCredit: number;
  creditAtMs: number;
  wantsStats = false;
  /** Patterns that were subscribed, for instruments yet to come: pattern → channels. */
  readonly standing = new Map<string, Set<MarketChannel>>();
  /** It is being closed by us. */
  isClosing = false;
  readonly #outlet: Outlet;
  readonly #limits: GatewayLimits;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #pending = new Set<Subscription>();
  readonly #channelCounts = new Map<ServedInstrument, number>();
  #isSuspended = false;
  #isOpen = true;
  /** Bytes of snapshots that are allowed beyond the limit until they have been read. */
  #allowance = 0;
  #bufferedAtSuspension = 0;

  constructor(connection: Connection, options: { form: Form; outlet: Outlet; limits: GatewayLimits; nowMs: number }) {
    this.connection = connection;
    this.form = options.form;
    this.#outlet = options.outlet;
    this.#limits = options.limits;
    this.messageCredit = options.limits.messagesPerSecondMax * 10;
    this.creditAtMs = options.nowMs;
  }

  /** Channel and instrument pairs. */
  get size(): number {
    return this.#subscriptions.size;
  }

  /** Something waits for its beginning. */
  get hasPending(): boolean {
    return this.#pending.size > 0;
  }

  /** Taken off everything until it has read what it was sent. */
  get isSuspended(): boolean {
    return this.#isSuspended;
  }

  /** Sends a message of the protocol as text. */
  reply(message: ServerMessage): void {
    this.#outlet.send(this.connection, JSON.stringify(message));
  }

  /** @returns undefined when there is none */
  find(instrument: ServedInstrument, channel: MarketChannel): Subscription | undefined {
    return this.#subscriptions.get(key(instrument, channel));
  }

  /** Subscribes, or begins anew what was subscribed: the acknowledgement, then what the channel begins with. */
  subscribe(instrument: ServedInstrument, channel: MarketChannel, id: number): Subscription {
    const known = this.find(instrument, channel);
    const subscription = known ?? this.#add(instrument, channel);
    this.#takeOff(subscription);
    subscription.reset = undefined;
    this.#pending.add(subscription);
    const { alias, name } = instrument;
    this.reply({ type: "subscribed", id, channel, instrument: name.instrument, alias, ...instrument.status() });
    if (known === undefined) {
      this.#watch(instrument);
    }
    return subscription;
  }

  /** @returns the subscription that ended, undefined when there was none */
  unsubscribe(instrument: ServedInstrument, channel: MarketChannel): Subscription | undefined {
    const subscription = this.find(instrument, channel);
    if (subscription !== undefined) {
      this.#takeOff(subscription);
      this.#pending.delete(subscription);
      this.#subscriptions.delete(key(instrument, channel));
      this.#unwatch(instrument);
    }
    return subscription;
  }

  /** Puts the client on the statistics, or takes it off. */
  setStats(wanted: boolean): void {
    if (wanted !== this.wantsStats && !this.#isSuspended) {
      this.#switchTopic(STATS_TOPIC, wanted);
    }
    this.wantsStats = wanted;
  }

  /**
   * What a subscription was given leads nowhere: off its topic, to begin again when it can. The client is told at once,
   * unless it does not read; then it is told when it begins again.
   */
  interrupt(subscription: Subscription, reason: ResetReason | undefined): void {
    const tellsNow = reason !== undefined && subscription.isLive && !this.#isSuspended;
    this.#takeOff(subscription);
    subscription.reset = reason ?? subscription.reset;
    this.#pending.add(subscription);
    if (tellsNow) {
      this.#tellReset(subscription);
    }
  }

  /** Begins pending subscriptions while the client has room. */
  advance(): void {
    if (this.#isSuspended) {
      return;
    }
    for (const subscription of this.#pending) {
      if (this.connection.bufferedBytes() > this.#limits.snapshotWindowBytes) {
        return;
      }
      if (this.#begin(subscription)) {
        this.#pending.delete(subscription);
      }
    }
  }

  /** Looks at how far behind the client reads. @returns true while it deserves another look soon */
  checkBacklog(): boolean {
    const { backlogBytesMax, snapshotWindowBytes } = this.#limits;
    const buffered = this.connection.bufferedBytes();
    if (buffered <= snapshotWindowBytes) {
      this.#allowance = 0;
    }
    if (!this.#isSuspended) {
      if (buffered > backlogBytesMax + this.#allowance) {
        this.suspend(RESET_REASONS.slowClient);
      }
    } else if (buffered > this.#bufferedAtSuspension + backlogBytesMax) {
      this.expel("answers are not read");
    } else if (buffered <= backlogBytesMax / 4) {
      this.#resume();
    }
    return this.#isSuspended || buffered > backlogBytesMax / 2;
  }

  /** Closes the connection for what the client did; what it still says is not read. */
  expel(reason: string): void {
    this.isClosing = true;
    this.connection.close(CLOSE_CODES.policyViolation, reason);
  }

  /** Takes the client off everything until it has read what it was sent. */
  suspend(reason: ResetReason): void {
    this.counts.resets += 1;
    const wasSuspended = this.#isSuspended;
    this.#isSuspended = true;
    for (const subscription of this.#subscriptions.values()) {
      this.interrupt(subscription, reason);
    }
    if (!wasSuspended) {
      this.#bufferedAtSuspension = this.connection.bufferedBytes();
      this.#switchAll(false);
    }
  }

  /** The connection is gone. @returns the subscriptions that it had */
  end(): Subscription[] {
    this.#isOpen = false;
    const subscriptions = [...this.#subscriptions.values()];
    for (const subscription of subscriptions) {
      this.#takeOff(subscription);
    }
    if (!this.#isSuspended) {
      this.#switchAll(false);
    }
    this.#pending.clear();
    this.#subscriptions.clear();
    return subscriptions;
  }

  #resume(): void {
    this.#isSuspended = false;
    for (const instrument of this.#channelCounts.keys()) {
      this.#outlet.send(this.connection, instrument.statusText());
    }
    this.#switchAll(true);
    this.advance();
  }

  /** @returns false when the book is not ready yet */
  #begin(subscription: Subscription): boolean {
    const { instrument, channel, topic } = subscription;
    if (channel === "book" && !instrument.book.isReady) {
      return false;
    }
    instrument.loadExponents();
    this.#tellReset(subscription);
    if (channel === "book") {
      instrument.book.flush();
      for (const part of instrument.book.snapshot(this.form)) {
        this.#allowance += part.length;
        this.#outlet.send(this.connection, part);
      }
    } else if (channel === "bbo") {
      const bbo = instrument.book.bbo(this.form);
      if (bbo !== undefined) {
        this.#outlet.send(this.connection, bbo);
      }
    }
    this.#outlet.join(this.connection, topic);
    subscription.isLive = true;
    return true;
  }

  #tellReset(subscription: Subscription): void {
    const { instrument, channel, reset } = subscription;
    if (reset !== undefined) {
      subscription.reset = undefined;
      this.reply({ type: "reset", instrument: instrument.name.instrument, channel, reason: reset });
    }
  }

  #takeOff(subscription: Subscription): void {
    if (subscription.isLive) {
      subscription.isLive = false;
      this.#outlet.leave(this.connection, subscription.topic, this.#isOpen);
    }
  }

  #add(instrument: ServedInstrument, channel: MarketChannel): Subscription {
    const topic = marketTopic(instrument.alias, channel, this.form);
    const subscription = { session: this, instrument, channel, topic, isLive: false, reset: undefined };
    this.#subscriptions.set(key(instrument, channel), subscription);
    return subscription;
  }

  #watch(instrument: ServedInstrument): void {
    const count = this.#channelCounts.get(instrument) ?? 0;
    this.#channelCounts.set(instrument, count + 1);
    if (count === 0 && !this.#isSuspended) {
      this.#switchTopic(statusTopic(instrument.alias), true);
    }
  }

  #unwatch(instrument: ServedInstrument): void {
    const count = (this.#channelCounts.get(instrument) ?? 1) - 1;
    if (count > 0) {
      this.#channelCounts.set(instrument, count);
      return;
    }
    this.#channelCounts.delete(instrument);
    if (!this.#isSuspended) {
      this.#switchTopic(statusTopic(instrument.alias), false);
    }
  }

  #switchAll(on: boolean): void {
    for (const instrument of this.#channelCounts.keys()) {
      this.#switchTopic(statusTopic(instrument.alias), on);
    }
    if (this.wantsStats) {
      this.#switchTopic(STATS_TOPIC, on);
    }
  }

  #switchTopic(topic: string, on: boolean): void {
    if (on) {
      this.#outlet.join(this.connection, topic);
    } else {
      this.#outlet.leave(this.connection, topic, this.#isOpen);
    }
  }
}

function key(instrument: ServedInstrument, channel: MarketChannel): string {
  return `${channel}.${instrument.alias}`;
}
