/**
 * The Python package: its own tests, which read what TypeScript wrote and follow real collectors, and mypy --strict.
 * They run with the interpreter of ALPHAPULSE_PYTHON, or python3, when it has what they need:
 * `pip install './python[test]'`. Bad case: it has not; the part is skipped by name, or fails where all are demanded.
 */
import { execFile, execFileSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { packageFolder } from "../../src/assets.ts";
import { optionalPart } from "../support/require.ts";

const PYTHON = process.env.ALPHAPULSE_PYTHON ?? "python3";
const FOLDER = join(packageFolder(), "python");
const NEEDS = ["numpy", "pandas", "pytest", "mypy", "nbclient", "nbformat", "ipykernel", "websockets"];
const PATIENCE_MS = 600_000;

type Ended = { status: number; output: string };

function run(words: readonly string[]): Promise<Ended> {
  const env = { ...process.env, PYTHONDONTWRITEBYTECODE: "1", PYTHONPATH: "src" };
  return new Promise((resolve) => {
    execFile(PYTHON, words, { cwd: FOLDER, env, maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      const status = error === null ? 0 : Number(error.code ?? 1);
      resolve({ status, output: `${stdout}${stderr}` });
    });
  });
}

function isThere(): boolean {
  try {
    execFileSync(PYTHON, ["-c", `import ${NEEDS.join(", ")}`], { stdio: "ignore" });
    return true;
  } catch (error) {
    return !(error instanceof Error);
  }
}

const hasPython = optionalPart(`Python with ${NEEDS.join(", ")}`, isThere());

describe.skipIf(!hasPython)("the Python package", () => {
  it(
    "passes its own tests when the real producer is at hand",
    async () => {
      const { status, output } = await run(["-m", "pytest", "-rs"]);
      expect(status, output).toBe(0);
      expect(output).toMatch(/\d+ passed/);
    },
    PATIENCE_MS,
  );

  it(
    "is typed to the last line when mypy is strict",
    async () => {
      const { status, output } = await run(["-m", "mypy"]);
      expect(status, output).toBe(0);
    },
    PATIENCE_MS,
  );

  it(
    "measures what it reads when the benchmark runs small",
    async () => {
      const { status, output } = await run(["bench/ring_read.py", "--rounds", "3", "--records", "8192"]);
      expect(status, output).toBe(0);
      const { batch_against_struct: gain } = JSON.parse(output) as { batch_against_struct: number };
      expect(gain).toBeGreaterThan(5);
    },
    PATIENCE_MS,
  );
});
