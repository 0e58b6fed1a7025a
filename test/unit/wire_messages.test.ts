/** What a client may say, and that nothing that it says makes the reader throw. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseClientMessage } from "../../src/wire/messages.ts";

describe("parseClientMessage", () => {
  it.each([
    [{ op: "subscribe", id: 1, channels: ["book", "trades"], instruments: ["kraken:BTC-USD", "*:*"] }],
    [{ op: "unsubscribe", id: 0, channels: ["bbo", "stats"], instruments: ["kraken:*"] }],
    [{ op: "instruments", id: 2 }],
    [{ op: "ping", id: Number.MAX_SAFE_INTEGER }],
  ])("takes %j", (message) => {
    expect(parseClientMessage(JSON.stringify(message))).toEqual({ message });
  });

  it("takes a subscription of statistics without instruments", () => {
    const text = JSON.stringify({ op: "subscribe", id: 3, channels: ["stats"] });
    expect(parseClientMessage(text)).toEqual({
      message: { op: "subscribe", id: 3, channels: ["stats"], instruments: [] },
    });
  });

  it.each([
    ["", "bad_json", null],
    ["[1", "bad_json", null],
    ["null", "bad_message", null],
    ["[]", "bad_message", null],
    ['{"op":"ping"}', "bad_message", null],
    ['{"op":"ping","id":1.5}', "bad_message", null],
    ['{"op":"ping","id":-1}', "bad_message", -1],
    ['{"op":"ping","id":4,"extra":1}', "bad_message", 4],
    ['{"op":"hello","id":4}', "bad_message", 4],
    ['{"op":"subscribe","id":4,"channels":[],"instruments":["a:b"]}', "bad_message", 4],
    ['{"op":"subscribe","id":4,"channels":["book"]}', "bad_message", 4],
    ['{"op":"subscribe","id":4,"channels":["stats"],"instruments":["a:b"]}', "bad_message", 4],
    ['{"op":"subscribe","id":4,"channels":["book"],"instruments":[7]}', "bad_message", 4],
  ])("refuses %s with %s", (text, code, id) => {
    expect(parseClientMessage(text)).toMatchObject({ error: { code }, id });
  });

  it("refuses more instruments, and longer ones, than a message may name", () => {
    const named = (instruments: string[]) =>
      parseClientMessage(JSON.stringify({ op: "subscribe", id: 1, channels: ["book"], instruments }));
    expect(named(Array.from({ length: 256 }, () => "a:b"))).toHaveProperty("message");
    expect(named(Array.from({ length: 257 }, () => "a:b"))).toMatchObject({ error: { code: "bad_message" } });
    expect(named(["x".repeat(97)])).toMatchObject({ error: { code: "bad_message" } });
  });

  it("answers and never throws when the text is anything", () => {
    const anything = fc.oneof(
      fc.string(),
      fc.json(),
      fc.object().map((value) => JSON.stringify(value)),
    );
    fc.assert(
      fc.property(anything, (text) => {
        const result = parseClientMessage(text);
        expect("message" in result || /^Cannot /.test(result.error.message)).toBe(true);
      }),
    );
  });
});
