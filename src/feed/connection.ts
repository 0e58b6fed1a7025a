/**
 * One connection of a collector: connects within the exchange's limits, hands frames to the sync, notices silence, and
 * comes back after every close, clean or not, with jittered and capped delays. Where the exchange's sequences allow it, a
 * planned replacement overlaps: the second socket is subscribed before the first one goes. Driven by `tick` every 100 ms.
 * Bad case: an open socket that stays silent; the idle timer replaces it.
 */
import type { Exchange } from "../exchanges/mod.ts";
import { Backoff, type BackoffLimits, type SyncConnection } from "../sync/mod.ts";
import type { FeedClock } from "./clock.ts";
import { Pacer } from "./pacer.ts";
import type { RateWindow } from "./rate_window.ts";
import type { FeedSocket, SocketFactory } from "./socket.ts";

/** What a connection is built from. Times in ms. */
export type FeedConnectionOptions = {
  readonly exchange: Exchange;
  readonly sync: SyncConnection;
  /** Tried in turn. */
  readonly urls: readonly string[];
  readonly clock: FeedClock;
  readonly openSocket: SocketFactory;
  readonly random: () => number;
  readonly frameBytesMax: number;
  readonly connectTimeoutMs: number;
  readonly backoff: BackoffLimits;
  /** Connection attempts of the whole collector. */
  readonly attempts: RateWindow;
  readonly events: ConnectionEvents;
};

/** What a connection tells the collector. */
export type ConnectionEvents = {
  /** Frames or events were handed to the sync: do what it wants and publish. */
  readonly worked: () => void;
  readonly connecting: (url: string) => void;
  readonly sent: (text: string) => void;
  /** Only when somebody records. */
  readonly received?: (bytes: Buffer, options: { isBinary: boolean; receivedAt: number }) => void;
  readonly report: (level: "info" | "warn", text: string) => void;
  readonly reconnected: () => void;
};

/** A socket and what is known of it. */
type Link = {
  socket: FeedSocket | undefined;
  pacer: Pacer;
  readonly startedAt: number;
  openedAt: number | undefined;
  heardAt: number;
  pingedAt: number;
  frames: number;
};

/** After maintenance or a refusal of the server, not faster than this. */
const MAINTENANCE_DELAY_MS = 5000;
/** The first socket stays for so long after the second one delivers. */
const OVERLAP_MS = 3000;

/** A connection that keeps itself up. */
export class FeedConnection {
  readonly #options: FeedConnectionOptions;
  readonly #backoff: Backoff;
  #current: Link | undefined;
  #successor: Link | undefined;
  #connectAt: number | undefined;
  #attempt = 0;
  #wasOpen = false;

