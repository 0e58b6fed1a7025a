/**
 * Histograms of shared memory as Prometheus has them: two buckets an octave from 512 ns to 17 s. The bounds lie between counts,
 * so that every bucket is exact; one nanosecond below the round figure, because counts hold whole nanoseconds below it.
 * Bad case: values beyond the last bound; they are in `+Inf` alone.
 */
import { HISTOGRAM_COUNTS } from "../../assembly/layout.ts";
import { type HistogramLook, histogramFloor } from "../segment/histogram.ts";
import type { Labels, MetricName, MetricValues } from "./metric_families.ts";

const FIRST_OCTAVE = 9;
const LAST_OCTAVE = 34;
const NANOSECONDS = 1e9;

/** Upper bounds, whole ns: every value below is in the bucket. */
export const BUCKETS_NS: readonly number[] = Array.from({ length: LAST_OCTAVE - FIRST_OCTAVE }, (_, octave) => [
  2 ** (FIRST_OCTAVE + octave),
  1.5 * 2 ** (FIRST_OCTAVE + octave),
])
  .flat()
  .concat(2 ** LAST_OCTAVE);

/** Puts a histogram in. */
export function putHistogram(
  values: MetricValues,
  name: MetricName,
  { labels, look }: { labels: Labels; look: HistogramLook },
): void {
  let place = 0;
  let below = 0;
  for (const bound of BUCKETS_NS) {
    while (place < HISTOGRAM_COUNTS && histogramFloor(place) < bound) {
      below += look.counts[place] ?? 0;
      place += 1;
    }
    values.put(name, { ...labels, le: String((bound - 1) / NANOSECONDS) }, { value: below, suffix: "_bucket" });
  }
  values.put(name, { ...labels, le: "+Inf" }, { value: look.count, suffix: "_bucket" });
  values.put(name, labels, { value: look.sumNs / NANOSECONDS, suffix: "_sum" });
  values.put(name, labels, { value: look.count, suffix: "_count" });
}
