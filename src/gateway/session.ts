/**
 * One client: what it subscribed and what it has been given. Beginnings go out while the client has room; one that reads
 * too slowly is taken off what can be merged, and goes on with one update per book when it has read what it was sent.
 * Bad case: a message that the transport dropped; everything of that client begins anew, because nobody knows what it has.
 */
import {
  CLOSE_CODES,
  type ClientStateWord,
  RESET_REASONS,
  type ResetReason,
  type ServerMessage,
} from "../wire/protocol.ts";
import { Backlog, type BacklogVerdict } from "./backlog.ts";
import { nextPiece } from "./beginning.ts";
import type { ServedInstrument } from "./instrument.ts";
import type { GatewayLimits } from "./limits.ts";
import { MessageCredit } from "./message_credit.ts";
import type { Form, Outlet } from "./outlet.ts";
import { type Beginnings, ServerChannels } from "./server_channels.ts";
import { noCounts, type SessionCounts } from "./session_counts.ts";
import { StatusWatch } from "./status_watch.ts";
import type { StreamView } from "./stream_view.ts";
import {
  createSubscription,
  forgetProgress,
  type Standpoint,
  type Subscription,
  shapeOf,
  subscriptionKey,
  type Wish,
} from "./subscription.ts";
import type { Connection, Payload } from "./transport.ts";

/** Bytes that beginnings may still cost in this turn. */
export type Budget = { left: number };

/** What a session is made from. */
export type SessionOptions = {
  readonly form: Form;
  readonly outlet: Outlet;
  readonly limits: GatewayLimits;
  readonly now: () => number;
  readonly beginnings: Beginnings;
  /** Counted up in place, with the session's own. */
  readonly totals: SessionCounts;
  /** Hears of every change of state. */
  readonly changed: (session: Session, state: ClientStateWord) => void;
};

/** A connected client. */
export class Session {
  readonly connection: Connection;
  readonly form: Form;
  readonly backlog: Backlog;
  readonly counts: SessionCounts = noCounts();
  readonly credit: MessageCredit;
  readonly serverChannels: ServerChannels;
  /** What was subscribed of instruments yet to come: pattern, or name not known yet → what was asked for, by its key. */
  readonly standing = new Map<string, Map<string, Wish>>();
  readonly #options: SessionOptions;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #pending = new Set<Subscription>();
  readonly #statuses: StatusWatch;
  #losslessLive = 0;
  #isOpen = true;

  constructor(connection: Connection, options: SessionOptions) {
    this.connection = connection;
    this.form = options.form;
    this.#options = options;
    const [limits, nowMs] = [options.limits, options.now()];
    this.credit = new MessageCredit({ perSecond: limits.messagesPerSecondMax, nowMs });
    this.backlog = new Backlog(limits, nowMs);
    this.#statuses = new StatusWatch(connection, options.outlet);
    this.serverChannels = new ServerChannels(connection, options);
  }

  /** Subscriptions. */
  get size(): number {
    return this.#subscriptions.size;
  }

  /** Something waits for its beginning. */
  get hasPending(): boolean {
    return this.#pending.size > 0;
  }

  /** Nothing is sent to it, and nothing waits for it. */
  get isQuiet(): boolean {
    return this.size === 0 && this.serverChannels.size === 0 && this.connection.bufferedBytes() === 0;
  }

  /** It is being closed by us. */
  get isClosing(): boolean {
    return this.backlog.state === "closing";
  }

  /** Sends a message of the protocol as text. */
  reply(message: ServerMessage): void {
    this.#options.outlet.send(this.connection, JSON.stringify(message));
  }

  /** Counts something, here and in the totals. */
  count(what: keyof SessionCounts): void {
    this.counts[what] += 1;
    this.#options.totals[what] += 1;
  }

  /** @returns undefined when there is none */
  find(instrument: ServedInstrument, wish: Omit<Wish, "policy">): Subscription | undefined {
    return this.#subscriptions.get(subscriptionKey(instrument, wish));
  }

