/**
 * When the gateway looks after its segments: at each of its ticks, some milliseconds sooner or later behind it.
 * Bad case: an idle gateway whose turns jitter; a housekeeping that is left out would double the time until a death shows.
 */
import { expect, it } from "vitest";
import { VirtualClock } from "../../src/emulator/virtual_clock.ts";
import { GatewayCore } from "../../src/gateway/core.ts";
import { completeLimits } from "../../src/gateway/limits.ts";
import { SILENT_LOG } from "../../src/gateway/log.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import { MemoryMap } from "../../src/segment/memory_map.ts";

const TICK_MS = 100;
const SPAN_MS = 5000;
/** Of turns behind their ticks. */
const DELAYS_MS = [0.9, 0.1, 0.5, 0.2];

it("A gateway keeps house at every tick, also when turns come sooner behind one tick than behind the one before", () => {
  const clock = new VirtualClock(1_700_000_000_000);
  const map = new MemoryMap(2 ** 26);
  const kernel = loadKernel({ name: "twin", memory: map.memory });
  const arena = map.reserve("arena", { bytes: 2 ** 25 });
  kernel.arenaInit(arena.address, arena.bytes);
  let [turns, looks] = [0, 0];
  const core = new GatewayCore({
    kernel,
    segments: () => {
      looks += 1;
      return [];
    },
    limits: completeLimits({}),
    now: clock.now,
    log: SILENT_LOG,
    server: "test",
    transport: "ws",
    waitAsync: undefined,
    scheduler: {
      soon: (task) => {
        clock.setTimer(task, DELAYS_MS[turns % DELAYS_MS.length] ?? 0);
        turns += 1;
      },
      after: (delayMs, task) => clock.setTimer(task, delayMs),
    },
  });
  core.start({ port: 1, publish: () => undefined, close: () => Promise.resolve() });
  clock.advance(TICK_MS / 2);
  looks = 0;
  clock.advance(SPAN_MS);
  expect(looks).toBe(SPAN_MS / TICK_MS);
  core.look();
  clock.advance(1);
  expect(looks).toBe(SPAN_MS / TICK_MS + 1);
  core.stop();
});
