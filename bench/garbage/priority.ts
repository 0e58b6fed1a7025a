/**
 * The calling thread before all others of the machine, where the system allows it: one that loses its processor in the
 * middle of a collection would count as a pause of the collector. Niceness does not do, for systems weigh it only among the
 * processes of one session. Bad case: no Linux, or nobody who may ask for it; it stays as it is, and that is said.
 */
/** SCHED_RR at its lowest priority, which is above every ordinary thread. */
const ROUND_ROBIN = 2;
const PRIORITY = 1;

/** Puts the calling thread first. @returns whether the system did */
export async function goFirst(): Promise<boolean> {
  if (process.platform !== "linux") {
    return false;
  }
  const { default: koffi } = await import("koffi");
  const set = koffi.load(null).func("int sched_setscheduler(int id, int policy, const int32_t *priority)");
  return Number(set(0, ROUND_ROBIN, new Int32Array([PRIORITY]))) === 0;
}
