/**
 * What the user of a client asked for, by requests and by handles, and what of it the server was told on this
 * connection. The difference between the two becomes messages: grouped, in as many as a server takes.
 * Bad case: a pattern and an instrument that it matches are both wanted; ending the pattern ends the other on the server,
 * which is therefore asked for again, and ending the other alone is not said.
 */
import { type Channel, isServerChannel, type Policy, type ResumePoint } from "../wire/protocol.ts";

/** Channels of instruments or patterns. Empty instruments for `stats` and `arbitrage` alone; depth and rate concern `book`. */
export type Request = {
  readonly channels: readonly Channel[];
  /** `exchange:BASE-QUOTE`, or patterns: `exchange:*`, `*:BASE-QUOTE`, `*:*`. */
  readonly instruments: readonly string[];
  /** Levels a side; default 0 = all. */
  readonly depth?: number;
  /** Least milliseconds between updates; default 0 = every change. */
  readonly rateMs?: number;
  /** What becomes of it when this client reads too slowly; the channel's default when left out. */
  readonly policy?: Policy;
};

/** Whoever asked: `subscribe` of the client, once or many times alike, or one more handle. */
export type Asker = "request" | "handle";

/** One channel of one instrument or pattern. */
export type Item = {
  readonly channel: Channel;
  readonly instrument: string;
  readonly depth: number;
  readonly rateMs: number;
  readonly policy: Policy | undefined;
};

/** What the server has to be told. */
export type Message = {
  readonly op: "subscribe" | "unsubscribe";
  readonly channels: readonly [Channel];
  readonly instruments?: readonly string[];
  readonly depth?: number;
  readonly rateMs?: number;
  readonly policy?: Policy;
  readonly resume?: Readonly<Record<string, ResumePoint>>;
};

/** Where the books of an item can be resumed, by instrument. */
export type ResumePoints = (item: Item) => Readonly<Record<string, ResumePoint>>;

/** Instruments and patterns that a server takes in one message. */
export const INSTRUMENTS_PER_MESSAGE = 256;

type Wish = { item: Item; isRequested: boolean; handles: number };

/** The requests in force. */
export class Subscriptions {
  readonly #wishes = new Map<string, Wish>();
  /** What the server knows of, on this connection. */
  readonly #told = new Map<string, Item>();

  /** Adds a request. */
  add(request: Request, asker: Asker): void {
    for (const item of itemsOf(request)) {
      const key = keyOf(item);
      const wish = this.#wishes.get(key) ?? { item, isRequested: false, handles: 0 };
      this.#wishes.set(key, wish);
      if (asker === "handle") {
        wish.handles += 1;
      } else {
        wish.isRequested = true;
        wish.item = item;
        // Asked for by name: the server begins anew, also what it sends already.
        this.#told.delete(key);
      }
    }
  }

  /** Takes a request back, as it was named. */
  remove(request: Request, asker: Asker): void {
    for (const item of itemsOf(request)) {
      const wish = this.#wishes.get(keyOf(item));
      if (wish !== undefined) {
        wish.handles -= asker === "handle" ? 1 : 0;
        wish.isRequested = asker === "handle" && wish.isRequested;
        if (!wish.isRequested && wish.handles === 0) {
          this.#wishes.delete(keyOf(item));
        }
      }
    }
  }

  /** The connection is down: the next server was told nothing. */
  forget(): void {
    this.#told.clear();
  }

  /**
   * What the server has to be told now, which then counts as told.
   * @param resume undefined: books begin anew
   */
  messages(resume?: ResumePoints): Message[] {
    const said: Item[] = [];
    for (const [key, item] of this.#told) {
      if (!this.#wishes.has(key)) {
        this.#told.delete(key);
        if (!this.#isCovered(item)) {
          said.push(item);
        }
      }
    }
    for (const item of said) {
      this.#forgetOverlap(item);
    }
    const begun: Item[] = [];
    for (const [key, { item, isRequested }] of this.#wishes) {
      if (!this.#told.has(key) && (isRequested || !this.#isCovered(item))) {
        begun.push(item);
      }
    }
    for (const [key, { item }] of this.#wishes) {
      this.#told.set(key, item);
    }
    return [...messagesOf("unsubscribe", said), ...messagesOf("subscribe", begun, resume)];
  }

