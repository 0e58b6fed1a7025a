/**
 * How long an answer of HTTP asks us to stay away. A date is taken relative to the answer's own `date`, so that no clock of
 * ours comes into it; a status that turns us away without a time has one of ours.
 * Bad case: a server that asks for years; nothing longer than the longest known ban is believed.
 * @see RFC 9110, 10.2.3
 */

const MS_PER_SECOND = 1000;
/** Binance bans for up to three days. */
const LONGEST_MS = 3 * 86_400 * MS_PER_SECOND;
/** Unless the answer says how long: banned, and too many requests. */
const SILENCE_MS: Readonly<Record<number, number>> = { 418: 120_000, 429: 60_000 };

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

/**
 * How long a refusal demands that we stay away, the same for REST and handshakes.
 * @param status of HTTP @param saidMs what its `retry-after` said, ms; undefined when it said nothing
 * @returns ms; undefined when it demands nothing
 */
export function demandedRestMs(status: number, saidMs: number | undefined): number | undefined {
  return saidMs ?? SILENCE_MS[status];
}
