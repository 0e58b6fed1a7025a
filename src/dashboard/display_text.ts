/**
 * Words and numbers for people: exchange names, byte rates, counts, ages, clock times. Nothing here touches a price.
 * Bad case: a count so large that it is shortened loses digits; exact counts go into the title of the element.
 */

/** An exchange id as a name: `coinbase_exchange` → `Coinbase Exchange`, `binance_us` → `Binance US`. */
export function exchangeName(exchange: string): string {
  return exchange
    .split("_")
    .map((word) => (word.length <= 2 ? word.toUpperCase() : `${word.slice(0, 1).toUpperCase()}${word.slice(1)}`))
    .join(" ");
}

/** A state or reason of the stream as words: `out_of_service` → `out of service`. */
export function words(code: string): string {
  return code.replaceAll("_", " ");
}

/** A byte rate, e.g. `12.3 kB/s`. @param bytes per second */
export function byteRate(bytes: number): string {
  if (bytes < 1_000) {
    return `${Math.round(bytes)} B/s`;
  }
  const isMega = bytes >= 999_500;
  return `${shortened(bytes / (isMega ? 1_000_000 : 1_000))} ${isMega ? "MB/s" : "kB/s"}`;
}

/** An amount of bytes, e.g. `12.3 kB`. */
export function byteText(bytes: number): string {
  if (bytes < 999_500_000) {
    return byteRate(bytes).replace("/s", "");
  }
  return `${shortened(bytes / 1_000_000_000)} GB`;
}

/** A count, shortened from 10,000 on: `9,876`, `12.3k`, `4.56M`. */
export function countText(count: number): string {
  if (count < 10_000) {
    return wholeText(count);
  }
  return count < 999_500 ? `${shortened(count / 1_000)}k` : `${shortened(count / 1_000_000)}M`;
}

/** A whole number with all its digits: `1,234,567`. */
export function wholeText(count: number): string {
  return Math.round(count)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");
}

/** A span of time: `4 s`, `2 min 5 s`, `3 h 12 min`, `5 days`. @param seconds negative counts as 0 */
export function ageText(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) {
    return `${whole} s`;
  }
  if (whole < 3_600) {
    return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  }
  if (whole < 172_800) {
    return `${Math.floor(whole / 3_600)} h ${Math.floor((whole % 3_600) / 60)} min`;
  }
  return `${wholeText(Math.floor(whole / 86_400))} days`;
}

/** Local clock time with milliseconds, `14:03:07.125`. @param atMs wall clock; 0 = unknown, shown as `–` */
export function clockText(atMs: number): string {
  if (atMs <= 0) {
    return "–";
  }
  const time = new Date(atMs);
  const two = (value: number) => value.toString().padStart(2, "0");
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(":");
  return `${clock}.${time.getMilliseconds().toString().padStart(3, "0")}`;
}

/** A delay, e.g. `0.4 ms`, `38 ms`, `1.2 s`. @param milliseconds negative when clocks differ, shown as such */
export function delayText(milliseconds: number): string {
  const size = Math.abs(milliseconds);
  if (size < 10) {
    return `${milliseconds.toFixed(1)} ms`;
  }
  return size < 1_000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1_000).toFixed(1)} s`;
}

function shortened(value: number): string {
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : Math.round(value).toString();
}
