/**
 * The processes of the pipeline benchmark: the load, and the three sides, each with an exchange of its own. Production runs
 * as its users run it: `serve`, from the built program. All stay up; who is not measured sleeps. Where threads can be
 * pinned the load has one processor and every side the other one, all of its threads: nobody is timed by who moved whom.
 * Bad case: a process that dies or never answers; the benchmark fails with its name, and all processes are ended.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assetPath, packageFolder } from "../../src/assets.ts";
import { Part } from "../fanout/mod.ts";
import { Affinity } from "../processes/affinity.ts";
import { runBare, runBareWorker } from "./bare.ts";
import { runLoad } from "./load.ts";
import { runStack } from "./stack.ts";
import {
  type BurstResult,
  type LoadAnswer,
  type LoadOrder,
  PIPELINE_WORD,
  ROLES,
  SIDES,
  type SideAnswer,
  type SideName,
} from "./words.ts";

export { PIPELINE_WORD, SIDES, type SideName } from "./words.ts";

const SHARED_MEMORY = "/dev/shm";
const START_MS = 60_000;
const LOOK_MS = 100;

/** A burst, and the CPU time of all threads of the side for it. */
export type Burst = BurstResult & { readonly cpuUsPerFrame: number };

/** Plays the role of a process that this benchmark started. @param words role and, of a side, the port of its exchange */
export async function runPipelineProcess([role, port]: readonly string[]): Promise<void> {
  if (role === ROLES.bare) {
    await runBare(Number(port));
  } else if (role === ROLES.stack) {
    await runStack(Number(port));
  } else if (role === ROLES.bareWorker) {
    runBareWorker();
  } else {
    await runLoad();
  }
}

/** The load with all sides connected. */
export class PipelineStage {
  /** What the exchange sends: `captures` or `made up`. */
  source = "";
  /** Of a frame with its header, on average. */
  frameBytes = 0;
  /** The load has a processor of its own, and so has the side. */
  readonly isPinned: boolean;
  readonly #load = new Part<LoadAnswer>([PIPELINE_WORD, ROLES.load]);
  readonly #sides = new Map<SideName, Side>();

  /** Use `open`: it starts the sides, too. */
  constructor(isPinned: boolean) {
    this.isPinned = isPinned;
  }

  /** Starts everything: the load on one processor, which it spins on, and every side on another. */
  static async open(): Promise<PipelineStage> {
    const affinity = await Affinity.open();
    // Children take over where the thread that starts them may run.
    affinity?.pin(0, 0);
    const stage = new PipelineStage(affinity !== undefined);
    affinity?.pin(0, 1);
    try {
      for (const side of SIDES) {
        await stage.#connect(side);
      }
    } catch (error) {
      stage.close();
      throw error;
    } finally {
      affinity?.release(0);
    }
    return stage;
  }

  /** Sends frames through one side at a rate, and waits until the client has and proves everything. */
  async burst(side: SideName, { frames, perSecond }: { frames: number; perSecond: number }): Promise<Burst> {
    const pid = this.#sides.get(side)?.pid ?? 0;
    const before = cpuNs(pid);
    const order: LoadOrder = { order: "burst", side, frames, perSecond };
    const { answer: _, ...done } = await this.#load.ask(order, "done");
    return { ...done, cpuUsPerFrame: (cpuNs(pid) - before) / 1000 / frames };
  }

  /** Ends every process. */
  close(): void {
    this.#load.end();
    for (const side of this.#sides.values()) {
      side.end();
    }
  }

  async #connect(name: SideName): Promise<void> {
    const exchange: LoadOrder = { order: "exchange", side: name };
    const { port, source, frameBytes } = await this.#load.ask(exchange, "exchange");
    this.source = source;
    this.frameBytes = frameBytes;
    const side = name === "ours" ? await startServe(port) : await startPart(name, port);
    this.#sides.set(name, side);
    const join: LoadOrder = { order: "join", side: name, port: side.port };
    await this.#load.ask(join, "joined");
  }
}

type Side = { readonly port: number; readonly pid: number; readonly end: () => void };

async function startPart(name: SideName, exchangePort: number): Promise<Side> {
  const role = name === "bare pipe" ? ROLES.bare : ROLES.stack;
  const part = new Part<SideAnswer>([PIPELINE_WORD, role, String(exchangePort)]);
  try {
    const { port, pid } = await part.next("listening");
    return { port, pid, end: () => part.end() };
  } catch (error) {
    part.end();
    throw error;
  }
}

/** Production as it is run, with a directory of segments of its own; audits would ask this exchange for what it does not have. */
async function startServe(exchangePort: number): Promise<Side> {
  // Where production puts them by default: files on a disk are written back now and then, and that is felt.
  const directory = await mkdtemp(join(existsSync(SHARED_MEMORY) ? SHARED_MEMORY : tmpdir(), "alphapulse-bench-"));
  const settings = [
    `exchanges.coinbase_exchange.websocket_urls=ws://127.0.0.1:${exchangePort}`,
    `exchanges.coinbase_exchange.rest_url=http://127.0.0.1:${exchangePort}`,
    "collector.audit_period_ms=0",
    // A client that waits for its turn answers no ping.
    "gateway.idle_seconds=900",
    `segment.directory=${directory}`,
  ];
  const child = spawn(
    process.execPath,
    [
      assetPath("main.js"),
      "serve",
      ...["--exchange", "coinbase_exchange", "--symbols", "BTC-USD", "--port", "0", "--log-level", "warn"],
      ...settings.flatMap((setting) => ["--set", setting]),
    ],
    { cwd: packageFolder(), stdio: ["ignore", "pipe", "inherit"] },
  );
  // Before anything else: a program that ends by itself leaves its segments as well, and nobody could say so later.
  child.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  const end = () => void child.kill("SIGINT");
  try {
    const port = await listeningPort(child);
    await awaitBook(port);
    return { port, pid: child.pid ?? 0, end };
  } catch (error) {
    end();
    throw error;
  }
}

function listeningPort(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`Cannot start serve: it says nothing for ${START_MS} ms`)),
      START_MS,
    );
    child.once("exit", (status) => reject(new Error(`Cannot start serve: it ended, was ${status}`)));
    child.stdout?.on("data", (text: Buffer) => {
      const port = /http:\/\/127\.0\.0\.1:(\d+)/.exec(text.toString())?.[1];
      if (port !== undefined) {
        clearTimeout(timer);
        resolve(Number(port));
      }
    });
  });
}

/** Waits until the book is synced. */
async function awaitBook(port: number): Promise<void> {
  for (const startedAt = performance.now(); performance.now() - startedAt < START_MS; ) {
    const health = (await (await fetch(`http://127.0.0.1:${port}/api/v1/system/health`)).json()) as { status: string };
    if (health.status === "ok") {
      return;
    }
    await new Promise((resume) => setTimeout(resume, LOOK_MS));
  }
  throw new Error(`Cannot measure: the book was not synced within ${START_MS} ms`);
}

/** CPU time of all threads of a process, ns; 0 where the system does not tell. */
function cpuNs(pid: number): number {
  try {
    const folder = `/proc/${pid}/task`;
    return readdirSync(folder).reduce(
      (sum, thread) => sum + Number(readFileSync(`${folder}/${thread}/schedstat`, "utf8").split(" ")[0]),
      0,
    );
  } catch (cause) {
    if (cause instanceof Error && "code" in cause) {
      return 0;
    }
    throw cause;
  }
}
