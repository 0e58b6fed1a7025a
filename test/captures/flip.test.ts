/**
 * A flipped bit anywhere in what makes the book, in the ring or on the wire, must end the run with status 1.
 * Bad case: a flip that no check sees; this is the test that would show it.
 */
import { describe, expect, it } from "vitest";
import { readAsset } from "../../src/assets.ts";
import { runReplay } from "../../src/replay/mod.ts";
import { capturePath, capturesPresent } from "../support/captures.ts";
import { SeededRandom } from "../support/seeded_random.ts";

const CAPTURE = "kraken/v2_book10_trade_btcusd_ethusd_20260707_first1800.jsonl.gz";
/** Version, base price, count, masks, hash; quantity and offset. */
const RECORD_BITS = 200;
const CHANGE_BITS = 96;
const wasmBytes = readAsset("kernel.wasm");

function flipped(flip: string, kernelName: "wasm" | "twin"): Promise<number> {
  return runReplay({ files: [capturePath(CAPTURE)], isJson: true, kernelName, wasmBytes, flip, out: () => undefined });
}

/** How many bits of a kind a run has: of records exactly, on the wire at most. */
async function bitsOf(where: string): Promise<number> {
  let text = "";
  const out = (part: string) => {
    text += part;
  };
  await runReplay({ files: [capturePath(CAPTURE)], isJson: true, kernelName: "wasm", wasmBytes, out });
  const { counts, bytes } = JSON.parse(text) as {
    counts: { records: number; changes: number };
    bytes: { wire: number };
  };
  return where === "ring" ? counts.records * RECORD_BITS + counts.changes * CHANGE_BITS : bytes.wire * 8;
}

describe.runIf(capturesPresent())("a flipped bit", () => {
  for (const [where, count, kernelName] of [
    ["ring", 70, "wasm"],
    ["wire", 100, "wasm"],
    ["ring", 10, "twin"],
    ["wire", 20, "twin"],
  ] as const) {
    it(`ends in a failure when it is one of ${count} random bits of the ${where} (${kernelName})`, async () => {
      const bits = await bitsOf(where);
      const random = new SeededRandom(20_260_707 + count);
      for (let round = 0; round < count; round++) {
        const flip = `${where}:${random.below(bits)}`;
        expect(await flipped(flip, kernelName), flip).toBe(1);
      }
    });
  }
});
