/**
 * Bytes per second over the last minutes: what the exchanges sent as JSON, what the same cost on the stream, what all
 * clients got. One point per `stats` message. Bad case: no connection: a hole, not a line across.
 */
import type { StatsMessage } from "../wire/protocol.ts";

/** Points kept: ten minutes. */
const POINTS_MAX = 600;

/** Columns for a chart: seconds, then bytes per second. */
export type TrafficColumns = [
  seconds: number[],
  exchanges: (number | null)[],
  stream: (number | null)[],
  clients: (number | null)[],
];

/** A bounded series. */
export class TrafficSeries {
  readonly columns: TrafficColumns = [[], [], [], []];
  #count = 0;

  /** Points ever added. */
  get count(): number {
    return this.#count;
  }

  /** Adds a point. */
  add(statistics: StatsMessage): void {
    const { exchangeBytes, wireBytes } = bytesOf(statistics);
    this.#push(statistics.atMs / 1000, [exchangeBytes, wireBytes, statistics.gateway.bytesOutPerSecond]);
  }

  /** Makes a hole. */
  interrupt(): void {
    const last = this.columns[0].at(-1);
    if (last !== undefined) {
      this.#push(last + 1, [null, null, null]);
    }
  }

  #push(seconds: number, values: (number | null)[]): void {
    const [times, ...lines] = this.columns;
    times.push(seconds);
    for (const [index, line] of lines.entries()) {
      line.push(values[index] ?? null);
    }
    if (times.length > POINTS_MAX) {
      for (const column of this.columns) {
        column.shift();
      }
    }
    this.#count += 1;
  }
}

/**
 * Bytes per second from the exchanges, and of the stream as encoded once. The stream encodes what somebody follows, so the
 * two can be compared only where every book is followed.
 * @param exchange only of this one
 */
export function bytesOf(statistics: StatsMessage, exchange?: string): { exchangeBytes: number; wireBytes: number } {
  const isMeant = (name: string) => exchange === undefined || name === exchange;
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
  return {
    exchangeBytes: sum(statistics.exchanges.filter((row) => isMeant(row.exchange)).map((row) => row.bytesInPerSecond)),
    wireBytes: sum(
      statistics.instruments
        .filter((row) => isMeant(row.instrument.slice(0, row.instrument.indexOf(":"))))
        .map((row) => row.wireBytesPerSecond),
    ),
  };
}

/** How many times fewer bytes the stream takes; undefined unless every book is followed. @param exchange only of this one */
export function bytesRatio(
  statistics: StatsMessage,
  isFollowed: (instrument: string) => boolean,
  exchange?: string,
): number | undefined {
  const names = statistics.instruments.map((row) => row.instrument);
  const meant = names.filter((name) => exchange === undefined || name.startsWith(`${exchange}:`));
  const { exchangeBytes, wireBytes } = bytesOf(statistics, exchange);
  return meant.every(isFollowed) && wireBytes > 0 ? exchangeBytes / wireBytes : undefined;
}
