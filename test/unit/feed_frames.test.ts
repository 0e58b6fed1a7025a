/**
 * The frames of an exchange's socket, read where they landed: whatever a server may send, cut wherever a network may cut it.
 * Bad case: a test that only sends whole frames; the reader's work is in the cuts.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clientFrame, OPCODE_PING, OPCODE_TEXT } from "../../src/feed/client_frame.ts";
import { FrameReader } from "../../src/feed/frame_reader.ts";

const LANDING_BYTES = 64;
const PAYLOAD_MAX = 70_000;

type Told = [what: string, ...rest: unknown[]];

/** A reader with a small landing, and what it told. @param onMessage called after each message */
function reading(onMessage: (reader: FrameReader) => void = () => undefined) {
  const told: Told[] = [];
  const landing = new Uint8Array(LANDING_BYTES);
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");
  const reader = new FrameReader(landing, {
    payloadMax: PAYLOAD_MAX,
    sink: {
      landed: (start, length, isBinary) => {
        told.push(["message", isBinary, text(landing.subarray(start, start + length))]);
        onMessage(reader);
      },
      assembled: (bytes, isBinary) => told.push(["message", isBinary, text(bytes)]),
      ping: (payload) => told.push(["ping", text(payload)]),
      pong: () => told.push(["pong"]),
      closed: (code, reason) => told.push(["closed", code, reason]),
      failed: (code, reason) => told.push(["failed", code, reason]),
    },
  });
  /** Lets bytes land in reads of these sizes. */
  const feed = (bytes: Uint8Array, sizes: readonly number[] = [LANDING_BYTES]) => {
    let turn = 0;
    for (let at = 0; at < bytes.length; turn++) {
      const size = Math.min(sizes[turn % sizes.length] ?? LANDING_BYTES, bytes.length - at);
      landing.fill(0xee);
      landing.set(bytes.subarray(at, at + size));
      reader.read(0, size);
      at += size;
    }
  };
  return { told, feed };
}

/** A frame of a server. */
function served(opcode: number, payload: Uint8Array, isFinal = true): Buffer {
  const { length } = payload;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head[0] = (isFinal ? 0x80 : 0) | opcode;
  if (length < 126) {
    head[1] = length;
  } else if (length < 65_536) {
    head[1] = 126;
    head.writeUInt16BE(length, 2);
  } else {
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([head, payload]);
}

const payloads = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.uint8Array({ minLength: 100, maxLength: 400 }),
  fc.constantFrom(0, 125, 126, 65_535, 65_536).map((length) => new Uint8Array(length).fill(0x61)),
);
const message = fc.record({
  isBinary: fc.boolean(),
  parts: fc.array(payloads, { minLength: 1, maxLength: 3 }),
  pings: fc.array(fc.uint8Array({ maxLength: 125 }), { maxLength: 2 }),
});

