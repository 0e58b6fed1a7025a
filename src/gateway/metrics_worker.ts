/**
 * The thread that renders metrics: it reads the shared memory while the gateway goes on, and gives the text back without a copy.
 * Bad case: an answer that fails; the reason goes back in its place, the thread stays.
 */
import { parentPort, workerData } from "node:worker_threads";
import { MetricsText } from "./metrics_text.ts";
import type { RenderAnswer, RenderRequest } from "./metrics_thread.ts";

const text = new MetricsText((workerData as { memory: ArrayBufferLike }).memory);

parentPort?.on("message", ({ serial, sample }: RenderRequest) => {
  const { user, system } = process.cpuUsage();
  const figures = {
    cpuUserSeconds: user / 1e6,
    cpuSystemSeconds: system / 1e6,
    residentBytes: process.memoryUsage.rss(),
    nodeVersion: process.versions.node,
    monotonicNs: process.hrtime.bigint(),
    nowMs: () => performance.now(),
  };
  text.render(sample, figures).then(
    (rendered) => {
      const bytes = new TextEncoder().encode(rendered);
      parentPort?.postMessage({ serial, bytes } satisfies RenderAnswer, [bytes.buffer]);
    },
    (error: unknown) => {
      const failure = error instanceof Error ? error.message : String(error);
      parentPort?.postMessage({ serial, failure } satisfies RenderAnswer);
    },
  );
});
