/**
 * The standalone binary as a stranger gets it: built from this tree, copied into an empty folder, started there as an
 * unprivileged user with an empty environment. Bad case: not root; it then runs as whoever runs the tests, and they say so.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { packageFolder } from "../../src/assets.ts";
import { optionalGift, optionalPart } from "./require.ts";

const TARGET = `${process.platform}-${process.arch}`;
/** The user `nobody` of Debian. */
const NOBODY = 65_534;
const START_MS = 30_000;

/** The build, its files and an empty folder with a copy. */
export type Standalone = {
  /** Of the build: name without suffix, in dist/bin. */
  readonly path: string;
  /** The folder in which it is started. */
  readonly folder: string;
  run(...words: string[]): Promise<{ stdout: string; stderr: string }>;
  start(words: readonly string[], ready: RegExp): Promise<StartedBinary>;
  remove(): void;
};

/** A running binary. */
export type StartedBinary = {
  readonly match: RegExpExecArray;
  /** From the start of the process to what it printed, ms. */
  readonly startMs: number;
  readonly pid: number;
  /** Ends it by a signal. @returns status, and how long that took, ms */
  stop(): Promise<{ status: number | null; ms: number }>;
};

/** Whether it can be built here; to be asked once per file. */
export function canBuildStandalone(): boolean {
  return optionalPart("standalone binary (Linux)", ["linux-x64", "linux-arm64"].includes(TARGET));
}

/** Builds and copies. */
export async function buildStandalone(): Promise<Standalone> {
  const script = join(packageFolder(), "deploy/binary/build.mjs");
  await promisify(execFile)(process.execPath, [script], { cwd: packageFolder() });
  const path = join(packageFolder(), "dist/bin", `alphapulse-${TARGET}`);
  const folder = mkdtempSync(join(tmpdir(), "alphapulse-standalone-"));
  const empty = join(folder, "empty");
  mkdirSync(empty);
  copyFileSync(path, join(empty, "alphapulse"));
  chmodSync(folder, 0o755);
  chmodSync(empty, 0o1777);
  const prefix = optionalGift("root, to start programs as nobody", process.geteuid?.() === 0)
    ? ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", "env", "-i"]
    : ["env", "-i"];
  const command = (words: readonly string[]): [string, string[]] => {
    const [program = "", ...rest] = [...prefix, join(empty, "alphapulse"), ...words];
    return [program, rest];
  };
  return {
    path,
    folder: empty,
    run: (...words) => promisify(execFile)(...command(words), { cwd: empty }),
    start: (words, ready) =>
      started(spawn(...command(words), { cwd: empty, stdio: ["ignore", "pipe", "pipe"] }), ready),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

async function started(child: ChildProcess, ready: RegExp): Promise<StartedBinary> {
  const startedAt = performance.now();
  let printed = "";
  const match = await new Promise<RegExpExecArray>((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`Cannot start the binary: ${why}, it printed ${printed}`));
    const timer = setTimeout(() => fail(`not ready within ${START_MS} ms`), START_MS);
    child.once("error", (error) => fail(error.message));
    child.once("exit", (status) => fail(`it ended with ${status}`));
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        printed += text;
        const found = ready.exec(printed);
        if (found !== null) {
          clearTimeout(timer);
          resolve(found);
        }
      });
    }
  }).catch((error: unknown) => {
    child.kill("SIGKILL");
    throw error;
  });
  const startMs = performance.now() - startedAt;
  return {
    match,
    startMs,
    pid: child.pid ?? 0,
    async stop() {
      if (child.exitCode !== null) {
        return { status: child.exitCode, ms: 0 };
      }
      const ended = once(child, "exit");
      const stoppedAt = performance.now();
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
      const [status] = (await ended) as [number | null];
      clearTimeout(timer);
      return { status, ms: performance.now() - stoppedAt };
    },
  };
}
