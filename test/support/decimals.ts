/**
 * Decimal text through both kernels and back, judged by whole-number arithmetic written apart from them: what a text
 * means, whether i64 holds it, how many decimals it needs and shows, and the shortest text that says the same.
 * Bad case: a number that does not fit; it must be an overflow, never a rounding, and text that is none a syntax error.
 */
import {
  DECIMAL_BYTES,
  DECIMAL_DECIMALS,
  DECIMAL_MANTISSA,
  DECIMAL_NEEDED,
  DECIMAL_OK,
  DECIMAL_OVERFLOW,
  DECIMAL_SYNTAX,
  EXPONENT_MAX,
} from "../../assembly/layout.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { freshKernel } from "./rig.ts";
import type { SeededRandom } from "./seeded_random.ts";

/** What a text must give. `text` is the shortest plain form. */
export type Expected =
  | { readonly kind: "syntax" }
  | { readonly kind: "overflow" }
  | {
      readonly kind: "number";
      readonly units: bigint;
      readonly decimals: number;
      readonly needed: number;
      readonly text: string;
    };

/** How many texts ended how. */
export type DecimalCounts = { numbers: number; overflows: number; syntaxErrors: number };

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
const TEXT_BYTES_MAX = 4096;
/** Beyond so many zeros no number but zero fits i64. */
const ZEROS_MAX = 40;
const GRAMMAR = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/** What a text means, by whole-number arithmetic. */
export function expectedOf(text: string): Expected {
  const match = GRAMMAR.exec(text);
  if (match === null) {
    return { kind: "syntax" };
  }
  const [, sign = "", whole = "", fraction = "", power = "0"] = match;
  const exponent = Math.max(-1e6, Math.min(1e6, Number(power)));
  const digits = `${whole}${fraction}`.replace(/^0+/, "");
  const shown = Math.max(0, fraction.length - exponent);
  const significant = digits.replace(/0+$/, "");
  if (significant === "") {
    return { kind: "number", units: 0n, decimals: Math.min(shown, EXPONENT_MAX), needed: 0, text: "0" };
  }
  // value = significant × 10^−scale
  const scale = fraction.length - exponent - (digits.length - significant.length);
  const needed = Math.max(0, scale);
  if (needed > EXPONENT_MAX || -scale > ZEROS_MAX || significant.length > ZEROS_MAX) {
    return { kind: "overflow" };
  }
  const size = BigInt(significant) * 10n ** BigInt(Math.max(0, -scale));
  const least = sign === "-" ? -size : size;
  if (!fits(least)) {
    return { kind: "overflow" };
  }
  const wide = least * 10n ** BigInt(Math.max(0, Math.min(shown, 2 * ZEROS_MAX) - needed));
  const isKept = shown <= EXPONENT_MAX && fits(wide);
  const written = isKept ? { units: wide, decimals: shown } : { units: least, decimals: needed };
  return { kind: "number", ...written, needed, text: plainText(sign, significant, scale) };
}

function fits(value: bigint): boolean {
  return value >= INT64_MIN && value <= INT64_MAX;
}

