/**
 * Sizes of segments: those that the instruments of an exchange begin with, and larger ones when a book outgrew its images
 * or the table is full. Every growth doubles something, so their number is limited by the memory. What a segment grew to
 * is worth keeping: its collector's next process begins with it.
 * Bad case: an exchange with many deep books; the roomy size does not fit, and a tight one is offered that does without
 * room for the next growth in place.
 */
import type { Config, SelectedExchange } from "../config/mod.ts";
import { MEMORY_BYTES_MAX, memoryBytes } from "../segment/memory_map.ts";
import { imagePairBytes, type SegmentConfig, type SegmentShortage, segmentBytes } from "../segment/writer.ts";

/** Pairs of images that a segment has room for, for each instrument. */
const ROOMY_PAIRS = 3;
/** Segments of its first size that an exchange's books can grow by, where the memory has so much. */
const GROWTH_SEGMENTS = 4;
/** Left of the largest memory for whatever stands beside collectors and gateway. */
const BESIDE_BYTES = 256 * 1024 * 1024;

/** What an exchange's books were found to need. */
export type SegmentSizes = {
  readonly instrumentCapacity: number;
  /** Levels that images hold at least, by canonical name. */
  readonly leastImageLevels: Readonly<Record<string, number>>;
};

/** Where sizes are kept between processes. */
export type SizeRecord = {
  recall(exchange: string): SegmentSizes | undefined;
  keep(exchange: string, sizes: SegmentSizes): void;
};

/** The sizes of a segment for so many instruments. @param sizes what an earlier one grew to */
export function segmentConfig(
  config: Config,
  { settings, instruments }: SelectedExchange,
  sizes?: SegmentSizes,
): SegmentConfig {
  const { instrumentCapacity, deltaCapacity, tradeCapacity, imageAreaBytes, spareInstruments } = config.segment;
  const least = sizes?.leastImageLevels ?? {};
  const known = instruments.filter((canonical) => (least[canonical] ?? 0) > settings.imageLevels);
  const pairs = pairsBytes(instruments, (canonical) => Math.max(settings.imageLevels, least[canonical] ?? 0));
  const spare = spareInstruments * imagePairBytes(settings.imageLevels);
  return {
    instrumentCapacity: Math.max(instrumentCapacity, 2 * instruments.length, sizes?.instrumentCapacity ?? 0),
    deltaCapacity,
    tradeCapacity,
    imageAreaBytes:
      imageAreaBytes === 0 ? ROOMY_PAIRS * pairs + spare : Math.max(imageAreaBytes, known.length > 0 ? pairs : 0),
    ...(known.length > 0
      ? { leastImageLevels: Object.fromEntries(known.map((canonical) => [canonical, least[canonical] ?? 0])) }
      : {}),
  };
}

/** What is worth keeping of a segment that grew. */
export function sizesOf({ instrumentCapacity, leastImageLevels = {} }: SegmentConfig): SegmentSizes {
  return { instrumentCapacity, leastImageLevels };
}

/**
 * The ranges that the collectors need: arena, frame, a segment and one to replace it, for each; and room for books that
 * grow, as far as the largest memory has it. Memory that nobody touches costs addresses only.
 * @param sizes what earlier segments grew to
 * @returns bytes of each
 */
export function collectorRanges(
  config: Config,
  exchanges: readonly SelectedExchange[],
  sizes?: Pick<SizeRecord, "recall">,
): number[] {
  const segments = exchanges.map((selected) =>
    segmentBytes(segmentConfig(config, selected, sizes?.recall(selected.id))),
  );
  const { arenaBytes, frameBytesMax } = config.collector;
  const needed = segments.flatMap((bytes) => [arenaBytes, frameBytesMax, bytes, bytes]);
  const wished = segments.reduce((sum, bytes) => sum + GROWTH_SEGMENTS * bytes, 0);
  const left = MEMORY_BYTES_MAX - memoryBytes(needed) - config.gateway.arenaBytes - BESIDE_BYTES;
  return left > 0 ? [...needed, Math.min(wished, left)] : needed;
}

/**
 * Larger sizes for a segment in which instruments found no room.
 * @param before the sizes that were too small
 * @param shortages what was exhausted, at least one
 * @returns the roomy size first, then the least that can be used
 */
export function grownConfigs(
  before: SegmentConfig,
  { settings, instruments }: SelectedExchange,
  shortages: readonly SegmentShortage[],
): SegmentConfig[] {
  const least: Record<string, number> = { ...before.leastImageLevels };
  const isTableFull = shortages.some(({ part }) => part === "table");
  for (const { canonical, imageLevels, part } of shortages) {
    if (part === "images") {
      const held = before.leastImageLevels?.[canonical] ?? settings.imageLevels;
      least[canonical] = Math.max(least[canonical] ?? 0, imageLevels, 2 * held);
    }
  }
  const pairs = pairsBytes(instruments, (canonical) => Math.max(settings.imageLevels, least[canonical] ?? 0));
  const grown = {
    ...before,
    instrumentCapacity: before.instrumentCapacity * (isTableFull ? 2 : 1),
    leastImageLevels: least,
  };
  const roomy = Math.max(before.imageAreaBytes, ROOMY_PAIRS * pairs);
  const tight = Math.max(before.imageAreaBytes, pairs);
  return [
    { ...grown, imageAreaBytes: roomy },
    { ...grown, imageAreaBytes: tight },
  ];
}

function pairsBytes(instruments: readonly string[], levelsOf: (canonical: string) => number): number {
  return instruments.reduce((sum, canonical) => sum + imagePairBytes(levelsOf(canonical)), 0);
}