  constructor(options: FeedConnectionOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.backoff, options.random);
  }

  /** Whether frames can come. */
  get isOpen(): boolean {
    return this.#current?.openedAt !== undefined;
  }

  /** Begins to connect. */
  start(): void {
    this.#connectAt = this.#now();
    this.tick();
  }

  /** Ends for good: nothing is called any more. */
  stop(): void {
    this.#connectAt = undefined;
    for (const link of [this.#current, this.#successor]) {
      link?.socket?.drop();
    }
    this.#current = undefined;
    this.#successor = undefined;
  }

  /** Sends a text, paced; on the younger socket when there are two. */
  send(text: string): void {
    const link = this.#successor?.openedAt === undefined ? this.#current : this.#successor;
    link?.pacer.push(text, this.#now());
  }

  /** The exchange says that we send too fast. */
  slowDown(): void {
    this.#current?.pacer.slowDown(this.#now());
    this.#successor?.pacer.slowDown(this.#now());
  }

  /** Replaces the socket. @param options.graceful the old one still works */
  reconnect({ graceful, why }: { graceful: boolean; why: string }): void {
    this.#options.events.report("info", `Reconnecting: ${why}`);
    if (graceful && this.#options.exchange.header.canOverlap && this.isOpen) {
      this.#successor ??= this.#connect("successor");
      return;
    }
    if (this.#current !== undefined) {
      this.#current.socket?.drop();
      this.#lost(why);
    }
  }

  /** Looks after everything that is due. */
  tick(): void {
    const at = this.#now();
    if (this.#current === undefined && this.#connectAt !== undefined && at >= this.#connectAt) {
      this.#current = this.#connect("current");
      this.#connectAt = this.#current === undefined ? at : undefined;
    }
    for (const link of [this.#current, this.#successor]) {
      if (link !== undefined) {
        this.#tickLink(link, at);
      }
    }
    const successor = this.#successor;
    if (successor?.openedAt !== undefined && successor.frames > 0 && at - successor.openedAt >= OVERLAP_MS) {
      this.#promote(successor);
    }
  }

  #tickLink(link: Link, at: number): void {
    const { idleMs, pingMs, rotateMs } = this.#options.exchange.header.timing;
    if (link.openedAt === undefined) {
      if (at - link.startedAt >= this.#options.connectTimeoutMs) {
        link.socket?.drop();
        this.#closed(link, `no answer for ${this.#options.connectTimeoutMs} ms`);
      }
      return;
    }
    link.pacer.drain(at);
    if (pingMs > 0 && at - link.pingedAt >= pingMs) {
      link.pingedAt = at;
      link.socket?.ping();
    }
    if (at - link.heardAt >= idleMs) {
      link.socket?.drop();
      this.#closed(link, `silent for ${idleMs} ms`);
    } else if (
      rotateMs > 0 &&
      link === this.#current &&
      at - link.openedAt >= rotateMs &&
      this.#successor === undefined
    ) {
      this.reconnect({ graceful: true, why: "the connection is old" });
    }
  }

  /** @returns undefined when the exchange's limit of attempts is reached: the next tick tries again */
  #connect(role: "current" | "successor"): Link | undefined {
    const { attempts, urls, openSocket, frameBytesMax, events, exchange } = this.#options;
    const at = this.#now();
    if (!attempts.take(at)) {
      return undefined;
    }
    const url = urls[this.#attempt % urls.length] ?? "";
    this.#attempt += 1;
    if (role === "current" && this.#wasOpen) {
      events.reconnected();
    }
    events.connecting(url);
    const pacer = new Pacer(exchange.header.limits.messages, (text) => {
      link.socket?.send(text);
      events.sent(text);
    });
    const link: Link = {
      socket: undefined,
      pacer,
      startedAt: at,
      openedAt: undefined,
      heardAt: at,
      pingedAt: at,
      frames: 0,
    };
    link.socket = openSocket(
      url,
      {
        opened: () => this.#opened(link),
        frame: (bytes, isBinary) => this.#received(link, bytes, isBinary),
        alive: () => {
          link.heardAt = this.#now();
        },
        closed: (reason) => this.#closed(link, reason),
      },
      { frameBytesMax },
    );
    return link;
  }

  #opened(link: Link): void {
    if (!this.#isOurs(link)) {
      return;
    }
    const at = this.#now();
    link.openedAt = at;
    link.heardAt = at;
    link.pingedAt = at;
    if (link === this.#successor) {
      this.#options.sync.overlapped();
    } else {
      this.#wasOpen = true;
      this.#backoff.succeeded(at);
      this.#options.sync.opened(this.#options.clock.now());
    }
    this.#options.events.worked();
  }

  /** A socket that was replaced may not speak any more, whatever its library still holds. */
  #isOurs(link: Link): boolean {
    return link === this.#current || link === this.#successor;
  }

  #received(link: Link, bytes: Buffer, isBinary: boolean): void {
    if (!this.#isOurs(link)) {
      return;
    }
    const { sync, clock, events } = this.#options;
    const receivedAt = clock.now();
    link.heardAt = receivedAt / 1e6;
    link.frames += 1;
    sync.receive(bytes, receivedAt);
    events.received?.(bytes, { isBinary, receivedAt });
    events.worked();
  }

  #closed(link: Link, reason: string): void {
    if (link === this.#successor) {
      this.#successor = undefined;
      this.#options.events.report("warn", `The replacement failed: ${reason}`);
    } else if (link === this.#current) {
      this.#lost(reason);
    }
  }

  /** The current socket is gone. A successor that is already open takes over; nothing was lost then. */
  #lost(reason: string): void {
    const { sync, clock, events } = this.#options;
    const successor = this.#successor;
    this.#current = undefined;
    if (successor?.openedAt !== undefined) {
      this.#promote(successor);
      return;
    }
    this.#successor = undefined;
    successor?.socket?.drop();
    const at = this.#now();
    const floor = sync.isMaintenance ? MAINTENANCE_DELAY_MS * (0.5 + this.#options.random()) : 0;
    const delay = Math.max(floor, this.#backoff.failed(at));
    this.#connectAt = at + delay;
    sync.closed(clock.now());
    events.report("warn", `Disconnected: ${reason}; next attempt in ${Math.round(delay)} ms`);
    events.worked();
  }

  #promote(successor: Link): void {
    this.#successor = undefined;
    this.#current?.socket?.drop();
    this.#current = successor;
    this.#options.events.reconnected();
  }

  #now(): number {
    return this.#options.clock.now() / 1e6;
  }
}
