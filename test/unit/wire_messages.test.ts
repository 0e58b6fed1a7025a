/** What a client may say, and that nothing that it says makes the reader throw. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseClientMessage } from "../../src/wire/messages.ts";

const WHOLE = { depth: 0, rateMs: 0 };
const POINT = { epoch: 0xffffffff, version: "18446744073709551615" };

describe("parseClientMessage", () => {
  it.each([
    [{ op: "subscribe", id: 1, channels: ["book", "trades"], instruments: ["kraken:BTC-USD", "*:*"], ...WHOLE }],
    [{ op: "subscribe", id: 1, channels: ["book"], instruments: ["a:b"], depth: 10, rateMs: 250, policy: "lossless" }],
    [{ op: "subscribe", id: 1, channels: ["book"], instruments: ["a:b"], ...WHOLE, resume: { "a:b": POINT } }],
    [{ op: "subscribe", id: 1, channels: ["book", "trades"], instruments: ["a:b"], ...WHOLE, policy: "disconnect" }],
    [{ op: "subscribe", id: 1, channels: ["status"], instruments: ["a:b"], ...WHOLE }],
    [{ op: "unsubscribe", id: 0, channels: ["bbo", "stats"], instruments: ["kraken:*"], ...WHOLE }],
    [{ op: "instruments", id: 2 }],
    [{ op: "ping", id: Number.MAX_SAFE_INTEGER }],
  ])("takes %j", (message) => {
    expect(parseClientMessage(JSON.stringify(message))).toEqual({ message });
  });

  it("takes a subscription of statistics without instruments", () => {
    const text = JSON.stringify({ op: "subscribe", id: 3, channels: ["stats"] });
    expect(parseClientMessage(text)).toEqual({
      message: { op: "subscribe", id: 3, channels: ["stats"], instruments: [], ...WHOLE },
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

  it.each([
    ["of a channel without views", { channels: ["bbo"], depth: 10 }, "only book has views"],
    ["of a channel without views", { channels: ["trades"], rateMs: 100 }, "only book has views"],
    ["of trades that are conflated", { channels: ["book", "trades"], policy: "conflate" }, "trades takes lossless"],
    ["of bbo without loss", { channels: ["bbo"], policy: "lossless" }, "bbo takes conflate or disconnect"],
    ["of an unheard policy", { channels: ["book"], policy: "drop" }, "policy"],
    ["that resumes trades", { channels: ["trades"], resume: { "a:b": POINT } }, "only book resumes"],
    [
      "with a numeric version",
      { channels: ["book"], resume: { "a:b": { epoch: 1, version: 7 } } },
      "resume.a:b.version",
    ],
    [
      "with a version of leading zeros",
      { channels: ["book"], resume: { "a:b": { ...POINT, version: "07" } } },
      "version",
    ],
    ["with an epoch beyond u32", { channels: ["book"], resume: { "a:b": { ...POINT, epoch: 2 ** 32 } } }, "epoch"],
    ["with a word beside a resume point", { channels: ["book"], resume: { "a:b": { ...POINT, hash: 1 } } }, "hash"],
    ["with a depth below 0", { channels: ["book"], depth: -1 }, "depth"],
    ["with half a level", { channels: ["book"], depth: 0.5 }, "depth"],
  ])("refuses a subscription %s", (_what, fields, reason) => {
    const result = parseClientMessage(JSON.stringify({ op: "subscribe", id: 8, instruments: ["a:b"], ...fields }));
    expect(result).toMatchObject({ error: { code: "bad_message" }, id: 8 });
    expect("error" in result && result.error.message).toContain(reason);
  });

  it("refuses more resume points than instruments in one message", () => {
    const points = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`a:b${index}`, POINT]));
    const resuming = (count: number) =>
      parseClientMessage(
        JSON.stringify({ op: "subscribe", id: 1, channels: ["book"], instruments: ["a:*"], resume: points(count) }),
      );
    expect(resuming(256)).toHaveProperty("message");
    expect(resuming(257)).toMatchObject({ error: { code: "bad_message" } });
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
