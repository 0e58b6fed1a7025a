/**
 * The clients of the fan-out benchmark, in one process of their own: plain TCP sockets that speak just enough WebSocket
 * to count and fingerprint what comes; the first of each server also applies every frame and proves the book. All others
 * must have received the very same bytes.
 * Bad case: a client that got other bytes than the first; it never agrees, and the benchmark fails by its time limit.
 */
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { crc32 } from "node:zlib";
import { FRAME_BYTES_MAX, REPLICA_ALIAS, REPLICA_HASH, REPLICA_OK, REPLICA_VERSION } from "../../assembly/layout.ts";
import { readAsset } from "../../src/assets.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import { MemoryMap } from "../../src/segment/mod.ts";
import { readCount } from "../../src/wire/numbers.ts";
import { SUBPROTOCOL_BINARY } from "../../src/wire/protocol.ts";
import { type ClientsAnswer, type ClientsOrder, INSTRUMENT, type ServerName } from "./words.ts";

const MIB = 1 << 20;
const LOOK_MS = 2;
const PATIENCE_MS = 120_000;
const OPCODE_BINARY = 2;
const OPCODE_PING = 9;
/** Servers that ping send nothing in it. */
const EMPTY_PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);
const ALIAS_OFFSET = 1;

/** Connects and counts until the parent is gone. */
export function runClients(): void {
  const crowds = new Map<ServerName, Crowd>();
  process.on("message", (order: ClientsOrder) => {
    const crowd = crowds.get(order.server);
    if (order.order === "connect") {
      const joined = new Crowd(order);
      crowds.set(order.server, joined);
      void joined.whenJoined().then((version) => answer({ answer: "connected", server: order.server, version }), fail);
    } else if (order.order === "begin") {
      crowd?.begin();
    } else {
      void crowd?.whenAt(order.version).then((done) => {
        answer({ answer: "finished", server: order.server, version: order.version, ...done });
      }, fail);
    }
  });
  process.once("disconnect", () => process.exit(0));
}

/** All clients of one server. */
class Crowd {
  readonly #server: ServerName;
  readonly #book = new ProvedBook();
  readonly #lines: Line[];

  constructor({ server, port, count }: { server: ServerName; port: number; count: number }) {
    this.#server = server;
    this.#lines = Array.from({ length: count }, (_, index) => {
      const line = new Line(port, { subscribes: server === "ours" });
      line.onFrame = index === 0 ? (frame) => this.#book.apply(frame) : undefined;
      return line;
    });
  }

  begin(): void {
    for (const line of this.#lines) {
      line.forget();
    }
  }

  /** All of them hold a book. @returns the version of the first one's */
  async whenJoined(): Promise<number> {
    await this.#until(() => this.#book.version > 0 && this.#lines.every(({ messages }) => messages > 0));
    return this.#book.version;
  }

  /** The first one holds the version, and all received what it received. */
  async whenAt(version: number): Promise<{ hash: number; bytes: number; messages: number }> {
    const [first] = this.#lines;
    await this.#until(
      () =>
        this.#book.version >= version &&
        this.#lines.every((line) => line.bytes === first?.bytes && line.sum === first.sum),
    );
    return { hash: this.#book.hash, bytes: first?.bytes ?? 0, messages: first?.messages ?? 0 };
  }

  #describe(): string {
    const [first] = this.#lines;
    const behind = this.#lines.filter(({ bytes }) => bytes !== first?.bytes).length;
    const other = this.#lines.filter(({ bytes, sum }) => bytes === first?.bytes && sum !== first.sum).length;
    return `${behind} clients have more or fewer bytes than the first, ${other} other ones, was version ${this.#book.version}`;
  }

  async #until(holds: () => boolean): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!holds()) {
      if (performance.now() > deadline) {
        throw new Error(`Cannot trust the fan-out of ${this.#server}: ${this.#describe()}`);
      }
      await new Promise((resume) => setTimeout(resume, LOOK_MS));
    }
  }
}

/** A book that follows the frames and proves them. */
class ProvedBook {
  readonly #kernel: Kernel;
  readonly #memory: DataView;
  readonly #bytes: Uint8Array;
  readonly #replica: number;
  readonly #frame: number;

  constructor() {
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

  apply(frame: Uint8Array): void {
    this.#bytes.set(frame, this.#frame);
    this.#memory.setUint32(this.#replica + REPLICA_ALIAS, frame[ALIAS_OFFSET] ?? 0, true);
    const code = this.#kernel.frameApply(this.#replica, this.#frame, frame.byteLength);
    if (code < REPLICA_OK) {
      fail(new Error(`Cannot trust the fan-out: a frame was refused, was ${code}`));
    }
  }
}

/** One connection. */
class Line {
  /** Of binary messages since `forget`. */
  bytes = 0;
  messages = 0;
  sum = 0;
  onFrame: ((frame: Uint8Array) => void) | undefined;
  readonly #socket: Socket;
  readonly #subscribes: boolean;
  #rest: Buffer = Buffer.alloc(0);
  #isOpen = false;

  constructor(port: number, { subscribes }: { subscribes: boolean }) {
    this.#socket = connect({ host: "127.0.0.1", port, noDelay: true });
    const key = randomBytes(16).toString("base64");
    const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13";
    const protocol = subscribes ? `Sec-WebSocket-Protocol: ${SUBPROTOCOL_BINARY}\r\n` : "";
    const head = `GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\n${upgrade}\r\nSec-WebSocket-Key: ${key}\r\n${protocol}\r\n`;
    this.#socket.write(head);
    this.#socket.on("data", (chunk: Buffer) => this.#read(chunk));
    this.#socket.on("error", fail);
    this.#subscribes = subscribes;
  }

  forget(): void {
    this.bytes = 0;
    this.messages = 0;
    this.sum = 0;
  }

  #read(chunk: Buffer): void {
    let left = this.#rest.byteLength === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    if (!this.#isOpen) {
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
    this.#isOpen = true;
    if (this.#subscribes) {
      const text = JSON.stringify({ op: "subscribe", id: 1, channels: ["book"], instruments: [INSTRUMENT] });
      this.#socket.write(masked(text));
    }
  }

  #take(frame: Uint8Array): void {
    this.bytes += frame.byteLength;
    this.messages += 1;
    this.sum = crc32(frame, this.sum);
    this.onFrame?.(frame);
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

function fail(error: unknown): void {
  answer({ answer: "failed", reason: error instanceof Error ? error.message : String(error) });
}

function answer(message: ClientsAnswer): void {
  process.send?.(message);
}
