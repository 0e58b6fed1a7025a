/**
 * One connection of a collector: connects within the exchange's limits, hands frames to the sync, notices silence, and
 * comes back after every close, clean or not, with jittered and capped delays. Where the exchange's sequences allow it, a
 * planned replacement overlaps: the second socket is subscribed before the first one goes. Driven by `tick` every 100 ms.
 * Silence is judged here, for the whole connection: an exchange that sends heartbeats must go on sending frames, one that
 * only pings must show any sign of life; before a socket is given up it is probed with a ping. A quiet book is no silence.
 * Bad case: a socket that answers pings while the exchange behind it is gone; its heartbeats stop, and they count.
 */
import { APPLY_HEARTBEAT, FAILURE_TIMEOUT } from "../../assembly/layout.ts";
import type { Exchange } from "../exchanges/mod.ts";
import { Backoff, type BackoffLimits, type SyncConnection } from "../sync/mod.ts";
import type { FeedClock } from "./clock.ts";
import type { Endpoints } from "./endpoints.ts";
import { FrameClock } from "./frame_clock.ts";
import { beginLink, type Link, noteEnd, noteLasting, silenceOf } from "./link.ts";
import { Pacer } from "./pacer.ts";
import type { RateWindow } from "./rate_window.ts";
import type { Landing, SocketFactory } from "./socket.ts";

/** What a connection is built from. Times in ms. */
export type FeedConnectionOptions = {
  readonly exchange: Exchange;
  readonly sync: SyncConnection;
  /** Of the whole collector. */
  readonly endpoints: Pick<Endpoints, "connect">;
  readonly clock: FeedClock;
  readonly openSocket: SocketFactory;
  readonly random: () => number;
  readonly frameBytesMax: number;
  /** Where reads land in the kernel's memory, one for each of two sockets; with fewer, frames are copied there. */
  readonly landings?: readonly Landing[];
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
  /** A frame was decoded, applied and settled. */
  readonly decoded?: (elapsedNs: number) => void;
  readonly report: (level: "info" | "warn", text: string) => void;
  readonly reconnected: () => void;
};

/** After maintenance or a refusal of the server, not faster than this. */
const MAINTENANCE_DELAY_MS = 5000;
/** The first socket stays for so long after the second one delivers. */
const OVERLAP_MS = 3000;

/** A connection that keeps itself up. */
export class FeedConnection {
  readonly #options: FeedConnectionOptions;
  readonly #backoff: Backoff;
  readonly #replacements: Backoff;
  #current: Link | undefined;
  #successor: Link | undefined;
  #connectAt: number | undefined;
  #turn = 0;
  #wasOpen = false;
  /** Why a replacement is wanted while the current socket still works. */
  #replaceWhy: string | undefined;
  #replaceAt = 0;
  readonly #times: FrameClock;

  constructor(options: FeedConnectionOptions) {
    this.#options = options;
    this.#times = new FrameClock(options.clock);
    this.#backoff = new Backoff(options.backoff, options.random);
    this.#replacements = new Backoff(options.backoff, options.random);
  }

  /** Whether frames can come. */
  get isOpen(): boolean {
    return this.#current?.openedAt !== undefined;
  }

  /** Frames can come, and no other socket is about to take over. */
  get isSettled(): boolean {
    return this.isOpen && this.#successor === undefined;
  }

  /** Begins to connect. */
  start(): void {
    this.#connectAt = this.#now();
    this.tick();
  }

  /** Ends for good: nothing is called any more. */
  stop(): void {
    this.#connectAt = undefined;
    this.#replaceWhy = undefined;
    for (const link of [this.#current, this.#successor]) {
      link?.socket?.drop();
      link?.attempt.abandoned();
    }
    this.#current = undefined;
    this.#successor = undefined;
  }

  /** Sends a text, paced; on the younger socket when there are two. */
  send(text: string): void {
    this.#sender?.pacer.push(text, this.#now());
  }

  /** The exchange says that we send too fast. */
  slowDown(): void {
    this.#current?.pacer.slowDown(this.#now());
    this.#successor?.pacer.slowDown(this.#now());
  }

  /** Replaces the socket. @param options.graceful the old one still works */
  reconnect({ graceful, why }: { graceful: boolean; why: string }): void {
    if (graceful && this.#options.exchange.header.canOverlap && this.isOpen) {
      if (this.#replaceWhy === undefined) {
        this.#options.events.report("info", `Replacing the connection: ${why}`);
        this.#replaceWhy = why;
        this.#replace(this.#now());
      }
      return;
    }
    this.#options.events.report("info", `Reconnecting: ${why}`);
    if (this.#current !== undefined) {
      this.#current.socket?.drop();
      this.#current.attempt.abandoned();
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
    this.#options.sync.waiting(this.#sender?.pacer.length ?? 0, this.#options.clock.now());
    this.#tickSuccessor(at);
  }

  /** The socket on which messages go out. */
  get #sender(): Link | undefined {
    return this.#successor?.openedAt === undefined ? this.#current : this.#successor;
  }

  #tickSuccessor(at: number): void {
    const successor = this.#successor;
    if (successor?.openedAt === undefined) {
      this.#replace(at);
      return;
    }
    const age = at - successor.openedAt;
    const { sync, exchange } = this.#options;
    if (sync.isOverlapWhole) {
      if (age >= OVERLAP_MS && successor.frames > 0) {
        this.#promote(successor);
      }
    } else if (age >= exchange.header.timing.ackMs && successor.pacer.length === 0) {
      successor.socket?.drop();
      this.#closed(successor, "its subscriptions are not acknowledged");
    }
  }

