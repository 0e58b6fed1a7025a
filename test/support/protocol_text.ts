/**
 * PROTOCOL.md taken apart: its tables, its examples, its program, so that tests hold the text to the code.
 * Bad case: a heading that is renamed; the reader throws and names it.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageFolder } from "../../src/assets.ts";

const FILE = join(packageFolder(), "src/wire/PROTOCOL.md");

/** The text of one section, from its heading to the next of any level. @throws Error when there is no such heading */
export function protocolSection(heading: string): string {
  const sections = readFileSync(FILE, "utf8").split(/^#+ /m);
  const found = sections.find((section) => section.startsWith(`${heading}\n`));
  if (found === undefined) {
    throw new Error(`Cannot read PROTOCOL.md: no section has the heading, was ${heading}`);
  }
  return found;
}

/** Rows of the tables of a section, cells trimmed, without heads. */
export function protocolRows(heading: string): string[][] {
  const lines = protocolSection(heading).split("\n");
  return lines
    .filter((line, index) => line.startsWith("|") && !isRule(line) && !isRule(lines[index + 1] ?? ""))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

/** Code blocks of a section in a language. */
export function protocolBlocks(heading: string, language: string): string[] {
  const blocks = protocolSection(heading).split("```");
  return blocks
    .filter((_, index) => index % 2 === 1)
    .filter((block) => block.startsWith(`${language}\n`))
    .map((block) => block.slice(language.length + 1));
}

/** The words in backticks of a cell. */
export function coded(cell = ""): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, word = ""]) => word);
}

function isRule(line: string): boolean {
  return /^\|(-+\|)+$/.test(line);
}
