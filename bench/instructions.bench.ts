/**
 * The guard: instructions of fixed kernels, counted by callgrind, against the committed budget. Counts repeat where times
 * do not, so a slower hot path is seen in review. `ALPHAPULSE_BUDGET=write` writes the budget anew.
 * Bad case: a change that costs time without instructions, a cache miss; the paired benchmarks see that, this one cannot.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { packageFolder } from "../src/assets.ts";
import type { Bench } from "./context.ts";
import { countInstructions, hasValgrind } from "./instructions/callgrind.ts";
import { engineName, type InstructionBudget, type InstructionCount, judgeCount } from "./instructions/dumps.ts";
import { COUNTED } from "./instructions/kernels.ts";
import { type CaseResult, exactCase } from "./results.ts";
import { figure } from "./table.ts";

/** The benchmark. */
export const INSTRUCTIONS: Bench = {
  name: "instructions",
  about: "instructions of fixed kernels by callgrind, against bench/instructions/budget.json",
  run: async () => {
    if (!(await hasValgrind())) {
      return [skipped()];
    }
    const counts = await countInstructions();
    const engine = engineName(process.versions.v8, process.arch);
    const path = join(packageFolder(), "bench/instructions/budget.json");
    if (process.env.ALPHAPULSE_BUDGET === "write") {
      writeFileSync(path, budgetText(counts, engine));
    }
    const budget = JSON.parse(readFileSync(path, "utf8")) as InstructionBudget;
    mustHold(counts, budget, engine);
    return counts.map((count) => caseOf(count, budget, engine));
  },
};

const SLACK = 0.03;
const DIGITS = 6;

function caseOf(count: InstructionCount, budget: InstructionBudget, engine: string): CaseResult {
  const { name, unit, instructions, units, perUnit, drift } = count;
  const verdict = judgeCount(count, budget, engine);
  const known = budget.kernels[name];
  const about = COUNTED.find((kernel) => kernel.name === name)?.about ?? name;
  return exactCase(
    {
      bench: INSTRUCTIONS.name,
      name: about,
      unit: `instructions/${unit}`,
      facts: { kernel: name, instructions, units, drift: rounded(drift), verdict, slack: budget.slack },
      notes:
        verdict === "other engine" ? [`not judged: the budget is of V8 ${budget.engine}, this is V8 ${engine}`] : [],
    },
    { wasm: rounded(perUnit), ...(known === undefined ? {} : { budget: known }) },
    known === undefined ? [] : [{ other: "budget" }],
  );
}

/** @throws Error naming every kernel that is over its budget, or has none */
function mustHold(counts: readonly InstructionCount[], budget: InstructionBudget, engine: string): void {
  const bad = counts.flatMap((count) => {
    const { name, unit, perUnit } = count;
    const verdict = judgeCount(count, budget, engine);
    const known = budget.kernels[name];
    if (verdict === "no budget" || known === undefined) {
      return [`${name} has no budget, was ${figure(perUnit)} instructions/${unit}`];
    }
    const over = `${figure((perUnit / known - 1) * 100)} % over its budget`;
    return verdict === "over" ? [`${name} is ${over} of ${figure(known)} instructions/${unit}`] : [];
  });
  if (bad.length > 0) {
    const slack = `more than ${figure(budget.slack * 100)} % over the budget`;
    throw new Error(`Cannot accept the kernels: none may be ${slack}, was so: ${bad.join("; ")}`);
  }
}

function skipped(): CaseResult {
  if (process.env.ALPHAPULSE_REQUIRE === "all") {
    throw new Error("Cannot skip the instruction counts: ALPHAPULSE_REQUIRE=all demands them, valgrind was missing");
  }
  const notes = ["skipped: instruction counts (valgrind is not there)"];
  return exactCase({ bench: INSTRUCTIONS.name, name: "skipped", unit: "instructions", facts: {}, notes }, {}, []);
}

function budgetText(counts: readonly InstructionCount[], engine: string): string {
  const kernels = Object.fromEntries(counts.map(({ name, perUnit }) => [name, rounded(perUnit)]));
  const budget: InstructionBudget = { engine, slack: SLACK, kernels };
  return `${JSON.stringify(budget, null, 2)}\n`;
}

function rounded(value: number): number {
  return Number(value.toPrecision(DIGITS));
}
