/**
 * Names of the files of a segment: `kraken.seg`, or `kraken.2of4.seg` for the second of four shards, with `.lock` and
 * `.readers` beside it. Bad case: any other file in the folder; it has no meaning and is left alone.
 */
import { ConfigError } from "../errors.ts";

/** A part of an exchange's instruments. */
export type Shard = {
  /** From 0. */
  readonly index: number;
  readonly count: number;
};

/** The whole exchange. */
export const WHOLE: Shard = { index: 0, count: 1 };

/** What a file name says. */
export type SegmentName = Shard & { readonly exchange: string; readonly name: string };

const SEGMENT = /^(?<name>(?<exchange>[a-z0-9_]{1,31})(?:\.(?<index>[1-9]\d{0,4})of(?<count>[1-9]\d{0,4}))?)\.seg$/;

/** Most shards of one exchange. */
export const SHARDS_MAX = 10;

/** `kraken`, or `kraken.2of4`. */
export function segmentName(exchange: string, { index, count }: Shard): string {
  return count === 1 ? exchange : `${exchange}.${index + 1}of${count}`;
}

/** What a file's name says. @returns undefined when it is no segment's */
export function parseSegmentName(file: string): SegmentName | undefined {
  const groups = SEGMENT.exec(file)?.groups;
  if (groups?.name === undefined || groups.exchange === undefined) {
    return undefined;
  }
  const [index, count] = [Number(groups.index ?? 1) - 1, Number(groups.count ?? 1)];
  const isPossible = index < count && (groups.count === undefined || count > 1);
  return isPossible ? { name: groups.name, exchange: groups.exchange, index, count } : undefined;
}

/** Reads `2/4`. @throws ConfigError when it is none */
export function parseShard(text: string): Shard {
  const match = /^(\d{1,2})\/(\d{1,2})$/.exec(text);
  const [index, count] = [Number(match?.[1]) - 1, Number(match?.[2])];
  if (match === null || count < 1 || count > SHARDS_MAX || index < 0 || index >= count) {
    throw new ConfigError(`Cannot use --shard: it must be i/n with 1 ≤ i ≤ n ≤ ${SHARDS_MAX}, was ${text}`);
  }
  return { index, count };
}

/** The instruments of a shard: every n-th of the sorted names, so that all shards agree. */
export function shardOf(instruments: readonly string[], { index, count }: Shard): string[] {
  return [...instruments].sort().filter((_, position) => position % count === index);
}
