/**
 * The vectors of arbitrage that TypeScript and Python share. Bad case: a file that was not renewed; the failure says how.
 */
import { writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  makeVectors,
  playSteps,
  RENEW_COMMAND,
  readVectors,
  VECTORS_FILE,
  vectorsText,
} from "../support/arbitrage_vectors.ts";

if (process.env.ALPHAPULSE_RENEW === "arbitrage") {
  writeFileSync(VECTORS_FILE, vectorsText(makeVectors()));
}

describe("The vectors of arbitrage", () => {
  const vectors = readVectors();

  it.each(vectors.map((vector) => [vector.name, vector] as const))("are told by the detector: %s", (_, vector) => {
    const { toldAt, open } = playSteps(vector);
    expect(toldAt).toEqual(vector.steps.map(({ told }) => told));
    expect(open).toEqual(vector.open);
  });

  it("equal those that are made now", () => {
    expect(vectors, `renew them with: ${RENEW_COMMAND}`).toEqual(JSON.parse(JSON.stringify(makeVectors())));
  });

  it("tell openings, changes and closings for every reason, of both kinds", () => {
    const told = vectors.flatMap(({ steps }) => steps.flatMap((step) => step.told));
    const words = new Set(told.map(({ event, reason, opportunity }) => `${opportunity.kind} ${event} ${reason}`));
    const closings = ["prices", "stale", "not_synced", "removed"].map((reason) => `cross closed ${reason}`);
    const others = ["cross opened none", "cross changed none", "triangular opened none", "triangular closed prices"];
    expect([...closings, ...others].filter((word) => !words.has(word))).toEqual([]);
    expect(told.some(({ opportunity }) => opportunity.cut)).toBe(true);
    expect(told.length).toBeGreaterThan(150);
  });
});
