/**
 * A command as a child process that is kept alive: started again with growing delays when it dies, ended when it hangs,
 * so that nobody else has to watch it. The child ends when its supervisor does, however that ends.
 * Bad case: a child whose configuration cannot be used; it is not started again, and its status is ours.
 */
import type { ChildProcess } from "node:child_process";
import { forkProgram } from "../assets.ts";
import { Backoff, type BackoffLimits } from "../sync/mod.ts";
import { HUNG_MS, producerOf, type SegmentFiles } from "./hung_producer.ts";
import type { Log } from "./log.ts";
import { runUntilStopped } from "./shutdown.ts";

/** How a child is kept. */
export type KeepOptions = {
  /** Words behind the program's name. */
  readonly words: readonly string[];
  /** What the child writes: there it shows that it lives. */
  readonly files: SegmentFiles;
  readonly backoff: BackoffLimits;
  readonly log: Log;
};

const LOOK_MS = 500;
/** Longer than the child gives itself. */
const STOP_MS = 1900;
const STATUS_UNUSABLE = 2;

/** Runs the program with these words as a child until told to stop. @returns the status to end with */
export async function keepAlive(options: KeepOptions): Promise<number> {
  const kept = new KeptChild(options);
  await runUntilStopped(() => kept.stop(), { ended: kept.refused, deadlineMs: STOP_MS });
  return kept.status;
}

/** Ends this process in an orderly way when the one that started it as its child is gone. */
export function followSupervisor(): void {
  const end = () => process.kill(process.pid, "SIGTERM");
  if (process.connected) {
    process.once("disconnect", end);
  } else if (process.send !== undefined) {
    // It went while this process still started: nobody will say so again.
    end();
  }
}

/** One child after the other. */
class KeptChild {
  /** Settles when the child says that it cannot be used. */
  readonly refused: Promise<void>;
  status = 0;
  readonly #options: KeepOptions;
  readonly #backoff: Backoff;
  readonly #watch: NodeJS.Timeout;
  #child: ChildProcess | undefined;
  #restart: NodeJS.Timeout | undefined;
  #isStopping = false;
  #silentLooks = 0;
  #refuse: () => void = () => undefined;

  constructor(options: KeepOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.backoff, Math.random);
    this.refused = new Promise((resolve) => {
      this.#refuse = resolve;
    });
    this.#watch = setInterval(() => this.#look(), LOOK_MS);
    this.#start();
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#watch);
    clearTimeout(this.#restart);
    const child = this.#child;
    if (child !== undefined) {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      // A child that is stopped takes no other signal.
      child.kill("SIGCONT");
      await ended;
    }
  }

  #start(): void {
    const child = forkProgram(this.#options.words);
    this.#child = child;
    this.#silentLooks = 0;
    this.#backoff.succeeded(performance.now());
    child.once("exit", (status, signal) => this.#ended(status, signal));
  }

  #ended(status: number | null, signal: string | null): void {
    this.#child = undefined;
    if (this.#isStopping) {
      return;
    }
    if (status === STATUS_UNUSABLE || status === 0) {
      this.status = status;
      this.#refuse();
      return;
    }
    const delay = Math.round(this.#backoff.failed(performance.now()));
    this.#options.log.error(
      `The collector ended with ${signal ?? `status ${status}`}: starting another in ${delay} ms`,
    );
    this.#restart = setTimeout(() => this.#start(), delay);
  }

  /** Silent at two looks one after the other: this process may have been stopped itself. */
  #look(): void {
    const { files, log } = this.#options;
    const producer = producerOf(files);
    const child = this.#child;
    if (child === undefined || producer === undefined || producer.pid !== child.pid || producer.silentMs <= HUNG_MS) {
      this.#silentLooks = 0;
      return;
    }
    this.#silentLooks += 1;
    if (this.#silentLooks === 2) {
      log.error(`The collector hangs: ending it, was pid ${child.pid}, silent for ${Math.round(producer.silentMs)} ms`);
      child.kill("SIGKILL");
    }
  }
}