  /** Begins a replacement if one is wanted and none is under way; after a failed one not at once again. */
  #replace(at: number): void {
    const isDue = this.#replaceWhy !== undefined && this.#successor === undefined && at >= this.#replaceAt;
    if (isDue && this.isOpen) {
      this.#successor = this.#connect("successor");
    }
  }

  #tickLink(link: Link, at: number): void {
    const { rotateMs } = this.#options.exchange.header.timing;
    if (link.openedAt === undefined) {
      if (at - link.startedAt >= this.#options.connectTimeoutMs) {
        link.socket?.drop();
        link.attempt.failed({ kind: FAILURE_TIMEOUT });
        this.#closed(link, `no answer for ${this.#options.connectTimeoutMs} ms`);
      }
      return;
    }
    noteLasting(link, at);
    link.pacer.drain(at);
    const silence = silenceOf(link, at, this.#options.exchange.header.timing);
    if (silence !== undefined) {
      link.socket?.drop();
      this.#closed(link, silence);
    } else if (rotateMs > 0 && link === this.#current && at - link.openedAt >= rotateMs) {
      this.reconnect({ graceful: true, why: "the connection is old" });
    }
  }

  /** @returns undefined when the exchange's limit of attempts, or every endpoint, forbids it: the next tick tries again */
  #connect(role: "current" | "successor"): Link | undefined {
    const { attempts, endpoints, openSocket, frameBytesMax, events, exchange } = this.#options;
    const at = this.#now();
    const chosen = attempts.hasRoom(at) ? endpoints.connect(this.#turn) : undefined;
    if (chosen === undefined) {
      return undefined;
    }
    attempts.take(at);
    const { attempt } = chosen;
    const { url } = attempt;
    this.#turn = chosen.turn;
    if (role === "current" && this.#wasOpen) {
      events.reconnected();
    }
    events.connecting(url);
    const pacer = new Pacer(exchange.header.limits.messages, (text) => {
      link.socket?.send(text);
      events.sent(text);
    });
    const inUse = [this.#current?.landing, this.#successor?.landing];
    const landing = this.#options.landings?.find((own) => !inUse.includes(own));
    const link = beginLink({ attempt, landing, pacer }, at);
    link.socket = openSocket(
      url,
      {
        opened: () => this.#opened(link),
        arrived: () => {
          link.tellsReads = true;
          this.#times.arrived();
        },
        frame: (bytes, isBinary) => this.#received(link, bytes, isBinary),
        landed: (address, length, isBinary) => {
          this.#times.frame.address = address;
          this.#times.frame.length = length;
          this.#landed(link, isBinary);
        },
        alive: () => {
          link.heardAt = this.#now();
        },
        closed: (reason, refusal) => {
          noteEnd(link, this.#now(), refusal);
          this.#closed(link, reason);
        },
      },
      { frameBytesMax, landing },
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
    link.frameAt = at;
    link.pingedAt = at;
    if (link === this.#successor) {
      this.#options.sync.overlapped(this.#options.clock.now());
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
    if (this.#isOurs(link)) {
      this.#heard(link);
      const { receivedAt } = this.#times.frame;
      this.#applied(link, this.#options.sync.receive(bytes, receivedAt));
      this.#options.events.received?.(bytes, { isBinary, receivedAt });
      this.#options.events.worked();
    }
  }

  /** A frame that lies in the landing: nothing is made for it unless somebody records. */
  #landed(link: Link, isBinary: boolean): void {
    const { landing } = link;
    if (this.#isOurs(link) && landing !== undefined) {
      this.#heard(link);
      this.#applied(link, this.#options.sync.receiveLanded(this.#times.frame));
      const { received, worked } = this.#options.events;
      if (received !== undefined) {
        const { address, length, receivedAt } = this.#times.frame;
        received(Buffer.from(landing.bytes.buffer, address, length), { isBinary, receivedAt });
      }
      worked();
    }
  }

  /** A frame arrived: its time is noted. */
  #heard(link: Link): void {
    const times = this.#times;
    if (!link.tellsReads) {
      times.arrived();
    }
    times.begin();
    link.heardAt = times.frame.receivedAt / 1e6;
    link.frameAt = link.heardAt;
    link.frames += 1;
  }

  #applied(link: Link, code: number): void {
    if (code === APPLY_HEARTBEAT) {
      link.hasBeat = true;
    }
    const { decoded } = this.#options.events;
    if (decoded !== undefined) {
      this.#times.applied(decoded);
    }
  }

  /** What its end says about the endpoint was told before, if anything. */
  #closed(link: Link, reason: string): void {
    link.attempt.abandoned();
    if (link === this.#successor) {
      const at = this.#now();
      this.#successor = undefined;
      this.#replaceAt = at + this.#replacements.failed(at);
      this.#options.events.report("warn", `The replacement failed: ${reason}`);
    } else if (link === this.#current) {
      this.#lost(reason);
    }
  }

  /**
   * The current socket is gone. A successor that is already open takes over; nothing was lost when all of it was
   * acknowledged, otherwise its books begin anew.
   */
  #lost(reason: string): void {
    const { sync, clock, events } = this.#options;
    const successor = this.#successor;
    this.#current = undefined;
    this.#replaceWhy = undefined;
    if (successor?.openedAt !== undefined) {
      const isWhole = sync.isOverlapWhole;
      this.#promote(successor);
      if (!isWhole) {
        sync.closed(clock.now());
        sync.opened(clock.now());
        events.worked();
      }
      return;
    }
    this.#successor = undefined;
    successor?.socket?.drop();
    successor?.attempt.abandoned();
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
    this.#replaceWhy = undefined;
    this.#replacements.succeeded(this.#now());
    this.#current?.socket?.drop();
    this.#current = successor;
    this.#options.events.reconnected();
  }

  #now(): number {
    return this.#options.clock.now() / 1e6;
  }
}
