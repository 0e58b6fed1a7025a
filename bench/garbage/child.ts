/**
 * A process of the garbage benchmark: role and order on the command line, the answer as a message to its parent.
 * Bad case: a measurement that fails; the parent is told why.
 */
import { quietHeap } from "../../src/feed/quiet_heap.ts";
import { runExchange } from "./exchange.ts";
import { measureFromMemory } from "./from_memory.ts";
import { measureFromSockets } from "./from_sockets.ts";
import type { GarbageAnswer, GarbageOrder } from "./words.ts";

const [role, text = "{}"] = process.argv.slice(2);
const order = JSON.parse(text) as GarbageOrder;
if (role === "exchange") {
  await runExchange(order.perSecond);
} else {
  quietHeap();
  try {
    const report = await (role === "memory" ? measureFromMemory(order) : measureFromSockets(order));
    answer({ answer: "measured", report });
  } catch (error) {
    answer({ answer: "failed", reason: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
  process.disconnect();
}

function answer(message: GarbageAnswer): void {
  process.send?.(message);
}
