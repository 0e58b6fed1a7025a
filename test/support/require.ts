/**
 * Parts of the suite that need something a machine may lack: a Chromium, the captures. A test asks `optionalPart`
 * and skips when it answers false; the reporter names at the end what was skipped, so that a green run never hides it.
 * Bad case: with ALPHAPULSE_REQUIRE=all (as in .ci/run) a missing part is a failure.
 */
import { appendFileSync } from "node:fs";

/** The environment variable that names the file in which test processes note the parts they met. */
export const PARTS_FILE_VARIABLE = "ALPHAPULSE_TEST_PARTS";

/** One line of the parts file. */
export type PartRecord = { name: string; isPresent: boolean };

/**
 * Notes whether an optional part is there, for the closing line of the run.
 * @param name what a reader understands, e.g. `captures` or `Chromium`
 * @param isPresent whether it was found
 * @returns `isPresent`: use it as `describe.skipIf(!optionalPart("Chromium", path !== undefined))`
 * @throws Error when it is missing and ALPHAPULSE_REQUIRE=all
 */
export function optionalPart(name: string, isPresent: boolean): boolean {
  const file = process.env[PARTS_FILE_VARIABLE];
  if (file !== undefined) {
    const record: PartRecord = { name, isPresent };
    appendFileSync(file, `${JSON.stringify(record)}\n`);
  }
  if (!isPresent && process.env.ALPHAPULSE_REQUIRE === "all") {
    throw new Error(`Cannot skip ${name}: ALPHAPULSE_REQUIRE=all demands it, was missing`);
  }
  return isPresent;
}
