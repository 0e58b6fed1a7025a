/**
 * The other processes of a benchmark: started once, stopped (SIGSTOP) but for the one whose side is measured, so that
 * never more than two threads spin, and kept on another processor than ours; and the private folder that they share with
 * us, in memory where the system has such a file system. Bad case: a benchmark that ends by an error or a signal; peers die with this process, the folder is removed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { assetPath } from "../../src/assets.ts";
import type { Affinity } from "./affinity.ts";

/** How long a peer may take for anything, ms: machines are busy. */
export const PATIENCE_MS = 20_000;
/** First word of a command line that makes a peer of the benchmark program. */
export const PEER_WORD = "peer";

/** A process of the stage. */
export type Peer = {
  readonly child: ChildProcess;
  /** Spins until the peer gives a sign of life. @throws Error when it does not */
  readonly awake: () => void;
};

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** Peers and their folder. Thread: one. */
export class Stage {
  readonly directory: string;
  readonly #peers: ChildProcess[] = [];
  readonly #onExit = () => this.#end();
  readonly #onSignal = (signal: NodeJS.Signals) => process.exit(128 + constants.signals[signal]);
  readonly #affinity: Affinity | undefined;
  #active: Peer | undefined;

  /** @param affinity none: the system places all threads */
  constructor(affinity: Affinity | undefined) {
    this.#affinity = affinity;
    this.directory = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "alphapulse-bench-"));
    process.once("exit", this.#onExit);
    for (const signal of SIGNALS) {
      process.once(signal, this.#onSignal);
    }
  }

  /** Starts a peer that runs this program. @throws Error when the benchmarks were not built */
  startNode(role: string, words: readonly string[]): ChildProcess {
    return this.start(process.execPath, [assetPath("bench/main.js"), PEER_WORD, role, ...words]);
  }

  /** Starts a program as a peer. */
  start(program: string, words: readonly string[]): ChildProcess {
    const child = spawn(program, words, { stdio: ["ignore", "ignore", "inherit"] });
    child.on("error", (cause) => console.error(`Cannot start ${program}: ${cause.message}`));
    this.#peers.push(child);
    return child;
  }

  /** Keeps this thread on the processor that peers are not on. Threads that it starts from now on stay there as well. */
  settle(): void {
    this.#affinity?.pin(0, 0);
  }

  /** Lets only this peer run from now on. A peer that is not ours to stop stays as it is. */
  activate(peer: Peer | undefined): void {
    if (this.#active === peer) {
      return;
    }
    this.#active?.child.kill("SIGSTOP");
    this.#active = peer;
    if (peer !== undefined) {
      peer.child.kill("SIGCONT");
      peer.awake();
    }
  }

  /**
   * Waits until a peer is ready, keeps it away from our processor, and stops it until it is its turn.
   * @throws Error when it ended or is late
   */
  async ready(peer: Peer, isReady: () => boolean): Promise<Peer> {
    const { child } = peer;
    await eventually(isReady, child);
    if (child.pid !== undefined) {
      this.#affinity?.pin(child.pid, 1);
    }
    child.kill("SIGSTOP");
    return peer;
  }

  /** Ends all peers and removes the folder. */
  async close(): Promise<void> {
    process.off("exit", this.#onExit);
    for (const signal of SIGNALS) {
      process.off(signal, this.#onSignal);
    }
    this.#affinity?.release(0);
    const running = this.#peers.filter(isRunning);
    const ended = running.map((child) => new Promise((resolve) => child.once("exit", resolve)));
    this.#end();
    await Promise.all(ended);
  }

  #end(): void {
    for (const child of this.#peers.splice(0).filter(isRunning)) {
      child.kill("SIGKILL");
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Waits in the event loop. @param child whose end ends the waiting @throws Error when it ended or takes too long */
export async function eventually(isDone: () => boolean, child: ChildProcess): Promise<void> {
  for (const until = performance.now() + PATIENCE_MS; !isDone(); await pause(2)) {
    if (!isRunning(child) || performance.now() > until) {
      throw new Error(`Cannot measure across processes: ${child.spawnargs.slice(1).join(" ")} does not come up`);
    }
  }
}

/** Waits in this thread, spinning. @throws Error when it takes too long */
export function spinUntil(what: string, isDone: () => boolean): void {
  for (let spins = 0, until = 0; !isDone(); spins++) {
    if ((spins & 0xfff) === 0xfff) {
      until ||= performance.now() + PATIENCE_MS;
      if (performance.now() > until) {
        throw new Error(`Cannot measure across processes: ${what} takes longer than ${PATIENCE_MS} ms`);
      }
    }
  }
}

function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}