describe("FrameReader", () => {
  it("tells every message and ping as it was sent when reads cut them anywhere", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: LANDING_BYTES }), { minLength: 1, maxLength: 7 });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 6 }), sizes, (messages, cuts) => {
        const { told, feed } = reading();
        const expected: Told[] = [];
        const frames: Buffer[] = [];
        for (const { isBinary, parts, pings } of messages) {
          const whole = Buffer.concat(parts);
          if (whole.length > PAYLOAD_MAX) {
            continue;
          }
          parts.forEach((part, index) => {
            const isLast = index === parts.length - 1;
            frames.push(served(index > 0 ? 0 : isBinary ? 2 : 1, part, isLast));
            if (!isLast) {
              for (const ping of pings) {
                frames.push(served(9, ping));
                expected.push(["ping", Buffer.from(ping).toString("latin1")]);
              }
            }
          });
          expected.push(["message", isBinary, whole.toString("latin1")]);
        }
        feed(Buffer.concat(frames), cuts);
        expect(told).toEqual(expected);
      }),
      { numRuns: 150 },
    );
  });

  it("never throws and never tells beyond what came when the bytes are hostile", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const { told, feed } = reading();
        feed(bytes);
        const messages = told.filter(([what]) => what === "message");
        const length = messages.reduce((sum, [, , text]) => sum + String(text).length, 0);
        expect(told.filter(([what]) => what === "failed" || what === "closed").length).toBeLessThanOrEqual(1);
        expect(length).toBeLessThanOrEqual(bytes.length);
      }),
      // An empty message, then one that fails: the reason is longer than what came, and nothing of the message.
      { numRuns: 500, examples: [[Uint8Array.from([0x81, 0, 0, 0])]] },
    );
  });

  it.each([
    ["a masked frame", [0x81, 0x80, 0, 0, 0, 0]],
    ["a reserved bit", [0xc1, 0]],
    ["an unknown opcode", [0x83, 0]],
    ["an unknown control opcode", [0x8b, 0]],
    ["a ping in fragments", [0x09, 0]],
    ["a ping of 126 bytes", [0x89, 126, 0, 126]],
    ["a continuation of nothing", [0x80, 0]],
    ["a message within a message", [0x01, 0, 0x81, 0]],
    ["a close of one byte", [0x88, 1, 3]],
  ])("fails with 1002 and tells nothing more when it meets %s", (_, bytes) => {
    const { told, feed } = reading();
    feed(Uint8Array.from(bytes));
    feed(served(1, Buffer.from("late")));
    expect(told).toEqual([["failed", 1002, expect.stringContaining("breaks the rules")]]);
  });

  it("fails with 1009 before it keeps anything when a frame claims more than is allowed", () => {
    for (const head of [
      [0x81, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x71],
      [0x82, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ]) {
      const { told, feed } = reading();
      feed(Uint8Array.from(head));
      expect(told).toEqual([["failed", 1009, "Max payload size exceeded"]]);
    }
  });

  it("fails with 1009 when fragments together are more than is allowed", () => {
    const { told, feed } = reading();
    feed(served(1, new Uint8Array(PAYLOAD_MAX), false));
    feed(served(0, new Uint8Array(1)));
    expect(told).toEqual([["failed", 1009, "Max payload size exceeded"]]);
  });

  it("tells code and reason when the server closes, and 1005 when it gives none", () => {
    const first = reading();
    first.feed(served(8, Buffer.from([0x03, 0xe9, 0x62, 0x79, 0x65])));
    expect(first.told).toEqual([["closed", 1001, "bye"]]);
    const second = reading();
    second.feed(served(8, new Uint8Array(0)));
    expect(second.told).toEqual([["closed", 1005, ""]]);
  });

  it("tells nothing more when it was stopped in the middle of a read", () => {
    const { told, feed } = reading((reader) => reader.stop());
    feed(Buffer.concat([served(1, Buffer.from("a")), served(1, Buffer.from("b")), served(9, Buffer.from("c"))]));
    feed(served(1, Buffer.from("d")));
    expect(told).toEqual([["message", false, "a"]]);
  });
});

describe("clientFrame", () => {
  it("is masked, and the mask gives the payload back when a server takes it off", () => {
    for (const length of [0, 1, 125, 126, 65_535]) {
      const payload = Buffer.alloc(length, 0x5a);
      const frame = clientFrame(OPCODE_TEXT, payload);
      const headBytes = length < 126 ? 2 : 4;
      expect(frame[0]).toBe(0x81);
      expect(frame[1]).toBe(0x80 | Math.min(length, 126));
      const mask = frame.subarray(headBytes, headBytes + 4);
      const opened = frame.subarray(headBytes + 4).map((byte, index) => byte ^ (mask[index % 4] ?? 0));
      expect(Buffer.compare(opened, payload)).toBe(0);
    }
    expect(clientFrame(OPCODE_PING).length).toBe(6);
  });

  it("refuses a payload when it is above 65,535 bytes", () => {
    expect(() => clientFrame(OPCODE_TEXT, new Uint8Array(65_536))).toThrow(RangeError);
  });
});
