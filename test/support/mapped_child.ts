/**
 * Processes of this repository for tests outside vitest too: started with pipes, killed by their own id, scripts bundled
 * once. Bad case: one that outlives its starter; whoever starts it must `endChild` it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, renameSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { build } from "esbuild";
import { packageFolder } from "../../src/assets.ts";

/** Of /proc/<pid>/stat, behind the name in brackets: time in the program; the next one is that in the system. */
const USER_FIELD = 11;
/** USER_HZ of Linux on x64. */
const TICKS_PER_SECOND = 100;

/** A process. */
export type Child = {
  readonly name: string;
  readonly child: ChildProcess;
  readonly stderr: () => string;
  readonly ended: Promise<number | null>;
  /** Whoever started it wants it to end. */
  isDone: boolean;
};

/** What a child says. */
export type ChildLines = { readonly out?: (line: string) => void; readonly error?: (line: string) => void };

/** Milliseconds of CLOCK_MONOTONIC: the same in every process of the machine. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Waits. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** Seconds of CPU time that a process has used so far, all its threads together. */
export function cpuSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[USER_FIELD]) + Number(fields[USER_FIELD + 1])) / TICKS_PER_SECOND;
}

/** Waits until something holds. @returns whether it did before the time was over */
export async function holds(condition: () => boolean, timeoutMs: number): Promise<boolean> {
  const until = monotonicMs() + timeoutMs;
  while (!condition()) {
    if (monotonicMs() > until) {
      return false;
    }
    await pause(5);
  }
  return true;
}

/** A fresh folder for segments, in memory where the system has such a file system. */
export function segmentFolder(): string {
  return mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "alphapulse-test-"));
}

/** Starts a program. */
export function startChild(
  name: string,
  words: readonly string[],
  options: { lines?: ChildLines; environment?: Record<string, string> } = {},
): Child {
  const [program = "", ...rest] = words;
  const child = spawn(program, rest, {
    cwd: packageFolder(),
    env: { ...ownEnvironment(), ...options.environment },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let errors = "";
  createInterface({ input: child.stdout }).on("line", (line) => options.lines?.out?.(line));
  createInterface({ input: child.stderr }).on("line", (line) => {
    errors += `${line}\n`;
    options.lines?.error?.(line);
  });
  child.stdin.on("error", (error) => {
    errors += isDone() ? "" : `${error.message}\n`;
  });
  const isDone = () => started.isDone;
  const ended = once(child, "close").then(([status]) => status as number | null);
  const started: Child = { name, child, stderr: () => errors, ended, isDone: false };
  return started;
}

/** The environment without settings of the program: whoever runs the tests may have some. */
function ownEnvironment(): NodeJS.ProcessEnv {
  const isSetting = (name: string) => name.startsWith("ALPHAPULSE_") || name === "EXCHANGE" || name === "SYMBOLS";
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !isSetting(name)));
}

/** Kills a child and waits for its end. @returns when the signal was sent, monotonic ms */
export async function endChild(started: Child): Promise<number> {
  started.isDone = true;
  const at = monotonicMs();
  if (started.child.exitCode === null && started.child.signalCode === null) {
    started.child.kill("SIGKILL");
  }
  await started.ended;
  return at;
}

let bundled = 0;

/**
 * Bundles a script of test/support for Node. It is renamed into its place: another run may be starting from it.
 * @returns its path
 */
export async function bundleScript(name: string): Promise<string> {
  const outfile = join(packageFolder(), "dist", `${name}.mjs`);
  const part = `${outfile}.${process.pid}.${bundled++}.part`;
  await build({
    entryPoints: [join(packageFolder(), `test/support/${name}.ts`)],
    outfile: part,
    bundle: true,
    format: "esm",
    platform: "node",
    packages: "external",
    logLevel: "warning",
  });
  renameSync(part, outfile);
  return outfile;
}
