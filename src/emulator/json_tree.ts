/**
 * JSON with its tokens as they were written: a frame can be taken apart, changed at one place and put together again,
 * and everything else comes out byte for byte, trailing zeros and integers above 2^53 included.
 * Bad case: a snapshot of 45,000 levels takes about 100 ms; it is only done for a frame that a fault was aimed at.
 */

/** A number, text, literal: the token as written, quotes included. */
export type JsonToken = { token: string };

/** An array. */
export type JsonArray = { items: JsonNode[] };

/** An object: keys as written, quotes included, in order. */
export type JsonObject = { members: [key: string, value: JsonNode][] };

/** Any value. */
export type JsonNode = JsonToken | JsonArray | JsonObject;

const TOKEN = /\s*("(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[{}[\],:])/y;

/** Parses a text. @returns undefined when it is not JSON as exchanges write it */
export function parseTree(text: string): JsonNode | undefined {
  const reader = new Reader(text);
  const node = reader.value();
  return reader.isBroken || !reader.isAtEnd ? undefined : node;
}

/** The text of a tree, without white space. */
export function printTree(node: JsonNode): string {
  if ("token" in node) {
    return node.token;
  }
  if ("items" in node) {
    return `[${node.items.map(printTree).join(",")}]`;
  }
  return `{${node.members.map(([key, value]) => `${key}:${printTree(value)}`).join(",")}}`;
}

/** Visits every object of a tree, outer ones first. */
export function visitObjects(node: JsonNode, visit: (object: JsonObject) => void): void {
  if ("members" in node) {
    visit(node);
    for (const [, value] of node.members) {
      visitObjects(value, visit);
    }
  } else if ("items" in node) {
    for (const item of node.items) {
      visitObjects(item, visit);
    }
  }
}

class Reader {
  isBroken = false;
  readonly #text: string;
  #token: string | undefined;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#next();
  }

  get isAtEnd(): boolean {
    return this.#token === undefined && this.#text.slice(this.#at).trim() === "";
  }

  value(): JsonNode {
    const token = this.#token;
    if (token === undefined || /^[}\],:]/.test(token)) {
      this.isBroken = true;
      return { token: "" };
    }
    this.#next();
    return token === "{" ? this.#object() : token === "[" ? this.#array() : { token };
  }

  #object(): JsonObject {
    const members: [string, JsonNode][] = [];
    this.#list("}", () => {
      const key = this.#token ?? "";
      this.isBroken ||= !key.startsWith('"');
      this.#next();
      this.#expect(":");
      members.push([key, this.value()]);
    });
    return { members };
  }

  #array(): JsonArray {
    const items: JsonNode[] = [];
    this.#list("]", () => items.push(this.value()));
    return { items };
  }

  #list(end: string, readOne: () => void): void {
    if (this.#token === end) {
      this.#next();
      return;
    }
    while (!this.isBroken) {
      readOne();
      if (this.#token === end) {
        this.#next();
        return;
      }
      this.#expect(",");
    }
  }

  #expect(token: string): void {
    this.isBroken ||= this.#token !== token;
    this.#next();
  }

  #next(): void {
    TOKEN.lastIndex = this.#at;
    this.#token = TOKEN.exec(this.#text)?.[1];
    this.#at = this.#token === undefined ? this.#at : TOKEN.lastIndex;
  }
}
