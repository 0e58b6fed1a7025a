/**
 * Scripts that tests start as processes: several runs may bundle and start the same one at the same time.
 * Bad case: a script that is written in its place; whoever starts it then runs nothing, silently.
 */
import { readFileSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "vitest";
import { bundleScript } from "../support/mapped_child.ts";

const SCRIPT = "mapped_torture";
const BUNDLINGS = 3;

it("bundleScript never leaves half a script in its place when others bundle it too", async () => {
  const path = await bundleScript(SCRIPT);
  const whole = readFileSync(path).length;
  const state = { left: BUNDLINGS };
  const bundlings = Array.from({ length: BUNDLINGS }, async (_, index) => {
    for (let rounds = 0; rounds <= index; rounds++) {
      await bundleScript(SCRIPT);
    }
    state.left -= 1;
  });
  const lengths = new Set<number>();
  while (state.left > 0) {
    lengths.add(readFileSync(path).length);
    await turn();
  }
  await Promise.all(bundlings);
  expect([...lengths]).toEqual([whole]);
});
