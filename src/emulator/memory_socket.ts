/**
 * A WebSocket without a network: both ends of one connection, whole messages, in order, each way with a delay of its own.
 * It refuses what a real client's library refuses: text that is not UTF-8, frames above the client's limit.
 * Bad case: an end that is closed while messages are on their way to it; they are lost, as in a network.
 */
import { isUtf8 } from "node:buffer";
import type { Clock } from "./clock.ts";
import type { ExchangeCore, Link, Peer } from "./exchange_core.ts";

/** What a socket in memory tells: the shape that a collector's sockets have. */
export type MemorySocketHandlers = {
  readonly opened: () => void;
  /** A whole frame. */
  readonly frame: (bytes: Buffer, isBinary: boolean) => void;
  /** A ping or pong of the exchange. */
  readonly alive: () => void;
  /** It is over, cleanly or not; called once. @param refusal when the exchange answered the handshake with another status */
  readonly closed: (reason: string, refusal?: Refusal) => void;
};

type Refusal = { readonly status: number; readonly retryAfterMs?: number };

/** What a connection is made of. */
export type MemoryConnectionOptions = {
  readonly clock: Clock;
  /** Milliseconds that the next message takes. */
  readonly delayMs: (to: "client" | "exchange") => number;
  readonly handlers: MemorySocketHandlers;
  /** Largest frame that the client takes. */
  readonly frameBytesMax: number;
  /** Address of the client. */
  readonly remote: string;
  /** Nothing happens on it any more. */
  readonly ended: () => void;
};

const CLOSE_ABNORMAL = 1006;
const STATUS_UNKNOWN = 404;
const CLOSE_INVALID = 1007;
const CLOSE_TOO_BIG = 1009;

/** One connection to an exchange. */
export class MemoryConnection {
  readonly #core: ExchangeCore;
  readonly #options: MemoryConnectionOptions;
  readonly #up: Pipe;
  readonly #down: Pipe;
  readonly #link: Link;
  #peer: Peer | undefined;
  /** Whether the exchange's end takes and sends anything. */
  #isUpOpen = false;
  #isFrozen = false;
  /** Whether the client still listens. */
  #isDownOpen = true;
  #isConnected = false;

  constructor(core: ExchangeCore, options: MemoryConnectionOptions) {
    const { clock, delayMs } = options;
    this.#core = core;
    this.#options = options;
    this.#up = new Pipe(clock, () => delayMs("exchange"));
    this.#down = new Pipe(clock, () => delayMs("client"));
    this.#link = this.#makeLink();
  }

