/**
 * Reads path, query and body of a request as an operation declares them; what is not declared is refused.
 * Bad case: the same parameter twice, which different programs read differently; it is refused, too.
 */
import type { Operation } from "../../rest/operations.ts";
import type { HttpRequest } from "../transport.ts";

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?$/;
/** The query may carry the key of whoever asks. */
const KEY_PARAMETER = "key";
const SHOWN = 100;

/** Values by name, or what is wrong with them. */
export type RequestValues =
  | { readonly values: Readonly<Record<string, unknown>> }
  | { readonly errors: readonly string[] };

/** Reads the parameters. @param path the parts of the path by name, decoded */
export function readParameters(
  operation: Operation,
  { path, query }: { path: Readonly<Record<string, string>>; query: string },
): RequestValues {
  const errors: string[] = [];
  const given = new Map<string, string>(Object.entries(path));
  for (const [name, text] of new URLSearchParams(query)) {
    if (name === KEY_PARAMETER) {
      continue;
    }
    if (operation.parameters[name]?.place !== "query") {
      errors.push(`there is no parameter ${name.slice(0, SHOWN)}`);
    } else if (given.has(name)) {
      errors.push(`${name} is there twice`);
    } else {
      given.set(name, text);
    }
  }
  const values: Record<string, unknown> = {};
  for (const [name, { schema, description }] of Object.entries(operation.parameters)) {
    const text = given.get(name);
    const isNumber = operation.parameters[name]?.place === "query" && text !== undefined && NUMBER.test(text);
    const judged = schema.safeParse(isNumber ? Number(text) : text);
    if (judged.success) {
      values[name] = judged.data;
    } else {
      errors.push(`${name} must be: ${description}; was ${text === undefined ? "left out" : text.slice(0, SHOWN)}`);
    }
  }
  return errors.length > 0 ? { errors } : { values };
}

/** Reads the body. */
export function readBody(schema: NonNullable<Operation["body"]>, { body }: HttpRequest): RequestValues {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (error) {
    return {
      errors: [`the body must be JSON: ${error instanceof Error ? error.message.slice(0, SHOWN) : "unreadable"}`],
    };
  }
  const judged = schema.safeParse(value);
  if (judged.success) {
    return { values: judged.data as Readonly<Record<string, unknown>> };
  }
  return { errors: judged.error.issues.map(({ path, message }) => `${path.join(".") || "the body"}: ${message}`) };
}
