/**
 * A flipped bit anywhere in what makes the book, in the ring or on the wire, must end the run with status 1.
 * Bad case: a flip that no check sees; this is the test that would show it.
 */
import { describe, expect, it } from "vitest";
import { readAsset } from "../../src/assets.ts";
import { ConfigError } from "../../src/errors.ts";
import { runReplay } from "../../src/replay/mod.ts";
import { capturePath, capturesPresent } from "../support/captures.ts";
import { SeededRandom } from "../support/seeded_random.ts";

const CAPTURE = "kraken/v2_book10_trade_btcusd_ethusd_20260707_first1800.jsonl.gz";
const wasmBytes = readAsset("kernel.wasm");

function flipped(flip: string, kernelName: "wasm" | "twin"): Promise<number> {
  return runReplay({ files: [capturePath(CAPTURE)], isJson: true, kernelName, wasmBytes, flip, out: () => undefined });
}

/** How many bits of a kind a run has: the error of a bit far behind the end says it. */
async function bitsOf(where: string): Promise<number> {
  const error = await flipped(`${where}:999999999999`, "wasm").catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ConfigError);
  return Number(/has (\d+) of them/.exec(String(error))?.[1]);
}

describe.runIf(capturesPresent())("a flipped bit", () => {
  for (const [where, count, kernelName] of [
    ["ring", 70, "wasm"],
    ["wire", 110, "wasm"],
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
