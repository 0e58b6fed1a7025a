/**
 * A WebSocket that comes back: opened again after any close, clean ones included, with full jitter and a cap. Handlers of
 * an old socket are dropped before the next one opens, so that a late message of the old one can never be mistaken.
 * A connection on which nothing arrives although it was pinged counts as lost, and so does an attempt without an answer.
 * Bad case: a server that accepts and closes at once; the delay starts over only after a connection has stayed open.
 */

/** What is needed of a WebSocket class: the browser's, Deno's, Node's from 22 on, or that of `ws`. */
export type WebSocketClass = new (url: string, protocols: string[]) => object;

/** Timers, clock and randomness; tests replace them. */
export type ClientRuntime = {
  readonly WebSocket: WebSocketClass;
  /** Milliseconds that only go forward. */
  now(): number;
  /** 0 ≤ x < 1. */
  random(): number;
  /** Calls once after so many milliseconds. @returns cancels */
  after(delayMs: number, call: () => void): () => void;
};

/** How the socket behaves; all in milliseconds. */
export type SocketTiming = {
  /** Longest delay before the first try again. */
  readonly firstDelayMs: number;
  /** Longest delay of all. */
  readonly delayMsMax: number;
  /** An attempt without an answer is given up after so long. */
  readonly connectMs: number;
  /** A connection open for so long starts the delays over. */
  readonly stableMs: number;
  /** Silence after which a ping is sent; twice that long and the connection is lost. */
  readonly pingMs: number;
};

/** The timing unless said otherwise. */
export const TIMING: SocketTiming = {
  firstDelayMs: 250,
  delayMsMax: 10_000,
  connectMs: 10_000,
  stableMs: 5000,
  pingMs: 15_000,
};

/** The runtime's own clock, timers and randomness. */
export const SYSTEM_RUNTIME: Omit<ClientRuntime, "WebSocket"> = {
  now: () => performance.now(),
  random: () => Math.random(),
  after(delayMs, call) {
    const timer = setTimeout(call, delayMs);
    return () => clearTimeout(timer);
  },
};

/** `waiting`: lost or not reached, another try is due. `closed`: by us, for good. */
export type SocketState = "connecting" | "open" | "waiting" | "closed";

/** What the owner of a socket is told. */
export type SocketHandlers = {
  /** `attempt` counts tries since it was last open; `reason` says why it is not open, as far as anybody knows. */
  stateChanged(state: SocketState, detail: { attempt: number; reason: string }): void;
  message(content: string | ArrayBuffer): void;
  /** Nothing arrived for a while: send something that is answered. */
  quiet(): void;
};

type NativeEvent = { readonly data?: unknown; readonly code?: number; readonly reason?: string };
type NativeSocket = {
  binaryType: string;
  onopen: ((event: NativeEvent) => void) | null;
  onmessage: ((event: NativeEvent) => void) | null;
  onclose: ((event: NativeEvent) => void) | null;
  onerror: ((event: NativeEvent) => void) | null;
  send(text: string): void;
  close(code?: number, reason?: string): void;
};

/** A WebSocket that reconnects. */
export class ReconnectingSocket {
  readonly #url: string;
  readonly #protocol: string;
  readonly #runtime: ClientRuntime;
  readonly #timing: SocketTiming;
  readonly #handlers: SocketHandlers;
  #socket: NativeSocket | undefined;
  #isOpen = false;
  #isClosed = false;
  #attempt = 0;
  /** Losses since a connection was stable. */
  #failures = 0;
  #openedAtMs = 0;
  #heardAtMs = 0;
  #cancelTimer: () => void = () => undefined;

  constructor(
    url: string,
    options: { protocol: string; runtime: ClientRuntime; timing: SocketTiming; handlers: SocketHandlers },
  ) {
    this.#url = url;
    this.#protocol = options.protocol;
    this.#runtime = options.runtime;
    this.#timing = options.timing;
    this.#handlers = options.handlers;
  }

  /** Opens it; called once from outside. @throws whatever the class throws for an address that is none */
  start(): void {
    this.#handlers.stateChanged("connecting", { attempt: this.#attempt, reason: "" });
    const { WebSocket } = this.#runtime;
    const socket = new WebSocket(this.#url, [this.#protocol]) as NativeSocket;
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#opened();
    socket.onmessage = ({ data }) => {
      this.#heardAtMs = this.#runtime.now();
      this.#handlers.message(data as string | ArrayBuffer);
    };
    // Stays: a socket that is closed while it opens reports an error, which nobody needs.
    socket.onerror = () => undefined;
    socket.onclose = ({ code, reason }) => this.fail(`closed with ${code} ${reason}`.trim());
    const { connectMs } = this.#timing;
    this.#cancelTimer();
    this.#cancelTimer = this.#runtime.after(connectMs, () => this.fail(`no answer for ${connectMs} ms`));
  }

  /** @returns false when it is not open; nothing was sent then */
  send(text: string): boolean {
    if (this.#isOpen) {
      this.#socket?.send(text);
    }
    return this.#isOpen;
  }

  /** Gives the connection up and opens another after a delay. */
  fail(reason: string): void {
    if (this.#isClosed) {
      return;
    }
    const wasStable = this.#isOpen && this.#runtime.now() - this.#openedAtMs >= this.#timing.stableMs;
    const failures = wasStable ? 0 : this.#failures;
    this.#failures = failures + 1;
    this.#attempt += 1;
    this.#cancelTimer();
    this.#drop();
    const { delayMsMax, firstDelayMs } = this.#timing;
    // A server that sends its clients away says when to come back; one that does so again and again is not believed.
    const hint = failures > 0 ? null : /in (\d{1,4}) /.exec(reason);
    const delayMs = hint?.[1] ?? this.#runtime.random() * Math.min(delayMsMax, firstDelayMs * 2 ** failures);
    this.#cancelTimer = this.#runtime.after(Number(delayMs), () => this.start());
    this.#handlers.stateChanged("waiting", { attempt: this.#attempt, reason });
  }

  /** Closes for good. */
  close(): void {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#cancelTimer();
      this.#drop();
      this.#handlers.stateChanged("closed", { attempt: this.#attempt, reason: "closed by the client" });
    }
  }

  #opened(): void {
    this.#isOpen = true;
    this.#attempt = 0;
    this.#openedAtMs = this.#runtime.now();
    this.#heardAtMs = this.#openedAtMs;
    this.#watch();
    this.#handlers.stateChanged("open", { attempt: this.#attempt, reason: "" });
  }

  #watch(): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#runtime.after(this.#timing.pingMs, () => {
      const silentMs = this.#runtime.now() - this.#heardAtMs;
      if (silentMs >= 2 * this.#timing.pingMs) {
        this.fail(`no answer for ${Math.round(silentMs)} ms`);
        return;
      }
      if (silentMs >= this.#timing.pingMs / 2) {
        this.#handlers.quiet();
      }
      this.#watch();
    });
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#isOpen = false;
    if (socket !== undefined) {
      socket.onopen = null;
      socket.onmessage = null;
      socket.onclose = null;
      socket.close();
    }
  }
}