  /**
   * Subscribes, or begins anew what was subscribed: the acknowledgement, then what the channel begins with.
   * @param options.from where the client stands that comes back
   */
  subscribe(
    instrument: ServedInstrument,
    options: { wish: Wish; view: StreamView; id: number; from: Standpoint | undefined },
  ): Subscription {
    const { wish, view, id, from } = options;
    const known = this.find(instrument, wish);
    const subscription = known ?? this.#add(instrument, { wish, view });
    this.#takeOff(subscription);
    subscription.policy = wish.policy;
    subscription.reset = undefined;
    forgetProgress(subscription);
    const resumed = from !== undefined && view.isReady && view.output.resumes(from);
    if (resumed) {
      subscription.held = from.version;
      subscription.owesUpdate = true;
      this.count("resumes");
    }
    this.#pending.add(subscription);
    const { channel, policy } = wish;
    const { alias } = channel === "book" ? view.output : instrument;
    const about = { channel, instrument: instrument.name.instrument, alias, ...shapeOf(subscription), policy, resumed };
    this.reply({ type: "subscribed", id, ...about, ...instrument.status() });
    if (known === undefined) {
      this.#statuses.add(instrument, this.backlog.isLive);
    }
    return subscription;
  }

  /** @returns the subscription that ended, undefined when there was none */
  unsubscribe(instrument: ServedInstrument, wish: Omit<Wish, "policy">): Subscription | undefined {
    const key = subscriptionKey(instrument, wish);
    const subscription = this.#subscriptions.get(key);
    if (subscription !== undefined) {
      this.#takeOff(subscription);
      this.#pending.delete(subscription);
      this.#subscriptions.delete(key);
      this.#letGo(subscription);
      this.#statuses.remove(instrument, this.backlog.isLive);
    }
    return subscription;
  }

  /**
   * What a subscription was given leads nowhere: off its topic, to begin again when it can. The client is told at once,
   * unless it does not read; then it is told when it begins again.
   */
  interrupt(subscription: Subscription, reason: ResetReason | undefined): void {
    const hasSome = subscription.isLive || subscription.under !== undefined;
    const tellsNow = reason !== undefined && hasSome && (this.backlog.isLive || subscription.isLive);
    this.#takeOff(subscription);
    forgetProgress(subscription);
    subscription.reset = reason ?? subscription.reset;
    this.#pending.add(subscription);
    if (tellsNow) {
      this.#tellReset(subscription);
    }
  }

  /** Sends beginnings while the client has room and the turn has budget. */
  advance(budget: Budget): void {
    if (!this.backlog.isLive) {
      return;
    }
    for (const subscription of this.#pending) {
      while (this.#pending.has(subscription)) {
        if (budget.left <= 0 || this.connection.bufferedBytes() > this.#options.limits.snapshotWindowBytes) {
          return;
        }
        if (!this.#step(subscription, budget)) {
          break;
        }
      }
    }
  }

