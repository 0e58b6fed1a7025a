/**
 * ns per call of one small function, by mitata: it unrolls calls into batches, which a paired round cannot.
 * Bad case: comparing these across sides; they are not interleaved, so ratios come from the harness only.
 */
import { measure } from "mitata";
import type { PerCall } from "./results.ts";

/**
 * Measures one function.
 * @param name of the side @param call must not allocate unless that is what is measured @param cpuMs least time spent on it
 */
export async function perCall(name: string, call: () => unknown, cpuMs: number): Promise<PerCall> {
  const { p50, p99, samples } = await measure(call, { min_cpu_time: cpuMs * 1e6 });
  return { name, p50, p99, samples: samples.length };
}
