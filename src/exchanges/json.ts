/**
 * JSON of exchanges outside the hot path: metadata bodies and control frames, never prices or quantities of a book.
 * Bad case: a body that is no JSON (a proxy's error page); the error shows its beginning.
 */
import { DecodeError } from "../errors.ts";

const SHOWN_CHARACTERS = 120;

/**
 * Parses a REST body.
 * @param what for the error, e.g. `the product list`
 * @throws DecodeError when it is no JSON
 */
export function parseBody(body: string, what: string): unknown {
  try {
    return JSON.parse(body);
  } catch (cause) {
    throw new DecodeError(`Cannot read ${what}: no JSON, was ${shown(body)}`, { cause });
  }
}

/** Parses a control frame that the kernel has already found to be well-formed. @returns undefined when it is no object */
export function parseControl(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) {
      return undefined;
    }
    throw error;
  }
}

/** Whether a value is an object with keys, not a list. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A field that must be text. @returns undefined when it is absent or something else */
export function textField(record: Record<string, unknown>, key: string): string | undefined {
  const value = record[key];
  return typeof value === "string" ? value : undefined;
}

/** A field that must be an integer that a double holds exactly. @returns undefined when it is absent or something else */
export function integerField(record: Record<string, unknown>, key: string): number | undefined {
  const value = record[key];
  return typeof value === "number" && Number.isSafeInteger(value) ? value : undefined;
}

/** The beginning of a text, for errors. */
export function shown(text: string): string {
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}

/** Cuts a list into parts of at most `size`. */
export function chunks<Item>(items: readonly Item[], size: number): Item[][] {
  const parts: Item[][] = [];
  for (let start = 0; start < items.length; start += size) {
    parts.push(items.slice(start, start + size));
  }
  return parts;
}
