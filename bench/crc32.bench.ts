/**
 * CRC-32 over as many bytes as Kraken's checksum covers, against eight tables in plain JavaScript and against zlib's.
 * Bad case: a longer text; vector instructions in zlib win there, while calling it costs more than 300 bytes of work.
 */
import { crc32 as zlibCrc32 } from "node:zlib";
import { crc32 } from "./baseline/crc32.ts";
import type { Bench, BenchContext } from "./context.ts";
import { type Case, mustEqual, type Side } from "./harness.ts";
import { seededRandom } from "./statistics.ts";
import { openWorkbench, reserveBytes } from "./workbench.ts";

/** The benchmark. */
export const CRC32: Bench = {
  name: "crc32",
  about: "CRC-32 over the digits of a Kraken checksum",
  run: async (context) => {
    const text = digits();
    const kernels = context.kernels.map((name) => {
      const bench = openWorkbench(name);
      const address = reserveBytes(bench, "digits", text.length);
      bench.bytes.set(text, address);
      return { name, call: () => bench.producer.crc32(address, DIGITS) };
    });
    const calls = Object.fromEntries(kernels.map(({ name, call }) => [name, call]));
    return [
      await context.measure(crcCase(context, kernels, text), { ...calls, baseline: () => crc32(text, 0, DIGITS) }),
    ];
  },
};

/** Twenty levels of about six digits of price and nine of quantity. */
const DIGITS = 300;
const CALLS = 512;

function digits(): Uint8Array {
  const random = seededRandom(9);
  return Uint8Array.from({ length: DIGITS }, () => 48 + Math.floor(random() * 10));
}

type Call = { name: string; call: () => number };

function crcCase(context: BenchContext, kernels: readonly Call[], text: Uint8Array): Case {
  const expected = crc32(text, 0, DIGITS);
  const others: Call[] = [
    { name: "baseline", call: () => crc32(text, 0, DIGITS) },
    ...(typeof zlibCrc32 === "function" ? [{ name: "zlib", call: () => zlibCrc32(text) }] : []),
  ];
  const sides = [...kernels, ...others].map(
    ({ name, call }): Side => ({
      name,
      work: () => {
        let differing = 0;
        for (let index = 0; index < CALLS; index++) {
          differing |= call() ^ expected;
        }
        return differing;
      },
      verify: (differing) => mustEqual(`crc32 of ${name}: bits that differ`, differing, 0),
    }),
  );
  const names = [...others.map(({ name }) => name), ...(context.kernels.includes("twin") ? ["twin"] : [])];
  return {
    bench: CRC32.name,
    name: `${DIGITS} digits`,
    unit: "ns/call",
    units: CALLS,
    sides,
    ratios: names.map((other) => ({ other })),
  };
}
