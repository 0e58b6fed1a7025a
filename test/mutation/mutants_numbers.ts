/**
 * Mutants of numbers: decimal text, hash, CRC-32, checksum, and the codings of the stream.
 * Bad case: a mutant that changes no observable result; it would stay alive for ever, so none such is listed.
 */
import type { Patch } from "./patch.ts";

const QUANTIZE = "assembly/quantize.ts";
const TWIN_QUANTIZE = "src/kernel/twin/quantize.ts";
const CHECKSUM = "assembly/checksum.ts";
const TWIN_CHECKSUM = "src/kernel/twin/checksum.ts";
const CODEC = "assembly/codec.ts";
const TWIN_CODEC = "src/kernel/twin/codec.ts";

/** Mutants of numbers and codings. */
export const NUMBER_MUTANTS: readonly Patch[] = [
  {
    name: "quantize-wraps-i64",
    why: "a price beyond i64 becomes a negative one instead of an overflow",
    edits: [
      {
        file: QUANTIZE,
        find: "const bound: u64 = negative ? 0x8000000000000000 : 0x7fffffffffffffff;",
        replace: "const bound: u64 = negative ? 0x8000000000000000 : 0xffffffffffffffff;",
      },
      {
        file: TWIN_QUANTIZE,
        find: "  } else if (!fits || !applySign(isNegative) ||",
        replace: "  } else if (!fits || (!applySign(isNegative) && isNegative) ||",
      },
    ],
    tests: ["test/unit/twin_quantize.test.ts"],
  },
  {
    name: "quantize-long-on-fast-path",
    why: "numbers of more digits than the fast path holds are read modulo 2^64 or 2^32",
    edits: [
      { file: QUANTIZE, find: "const DIGITS_FAST: usize = 18;", replace: "const DIGITS_FAST: usize = 20;" },
      { file: TWIN_QUANTIZE, find: "const PART_DIGITS = 9;", replace: "const PART_DIGITS = 10;" },
    ],
    tests: ["test/unit/twin_quantize.test.ts"],
  },
  {
    name: "quantize-counts-trailing-zeros",
    why: "zeros at the end count as needed digits: ids retire without need, and exponents differ from what was announced",
    edits: [
      {
        file: QUANTIZE,
        find: "    while (significant > 0 && <u32>load<u8>(first + significant - 1) == ZERO) significant--;\n",
        replace: "",
      },
      {
        file: QUANTIZE,
        find: "  needed = low == 0 ? 0 : <i32>fraction - <i32>(clz<u64>(low) >> 3);",
        replace: "  needed = <i32>fraction;",
      },
      {
        file: TWIN_QUANTIZE,
        find: "    while (needed > 0 && byteAt(bytes, fractionStart + needed - 1) === ZERO) {\n      needed--;\n    }\n",
        replace: "",
      },
    ],
    tests: ["test/unit/twin_quantize.test.ts"],
  },
  {
    name: "quantize-scales-through-double",
    why: "the JavaScript kernel multiplies ticks as a double although the product is beyond 2^53",
    edits: [
      {
        file: "src/kernel/twin/levels.ts",
        find: "    if (scaled <= Number.MAX_SAFE_INTEGER) {",
        replace: "    if (scaled <= 2 ** 63) {",
      },
    ],
    tests: ["test/unit/mutants_numbers.test.ts"],
  },
  {
    name: "quantize-exponent-sign",
    why: "4.9e-7 is read as 4.9e7",
    edits: [
      { file: QUANTIZE, find: "  if (negative) exponent = -exponent;\n", replace: "" },
      { file: TWIN_QUANTIZE, find: "    power = isDivided ? -power : power;\n", replace: "" },
    ],
    tests: ["test/unit/twin_quantize.test.ts"],
  },
  {
    name: "hash-forgets-side",
    why: "a level on the wrong side proves right",
    edits: [
      { file: "assembly/hash.ts", find: "mix(mix(0, side),", replace: "mix(mix(0, 0)," },
      { file: "src/kernel/twin/hash.ts", find: "side === 0 ? BID_SEED : ASK_SEED", replace: "BID_SEED" },
    ],
    tests: ["test/unit/twin_hash.test.ts"],
  },
  {
    name: "crc-skips-last-byte",
    why: "no checksum of Kraken holds, every book is resynced for ever",
    edits: [
      { file: "assembly/crc32.ts", find: "  while (address < end) {", replace: "  while (address + 1 < end) {" },
      {
        file: "src/kernel/twin/crc32.ts",
        find: "  for (; at < end; at++) {",
        replace: "  for (; at + 1 < end; at++) {",
      },
    ],
    tests: ["test/unit/twin_hash.test.ts", "test/conformance/exchanges.test.ts"],
  },
  {
    name: "checksum-keeps-old-quantity",
    why: "the cached digits are renewed when a price changes but not when a quantity does",
    edits: [
      {
        file: CHECKSUM,
        find: "v128.all_true<i64>(i64x2.eq(v128.load(slotAt(cache, i)), v128.load(walked)))",
        replace: "load<i64>(slotAt(cache, i)) == load<i64>(walked)",
      },
      {
        file: TWIN_CHECKSUM,
        find: "      wordAt(levels, at + 1) === side.priceHigh(place) &&\n      wordAt(levels, at + 2) === side.quantityLow(place) &&\n      wordAt(levels, at + 3) === side.quantityHigh(place)\n",
        replace: "      wordAt(levels, at + 1) === side.priceHigh(place)\n",
      },
    ],
    tests: ["test/unit/mutants_kraken.test.ts", "test/captures/replay.test.ts"],
  },
  {
    name: "checksum-bids-first",
    why: "asks and bids change places under the checksum",
    edits: [
      {
        file: CHECKSUM,
        find: "  follow(book + 16, cache, ~(<i64>0), START, pricePower, quantityPower);\n  follow(book, cache + SIDE_BYTES, 0, 0, pricePower, quantityPower);",
        replace:
          "  follow(book, cache, 0, START, pricePower, quantityPower);\n  follow(book + 16, cache + SIDE_BYTES, ~(<i64>0), 0, pricePower, quantityPower);",
      },
      {
        file: TWIN_CHECKSUM,
        find: "    return crc32(text.bids.bytes, 0, bids, crc32(text.asks.bytes, 0, asks));",
        replace: "    return crc32(text.asks.bytes, 0, asks, crc32(text.bids.bytes, 0, bids));",
      },
    ],
    tests: ["test/conformance/exchanges.test.ts", "test/unit/twin_decoders.test.ts"],
  },
  {
    name: "checksum-digits-of-exponent",
    why: "the digits are taken from our exponent, not from what the exchange wrote: false alarms whenever it writes zeros",
    edits: [
      {
        file: CHECKSUM,
        find: "    load<i32>(instrument, INSTRUMENT_WIRE_PRICE_DECIMALS) - load<i32>(instrument, INSTRUMENT_PRICE_EXPONENT);",
        replace: "    0;",
      },
      {
        file: TWIN_CHECKSUM,
        find: "      fieldOf(words, instrument, INSTRUMENT_WIRE_PRICE_DECIMALS) -\n        fieldOf(words, instrument, INSTRUMENT_PRICE_EXPONENT),",
        replace: "      0,",
      },
    ],
    tests: ["test/unit/mutants_kraken.test.ts", "test/captures/replay.test.ts"],
  },
  {
    name: "kraken-digits-outlive-snapshot",
    why: "the digits of before a snapshot count after it: an exchange that writes fewer never gets a checksum right again",
    edits: [
      {
        file: "assembly/decoders/kraken.ts",
        find: "  const price = snapshot ? 0 : load<u32>(instrument, INSTRUMENT_WIRE_PRICE_DECIMALS);",
        replace: "  const price = load<u32>(instrument, INSTRUMENT_WIRE_PRICE_DECIMALS);",
      },
      {
        file: "src/kernel/twin/decoders/kraken_book.ts",
        find: "  const price = isSnapshot ? 0 : fieldOf(words, instrument, INSTRUMENT_WIRE_PRICE_DECIMALS);",
        replace: "  const price = fieldOf(words, instrument, INSTRUMENT_WIRE_PRICE_DECIMALS);",
      },
    ],
    tests: ["test/unit/mutants_kraken.test.ts"],
  },
  {
    name: "codec-quantity-not-shortest",
    why: "quantities leave in a form that every client refuses",
    edits: [
      {
        file: CODEC,
        find: "  while (z < 3 && m != 0 && m % 100 == 0) {",
        replace: "  while (z < 2 && m != 0 && m % 100 == 0) {",
      },
      { file: TWIN_CODEC, find: "  while (factors < FACTORS_MAX) {", replace: "  while (factors < FACTORS_MAX - 1) {" },
    ],
    tests: ["test/unit/twin_frame.test.ts", "test/differential/stream.test.ts"],
  },
  {
    name: "codec-time-truncated",
    why: "event times lose their nanoseconds on the way to clients",
    edits: [
      {
        file: CODEC,
        find: "  if (whole * unit == difference) return writeVarint(at, zigzag(whole) << 1);",
        replace: "  if (unit > 1 || whole * unit == difference) return writeVarint(at, zigzag(whole) << 1);",
      },
      {
        file: TWIN_CODEC,
        find: "  const isWhole = divideByPower(low, high, power);",
        replace: "  const isWhole = divideByPower(low, high, power) || power > 0;",
      },
    ],
    tests: ["test/unit/twin_frame.test.ts", "test/unit/wire_frames.test.ts"],
  },
  {
    name: "json-decimal-unpadded",
    why: "1.05 is shown as 1.5 to JSON clients, REST and the page",
    edits: [
      {
        file: "src/wire/numbers.ts",
        find: 'trimZeros(fraction.toString().padStart(exponent, "0"))',
        replace: "trimZeros(fraction.toString())",
      },
    ],
    tests: ["test/unit/wire_numbers.test.ts"],
  },
  {
    name: "json-decimal-cuts-digits",
    why: "a JSON client drops digits that its exponent does not hold instead of refusing them",
    edits: [
      {
        file: "src/wire/numbers.ts",
        find: "  if (fraction.length > exponent) {\n    return undefined;\n  }\n",
        replace: "",
      },
    ],
    tests: ["test/unit/wire_numbers.test.ts"],
  },
];
