/**
 * What the commands that share memory between processes have in common: the flag for the directory, and the choice of the
 * memory that segments lie in. Bad case: a machine that cannot share; `serve` goes on with threads and says what is
 * missing, `collect` and `gateway` cannot.
 */
import type { Command } from "commander";
import { type Config, selectExchanges } from "../config/mod.ts";
import { collectorRanges } from "../feed/supervisor.ts";
import {
  ExportedMap,
  type ExportOptions,
  MappingError,
  type Shard,
  segmentDirectory,
  shardOf,
  WHOLE,
} from "../mapping/mod.ts";
import { memoryBytes } from "../segment/memory_map.ts";
import { createMap } from "./engine.ts";
import type { Log } from "./log.ts";
import { rangesWithSizes, type SizeFiles } from "./segment_sizes.ts";

/** Adds `--directory`. */
export function addDirectoryFlag(command: Command): Command {
  return command.option(
    "--directory <folder>",
    "where segment files stand (default: /dev/shm/alphapulse; also: ALPHAPULSE_SEGMENT_DIRECTORY)",
  );
}

/** The directory of segments, and whether the user named it. */
export function directoryOf(config: Config): { directory: string; isExplicit: boolean } {
  const explicit = config.segment.directory;
  return { directory: segmentDirectory({ explicit }), isExplicit: explicit !== "" };
}

/** The exchanges that run, each with the instruments of one shard. */
export function selectShard(config: Config, shard: Shard) {
  return selectExchanges(config).map((selected) => ({
    ...selected,
    instruments: shardOf(selected.instruments, shard),
  }));
}

/** How a memory is exported. */
export type ExportWishes = {
  readonly shard?: Shard;
  /** How long another may hold a name. */
  readonly patienceMs: number;
  readonly onLost: (exchange: string) => void;
  /** Bytes of ranges beside those of the collectors. */
  readonly others?: readonly number[];
  /** What earlier segments grew to. */
  readonly sizes: SizeFiles;
};

/**
 * A memory whose segments other processes can read.
 * @throws MappingError when this machine cannot, or a name is held by another
 * @throws ConfigError when so much cannot be had
 */
export async function openExportedMap(config: Config, wishes: ExportWishes): Promise<ExportedMap> {
  const { bytes, ...options } = exportOptions(config, wishes);
  return await ExportedMap.open(bytes, options);
}

/**
 * The same while others hold the names: see ExportedMap.openStandby.
 * @returns undefined when there is a standby already
 */
export async function openStandbyMap(config: Config, wishes: ExportWishes): Promise<ExportedMap | undefined> {
  const { bytes, ...options } = exportOptions(config, wishes);
  return await ExportedMap.openStandby(bytes, options);
}

function exportOptions(config: Config, wishes: ExportWishes): ExportOptions & { readonly bytes: number } {
  const { shard = WHOLE, others = [], sizes } = wishes;
  const exchanges = selectShard(config, shard);
  const ids = exchanges.map(({ id }) => id);
  const ranges = rangesWithSizes(config, exchanges, { sizes, others: [...ExportedMap.extraRanges(ids), ...others] });
  return {
    bytes: memoryBytes(ranges),
    ...directoryOf(config),
    exchanges: ids,
    shard,
    patienceMs: wishes.patienceMs,
    pid: process.pid,
    onLost: wishes.onLost,
  };
}

/** The same, or memory for this process alone, with a line in the log that says why. */
export async function openMap(config: Config, log: Log, wishes: ExportWishes) {
  try {
    return await openExportedMap(config, wishes);
  } catch (error) {
    if (!(error instanceof MappingError)) {
      throw error;
    }
    log.warn(`Going on for this process alone: ${error.message}`);
    wishes.sizes.forget();
    return createMap([...collectorRanges(config, selectExchanges(config)), ...(wishes.others ?? [])]);
  }
}
