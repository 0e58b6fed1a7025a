/**
 * The processes of the garbage benchmark: one that is an exchange, and one for each measurement, with the young generation
 * as large as counting needs or as collectors have it. They run a bundle of their own, because what the other benchmarks load would
 * be most of the heap whose collections are watched.
 * Bad case: a process that dies or never answers; the benchmark fails with its role, and all of them are ended.
 */
import { type ChildProcess, fork } from "node:child_process";
import { assetPath } from "../../src/assets.ts";
import type { GarbageAnswer, GarbageOrder, GarbageReport, GarbageRole } from "./words.ts";

export type { GarbageReport, GarbageWindow } from "./words.ts";

const PATIENCE_MS = 180_000;
/** No window of `count` allocates so much. */
const LARGE_YOUNG = ["--min-semi-space-size=256", "--max-semi-space-size=256"];

/**
 * What `quietHeap` sets reaches threads that are started after it, as collectors are. These processes measure on their first
 * thread, whose memory reducer is there before any line of ours: it would collect everything in the middle, for 8 to 50 ms.
 */
const AS_COLLECTORS = "--no-memory-reducer";

/** Measures in a process of its own. */
export async function measureApart(
  role: "memory" | "sockets",
  order: Omit<GarbageOrder, "port">,
): Promise<GarbageReport> {
  const exchange = role === "sockets" ? start("exchange", { ...order, port: 0 }) : undefined;
  let child: ChildProcess | undefined;
  try {
    const listening = exchange && (await next(exchange, "listening"));
    const port = listening?.answer === "listening" ? listening.port : 0;
    child = start(role, { ...order, port });
    const measured = await next(child, "measured");
    if (measured.answer !== "measured") {
      throw new Error(`Cannot measure ${role}: it must answer measured, was ${measured.answer}`);
    }
    return measured.report;
  } finally {
    exchange?.kill();
    child?.kill();
  }
}

function start(role: GarbageRole, order: GarbageOrder): ChildProcess {
  const young = order.mode === "count" && role !== "exchange" ? LARGE_YOUNG : [];
  const execArgv = role === "exchange" ? [] : ["--expose-gc", AS_COLLECTORS, ...young];
  return fork(assetPath("bench/garbage.js"), [role, JSON.stringify(order)], { execArgv });
}

/** @throws Error when the process ends, fails, or takes too long */
function next(child: ChildProcess, kind: GarbageAnswer["answer"]): Promise<GarbageAnswer> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string) => {
      settle();
      reject(new Error(reason));
    };
    const listen = (message: GarbageAnswer) => {
      if (message.answer === kind) {
        settle();
        resolve(message);
      } else if (message.answer === "failed") {
        fail(message.reason);
      }
    };
    const ended = (code: number | null) => fail(`Cannot measure garbage: a process ended, was exit status ${code}`);
    const timer = setTimeout(() => fail(`Cannot measure garbage: no answer ${kind} in time`), PATIENCE_MS);
    const settle = () => {
      clearTimeout(timer);
      child.off("message", listen).off("exit", ended);
    };
    child.on("message", listen).on("exit", ended);
  });
}
