/**
 * Damages frames: bits, bytes, cuts, repeats, splices, and what hostile JSON likes: deep nesting, long numbers, swapped
 * types. Most results are still close to a frame, so that decoders get far into them.
 * Bad case: a mutation that changes nothing; that is a valid case as well.
 */
import type { SeededRandom } from "./seeded_random.ts";

const TOKENS = [
  "0",
  "-1",
  "1e400",
  "1e-400",
  "9223372036854775807",
  "9223372036854775808",
  "00",
  "0.0",
  "-0",
  "1.",
  "4.9e-7",
  "123456789012345678901234567890",
  '"',
  "[",
  "]",
  "{",
  "}",
  ",",
  ":",
  "null",
  "true",
  "false",
  "[]",
  "{}",
  '""',
  "\\",
  "\\u0041",
  "\u0000",
  "\u007f",
  "\u00ff",
  " ",
  "\n",
  '"0.000000000000000001"',
  '"1e18"',
];
const NEST = "[".repeat(40);

/** One mutated copy of a frame. @param others frames to splice with */
export function mutated(bytes: Uint8Array, random: SeededRandom, others: readonly Uint8Array[]): Uint8Array {
  let out: Buffer = Buffer.from(bytes);
  const rounds = 1 + random.below(3);
  for (let round = 0; round < rounds; round++) {
    out = once(out, random, others);
  }
  return new Uint8Array(out);
}

function once(bytes: Buffer, random: SeededRandom, others: readonly Uint8Array[]): Buffer {
  const at = random.below(bytes.length + 1);
  const to = Math.min(bytes.length, at + random.below(12));
  switch (random.below(10)) {
    case 0: {
      const copy = Buffer.from(bytes);
      copy[at % Math.max(1, copy.length)] = (copy[at % Math.max(1, copy.length)] ?? 0) ^ (1 << random.below(8));
      return copy;
    }
    case 1:
      return bytes.subarray(0, at);
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(to)]);
    case 3:
      return Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)]);
    case 4:
      return Buffer.concat([bytes.subarray(0, at), Buffer.from(random.pick(TOKENS), "latin1"), bytes.subarray(at)]);
    case 5:
      return Buffer.concat([bytes.subarray(0, at), Buffer.from(random.pick(TOKENS), "latin1"), bytes.subarray(to)]);
    case 6:
      return Buffer.concat([bytes.subarray(0, at), Buffer.from(random.pick(others)).subarray(random.below(200))]);
    case 7:
      return digitChanged(bytes, random);
    case 8:
      return random.below(20) === 0
        ? Buffer.concat([bytes.subarray(0, at), Buffer.from(NEST), bytes.subarray(at)])
        : swapped(bytes, random);
    default:
      return digitChanged(digitChanged(bytes, random), random);
  }
}

/** Changes one digit into another: still a frame, with another meaning. */
function digitChanged(bytes: Buffer, random: SeededRandom): Buffer {
  const copy = Buffer.from(bytes);
  const start = random.below(copy.length + 1);
  for (let step = 0; step < copy.length; step++) {
    const at = (start + step) % copy.length;
    const byte = copy[at] ?? 0;
    if (byte >= 0x30 && byte <= 0x39) {
      copy[at] = 0x30 + random.below(10);
      break;
    }
  }
  return copy;
}

/** Swaps two stretches between commas: keys in another order, levels among fields. */
function swapped(bytes: Buffer, random: SeededRandom): Buffer {
  const parts = bytes.toString("latin1").split(",");
  const a = random.below(parts.length);
  const b = random.below(parts.length);
  [parts[a], parts[b]] = [parts[b] ?? "", parts[a] ?? ""];
  return Buffer.from(parts.join(","), "latin1");
}
