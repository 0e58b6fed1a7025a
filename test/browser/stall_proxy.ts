/**
 * A TCP proxy that delays: every piece by a little, a share of them by a stall, and in order, as a bad network does. All that
 * comes behind a stalled piece waits with it.
 * Bad case: a connection that ends while pieces wait; they are given up with it.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** How a proxy delays. */
export type StallOptions = {
  /** Every piece, ms. */
  delayMs: number;
  /** Share of pieces that stall, 0 … 1. */
  share: number;
  /** How long a stall is, ms. */
  stallMs: number;
};

/** A running proxy. */
export class StallProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #random: () => number;
  readonly #options: StallOptions;
  /** Pieces that stalled so far. */
  stalls = 0;
  /** False: pieces go on as they come. */
  isSlow = true;

  /**
   * Starts a proxy on a free port of the loopback.
   * @param target port on the loopback
   * @param options.random 0 ≤ x < 1
   */
  static async start(target: number, options: StallOptions & { random: () => number }): Promise<StallProxy> {
    const proxy = new StallProxy(target, options);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once("error", reject);
      proxy.#server.listen(0, "127.0.0.1", resolve);
    });
    return proxy;
  }

  constructor(target: number, { random, ...options }: StallOptions & { random: () => number }) {
    this.#random = random;
    this.#options = options;
    this.#server = createServer((near) => {
      const far = connect(target, "127.0.0.1");
      this.#pass(near, far);
      this.#pass(far, near);
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) {
      socket.destroy();
    }
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #pass(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.setNoDelay(true);
    // One queue and one timer: timers of their own would overtake each other, which pieces of a connection never do.
    const waiting: { piece: Buffer; dueMs: number }[] = [];
    const drain = () => {
      while ((waiting[0]?.dueMs ?? Number.POSITIVE_INFINITY) <= performance.now()) {
        const { piece } = waiting.shift() as { piece: Buffer };
        if (!to.destroyed) {
          to.write(piece);
        }
      }
      if (waiting.length > 0) {
        setTimeout(drain, Math.max(1, (waiting[0]?.dueMs ?? 0) - performance.now()));
      }
    };
    from.on("data", (piece: Buffer) => {
      const isStalled = this.isSlow && this.#random() < this.#options.share;
      this.stalls += isStalled ? 1 : 0;
      const delayMs = this.isSlow ? this.#options.delayMs + (isStalled ? this.#options.stallMs : 0) : 0;
      const last = waiting.at(-1)?.dueMs ?? 0;
      waiting.push({ piece, dueMs: Math.max(last, performance.now() + delayMs) });
      if (waiting.length === 1) {
        drain();
      }
    });
    from.on("error", () => to.destroy());
    from.on("close", () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
}
