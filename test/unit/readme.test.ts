/**
 * What the README lists from the code must be what the code says. Bad case: a list that was changed here or there only;
 * the message holds the text that belongs between the markers.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { packageFolder } from "../../src/assets.ts";
import { UNPROVEN_FRAME_KINDS } from "../../src/emulator/unproven.ts";

function between(marker: string): string {
  const text = readFileSync(join(packageFolder(), "README.md"), "utf8");
  return (
    new RegExp(`<!-- ${marker} -->\\n([\\s\\S]*?)<!-- /${marker} -->`).exec(text)?.[1]?.trim() ?? `no markers ${marker}`
  );
}

it("README lists the unproven frame kinds when the emulator sends them", () => {
  const lines = Object.entries(UNPROVEN_FRAME_KINDS).map(([exchange, kinds]) => `- ${exchange}: ${kinds.join(", ")}`);
  expect(between("unproven")).toBe(lines.join("\n"));
});
