/** x */
import type { BenchReport } from "./results.ts";
export function renderMarkdown(_r: BenchReport): string {
  return "";
}
