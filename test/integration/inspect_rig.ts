/**
 * What `inspect` says of a scene, and waiting for a standby that holds every book.
 * Bad case: an inspection while a file comes or goes; whoever waits asks again.
 */
import { expect } from "vitest";
import { PATIENCE, type Program, type Scene } from "./mapped_rig.ts";

/** What the tests read of `inspect --json`. */
export type Inspection = {
  readonly segments: readonly {
    readonly segment: string;
    readonly pid: number;
    readonly epoch: string;
    readonly condition: string;
  }[];
  readonly standbys: readonly {
    readonly segment: string;
    readonly pid: number;
    readonly epoch: string;
    readonly synced: number;
    readonly books: number;
  }[];
  readonly removed: readonly string[];
};

/** Runs `inspect --json`. */
export async function inspect(scene: Scene, words: readonly string[] = []): Promise<Inspection> {
  const program = scene.run(["inspect", "--json", ...words]);
  expect([await program.ended, program.stderr()]).toEqual([0, ""]);
  return JSON.parse(program.stdout()) as Inspection;
}

/** Waits until the only standby of an exchange is this one, with two books that are right. */
export async function untilWarm(scene: Scene, { child }: Program, exchange: string): Promise<void> {
  await expect
    .poll(async () => {
      const { standbys } = await inspect(scene);
      return standbys.map(({ segment, pid, synced, books }) => [segment, pid, synced, books]);
    }, PATIENCE)
    .toEqual([[exchange, child.pid, 2, 2]]);
}
