/**
 * The bare pipe: our own WebSocket receiver in a worker thread, a ring in shared memory, the wake-up and sleep that
 * production uses, and uWebSockets.js in the main thread; bytes come out as they went in, and nobody looks at them. What it
 * takes is what the transports, two threads and this machine take.
 *
 *   exchange ══ receiver ══ worker ── ring, Atomics.notify ── main: Atomics.waitAsync ══ uWebSockets.js ══ client
 *
 * Bad case: a main thread that falls a whole ring behind; it says so and ends, rather than to pass on what was overwritten.
 */
import { parentPort, Worker, workerData } from "node:worker_threads";
import { openWebSocket } from "../../src/feed/socket.ts";
import { createUwsTransport } from "../../src/gateway/mod.ts";
import { nativeWaitAsync } from "../../src/gateway/pump.ts";
import type { TransportServer } from "../../src/gateway/transport.ts";
import { NATIVE, PIPELINE_WORD, ROLES, type SideAnswer } from "./words.ts";

/** Half of it holds more than a burst: a thread that the system keeps waiting must not end the run. */
const RING_BYTES = 1 << 25;
/** Words in front of the ring: its tail in units of UNIT_BYTES, and whether the reader sleeps. */
const TAIL = 0;
const WAITING = 1;
const HEAD_BYTES = 64;
const LENGTH_BYTES = 4;
const UNIT_BYTES = 8;
/** Instead of a length: the next frame stands at the ring's beginning. */
const WRAP = 0xffffffff;
const WAIT_MS = 100;
/** Larger ones are snapshots: no update of the market is so large, and clients need none. */
const FRAME_BYTES_MAX = 16_384;
/** `{"type":"s…` is an acknowledgement, `{"type":"l…` an update. */
const KIND_AT = '{"type":"'.length;
const SUBSCRIPTIONS_LETTER = "s".charCodeAt(0);
const TOPIC = "frames";

type Ground = { readonly memory: SharedArrayBuffer; readonly exchangePort: number };

/** Serves until the parent is gone. @param exchangePort of the exchange */
export async function runBare(exchangePort: number): Promise<void> {
  const memory = new SharedArrayBuffer(HEAD_BYTES + RING_BYTES);
  const ground: Ground = { memory, exchangePort };
  const worker = new Worker(process.argv[1] ?? "", { argv: [PIPELINE_WORD, ROLES.bareWorker], workerData: ground });
  await new Promise((resolve) => {
    worker.once("message", resolve);
  });
  const nothing = () => undefined;
  const transport = await createUwsTransport();
  const server = await transport.listen({
    host: "127.0.0.1",
    port: 0,
    webSocketPaths: ["/ws"],
    messageBytesMax: 65_536,
    backpressureBytesMax: 256 << 20,
    idleSeconds: 600,
    handlers: {
      upgrade: () => ({ protocol: "", remote: "" }),
      open: (connection) => connection.subscribe(TOPIC),
      ...{ message: nothing, drain: nothing, dropped: nothing, close: nothing },
      request: () => ({ status: 404, headers: {}, body: "" }),
    },
  });
  pass(memory, server);
  process.send?.({ answer: "listening", port: server.port, pid: process.pid } satisfies SideAnswer);
  process.once("disconnect", () => process.exit(0));
}

/** The main thread's loop: publish what stands in the ring, then sleep as the gateway's pump does. */
function pass(memory: SharedArrayBuffer, server: TransportServer): void {
  const words = new Int32Array(memory);
  const waitAsync = nativeWaitAsync();
  const reader = new PipeReader(memory);
  let isScheduled = false;
  let isAsleep = false;
  const soon = () => {
    isScheduled = true;
    setImmediate(turn);
  };
  const rise = () => {
    isAsleep = false;
    if (!isScheduled) {
      turn();
    }
  };
  const turn = () => {
    isScheduled = false;
    const tail = Atomics.load(words, TAIL);
    reader.readTo(tail, (frame) => server.publish(TOPIC, frame));
    if (isAsleep) {
      return;
    }
    const wait = waitAsync?.({ words, index: TAIL, value: tail }, WAIT_MS);
    if (wait === undefined || typeof wait.value === "string") {
      soon();
      return;
    }
    isAsleep = true;
    wait.value.then(rise, rise);
    Atomics.store(words, WAITING, 1);
    if (Atomics.load(words, TAIL) !== tail) {
      soon();
    }
  };
  turn();
}

