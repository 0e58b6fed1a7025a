/**
 * What segments grew to, kept in a small file beside each of them (`<name>.sizes`, JSON): the next process of the same
 * collector begins with a segment that holds its books, instead of growing once more under its readers.
 * Bad case: garbage in the file, or sizes that the memory cannot hold now; it is as if there were none.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Config, selectExchanges } from "../config/mod.ts";
import { collectorRanges, type SegmentSizes, type SizeRecord } from "../feed/supervisor.ts";
import { type Shard, segmentName } from "../mapping/mod.ts";
import { MEMORY_BYTES_MAX, memoryBytes } from "../segment/memory_map.ts";
import type { Log } from "./log.ts";

const BYTES_MAX = 1 << 20;
const FILE_MODE = 0o600;
const SIZES = z.object({
  instrumentCapacity: z
    .int()
    .min(1)
    .max(2 ** 16),
  leastImageLevels: z.record(
    z.string(),
    z
      .int()
      .min(1)
      .max(2 ** 24),
  ),
});

/** The record of sizes of a directory. Thread: one. */
export class SizeFiles implements SizeRecord {
  readonly #directory: string;
  readonly #shard: Shard;
  readonly #log: Log;
  readonly #recalled = new Map<string, SegmentSizes | undefined>();

  constructor(directory: string, { shard, log }: { shard: Shard; log: Log }) {
    this.#directory = directory;
    this.#shard = shard;
    this.#log = log;
  }

  /** The sizes of the last segment of an exchange that grew; the same for the life of this object. */
  recall(exchange: string): SegmentSizes | undefined {
    if (!this.#recalled.has(exchange)) {
      this.#recalled.set(exchange, readSizes(this.#path(exchange)));
    }
    return this.#recalled.get(exchange);
  }

  /** Keeps them. Without room for the file the next process grows again, and the log says so. */
  keep(exchange: string, sizes: SegmentSizes): void {
    const path = this.#path(exchange);
    const part = `${path}.part`;
    try {
      writeFileSync(part, JSON.stringify(sizes), { mode: FILE_MODE });
      renameSync(part, path);
    } catch (error) {
      rmSync(part, { force: true });
      this.#log.warn(`Cannot keep the sizes of ${exchange}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** As if nothing had been kept: the memory cannot hold it. */
  forget(): void {
    for (const exchange of this.#recalled.keys()) {
      this.#recalled.set(exchange, undefined);
    }
  }

  #path(exchange: string): string {
    return join(this.#directory, `${segmentName(exchange, this.#shard)}.sizes`);
  }
}

/** The ranges that collectors need with the sizes that were kept, or without them where they do not fit. */
export function rangesWithSizes(
  config: Config,
  exchanges: ReturnType<typeof selectExchanges>,
  { sizes, others }: { sizes: SizeFiles; others: readonly number[] },
): number[] {
  const ranges = [...collectorRanges(config, exchanges, sizes), ...others];
  if (memoryBytes(ranges) <= MEMORY_BYTES_MAX) {
    return ranges;
  }
  sizes.forget();
  return [...collectorRanges(config, exchanges), ...others];
}

function readSizes(path: string): SegmentSizes | undefined {
  try {
    const text = readFileSync(path, "utf8");
    return text.length > BYTES_MAX ? undefined : SIZES.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
