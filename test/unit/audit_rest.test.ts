/**
 * Audits beside snapshots in one REST budget, and the injected timer of the timeouts.
 * Bad case: a budget that audits have spent when a snapshot is wanted.
 */
import { describe, expect, it } from "vitest";
import { ConnectionError } from "../../src/errors.ts";
import { RestClient, type RestClientOptions } from "../../src/feed/rest.ts";
import { testEndpoints } from "../support/endpoints.ts";

function client(options: Partial<RestClientOptions> = {}) {
  const asked: string[] = [];
  const clock = { now: 0 };
  const rest = new RestClient({
    baseUrl: "http://exchange",
    endpoints: testEndpoints({ now: () => clock.now }).endpoints,
    budget: { count: 10, perMs: 1000 },
    auditBudget: { count: 5, perMs: 1000 },
    timeoutMs: 700,
    bodyBytesMax: 1000,
    fetch: (url) => {
      asked.push(new URL(url).pathname);
      return Promise.resolve(new Response("{}"));
    },
    now: () => clock.now,
    ...options,
  });
  return { rest, asked, clock };
}

describe("RestClient", () => {
  it("lets audits spend their part of the budget only, and leaves the rest to snapshots", () => {
    const { rest, asked, clock } = client();
    for (let index = 0; index < 4; index++) {
      void rest.get({ path: `/audit${index}`, weight: 2 }, { isAudit: true });
    }
    void rest.get({ path: "/snapshot", weight: 6 });
    expect([asked, rest.length]).toEqual([["/audit0", "/audit1", "/snapshot"], 2]);
    clock.now = 1000;
    rest.tick();
    expect(asked.slice(3)).toEqual(["/audit2", "/audit3"]);
  });

  it("starts no audit while a snapshot waits for room", () => {
    const { rest, asked, clock } = client();
    void rest.get({ path: "/first", weight: 8 });
    void rest.get({ path: "/snapshot", weight: 6 });
    void rest.get({ path: "/audit", weight: 1 }, { isAudit: true });
    rest.tick();
    expect(asked).toEqual(["/first"]);
    clock.now = 1000;
    rest.tick();
    expect(asked).toEqual(["/first", "/snapshot", "/audit"]);
  });

  it("does not send what nobody wants any more when its turn comes", async () => {
    const { rest, asked, clock } = client();
    let isWanted = true;
    void rest.get({ path: "/first", weight: 10 });
    const dropped = rest
      .get({ path: "/late", weight: 1 }, { isWanted: () => isWanted })
      .catch((error: unknown) => error);
    void rest.get({ path: "/kept", weight: 1 });
    isWanted = false;
    clock.now = 1000;
    rest.tick();
    expect(asked).toEqual(["/first", "/kept"]);
    expect(await dropped).toBeInstanceOf(ConnectionError);
  });

  it("hands bodies to the recording, but not those of audits", async () => {
    const recorded: string[] = [];
    const { rest } = client({ onBody: (url) => recorded.push(url) });
    await Promise.all([rest.get({ path: "/a", weight: 1 }, { isAudit: true }), rest.get({ path: "/b", weight: 1 })]);
    expect(recorded).toEqual(["http://exchange/b"]);
  });

  it("times out by the timer that it was given", async () => {
    const timers: { task: () => void; ms: number }[] = [];
    const { rest } = client({
      setTimer: (task, ms) => {
        timers.push({ task, ms });
        return () => timers.splice(0);
      },
      fetch: (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason as Error));
        }),
    });
    const answer = rest.get({ path: "/slow", weight: 1 }).catch((error: unknown) => error);
    expect(timers.map(({ ms }) => ms)).toEqual([700]);
    timers[0]?.task();
    expect(await answer).toBeInstanceOf(ConnectionError);
  });

  it("refuses audits that wait when it stops", async () => {
    const { rest } = client();
    void rest.get({ path: "/all", weight: 10 });
    const waiting = rest.get({ path: "/audit", weight: 1 }, { isAudit: true }).catch((error: unknown) => error);
    rest.stop();
    expect(await waiting).toBeInstanceOf(ConnectionError);
  });
});