/** The reading end of the ring. */
export class PipeReader {
  readonly #bytes: Uint8Array;
  readonly #lengths: DataView;
  #cursor = 0;

  constructor(memory: SharedArrayBuffer) {
    this.#bytes = new Uint8Array(memory, HEAD_BYTES);
    this.#lengths = new DataView(memory, HEAD_BYTES);
  }

  /** Hands out every frame before the tail; the bytes are valid during the call. @throws Error when it was overtaken */
  readTo(tail: number, take: (frame: Uint8Array) => void): void {
    if ((tail - this.#cursor) * UNIT_BYTES > this.#bytes.byteLength / 2) {
      throw new Error(`Cannot keep up: the ring is full, was ${(tail - this.#cursor) * UNIT_BYTES} bytes behind`);
    }
    const size = this.#bytes.byteLength;
    while (this.#cursor < tail) {
      const at = (this.#cursor * UNIT_BYTES) % size;
      const length = this.#lengths.getUint32(at, true);
      if (length === WRAP) {
        this.#cursor += (size - at) / UNIT_BYTES;
      } else {
        take(this.#bytes.subarray(at + LENGTH_BYTES, at + LENGTH_BYTES + length));
        this.#cursor += Math.ceil((LENGTH_BYTES + length) / UNIT_BYTES);
      }
    }
  }
}

/** The writing end of the ring. */
export class PipeWriter {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #lengths: DataView;
  #tail = 0;

  /** @param memory RING_BYTES or another multiple of 8 behind the 64 of its head */
  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.#bytes = new Uint8Array(memory, HEAD_BYTES);
    this.#lengths = new DataView(memory, HEAD_BYTES);
  }

  /** Copies a frame behind the tail. */
  write(frame: Uint8Array): void {
    const size = this.#bytes.byteLength;
    let at = (this.#tail * UNIT_BYTES) % size;
    if (at + LENGTH_BYTES + frame.byteLength > size) {
      this.#lengths.setUint32(at, WRAP, true);
      this.#tail += (size - at) / UNIT_BYTES;
      at = 0;
    }
    this.#lengths.setUint32(at, frame.byteLength, true);
    this.#bytes.set(frame, at + LENGTH_BYTES);
    this.#tail += Math.ceil((LENGTH_BYTES + frame.byteLength) / UNIT_BYTES);
  }

  /** Moves the tail, and wakes the reader if it sleeps. @returns the tail */
  publish(): number {
    Atomics.store(this.#words, TAIL, this.#tail);
    if (Atomics.exchange(this.#words, WAITING, 0) !== 0) {
      Atomics.notify(this.#words, TAIL);
    }
    return this.#tail;
  }
}

/** The worker thread: frames into the ring, one wake-up for what came in one piece, as the collector does. */
export function runBareWorker(): void {
  const { memory, exchangePort } = workerData as Ground;
  const writer = new PipeWriter(memory);
  let isDue = false;
  const publish = () => {
    isDue = false;
    writer.publish();
  };
  const socket = openWebSocket(
    `ws://127.0.0.1:${exchangePort}`,
    {
      opened: () => socket.send(JSON.stringify({ type: "subscribe", product_ids: [NATIVE], channels: ["bare"] })),
      frame: (frame) => {
        if (frame.byteLength > FRAME_BYTES_MAX) {
          parentPort?.postMessage("snapshot");
          return;
        }
        if (frame[KIND_AT] !== SUBSCRIPTIONS_LETTER) {
          writer.write(frame);
          if (!isDue) {
            isDue = true;
            queueMicrotask(publish);
          }
        }
      },
      alive: () => undefined,
      closed: (reason) => {
        throw new Error(`Cannot go on: the exchange is gone, was ${reason}`);
      },
    },
    { frameBytesMax: 64 << 20 },
  );
}
