/**
 * The processes of the shared-memory load as they run: each takes its options as JSON and speaks by messages.
 * Bad case: the starter goes away; they end, and the segment with them.
 */
import type { ProducerMessage, ProducerOrder, ReaderMessage, ReaderOrder } from "./memory_load.ts";
import { type MemoryOrder, MemoryProducer } from "./memory_producer.ts";
import { MemoryReader, type MemoryReaderOptions } from "./memory_reader.ts";
import { followStarter } from "./part.ts";

const IDLE_MS = 50;

/** The producer. @param options a MemoryOrder as JSON @throws MappingError when this machine cannot share memory */
export async function runMemoryProducer(options: string): Promise<void> {
  const producer = await MemoryProducer.start(JSON.parse(options) as MemoryOrder);
  const ended = followStarter(() => producer.close());
  setInterval(() => producer.idle(), IDLE_MS);
  const say = (message: ProducerMessage) => process.send?.(message);
  await new Promise<void>((resolve) => {
    process.on("message", (order: ProducerOrder) => {
      if (order.kind === "stop") {
        producer.stop();
      }
      resolve();
    });
    say({ kind: "ready" });
  });
  const end = await producer.run((marked) => say({ kind: "progress", marked }));
  say({ kind: "end", end });
  // Readers finish while it gives signs of life; the starter ends it.
  await ended;
}

/** A reader. @param options MemoryReaderOptions as JSON @throws MappingError when this machine cannot share memory */
export async function runMemoryReader(options: string): Promise<void> {
  const reader = await MemoryReader.start(JSON.parse(options) as MemoryReaderOptions);
  void followStarter(() => undefined);
  const say = (message: ReaderMessage) => process.send?.(message);
  process.on("message", (order: ReaderOrder) => {
    if (order.kind === "conclude") {
      reader.conclude(order.end);
    } else {
      reader.stop();
    }
  });
  const findings = await reader.run(() => say({ kind: "attached" }));
  say({ kind: "findings", findings });
}
