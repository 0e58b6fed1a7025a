/**
 * The golden vectors of the stream: made by a kernel from scenes that are written here, compared with the committed file,
 * and passed by every client. Both kernels must make the same file, byte for byte.
 * Bad case: a change of the coding; the file is renewed on purpose then, and the version of the protocol with it.
 */
import type { Kernel } from "../../../src/kernel/kernel.ts";
import { addDeltas } from "./deltas.ts";
import { addJson } from "./json.ts";
import { addMalformed } from "./malformed.ts";
import { addBbo, addTrades } from "./parts.ts";
import { addRandom } from "./random.ts";
import { addConflated, addSnapshots } from "./snapshots.ts";
import { goldenKernel } from "./stream.ts";
import { Scenes, type Vector } from "./vector.ts";

/** The committed file, relative to the repository: one vector a line. */
export const VECTORS_FILE = "src/wire/golden/vectors.jsonl";
/** How it is renewed. */
export const RENEW_COMMAND = "ALPHAPULSE_RENEW=golden npx vitest run test/unit/wire_golden.test.ts";

/** All vectors as a kernel makes them. */
export function makeVectors(kernel: Kernel): Vector[] {
  const scenes = new Scenes(goldenKernel(kernel));
  addSnapshots(scenes);
  addDeltas(scenes);
  addConflated(scenes);
  addTrades(scenes);
  addBbo(scenes);
  addJson(scenes);
  addRandom(scenes);
  addMalformed(scenes);
  return scenes.vectors;
}

/** The text of the file. */
export function vectorsText(vectors: readonly Vector[]): string {
  return `${vectors.map((vector) => JSON.stringify(vector)).join("\n")}\n`;
}

/** Vectors from the text of the file. */
export function readVectors(text: string): Vector[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Vector);
}