  /** Looks at how far behind the client reads. @returns true while it deserves another look soon */
  checkBacklog(): boolean {
    const bytes = this.connection.bufferedBytes();
    const look = () => this.backlog.look(bytes, { nowMs: this.#options.now(), hasLossless: this.#losslessLive > 0 });
    for (let verdict = look(); verdict !== "nothing"; verdict = look()) {
      this.#obey(verdict);
    }
    return this.backlog.isSuspicious(bytes);
  }

  /** Closes the connection for what the client did; what it still says is not read, and it is sent nothing more. */
  expel(code: number, reason: string): void {
    this.#leaveAll();
    this.#enter("closing");
    this.connection.close(code, reason);
  }

  /** The transport dropped something: all begins anew when the client has read what it was sent. */
  resetAll(reason: ResetReason): void {
    if (this.backlog.isLive) {
      this.#leaveShared();
    }
    this.#enter("reset");
    for (const subscription of this.#subscriptions.values()) {
      this.count("resets");
      this.#takeOff(subscription);
      forgetProgress(subscription);
      subscription.reset = reason;
      this.#pending.add(subscription);
    }
  }

  /** The connection is gone. @returns the subscriptions that it had */
  end(): Subscription[] {
    this.#isOpen = false;
    this.#leaveAll();
    const subscriptions = [...this.#subscriptions.values()];
    for (const subscription of subscriptions) {
      this.#letGo(subscription);
    }
    this.#subscriptions.clear();
    return subscriptions;
  }

  #enter(state: ClientStateWord): void {
    this.backlog.enter(state, { bytes: this.connection.bufferedBytes(), nowMs: this.#options.now() });
    this.#options.changed(this, state);
  }

  #obey(verdict: BacklogVerdict): void {
    if (verdict === "expel") {
      this.expel(CLOSE_CODES.policyViolation, "answers are not read");
      return;
    }
    this.#options.changed(this, this.backlog.state);
    if (verdict === "conflate") {
      this.#conflate();
    } else if (verdict === "reset") {
      this.#resetLive(RESET_REASONS.slowClient);
    } else {
      this.#goOn();
    }
  }

  /** Too slow: off everything that can be merged; or closed, when it asked for that. */
  #conflate(): void {
    this.count("slowTimes");
    this.#leaveShared();
    if ([...this.#subscriptions.values()].some(({ policy }) => policy === "disconnect")) {
      this.expel(CLOSE_CODES.slowClient, "slow_client");
      return;
    }
    for (const subscription of this.#subscriptions.values()) {
      if (subscription.isLive && subscription.policy === "conflate") {
        this.#takeOff(subscription);
        subscription.held = subscription.view.output.heldBy(this.form);
        this.#pending.add(subscription);
      }
    }
  }

  #resetLive(reason: ResetReason): void {
    for (const subscription of this.#subscriptions.values()) {
      if (subscription.isLive) {
        this.count("resets");
        this.#takeOff(subscription);
        subscription.reset = reason;
        this.#pending.add(subscription);
      }
    }
  }

  /** It has read what it was sent: whatever it follows goes on. */
  #goOn(): void {
    this.#statuses.rejoin();
    this.serverChannels.rejoin();
  }

  /** Sends the next piece of a beginning. @returns false when it cannot go on now */
  #step(subscription: Subscription, budget: Budget): boolean {
    const { instrument, channel, under } = subscription;
    if (under === undefined && (channel !== "book" || subscription.view.isReady)) {
      instrument.loadExponents();
      this.#tellReset(subscription);
    }
    if (channel !== "book") {
      const bbo = channel === "bbo" ? instrument.book.bbo(this.form) : undefined;
      if (bbo !== undefined) {
        this.#send(bbo, budget);
      }
      this.#goLive(subscription);
      return true;
    }
    const piece = nextPiece(subscription);
    if (piece.kind === "begun") {
      this.#goLive(subscription);
    } else if (piece.kind !== "wait") {
      this.#send(piece.payload, budget);
    }
    if (piece.kind === "update") {
      this.count("conflatedUpdates");
      this.#goLive(subscription);
    }
    return piece.kind !== "wait";
  }

  #send(payload: Payload, budget: Budget): void {
    budget.left -= payload.length;
    if (typeof payload === "string") {
      this.backlog.allow(payload.length);
    }
    this.#options.outlet.send(this.connection, payload);
  }

  #goLive(subscription: Subscription): void {
    this.#pending.delete(subscription);
    forgetProgress(subscription);
    subscription.isLive = true;
    if (subscription.topic !== undefined) {
      this.#options.outlet.join(this.connection, subscription.topic);
      this.#losslessLive += subscription.policy === "lossless" ? 1 : 0;
    }
  }

  #tellReset(subscription: Subscription): void {
    const { instrument, channel, reset } = subscription;
    if (reset !== undefined) {
      subscription.reset = undefined;
      const shape = shapeOf(subscription);
      this.reply({ type: "reset", instrument: instrument.name.instrument, channel, ...shape, reason: reset });
    }
  }

  #takeOff(subscription: Subscription): void {
    if (subscription.isLive) {
      subscription.isLive = false;
      if (subscription.topic !== undefined) {
        this.#options.outlet.leave(this.connection, subscription.topic, this.#isOpen);
        this.#losslessLive -= subscription.policy === "lossless" ? 1 : 0;
      }
    }
  }

  #add(instrument: ServedInstrument, { wish, view }: { wish: Wish; view: StreamView }): Subscription {
    const subscription = createSubscription(this, { instrument, view, wish });
    this.#subscriptions.set(subscriptionKey(instrument, wish), subscription);
    if (wish.channel === "book") {
      view.output.attach(this.form);
    }
    return subscription;
  }

  #letGo({ channel, view }: Subscription): void {
    if (channel === "book") {
      view.output.detach(this.form);
    }
  }

  #leaveAll(): void {
    for (const subscription of this.#subscriptions.values()) {
      this.#takeOff(subscription);
    }
    if (this.backlog.isLive) {
      this.#leaveShared();
    }
    this.#pending.clear();
  }

  /** Off statuses and the server's own channels. */
  #leaveShared(): void {
    this.#statuses.leave(this.#isOpen);
    this.serverChannels.leave(this.#isOpen);
  }
}
