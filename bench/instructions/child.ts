/**
 * The counted program, for `valgrind --tool=callgrind --dump-before=umask`: every kernel runs N passes and then 2 N, and a
 * call of umask before and after each run makes callgrind write down what was counted since the last one. Which run is
 * which goes to standard output. Bad case: a call of umask by somebody else; the runs then do not add up, and the parent
 * says so.
 */

import type { CountedRun } from "./dumps.ts";
import { COUNTED } from "./kernels.ts";

/** Whatever it sets, callgrind hears it: this program writes no files. */
const MASK = 0o022;

const names = process.argv.slice(2);

for (const { name, unit, passes, prepare } of COUNTED.filter((kernel) => isAsked(kernel.name))) {
  const work = prepare();
  // V8 must be through with its optimising, or that would count as part of the shorter run; so with its collector.
  work(Math.ceil(passes / 2));
  for (const times of [1, 2]) {
    globalThis.gc?.();
    process.umask(MASK);
    const units = work(times * passes);
    process.umask(MASK);
    const run: CountedRun = { name, unit, times, units };
    console.log(JSON.stringify(run));
  }
}

/** Every kernel when none is named. */
function isAsked(name: string): boolean {
  return names.length === 0 || names.includes(name);
}
