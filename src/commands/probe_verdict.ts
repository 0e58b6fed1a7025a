/**
 * What a probe concludes from a segment and the collector's reports. Pure, so that it can be tested without an exchange.
 * Bad case: no segment at all; then the collector itself failed and its last report says why.
 */
import {
  COUNTER_CHECKSUM_BAD,
  COUNTER_CHECKSUM_OK,
  COUNTER_CROSSED,
  COUNTER_DECODE_ERRORS,
  COUNTER_FRAMES,
  COUNTER_GAPS,
  COUNTER_REST_FAILURES,
  COUNTER_REST_REQUESTS,
  COUNTER_RESYNCS,
  COUNTER_TRADES,
  COUNTER_UNKNOWN_KINDS,
  STATE_CONNECTING,
  STATE_RETIRED,
  STATE_SYNCED,
} from "../../assembly/layout.ts";
import { ASSURANCE_WORDS, REASON_WORDS, STATE_WORDS, wordOf } from "../model/states.ts";
import type { SegmentView } from "../segment/view.ts";

/** One line of the result. */
export type Verdict = { readonly isGood: boolean; readonly what: string; readonly advice: string };

/** What is judged. */
export type ProbeEvidence = {
  readonly segment: Pick<SegmentView, "counter" | "instruments"> | undefined;
  readonly reports: readonly { readonly level: string; readonly text: string }[];
  /** Names that were synced at any look; grows. */
  readonly everSynced: Set<string>;
};

const INTEGRITY: readonly [counter: number, name: string][] = [
  [COUNTER_GAPS, "gaps"],
  [COUNTER_CHECKSUM_BAD, "bad checksums"],
  [COUNTER_DECODE_ERRORS, "unreadable frames"],
  [COUNTER_CROSSED, "crossed books"],
  [COUNTER_UNKNOWN_KINDS, "frames of unknown kinds"],
];

/** Judges what is there now. */
export function judge({ segment, reports, everSynced }: ProbeEvidence): Verdict[] {
  const last = [...reports].reverse().find(({ level }) => level !== "info")?.text ?? "nothing was reported";
  if (segment === undefined) {
    return [{ isGood: false, what: "the collector did not start", advice: last }];
  }
  const count = (counter: number) => segment.counter(counter);
  const books = segment.instruments().filter(({ state }) => state !== STATE_RETIRED);
  for (const { canonical, state } of books) {
    if (state === STATE_SYNCED) {
      everSynced.add(canonical);
    }
  }
  const isConnected = count(COUNTER_FRAMES) > 0 || books.some(({ state }) => state !== STATE_CONNECTING);
  const restFailures = count(COUNTER_REST_FAILURES);
  const faults = INTEGRITY.filter(([counter]) => count(counter) > 0).map(
    ([counter, name]) => `${count(counter)} ${name}`,
  );
  return [
    {
      isGood: restFailures === 0,
      what: `REST: ${count(COUNTER_REST_REQUESTS)} requests, ${restFailures} failed`,
      advice: `${last}. Is the address right and reachable (exchanges.<id>.rest_url)? Some exchanges refuse some regions.`,
    },
    {
      isGood: isConnected,
      what: `handshake: ${isConnected ? "connected" : "never connected"}, ${count(COUNTER_FRAMES)} frames`,
      advice: `${last}. Is the address right and reachable (exchanges.<id>.websocket_urls)? Is there a proxy between?`,
    },
    ...books.map(({ canonical, state, reason, assurance }) => ({
      isGood: everSynced.has(canonical) && state === STATE_SYNCED,
      what: `${canonical}: ${wordOf(STATE_WORDS, state)} (${wordOf(ASSURANCE_WORDS, assurance)})`,
      advice: `reason ${wordOf(REASON_WORDS, reason)}; ${last}`,
    })),
    {
      isGood: faults.length === 0,
      what:
        faults.length === 0
          ? `integrity: ${count(COUNTER_CHECKSUM_OK)} checksums held, ${count(COUNTER_TRADES)} trades, no fault`
          : `integrity: ${faults.join(", ")}, ${count(COUNTER_RESYNCS)} resyncs`,
      advice: "Record it (serve --record) and replay the capture; one fault in a while is repaired by itself.",
    },
  ];
}
