/**
 * Where a run happened: CPU, Node, commit and date, which every absolute number needs beside it.
 * Bad case: no git, or a copy without history; the commit is `unknown` then.
 */
import { execFileSync } from "node:child_process";
import { arch, cpus, platform, release, totalmem } from "node:os";
import { packageFolder } from "../src/assets.ts";
import type { Machine } from "./results.ts";

const MIB = 1 << 20;

/** @param now the date of the run */
export function describeMachine(now: Date): Machine {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() ?? "unknown",
    cpus: processors.length,
    memoryMiB: Math.round(totalmem() / MIB),
    platform: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    v8: process.versions.v8,
    commit: commit(),
    date: now.toISOString(),
  };
}

/** The abbreviated commit; `+` when tracked files other than results differ from it. */
function commit(): string {
  try {
    const id = git(["rev-parse", "--short=12", "HEAD"]);
    const changed = git(["status", "--porcelain", "--untracked-files=no", "--", ".", ":!bench/results"]);
    return changed === "" ? id : `${id}+`;
  } catch (cause) {
    if (cause instanceof Error) {
      return "unknown";
    }
    throw cause;
  }
}

function git(words: readonly string[]): string {
  const stdio: ["ignore", "pipe", "ignore"] = ["ignore", "pipe", "ignore"];
  return execFileSync("git", [...words], { cwd: packageFolder(), encoding: "utf8", stdio }).trim();
}
