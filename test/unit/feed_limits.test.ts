/**
 * What keeps a collector within an exchange's limits: rate windows, the pacer of messages, the REST budget.
 * Bad case: a burst at the border of two windows that is twice what is allowed.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConnectionError } from "../../src/errors.ts";
import { Pacer } from "../../src/feed/pacer.ts";
import { RateWindow } from "../../src/feed/rate_window.ts";
import { type Fetch, RestClient, type RestClientOptions } from "../../src/feed/rest.ts";
import { testEndpoints } from "../support/endpoints.ts";

describe("RateWindow", () => {
  it("never lets more through than allowed in any window, whenever it is asked", () => {
    const attempts = fc.array(fc.tuple(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 1, max: 5 })), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(attempts, (steps) => {
        const window = new RateWindow({ count: 10, perMs: 1000 });
        const taken: [at: number, weight: number][] = [];
        let at = 0;
        for (const [wait, weight] of steps) {
          at += wait;
          if (window.take(at, weight)) {
            taken.push([at, weight]);
          }
        }
        for (const [start] of taken) {
          const inside = taken.filter(([time]) => time >= start && time < start + 1000);
          expect(inside.reduce((sum, [, weight]) => sum + weight, 0)).toBeLessThanOrEqual(10);
        }
      }),
    );
  });

  it("has room again exactly when the oldest falls out", () => {
    const window = new RateWindow({ count: 2, perMs: 1000 });
    expect([window.take(0), window.take(500), window.take(999), window.take(1000), window.take(1000)]).toEqual([
      true,
      true,
      false,
      true,
      false,
    ]);
  });

  it("lets something heavier than the window go alone", () => {
    const window = new RateWindow({ count: 10, perMs: 1000 });
    expect([window.take(0, 50), window.take(999, 1), window.take(1000, 1)]).toEqual([true, false, true]);
  });
});

describe("Pacer", () => {
  it("sends at once what may be sent and the rest later, in order", () => {
    const sent: string[] = [];
    const pacer = new Pacer({ count: 2, perMs: 1000 }, (text) => sent.push(text));
    for (const text of ["a", "b", "c", "d", "e"]) {
      pacer.push(text, 0);
    }
    expect([sent.join(""), pacer.length]).toEqual(["ab", 3]);
    pacer.drain(999);
    expect(sent.join("")).toBe("ab");
    pacer.drain(1000);
    expect(sent.join("")).toBe("abcd");
    pacer.drain(2000);
    expect([sent.join(""), pacer.length]).toEqual(["abcde", 0]);
  });

  it("pauses and goes on at half the rate when the exchange complains", () => {
    const sent: number[] = [];
    let now = 0;
    const pacer = new Pacer({ count: 1, perMs: 1000 }, () => sent.push(now));
    pacer.slowDown(0);
    for (const text of ["a", "b", "c"]) {
      pacer.push(text, now);
    }
    for (; now <= 20_000; now += 100) {
      pacer.drain(now);
    }
    expect(sent).toEqual([5000, 7000, 9000]);
  });
});

const REQUEST = { path: "/depth", weight: 1 };

function client(fetch: Fetch, options: Partial<RestClientOptions> = {}): { rest: RestClient; clock: { now: number } } {
  const clock = { now: 0 };
  const rest = new RestClient({
    baseUrl: "http://x/",
    endpoints: testEndpoints({ now: () => clock.now }).endpoints,
    budget: { count: 10, perMs: 1000 },
    timeoutMs: 5000,
    bodyBytesMax: 1000,
    fetch,
    now: () => clock.now,
    ...options,
  });
  return { rest, clock };
}

function text(body: Uint8Array): string {
  return new TextDecoder().decode(body);
}

describe("RestClient", () => {
  it("gets bodies in order within the budget", async () => {
    const urls: string[] = [];
    const { rest, clock } = client((url) => {
      urls.push(url);
      return Promise.resolve(new Response("ok"));
    });
    const answers = [4, 4, 4].map((weight, index) => rest.get({ path: `/${index}`, weight }));
    expect([urls, rest.length]).toEqual([["http://x/0", "http://x/1"], 1]);
    clock.now = 1000;
    rest.tick();
    expect((await Promise.all(answers)).map(text)).toEqual(["ok", "ok", "ok"]);
    expect(urls[2]).toBe("http://x/2");
  });

  it("asks nothing at all for as long as the exchange demands when it refuses", async () => {
    const statuses = [429, 200];
    const { rest, clock } = client(() =>
      Promise.resolve(new Response("slow down", { status: statuses.shift() ?? 200, headers: { "retry-after": "7" } })),
    );
    await expect(rest.get(REQUEST)).rejects.toThrow("Cannot get http://x/depth: slow down, was status 429");
    const second = rest.get(REQUEST);
    clock.now = 6999;
    rest.tick();
    expect(rest.length).toBe(1);
    clock.now = 7000;
    rest.tick();
    expect(text(await second)).toBe("slow down");
  });

  it("stays silent for two minutes when it was banned without a time", async () => {
    const { rest, clock } = client(() => Promise.resolve(new Response(null, { status: 418 })));
    await expect(rest.get(REQUEST)).rejects.toThrow(/no body, was status 418/);
    const next = rest.get(REQUEST).catch(() => "failed again");
    clock.now = 119_999;
    rest.tick();
    expect(rest.length).toBe(1);
    clock.now = 120_000;
    rest.tick();
    expect([rest.length, await next]).toEqual([0, "failed again"]);
  });

  it("reads no more of a refusal than it tells, however long its body is", async () => {
    let [pulls, isCancelled] = [0, false];
    const endless = new ReadableStream({
      pull: (controller) => {
        pulls += 1;
        controller.enqueue(new Uint8Array(100).fill(0x78));
      },
      cancel: () => {
        isCancelled = true;
      },
    });
    const { rest } = client(() => Promise.resolve(new Response(endless, { status: 403 })), { timeoutMs: 500 });
    await expect(rest.get(REQUEST)).rejects.toThrow(`Cannot get http://x/depth: ${"x".repeat(200)}, was status 403`);
    expect([pulls < 20, isCancelled]).toEqual([true, true]);
  });

  it("waits for one request that tries for all when the server fails five times in a row", async () => {
    const asked: string[] = [];
    let status = 500;
    const { rest, clock } = client(
      (url) => {
        asked.push(url);
        return Promise.resolve(new Response("x", { status }));
      },
      { budget: { count: 100, perMs: 1000 } },
    );
    for (let turn = 0; turn < 5; turn++) {
      await expect(rest.get({ path: `/${turn}`, weight: 1 })).rejects.toThrow("was status 500");
    }
    const waiting = [5, 6, 7].map((turn) => rest.get({ path: `/${turn}`, weight: 1 }));
    expect([asked.length, rest.length]).toEqual([5, 3]);
    clock.now = 1000;
    status = 200;
    rest.tick();
    rest.tick();
    expect([asked.length, rest.length]).toEqual([6, 2]);
    // Nobody ticks: the one that tried for all lets the others go.
    expect((await Promise.all(waiting)).length).toBe(3);
  });

  it("goes on when requests are refused for what they ask, and when failures and answers alternate", async () => {
    const statuses = [404, 400, 404, 400, 404, 404, 500, 500, 500, 500, 404, 500, 500, 500, 500, 200];
    const { rest } = client(() => Promise.resolve(new Response("x", { status: statuses.shift() ?? 200 })), {
      budget: { count: 100, perMs: 1000 },
    });
    const outcomes: string[] = [];
    for (let turn = 0; turn < 16; turn++) {
      outcomes.push(
        await rest.get(REQUEST).then(
          () => "got",
          () => "refused",
        ),
      );
    }
    expect(outcomes).toEqual([...Array.from({ length: 15 }, () => "refused"), "got"]);
  });

  it("tells refusals, failures and too large bodies apart, and counts them", async () => {
    const counted: string[] = [];
    const answers: (() => Promise<Response>)[] = [
      () => Promise.resolve(new Response("forbidden here", { status: 451 })),
      () => Promise.reject(new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED") })),
      () => Promise.resolve(new Response("x".repeat(1001))),
      () => Promise.resolve(new Response("x".repeat(1000))),
    ];
    const { rest } = client(() => answers.shift()?.() ?? Promise.reject(new Error("no more")), {
      onCount: (what) => counted.push(what),
    });
    const outcomes: string[] = [];
    for (let round = 0; round < 4; round++) {
      outcomes.push(
        await rest.get(REQUEST).then(
          (body) => String(body.length),
          (error: Error) => `${error.name} ${error.message}`,
        ),
      );
    }
    expect(outcomes).toEqual([
      "ConnectionError Cannot get http://x/depth: forbidden here, was status 451",
      "ConnectionError Cannot get http://x/depth: fetch failed: connect ECONNREFUSED, was without an answer",
      expect.stringMatching(/^ConnectionError Cannot get .*: the body has more than 1000 bytes, was 1001$/),
      "1000",
    ]);
    expect(counted.filter((what) => what === "failure")).toHaveLength(3);
    expect(counted.filter((what) => what === "request")).toHaveLength(4);
  });

  it("gives up when the answer takes too long", async () => {
    const { rest } = client(hanging, { timeoutMs: 20 });
    await expect(rest.get(REQUEST)).rejects.toThrow(/Cannot get .*timeout/);
  });

  it("ends what is under way and what waits when it stops", async () => {
    const { rest } = client(hanging, { budget: { count: 1, perMs: 1000 } });
    const answers = [rest.get(REQUEST), rest.get(REQUEST)].map((answer) => answer.catch((error: unknown) => error));
    rest.stop();
    expect((await Promise.all(answers)).every((error) => error instanceof ConnectionError)).toBe(true);
  });

  it("hands every body on with its address", async () => {
    const bodies: [string, string][] = [];
    const { rest } = client(() => Promise.resolve(new Response("{}")), {
      onBody: (url, body) => bodies.push([url, text(body)]),
    });
    await rest.get(REQUEST);
    expect(bodies).toEqual([["http://x/depth", "{}"]]);
  });
});

/** A server that never answers, but hears the abort. */
const hanging: Fetch = (_url, { signal }) =>
  new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
  });
