/**
 * All clients: takes them in, passes on what they ask, tells those of a book that it was interrupted, sends beginnings
 * within a budget per turn, takes slow clients off and brings them back.
 * Bad case: many clients; a backlog can only have grown by what was published since the last look, so all are looked at
 * once so much was published that one of them could be over the limit, and the suspicious ones every turn.
 */
import {
  type ClientStateWord,
  type ClientStats,
  RESET_REASONS,
  type ResetMessage,
  type ResetReason,
  SUBPROTOCOL_BINARY,
  SUBPROTOCOL_JSON,
} from "../wire/protocol.ts";
import type { Access } from "./access.ts";
import type { ClientLog } from "./client_log.ts";
import { worstClients } from "./client_ranking.ts";
import type { ServedInstrument } from "./instrument.ts";
import type { Instruments } from "./instruments.ts";
import type { GatewayLimits } from "./limits.ts";
import type { Form, Outlet } from "./outlet.ts";
import { Requests } from "./requests.ts";
import type { Beginnings } from "./server_channels.ts";
import { Session } from "./session.ts";
import { noCounts, type SessionCounts } from "./session_counts.ts";
import type { StreamView } from "./stream_view.ts";
import type { Subscription } from "./subscription.ts";
import { marketTopic } from "./topics.ts";
import type { Connection, UpgradeAnswer, UpgradeRequest } from "./transport.ts";
import type { ViewRegistry } from "./view_registry.ts";

const BURST_SHARE = 4;
/** Bytes of beginnings in one turn: the sockets are served in between. */
const BEGIN_BYTES_PER_TURN = 4_194_304;

/** What the welcome says. */
export type Greeting = { readonly server: string; readonly epoch: string };

/** What the clients are served from. */
export type SessionsOptions = {
  readonly instruments: Instruments;
  readonly views: ViewRegistry;
  readonly outlet: Outlet;
  readonly limits: GatewayLimits;
  readonly access: Access;
  readonly greeting: Greeting;
  readonly log: ClientLog;
  /** What clients of the channel `arbitrage` are told first; undefined = there is no such channel. */
  readonly opportunities: (() => string) | undefined;
  readonly now: () => number;
  /** Asks for a turn soon, because a client waits for something. */
  readonly wake: () => void;
};

/** The clients of one gateway. */
export class Sessions {
  /** What all clients together did, closed ones included. */
  readonly totals: SessionCounts & { bytesIn: number } = { ...noCounts(), bytesIn: 0 };
  /** Messages that the transport dropped, by the state of the client at that moment. */
  readonly drops: Record<ClientStateWord, number> = { live: 0, conflated: 0, reset: 0, closing: 0 };
  /** This gateway is on its way out: it takes no client in. */
  isDraining = false;
  readonly #options: SessionsOptions;
  readonly #beginnings: Beginnings;
  readonly #requests: Requests;
  readonly #sessions = new Map<Connection, Session>();
  readonly #audience = new Map<ServedInstrument, Set<Subscription>>();
  readonly #waiting = new Set<Session>();
  /** Clients that something may wait for: those who only stand there cost nothing. */
  readonly #active = new Set<Session>();
  readonly #watched = new Set<Session>();
  readonly #dropped = new Set<Session>();
  #unseenBytes = 0;

