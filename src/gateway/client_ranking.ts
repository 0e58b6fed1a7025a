/**
 * The clients that fare worst, for statistics: those that something happened to, ordered by how bad it is. Bad case: all
 * are well; there is nothing to show then.
 */
import type { ClientStats } from "../wire/protocol.ts";
import type { Session } from "./session.ts";

const SHOWN = 10;

/** The ten worst clients, worst first; none that was well all the time. */
export function worstClients(sessions: Iterable<Session>): ClientStats[] {
  const troubled = [...sessions].filter(isTroubled).map((session) => ({ session, stats: statsOf(session) }));
  const ranked = troubled.sort((one, other) => compare(one.stats, other.stats));
  return ranked.slice(0, SHOWN).map(({ stats }) => stats);
}

function isTroubled({ backlog, counts }: Session): boolean {
  const { resets, dropped, protocolErrors, slowTimes } = counts;
  return !backlog.isLive || resets + dropped + protocolErrors + slowTimes > 0;
}

function statsOf({ connection, backlog, counts, size }: Session): ClientStats {
  const { slowTimes, conflatedUpdates, resets, dropped, protocolErrors } = counts;
  return {
    client: connection.id,
    state: backlog.state,
    sinceMs: Math.round(backlog.sinceMs),
    bufferedBytes: connection.bufferedBytes(),
    subscriptions: size,
    slowTimes,
    conflatedUpdates,
    resets,
    dropped,
    protocolErrors,
  };
}

/** Who is slow now comes first, then what was dropped, reset, slow; then by the bytes that wait. */
function compare(one: ClientStats, other: ClientStats): number {
  const weights = ({ state, dropped, resets, slowTimes, bufferedBytes }: ClientStats) => [
    state === "live" ? 0 : 1,
    dropped,
    resets,
    slowTimes,
    bufferedBytes,
  ];
  const [ours, theirs] = [weights(one), weights(other)];
  const place = ours.findIndex((weight, index) => weight !== theirs[index]);
  return place < 0 ? one.client - other.client : (theirs[place] ?? 0) - (ours[place] ?? 0);
}