  /** Asks the exchange for the connection. */
  connect(url: URL): void {
    this.#up.push(() => {
      const admission = this.#core.admit(url, this.#options.remote);
      if (admission.is === "accepted") {
        this.#isUpOpen = true;
        this.#toClient(() => {
          this.#isConnected = true;
          this.#options.handlers.opened();
        });
        this.#peer = this.#core.open(this.#link, url);
      } else {
        this.#options.ended();
        const refusal = refusalOf(admission);
        if (refusal !== undefined) {
          this.#toClient(() => this.#finish(`Unexpected server response: ${refusal.status}`, refusal));
        }
      }
    });
  }

  /** The client sends a text. Before the connection stands, and after its end, it goes nowhere. */
  send(text: string): void {
    if (this.#isConnected && this.#isDownOpen) {
      this.#toExchange((peer) => {
        if (Buffer.byteLength(text) > this.#core.messageBytesMax) {
          this.#link.close(CLOSE_TOO_BIG, "");
        } else {
          peer.message(text);
        }
      });
    }
  }

  /** The client pings; unless the exchange is deaf, it answers. */
  ping(): void {
    if (this.#isConnected && this.#isDownOpen) {
      this.#toExchange((peer) => {
        peer.control("ping", "");
        this.#toClient(() => this.#options.handlers.alive());
      });
    }
  }

  /** The client closes and does not listen any more. */
  drop(): void {
    this.#isDownOpen = false;
    this.#up.push(() => this.#endUp());
  }

  /** The machine goes down: nobody is told anything. */
  abandon(): void {
    this.#isDownOpen = false;
    this.#isUpOpen = false;
  }

  #makeLink(): Link {
    const isOpen = (): boolean => this.#isUpOpen;
    return {
      get isOpen() {
        return isOpen();
      },
      unreadBytes: 0,
      send: (bytes, onWritten) => {
        this.#toClient(() => this.#receive(bytes));
        if (onWritten !== undefined) {
          this.#options.clock.setTimer(onWritten, 0);
        }
      },
      ping: (payload) => {
        this.#toClient(() => {
          this.#options.handlers.alive();
          this.#toExchange((peer) => peer.control("pong", payload));
        });
      },
      close: (code, reason) => this.#endDown(reason === "" ? `closed with ${code}` : `closed with ${code} ${reason}`),
      cut: () => this.#endDown(`closed with ${CLOSE_ABNORMAL}`),
      freeze: () => {
        this.#isFrozen = true;
      },
    };
  }

  #receive(bytes: Buffer): void {
    if (bytes.length > this.#options.frameBytesMax) {
      this.#refuse("Max payload size exceeded", CLOSE_TOO_BIG);
    } else if (isUtf8(bytes)) {
      this.#options.handlers.frame(bytes, false);
    } else {
      this.#refuse("Invalid WebSocket frame: invalid UTF-8 sequence", CLOSE_INVALID);
    }
  }

  #refuse(reason: string, code: number): void {
    this.#finish(`${reason} (${code})`);
    this.#up.push(() => this.#endUp());
  }

  // The exchange ends it: the client hears of it behind everything that was sent before.
  #endDown(reason: string): void {
    if (this.#isUpOpen) {
      this.#toClient(() => this.#finish(reason));
      this.#isUpOpen = false;
      this.#options.clock.setTimer(() => this.#gone(), 0);
    }
  }

  #endUp(): void {
    if (this.#isUpOpen) {
      this.#isUpOpen = false;
      this.#gone();
    }
  }

  #gone(): void {
    this.#options.ended();
    this.#peer?.closed();
    this.#peer = undefined;
  }

  #finish(reason: string, refusal?: Refusal): void {
    this.#isDownOpen = false;
    this.#options.handlers.closed(reason, refusal);
  }

  #toClient(task: () => void): void {
    this.#down.push(() => {
      if (this.#isDownOpen) {
        task();
      }
    });
  }

  #toExchange(task: (peer: Peer) => void): void {
    this.#up.push(() => {
      if (this.#isUpOpen && !this.#isFrozen && this.#peer !== undefined) {
        task(this.#peer);
      }
    });
  }
}

/** Messages on their way in one direction: none overtakes another. */
class Pipe {
  readonly #clock: Clock;
  readonly #delayMs: () => number;
  readonly #queue: (() => void)[] = [];
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, delayMs: () => number) {
    this.#clock = clock;
    this.#delayMs = delayMs;
  }

  push(arrive: () => void): void {
    const nowMs = this.#clock.now();
    this.#lastMs = Math.max(this.#lastMs, nowMs + this.#delayMs());
    this.#queue.push(arrive);
    this.#clock.setTimer(() => this.#queue.shift()?.(), this.#lastMs - nowMs);
  }
}

/** @returns undefined when the handshake is left without an answer */
function refusalOf(admission: ReturnType<ExchangeCore["admit"]>): Refusal | undefined {
  if (admission.is === "unknown") {
    return { status: STATUS_UNKNOWN };
  }
  if (admission.is !== "refused") {
    return undefined;
  }
  const { status, retryAfterS } = admission;
  return { status, ...(retryAfterS === undefined ? {} : { retryAfterMs: retryAfterS * 1000 }) };
}
