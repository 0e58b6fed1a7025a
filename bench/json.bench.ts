/**
 * The JSON scanner alone. It is not exported; frames that carry nothing for a book go through its first phase only:
 * tickers (every known field noted) and a large body of generic JSON (skipped whole), against JSON.parse of ready strings.
 * Bad case: taking this for the whole decoder; what follows the scan is measured by `decoders`.
 */
import { APPLY_TICKER, APPLY_UNKNOWN_KIND, DECODER_BINANCE, DECODER_COINBASE_EXCHANGE } from "../assembly/layout.ts";
import { parseFrames } from "./baseline_run.ts";
import { readJsonBody } from "./captured_streams.ts";
import type { Bench, BenchContext } from "./context.ts";
import { type Case, mustEqual } from "./harness.ts";
import { seededRandom } from "./statistics.ts";
import { type LaidBytes, layBytes, openWorkbench, type Workbench } from "./workbench.ts";

/** The benchmark. */
export const JSON_SCAN: Bench = {
  name: "json",
  about: "frames that carry nothing for a book: the scan alone, against JSON.parse",
  run: async (context) => {
    const tickers = await takeTickers(context);
    const body = readJsonBody() ?? madeBody();
    return [
      await context.measure(
        scanCase(context, { name: "Binance bookTicker", texts: tickers, decoder: DECODER_BINANCE, code: APPLY_TICKER }),
      ),
      await context.measure(
        scanCase(context, {
          name: "Coinbase product list",
          texts: [body],
          decoder: DECODER_COINBASE_EXCHANGE,
          code: APPLY_UNKNOWN_KIND,
        }),
      ),
    ];
  },
};

const TICKERS = 2000;

type Subject = { name: string; texts: readonly string[]; decoder: number; code: number };

async function takeTickers(context: BenchContext): Promise<string[]> {
  const id = context.streamIds.find((name) => name.startsWith("binance")) ?? "";
  const { frames } = await context.stream(id);
  const captured = frames.map(({ text }) => text).filter((text) => text.includes("bookTicker"));
  return captured.length > 0 ? captured.slice(0, TICKERS) : madeTickers();
}

function scanCase(context: BenchContext, { name, texts, decoder, code }: Subject): Case {
  const bytes = texts.map((text) => Buffer.from(text));
  const total = bytes.reduce((sum, { length }) => sum + length, 0);
  const isLarge = texts.length === 1;
  return {
    bench: JSON_SCAN.name,
    name,
    unit: isLarge ? "ns/KB" : "ns/frame",
    units: isLarge ? total / 1000 : texts.length,
    sides: [
      ...context.kernels.map((kernel) => {
        const bench = openWorkbench(kernel);
        const laid = layBytes(bench, "frames", bytes);
        return {
          name: kernel,
          work: () => scanAll(bench, laid, { decoder, code }),
          verify: (wrong: number) => mustEqual(`${name}: outcomes that differ`, wrong, 0),
        };
      }),
      {
        name: "JSON.parse",
        work: () => parseFrames(texts),
        verify: (empty) => mustEqual(`${name}: frames that gave no object`, empty, 0),
      },
    ],
    ratios: [{ other: "JSON.parse" }],
    facts: { frames: texts.length, bytesPerFrame: total / texts.length },
  };
}

function scanAll(
  { producer }: Workbench,
  { addresses, lengths }: LaidBytes,
  wanted: { decoder: number; code: number },
) {
  const { decoder, code } = wanted;
  let wrong = 0;
  for (let index = 0; index < addresses.length; index++) {
    wrong += producer.apply(decoder, addresses[index] ?? 0, lengths[index] ?? 0, 0) === code ? 0 : 1;
  }
  return wrong;
}

/** Tickers in Binance's form, for machines without captures. */
function madeTickers(): string[] {
  const random = seededRandom(3);
  return Array.from({ length: TICKERS }, (_, index) => {
    const price = (60_000 + random() * 1000).toFixed(8);
    const quantity = () => (random() * 5).toFixed(8);
    const fields = { u: 50_093_239_212 + index, s: "BTCUSDT", b: price, B: quantity(), a: price, A: quantity() };
    return JSON.stringify({ stream: "btcusdt@bookTicker", data: fields });
  });
}

function madeBody(): string {
  const products = Array.from({ length: 400 }, (_, index) => ({
    id: `C${index}-USD`,
    base_currency: `C${index}`,
    quote_currency: "USD",
    base_increment: "0.00000001",
    quote_increment: "0.01",
    status: "online",
    trading_disabled: false,
    limits: { min: 0.001, max: null },
  }));
  return JSON.stringify(products);
}
