/**
 * A TCP proxy in front of a gateway that understands just enough of WebSocket to flip bits in the payloads of binary
 * frames on their way to the client: headers, texts and lengths stay whole, so that only the stream's own checks can tell.
 * Bad case: a frame that arrives in pieces; nothing of it goes on before it is whole.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

const OPCODE_BINARY = 2;
const HEAD_END = "\r\n\r\n";

/** A running proxy. */
export class FlipProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #random: () => number;
  /** Share of binary frames in which a bit is flipped. */
  share = 0;
  /** Bits flipped so far. */
  flips = 0;

  /**
   * Starts a proxy on a free port of the loopback.
   * @param target port on the loopback
   * @param random 0 ≤ x < 1
   */
  static async start(target: number, random: () => number): Promise<FlipProxy> {
    const proxy = new FlipProxy(target, random);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once("error", reject);
      proxy.#server.listen(0, "127.0.0.1", resolve);
    });
    return proxy;
  }

  constructor(target: number, random: () => number) {
    this.#random = random;
    this.#server = createServer((near) => this.#join(near, connect(target, "127.0.0.1")));
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

  #join(near: Socket, far: Socket): void {
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
    }
    near.pipe(far);
    const splitter = new FrameSplitter();
    far.on("data", (bytes: Buffer) => {
      for (const frame of splitter.push(bytes)) {
        near.write(this.#damaged(frame));
      }
    });
  }

  #damaged({ bytes, payload, isBinary }: WebSocketFrame): Buffer {
    if (isBinary && payload > 0 && this.#random() < this.share) {
      const bit = Math.floor(this.#random() * payload * 8);
      const at = bytes.length - payload + (bit >>> 3);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7));
      this.flips += 1;
    }
    return bytes;
  }
}

/** Whole bytes of a frame, or of the answer to the upgrade, and how many at its end are payload. */
type WebSocketFrame = { readonly bytes: Buffer; readonly payload: number; readonly isBinary: boolean };

/** Cuts what a server sends into the answer to the upgrade and WebSocket frames. */
class FrameSplitter {
  #rest = Buffer.alloc(0);
  #isUpgraded = false;

  push(bytes: Buffer): WebSocketFrame[] {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    const frames: WebSocketFrame[] = [];
    for (let frame = this.#next(); frame !== undefined; frame = this.#next()) {
      this.#rest = this.#rest.subarray(frame.bytes.length);
      frames.push({ ...frame, bytes: Buffer.from(frame.bytes) });
    }
    return frames;
  }

  #next(): WebSocketFrame | undefined {
    const rest = this.#rest;
    if (!this.#isUpgraded) {
      const end = rest.indexOf(HEAD_END);
      this.#isUpgraded = end >= 0;
      return end < 0 ? undefined : { bytes: rest.subarray(0, end + HEAD_END.length), payload: 0, isBinary: false };
    }
    const short = (rest[1] ?? 0) & 0x7f;
    const head = short === 126 ? 4 : short === 127 ? 10 : 2;
    if (rest.length < head) {
      return undefined;
    }
    const payload = short === 126 ? rest.readUInt16BE(2) : short === 127 ? Number(rest.readBigUInt64BE(2)) : short;
    const isBinary = ((rest[0] ?? 0) & 0x0f) === OPCODE_BINARY;
    return rest.length < head + payload ? undefined : { bytes: rest.subarray(0, head + payload), payload, isBinary };
  }
}
