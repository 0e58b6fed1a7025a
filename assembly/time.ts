/**
 * Times of exchanges as Unix nanoseconds: RFC 3339 in UTC, and decimal seconds. Years before 1970 are "unknown" (0), as
 * Coinbase sends 0001-01-01 on otherwise good messages. Bad case: leap seconds (":60") are refused as unreadable.
 */
import { eightDigits } from "./quantize";

let value: i64 = 0;
/** The minute of the last time read: its text `YYYY-MM-DDTHH:MM` and its Unix ns. */
let minuteLow: u64 = 0;
let minuteHigh: u64 = 0;
let minuteAt: i64 = 0;

/** Unix ns of the last time read; 0 = unknown. */
export function timeValue(): i64 {
  return value;
}

const SECOND: i64 = 1_000_000_000;

function pair(at: usize): u32 {
  const tens = <u32>load<u8>(at) - 0x30;
  const ones = <u32>load<u8>(at, 1) - 0x30;
  return tens > 9 || ones > 9 ? 1000 : tens * 10 + ones;
}

/** True when each of the bytes is a digit less its ASCII offset. */
function allDigits(word: u64): bool {
  return (((word + 0x7676767676767676) | word) & 0x8080808080808080) == 0;
}

/** Reads `:SS.ffffffZ` of the minute that was read last. @returns false when it is anything else */
function readWithinMinute(at: usize): bool {
  const seconds = <u64>load<u32>(at);
  const digits = ((seconds >> 8) & 0xffff) ^ 0x3030;
  const fraction = load<u64>(at, 3);
  const micros = ((fraction >> 8) & 0xffffffffffff) ^ 0x303030303030;
  if ((seconds & 0xff0000ff) != 0x2e00003a || fraction >> 56 != 0x5a || !allDigits(digits) || !allDigits(micros))
    return false;
  const second = (digits & 0xff) * 10 + (digits >> 8);
  if (second > 59) return false;
  value = minuteAt + <i64>second * SECOND + <i64>eightDigits(micros << 16) * 1000;
  return true;
}

/** Reads `YYYY-MM-DDTHH:MM:SS[.f{1,9}]Z`. @returns false when the text is anything else */
export function readRfc3339(at: usize, length: usize): bool {
  if (length == 27 && load<u64>(at) == minuteLow && load<u64>(at, 8) == minuteHigh && readWithinMinute(at + 16))
    return true;
  return readAnyRfc3339(at, length);
}

function readAnyRfc3339(at: usize, length: usize): bool {
  if (length < 20 || length > 30 || length == 21) return false;
  if (load<u8>(at, 4) != 0x2d || load<u8>(at, 7) != 0x2d || load<u8>(at, 10) != 0x54) return false;
  if (load<u8>(at, 13) != 0x3a || load<u8>(at, 16) != 0x3a || load<u8>(at + length - 1) != 0x5a) return false;
  const century = pair(at);
  const rest = pair(at + 2);
  const month = pair(at + 5);
  const day = pair(at + 8);
  const hour = pair(at + 11);
  const minute = pair(at + 14);
  const second = pair(at + 17);
  if (century > 99 || rest > 99 || month < 1 || month > 12 || day < 1 || day > 31) return false;
  if (hour > 23 || minute > 59 || second > 59) return false;
  let fraction: i64 = 0;
  if (length > 20) {
    if (load<u8>(at, 19) != 0x2e) return false;
    const digits = length - 21;
    for (let i: usize = 0; i < 9; i++) {
      let digit: u32 = 0;
      if (i < digits) {
        digit = <u32>load<u8>(at + 20 + i) - 0x30;
        if (digit > 9) return false;
      }
      fraction = fraction * 10 + digit;
    }
  }
  const year = century * 100 + rest;
  if (year < 1970) {
    value = 0;
    return true;
  }
  const seconds = <i64>daysFromCivil(year, month, day) * 86400 + <i64>(hour * 3600 + minute * 60 + second);
  if (year > 2261) return false;
  value = seconds * SECOND + fraction;
  minuteLow = load<u64>(at);
  minuteHigh = load<u64>(at, 8);
  minuteAt = (seconds - <i64>second) * SECOND;
  return true;
}

/** Days from 1970-01-01, proleptic Gregorian calendar. Source: Howard Hinnant, chrono-compatible date algorithms. */
function daysFromCivil(year: u32, month: u32, day: u32): i32 {
  const y = <i32>year - (month <= 2 ? 1 : 0);
  const era = y / 400;
  const yearOfEra = y - era * 400;
  const shifted = <i32>month + (month > 2 ? -3 : 9);
  const dayOfYear = (153 * shifted + 2) / 5 + <i32>day - 1;
  const dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear;
  return era * 146097 + dayOfEra - 719468;
}

/** Reads `ssssssssss.ffffff`. @returns false when it is anything else */
function readMicroseconds(at: usize): bool {
  const high = load<u64>(at) ^ 0x3030303030303030;
  const rest = load<u64>(at, 8);
  const low = (rest & 0xffff) ^ 0x3030;
  const micros = (load<u64>(at, 9) >> 16) ^ 0x303030303030;
  if (((rest >> 16) & 0xff) != 0x2e || !allDigits(high) || !allDigits(low) || !allDigits(micros)) return false;
  const whole = <i64>(eightDigits(high) * 100 + (low & 0xff) * 10 + (low >> 8));
  if (whole > 9_200_000_000) return false;
  value = whole * SECOND + <i64>eightDigits(micros << 16) * 1000;
  return true;
}

/** Reads `seconds[.f{1,9}]`. @returns false when the text is anything else */
export function readSeconds(at: usize, length: usize): bool {
  if (length == 17 && readMicroseconds(at)) return true;
  let whole: i64 = 0;
  let i: usize = 0;
  while (i < length && load<u8>(at + i) != 0x2e) {
    const digit = <u32>load<u8>(at + i) - 0x30;
    if (digit > 9 || i >= 10) return false;
    whole = whole * 10 + digit;
    i++;
  }
  if (i == 0 || whole > 9_200_000_000) return false;
  let fraction: i64 = 0;
  if (i < length) {
    i++;
    const digits = length - i;
    if (digits == 0 || digits > 9) return false;
    for (let k: usize = 0; k < 9; k++) {
      let digit: u32 = 0;
      if (k < digits) {
        digit = <u32>load<u8>(at + i + k) - 0x30;
        if (digit > 9) return false;
      }
      fraction = fraction * 10 + digit;
    }
  }
  value = whole * SECOND + fraction;
  return true;
}

/** Unix ms or µs as an integer → ns; 0 when it is out of range. */
export function fromEpochInteger(number: u64): i64 {
  if (number >= 100_000_000_000_000) return number <= 9_000_000_000_000_000 ? <i64>number * 1000 : 0;
  return number <= 9_000_000_000_000 ? <i64>number * 1_000_000 : 0;
}
