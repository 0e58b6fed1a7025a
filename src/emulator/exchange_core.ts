/**
 * One emulated exchange without sockets: a protocol, its sessions, what they are counted by, and the faults that befall
 * them. A shell (sockets and HTTP, or memory) brings connections and requests, and carries away what is sent.
 * Bad case: a client that reads slower than the market moves; beyond 64 MiB of unread frames it is cut, as real
 * exchanges do, so that it cannot fill the memory of the machine.
 */
import type { ExchangeId } from "../model/exchange_id.ts";
import type { Verdict } from "./admission_faults.ts";
import type { ConnectionFaults } from "./connection_faults.ts";
import type { FaultEngine } from "./faults.ts";
import type {
  ClientSession,
  Connection,
  FrameAbout,
  Protocol,
  RestAnswer,
  RestRequest,
  Subscription,
  Unasked,
} from "./protocol.ts";
import type { RestOutcome } from "./rest_faults.ts";

/** Unread bytes per client beyond which it is cut. */
const UNREAD_BYTES_MAX = 64 * 1024 * 1024;

/** What a shell offers for one connection. */
export interface Link {
  readonly isOpen: boolean;
  /** Bytes that the client has not taken yet. */
  readonly unreadBytes: number;
  /** Sends a text frame. @param bytes its UTF-8 @param onWritten called when it has left, or will not */
  send(bytes: Buffer, onWritten?: () => void): void;
  ping(payload: string): void;
  close(code: number, reason: string): void;
  /** Ends it without a closing handshake. */
  cut(): void;
  /** Makes it deaf and mute; it stays open until the client or the emulator ends it. */
  freeze(): void;
}

/** What an exchange has done since it started. */
export type ServerCounts = {
  /** WebSockets accepted. */
  connections: number;
  /** WebSockets open now. */
  openConnections: number;
  /** Text frames sent. */
  framesSent: number;
  /** UTF-8 bytes of those frames. */
  bytesSent: number;
  /** Text or binary messages of clients. */
  clientMessages: number;
  /** REST requests. */
  restRequests: number;
  /** Clients cut because they read too slowly. */
  slowClientsCut: number;
  /** Subscriptions of books that began, of all clients, by native symbol: a client that is disturbed begins again. */
  bookSubscriptions: Record<string, number>;
};

/** What an exchange is made of. */
export type ExchangeCoreOptions = {
  readonly exchange: ExchangeId;
  readonly protocol: Protocol;
  readonly faults: FaultEngine | undefined;
  /** Pages beside those of the exchange; undefined for any other path. */
  readonly page: (request: RestRequest) => RestAnswer | undefined;
  readonly log: (message: string) => void;
};

/** An attempt to connect, judged. */
export type Admission = Verdict | { readonly is: "unknown" };

/** One exchange. */
export class ExchangeCore {
  readonly counts: ServerCounts = {
    connections: 0,
    openConnections: 0,
    framesSent: 0,
    bytesSent: 0,
    clientMessages: 0,
    restRequests: 0,
    slowClientsCut: 0,
    bookSubscriptions: {},
  };
  readonly #options: ExchangeCoreOptions;
  readonly #peers = new Set<Peer>();

  constructor(options: ExchangeCoreOptions) {
    this.#options = options;
  }

  get exchange(): ExchangeId {
    return this.#options.exchange;
  }

  /** Largest message of a client in bytes. */
  get messageBytesMax(): number {
    return this.#options.protocol.messageBytesMax;
  }

  /** What happens to an attempt to connect. @param remote address of the client */
  admit(url: URL, remote: string): Admission {
    const { protocol, faults, exchange } = this.#options;
    return protocol.accepts(url) ? (faults?.admit(exchange, remote) ?? { is: "accepted" }) : { is: "unknown" };
  }

  /** A connection was accepted and stands. */
  open(link: Link, url: URL): Peer {
    const { counts } = this;
    counts.connections += 1;
    counts.openConnections += 1;
    const { protocol, faults } = this.#options;
    const connect = (connection: Connection): ClientSession => protocol.connect(connection, url);
    const peer = new Peer(link, {
      counts,
      connect,
      faults,
      exchange: this.exchange,
      rateFrame: protocol.messageRateFrame,
      onClosed: () => this.#peers.delete(peer),
    });
    this.#peers.add(peer);
    return peer;
  }

