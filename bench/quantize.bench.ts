/**
 * Decimal text ↔ integers: tokens of captured frames to mantissas and back to text, exactly; against `Number(text)`
 * and `String(number)`, which are quicker to write and not exact, and against BigInt, which is exact.
 * Bad case: short tokens only; these are the prices and quantities that an exchange sent, as they came.
 */
import { DECIMAL_BYTES, DECIMAL_DECIMALS, DECIMAL_MANTISSA } from "../assembly/layout.ts";
import type { Bench, BenchContext } from "./context.ts";
import { type Case, mustEqual } from "./harness.ts";
import { layBytes, openWorkbench, reserveBytes, type Workbench } from "./workbench.ts";

/** The benchmark. */
export const QUANTIZE: Bench = {
  name: "quantize",
  about: "decimal text ↔ integers, tokens of captured frames, one call per token",
  run: async (context) => {
    const tokens = await takeTokens(context);
    const benches = context.kernels.map((name) => prepare(openWorkbench(name), tokens));
    return [
      await context.measure(parseCase(benches, tokens), parseCalls(benches)),
      await context.measure(formatCase(benches, tokens), formatCalls(benches)),
    ];
  },
};

const TOKENS_MAX = 8192;
const TOKEN = /"(\d+\.\d+)"/g;
const TEXT_BYTES = 64;

type Prepared = {
  bench: Workbench;
  tokens: { addresses: Int32Array; lengths: Int32Array };
  /** One DECIMAL_BYTES per token. */
  decimals: number;
  text: number;
};

async function takeTokens(context: BenchContext): Promise<string[]> {
  const { frames } = await context.stream(context.streamIds[0] ?? "");
  const tokens: string[] = [];
  for (const { text } of [...frames].reverse()) {
    for (const [, token = ""] of text.matchAll(TOKEN)) {
      tokens.push(token);
    }
    if (tokens.length >= TOKENS_MAX) {
      break;
    }
  }
  return tokens.slice(0, TOKENS_MAX);
}

function prepare(bench: Workbench, tokens: readonly string[]): Prepared {
  const laid = layBytes(
    bench,
    "tokens",
    tokens.map((token) => Buffer.from(token)),
  );
  const decimals = reserveBytes(bench, "decimals", tokens.length * DECIMAL_BYTES);
  const prepared = { bench, tokens: laid, decimals, text: reserveBytes(bench, "text", TEXT_BYTES) };
  mustEqual("parseDecimal: bad tokens", parseAll(prepared), 0);
  return prepared;
}

function parseAll({ bench, tokens: { addresses, lengths }, decimals }: Prepared): number {
  const { producer } = bench;
  let bad = 0;
  for (let index = 0; index < addresses.length; index++) {
    bad += producer.parseDecimal(addresses[index] ?? 0, lengths[index] ?? 0, decimals + index * DECIMAL_BYTES);
  }
  return bad;
}

function formatAll({ bench, tokens: { addresses }, decimals, text }: Prepared): number {
  const { producer, view } = bench;
  let bytes = 0;
  for (let index = 0; index < addresses.length; index++) {
    const decimal = decimals + index * DECIMAL_BYTES;
    bytes += producer.formatDecimal(decimal, view.getInt32(decimal + DECIMAL_DECIMALS, true), text);
  }
  return bytes;
}

/** The exact value of a token by BigInt, and its decimals. */
function exact(token: string): { mantissa: bigint; decimals: number } {
  const point = token.indexOf(".");
  const digits = token.slice(0, point) + token.slice(point + 1);
  return { mantissa: BigInt(digits), decimals: token.length - point - 1 };
}

