/** The crowd of the load benchmark, as the benchmark holds it. Bad case: it ends before it answers; the ask rejects. */
import { FANOUT_WORD, Part } from "../fanout/mod.ts";
import type { CrowdAnswer } from "./words.ts";

/** A crowd in a process of its own. */
export type CrowdPart = Part<CrowdAnswer>;

/** Starts a crowd; it connects when it is told to. */
export function openCrowd(): CrowdPart {
  return new Part<CrowdAnswer>([FANOUT_WORD, "crowd"]);
}
