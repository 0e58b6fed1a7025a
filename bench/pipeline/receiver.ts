/**
 * The client's socket of the pipeline benchmark: it notes when which byte came and keeps the bytes, nothing else, so that
 * every side is received at the same price; what the bytes say is read after the burst.
 * Bad case: a burst beyond the room that is kept for it; the benchmark fails and says so.
 */
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";

const ROOM_BYTES = 64 << 20;
const CHUNKS_MAX = 1 << 20;
const READ_BYTES = 1 << 18;
const OPCODE_TEXT = 1;
const OPCODE_BINARY = 2;
const OPCODE_PING = 9;
const EMPTY_PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);
const HEAD_END = "\r\n\r\n";

/** A message as it came. */
export type Arrival = { readonly message: Buffer; readonly isText: boolean; readonly atMs: number };

/** Bytes with the times at which they came, and the WebSocket messages in them. */
export class ReceiveLog {
  readonly #bytes: Buffer;
  readonly #ends = new Uint32Array(CHUNKS_MAX);
  readonly #times = new Float64Array(CHUNKS_MAX);
  #used = 0;
  #chunks = 0;
  #read = 0;
  #isUpgraded = false;

  /** @param roomBytes for what comes between two calls of `takeAll` */
  constructor(roomBytes = ROOM_BYTES) {
    this.#bytes = Buffer.allocUnsafe(roomBytes);
  }

  /** The answer to the upgrade was read. */
  get isUpgraded(): boolean {
    return this.#isUpgraded;
  }

  /** When the last byte came; 0 = none came since `takeAll` was through. */
  get lastMs(): number {
    return this.#chunks === 0 ? 0 : (this.#times[this.#chunks - 1] ?? 0);
  }

  /** Keeps bytes. @throws RangeError when there is no room for them */
  add(chunk: Uint8Array, atMs: number): void {
    if (this.#used + chunk.byteLength > this.#bytes.byteLength || this.#chunks === CHUNKS_MAX) {
      throw new RangeError(`Cannot keep what came in a burst: no room, was ${this.#used} bytes`);
    }
    this.#bytes.set(chunk, this.#used);
    this.#used += chunk.byteLength;
    this.#ends[this.#chunks] = this.#used;
    this.#times[this.#chunks] = atMs;
    this.#chunks += 1;
  }

  /** Whole messages that were not taken yet, in order; what is left of a message stays. @param pinged answers a ping */
  takeAll(pinged: () => void): Arrival[] {
    const arrivals: Arrival[] = [];
    this.#passUpgrade();
    let chunk = 0;
    for (let at = this.#read; this.#isUpgraded; ) {
      const frame = frameAt(this.#bytes, at, this.#used);
      if (frame === undefined) {
        break;
      }
      while ((this.#ends[chunk] ?? 0) < frame.end) {
        chunk += 1;
      }
      at = frame.end;
      this.#read = at;
      if (frame.opcode === OPCODE_PING) {
        pinged();
      } else if (frame.opcode === OPCODE_TEXT || frame.opcode === OPCODE_BINARY) {
        const message = Buffer.from(this.#bytes.subarray(frame.payload, frame.end));
        arrivals.push({ message, isText: frame.opcode === OPCODE_TEXT, atMs: this.#times[chunk] ?? 0 });
      }
    }
    this.#forgetRead();
    return arrivals;
  }

  #passUpgrade(): void {
    if (!this.#isUpgraded) {
      const end = this.#bytes.subarray(0, this.#used).indexOf(HEAD_END);
      this.#isUpgraded = end >= 0;
      this.#read = end >= 0 ? end + HEAD_END.length : 0;
    }
  }

  /** Begins the room anew; what is left of a message moves to its beginning with the time of its last byte so far. */
  #forgetRead(): void {
    const lastMs = this.lastMs;
    const left = this.#used - this.#read;
    this.#bytes.copyWithin(0, this.#read, this.#used);
    this.#read = 0;
    this.#used = left;
    this.#chunks = left > 0 ? 1 : 0;
    this.#ends[0] = left;
    this.#times[0] = lastMs;
  }
}

/** A WebSocket connection that only notes. */
export class Receiver {
  readonly log = new ReceiveLog();
  readonly #socket: Socket;

  /** @param options.protocol asked for, `""` = none @param options.failed called when the connection breaks */
  constructor(port: number, { protocol, failed }: { protocol: string; failed: (error: Error) => void }) {
    const { log } = this;
    this.#socket = connect({
      host: "127.0.0.1",
      port,
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafe(READ_BYTES),
        callback(bytes, buffer) {
          log.add(buffer.subarray(0, bytes), performance.now());
          return true;
        },
      },
    });
    this.#socket.on("error", failed);
    this.#socket.on("end", () => failed(new Error("the server closed the connection")));
    const asked = protocol === "" ? "" : `Sec-WebSocket-Protocol: ${protocol}\r\n`;
    const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13";
    const key = randomBytes(16).toString("base64");
    this.#socket.write(
      `GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\n${upgrade}\r\nSec-WebSocket-Key: ${key}\r\n${asked}\r\n`,
    );
  }

  /** Messages since the last call. */
  takeAll(): Arrival[] {
    return this.log.takeAll(() => this.#socket.write(EMPTY_PONG));
  }

  /** Sends a text of at most 65,535 bytes; the mask of zeros leaves it as it is. */
  send(text: string): void {
    const payload = Buffer.from(text);
    const isShort = payload.byteLength < 126;
    const head = isShort ? Buffer.from([0x81, 0x80 | payload.byteLength]) : Buffer.from([0x81, 0xfe, 0, 0]);
    if (!isShort) {
      head.writeUInt16BE(payload.byteLength, 2);
    }
    this.#socket.write(Buffer.concat([head, Buffer.alloc(4), payload]));
  }
}

/** The whole WebSocket frame that begins at a place. */
function frameAt(bytes: Buffer, at: number, end: number): { opcode: number; payload: number; end: number } | undefined {
  if (at + 2 > end) {
    return undefined;
  }
  const opcode = (bytes[at] ?? 0) & 15;
  const short = (bytes[at + 1] ?? 0) & 127;
  const payload = at + 2 + (short === 127 ? 8 : short === 126 ? 2 : 0);
  if (payload > end) {
    return undefined;
  }
  const length =
    short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
  return payload + length > end ? undefined : { opcode, payload, end: payload + length };
}
