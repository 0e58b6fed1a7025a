/**
 * The endpoints of an exchange as REST tells them, out of the collector's segment.
 * Bad case: a collector that died; what its segment said last stands here, and its connection is told as stale.
 */
import { BREAKER_WORDS, ENDPOINT_WORDS, FAILURE_WORDS, wordOf } from "../../model/states.ts";
import type { AnswerOf } from "../../rest/operations.ts";
import { readEndpoints } from "../../segment/endpoints.ts";
import type { SegmentSource } from "../segment_source.ts";

type EndpointAnswer = AnswerOf<"listExchanges">["exchanges"][number]["shards"][number]["endpoints"][number];

/** All of them; none for a segment that tells none. */
export function endpointAnswers(buffer: ArrayBufferLike, { view }: SegmentSource): EndpointAnswer[] {
  return readEndpoints(buffer, view.address).map((entry) => ({
    kind: wordOf(ENDPOINT_WORDS, entry.kind),
    address: entry.address,
    state: wordOf(BREAKER_WORDS, entry.state),
    since_ns: entry.sinceNs.toString(),
    open_until_ns: entry.openUntilNs.toString(),
    attempts: entry.attempts,
    failures: entry.failures,
    openings: entry.openings,
    last_failure: wordOf(FAILURE_WORDS, entry.lastFailure),
    last_status: entry.lastStatus,
  }));
}
