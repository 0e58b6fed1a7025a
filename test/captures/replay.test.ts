/**
 * Every capture of the exchanges that this build decodes, through `replay`, on both kernels, against what an independent
 * program rebuilt. Bad case: the captures are missing; then these tests are skipped by name.
 */
import { describe, expect, it } from "vitest";
import { readAsset } from "../../src/assets.ts";
import { EXCHANGE_IDS } from "../../src/model/exchange_id.ts";
import { runReplay } from "../../src/replay/mod.ts";
import { capturePath, capturesPresent, expected } from "../support/captures.ts";

type Replayed = {
  exchange: string;
  kernel: string;
  counts: Record<string, number>;
  bookTicker?: unknown;
  books: Record<string, Record<string, unknown>>;
  trades: Record<string, unknown>;
  bytes: Record<string, number>;
  nsPerFrame: number;
};

async function replay(
  files: readonly string[],
  kernelName: "wasm" | "twin",
): Promise<{ status: number; result: Replayed }> {
  let text = "";
  const status = await runReplay({
    files: files.map(capturePath),
    isJson: true,
    kernelName,
    wasmBytes: readAsset("kernel.wasm"),
    out: (part) => {
      text += part;
    },
  });
  return { status, result: JSON.parse(text) as Replayed };
}

describe.runIf(capturesPresent())("replay of captures", () => {
  const ours = Object.entries(capturesPresent() ? expected() : {}).filter(([, { exchange }]) =>
    EXCHANGE_IDS.some((id) => id === exchange),
  );

  for (const kernelName of ["wasm", "twin"] as const) {
    for (const [name, entry] of ours) {
      it(`replay equals the independent oracle when ${name} runs on ${kernelName}`, async () => {
        const { status, result } = await replay(entry.files, kernelName);
        const counts = { checksumOk: 0, checksumBad: 0, gaps: 0, resyncs: 0, decodeErrors: 0, ...entry.counts };
        expect(result.counts).toMatchObject(counts);
        expect(result.bookTicker).toEqual(entry.bookTicker);
        expect(Object.keys(result.books)).toEqual(Object.keys(entry.books).sort());
        for (const [native, book] of Object.entries(entry.books)) {
          expect(result.books[native], native).toMatchObject({ ...book, state: "synced" });
        }
        expect(result.trades).toEqual(entry.trades);
        expect({ kernel: result.kernel, exchange: result.exchange, status }).toEqual({
          kernel: kernelName,
          exchange: entry.exchange,
          status: 0,
        });
      });
    }

    it(`replay counts trades and waits for books when a Binance capture has no snapshot (${kernelName})`, async () => {
      const { status, result } = await replay(
        ["binance/spot_btcusdt_ethusdt_20260707_nosnapshot.jsonl.gz"],
        kernelName,
      );
      expect(status).toBe(0);
      expect(result.books).toEqual({});
      expect(result.counts).toMatchObject({ frames: 2063, bookUpdates: 0, decodeErrors: 0, gaps: 0 });
      const trades = Object.values(result.trades) as { count: number }[];
      expect(trades.reduce((sum, { count }) => sum + count, 0)).toBe(1163);
    });

    it(`replay counts and does not publish Kraken v1 trades and tickers (${kernelName})`, async () => {
      for (const [file, frames] of [
        ["kraken/v1_trade_10pairs_20210405.jsonl.gz", 142],
        ["kraken/v1_ticker_10pairs_20210405.jsonl.gz", 152],
      ] as const) {
        const { status, result } = await replay([file], kernelName);
        expect({ status, frames: result.counts.frames, decodeErrors: result.counts.decodeErrors }).toEqual({
          status: 0,
          frames,
          decodeErrors: 0,
        });
        expect({ books: result.books, trades: result.trades }).toEqual({ books: {}, trades: {} });
      }
    });
  }
});