  /** A pattern that the server was told, and that is still wanted, stands for it. */
  #isCovered(item: Item): boolean {
    return [...this.#wishes.values()].some(
      ({ item: other }) =>
        other.instrument !== item.instrument && isOneView(other, item) && matches(other.instrument, item.instrument),
    );
  }

  /** What else came off with an item that ended: those that it names, and patterns that name some of the same. */
  #forgetOverlap(item: Item): void {
    for (const [key, other] of this.#told) {
      const mayOverlap =
        isPattern(item.instrument) && (isPattern(other.instrument) || matches(item.instrument, other.instrument));
      if (isOneView(item, other) && mayOverlap) {
        this.#told.delete(key);
      }
    }
  }
}

/** True when a name is the pattern's, or one that it stands for. */
export function matches(pattern: string, name: string): boolean {
  const [exchange, symbol] = pattern.split(":");
  const [nameExchange, nameSymbol] = name.split(":");
  return (exchange === "*" || exchange === nameExchange) && (symbol === "*" || symbol === nameSymbol);
}

function isPattern(name: string): boolean {
  return name.includes("*");
}

function isOneView(one: Item, other: Item): boolean {
  return one.channel === other.channel && one.depth === other.depth && one.rateMs === other.rateMs;
}

function keyOf({ channel, instrument, depth, rateMs }: Item): string {
  return `${channel} ${instrument} ${depth} ${rateMs}`;
}

function itemsOf({ channels, instruments, depth = 0, rateMs = 0, policy }: Request): Item[] {
  return channels.flatMap((channel) => {
    const view = channel === "book" ? { depth, rateMs } : { depth: 0, rateMs: 0 };
    return (isServerChannel(channel) ? [""] : instruments).map((instrument) => ({
      channel,
      instrument,
      policy,
      ...view,
    }));
  });
}

/** Items of one view and policy share messages. */
function messagesOf(op: Message["op"], items: readonly Item[], resume?: ResumePoints): Message[] {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const key = `${item.channel} ${item.depth} ${item.rateMs} ${op === "subscribe" ? item.policy : ""}`;
    groups.set(key, [...(groups.get(key) ?? []), item]);
  }
  return [...groups.values()].flatMap((group) => messagesOfGroup(op, group as [Item, ...Item[]], resume));
}

function messagesOfGroup(op: Message["op"], group: readonly [Item, ...Item[]], resume?: ResumePoints): Message[] {
  const [first] = group;
  if (first.instrument === "") {
    return [{ op, channels: [first.channel] }];
  }
  const messages: Message[] = [];
  for (let index = 0; index < group.length; index += INSTRUMENTS_PER_MESSAGE) {
    const part = group.slice(index, index + INSTRUMENTS_PER_MESSAGE);
    const points = Object.assign({}, ...part.map((item) => resume?.(item) ?? {})) as Record<string, ResumePoint>;
    const known = Object.entries(points).slice(0, INSTRUMENTS_PER_MESSAGE);
    messages.push({
      op,
      channels: [first.channel],
      instruments: part.map(({ instrument }) => instrument),
      ...viewOf(first),
      ...(op === "subscribe" && first.policy && { policy: first.policy }),
      ...(known.length > 0 && { resume: Object.fromEntries(known) }),
    });
  }
  return messages;
}

/** Depth and rate as a message names them: left out when they are the defaults. */
export function viewOf({ depth, rateMs }: { depth: number; rateMs: number }): { depth?: number; rateMs?: number } {
  return { ...(depth && { depth }), ...(rateMs && { rateMs }) };
}
