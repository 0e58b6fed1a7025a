/**
 * P9: the Python reader, batches into numpy and single records, against struct.unpack per record; rounds are paired and
 * interleaved inside one interpreter (ALPHAPULSE_PYTHON, or python3), raw samples come back. Bad case: no Python with
 * numpy; the case is skipped by that name.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { packageFolder } from "../../src/assets.ts";
import type { BenchSettings } from "../context.ts";
import { type CaseResult, judge, type SideResult } from "../results.ts";
import { STOLEN_MAX, stolenShare } from "../stolen.ts";
import { BENCH } from "./ring_cases.ts";

type PythonRound = {
  readonly batch: number;
  readonly single: number;
  readonly unpack: number;
  /** CPU ticks, all and stolen, before and after. */
  readonly ticks: readonly [number, number, number, number];
};
type PythonReport = {
  readonly python: string;
  readonly numpy: string;
  readonly records: number;
  readonly rounds: readonly PythonRound[];
};

const NAME = "Python reader, segment in shared memory";
const UNIT = "ns/record";
const RECORDS = 65_536;
const SMOKE_RECORDS = 8192;
const ATTEMPTS_PER_ROUND = 2;
const SCRIPT = "bench/baseline/paired_ring_read.py";
const run = promisify(execFile);

/** Measures P9. @throws Error when the reader gave wrong records */
export async function pythonCase({ rounds, isSmoke }: BenchSettings): Promise<CaseResult> {
  const program = process.env.ALPHAPULSE_PYTHON ?? "python3";
  const python = join(packageFolder(), "python");
  const env = {
    ...process.env,
    PYTHONDONTWRITEBYTECODE: "1",
    PYTHONPATH: [join(python, "src"), join(python, "bench")].join(":"),
  };
  try {
    await run(program, ["-c", "import numpy"], { env });
  } catch {
    return skippedCase(NAME, `Python reader, struct.unpack (no ${program} with numpy)`);
  }
  const attempts = rounds * ATTEMPTS_PER_ROUND;
  const script = join(packageFolder(), SCRIPT);
  const records = isSmoke ? SMOKE_RECORDS : RECORDS;
  const { stdout } = await run(
    program,
    [script, String(rounds), String(attempts), String(records), String(STOLEN_MAX)],
    {
      env,
      maxBuffer: 1 << 24,
    },
  );
  return conclude(JSON.parse(stdout) as PythonReport, rounds);
}

/** A case of which nothing could be measured. @param what is missing, by name */
export function skippedCase(name: string, what: string): CaseResult {
  const nothing = { sides: [], ratios: [], perCall: [], facts: {} };
  return { bench: BENCH, name, unit: UNIT, rounds: { kept: 0, discarded: 0 }, ...nothing, notes: [`skipped: ${what}`] };
}

function conclude({ python, numpy, records, rounds }: PythonReport, wanted: number): CaseResult {
  const kept = rounds.filter(({ ticks: [total, stolen, totalAfter, stolenAfter] }) => {
    return stolenShare({ total, stolen }, { total: totalAfter, stolen: stolenAfter }) <= STOLEN_MAX;
  });
  const taken = kept.slice(0, wanted);
  if (taken.length === 0) {
    throw new Error(
      `Cannot measure ${BENCH} ${NAME}: every round lost CPU time to others, was ${rounds.length} rounds`,
    );
  }
  const side = (name: string, key: "batch" | "single" | "unpack"): SideResult => ({
    name,
    samples: taken.map((round) => round[key]),
  });
  const sides = [side("numpy batch", "batch"), side("single", "single"), side("struct.unpack", "unpack")];
  return {
    bench: BENCH,
    name: NAME,
    unit: UNIT,
    rounds: { kept: taken.length, discarded: rounds.length - kept.length },
    sides,
    ratios: judge(
      sides,
      [
        { other: "struct.unpack", ours: "numpy batch", goal: "P9" },
        { other: "struct.unpack", ours: "single" },
      ],
      { rounds: taken.length },
    ),
    perCall: [],
    facts: { records, python, numpy },
    notes: [],
  };
}