  /** Answers a REST request, or does not. */
  async answer(request: RestRequest): Promise<RestOutcome> {
    const { faults, protocol, exchange, page } = this.#options;
    const extra = page(request);
    if (extra !== undefined) {
      return { is: "answered", answer: extra };
    }
    this.counts.restRequests += 1;
    const answer = (asked: RestRequest): Promise<RestAnswer> => this.#honest(asked);
    return faults === undefined
      ? { is: "answered", answer: await answer(request) }
      : await faults.rest.serve({ exchange, about: protocol.about(request), request, answer });
  }

  /** Lets every session see the time. @param atMs now, Unix milliseconds */
  tick(atMs: number): void {
    for (const peer of this.#peers) {
      peer.tick(atMs);
    }
  }

  async #honest(request: RestRequest): Promise<RestAnswer> {
    try {
      return await this.#options.protocol.answer(request);
    } catch (cause) {
      this.#options.log(`REST answer failed: ${cause instanceof Error ? cause.stack : String(cause)}`);
      return { status: 500, body: '{"message":"Internal server error"}' };
    }
  }
}

type PeerOptions = {
  readonly exchange: ExchangeId;
  readonly counts: ServerCounts;
  readonly connect: (connection: Connection) => ClientSession;
  readonly faults: FaultEngine | undefined;
  readonly rateFrame: string | undefined;
  readonly onClosed: () => void;
};

/** One client of an exchange: what a shell tells of it. */
export class Peer implements Connection {
  readonly #link: Link;
  readonly #options: PeerOptions;
  /** Undefined while it is made: it may send already. */
  readonly #session: ClientSession | undefined;
  readonly #faults: ConnectionFaults | undefined;

  constructor(link: Link, options: PeerOptions) {
    this.#link = link;
    this.#options = options;
    this.#faults = options.faults?.connect(options.exchange, options.counts.connections, {
      deliver: (frame, onWritten) => this.#deliver(frame, onWritten),
      close: (code, reason) => link.close(code, reason),
      cut: () => link.cut(),
      freeze: () => link.freeze(),
      volunteer: (unasked: Unasked) => this.#session?.volunteer(unasked) ?? false,
    });
    this.#session = options.connect(this);
  }

  /** A message of the client came. */
  message(text: string): void {
    const { counts, rateFrame } = this.#options;
    counts.clientMessages += 1;
    const { isPassed, isTold } = this.#faults?.receive(text) ?? { isPassed: true, isTold: false };
    if (isPassed) {
      this.#session?.message(text);
    } else if (isTold && rateFrame !== undefined) {
      this.send(rateFrame, { kind: "reply", symbol: "" });
    }
  }

  /** A ping or pong of the client came. @param payload as UTF-8 */
  control(kind: "ping" | "pong", payload: string): void {
    this.#session?.control(kind, payload);
  }

  /** The connection is gone. */
  closed(): void {
    this.#options.counts.openConnections -= 1;
    this.#options.onClosed();
    if (this.#faults !== undefined) {
      this.#options.faults?.disconnect(this.#faults);
    }
    this.#session?.closed();
  }

  /** @param atMs now, Unix milliseconds */
  tick(atMs: number): void {
    this.#session?.tick(atMs);
  }

  send(frame: string | Buffer, about: FrameAbout): void {
    if (this.#faults === undefined) {
      this.#deliver(frame, about.onWritten);
    } else {
      this.#faults.send(frame, about);
    }
  }

  ping(payload: string): void {
    if (!this.#isFrozen) {
      this.#link.ping(payload);
    }
  }

  close(code: number, reason: string): void {
    if (!this.#isFrozen) {
      this.#link.close(code, reason);
    }
  }

  subscription(change: Subscription): void {
    const { bookSubscriptions } = this.#options.counts;
    if (change.kind === "book" && change.isOn) {
      bookSubscriptions[change.symbol] = (bookSubscriptions[change.symbol] ?? 0) + 1;
    }
    this.#faults?.subscription(change);
  }

  get #isFrozen(): boolean {
    return this.#faults?.isFrozen ?? false;
  }

  #deliver(frame: string | Buffer, onWritten?: () => void): void {
    if (!this.#link.isOpen) {
      onWritten?.();
      return;
    }
    const bytes = typeof frame === "string" ? Buffer.from(frame) : frame;
    const { counts } = this.#options;
    counts.framesSent += 1;
    counts.bytesSent += bytes.length;
    this.#link.send(bytes, onWritten);
    if (this.#link.unreadBytes > UNREAD_BYTES_MAX) {
      counts.slowClientsCut += 1;
      this.#link.cut();
    }
  }
}
