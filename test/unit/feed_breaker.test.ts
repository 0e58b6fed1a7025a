/**
 * Circuit breakers in a whole collector on virtual time: addresses that refuse, hang, ask for time or close at once, and the
 * emulator behind those that work. Whatever they do, no address is hammered, and the books are right when it is over.
 * Bad case: several connections that fail together; their failures count together, and one of them tries for all.
 */
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { BREAKER_CLOSED, BREAKER_OPEN, FAILURE_CLOSED, FAILURE_STATUS } from "../../assembly/layout.ts";
import type { FeedSocket } from "../../src/feed/socket.ts";
import { readEndpoints } from "../../src/segment/endpoints.ts";
import { type RigNetwork, SyncRig } from "./sync_rig.ts";

vi.setConfig({ testTimeout: 120_000 });

const OTHER = "ws://other.test/";
const CONNECTIONS = 3;
const MINUTE_MS = 60_000;
const FAILURES_MAX = 5;
/** Rests of ½, 1, 2, 4, 8, 15 and 15 s at least, and what begins with them. */
const CYCLES_A_MINUTE = 8;
const DEMANDED_MS = 20_000;
/** Whatever the outcomes: each cycle of a breaker may take that many failures. */
const ANY_MAX = (FAILURES_MAX - 1 + CONNECTIONS) * CYCLES_A_MINUTE;

type Outcome = "well" | "refused" | "busy" | "demands" | "silent" | "closes" | "short";
type Attempt = { readonly url: string; readonly atMs: number; readonly outcome: Outcome };

/** Decides what becomes of each attempt, and notes it. */
class Door {
  readonly attempts: Attempt[] = [];
  readonly #choose: (url: string, atMs: number) => Outcome;
  startMs = 0;

  constructor(choose: (url: string, atMs: number) => Outcome) {
    this.#choose = choose;
  }

  readonly network = ({
    openSocket,
    fetch,
    clock,
    url: real,
  }: RigNetwork): Pick<RigNetwork, "openSocket" | "fetch"> => {
    this.startMs = clock.now();
    return {
      fetch,
      openSocket: (url, handlers, limits) => {
        const atMs = clock.now() - this.startMs;
        const outcome = this.#choose(url, atMs);
        this.attempts.push({ url, atMs, outcome });
        let isDropped = false;
        const later = (task: () => void, ms: number) =>
          clock.setTimer(() => {
            if (!isDropped) {
              task();
            }
          }, ms);
        const dead: FeedSocket = {
          send: () => undefined,
          ping: () => undefined,
          drop: () => {
            isDropped = true;
          },
        };
        switch (outcome) {
          case "silent":
            return dead;
          case "refused":
            later(() => handlers.closed("connect ECONNREFUSED"), 3);
            return dead;
          case "busy":
            later(() => handlers.closed("busy", { status: 503 }), 3);
            return dead;
          case "demands":
            later(() => handlers.closed("slow down", { status: 429, retryAfterMs: DEMANDED_MS }), 3);
            return dead;
          case "closes":
            later(() => {
              handlers.opened();
              later(() => handlers.closed("closed with 1013"), 10);
            }, 3);
            return dead;
          default: {
            const socket = openSocket(real, handlers, limits);
            if (outcome === "short") {
              later(() => {
                socket.drop();
                handlers.closed("closed with 1006");
              }, 1500);
            }
            return {
              ...socket,
              drop: () => {
                isDropped = true;
                socket.drop();
              },
            };
          }
        }
      },
    };
  };

  /** The most attempts at one address in any minute. */
  get mostInAMinute(): number {
    const counts = this.attempts.map(
      (first) =>
        this.attempts.filter(
          ({ url, atMs }) => url === first.url && atMs >= first.atMs && atMs < first.atMs + MINUTE_MS,
        ).length,
    );
    return Math.max(0, ...counts);
  }
}

function rigWith(door: Door, options: { random?: () => number; otherUrls?: string[] } = {}): Promise<SyncRig> {
  return SyncRig.start({
    exchange: "coinbase_exchange",
    count: CONNECTIONS,
    rate: 0.5,
    adapt: (exchange) => {
      // The exchange's own limit of attempts is no help here: the bounds are those of breakers and delays alone.
      const connects = { count: 10_000, perMs: 1000 };
      const limits = { ...exchange.header.limits, instrumentsPerConnection: 1, connects };
      return { ...exchange, header: { ...exchange.header, limits } };
    },
    network: door.network,
    ...options,
  });
}

/** Once for each connection. */
function times(outcome: Outcome): Outcome[] {
  return Array.from({ length: CONNECTIONS }, () => outcome);
}

function endpoints(rig: SyncRig) {
  return readEndpoints(rig.memory, rig.tap.view.address);
}

async function expectWell(rig: SyncRig): Promise<void> {
  await rig.settle();
  expect(rig.states()).toEqual({ "synced none": CONNECTIONS });
  for (const native of rig.natives) {
    expect(rig.follower(native).wrongs).toEqual([]);
    expect(rig.follower(native).book).toEqual(rig.truth(native));
  }
}

