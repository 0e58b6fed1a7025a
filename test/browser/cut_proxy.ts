/**
 * A TCP proxy between the page and the gateway that a test can cut: open connections end at once, further ones are ended
 * as they come until it is mended. Bad case: it knows bytes only, so it cuts page files and the stream alike.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** A running proxy. */
export class CutProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;
  #refused = 0;

  /**
   * Starts a proxy on a free port of the loopback.
   * @param target port on the loopback
   */
  static async start(target: number): Promise<CutProxy> {
    const proxy = new CutProxy(target);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once("error", reject);
      proxy.#server.listen(0, "127.0.0.1", resolve);
    });
    return proxy;
  }

  constructor(target: number) {
    this.#server = createServer((near) => {
      if (this.#isCut) {
        this.#refused += 1;
        near.destroy();
        return;
      }
      const far = connect(target, "127.0.0.1");
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(socket);
        socket.setNoDelay(true);
        socket.on("error", () => other.destroy());
        socket.on("close", () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
        socket.pipe(other);
      }
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that came while it was cut. */
  get refused(): number {
    return this.#refused;
  }

  /** Ends all connections, and further ones as they come. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) {
      socket.destroy();
    }
  }

  /** Lets connections through again. */
  mend(): void {
    this.#isCut = false;
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
