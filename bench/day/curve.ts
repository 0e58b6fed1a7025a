/**
 * When the frames of a day arrive: an hour-by-hour level (quiet before Europe wakes, busiest when New York opens), noise
 * that drifts from minute to minute, and a few shocks that multiply the rate and fade within minutes. Seeded. The shape is
 * made up after what days of this market look like; the number of level updates is the one that is known.
 * Bad case: a flat day; its quietest and its busiest minute would cost the same, and nothing would show how much room is left.
 */
import { seededRandom } from "../statistics.ts";

/** Level updates of the worst day known. */
export const DAY_UPDATES = 267_000_000;
/** Minutes of a day. */
export const DAY_MINUTES = 1440;

/** Rate by hour, UTC, as a share of the day's mean before noise and shocks. */
const HOURS = [
  0.75, 0.7, 0.65, 0.6, 0.55, 0.55, 0.6, 0.75, 0.9, 0.95, 0.95, 1.0, 1.15, 1.6, 1.9, 1.8, 1.6, 1.4, 1.2, 1.1, 1.05,
  0.95, 0.85, 0.8,
];
/** Noise of one minute follows the one before. */
const PERSISTENCE = 0.9;
const NOISE = 0.12;
const SHOCKS = 6;
const SHOCK_HEIGHT_LEAST = 4;
const SHOCK_HEIGHT_SPREAD = 12;
const SHOCK_FADE_MINUTES = 9;

/** @returns for each minute its part of the day; they sum to 1 */
export function dayCurve(seed: number): Float64Array {
  const random = seededRandom(seed);
  const shocks = Array.from({ length: SHOCKS }, () => ({
    minute: Math.floor(random() * DAY_MINUTES),
    height: SHOCK_HEIGHT_LEAST + random() * SHOCK_HEIGHT_SPREAD,
  }));
  let drift = 0;
  const rates = Float64Array.from({ length: DAY_MINUTES }, (_, minute) => {
    drift = PERSISTENCE * drift + NOISE * (random() + random() + random() - 1.5) * 2;
    const shock = shocks.reduce((sum, { minute: from, height }) => {
      return minute < from ? sum : sum + height * Math.exp(-(minute - from) / SHOCK_FADE_MINUTES);
    }, 0);
    return hourLevel(minute) * Math.exp(drift) * (1 + shock);
  });
  const total = rates.reduce((sum, rate) => sum + rate, 0);
  return rates.map((rate) => rate / total);
}

/** Between the middles of two hours. */
function hourLevel(minute: number): number {
  const place = (minute + DAY_MINUTES - 30) / 60;
  const hour = Math.floor(place);
  const share = place - hour;
  return (HOURS[hour % 24] ?? 1) * (1 - share) + (HOURS[(hour + 1) % 24] ?? 1) * share;
}
