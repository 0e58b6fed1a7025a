/**
 * All connected clients: reads their messages, keeps who listens to which book, and after each turn lets pending
 * subscriptions begin and takes slow clients off. Whatever a client sends ends in an answer, never in an exception.
 * Bad case: many clients; a backlog can only have grown by what was published since the last look, so all are looked at
 * once so much was published that one of them could be over the limit, and the suspicious ones every turn.
 */

import { type ClientMessage, parseClientMessage, type SubscriptionMessage } from "../wire/messages.ts";
import {
  COUNTED_ERRORS,
  ERROR_CODES,
  type ErrorCode,
  type MarketChannel,
  RESET_REASONS,
  type ResetReason,
  type ResyncReason,
  SUBPROTOCOL_BINARY,
  SUBPROTOCOL_JSON,
} from "../wire/protocol.ts";
import type { ServedInstrument } from "./instrument.ts";
import { type Instruments, isNamedBy, isPattern } from "./instruments.ts";
import type { GatewayLimits } from "./limits.ts";
import type { Outlet } from "./outlet.ts";
import { Session, type Subscription } from "./session.ts";
import { marketTopic } from "./topics.ts";
import type { Connection, UpgradeAnswer, UpgradeRequest } from "./transport.ts";

const MESSAGE_WINDOW_SECONDS = 10;
const BURST_SHARE = 4;

/** What all clients together did, closed ones included. */
export type SessionsTotals = { bytesIn: number; resets: number; dropped: number; protocolErrors: number };

/** What the welcome says. */
export type Greeting = { readonly server: string; readonly epoch: string };

/** The clients of one gateway. */
export class Sessions {
  readonly totals: SessionsTotals = { bytesIn: 0, resets: 0, dropped: 0, protocolErrors: 0 };
  readonly #instruments: Instruments;
  readonly #outlet: Outlet;
  readonly #limits: GatewayLimits;
  readonly #greeting: Greeting;
  readonly #now: () => number;
  readonly #wake: () => void;
  readonly #sessions = new Map<Connection, Session>();
  readonly #audience = new Map<ServedInstrument, Set<Subscription>>();
  readonly #waiting = new Set<Session>();
  readonly #watched = new Set<Session>();
  readonly #dropped = new Set<Session>();
  #unseenBytes = 0;

  /** @param options.wake asks for a turn soon, because a client subscribed */
  constructor(options: {
    instruments: Instruments;
    outlet: Outlet;
    limits: GatewayLimits;
    greeting: Greeting;
    now: () => number;
    wake: () => void;
  }) {
    this.#instruments = options.instruments;
    this.#outlet = options.outlet;
    this.#limits = options.limits;
    this.#greeting = options.greeting;
    this.#now = options.now;
    this.#wake = options.wake;
    options.instruments.onAppearance = (instrument) => this.#appeared(instrument);
  }

  /** Connected clients. */
  get size(): number {
    return this.#sessions.size;
  }

  /** Chooses the subprotocol: binary when offered first or alone, JSON otherwise; refuses beyond the limit. */
  upgrade(request: UpgradeRequest): UpgradeAnswer {
    if (this.#sessions.size >= this.#limits.connectionsMax) {
      return { status: 503, body: `Cannot connect: the server takes ${this.#limits.connectionsMax} connections` };
    }
    const known = [SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON];
    return { protocol: request.protocols.find((name) => known.includes(name)) ?? "" };
  }

