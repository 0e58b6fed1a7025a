/**
 * A loop over parseDecimal, beside the kernel's own functions in the module that only benchmarks load: what is counted is
 * the parsing, not the calls from JavaScript. Bad case: tokens that cannot be parsed; they are counted and returned.
 */
import { parseDecimal } from "../quantize";

/**
 * Parses every token of a table.
 * @param table of address and length, four bytes each @param out DECIMAL_BYTES
 * @returns tokens that are no decimals
 */
export function parseTokens(table: usize, count: u32, out: usize): u32 {
  let bad: u32 = 0;
  for (let end = table + ((<usize>count) << 3); table < end; table += 8) {
    if (parseDecimal(load<u32>(table), load<u32>(table, 4), out) != 0) bad++;
  }
  return bad;
}
