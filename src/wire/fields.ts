/**
 * The fields that messages of both directions are made of, as schemas: each is as narrow as what is ever sent.
 * Bad case: a u64; it is decimal text without leading zeros, because a double would round it.
 */
import { z } from "zod";
import { EXPONENT_MAX } from "../../assembly/layout.ts";

/** A number that counts something. */
export const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
/** A u32. */
export const u32 = z.number().int().min(0).max(0xffffffff);
/** A rate or a share, possibly fractional. */
export const amount = z.number().min(0);
/** A u64 as decimal text: the digits are few enough, though not always below 2^64. */
export const u64Decimal = z
  .string()
  .regex(/^(0|[1-9]\d{0,19})$/, { error: "must be a decimal integer of at most 20 digits" });
/** Unix nanoseconds as decimal text. */
export const nanoseconds = u64Decimal.describe("Unix nanoseconds, decimal; 0 = unknown");
/** An exact decimal without exponent, superfluous zeros and negative zero. */
export const decimal = z.string().regex(/^(0|-?[1-9]\d*|-?(0|[1-9]\d*)\.\d*[1-9])$/, {
  error: "must be a plain decimal without superfluous zeros",
});
/** A quantity: never negative. */
export const quantity = z.string().regex(/^(0|[1-9]\d*|(0|[1-9]\d*)\.\d*[1-9])$/, {
  error: "must be a plain decimal of at least 0 without superfluous zeros",
});
/** `exchange:BASE-QUOTE`. */
export const instrumentName = z
  .string()
  .regex(/^[^:]+:.+$/)
  .describe("exchange:BASE-QUOTE");
/** Digits after the point; −1 = not yet known. */
export const exponentOrUnknown = z
  .number()
  .int()
  .min(-1)
  .max(EXPONENT_MAX)
  .describe("Digits after the point; -1 = not yet known");
/** Digits after the point. */
export const exponent = z.number().int().min(0).max(EXPONENT_MAX).describe("Digits after the point");
/** The number by which an answer names its question. */
export const messageId = count.describe("Chosen by the client; answers repeat it");