  open(connection: Connection): void {
    const form = connection.protocol === SUBPROTOCOL_BINARY ? "binary" : "json";
    const nowMs = this.#now();
    const session = new Session(connection, { form, outlet: this.#outlet, limits: this.#limits, nowMs });
    this.#sessions.set(connection, session);
    const protocol = form === "binary" ? SUBPROTOCOL_BINARY : SUBPROTOCOL_JSON;
    session.reply({ type: "welcome", protocol, ...this.#greeting });
  }

  /** Acts on a message of a client. */
  message(connection: Connection, bytes: Uint8Array, isText: boolean): void {
    const session = this.#sessions.get(connection);
    if (session === undefined || session.isClosing) {
      return;
    }
    this.totals.bytesIn += bytes.byteLength;
    if (!this.#takeCredit(session)) {
      this.#refuse(session, null, {
        code: ERROR_CODES.tooManyMessages,
        message: "Cannot act on the message: too many",
      });
      return;
    }
    if (!isText) {
      const message = `Cannot read the message: clients send text, was ${bytes.byteLength} binary bytes`;
      this.#refuse(session, null, { code: ERROR_CODES.binaryMessage, message });
      return;
    }
    const result = parseClientMessage(new TextDecoder().decode(bytes));
    if ("error" in result) {
      const { code, message } = result.error;
      this.#refuse(session, result.id, { code: code as ErrorCode, message });
      return;
    }
    this.#act(session, result.message);
    if (session.hasPending) {
      this.#waiting.add(session);
      this.#wake();
    }
  }

  /** A client has read some of what it was sent. */
  drain(connection: Connection): void {
    const session = this.#sessions.get(connection);
    if (session !== undefined) {
      session.checkBacklog();
      session.advance();
    }
  }

  /**
   * The transport dropped a message: its limit lies far above ours, so this is a fault of the server. It may be called
   * in the middle of a publish, where topics must not change: the client is reset after the turn.
   */
  dropped(connection: Connection): void {
    const session = this.#sessions.get(connection);
    if (session !== undefined) {
      this.totals.dropped += 1;
      session.counts.dropped += 1;
      this.#dropped.add(session);
      this.#wake();
    }
  }

  close(connection: Connection): void {
    const session = this.#sessions.get(connection);
    if (session !== undefined) {
      this.#sessions.delete(connection);
      this.#waiting.delete(session);
      this.#watched.delete(session);
      this.#dropped.delete(session);
      this.totals.resets += session.counts.resets;
      for (const subscription of session.end()) {
        this.#audience.get(subscription.instrument)?.delete(subscription);
      }
    }
  }

  /** What the book's clients hold leads nowhere; they get a snapshot when the book is ready again. */
  interruptBook(instrument: ServedInstrument, reason: ResetReason | undefined): void {
    for (const subscription of this.#audience.get(instrument) ?? []) {
      if (subscription.channel === "book") {
        subscription.session.interrupt(subscription, reason);
        this.#waiting.add(subscription.session);
      }
    }
  }

  /** Tells everybody who gets an instrument's trades that some are missing or count from the beginning. */
  interruptTrades(instrument: ServedInstrument, reason: ResetReason): void {
    const message = { type: "reset", instrument: instrument.name.instrument, channel: "trades", reason };
    for (const form of ["binary", "json"] as const) {
      this.#outlet.publish(marketTopic(instrument.alias, "trades", form), JSON.stringify(message));
    }
  }

  /** Lets waiting subscriptions begin. Called after each turn, when every book is flushed. */
  advance(): void {
    for (const session of this.#waiting) {
      session.advance();
      if (!session.hasPending) {
        this.#waiting.delete(session);
      }
    }
  }

  /** Finds clients that read too slowly. @param everybody look at all, not only at those that could be */
  checkBacklogs(everybody = false): void {
    for (const session of this.#dropped) {
      this.#dropped.delete(session);
      session.suspend(RESET_REASONS.dropped);
      this.#watched.add(session);
    }
    this.#unseenBytes += this.#outlet.takeBurst();
    const lookAtAll = everybody || this.#unseenBytes >= this.#limits.backlogBytesMax / BURST_SHARE;
    for (const session of lookAtAll ? this.#sessions.values() : this.#watched) {
      if (session.checkBacklog()) {
        this.#watched.add(session);
      } else {
        this.#watched.delete(session);
      }
      if (session.hasPending) {
        this.#waiting.add(session);
      }
    }
    if (lookAtAll) {
      this.#unseenBytes = 0;
    }
  }

  /** Resets since start, those of connected clients included. */
  resets(): number {
    return [...this.#sessions.values()].reduce((sum, session) => sum + session.counts.resets, this.totals.resets);
  }

  /** An instrument appeared: whoever subscribed a pattern that names it gets it, too. */
  #appeared(instrument: ServedInstrument): void {
    for (const session of this.#sessions.values()) {
      const patterns = [...session.standing].filter(([pattern]) => isNamedBy(instrument.name, pattern));
      const channels = new Set(patterns.flatMap(([, wanted]) => [...wanted]));
      if (channels.size === 0 || session.size + channels.size > this.#limits.subscriptionsMax) {
        continue;
      }
      for (const channel of channels) {
        this.#join(session.subscribe(instrument, channel, 0));
      }
      this.#waiting.add(session);
      this.#wake();
    }
  }

  /** Remembers, or forgets, which patterns a client subscribed. */
  #keepPatterns(session: Session, message: SubscriptionMessage, channels: readonly MarketChannel[]): void {
    for (const pattern of message.instruments.filter(isPattern)) {
      const wanted = session.standing.get(pattern) ?? new Set();
      for (const channel of channels) {
        if (message.op === "subscribe") {
          wanted.add(channel);
        } else {
          wanted.delete(channel);
        }
      }
      session.standing.delete(pattern);
      if (wanted.size > 0 && session.standing.size < this.#limits.subscriptionsMax) {
        session.standing.set(pattern, wanted);
      }
    }
  }

  #act(session: Session, message: ClientMessage): void {
    if (message.op === "ping") {
      session.reply({ type: "pong", id: message.id });
    } else if (message.op === "instruments") {
      const instruments = [...this.#instruments.all()].map((instrument) => instrument.listing());
      session.reply({ type: "instruments", id: message.id, instruments });
    } else {
      this.#subscription(session, message);
    }
  }

  #subscription(session: Session, message: SubscriptionMessage): void {
    const { id } = message;
    if (message.channels.includes("stats")) {
      session.setStats(message.op === "subscribe");
      session.reply({ type: `${message.op}d`, id, channel: "stats" });
    }
    const channels = [...new Set(message.channels)].filter((channel) => channel !== "stats");
    const matched = this.#expand(session, message);
    if (matched === undefined) {
      return;
    }
    if (message.op === "subscribe" && !this.#hasRoom(session, { id, matched, channels })) {
      return;
    }
    this.#keepPatterns(session, message, channels);
    if (message.op === "subscribe" && message.reason !== undefined) {
      this.#countFailures(session, message.reason, matched);
    }
    for (const instrument of matched) {
      for (const channel of channels) {
        if (message.op === "subscribe") {
          this.#join(session.subscribe(instrument, channel, id));
        } else {
          this.#leave(session, { instrument, channel, id });
        }
      }
    }
  }

