/**
 * What clients ask for: messages are validated, patterns expanded, limits applied, and every item is answered by itself,
 * with an acknowledgement or a refusal that says why. Whatever a client sends ends in an answer, never in an exception.
 * Bad case: a client that asks for more than it may; a message that would cross a limit changes nothing at all.
 */
import { type ClientMessage, parseClientMessage, type SubscriptionMessage } from "../wire/messages.ts";
import {
  CHANNEL_POLICIES,
  CLOSE_CODES,
  COUNTED_ERRORS,
  ERROR_CODES,
  type ErrorCode,
  isServerChannel,
  type ServerChannel,
} from "../wire/protocol.ts";
import type { ServedInstrument } from "./instrument.ts";
import { fullName, type Instruments, isNamedBy, isPattern, partsOf } from "./instruments.ts";
import type { GatewayLimits } from "./limits.ts";
import type { Session } from "./session.ts";
import type { Standpoint, Subscription, Wish } from "./subscription.ts";
import type { ViewRegistry } from "./view_registry.ts";

/** What requests are answered from. */
export type RequestParts = {
  readonly instruments: Instruments;
  readonly views: ViewRegistry;
  readonly limits: GatewayLimits;
  /** The server's own channels that it has. */
  readonly serverChannels: ReadonlySet<ServerChannel>;
  readonly now: () => number;
  /** A subscription was made, or begins anew. */
  readonly joined: (subscription: Subscription) => void;
  /** A subscription ended. */
  readonly left: (subscription: Subscription) => void;
};

type Refusal = { readonly code: ErrorCode; readonly message: string };

/** Acts on what clients send. */
export class Requests {
  readonly #parts: RequestParts;

  constructor(parts: RequestParts) {
    this.#parts = parts;
  }

  /** Acts on one message, or says why not. */
  receive(session: Session, bytes: Uint8Array, isText: boolean): void {
    if (!session.credit.take(this.#parts.now())) {
      const message = "Cannot act on the message: too many";
      this.#refuse(session, null, { code: ERROR_CODES.tooManyMessages, message });
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
  }

  /** An instrument appeared: whoever subscribed it, or a pattern that names it, before it was there gets it, too. @returns true when this one did */
  appeared(session: Session, instrument: ServedInstrument): boolean {
    const patterns = [...session.standing].filter(([pattern]) => isNamedBy(instrument.name, pattern));
    const wanted = patterns.flatMap(([, wishes]) => [...wishes]);
    const wishes = new Map(wanted.filter(([, wish]) => session.find(instrument, wish) === undefined));
    if (wishes.size === 0 || session.size + wishes.size > this.#parts.limits.subscriptionsMax) {
      return false;
    }
    for (const wish of wishes.values()) {
      this.#subscribe(session, { instrument, wish, id: 0, from: undefined });
    }
    return true;
  }

  #act(session: Session, message: ClientMessage): void {
    if (message.op === "ping") {
      session.reply({ type: "pong", id: message.id });
    } else if (message.op === "instruments") {
      const instruments = [...this.#parts.instruments.all()].map((instrument) => instrument.listing());
      session.reply({ type: "instruments", id: message.id, instruments });
    } else {
      this.#subscription(session, message);
    }
  }

  #subscription(session: Session, message: SubscriptionMessage): void {
    const { id } = message;
    for (const channel of new Set(message.channels.filter(isServerChannel))) {
      this.#serverChannel(session, message, channel);
    }
    const wishes = wishesOf(message);
    if (wishes.length === 0 || !this.#servesAll(session, id, wishes)) {
      return;
    }
    const matched = this.#expand(session, message);
    if (matched === undefined) {
      return;
    }
    if (message.op === "unsubscribe") {
      this.#unsubscribeAll(session, { message, matched, wishes });
      return;
    }
    if (this.#hasRoom(session, { id, matched, wishes })) {
      this.#subscribeAll(session, { message, matched, wishes });
    }
  }

  #serverChannel(session: Session, { op, id }: SubscriptionMessage, channel: ServerChannel): void {
    if (!this.#parts.serverChannels.has(channel)) {
      const message = `Cannot ${op}: this server does not have the channel, was ${channel}`;
      this.#refuse(session, id, { code: ERROR_CODES.unsupportedChannel, message });
      return;
    }
    session.reply({ type: `${op}d`, id, channel });
    session.serverChannels.set(channel, { wanted: op === "subscribe", isOn: session.backlog.isLive });
  }

