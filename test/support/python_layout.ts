/**
 * The Python package's layout file, made from assembly/layout.ts, src/mapping/readers_file.ts and the words of
 * src/model/states.ts: every integer constant under its own name, and one table of words per kind of code. Python reads
 * bytes by these numbers only.
 * Bad case: the layout changes and the Python file does not; the python_layout test compares both and says how to renew.
 */
import * as layout from "../../assembly/layout.ts";
import * as readers from "../../src/mapping/readers_file.ts";
import { ASSURANCE_WORDS, AUDIT_WORDS, REASON_WORDS, STATE_WORDS, TRADING_WORDS } from "../../src/model/states.ts";

/** The generated file, relative to the repository. */
export const PYTHON_LAYOUT = "python/src/alphapulse/_layout.py";
/** How the files that TypeScript writes for Python are renewed. */
export const RENEW_COMMAND = "ALPHAPULSE_RENEW=python npx vitest run test/unit/python_layout.test.ts";

/** Whether this run writes the Python package's generated files instead of comparing them. */
export function renewsPythonFiles(): boolean {
  return process.env.ALPHAPULSE_RENEW === "python";
}

/** The text of the generated file. */
export function pythonLayout(): string {
  const kinds = Object.entries(readers.READER_KINDS).map(([kind, code]) => [`READER_KIND_${kind.toUpperCase()}`, code]);
  const named = Object.entries({ ...layout, ...readers, ...Object.fromEntries(kinds) });
  const constants = named.flatMap(([name, value]) =>
    typeof value === "number" ? [`${name}: Final = ${literal(name, value)}`] : [],
  );
  const words = [
    wordTable("STATE_WORDS", STATE_WORDS),
    wordTable("REASON_WORDS", REASON_WORDS),
    wordTable("ASSURANCE_WORDS", ASSURANCE_WORDS),
    wordTable("TRADING_WORDS", TRADING_WORDS),
    wordTable("AUDIT_WORDS", AUDIT_WORDS),
  ];
  const head = [
    '"""Every offset, size, flag and code of a segment, generated from assembly/layout.ts: do not edit.',
    "",
    `Renew with: ${RENEW_COMMAND}`,
    '"""',
    "",
    "from typing import Final",
    "",
  ];
  return `${[...head, ...constants.sort(), "", ...words].join("\n")}\n`;
}

function literal(name: string, value: number): string {
  if (!Number.isInteger(value)) {
    throw new TypeError(`Cannot write ${name} for Python: the layout holds integers only, was ${value}`);
  }
  return /MAGIC/.test(name) ? `0x${value.toString(16)}` : String(value);
}

function wordTable(name: string, words: Readonly<Record<number, string>>): string {
  const lines = Object.entries(words).map(([code, word]) => `    ${code}: "${word}",`);
  return [`${name}: Final[dict[int, str]] = {`, ...lines, "}"].join("\n");
}
