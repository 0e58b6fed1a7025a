/**
 * Frames taken apart and put together again, and the clock of simulations. Bad case: a token that changes on the way, such
 * as a trailing zero or an integer above 2^53; every captured frame must come out byte for byte.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseTree, printTree } from "../../src/emulator/json_tree.ts";
import { VirtualClock } from "../../src/emulator/mod.ts";
import { captureFiles, capturesPresent, readCapture } from "../support/captures.ts";

const FRAMES_EACH = 400;

function again(text: string): string | undefined {
  const tree = parseTree(text);
  return tree === undefined ? undefined : printTree(tree);
}

describe("A frame's tree", () => {
  test("gives the same text when it is printed, for any JSON", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        expect(again(text)).toBe(text);
      }),
      { numRuns: 500 },
    );
    expect(again(' { "a" : [ 1.50 , -0e7 ] } ')).toBe('{"a":[1.50,-0e7]}');
  });

  test("is undefined when the text is no JSON", () => {
    for (const text of ["", "{", "[1,", '{"a"}', "{1:2}", "[1 2]", "nonsense", '{"a":1}}', "]", '["a]', "[,]"]) {
      expect([text, again(text)]).toEqual([text, undefined]);
    }
  });

  test.runIf(capturesPresent())("gives the same text when it is printed, for captured frames", () => {
    const files = ["coinbase_exchange/", "kraken/", "binance/", "binance_us/"].flatMap((folder) =>
      captureFiles(folder),
    );
    let frames = 0;
    for (const file of files) {
      for (const { t, data = "" } of readCapture(file).slice(0, FRAMES_EACH)) {
        if (t === "recv") {
          frames += 1;
          expect(again(data)).toBe(data);
        }
      }
    }
    expect(frames).toBeGreaterThan(1_000);
  });
});

describe("A virtual clock", () => {
  test("runs timers in order of their times, equal ones in the order in which they were set", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 20 }), fc.boolean()), { maxLength: 60 }), (timers) => {
        const clock = new VirtualClock(1_000);
        const ran: [number, number][] = [];
        const expected: [number, number][] = [];
        for (const [index, [afterMs, isCancelled]] of timers.entries()) {
          const cancel = clock.setTimer(() => ran.push([clock.now(), index]), afterMs);
          if (isCancelled) {
            cancel();
          } else {
            expected.push([1_000 + afterMs, index]);
          }
        }
        clock.advance(20);
        expect(ran).toEqual(expected.sort(([a, one], [b, other]) => a - b || one - other));
        expect([clock.now(), clock.dueMs, clock.step()]).toEqual([1_020, Number.POSITIVE_INFINITY, false]);
      }),
    );
  });

  test("runs nothing within the call that set it, and refuses to stand still for ever", () => {
    const clock = new VirtualClock(0);
    let runs = 0;
    const again = (): void => {
      runs += 1;
      clock.setTimer(again, 0);
    };
    clock.setTimer(again, 0);
    expect(runs).toBe(0);
    expect(() => clock.advance(1)).toThrow(RangeError);
  });
});