function parseCase(benches: readonly Prepared[], tokens: readonly string[]): Case {
  let sum = 0;
  for (const token of tokens) {
    sum += Number(token);
  }
  return {
    bench: QUANTIZE.name,
    name: "parseDecimal",
    unit: "ns/token",
    units: tokens.length,
    sides: [
      ...benches.map((prepared) => ({
        name: prepared.bench.name,
        work: () => parseAll(prepared),
        verify: (bad: number) => verifyMantissas(prepared, tokens, bad),
      })),
      {
        name: "baseline",
        work: () => {
          let total = 0;
          for (let index = 0; index < tokens.length; index++) {
            total += Number(tokens[index]);
          }
          return total;
        },
        verify: (total) => mustEqual("Number: the sum", total, sum),
      },
      {
        name: "BigInt",
        work: () => {
          let digits = 0;
          for (let index = 0; index < tokens.length; index++) {
            digits += exact(tokens[index] ?? "").decimals;
          }
          return digits;
        },
        verify: (digits) => mustEqual("BigInt: decimals", digits > 0 ? 1 : 0, 1),
      },
    ],
    ratios: [{ other: "baseline" }, { other: "BigInt" }, { other: "twin" }].filter(({ other }) =>
      hasSide(benches, other),
    ),
    facts: { tokens: tokens.length, bytesPerToken: tokens.join("").length / tokens.length },
    notes: ["baseline: Number(text), a double: not exact"],
  };
}

function formatCase(benches: readonly Prepared[], tokens: readonly string[]): Case {
  const plain = tokens.map((token) => token.replace(/0+$/, "").replace(/\.$/, ""));
  const characters = plain.join("").length;
  const numbers = Float64Array.from(tokens, Number);
  const baseline = numbers.reduce((sum, value) => sum + String(value).length, 0);
  return {
    bench: QUANTIZE.name,
    name: "formatDecimal",
    unit: "ns/token",
    units: tokens.length,
    sides: [
      ...benches.map((prepared) => ({
        name: prepared.bench.name,
        work: () => formatAll(prepared),
        verify: (bytes: number) => verifyText(prepared, { bytes, characters, last: plain.at(-1) ?? "" }),
      })),
      {
        name: "baseline",
        work: () => {
          let total = 0;
          for (let index = 0; index < numbers.length; index++) {
            total += String(numbers[index]).length;
          }
          return total;
        },
        verify: (total) => mustEqual("String: characters", total, baseline),
      },
    ],
    ratios: [{ other: "baseline" }, { other: "twin" }].filter(({ other }) => hasSide(benches, other)),
    facts: { tokens: tokens.length },
    notes: ["ours writes bytes; baseline: String(number), which caches and may answer with an exponent"],
  };
}

function hasSide(benches: readonly Prepared[], other: string): boolean {
  return other !== "twin" || benches.some(({ bench }) => bench.name === "twin");
}

function verifyMantissas({ bench, decimals }: Prepared, tokens: readonly string[], bad: number): void {
  mustEqual("parseDecimal: bad tokens", bad, 0);
  for (const index of [0, tokens.length >> 1, tokens.length - 1]) {
    const address = decimals + index * DECIMAL_BYTES;
    const { mantissa } = exact(tokens[index] ?? "");
    mustEqual(`parseDecimal of ${tokens[index]}`, bench.view.getBigInt64(address + DECIMAL_MANTISSA, true), mantissa);
  }
}

function verifyText({ bench, text }: Prepared, found: { bytes: number; characters: number; last: string }): void {
  mustEqual("formatDecimal: bytes", found.bytes, found.characters);
  const written = Buffer.from(bench.bytes.slice(text, text + found.last.length)).toString("latin1");
  mustEqual("formatDecimal: the last token", written, found.last);
}

function parseCalls(benches: readonly Prepared[]) {
  return Object.fromEntries(
    benches.map(({ bench, tokens, decimals }) => {
      const { producer } = bench;
      const [address = 0] = tokens.addresses;
      const [length = 0] = tokens.lengths;
      return [bench.name, () => producer.parseDecimal(address, length, decimals)];
    }),
  );
}

function formatCalls(benches: readonly Prepared[]) {
  return Object.fromEntries(
    benches.map(({ bench, decimals, text }) => {
      const { producer } = bench;
      const exponent = bench.view.getInt32(decimals + DECIMAL_DECIMALS, true);
      return [bench.name, () => producer.formatDecimal(decimals, exponent, text)];
    }),
  );
}
