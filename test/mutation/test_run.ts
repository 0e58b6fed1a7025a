/**
 * Runs part of the test suite in a folder as a child process and says which test failed first. A run that does not end
 * in time is ended, with all that it started.
 * Bad case: a mutant that loops for ever inside a test, where no timeout of the test runner can reach it.
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

/** What to run. */
export type TestRequest = {
  /** The repository or a copy of it. */
  readonly folder: string;
  /** Test files relative to the folder. */
  readonly files: readonly string[];
  /** End at the first failure. */
  readonly isBrief: boolean;
  readonly timeoutMs: number;
  readonly environment: Readonly<Record<string, string>>;
};

/** A failing test. `file` is relative to the folder and empty when no single one is to blame. */
export type Failure = { readonly file: string; readonly test: string };

type Report = {
  testResults: {
    name: string;
    status: string;
    message: string;
    assertionResults: { status: string; fullName: string }[];
  }[];
};

const REPORT = ".mutation_report.json";

/** The process groups under way, to be ended when the run is broken off. */
const groups = new Set<number>();

/** Ends everything that runs. */
export function endRuns(): void {
  for (const pid of groups) {
    endGroup(pid);
  }
}

/**
 * Runs tests.
 * @returns those that failed, none when all passed; a run that dies or does not end is one failure without a file
 */
export async function runTests(request: TestRequest): Promise<Failure[]> {
  const { folder, files, timeoutMs } = request;
  const report = join(folder, REPORT);
  rmSync(report, { force: true });
  const status = await runProgram("node_modules/vitest/vitest.mjs", {
    folder,
    timeoutMs,
    environment: request.environment,
    args: ["run", ...files, ...(request.isBrief ? ["--bail=1"] : []), "--reporter=json", `--outputFile=${report}`],
  });
  if (status === 0) {
    return [];
  }
  if (status === undefined) {
    return [{ file: "", test: `no end within ${timeoutMs / 1000} s` }];
  }
  return existsSync(report)
    ? failuresOf(JSON.parse(readFileSync(report, "utf8")) as Report, folder)
    : [{ file: "", test: `the test run died with status ${status}` }];
}

/**
 * Runs a program of Node quietly.
 * @returns its exit status, −1 when a signal ended it, undefined when it did not end in time
 */
export function runProgram(
  program: string,
  options: {
    folder: string;
    args: readonly string[];
    timeoutMs: number;
    environment: Readonly<Record<string, string>>;
  },
): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(options.folder, program), ...options.args], {
      cwd: options.folder,
      env: { ...process.env, ...options.environment },
      stdio: "ignore",
      detached: true,
    });
    const { pid } = child;
    if (pid !== undefined) {
      groups.add(pid);
    }
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      if (pid !== undefined) {
        endGroup(pid);
      }
    }, options.timeoutMs);
    child.once("error", reject);
    child.once("close", (status) => {
      clearTimeout(timer);
      if (pid !== undefined) {
        endGroup(pid);
        groups.delete(pid);
      }
      resolve(isLate ? undefined : (status ?? -1));
    });
  });
}

/** A file that fails without a failing test (it cannot be loaded) is a failure by its message. */
function failuresOf(report: Report, folder: string): Failure[] {
  const failures = report.testResults.flatMap(({ name, status, message, assertionResults }) => {
    const file = name.startsWith(folder) ? name.slice(folder.length + 1) : name;
    const tests = assertionResults.filter((result) => result.status === "failed").map(({ fullName }) => fullName);
    const whole = status === "failed" && tests.length === 0 ? [message.split("\n")[0] ?? ""] : [];
    return [...tests, ...whole].map((test) => ({ file, test }));
  });
  return failures.length > 0 ? failures : [{ file: "", test: "the test run failed outside of any test" }];
}

/** Ends a process group that we started; it may be gone already. */
function endGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") {
      throw error;
    }
  }
}
