/**
 * The capture format: gzip over JSON lines, the first one a header, then what a client did and what it received, in order.
 * The frame text is a JSON string, so that number tokens such as `63499.0` and `4.9e-7` survive byte for byte.
 * Bad case: a line that is JSON but not of this format; it is refused with file and line, never skipped.
 */
import { z } from "zod";
import { ConfigError } from "../errors.ts";

const TIME = z.string().regex(/^\d{1,11}(\.\d{1,9})?$/, "Unix seconds as decimal text with at most nine decimals");
const COMMON = { ts: TIME.optional(), conn: z.union([z.string(), z.number()]).optional() };

const LINE = z.discriminatedUnion("t", [
  z.looseObject({ t: z.literal("header"), exchange: z.string().optional() }),
  z.looseObject({ t: z.literal("connect"), url: z.string().optional(), ...COMMON }),
  z.looseObject({ t: z.literal("send"), data: z.string(), url: z.string().optional(), ...COMMON }),
  z.looseObject({ t: z.literal("recv"), data: z.string(), encoding: z.literal("base64").optional(), ...COMMON }),
  z.looseObject({ t: z.literal("http"), url: z.string(), data: z.string(), ...COMMON }),
]);

/** One line. `recv` of a binary frame has `encoding` base64; every other text is as it was on the wire. */
export type CaptureLine = z.infer<typeof LINE>;

const SHOWN_CHARACTERS = 80;

/**
 * Reads one line.
 * @param where `file:line`, for the error
 * @throws ConfigError when it is no JSON or not of the format
 */
export function parseCaptureLine(text: string, where: string): CaptureLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ConfigError(`Cannot read ${where}: no JSON, was ${text.slice(0, SHOWN_CHARACTERS)}`, { cause });
  }
  const result = LINE.safeParse(value);
  if (!result.success) {
    const [issue] = result.error.issues;
    const path = issue?.path.join(".") ?? "";
    throw new ConfigError(
      `Cannot read ${where}: ${path === "" ? "line" : path}: ${issue?.message ?? "invalid"}, was ${text.slice(0, SHOWN_CHARACTERS)}`,
    );
  }
  return result.data;
}

/**
 * The time of a line.
 * @param ts Unix seconds as decimal text, as parseCaptureLine let through
 * @returns Unix ns; undefined when the line has none
 */
export function captureTimeNs(ts: string | undefined): bigint | undefined {
  if (ts === undefined) {
    return undefined;
  }
  const [seconds = "0", fraction = ""] = ts.split(".");
  return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0"));
}

/** A time as captures write it. @param unixNs ≥ 0 @returns Unix seconds with nine decimals */
export function captureTime(unixNs: bigint): string {
  const digits = unixNs.toString().padStart(10, "0");
  return `${digits.slice(0, -9)}.${digits.slice(-9)}`;
}
