/**
 * The client in a Web Worker: socket, decoder, books and proofs run there, and this thread mirrors the books by what changed
 * in them, once per 16 ms at most. For browsers, Deno and Bun. No memory is shared, so that no special headers are needed.
 * Bad case: a page that wants every single change; here it gets what a frame brought together, and the last book of it.
 *
 * @example
 * const client = connectWorker("ws://127.0.0.1:8765/ws");
 * const book = client.book("kraken:BTC-USD");
 */
import { createClient, type StreamClient } from "./client.ts";
import type { ConnectOptions } from "./mod.ts";
import { TIMING } from "./socket.ts";
import { WorkerBackend, type WorkerLike } from "./worker_backend.ts";

export type * from "./mod.ts";
export type { WorkerLike } from "./worker_backend.ts";

/** Where a gateway serves the worker's script. */
const SCRIPT_PATH = "/client_worker_script.js";

/** How a client in a worker connects. */
export type WorkerOptions = Pick<ConnectOptions, "form" | "verify" | "timing" | "eventsMax"> & {
  /** A worker that runs `alphapulse/client/worker_script`, or the address of that script; default the one of the page's gateway. */
  readonly worker?: string | URL | WorkerLike;
};

/**
 * Connects to a gateway from a worker.
 * @param url `ws://HOST:PORT/ws`
 * @throws TypeError when the runtime has no Worker and none was given
 */
export function connectWorker(url: string, options: WorkerOptions = {}): StreamClient {
  const { form = "binary", verify = true, eventsMax } = options;
  const worker = workerOf(options.worker ?? SCRIPT_PATH);
  const settings = { form, isVerified: verify, timing: { ...TIMING, ...options.timing }, worker };
  return createClient((emit) => new WorkerBackend(url, settings, emit), { eventsMax });
}

function workerOf(worker: string | URL | WorkerLike): WorkerLike {
  if (typeof worker === "object" && "postMessage" in worker) {
    return worker;
  }
  if (globalThis.Worker === undefined) {
    throw new TypeError("Cannot connect: this runtime has no Worker, pass one as options.worker, was undefined");
  }
  return new Worker(worker, { type: "module" }) as WorkerLike;
}
