/**
 * Files below deploy/ and the programs that judge them: those of PyPI stand beside the Python of the tests. Bad case: one is
 * not installed; the test that needs it skips by name.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { packageFolder } from "../../src/assets.ts";
import { findProgram } from "./prometheus.ts";
import { readRepositoryFile, repositoryPaths } from "./source_files.ts";

/** What a program printed, and how it ended. */
export type Verdict = { readonly status: number; readonly text: string };

/** Where a program stands: beside the Python of the tests, else on PATH. */
export function findJudge(name: string): string | undefined {
  const python = process.env.ALPHAPULSE_PYTHON;
  const beside = python === undefined ? undefined : join(dirname(python), name);
  return beside !== undefined && existsSync(beside) ? beside : findProgram(name);
}

/** Runs a program in the repository's folder. @param options.environment beside that of this process */
export async function judge(
  program: string,
  words: readonly string[],
  { environment = {} }: { environment?: Record<string, string> } = {},
): Promise<Verdict> {
  const env = { ...process.env, ...environment };
  try {
    const { stdout, stderr } = await promisify(execFile)(program, words, { cwd: packageFolder(), env });
    return { status: 0, text: stdout + stderr };
  } catch (error) {
    const { code, stdout = "", stderr = "" } = error as { code?: number; stdout?: string; stderr?: string };
    return { status: typeof code === "number" ? code : -1, text: `${stdout}${stderr}` };
  }
}

/** Paths of manifests for Kubernetes, kustomizations left out. */
export function manifestPaths(): string[] {
  return repositoryPaths().filter(
    (path) => path.startsWith("deploy/kubernetes/") && path.endsWith(".yaml") && !path.endsWith("kustomization.yaml"),
  );
}

/** Texts of all files below deploy/ that engines read. */
export function deploymentTexts(): { path: string; text: string }[] {
  return repositoryPaths()
    .filter((path) => /^deploy\/(docker|kubernetes|systemd)\//.test(path) && !/\.(md|mjs)$/.test(path))
    .map((path) => ({ path, text: readRepositoryFile(path) }));
}
