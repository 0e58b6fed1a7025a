/**
 * CPU time that the hypervisor gave to others, from /proc/stat. A round that lost more than STOLEN_MAX of the machine's
 * time is discarded and counted. The kernel counts in ticks of 10 ms, so one tick already discards a short round.
 * Bad case: no /proc/stat (not Linux): nothing is known, and nothing is discarded.
 */
import { readFileSync } from "node:fs";

/** Share of the machine's CPU time in a round above which it is discarded. */
export const STOLEN_MAX = 0.02;

/** Ticks since boot. */
export type CpuTicks = { total: number; stolen: number };

const STEAL_FIELD = 7;
/** user, nice, system, idle, iowait, irq, softirq, steal; guest time is part of user. */
const FIELDS = 8;

/** @returns zeros when the system does not tell */
export function readCpuTicks(): CpuTicks {
  try {
    return parseCpuTicks(readFileSync("/proc/stat", "utf8"));
  } catch (cause) {
    if (cause instanceof Error && "code" in cause) {
      return { total: 0, stolen: 0 };
    }
    throw cause;
  }
}

/** Reads the first line of /proc/stat: `cpu  user nice system idle iowait irq softirq steal …`. */
export function parseCpuTicks(text: string): CpuTicks {
  const [line = ""] = text.split("\n", 1);
  const fields = line
    .trim()
    .split(/\s+/)
    .slice(1, 1 + FIELDS)
    .map(Number);
  return { total: fields.reduce((sum, ticks) => sum + ticks, 0), stolen: fields[STEAL_FIELD] ?? 0 };
}

/** @returns 0 … 1; 0 when no tick passed */
export function stolenShare(before: CpuTicks, after: CpuTicks): number {
  const total = after.total - before.total;
  return total > 0 ? (after.stolen - before.stolen) / total : 0;
}