function plainText(sign: string, significant: string, scale: number): string {
  if (scale <= 0) {
    return `${sign}${significant}${"0".repeat(-scale)}`;
  }
  const padded = significant.padStart(scale + 1, "0");
  return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`;
}

/** Both kernels, asked about one text after the other. */
export class DecimalJudge {
  readonly counts: DecimalCounts = { numbers: 0, overflows: 0, syntaxErrors: 0 };
  readonly #kernels = (["wasm", "twin"] as const).map((name) => new Reader(name));

  /** @throws Error naming kernel and text when a kernel says anything else than the arithmetic */
  judge(text: string): void {
    const expected = expectedOf(text);
    for (const kernel of this.#kernels) {
      kernel.judge(text, expected);
    }
    if (expected.kind === "number") {
      this.counts.numbers += 1;
    } else if (expected.kind === "overflow") {
      this.counts.overflows += 1;
    } else {
      this.counts.syntaxErrors += 1;
    }
  }
}

class Reader {
  readonly #name: "wasm" | "twin";
  readonly #kernel: Kernel;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #text: number;
  readonly #out: number;
  readonly #back: number;

  constructor(name: "wasm" | "twin") {
    this.#name = name;
    this.#kernel = freshKernel(name).kernel;
    this.#bytes = new Uint8Array(this.#kernel.buffer);
    this.#view = new DataView(this.#kernel.buffer);
    this.#text = this.#kernel.arenaAllocate(TEXT_BYTES_MAX);
    this.#out = this.#kernel.arenaAllocate(DECIMAL_BYTES);
    this.#back = this.#kernel.arenaAllocate(TEXT_BYTES_MAX);
  }

  judge(text: string, expected: Expected): void {
    const length = this.#put(text);
    const code = this.#kernel.parseDecimal(this.#text, length, this.#out);
    if (expected.kind !== "number") {
      const wanted = expected.kind === "overflow" ? DECIMAL_OVERFLOW : DECIMAL_SYNTAX;
      this.#demand(code === wanted, text, `code ${code} instead of ${wanted}`);
      return;
    }
    this.#demand(code === DECIMAL_OK, text, `code ${code} instead of ${DECIMAL_OK}`);
    const units = this.#view.getBigInt64(this.#out + DECIMAL_MANTISSA, true);
    const decimals = this.#view.getInt32(this.#out + DECIMAL_DECIMALS, true);
    const needed = this.#view.getInt32(this.#out + DECIMAL_NEEDED, true);
    const isExact = units === expected.units && decimals === expected.decimals && needed === expected.needed;
    this.#demand(isExact, text, `${units} with ${decimals} decimals, ${needed} needed`);
    const bytes = this.#kernel.formatDecimal(this.#out + DECIMAL_MANTISSA, decimals, this.#back);
    const back = this.#read(bytes);
    this.#demand(back === expected.text, text, `text ${back} instead of ${expected.text}`);
  }

  #put(text: string): number {
    for (let index = 0; index < text.length; index++) {
      this.#bytes[this.#text + index] = text.charCodeAt(index);
    }
    // What stands behind the text must not matter.
    this.#bytes[this.#text + text.length] = 0x39;
    return text.length;
  }

  #read(bytes: number): string {
    let text = "";
    for (let index = 0; index < bytes; index++) {
      text += String.fromCharCode(this.#bytes[this.#back + index] ?? 0);
    }
    return text;
  }

  #demand(isSo: boolean, text: string, was: string): void {
    if (!isSo) {
      throw new Error(`Cannot trust the ${this.#name} kernel with ${JSON.stringify(text)}: was ${was}`);
    }
  }
}

const EXTREMES = [INT64_MAX, -INT64_MIN, 2n ** 53n, 2n ** 32n, 2n ** 31n, 10n ** 18n, 10n ** 9n, 1n];
const NO_NUMBERS = [
  "",
  ".",
  "-",
  "1.",
  ".5",
  "+1",
  "1e",
  "1e+",
  "--1",
  "1.2.3",
  "0x10",
  "1,5",
  " 1",
  "1 ",
  "NaN",
  "1e5.0",
];

/** A decimal of any shape: plain, long, with zeros at either end, with an exponent, at the edge of what fits, or none at all. */
export function randomDecimal(random: SeededRandom): string {
  const sign = random.below(8) === 0 ? "-" : "";
  const shape = random.below(20);
  if (shape < 8) {
    return sign + withPoint(random, { whole: 1 + random.below(8), fraction: random.below(9) });
  }
  if (shape < 11) {
    return sign + withPoint(random, { whole: 1 + random.below(20), fraction: random.below(22) });
  }
  if (shape < 13) {
    const zeros = "0".repeat(random.below(12));
    return `${sign}${zeros}${withPoint(random, { whole: 1 + random.below(9), fraction: 1 + random.below(9) })}${"0".repeat(random.below(20))}`;
  }
  if (shape < 16) {
    const power = random.below(5) === 0 ? random.below(2000) - 1000 : random.below(50) - 25;
    const signOf = power >= 0 && random.below(2) === 0 ? "+" : "";
    const mantissa = withPoint(random, { whole: 1 + random.below(6), fraction: random.below(12) });
    return `${sign}${mantissa}${random.below(2) === 0 ? "e" : "E"}${signOf}${power}`;
  }
  return shape < 19 ? sign + extreme(random) : random.pick(NO_NUMBERS);
}

/** A whole number a few units around an edge, with a point anywhere in it and zeros behind. */
function extreme(random: SeededRandom): string {
  const digits = (random.pick(EXTREMES) + BigInt(random.below(7) - 3)).toString().replace("-", "");
  const decimals = random.below(digits.length + 3);
  const padded = digits.padStart(decimals + 1, "0");
  const zeros = "0".repeat(random.below(3) === 0 ? random.below(6) : 0);
  return decimals === 0 ? padded : `${padded.slice(0, -decimals)}.${padded.slice(-decimals)}${zeros}`;
}

function withPoint(random: SeededRandom, { whole, fraction }: { whole: number; fraction: number }): string {
  const digits = (count: number) => Array.from({ length: count }, () => random.below(10)).join("");
  return fraction === 0 ? digits(whole) : `${digits(whole)}.${digits(fraction)}`;
}

/** Every number in a JSON text: bare ones, and strings that hold one. */
export function numbersIn(text: string): string[] {
  const tokens = text.match(
    /"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"|(?<=[:,[]\s*)-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?=\s*[,\]}])/g,
  );
  return (tokens ?? []).map((token) => (token.startsWith('"') ? token.slice(1, -1) : token));
}