  /** The instruments that a message names; undefined, with an answer, when they are too many. */
  #expand(session: Session, { id, instruments }: SubscriptionMessage): Set<ServedInstrument> | undefined {
    const matched = new Set<ServedInstrument>();
    for (const pattern of instruments) {
      const found = this.#instruments.match(pattern);
      if (found.length === 0 && !isPattern(pattern)) {
        const nearest = this.#instruments.nearest(pattern).join(", ") || "none";
        const text = `Cannot find an instrument: nearest are ${nearest}, was ${JSON.stringify(pattern)}`;
        this.#refuse(session, id, { code: ERROR_CODES.unknownInstrument, message: text });
      }
      for (const instrument of found) {
        matched.add(instrument);
      }
      if (matched.size > this.#limits.matchesMax) {
        const text = `Cannot expand the patterns: at most ${this.#limits.matchesMax} instruments, was more`;
        this.#refuse(session, id, { code: ERROR_CODES.tooManyMatches, message: text });
        return undefined;
      }
    }
    return matched;
  }

  /** A client asks again for books that failed its checks. */
  #countFailures(session: Session, reason: ResyncReason, instruments: Iterable<ServedInstrument>): void {
    for (const instrument of instruments) {
      if (session.find(instrument, "book") !== undefined) {
        instrument.clientFailures[reason] += 1;
      }
    }
  }

  #hasRoom(
    session: Session,
    { id, matched, channels }: { id: number; matched: Set<ServedInstrument>; channels: MarketChannel[] },
  ): boolean {
    const additional = [...matched].flatMap((instrument) =>
      channels.filter((channel) => session.find(instrument, channel) === undefined),
    );
    if (session.size + additional.length <= this.#limits.subscriptionsMax) {
      return true;
    }
    const text = `Cannot subscribe: at most ${this.#limits.subscriptionsMax}, was ${session.size + additional.length}`;
    this.#refuse(session, id, { code: ERROR_CODES.tooManySubscriptions, message: text });
    return false;
  }

  #join(subscription: Subscription): void {
    const audience = this.#audience.get(subscription.instrument) ?? new Set();
    this.#audience.set(subscription.instrument, audience.add(subscription));
  }

  #leave(
    session: Session,
    { instrument, channel, id }: { instrument: ServedInstrument; channel: MarketChannel; id: number },
  ): void {
    const name = instrument.name.instrument;
    const subscription = session.unsubscribe(instrument, channel);
    if (subscription === undefined) {
      const message = `Cannot unsubscribe: not subscribed, was ${channel} of ${name}`;
      this.#refuse(session, id, { code: ERROR_CODES.notSubscribed, message });
      return;
    }
    this.#audience.get(instrument)?.delete(subscription);
    session.reply({ type: "unsubscribed", id, channel, instrument: name });
  }

  #refuse(session: Session, id: number | null, { code, message }: { code: ErrorCode; message: string }): void {
    session.reply({ type: "error", id, code, message });
    if (!COUNTED_ERRORS.has(code)) {
      return;
    }
    this.totals.protocolErrors += 1;
    session.counts.protocolErrors += 1;
    if (session.counts.protocolErrors >= this.#limits.protocolErrorsMax) {
      session.expel("too many protocol errors");
    }
  }

  #takeCredit(session: Session): boolean {
    const nowMs = this.#now();
    const perSecond = this.#limits.messagesPerSecondMax;
    const earned = (Math.max(nowMs - session.creditAtMs, 0) / 1000) * perSecond;
    session.creditAtMs = nowMs;
    session.messageCredit = Math.min(session.messageCredit + earned, perSecond * MESSAGE_WINDOW_SECONDS);
    if (session.messageCredit < 1) {
      return false;
    }
    session.messageCredit -= 1;
    return true;
  }
}
