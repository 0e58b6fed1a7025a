/**
 * What a killed collector leaves behind, as its user meets it: gateway and inspect call it dead, and `--clean` takes it away.
 * Bad case: a collector of the same exchange that lives; nothing of it is touched.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { assetPath } from "../../src/assets.ts";
import { type Inspection, inspect } from "./inspect_rig.ts";
import { gatewayUrl, PATIENCE, runNode, Scene } from "./mapped_rig.ts";

const conditions = ({ segments }: Inspection) => segments.map(({ segment, condition }) => [segment, condition]);

describe("The segment of a killed collector", () => {
  it("is shown as dead by gateway and inspect, and removed by --clean, and that of a living one is not", async () => {
    const scene = await Scene.start(["kraken", "binance"]);
    const killed = scene.collect("kraken");
    scene.collect("binance");
    const gateway = runNode([assetPath("main.js"), "gateway", "--port", "0", "--directory", scene.directory]);
    await gatewayUrl(gateway);
    const file = (name: string) => join(scene.directory, `${name}.seg`);
    await expect.poll(() => existsSync(file("kraken")) && existsSync(file("binance")), PATIENCE).toBe(true);
    killed.child.kill("SIGKILL");
    await killed.ended;
    await expect
      .poll(async () => conditions(await inspect(scene)).sort(), PATIENCE)
      .toEqual([
        ["binance", "live"],
        ["kraken", "dead"],
      ]);
    const told = () => `${gateway.stdout()}${gateway.stderr()}`;
    await expect.poll(told, PATIENCE).toContain("The producer of kraken is dead");
    expect(told()).not.toContain("The producer of binance is dead");
    const cleaned = await inspect(scene, ["--clean"]);
    expect([cleaned.removed, conditions(cleaned)]).toEqual([["kraken"], [["binance", "live"]]]);
    expect([existsSync(file("kraken")), existsSync(file("binance"))]).toEqual([false, true]);
  });
});
