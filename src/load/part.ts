/**
 * A process beside this one: this program again, as a part of a load test or of the demo, which says things as messages.
 * Bad case: it ends before it said what is awaited; the wait rejects with its status, and nothing is left running.
 */
import type { ChildProcess } from "node:child_process";
import { forkProgram } from "../assets.ts";
import { ConnectionError } from "../errors.ts";

const START_MS = 60_000;
const END_MS = 2500;

/** How a part is started. */
export type PartOptions = {
  /** Takes every message; whatever `next` awaits is among them. */
  readonly onMessage?: (message: unknown) => void;
  /** Takes every line that it prints. */
  readonly onLine?: (line: string) => void;
};

/** A part as its starter holds it. */
export class ProgramPart {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #takers = new Set<(message: unknown) => void>();
  readonly #lines = new Set<(line: string) => void>();
  readonly #ended: Promise<string>;
  #isEnding = false;

  /** @param words behind the program's name */
  constructor(name: string, words: readonly string[], options: PartOptions = {}) {
    this.name = name;
    const { onMessage, onLine } = options;
    this.#child = forkProgram(words, {
      stdio: ["ignore", "pipe", "inherit", "ipc"],
      env: plainEnvironment(),
    });
    this.#child.on("message", (message) => {
      onMessage?.(message);
      for (const take of [...this.#takers]) {
        take(message);
      }
    });
    let rest = "";
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        onLine?.(line);
        for (const take of [...this.#lines]) {
          take(line);
        }
      }
    });
    this.#ended = new Promise((resolve) => {
      this.#child.once("exit", (status, signal) => resolve(String(signal ?? status)));
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Whether it is gone although nobody ended it. */
  get isLost(): boolean {
    return !this.#isEnding && (this.#child.exitCode !== null || this.#child.signalCode !== null);
  }

  /** Rejects when it is gone although nobody ended it. */
  async died(): Promise<never> {
    const status = await this.#ended;
    if (this.#isEnding) {
      return await new Promise<never>(() => undefined);
    }
    throw this.#failure(`ended with ${status}`);
  }

  /** Says something to it; lost when it is gone. */
  say(message: object): void {
    if (this.#child.connected) {
      this.#child.send(message, () => undefined);
    }
  }

  /** The next message that fits. @throws ConnectionError when it ends before, or says nothing in time */
  next<Message>(fits: (message: unknown) => Message | undefined, patienceMs = START_MS): Promise<Message> {
    return this.#await(this.#takers, fits, patienceMs);
  }

  /** The next printed line that fits. @throws ConnectionError when it ends before, or prints nothing in time */
  nextLine<Found>(fits: (line: string) => Found | undefined, patienceMs = START_MS): Promise<Found> {
    return this.#await(this.#lines, fits, patienceMs);
  }

  /** Ends it in order, by force when it does not. */
  async end(patienceMs = END_MS): Promise<void> {
    this.#isEnding = true;
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill("SIGTERM");
      const timer = setTimeout(() => this.#child.kill("SIGKILL"), patienceMs);
      await this.#ended;
      clearTimeout(timer);
    }
  }

  #failure(reason: string): ConnectionError {
    return new ConnectionError(`Cannot run ${this.name}: it ${reason}, was pid ${this.pid}`);
  }

  #await<Given, Found>(
    takers: Set<(given: Given) => void>,
    fits: (given: Given) => Found | undefined,
    patienceMs: number,
  ): Promise<Found> {
    return new Promise((resolve, reject) => {
      const done = () => {
        takers.delete(take);
        clearTimeout(timer);
      };
      const fail = (reason: string) => {
        done();
        reject(this.#failure(reason));
      };
      const take = (given: Given) => {
        const found = fits(given);
        if (found !== undefined) {
          done();
          resolve(found);
        }
      };
      const timer = setTimeout(() => fail(`says nothing for ${patienceMs} ms`), patienceMs);
      takers.add(take);
      void this.#ended.then((status) => fail(`ended with ${status}`));
    });
  }
}

/** Settings in the environment are for the user's own servers. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const isSetting = (name: string) => name.startsWith("ALPHAPULSE_") || name === "EXCHANGE" || name === "SYMBOLS";
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !isSetting(name)));
}

/**
 * What a part does about its end: it ends with its starter, and leaves signals of a terminal to that.
 * @param close lets go of what would stay behind
 * @returns never settles: the process ends where it stands; who has nothing more to do awaits it
 */
export function followStarter(close: () => void): Promise<never> {
  process.on("SIGINT", () => undefined);
  const end = () => {
    close();
    process.exit(0);
  };
  process.once("SIGTERM", end);
  process.once("disconnect", end);
  if (!process.connected) {
    // The starter went while this part still started: nobody will say so again.
    end();
  }
  return new Promise(() => undefined);
}
