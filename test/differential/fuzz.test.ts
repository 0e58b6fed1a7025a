/**
 * 20,000 mutated frames a decoder: wasm = twin = naive oracle, no trap. A million each is a long run (test/long/fuzz.ts).
 * Bad case: a difference; the message holds seed, frame number and frame.
 */
import { describe, expect, it } from "vitest";
import { APPLY_BOOK, APPLY_DECODE_ERROR } from "../../assembly/layout.ts";
import { capturesPresent } from "../support/captures.ts";
import { corpusOf } from "../support/corpus.ts";
import { fuzz } from "../support/fuzz.ts";

const FRAMES = 20_000;

describe("decoders on mutated frames", () => {
  for (const exchange of ["coinbase_exchange", "kraken", "binance"] as const) {
    it(`${exchange} gives the same records on both kernels and the oracle's books when ${FRAMES} frames are damaged`, () => {
      const { frames, applied, codes } = fuzz(corpusOf(exchange, capturesPresent()), {
        count: FRAMES,
        seed: 20_261_122,
      });
      expect(frames).toBe(FRAMES);
      expect(applied).toBeGreaterThan(FRAMES / 100);
      expect(codes[APPLY_DECODE_ERROR] ?? 0).toBeGreaterThan(FRAMES / 10);
      expect(codes[APPLY_BOOK] ?? 0).toBeGreaterThan(0);
    });
  }
});
