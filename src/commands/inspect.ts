/**
 * `alphapulse inspect`: what the segments of a directory hold, read from their files alone: who writes them and since
 * when, instruments with state and assurance, rates, memory, and readers with their distance to being overtaken.
 * Bad case: a producer that died; its segment is still there, and the line says for how long it has been silent.
 */
import { existsSync } from "node:fs";
import type { Command } from "commander";
import { ConfigError } from "../errors.ts";
import { type Attachment, loadLibc, removeDeadSegments, SegmentFollower } from "../mapping/mod.ts";
import { MEMORY_BYTES_MAX, MemoryMap } from "../segment/memory_map.ts";
import { describeSegment, type ReportedCondition, type SegmentReport, takeCounts } from "./inspect_report.ts";
import { reportText } from "./inspect_text.ts";
import { addCommonFlags, commandConfig, type SharedFlags } from "./settings.ts";
import { addDirectoryFlag, directoryOf } from "./shared_memory.ts";
import { runUntilStopped } from "./shutdown.ts";
import { readStandbys, type StandbyReport } from "./standby_report.ts";

type InspectFlags = SharedFlags & { json?: boolean; follow?: boolean; clean?: boolean };

const RATE_MS = 500;
const FOLLOW_MS = 1000;

/** Adds the command. */
export function addInspect(program: Command): void {
  const command = program
    .command("inspect")
    .argument("[segment]", "only this one, e.g. kraken or kraken.2of4")
    .description("Show the shared-memory segments: producers, instruments, rates, readers.")
    .option("--json", "as JSON, one line per look; integers beyond 2^53 as text")
    .option("--follow", "look again every second until stopped")
    .option("--clean", "first remove segments whose producers are dead and whose locks are free")
    .addHelpText("after", HELP);
  addCommonFlags(addDirectoryFlag(command)).action(inspect);
}

async function inspect(segment: string | undefined, flags: InspectFlags): Promise<void> {
  const config = commandConfig(flags);
  const { directory, isExplicit } = directoryOf(config);
  const map = new MemoryMap(MEMORY_BYTES_MAX);
  const libc = await loadLibc();
  const follower = new SegmentFollower({ libc, map, directory, isExplicit });
  const removed = flags.clean === true ? removeDeadSegments({ libc, directory, isExplicit, name: segment }) : [];
  const chosen = ({ file }: Attachment) => segment === undefined || file.name === segment;
  const look = async (spanMs: number) => {
    const refused = follower.look().flatMap((change) => (change.kind === "refused" ? [change] : []));
    const before = follower.attachments
      .filter(chosen)
      .map((attachment) => ({ attachment, counts: takeCounts(attachment) }));
    await new Promise((resolve) => {
      setTimeout(resolve, spanMs);
    });
    const reports = before.map(({ attachment, counts }) =>
      describeSegment(attachment, { map, before: counts, condition: conditionOf(follower, attachment) }),
    );
    if (segment !== undefined && reports.length + removed.length === 0 && flags.follow !== true) {
      throw new ConfigError(`Cannot inspect: ${directory} holds no such segment, was ${segment}`);
    }
    const faults = refused.map(({ path, reason }) => ({ path, reason }));
    const standbys = existsSync(directory) ? readStandbys({ libc, map, directory, segment }) : [];
    print({ directory, segments: reports, standbys, refused: faults, removed: removed.splice(0) }, flags);
  };
  if (flags.follow !== true) {
    await look(RATE_MS);
    return;
  }
  let isOver = false;
  const following = (async () => {
    while (!isOver) {
      await look(FOLLOW_MS);
    }
  })();
  await runUntilStopped(
    () => {
      isOver = true;
      return Promise.resolve();
    },
    { ended: following },
  );
}

function conditionOf(follower: SegmentFollower, attachment: Attachment): ReportedCondition {
  return follower.isDead(attachment) ? "dead" : follower.condition(attachment);
}

/** What one look found. */
export type Inspection = {
  readonly directory: string;
  readonly segments: readonly SegmentReport[];
  /** Producers in waiting. */
  readonly standbys: readonly StandbyReport[];
  readonly refused: readonly { readonly path: string; readonly reason: string }[];
  /** Segments that `--clean` took away before. */
  readonly removed: readonly string[];
};

function print(inspection: Inspection, { json }: InspectFlags): void {
  process.stdout.write(`${json === true ? JSON.stringify(inspection) : reportText(inspection)}\n`);
}

const HELP = `
Examples:
  alphapulse inspect
  alphapulse inspect kraken --json
  alphapulse inspect --follow
  alphapulse inspect --clean                  remove what dead producers left`;