  #subscribeAll(
    session: Session,
    { message, matched, wishes }: { message: SubscriptionMessage; matched: Set<ServedInstrument>; wishes: Wish[] },
  ): void {
    this.#keepStanding(session, message, wishes);
    const { id } = message;
    const isSubscribe = message.op === "subscribe";
    const points = isSubscribe ? standpoints(this.#parts.instruments, message.resume) : new Map();
    for (const instrument of matched) {
      if (isSubscribe && message.reason !== undefined && wishes.some((wish) => isHeldBook(session, instrument, wish))) {
        instrument.clientFailures[message.reason] += 1;
      }
      for (const wish of wishes) {
        this.#subscribe(session, {
          instrument,
          wish,
          id,
          from: wish.channel === "book" ? points.get(instrument) : undefined,
        });
      }
    }
  }

  #unsubscribeAll(
    session: Session,
    { message, matched, wishes }: { message: SubscriptionMessage; matched: Set<ServedInstrument>; wishes: Wish[] },
  ): void {
    this.#keepStanding(session, message, wishes);
    const { id } = message;
    const isMeant = (instrument: ServedInstrument, wish: Wish) =>
      !instrument.isRemoved || !message.instruments.some(isPattern) || session.find(instrument, wish) !== undefined;
    for (const instrument of matched) {
      for (const wish of wishes.filter((one) => isMeant(instrument, one))) {
        this.#unsubscribe(session, { instrument, wish, id });
      }
    }
  }

  #subscribe(
    session: Session,
    parts: { instrument: ServedInstrument; wish: Wish; id: number; from: Standpoint | undefined },
  ): void {
    const { instrument, wish, id, from } = parts;
    try {
      const view = this.#parts.views.obtain(instrument, wish);
      this.#parts.joined(session.subscribe(instrument, { wish, view, id, from }));
    } catch (error) {
      if (!(error instanceof RangeError)) {
        throw error;
      }
      const message = `Cannot subscribe ${instrument.name.instrument}: ${error.message}`;
      this.#refuse(session, id, { code: ERROR_CODES.noRoom, message });
    }
  }

  #unsubscribe(session: Session, parts: { instrument: ServedInstrument; wish: Wish; id: number }): void {
    const { instrument, wish, id } = parts;
    const { channel, depth, rateMs } = wish;
    const name = instrument.name.instrument;
    const subscription = session.unsubscribe(instrument, wish);
    if (subscription === undefined) {
      const view = depth === 0 && rateMs === 0 ? "" : ` with depth ${depth} and rateMs ${rateMs}`;
      const message = `Cannot unsubscribe: not subscribed, was ${channel} of ${name}${view}`;
      this.#refuse(session, id, { code: ERROR_CODES.notSubscribed, message });
      return;
    }
    this.#parts.left(subscription);
    session.reply({ type: "unsubscribed", id, channel, instrument: name, depth, rateMs });
  }

  /** Every view that is asked for is one of the configured sets. */
  #servesAll(session: Session, id: number, wishes: readonly Wish[]): boolean {
    const { views } = this.#parts;
    const unserved = wishes.find((wish) => wish.channel === "book" && !views.serves(wish));
    if (unserved === undefined) {
      return true;
    }
    const { depths, rates } = views.sets;
    const was = `was depth ${unserved.depth} and rateMs ${unserved.rateMs}`;
    const message = `Cannot serve such a view: depths are ${depths.join(", ")}, rates ${rates.join(", ")} ms, ${was}`;
    this.#refuse(session, id, { code: ERROR_CODES.unsupportedView, message });
    return false;
  }

  /** The instruments that a message names; undefined, with an answer, when they are too many. */
  #expand(session: Session, { id, instruments, op }: SubscriptionMessage): Set<ServedInstrument> | undefined {
    const matched = new Set<ServedInstrument>();
    for (const pattern of instruments) {
      const found = this.#parts.instruments.match(pattern, { withRemoved: op === "unsubscribe" });
      if (found.length === 0 && !isPattern(pattern)) {
        const nearest = this.#parts.instruments.nearest(pattern).join(", ") || "none";
        const text = `Cannot find an instrument: nearest are ${nearest}, was ${JSON.stringify(pattern)}`;
        this.#refuse(session, id, { code: ERROR_CODES.unknownInstrument, message: text });
      }
      for (const instrument of found) {
        matched.add(instrument);
      }
      const { matchesMax } = this.#parts.limits;
      if (matched.size > matchesMax) {
        const text = `Cannot expand the patterns: at most ${matchesMax} instruments, was more`;
        this.#refuse(session, id, { code: ERROR_CODES.tooManyMatches, message: text });
        return undefined;
      }
    }
    return matched;
  }

  #hasRoom(
    session: Session,
    { id, matched, wishes }: { id: number; matched: Set<ServedInstrument>; wishes: readonly Wish[] },
  ): boolean {
    const additional = [...matched].flatMap((instrument) =>
      wishes.filter((wish) => session.find(instrument, wish) === undefined),
    );
    const { subscriptionsMax } = this.#parts.limits;
    const wanted = session.size + additional.length;
    if (wanted <= subscriptionsMax) {
      return true;
    }
    const message = `Cannot subscribe: at most ${subscriptionsMax}, was ${wanted}`;
    this.#refuse(session, id, { code: ERROR_CODES.tooManySubscriptions, message });
    return false;
  }

  /** Remembers, or forgets, what a client subscribed of instruments yet to come: by patterns, or by names not known yet. */
  #keepStanding(session: Session, message: SubscriptionMessage, wishes: readonly Wish[]): void {
    const { instruments } = this.#parts;
    const isYetToCome = (name: string) => isPattern(name) || instruments.match(name).length === 0;
    const names = message.instruments.map(fullName).filter((name) => session.standing.has(name) || isYetToCome(name));
    // As with what is subscribed already: a pattern ends the names that it stands for.
    const covered =
      message.op === "subscribe" ? [] : [...session.standing.keys()].filter((name) => isCovered(name, names));
    for (const pattern of new Set([...names, ...covered])) {
      const wanted = session.standing.get(pattern) ?? new Map<string, Wish>();
      for (const wish of wishes) {
        const key = `${wish.channel}.${wish.depth}.${wish.rateMs}`;
        if (message.op === "subscribe") {
          wanted.set(key, wish);
        } else {
          wanted.delete(key);
        }
      }
      session.standing.delete(pattern);
      if (wanted.size > 0 && session.standing.size < this.#parts.limits.subscriptionsMax) {
        session.standing.set(pattern, wanted);
      }
    }
  }

  #refuse(session: Session, id: number | null, { code, message }: Refusal): void {
    session.reply({ type: "error", id, code, message });
    if (!COUNTED_ERRORS.has(code)) {
      return;
    }
    session.count("protocolErrors");
    if (session.counts.protocolErrors >= this.#parts.limits.protocolErrorsMax) {
      session.expel(CLOSE_CODES.policyViolation, "too many protocol errors");
    }
  }
}