describe("a collector whose exchange refuses", () => {
  it("passes over the address that is open, and shows and says how it stands", async () => {
    const door = new Door((url, atMs) => (url === OTHER || atMs > 30_000 ? "well" : "busy"));
    const rig = await rigWith(door, { otherUrls: [OTHER] });
    await rig.pass(2000);
    expect(rig.states()).toEqual({ "synced none": CONNECTIONS });
    // One failure of each connection, then the other address: a breaker that is not needed stays closed.
    expect(endpoints(rig).map(({ state, failures }) => [state, failures])).toEqual([
      [BREAKER_CLOSED, CONNECTIONS],
      [BREAKER_CLOSED, 0],
      [BREAKER_CLOSED, 0],
    ]);
    await expectWell(rig);
    rig.close();
  });

  it("lets one connection try for all when the only address is open, and all come back when that succeeds", async () => {
    const door = new Door((_, atMs) => (atMs > 30_000 ? "well" : "busy"));
    const rig = await rigWith(door);
    await rig.pass(5000);
    const [websocket, rest] = endpoints(rig);
    expect(websocket).toMatchObject({ state: BREAKER_OPEN, lastFailure: FAILURE_STATUS, lastStatus: 503 });
    expect(websocket?.openUntilNs).toBeGreaterThan(0n);
    expect([rest?.state, rest?.failures]).toEqual([BREAKER_CLOSED, 0]);
    expect(rig.reports.map(({ text }) => text)).toContainEqual(
      expect.stringMatching(/^ws:.* is left alone for \d+ ms: its last failure was status 503$/),
    );
    await rig.pass(60_000);
    expect(endpoints(rig)[0]).toMatchObject({ state: BREAKER_CLOSED, openUntilNs: 0n });
    expect(rig.reports.filter(({ text }) => text.endsWith("works again"))).toHaveLength(1);
    expect(door.attempts.filter(({ outcome }) => outcome === "well")).toHaveLength(CONNECTIONS);
    await expectWell(rig);
    rig.close();
  });

  it("changes nothing when one attempt of each connection fails after a cut", async () => {
    const plan: Outcome[] = [...times("short"), ...times("refused")];
    const door = new Door(() => plan.shift() ?? "well");
    const rig = await rigWith(door);
    await rig.pass(1000);
    expect(rig.states()).toEqual({ "synced none": CONNECTIONS });
    expect(endpoints(rig)[0]).toMatchObject({ openings: 0, failures: CONNECTIONS, attempts: 3 * CONNECTIONS });
    // The first attempt after a cut is immediate, the second after a quarter of a second, each with a tick to wait for.
    expect(door.attempts.at(-1)?.atMs).toBeLessThan(1500 + 250 + 3 * 100);
    await expectWell(rig);
    rig.close();
  });

  it("counts a connection that is closed at once as a failure", async () => {
    const door = new Door((_, atMs) => (atMs > 20_000 ? "well" : "closes"));
    const rig = await rigWith(door);
    await rig.pass(5000);
    expect(endpoints(rig)[0]).toMatchObject({ lastFailure: FAILURE_CLOSED, lastStatus: 0 });
    expect(endpoints(rig)[0]?.openings).toBeGreaterThan(0);
    await rig.pass(60_000);
    await expectWell(rig);
    rig.close();
  });

  it("never hammers an address that always fails, however it fails", async () => {
    const failing = fc.constantFrom<Outcome>("refused", "busy", "silent", "closes");
    const plans = fc.record({
      outcomes: fc.array(failing, { minLength: 1, maxLength: 20 }),
      jitters: fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 1, maxLength: 9 }),
    });
    await fc.assert(
      fc.asyncProperty(plans, async ({ outcomes, jitters }) => {
        let turn = 0;
        const door = new Door(() => outcomes[turn++ % outcomes.length] ?? "refused");
        let toss = 0;
        const rig = await rigWith(door, { random: () => jitters[toss++ % jitters.length] ?? 0 });
        await rig.pass(3 * MINUTE_MS);
        rig.close();
        expect(door.attempts.length).toBeGreaterThan(FAILURES_MAX);
        // Until it opens, and what was under way by then; from then on one attempt a rest.
        expect(door.mostInAMinute).toBeLessThanOrEqual(FAILURES_MAX - 1 + CONNECTIONS + CYCLES_A_MINUTE);
      }),
      { numRuns: 10 },
    );
  });

  it("never hammers, keeps every demanded time, and ends with right books when outcomes are any", async () => {
    const any = fc.constantFrom<Outcome>("well", "refused", "busy", "demands", "silent", "closes", "short");
    const plans = fc.record({
      outcomes: fc.array(any, { minLength: 1, maxLength: 40 }),
      // Connections that last for moments are attempts that succeed: their delays hold them back, by chance alone if it were 0.
      jitters: fc.array(fc.double({ min: 0.25, max: 1, maxExcluded: true, noNaN: true }), {
        minLength: 1,
        maxLength: 9,
      }),
    });
    await fc.assert(
      fc.asyncProperty(plans, async ({ outcomes, jitters }) => {
        let turn = 0;
        const door = new Door((_, atMs) =>
          atMs > 2 * MINUTE_MS ? "well" : (outcomes[turn++ % outcomes.length] ?? "well"),
        );
        let toss = 0;
        const random = () => jitters[toss++ % jitters.length] ?? 0;
        const rig = await rigWith(door, { random, otherUrls: [OTHER] });
        await rig.pass(3 * MINUTE_MS + 30_000);
        for (const { url, atMs } of door.attempts.filter(({ outcome }) => outcome === "demands")) {
          const early = door.attempts.filter(
            (one) => one.url === url && one.atMs > atMs + 3 && one.atMs < atMs + 3 + DEMANDED_MS,
          );
          expect(early).toEqual([]);
        }
        expect(door.mostInAMinute).toBeLessThanOrEqual(ANY_MAX);
        await expectWell(rig);
        rig.close();
      }),
      { numRuns: 10 },
    );
  });
});
