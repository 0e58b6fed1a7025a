/**
 * The form of frames apart from their values: key order, and per place in the frame how tokens are written (text or
 * number, how many decimals, which kind of time). Two sets of frames of one kind can then be compared.
 * Bad case: a place where captured tokens vary in length; there only the range and trailing zeros can be compared.
 */

/** Per place in a frame the forms that were seen there. */
export type Forms = Map<string, Set<string>>;

/** Forms by frame kind. */
export type FormsByKind = Map<string, Forms>;

// Numbers become texts that keep their digits: JSON.parse would lose trailing zeros.
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const NUMBER_MARK = "\u0001";

/** Parses JSON so that numbers keep their digits (as marked texts). */
export function parseTokens(text: string): unknown {
  return JSON.parse(text.replace(TOKENS, (token) => (token.startsWith('"') ? token : `"\\u0001${token}"`)));
}

/** Adds the forms of one parsed frame. */
export function addForms(byKind: FormsByKind, kind: string, value: unknown): void {
  const forms = byKind.get(kind) ?? new Map<string, Set<string>>();
  byKind.set(kind, forms);
  visit(forms, "", value);
}

/**
 * What differs from the captured forms of the same kind.
 * @returns one line per difference; empty when every form was captured
 */
export function differences(kind: string, sent: Forms, captured: Forms): string[] {
  return [...sent].flatMap(([place, forms]) => {
    const known = captured.get(place);
    if (known === undefined) {
      return [`${kind} ${place}: not in any captured frame`];
    }
    return [...forms]
      .filter((form) => !isKnown(form, known))
      .map((form) => `${kind} ${place}: ${form}, captured ${[...known].slice(0, 5).join(" | ")}`);
  });
}

function visit(forms: Forms, place: string, value: unknown): void {
  if (Array.isArray(value)) {
    note(forms, place, "array");
    for (const [index, item] of value.entries()) {
      const isScalar = typeof item !== "object" || item === null;
      visit(forms, isScalar ? `${place}[${index}]` : `${place}[]`, item);
    }
  } else if (typeof value === "object" && value !== null) {
    note(forms, place, `{${Object.keys(value).join(",")}}`);
    for (const [key, item] of Object.entries(value)) {
      visit(forms, `${place}.${key}`, item);
    }
  } else {
    note(forms, place, scalar(value));
  }
}

function note(forms: Forms, place: string, form: string): void {
  const seen = forms.get(place) ?? new Set();
  forms.set(place, seen.add(form));
}

function scalar(value: unknown): string {
  if (typeof value !== "string") {
    return value === null ? "null" : typeof value;
  }
  if (value.startsWith(NUMBER_MARK)) {
    const token = value.slice(1);
    return token.includes(".") ? decimal("number", token) : /^\d{13}$/.test(token) ? "milliseconds" : "integer";
  }
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(\d+))?Z$/.exec(value);
  if (time !== null) {
    return `time with ${time[1]?.length ?? 0} digits`;
  }
  if (/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(value)) {
    return "uuid";
  }
  return /^\d+(\.\d+)?$/.test(value) ? decimal("text", value) : `word ${value}`;
}

function decimal(type: string, token: string): string {
  const digits = token.split(".")[1] ?? "";
  return `${type} ${digits.length}${digits.endsWith("0") ? " ending in 0" : ""}`;
}

// Padded places: one length everywhere. Other places: lengths in the captured range, trailing zeros only if captured.
function isKnown(form: string, known: ReadonlySet<string>): boolean {
  const mine = /^(text|number) (\d+)( ending in 0)?$/.exec(form);
  if (mine === null) {
    return known.has(form);
  }
  const [, type, length, zero] = mine;
  const same = [...known]
    .map((one) => /^(text|number) (\d+)( ending in 0)?$/.exec(one))
    .filter((one) => one?.[1] === type);
  const lengths = same.map((one) => Number(one?.[2]));
  const isInRange = Number(length) >= Math.min(...lengths) && Number(length) <= Math.max(...lengths);
  return isInRange && (zero === undefined || same.some((one) => one?.[3] !== undefined));
}
