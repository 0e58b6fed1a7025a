/**
 * How long an answer of HTTP asks us to stay away. A date is taken relative to the answer's own `date`, so that no clock of
 * ours comes into it. Bad case: a server that asks for years; nothing longer than the longest known ban is believed.
 * @see RFC 9110, 10.2.3
 */

const MS_PER_SECOND = 1000;
/** Binance bans for up to three days. */
const LONGEST_MS = 3 * 86_400 * MS_PER_SECOND;

/**
 * Reads `retry-after`.
 * @param retryAfter null when there was none @param date the answer's `date`, null when there was none
 * @returns ms; undefined when it asks for nothing that can be understood
 */
export function retryAfterMs(retryAfter: string | null, date: string | null): number | undefined {
  const text = retryAfter?.trim() ?? "";
  const ms = /^\d+$/.test(text) ? Number(text) * MS_PER_SECOND : Date.parse(text) - Date.parse(date ?? "");
  return ms > 0 ? Math.min(ms, LONGEST_MS) : undefined;
}
