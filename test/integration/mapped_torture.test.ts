/**
 * The ring under torture across processes, for as many records as a short test allows; the long run is test/long/torture.ts.
 * No record may be torn, and what a reader lost is what it did not read, exactly. TORTURE_RECORDS asks for another amount.
 * Bad case: a failure that comes seldom; the message holds the seed.
 */
import { expect, it } from "vitest";
import { runTorture } from "../support/mapped_torture_run.ts";

const RECORDS = Number(process.env.TORTURE_RECORDS ?? 2_000_000);
/** As many as fit into this time; a machine that is busy with other things does fewer. */
const SECONDS = process.env.TORTURE_RECORDS === undefined ? 12 : Number.POSITIVE_INFINITY;
const RECORDS_MIN = 20_000;

it(`the ring tears nothing and accounts for every one of up to ${RECORDS} records when processes are stopped and killed`, async () => {
  const result = await runTorture(RECORDS, { seed: Math.floor(Math.random() * 2 ** 31), seconds: SECONDS });
  const label = JSON.stringify(result);
  expect(result.problems, label).toEqual([]);
  expect(result.records, label).toBeGreaterThanOrEqual(Math.min(RECORDS, RECORDS_MIN));
  expect(result.readers.length, label).toBe(3);
  expect(result.stops, label).toBeGreaterThan(0);
}, 3_600_000);
