/** A fake WebSocket class and a fake clock: sockets are opened, fed and closed by the test, timers run when it says so. */
import type { ClientRuntime } from "../../src/client/mod.ts";

/** One socket that a client made. */
export class FakeSocket {
  readonly url: string;
  readonly protocols: string[];
  readonly sent: Record<string, unknown>[] = [];
  isClosed = false;
  binaryType = "blob";
  onopen: ((event: object) => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: ((event: object) => void) | null = null;

  constructor(url: string, protocols: string[]) {
    this.url = url;
    this.protocols = protocols;
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }

  close(): void {
    this.isClosed = true;
  }
}

/** A clock, timers and sockets of one test. */
export class Scene {
  readonly sockets: FakeSocket[] = [];
  readonly runtime: ClientRuntime;
  nowMs = 1000;
  random = 0.5;
  #timers: { atMs: number; call: () => void }[] = [];

  constructor() {
    const { sockets } = this;
    this.runtime = {
      WebSocket: class extends FakeSocket {
        constructor(url: string, protocols: string[]) {
          super(url, protocols);
          sockets.push(this);
        }
      },
      now: () => this.nowMs,
      random: () => this.random,
      after: (delayMs, call) => {
        const timer = { atMs: this.nowMs + delayMs, call };
        this.#timers.push(timer);
        return () => {
          this.#timers = this.#timers.filter((other) => other !== timer);
        };
      },
    };
  }

  /** The socket that was made last. */
  get socket(): FakeSocket {
    const last = this.sockets.at(-1);
    if (last === undefined) {
      throw new Error("Cannot use a socket: none was made, was expected one");
    }
    return last;
  }

  /** Timers that wait. */
  get timers(): number {
    return this.#timers.length;
  }

  /** Lets the clock go on, running every timer that is due on the way. */
  pass(ms: number): void {
    const endMs = this.nowMs + ms;
    for (;;) {
      const [next] = this.#timers.toSorted((one, other) => one.atMs - other.atMs);
      if (next === undefined || next.atMs > endMs) {
        break;
      }
      this.#timers = this.#timers.filter((other) => other !== next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.call();
    }
    this.nowMs = endMs;
  }

  open(): void {
    this.socket.onopen?.({});
  }

  /** The server says something. */
  say(message: object | Uint8Array<ArrayBuffer>): void {
    const data = message instanceof Uint8Array ? message.buffer : JSON.stringify(message);
    this.socket.onmessage?.({ data });
  }

  /** The connection is lost. */
  lose(code = 1006): void {
    this.socket.onclose?.({ code, reason: "" });
  }
}
