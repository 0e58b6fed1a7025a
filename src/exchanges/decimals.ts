/**
 * Decimals of ticks and lots as exchanges write them: `0.01000000` has two. Text in, a small integer out; no double.
 * Bad case: text that is no plain decimal; the caller drops that one entry and says so.
 */
const PLAIN_DECIMAL = /^\d+(?:\.(\d*))?$/;

/**
 * Digits after the point that a decimal needs.
 * @param text plain decimal, e.g. `0.01000000`
 * @returns 0 … ; undefined when it is no plain decimal, or zero (a tick of zero says nothing)
 */
export function decimalsOf(text: string): number | undefined {
  const match = PLAIN_DECIMAL.exec(text);
  if (match === null || /^[0.]*$/.test(text)) {
    return undefined;
  }
  return (match[1] ?? "").replace(/0+$/, "").length;
}
