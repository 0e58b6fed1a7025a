/**
 * The head of a segment's metrics as its producer's host writes it: the clock offset that the kernel takes off exchange
 * times, its bounds, the least delay that the kernel saw, the heap of the thread.
 * Bad case: the kernel writes the least delay meanwhile; host and kernel are one thread, so it does not.
 */
import {
  METRICS_CLOCK_HIGH,
  METRICS_CLOCK_LOW,
  METRICS_CLOCK_OFFSET,
  METRICS_HEAP_USED,
  METRICS_LEAST_DELAY,
} from "../../assembly/layout.ts";

/** Least and largest i64: no bound, no delay. */
const NONE_LOW = -(2n ** 63n);
const NONE_HIGH = 2n ** 63n - 1n;
const HEAD_BYTES = 64;

/** What is known of the difference between two clocks, ns; undefined = not bounded. */
export type ClockBounds = {
  /** Our clock minus the exchange's, as far as it is proved: 0 unless a bound says otherwise. */
  readonly offsetNs: number;
  readonly lowNs: number | undefined;
  readonly highNs: number | undefined;
};

/** Writes what a segment without any traffic says. @param view over the segment */
export function beginMetrics(view: DataView, metricsOffset: number): void {
  view.setBigInt64(metricsOffset + METRICS_CLOCK_LOW, NONE_LOW, true);
  view.setBigInt64(metricsOffset + METRICS_CLOCK_HIGH, NONE_HIGH, true);
  view.setBigInt64(metricsOffset + METRICS_LEAST_DELAY, NONE_HIGH, true);
}

/** The head of one segment's metrics. Thread: the producer's. */
export class MetricsHead {
  readonly #view: DataView;

  /** @param address of the metrics part */
  constructor(buffer: ArrayBufferLike, address: number) {
    this.#view = new DataView(buffer, address, HEAD_BYTES);
  }

  /** The least received − event time since the last call, ns; undefined when no event came. */
  takeLeastDelay(): number | undefined {
    const least = this.#view.getBigInt64(METRICS_LEAST_DELAY, true);
    this.#view.setBigInt64(METRICS_LEAST_DELAY, NONE_HIGH, true);
    return least === NONE_HIGH ? undefined : Number(least);
  }

  /** From here on the kernel takes this offset off. */
  setClock({ offsetNs, lowNs, highNs }: ClockBounds): void {
    this.#view.setBigInt64(METRICS_CLOCK_OFFSET, BigInt(Math.round(offsetNs)), true);
    this.#view.setBigInt64(METRICS_CLOCK_LOW, bound(lowNs, NONE_LOW), true);
    this.#view.setBigInt64(METRICS_CLOCK_HIGH, bound(highNs, NONE_HIGH), true);
  }

  /** V8's heap of the producer's thread, bytes. */
  setHeapUsed(bytes: number): void {
    this.#view.setBigUint64(METRICS_HEAP_USED, BigInt(Math.round(bytes)), true);
  }
}

/** Reads what the host wrote. @param address of the metrics part */
export function readMetricsHead(memory: DataView, address: number): ClockBounds & { readonly heapUsedBytes: number } {
  const low = memory.getBigInt64(address + METRICS_CLOCK_LOW, true);
  const high = memory.getBigInt64(address + METRICS_CLOCK_HIGH, true);
  return {
    offsetNs: Number(memory.getBigInt64(address + METRICS_CLOCK_OFFSET, true)),
    lowNs: low === NONE_LOW ? undefined : Number(low),
    highNs: high === NONE_HIGH ? undefined : Number(high),
    heapUsedBytes: Number(memory.getBigUint64(address + METRICS_HEAP_USED, true)),
  };
}

function bound(value: number | undefined, none: bigint): bigint {
  return value === undefined ? none : BigInt(Math.round(value));
}
