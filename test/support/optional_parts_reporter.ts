/**
 * A vitest reporter that closes a run with one line naming every optional part that was skipped, e.g.
 * `optional parts: captures present, Chromium SKIPPED`. Tests run in processes of their own, hence the parts travel
 * through a file whose path is in the environment. Bad case: tests that ask for no optional part print no line.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Reporter, Vitest } from "vitest/node";
import { PARTS_FILE_VARIABLE, type PartRecord } from "./require.ts";

/** Prints which optional parts of the suite ran and which were skipped. */
export class OptionalPartsReporter implements Reporter {
  #file = "";

  onInit(vitest: Vitest): void {
    const folder = mkdtempSync(join(tmpdir(), "alphapulse-test-"));
    this.#file = join(folder, "parts.jsonl");
    process.env[PARTS_FILE_VARIABLE] = this.#file;
    vitest.onClose(() => rmSync(folder, { recursive: true, force: true }));
  }

  onTestRunEnd(): void {
    if (existsSync(this.#file)) {
      console.log(partsLine(readFileSync(this.#file, "utf8")));
      rmSync(this.#file);
    }
  }
}

/**
 * The closing line of a run.
 * @param records JSON lines as `optionalPart` wrote them; a part that several files asked for is named once
 */
export function partsLine(records: string): string {
  const lines = records.split("\n").filter((text) => text.length > 0);
  const parts = new Map(lines.map((text) => JSON.parse(text) as PartRecord).map((part) => [part.name, part.isPresent]));
  const words = [...parts].sort().map(([name, isPresent]) => `${name} ${isPresent ? "present" : "SKIPPED"}`);
  return `optional parts: ${words.join(", ")}`;
}