  constructor(options: SessionsOptions) {
    this.#options = options;
    const { instruments, views, limits, now, opportunities } = options;
    this.#beginnings = opportunities === undefined ? {} : { arbitrage: opportunities };
    this.#requests = new Requests({
      instruments,
      views,
      limits,
      serverChannels: new Set(["stats" as const, ...(opportunities === undefined ? [] : ["arbitrage" as const])]),
      now,
      joined: (subscription) => this.#join(subscription),
      left: (subscription) => this.#audience.get(subscription.instrument)?.delete(subscription),
    });
    instruments.onAppearance = (instrument) => this.#appeared(instrument);
  }

  /** Connected clients. */
  get size(): number {
    return this.#sessions.size;
  }

  /** Clients that do not read as fast as they are sent at this moment. */
  get slowCount(): number {
    return [...this.#watched].filter(({ backlog }) => !backlog.isLive).length;
  }

  /** How many clients are in each state, and what waits for all of them together and for the one that waits most. */
  backlogs(): { clients: Record<ClientStateWord, number>; backlogBytes: number; backlogBytesMax: number } {
    const clients = { live: this.size - this.#active.size, conflated: 0, reset: 0, closing: 0 };
    let backlogBytes = 0;
    let backlogBytesMax = 0;
    for (const { backlog, connection } of this.#active) {
      const bytes = connection.bufferedBytes();
      clients[backlog.state] += 1;
      backlogBytes += bytes;
      backlogBytesMax = Math.max(backlogBytesMax, bytes);
    }
    return { clients, backlogBytes, backlogBytesMax };
  }

  /** The clients that fare worst, worst first. */
  worst(): ClientStats[] {
    return worstClients(this.#sessions.values());
  }

  /** Chooses the subprotocol: binary when offered first or alone, JSON otherwise; refuses whom the access rules refuse. */
  upgrade(request: UpgradeRequest): UpgradeAnswer {
    const { access } = this.#options;
    if (this.isDraining) {
      return { status: 503, body: "Cannot connect: this server stops, come back to another\n" };
    }
    const refusal = access.refuse(request, this.#sessions.size);
    if (refusal !== undefined) {
      return refusal;
    }
    const known = [SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON];
    const protocol = request.protocols.find((name) => known.includes(name)) ?? "";
    return { protocol, remote: access.addressOf(request) };
  }

  open(connection: Connection): void {
    const { access, greeting, outlet, limits, now } = this.#options;
    access.opened(connection.remote);
    const form = connection.protocol === SUBPROTOCOL_BINARY ? "binary" : "json";
    const changed = (session: Session, state: ClientStateWord) => this.#changed(session, state);
    const [beginnings, totals] = [this.#beginnings, this.totals];
    const session = new Session(connection, { form, outlet, limits, now, beginnings, totals, changed });
    this.#sessions.set(connection, session);
    this.#active.add(session);
    const protocol = form === "binary" ? SUBPROTOCOL_BINARY : SUBPROTOCOL_JSON;
    session.reply({ type: "welcome", protocol, ...greeting });
  }

  /** Acts on a message of a client. */
  message(connection: Connection, bytes: Uint8Array, isText: boolean): void {
    const session = this.#sessions.get(connection);
    if (session === undefined || session.isClosing) {
      return;
    }
    this.totals.bytesIn += bytes.byteLength;
    this.#active.add(session);
    this.#requests.receive(session, bytes, isText);
    if (session.hasPending) {
      this.#waiting.add(session);
      this.#options.wake();
    }
  }

  /** A client has read some of what it was sent. */
  drain(connection: Connection): void {
    const session = this.#sessions.get(connection);
    if (session !== undefined && !session.isClosing) {
      session.checkBacklog();
      session.advance({ left: BEGIN_BYTES_PER_TURN });
    }
  }

  /**
   * The transport dropped a message: its limit lies far above ours, so this is a fault of the server. It may be called
   * in the middle of a publish, where topics must not change: the client is reset after the turn.
   */
  dropped(connection: Connection): void {
    const session = this.#sessions.get(connection);
    if (session !== undefined && !session.isClosing) {
      session.count("dropped");
      this.drops[session.backlog.state] += 1;
      this.#dropped.add(session);
      this.#options.wake();
    }
  }

  /** Closes connections of clients that are not being closed yet. @returns how many there were, at most `count` */
  dismiss(count: number, farewell: () => { code: number; reason: string }): number {
    const leaving = [...this.#sessions.values()].filter(({ isClosing }) => !isClosing).slice(0, Math.max(0, count));
    for (const session of leaving) {
      const { code, reason } = farewell();
      session.expel(code, reason);
    }
    return leaving.length;
  }

  close(connection: Connection): void {
    const session = this.#sessions.get(connection);
    if (session !== undefined) {
      this.#options.access.closed(connection.remote);
      this.#sessions.delete(connection);
      this.#waiting.delete(session);
      this.#active.delete(session);
      this.#watched.delete(session);
      this.#dropped.delete(session);
      for (const subscription of session.end()) {
        this.#audience.get(subscription.instrument)?.delete(subscription);
      }
    }
  }

  /** What the clients of all views of a book hold leads nowhere; they get a snapshot when the book is ready again. */
  interruptBook(instrument: ServedInstrument, reason: ResetReason | undefined): void {
    this.#interrupt(instrument, reason, () => true);
  }

  /** What the clients of one view hold leads nowhere. @param form undefined = of both forms */
  interruptView(instrument: ServedInstrument, view: StreamView, form: Form | undefined): void {
    const reason = form === undefined ? RESET_REASONS.integrity : undefined;
    this.#interrupt(instrument, reason, (one) => one.view === view && (form ?? one.session.form) === one.session.form);
  }

  /** Tells everybody who gets an instrument's trades that some are missing or count from the beginning. */
  interruptTrades(instrument: ServedInstrument, reason: ResetReason): void {
    const shape = { depth: 0, rateMs: 0 };
    const { instrument: name } = instrument.name;
    const message: ResetMessage = { type: "reset", instrument: name, channel: "trades", ...shape, reason };
    for (const form of ["binary", "json"] as const) {
      this.#options.outlet.publish(marketTopic(instrument.alias, "trades", form), JSON.stringify(message));
    }
  }

  /** Lets waiting subscriptions begin. Called after each turn, when every book is flushed. @returns true when more could at once */
  advance(): boolean {
    const budget = { left: BEGIN_BYTES_PER_TURN };
    for (const session of [...this.#waiting]) {
      if (budget.left <= 0) {
        return true;
      }
      session.advance(budget);
      this.#waiting.delete(session);
      if (session.hasPending) {
        this.#waiting.add(session);
      }
    }
    return false;
  }

  /** Looks for slow clients in the middle of a turn, once much was sent in it. */
  checkBurst(): void {
    this.#unseenBytes += this.#options.outlet.takeBurst();
    if (this.#unseenBytes >= this.#options.limits.backlogBytesMax / BURST_SHARE) {
      this.checkBacklogs();
    }
  }

  /** Finds clients that read too slowly. @param everybody look at all, not only at those that could be */
  checkBacklogs(everybody = false): void {
    for (const session of this.#dropped) {
      this.#dropped.delete(session);
      const { id, remote } = session.connection;
      this.#options.log.say("warn", `Cannot send to client ${id} (${remote}): the transport dropped a message`);
      session.resetAll(RESET_REASONS.dropped);
    }
    this.#unseenBytes += this.#options.outlet.takeBurst();
    const lookAtAll = everybody || this.#unseenBytes >= this.#options.limits.backlogBytesMax / BURST_SHARE;
    for (const session of lookAtAll ? this.#active : [...this.#watched]) {
      if (session.checkBacklog()) {
        this.#watched.add(session);
      } else {
        this.#watched.delete(session);
        if (session.isQuiet) {
          this.#active.delete(session);
        }
      }
      if (session.hasPending) {
        this.#waiting.add(session);
      }
    }
    if (lookAtAll) {
      this.#unseenBytes = 0;
    }
  }

  #interrupt(
    instrument: ServedInstrument,
    reason: ResetReason | undefined,
    isMeant: (subscription: Subscription) => boolean,
  ): void {
    for (const subscription of this.#audience.get(instrument) ?? []) {
      const { session } = subscription;
      if (subscription.channel === "book" && !session.isClosing && isMeant(subscription)) {
        session.interrupt(subscription, reason);
        this.#waiting.add(session);
      }
    }
  }

  #appeared(instrument: ServedInstrument): void {
    for (const session of this.#sessions.values()) {
      if (!session.isClosing && this.#requests.appeared(session, instrument)) {
        this.#active.add(session);
        this.#waiting.add(session);
        this.#options.wake();
      }
    }
  }

  #join(subscription: Subscription): void {
    const audience = this.#audience.get(subscription.instrument) ?? new Set();
    this.#audience.set(subscription.instrument, audience.add(subscription));
  }

  /** One line for every change of a client's state. */
  #changed(session: Session, state: ClientStateWord): void {
    this.#watched.add(session);
    const { id, remote } = session.connection;
    const bytes = session.connection.bufferedBytes();
    const level = session.counts.dropped > 0 ? "warn" : "info";
    this.#options.log.say(level, `Client ${id} (${remote}) is ${state}: ${bytes} bytes wait for it`);
  }
}
