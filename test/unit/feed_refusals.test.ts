/**
 * What a refusal demands of us, for REST and for handshakes: the same status means the same.
 * Bad case: an exchange that bans whoever goes on asking and does not say for how long.
 */
import { describe, expect, it } from "vitest";
import { FAILURE_STATUS } from "../../assembly/layout.ts";
import type { EndpointFailure } from "../../src/feed/endpoints.ts";
import { beginLink, noteEnd } from "../../src/feed/link.ts";
import { Pacer } from "../../src/feed/pacer.ts";
import { RestClient } from "../../src/feed/rest.ts";
import type { Refusal } from "../../src/feed/socket.ts";

/** An attempt that keeps what it was told. */
function attempted() {
  const failures: EndpointFailure[] = [];
  const attempt = {
    url: "ws://one.test/",
    succeeded: () => undefined,
    failed: (failure: EndpointFailure) => failures.push(failure),
    abandoned: () => undefined,
  };
  return { attempt, failures };
}

function handshakeRefused(refusal: Refusal): EndpointFailure | undefined {
  const { attempt, failures } = attempted();
  const pacer = new Pacer({ count: 1, perMs: 1000 }, () => undefined);
  noteEnd(beginLink({ attempt, landing: undefined, pacer }, 0), 10, refusal);
  return failures[0];
}

async function restRefused({ status, retryAfterMs }: Refusal): Promise<EndpointFailure | undefined> {
  const { attempt, failures } = attempted();
  const headers: Record<string, string> = retryAfterMs === undefined ? {} : { "retry-after": `${retryAfterMs / 1000}` };
  const rest = new RestClient({
    baseUrl: "http://rest.test",
    endpoints: { admitsRest: true, request: () => attempt },
    budget: { count: 1, perMs: 1000 },
    timeoutMs: 5000,
    bodyBytesMax: 1000,
    fetch: () => Promise.resolve(new Response("no", { status, headers })),
    now: () => 0,
  });
  await expect(rest.get({ path: "/", weight: 1 })).rejects.toThrow(`was status ${status}`);
  return failures[0];
}

describe("A refusal", () => {
  it.each([
    [{ status: 418 }, 120_000],
    [{ status: 429 }, 60_000],
    [{ status: 429, retryAfterMs: 7000 }, 7000],
    [{ status: 503, retryAfterMs: 7000 }, 7000],
    [{ status: 503 }, undefined],
  ])("of %j demands that we stay away for %s ms, at a handshake as for REST", async (refusal, restMs) => {
    const expected = { kind: FAILURE_STATUS, status: refusal.status, restMs };
    expect([handshakeRefused(refusal), await restRefused(refusal)]).toEqual([expected, expected]);
  });
});