/** Whether one of the patterns stands for a name. */
function isCovered(name: string, patterns: readonly string[]): boolean {
  return !isPattern(name) && patterns.some((pattern) => isNamedBy(partsOf(name), pattern));
}

/** What a message asks for of every instrument, each once. */
function wishesOf(message: SubscriptionMessage): Wish[] {
  const channels = [...new Set(message.channels)].filter((channel) => !isServerChannel(channel));
  const asked = message.op === "subscribe" ? message.policy : undefined;
  return channels.map((channel) => {
    const [policy] = CHANNEL_POLICIES[channel];
    const shape = channel === "book" ? { depth: message.depth, rateMs: message.rateMs } : { depth: 0, rateMs: 0 };
    return { channel, ...shape, policy: asked ?? policy };
  });
}

/** Where the client stands, by instrument; versions beyond what a double holds were never told by us. */
function standpoints(
  instruments: Instruments,
  resume: Readonly<Record<string, { epoch: number; version: string }>> = {},
): Map<ServedInstrument, Standpoint> {
  const points = Object.entries(resume).flatMap(([name, { epoch, version }]): [ServedInstrument, Standpoint][] => {
    const [instrument] = isPattern(name) ? [] : instruments.match(name);
    const held = Number(version);
    return instrument === undefined || !Number.isSafeInteger(held) ? [] : [[instrument, { epoch, version: held }]];
  });
  return new Map(points);
}

function isHeldBook(session: Session, instrument: ServedInstrument, wish: Wish): boolean {
  return wish.channel === "book" && session.find(instrument, wish) !== undefined;
}
