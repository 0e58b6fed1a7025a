/**
 * One connection in memory: the hub's end, the client's end, and what lies between. Each end learns of the other's close
 * behind everything that was sent before; a cut loses what is under way, and half-open neither end is told.
 * Bad case: a client that closes while the hub sleeps; the hub hears of it when it wakes, in order.
 */
import type { Clock } from "../../../src/emulator/clock.ts";
import type { Connection, ListenOptions, Payload, UpgradeRequest } from "../../../src/gateway/transport.ts";
import type { HubThread } from "./hub_thread.ts";
import { type LinkOptions, MemoryLink } from "./memory_link.ts";

const ABNORMAL = 1006;

/** A message of either kind; bytes are a copy of what was sent. */
export type Message = string | Uint8Array<ArrayBuffer>;

/** What the client's end of a connection hears. */
export type ClientEnd = {
  readonly opened: (protocol: string) => void;
  readonly received: (message: Message) => void;
  readonly closed: (code: number, reason: string) => void;
};

/** How the way to one client is. */
export type Way = Pick<LinkOptions, "delayMs" | "windowBytes" | "bytesPerMs" | "stall" | "stallMs">;

/** What a connection is made from. */
export type MemoryConnectionOptions = {
  readonly clock: Clock;
  readonly thread: HubThread;
  /** 0 ≤ x < 1 */
  readonly random: () => number;
  readonly id: number;
  readonly way: Way;
  readonly end: ClientEnd;
  /** How the hub listens; undefined when it does not. */
  readonly listening: () => ListenOptions | undefined;
  /** The hub accepted it. */
  readonly taken: () => void;
  /** The hub let go of it. */
  readonly gone: () => void;
  readonly subscribe: (topic: string) => void;
  readonly unsubscribe: (topic: string) => void;
};

/** Both ends of one connection. */
export class MemoryConnection {
  /** As the gateway sees it. */
  readonly hub: Connection;
  readonly #options: MemoryConnectionOptions;
  readonly #link: MemoryLink;
  readonly #upward: (() => void)[] = [];
  #upAtMs = Number.NEGATIVE_INFINITY;
  #protocol = "";
  #isHubOpen = false;
  #isClientOpen = true;
  #isCut = false;

  constructor(options: MemoryConnectionOptions) {
    this.#options = options;
    const { clock, random, way, thread } = options;
    this.#link = new MemoryLink({
      ...way,
      clock,
      random,
      drained: () => void thread.after(0, () => this.#atHub(({ handlers }) => handlers.drain(this.hub))),
    });
    this.hub = this.#makeHubEnd();
  }

  /** The client's end listens still. */
  get isOpen(): boolean {
    return this.#isClientOpen && !this.#isCut;
  }

  /** Carries the client's request to the hub. */
  request(request: UpgradeRequest): void {
    this.#goUp(() => {
      const { listening, taken, end } = this.#options;
      const listen = listening();
      const answer = listen?.handlers.upgrade(request) ?? { status: 503, body: "" };
      if (listen === undefined || "status" in answer) {
        this.#goDown(1, () => this.#endClient(ABNORMAL, "refused"));
        return;
      }
      this.#protocol = answer.protocol;
      this.#isHubOpen = true;
      taken();
      this.#goDown(1, () => end.opened(answer.protocol));
      listen.handlers.open(this.hub);
    });
  }

  /** The client sends a text. */
  send(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.#goUp(() => this.#atHub(({ handlers }) => handlers.message(this.hub, bytes, true)));
  }

  /** The client closes and does not listen any more. */
  close(): void {
    this.#isClientOpen = false;
    this.#goUp(() => this.#endHub(1000));
  }

  /** The connection is lost. @param isTold false: neither end hears of it; the hub gives it up after its idle time */
  cut(isTold: boolean): void {
    if (this.#isCut) {
      return;
    }
    const { clock, thread, listening } = this.#options;
    this.#link.freeze();
    this.#isCut = true;
    if (isTold) {
      clock.setTimer(() => this.#endClient(ABNORMAL, ""), 0);
      thread.after(0, () => this.#endHub(ABNORMAL));
    } else {
      thread.after((listening()?.idleSeconds ?? 0) * 1000, () => this.#endHub(ABNORMAL));
    }
  }

  /** The hub sends, or publishes, what nobody will change any more. */
  transmit(message: Message): void {
    const limit = this.#options.listening()?.backpressureBytesMax ?? 0;
    if (!this.#isHubOpen) {
      return;
    }
    if (this.#link.bufferedBytes > limit) {
      this.#atHub(({ handlers }) => handlers.dropped(this.hub));
      return;
    }
    this.#goDown(Math.max(message.length, 1), () => this.#options.end.received(message));
  }

  #makeHubEnd(): Connection {
    const { id, subscribe, unsubscribe } = this.#options;
    const protocol = (): string => this.#protocol;
    return {
      id,
      get protocol() {
        return protocol();
      },
      remote: "memory",
      send: (payload: Payload) => this.transmit(typeof payload === "string" ? payload : payload.slice()),
      subscribe,
      unsubscribe,
      bufferedBytes: () => (this.#isHubOpen ? this.#link.bufferedBytes : 0),
      close: (code, reason) => {
        this.#goDown(1, () => this.#endClient(code, reason));
        this.#options.thread.after(0, () => this.#endHub(code));
      },
    };
  }

  #goUp(task: () => void): void {
    const { clock, random, way, thread } = this.#options;
    const nowMs = clock.now();
    this.#upAtMs = Math.max(this.#upAtMs, nowMs + random() * way.delayMs);
    this.#upward.push(task);
    thread.after(this.#upAtMs - nowMs, () => {
      const next = this.#upward.shift();
      if (!this.#isCut) {
        next?.();
      }
    });
  }

  #goDown(bytes: number, arrive: () => void): void {
    this.#link.push(bytes, () => {
      if (this.#isClientOpen) {
        arrive();
      }
    });
  }

  #atHub(act: (listening: ListenOptions) => void): void {
    const listening = this.#options.listening();
    if (this.#isHubOpen && listening !== undefined) {
      act(listening);
    }
  }

  #endHub(code: number): void {
    if (this.#isHubOpen) {
      const listening = this.#options.listening();
      this.#isHubOpen = false;
      this.#options.gone();
      listening?.handlers.close(this.hub, code);
    }
  }

  #endClient(code: number, reason: string): void {
    if (this.#isClientOpen) {
      this.#isClientOpen = false;
      this.#options.end.closed(code, reason);
    }
  }
}
