/**
 * The schemas of server messages: their types are those of protocol.ts, and nothing passes that is not written there.
 * Bad case: a type test proves nothing when it runs, only when it is type-checked; `npm run check` does.
 */
import { describe, expect, expectTypeOf, it } from "vitest";
import type { z } from "zod";
import { SERVER_EXAMPLES } from "../../src/wire/examples.ts";
import type { ServerMessage } from "../../src/wire/protocol.ts";
import { readServerMessage } from "../../src/wire/server_message.ts";
import { faultOf, SERVER_SCHEMAS } from "../../src/wire/server_schemas.ts";
import { checkServerTexts, witnessServerText } from "../support/server_messages.ts";

/** Intersections written out, so that only what is in an object counts and not how it was put together. */
type Written<Value> = Value extends string | number | boolean | null
  ? Value
  : Value extends readonly unknown[]
    ? { [Index in keyof Value]: Written<Value[Index]> }
    : { [Key in keyof Value]: Written<Value[Key]> };
type Schemas = typeof SERVER_SCHEMAS;
type Messages = { [Type in ServerMessage["type"]]: Extract<ServerMessage, { type: Type }> };

describe("The schemas of server messages", () => {
  it("have exactly the types of protocol.ts when they are type-checked", () => {
    expectTypeOf<keyof Schemas>().toEqualTypeOf<keyof Messages>();
    expectTypeOf<{ [Type in keyof Schemas]: Written<z.infer<Schemas[Type]>> }>().toEqualTypeOf<{
      [Type in keyof Messages]: Written<Messages[Type]>;
    }>();
    expect(Object.keys(SERVER_SCHEMAS).sort()).toEqual([...new Set(SERVER_EXAMPLES.map(({ type }) => type))].sort());
  });

  it.each(SERVER_EXAMPLES.map((message) => [message.type, message]))("take the example of %s", (_type, message) => {
    expect(faultOf(JSON.stringify(message))).toBeUndefined();
  });

  it("refuse every example when a field is missing, unknown or of another type", () => {
    for (const example of SERVER_EXAMPLES) {
      const message: Record<string, unknown> = { ...example };
      expect(faultOf(JSON.stringify({ ...message, unheardOf: 1 })), example.type).toBeDefined();
      for (const field of Object.keys(message)) {
        const { [field]: _removed, ...rest } = message;
        expect(faultOf(JSON.stringify(rest)), `${example.type} without ${field}`).toBeDefined();
        expect(
          faultOf(JSON.stringify({ ...message, [field]: { wrong: 1 } })),
          `${example.type}.${field}`,
        ).toBeDefined();
      }
    }
  });

  it.each([
    ["decimals that a double rounded", { price: "1e21" }],
    ["superfluous zeros", { price: "1.10" }],
    ["negative quantities", { quantity: "-1" }],
    ["versions as numbers", { version: 7 }],
    ["times with a fraction", { eventAtNs: "1.5" }],
  ])("refuse %s", (_what, wrong) => {
    const trade = SERVER_EXAMPLES.find(({ type }) => type === "trade");
    expect(faultOf(JSON.stringify({ ...trade, ...wrong }))).toBeDefined();
  });

  it.each(["", "null", "[]", '{"type":"hello"}', '{"type":"__proto__"}', '"pong"'])("refuse %s", (text) => {
    expect(faultOf(text)).toBeDefined();
  });

  it("make a test fail that witnessed what they refuse", () => {
    witnessServerText('{"type":"pong","id":1}');
    expect(checkServerTexts()).toBe(1);
    witnessServerText('{"type":"pong","id":"1"}');
    expect(checkServerTexts).toThrow(/1 of 1 server messages/);
    expect(checkServerTexts()).toBe(0);
  });
});

describe("readServerMessage", () => {
  it.each(SERVER_EXAMPLES.map((message) => [message.type, message]))("reads the example of %s", (_type, message) => {
    expect(readServerMessage(JSON.stringify(message))).toEqual(message);
  });
});
