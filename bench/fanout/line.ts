/**
 * A client of the fan-out and load benchmarks: a plain TCP socket that speaks just enough WebSocket to count and
 * fingerprint what comes, so that hundreds of them cost little; and the book that one of them follows and proves.
 * Bad case: a server that pings; it is answered, for it would close the connection.
 */
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { crc32 } from "node:zlib";
import {
  FRAME_BYTES_MAX,
  FRAME_FLAG_FINAL,
  FRAME_KIND_MASK,
  FRAME_SNAPSHOT,
  REPLICA_ALIAS,
  REPLICA_HASH,
  REPLICA_OK,
  REPLICA_RECEIVED_AT,
  REPLICA_VERSION,
} from "../../assembly/layout.ts";
import { readAsset } from "../../src/assets.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import { MemoryMap } from "../../src/segment/mod.ts";
import { readCount } from "../../src/wire/numbers.ts";
import { SUBPROTOCOL_BINARY } from "../../src/wire/protocol.ts";
import { INSTRUMENT } from "./words.ts";

const MIB = 1 << 20;
const OPCODE_BINARY = 2;
const OPCODE_PING = 9;
/** Servers that ping send nothing in it. */
const EMPTY_PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);
const ALIAS_OFFSET = 1;

/** How a line connects. */
export type LineOptions = {
  /** Asks this project's gateway for the book; other servers send it to everybody. */
  readonly subscribes: boolean;
  readonly failed: (error: unknown) => void;
};

/** One connection. */
export class Line {
  /** Of binary messages since `forget`. */
  bytes = 0;
  messages = 0;
  sum = 0;
  /** The upgrade was answered. */
  isOpen = false;
  /** A whole snapshot came since the connection. */
  hasBook = false;
  onFrame: ((frame: Uint8Array) => void) | undefined;
  readonly #socket: Socket;
  readonly #subscribes: boolean;
  #rest: Buffer = Buffer.alloc(0);

  constructor(port: number, { subscribes, failed }: LineOptions) {
    this.#subscribes = subscribes;
    this.#socket = connect({ host: "127.0.0.1", port, noDelay: true });
    const key = randomBytes(16).toString("base64");
    const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13";
    const protocol = subscribes ? `Sec-WebSocket-Protocol: ${SUBPROTOCOL_BINARY}\r\n` : "";
    const head = `GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\n${upgrade}\r\nSec-WebSocket-Key: ${key}\r\n${protocol}\r\n`;
    this.#socket.write(head);
    this.#socket.on("data", (chunk: Buffer) => this.#read(chunk));
    this.#socket.on("error", failed);
  }

  /** Counts from zero again. */
  forget(): void {
    this.bytes = 0;
    this.messages = 0;
    this.sum = 0;
  }

  /** Reads nothing more until `goOn`. */
  stall(): void {
    this.#socket.pause();
  }

  goOn(): void {
    this.#socket.resume();
  }

  /** Cuts the connection without a word. */
  cut(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    let left = this.#rest.byteLength === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    if (!this.isOpen) {
      const end = left.indexOf("\r\n\r\n");
      if (end < 0) {
        this.#rest = left;
        return;
      }
      this.#open();
      left = left.subarray(end + 4);
    }
    for (;;) {
      const head = headOf(left);
      if (head === undefined || left.byteLength < head.bytes + head.payload) {
        break;
      }
      const opcode = (left[0] ?? 0) & 15;
      if (opcode === OPCODE_BINARY) {
        this.#take(left.subarray(head.bytes, head.bytes + head.payload));
      } else if (opcode === OPCODE_PING) {
        this.#socket.write(EMPTY_PONG);
      }
      left = left.subarray(head.bytes + head.payload);
    }
    this.#rest = left;
  }

  #open(): void {
    this.isOpen = true;
    if (this.#subscribes) {
      const text = JSON.stringify({ op: "subscribe", id: 1, channels: ["book"], instruments: [INSTRUMENT] });
      this.#socket.write(masked(text));
    }
  }

  #take(frame: Uint8Array): void {
    this.bytes += frame.byteLength;
    this.messages += 1;
    this.sum = crc32(frame, this.sum);
    const kind = frame[0] ?? 0;
    this.hasBook ||= (kind & FRAME_KIND_MASK) === FRAME_SNAPSHOT && (kind & FRAME_FLAG_FINAL) !== 0;
    this.onFrame?.(frame);
  }
}

/** A book that follows the frames and proves them. */
export class ProvedBook {
  readonly #failed: (error: unknown) => void;
  readonly #kernel: Kernel;
  readonly #memory: DataView;
  readonly #bytes: Uint8Array;
  readonly #replica: number;
  readonly #frame: number;

  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
    const map = new MemoryMap(64 * MIB);
    const arena = map.reserve("arena", { bytes: 48 * MIB });
    this.#kernel = loadKernel({ name: "wasm", memory: map.memory, wasmBytes: readAsset("kernel.wasm") });
    this.#kernel.arenaInit(arena.address, arena.bytes);
    this.#memory = new DataView(map.memory.buffer);
    this.#bytes = new Uint8Array(map.memory.buffer);
    this.#replica = this.#kernel.replicaCreate();
    this.#frame = this.#kernel.arenaAllocate(FRAME_BYTES_MAX);
  }

  get version(): number {
    return readCount(this.#memory, this.#replica + REPLICA_VERSION);
  }

  get hash(): number {
    return this.#memory.getUint32(this.#replica + REPLICA_HASH, true);
  }

  /** When the last event was to be published, Unix ms. */
  get receivedAtMs(): number {
    return Number(this.#memory.getBigInt64(this.#replica + REPLICA_RECEIVED_AT, true)) / 1e6;
  }

  apply(frame: Uint8Array): void {
    this.#bytes.set(frame, this.#frame);
    this.#memory.setUint32(this.#replica + REPLICA_ALIAS, frame[ALIAS_OFFSET] ?? 0, true);
    const code = this.#kernel.frameApply(this.#replica, this.#frame, frame.byteLength);
    if (code < REPLICA_OK) {
      this.#failed(new Error(`Cannot trust the stream: a frame was refused, was ${code}`));
    }
  }
}

/** Header and payload of the WebSocket frame that a buffer begins with. */
function headOf(buffer: Buffer): { bytes: number; payload: number } | undefined {
  const short = (buffer[1] ?? 0) & 127;
  if (buffer.byteLength < 2 || (short === 126 && buffer.byteLength < 4) || (short === 127 && buffer.byteLength < 10)) {
    return undefined;
  }
  if (short < 126) {
    return { bytes: 2, payload: short };
  }
  return short === 126
    ? { bytes: 4, payload: buffer.readUInt16BE(2) }
    : { bytes: 10, payload: Number(buffer.readBigUInt64BE(2)) };
}

/** A text frame of a client; the mask of zeros leaves it as it is. */
function masked(text: string): Buffer {
  const payload = Buffer.from(text);
  const medium = payload.byteLength >= 126;
  const head = medium ? Buffer.from([0x81, 0xfe, 0, 0]) : Buffer.from([0x81, 0x80 | payload.byteLength]);
  if (medium) {
    head.writeUInt16BE(payload.byteLength, 2);
  }
  return Buffer.concat([head, Buffer.alloc(4), payload]);
}
