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
 */ export function optionalPart(name: string, isPresent: boolean): boolean {
  note({ name, isPresent });
  if (!isPresent && process.env.ALPHAPULSE_REQUIRE === "all") {
    throw new Error(`Cannot skip ${name}: ALPHAPULSE_REQUIRE=all demands it, was missing`);
  }
  return isPresent;
}

/**
 * Notes whether something is there that cannot be installed on every machine: a right, or a program that is in no package.
 * Nothing demands it; the closing line says all the same that tests were skipped for want of it.
 * @param name what a reader understands, e.g. `the right to make network namespaces`
 * @returns `isPresent`
 */
export function optionalGift(name: string, isPresent: boolean): boolean {
  note({ name, isPresent });
  return isPresent;
}

function note(record: PartRecord): void {
  const file = process.env[PARTS_FILE_VARIABLE];
  if (file !== undefined) {
    appendFileSync(file, `${JSON.stringify(record)}\n`);
  }
}
