/**
 * What `inspect` prints for people. Bad case: a terminal narrower than a line; it wraps.
 */
import type { Inspection } from "./inspect.ts";
import type { InstrumentReport, ReaderReport, SegmentReport } from "./inspect_report.ts";
import type { StandbyReport } from "./standby_report.ts";

/** The text of one look. */
export function reportText({ directory, segments, standbys, refused, removed }: Inspection): string {
  const cleaned = removed.map((name) => `${name}  removed: its producer is dead`);
  const faults = refused.map(({ path, reason }) => `${path}: ${reason}`);
  const parts = segments.length === 0 ? [`${directory} holds no segments`] : segments.map(segmentText);
  return [...cleaned, ...parts, ...standbys.map(standbyText), ...faults].join("\n\n");
}

function standbyText({ segment, pid, epoch, synced, books, heartbeatAgeMs, bytes }: StandbyReport): string {
  const warmth = `${synced} of ${books} books are synced`;
  return `${segment}  standby: ${warmth}, heartbeat ${heartbeatAgeMs} ms ago, pid ${pid}, epoch ${epoch}, ${mebibytes(bytes)}`;
}

function segmentText(report: SegmentReport): string {
  const { perSecond, totals } = report;
  const lines = [
    `${report.segment}  ${report.condition}, heartbeat ${report.heartbeatAgeMs} ms ago, pid ${report.pid}, epoch ${report.epoch}, layout ${report.layout}`,
    `  ${mebibytes(report.bytes)} (images ${mebibytes(report.imageBytesUsed)}), ${report.deltaTail} deltas, ${report.tradeTail} trades`,
    `  per second: ${perSecond.frames} frames, ${perSecond.records} records, ${perSecond.changes} changes, ${perSecond.trades} trades`,
    `  so far: ${totals.gaps} gaps, ${totals.resyncs} resyncs, ${totals.reconnects} reconnects`,
    ...(report.condition === "dead"
      ? ["  its producer is gone; `collect` takes its place, `inspect --clean` removes it"]
      : []),
    ...report.instruments.map(instrumentText),
    ...report.readers.map(readerText),
  ];
  return lines.join("\n");
}

function instrumentText(report: InstrumentReport): string {
  const state = report.state === "synced" ? report.state : `${report.state} (${report.reason})`;
  const spread = `${report.bid ?? "–"} / ${report.ask ?? "–"}`;
  return `  ${report.instrument.padEnd(14)} ${state.padEnd(28)} ${report.assurance.padEnd(10)} ${spread.padEnd(26)} version ${report.version}`;
}

function readerText(report: ReaderReport): string {
  const margin = report.lapMargin === undefined ? "another epoch" : `${report.lapMargin} records of margin`;
  return `  reader ${report.kind} ${report.name} pid ${report.pid}: ${margin}, ${report.lost} lost in ${report.laps} laps, seen ${report.ageMs} ms ago`;
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}
