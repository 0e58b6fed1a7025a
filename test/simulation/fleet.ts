/**
 * Runs many worlds: in this process, or in several that take one seed after the other. A world is a function of its seed,
 * so it does not matter who runs it. Bad case: a process that dies; its seed is reported as a violation and the others go on.
 */
import { type ChildProcess, fork } from "node:child_process";
import type { Arguments } from "./arguments.ts";
import { addReport, describeViolation, emptyReport, type Report } from "./report.ts";
import { runWorld } from "./world.ts";

type Task = { readonly seed: number };
type Answer = { readonly seed: number; readonly report: Report };

const PROGRESS_MS = 5000;

/** Runs all worlds of a command. @param program this program, to be started again */
export async function runFleet(options: Arguments, program: string): Promise<Report> {
  const fleet = new Fleet(options);
  const jobs = Math.min(options.jobs, options.seeds);
  await Promise.all(Array.from({ length: jobs }, () => (jobs === 1 ? fleet.runHere() : fleet.runThere(program))));
  return fleet.report;
}

/** Answers the seeds that a fleet sends. */
export function serveFleet(): void {
  process.on("message", ({ seed }: Task) => {
    runWorld(seed).then(
      (report) => process.send?.({ seed, report } satisfies Answer),
      (error: unknown) => {
        process.stderr.write(`seed ${seed}: ${error instanceof Error ? error.stack : String(error)}\n`);
        process.exit(1);
      },
    );
  });
}

class Fleet {
  readonly report = emptyReport();
  readonly #options: Arguments;
  readonly #startedMs = performance.now();
  #next: number;
  #saidMs = performance.now();

  constructor(options: Arguments) {
    this.#options = options;
    this.#next = options.seed;
  }

  /** One world after the other, in this process. */
  async runHere(): Promise<void> {
    for (let seed = this.#take(); seed !== undefined; seed = this.#take()) {
      this.#add(await runWorld(seed));
    }
  }

  /** One world after the other, in another process. */
  async runThere(program: string): Promise<void> {
    for (let seed = this.#take(); seed !== undefined; ) {
      const child = fork(program, ["--worker"], {
        execArgv: ["--enable-source-maps"],
        stdio: ["ignore", "inherit", "inherit", "ipc"],
      });
      seed = await this.#lead(child, seed);
    }
  }

  /** @returns the seed to go on with in another process; undefined when all is done */
  #lead(child: ChildProcess, first: number): Promise<number | undefined> {
    return new Promise((resolve) => {
      let seed: number | undefined = first;
      child.send({ seed } satisfies Task);
      child.on("message", ({ report }: Answer) => {
        this.#add(report);
        seed = this.#take();
        if (seed === undefined) {
          child.disconnect();
        } else {
          child.send({ seed } satisfies Task);
        }
      });
      child.once("exit", (status, signal) => {
        if (seed !== undefined) {
          this.#lose(seed, String(signal ?? status));
          seed = this.#take();
        }
        resolve(seed);
      });
    });
  }

  #take(): number | undefined {
    const { seed, seeds, isFailFast } = this.#options;
    const isOver = this.#next >= seed + seeds || (isFailFast && this.report.violations.length > 0);
    this.#next += isOver ? 0 : 1;
    return isOver ? undefined : this.#next - 1;
  }

  #add(one: Report): void {
    addReport(this.report, one);
    for (const violation of one.violations) {
      process.stderr.write(`${describeViolation(violation)}\n`);
    }
    const now = performance.now();
    if (now - this.#saidMs >= PROGRESS_MS) {
      this.#saidMs = now;
      const { seeds, events, violations } = this.report;
      const seconds = Math.round((now - this.#startedMs) / 1000);
      const text = `${seeds} of ${this.#options.seeds} worlds, ${events} events, ${violations.length} violations, ${seconds} s`;
      process.stderr.write(`${text}\n`);
    }
  }

  #lose(seed: number, found: string): void {
    const what = "a world runs to its end";
    this.report.seeds += 1;
    const violation = { seed, atS: 0, exchange: "", instrument: "", what, expected: "a report", found };
    this.report.violations.push(violation);
    process.stderr.write(`${describeViolation(violation)}\n`);
  }
}
