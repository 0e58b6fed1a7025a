/**
 * `alphapulse health`: one question to a running gateway or collector, answered by the status, for health checks of
 * containers, in which there is nothing else to ask with. Bad case: no answer in time; that is "not well", with the reason.
 */
import type { Command } from "commander";
import { ConnectionError } from "../errors.ts";
import { loadLibc, SegmentFollower, STALE_MS } from "../mapping/mod.ts";
import { MEMORY_BYTES_MAX, MemoryMap } from "../segment/memory_map.ts";
import { addCommonFlags, commandConfig, type SharedFlags } from "./settings.ts";
import { addDirectoryFlag, directoryOf } from "./shared_memory.ts";
import { readStandbys } from "./standby_report.ts";

const ANSWER_MS = 2000;
const SUBJECT = "http://127.0.0.1:8765/ready";

/** Adds the command. */
export function addHealth(program: Command): void {
  const command = program
    .command("health")
    .argument("[subject]", "address of a gateway's page, or name of a segment, e.g. kraken", SUBJECT)
    .description("Ask once whether a gateway answers or a collector lives: status 0 or 1.")
    .addHelpText("after", HELP);
  addCommonFlags(addDirectoryFlag(command)).action(health);
}

async function health(subject: string, flags: SharedFlags): Promise<void> {
  const isAddress = /^https?:\/\//.test(subject);
  process.stdout.write(`${isAddress ? await askGateway(subject) : await lookAtSegment(subject, flags)}\n`);
}

async function askGateway(url: string): Promise<string> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) }).catch((cause: unknown) => {
    const reason = cause instanceof Error ? String(cause.cause ?? cause) : String(cause);
    throw new ConnectionError(`Cannot reach the gateway: ${reason}, was ${url}`, { cause });
  });
  const text = await answer.text();
  if (answer.status !== 200) {
    throw new ConnectionError(`Cannot call the gateway well: it answers ${answer.status} ${text.trim()}, was ${url}`);
  }
  return text.trim();
}

async function lookAtSegment(name: string, flags: SharedFlags): Promise<string> {
  const { directory, isExplicit } = directoryOf(commandConfig(flags));
  const map = new MemoryMap(MEMORY_BYTES_MAX);
  const libc = await loadLibc();
  const follower = new SegmentFollower({ libc, map, directory, isExplicit });
  follower.look();
  const attachment = follower.attachments.find(({ file }) => file.name === name);
  const condition = attachment === undefined ? "absent" : follower.condition(attachment);
  if (condition !== "live") {
    throw new ConnectionError(`Cannot call the collector well: it is ${condition}, was ${name} in ${directory}`);
  }
  // One that was killed leaves a file that says nothing of its end.
  const standby = readStandbys({ libc, map, directory, segment: name }).find(
    ({ heartbeatAgeMs }) => heartbeatAgeMs <= STALE_MS,
  );
  const inWaiting = standby && `; a standby waits with ${standby.synced} of ${standby.books} books synced`;
  return `${name} is live${inWaiting ?? ""}`;
}

const HELP = `
Examples:
  alphapulse health                                       is the gateway of this machine ready?
  alphapulse health http://127.0.0.1:8766/health          does that one live?
  alphapulse health kraken                                does the collector of kraken live?`;
