/**
 * The ring under torture across processes: one producer at full speed on a ring of 256 records, three readers in processes
 * of their own that verify every record by hash; readers and producer are stopped and continued at random, one reader is
 * killed while it sleeps. No record may be torn, and what a reader lost is what it did not read, exactly.
 * The amount of records comes from TORTURE_RECORDS; default 200,000.
 */
import { join } from "node:path";
import { build } from "esbuild";
import { beforeAll, describe, expect, it } from "vitest";
import { packageFolder } from "../../src/assets.ts";
import type { TortureSummary } from "../support/mapped_torture.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { freshFolder, PATIENCE, type Program, runNode } from "./mapped_rig.ts";

const RECORDS = Number(process.env.TORTURE_RECORDS ?? 200_000);
const SCRIPT = join(packageFolder(), "dist", "mapped_torture.mjs");

beforeAll(async () => {
  await build({
    entryPoints: [join(packageFolder(), "test/support/mapped_torture.ts")],
    outfile: SCRIPT,
    bundle: true,
    format: "esm",
    platform: "node",
    packages: "external",
    logLevel: "warning",
  });
});

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** Stops and continues processes at random until told to end. */
async function disturb(programs: readonly Program[], random: SeededRandom, isOver: () => boolean): Promise<number> {
  let stops = 0;
  while (!isOver()) {
    const { child } = random.pick(programs);
    child.kill("SIGSTOP");
    await pause(random.below(60));
    child.kill("SIGCONT");
    stops += 1;
    await pause(random.below(100));
  }
  return stops;
}

describe("the ring across processes", () => {
  it(`tears nothing and accounts for every one of ${RECORDS} records while processes are stopped and killed`, async () => {
    const directory = freshFolder();
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = new SeededRandom(seed);
    const readers = [1, 2, 3].map((index) => runNode([SCRIPT, "read", directory, "0", String(seed + index)]));
    const victim = runNode([SCRIPT, "read", directory, "0", String(seed)]);
    const producer = runNode([SCRIPT, "produce", directory, String(RECORDS), String(seed)]);
    await expect.poll(() => producer.stdout(), PATIENCE).toMatch(/ready/);
    const state = { isOver: false };
    const disturbing = disturb([...readers, producer], random, () => state.isOver);
    await pause(500);
    victim.child.kill("SIGKILL");
    expect(await producer.ended, producer.stderr()).toBe(0);
    state.isOver = true;
    const label = `seed ${seed}, ${await disturbing} stops`;
    const { tail } = JSON.parse(producer.stdout().split("\n")[1] ?? "{}") as { tail: number };
    for (const reader of readers) {
      expect(await reader.ended, `${label} ${reader.stderr()}`).toBe(0);
      const summary = JSON.parse(reader.stdout()) as TortureSummary;
      expect(summary, label).toMatchObject({ torn: {}, cursor: tail, isFollowing: true });
      expect(summary.start + summary.received + summary.lost, label).toBe(tail);
      expect(summary.applied, label).toBeGreaterThan(0);
    }
  }, 3_600_000);
});
