/**
 * Everything that `npm run bench -- ring` measures across processes. Bad case: a machine without Linux on x64, koffi, gcc
 * or Python; what cannot be measured is reported as skipped, by name.
 */
import { MappingError } from "../../src/mapping/mod.ts";
import type { BenchContext } from "../context.ts";
import type { CaseResult } from "../results.ts";
import { absentReaderCases } from "./absent_readers.ts";
import { Affinity } from "./affinity.ts";
import { pythonCase, skippedCase } from "./python_case.ts";
import { sharedCases } from "./ring_cases.ts";
import { Stage } from "./stage.ts";

const NAME = "across processes";

/** Measures P5 to P9. Peers are ended and files removed, whatever happens. */
export async function casesAcrossProcesses(context: BenchContext): Promise<CaseResult[]> {
  if (!context.kernels.includes("wasm")) {
    return [skippedCase(NAME, "P5 to P8 (the wasm kernel was not asked for)"), await pythonCase(context.settings)];
  }
  const results: CaseResult[] = [];
  try {
    results.push(...(await onStage((stage) => sharedCases(context, stage))));
    results.push(...(await onStage((stage) => absentReaderCases(context, stage))));
  } catch (error) {
    if (!(error instanceof MappingError && error.reason === "unsupported")) {
      throw error;
    }
    results.push(skippedCase(NAME, `P5 to P8 (${error.message})`));
  }
  return [...results, await pythonCase(context.settings)];
}

async function onStage(measure: (stage: Stage) => Promise<CaseResult[]>): Promise<CaseResult[]> {
  const stage = new Stage(await Affinity.open());
  try {
    return await measure(stage);
  } finally {
    await stage.close();
  }
}
