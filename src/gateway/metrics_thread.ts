/**
 * The gateway's side of the rendering thread: started with the first scrape, so that whoever never scrapes has no such thread,
 * and started anew when it died. Bad case: it does not answer; the scrape fails after its patience, and the thread is replaced.
 */
import { Worker } from "node:worker_threads";
import type { MetricsRenderer } from "./metrics.ts";
import type { MetricsSample } from "./metrics_sample.ts";

const PATIENCE_MS = 10_000;

/** To the thread. */
export type RenderRequest = { readonly serial: number; readonly sample: MetricsSample };
/** From the thread. */
export type RenderAnswer =
  | { readonly serial: number; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly serial: number; readonly failure: string };

type Waiting = { resolve: (bytes: Uint8Array) => void; reject: (error: Error) => void; timer: NodeJS.Timeout };

/** Renders on a thread of its own. */
export class MetricsThread implements MetricsRenderer {
  readonly #memory: ArrayBufferLike;
  readonly #script: () => URL;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #serial = 0;
  #names: readonly string[] = [];

  /** @param options.memory shared, with segments and histograms @param options.script of the thread */
  constructor(options: { memory: ArrayBufferLike; script: () => URL }) {
    this.#memory = options.memory;
    this.#script = options.script;
  }

  /** @returns UTF-8; rejects with the reason when the thread failed */
  render(sample: MetricsSample): Promise<Uint8Array> {
    this.#names = sample.names ?? this.#names;
    const isFresh = this.#worker === undefined;
    return new Promise((resolve, reject) => {
      const worker = this.#worker ?? this.#start();
      this.#worker = worker;
      this.#serial += 1;
      const serial = this.#serial;
      const timer = setTimeout(() => this.#give(worker, `no answer for ${PATIENCE_MS} ms`), PATIENCE_MS);
      timer.unref();
      this.#waiting.set(serial, { resolve, reject, timer });
      const request: RenderRequest = { serial, sample: isFresh ? { ...sample, names: this.#names } : sample };
      worker.postMessage(request, [sample.rows.buffer]);
    });
  }

  close(): void {
    if (this.#worker !== undefined) {
      this.#give(this.#worker, "the gateway ends");
    }
  }

  #start(): Worker {
    const worker = new Worker(this.#script(), { workerData: { memory: this.#memory } });
    worker.unref();
    worker.on("message", (answer: RenderAnswer) => this.#answered(answer));
    worker.on("error", (error) => this.#give(worker, error.message));
    worker.on("exit", (code) => this.#give(worker, `the thread ended with ${code}`));
    return worker;
  }

  #answered(answer: RenderAnswer): void {
    const waiting = this.#waiting.get(answer.serial);
    this.#waiting.delete(answer.serial);
    clearTimeout(waiting?.timer);
    if ("bytes" in answer) {
      waiting?.resolve(answer.bytes);
    } else {
      waiting?.reject(new RangeError(`Cannot render metrics: ${answer.failure}, was scrape ${answer.serial}`));
    }
  }

  /** Gives a thread up; another is started with the next scrape. */
  #give(worker: Worker, reason: string): void {
    if (this.#worker !== worker) {
      return;
    }
    this.#worker = undefined;
    worker.terminate().catch((error: Error) => error);
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new RangeError(`Cannot render metrics: ${reason}, was thread ${worker.threadId}`));
    }
    this.#waiting.clear();
  }
}
