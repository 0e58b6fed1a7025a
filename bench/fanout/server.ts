/**
 * A server under test, in a process of its own: this project's gateway, or the plain way, which sends each delta to each
 * client as it comes. All of them follow the same ring, with the same kernel, and send the same bytes per delta; the time
 * that counts is the CPU time of the thread that serves, as the kernel of the system accounts it.
 * Bad case: a plain server that falls so far behind that the ring laps it; it says so and the benchmark fails.
 */

import type { WebSocket as NativeSocket } from "uWebSockets.js";
import { readFileSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { type WebSocket, WebSocketServer } from "ws";
import {
  DELTA_BYTES,
  FRAME_BYTES_MAX,
  REPLICA_ALIAS,
  REPLICA_EVENTS,
  REPLICA_FRAME_ADDRESS,
  REPLICA_HASH,
  REPLICA_INSTRUMENT_ID,
  REPLICA_NEXT_LEVEL,
  REPLICA_OK,
  REPLICA_VERSION,
  RING_DELTAS,
} from "../../assembly/layout.ts";
import { readAsset } from "../../src/assets.ts";
import { startGateway } from "../../src/gateway/mod.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import { MemoryMap, ReplicaJoiner, SegmentView, segmentBytes } from "../../src/segment/mod.ts";
import { readCount } from "../../src/wire/numbers.ts";
import type { FeederGround } from "./feeder.ts";
import {
  FANOUT_WORD,
  INSTRUMENT,
  type ServerAnswer,
  type ServerName,
  type ServerOrder,
  type ServerState,
} from "./words.ts";

const MIB = 1 << 20;
const CONFIG = { instrumentCapacity: 8, deltaCapacity: 65_536, tradeCapacity: 1024, imageAreaBytes: 24 * MIB };
const BATCH = 256;
const CHECK_EVERY = 64;
const NO_MORE_LEVELS = 0xffffffff;
const BACKPRESSURE_BYTES = 256 * MIB;

/** Thousands of clients come from one address here, and one of them answers no ping. */
const LIMITS = {
  connectionsMax: 20_000,
  connectionsPerAddressMax: 20_000,
  attemptsPerAddressPerSecondMax: 10_000,
  idleSeconds: 600,
};

/** What each kind of server offers. */
type Serving = { readonly port: number; state(): ServerState };

/** Serves until the parent is gone. */
export async function runServer(name: ServerName): Promise<void> {
  const map = new MemoryMap(512 * MIB);
  const segment = map.reserve("segment", { bytes: segmentBytes(CONFIG) });
  const arena = map.reserve("arena of the feeder", { bytes: 64 * MIB });
  const frame = map.reserve("frames", { bytes: 8 * MIB });
  const ground: FeederGround = { memory: map.memory, segment: segment.address, config: CONFIG, arena, frame };
  const feeder = new Worker(process.argv[1] ?? "", { argv: [FANOUT_WORD, "feeder"], workerData: ground });
  await new Promise((resolve) => {
    feeder.once("message", resolve);
  });
  const own = map.reserve("arena of the server", { bytes: 128 * MIB });
  const kernel = loadKernel({ name: "wasm", memory: map.memory, wasmBytes: readAsset("kernel.wasm") });
  kernel.arenaInit(own.address, own.bytes);
  const serving = await serve(name, kernel, segment.address);
  process.on("message", (order: ServerOrder) => {
    if (order.order === "burst") {
      feeder.once("message", (version: number) => answer({ answer: "fed", version }));
      feeder.postMessage(order);
    } else {
      answer({ answer: "report", cpuNs: threadCpuNs(), rss: process.memoryUsage.rss(), ...serving.state() });
    }
  });
  process.once("disconnect", () => process.exit(0));
  answer({ answer: "listening", port: serving.port });
}

async function serve(name: ServerName, kernel: Kernel, address: number): Promise<Serving> {
  if (name === "ours") {
    const gateway = await startGateway({ kernel, segments: [{ address }], port: 0, limits: LIMITS });
    return {
      port: gateway.port,
      state: () => {
        const book = gateway.book(INSTRUMENT);
        const { clients, gateway: own } = gateway.stats();
        return {
          version: Number(book?.version ?? 0),
          hash: book?.hash ?? 0,
          worstBytes: Math.max(0, ...clients.map(({ bufferedBytes }) => bufferedBytes)),
          conflatedUpdates: own.totals.conflatedUpdates,
          slowTimes: own.totals.slowTimes,
        };
      },
    };
  }
  const follower = new Follower(kernel, address);
  const port = name === "ws broadcast" ? await serveByWs(follower) : await serveByNative(follower);
  follower.start();
  return { port, state: () => ({ ...follower.book(), worstBytes: 0, conflatedUpdates: 0, slowTimes: 0 }) };
}

/** Follows the ring and hands each delta out as a frame of its own: what a server without batching does. */
class Follower {
  /** Sends one frame to every client; the bytes are valid during the call. */
  onFrame: (frame: Uint8Array) => void = () => undefined;
  readonly #kernel: Kernel;
  readonly #memory: DataView;
  readonly #bytes: Uint8Array;
  readonly #view: SegmentView;
  readonly #replica: number;
  readonly #reader: number;
  readonly #records: number;
  readonly #frame: number;
  #frames = 0;

  constructor(kernel: Kernel, address: number) {
    this.#kernel = kernel;
    this.#memory = new DataView(kernel.buffer);
    this.#bytes = new Uint8Array(kernel.buffer);
    this.#view = new SegmentView(kernel.buffer, address);
    this.#records = kernel.arenaAllocate(BATCH * DELTA_BYTES);
    this.#frame = kernel.arenaAllocate(FRAME_BYTES_MAX);
    this.#replica = kernel.replicaCreate();
    this.#reader = kernel.readerCreate(address, RING_DELTAS);
    const [entry] = this.#view.instruments();
    if (entry === undefined) {
      throw new Error("Cannot follow the ring: it has no instrument");
    }
    this.#memory.setUint32(this.#replica + REPLICA_INSTRUMENT_ID, entry.id, true);
    this.#memory.setUint32(this.#replica + REPLICA_ALIAS, 1, true);
    kernel.frameBufferCreate(this.#replica, 131_072);
    const scratch = kernel.arenaAllocate(BATCH * DELTA_BYTES);
    const joiner = new ReplicaJoiner(kernel, { segment: this.#view, scratch, scratchRecords: BATCH });
    const outcome = joiner.join(this.#replica, { entry: entry.address, until: this.#view.deltaTail });
    kernel.frameTake(this.#replica, 0);
    if (this.book().version !== this.#view.deltaTail) {
      throw new Error(`Cannot join the book: ${JSON.stringify(outcome)}, was version ${this.book().version}`);
    }
  }

  start(): void {
    setImmediate(() => this.#turn());
  }

  book(): { version: number; hash: number } {
    return {
      version: readCount(this.#memory, this.#replica + REPLICA_VERSION),
      hash: this.#memory.getUint32(this.#replica + REPLICA_HASH, true),
    };
  }

  /** The frames that give a client the book as it is now. */
  snapshot(): Uint8Array[] {
    const parts: Uint8Array[] = [];
    const next = this.#replica + REPLICA_NEXT_LEVEL;
    this.#memory.setUint32(next, 0, true);
    do {
      const bytes = this.#kernel.snapshotEncode(this.#replica, this.#frame, FRAME_BYTES_MAX);
      parts.push(this.#bytes.slice(this.#frame, this.#frame + bytes));
    } while (this.#memory.getUint32(next, true) !== NO_MORE_LEVELS);
    return parts;
  }

  #turn(): void {
    const count = this.#kernel.readerPoll(this.#reader, this.#records, BATCH);
    if (count < 0) {
      throw new Error(`Cannot keep up: the ring lapped this server, was ${count}`);
    }
    for (let index = 0; index < count; index++) {
      this.#apply(this.#records + index * DELTA_BYTES);
    }
    if (count > 0) {
      setImmediate(() => this.#turn());
    } else {
      setTimeout(() => this.#turn(), 1);
    }
  }

  #apply(record: number): void {
    const code = this.#kernel.replicaApply(this.#replica, record);
    if (code !== REPLICA_OK) {
      throw new Error(`Cannot apply a record: the replica refused it, was ${code}`);
    }
    if (this.#memory.getUint32(this.#replica + REPLICA_EVENTS, true) > 0) {
      this.#frames += 1;
      const bytes = this.#kernel.frameTake(this.#replica, this.#frames % CHECK_EVERY === 0 ? 1 : 0);
      const frame = this.#memory.getUint32(this.#replica + REPLICA_FRAME_ADDRESS, true);
      this.onFrame(this.#bytes.subarray(frame, frame + bytes));
    }
  }
}

async function serveByNative(follower: Follower): Promise<number> {
  const { default: native } = await import("uWebSockets.js");
  const sockets = new Set<NativeSocket<unknown>>();
  follower.onFrame = (frame) => {
    for (const socket of sockets) {
      socket.send(frame, true, false);
    }
  };
  const app = native.App().ws("/ws", {
    compression: native.DISABLED,
    maxBackpressure: BACKPRESSURE_BYTES,
    open: (socket) => {
      for (const part of follower.snapshot()) {
        socket.send(part, true, false);
      }
      sockets.add(socket);
    },
    close: (socket) => void sockets.delete(socket),
  });
  return await new Promise((resolve) => {
    app.listen("127.0.0.1", 0, (socket) => resolve(socket === false ? 0 : native.us_socket_local_port(socket)));
  });
}

async function serveByWs(follower: Follower): Promise<number> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
  const sockets = new Set<WebSocket>();
  follower.onFrame = (frame) => {
    const copy = Buffer.from(frame);
    for (const socket of sockets) {
      socket.send(copy, { binary: true });
    }
  };
  server.on("connection", (socket) => {
    for (const part of follower.snapshot()) {
      socket.send(part, { binary: true });
    }
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise((resolve) => {
    server.once("listening", resolve);
  });
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** CPU time of this process's main thread, ns; of the whole process where the system does not tell. */
function threadCpuNs(): number {
  try {
    const [running = ""] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, "utf8").split(" ");
    return Number(running);
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause)) {
      throw cause;
    }
    const { user, system } = process.cpuUsage();
    return (user + system) * 1000;
  }
}

function answer(message: ServerAnswer): void {
  process.send?.(message);
}
