/**
 * A collector's edges, as processes: credentials for a broker that are there when it begins and gone when they are needed,
 * a broker that never answers when the collector is told to end, and a standby that was killed.
 * Bad case: a standby that says only after it took over that it cannot; the name would have nobody then.
 */
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { makeTrust } from "../support/nats_credentials.ts";
import { inspect, untilWarm } from "./inspect_rig.ts";
import { atEnd, freshFolder, PATIENCE, Scene } from "./mapped_rig.ts";

const EXCHANGE = "kraken";
const TEST_MS = 120_000;

function segmentOf(scene: Scene): string {
  return join(scene.directory, `${EXCHANGE}.seg`);
}

/** Somebody who takes connections and never says a word. */
async function mute(): Promise<string> {
  const server = createServer((client) => client.on("error", () => client.destroy()));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(() => server.close());
  return `nats://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("collect --publish", () => {
  it(
    "says before it begins that credentials cannot be read, as a standby too",
    async () => {
      const scene = await Scene.start([EXCHANGE]);
      const words = ["--publish", "nats://127.0.0.1:9", `--set=nats.credentials_file=${freshFolder()}/absent.creds`];
      for (const program of [scene.collect(EXCHANGE, words), scene.collect(EXCHANGE, [...words, "--standby"])]) {
        expect(await program.ended).toBe(2);
        expect(program.stderr()).toMatch(/^Cannot use nats: ENOENT/);
      }
      expect([readdirSync(scene.directory), scene.emulator.counts()[EXCHANGE]?.connections]).toEqual([[], 0]);
    },
    TEST_MS,
  );

  it(
    "takes over all the same when the credentials are gone by then",
    async () => {
      const scene = await Scene.start([EXCHANGE]);
      const credentials = join(freshFolder(), "user.creds");
      writeFileSync(credentials, makeTrust().credentials);
      const first = scene.collect(EXCHANGE);
      await expect.poll(() => existsSync(segmentOf(scene)), PATIENCE).toBe(true);
      const words = ["--publish", "nats://127.0.0.1:9", `--set=nats.credentials_file=${credentials}`];
      const standby = scene.collect(EXCHANGE, ["--standby", ...words]);
      await untilWarm(scene, standby, EXCHANGE);
      rmSync(credentials);
      first.child.kill("SIGKILL");
      await first.ended;
      await expect.poll(() => standby.stdout(), PATIENCE).toContain("AlphaPulse collects kraken");
      expect((await inspect(scene)).segments.map(({ pid }) => pid)).toEqual([standby.child.pid]);
      standby.child.kill("SIGTERM");
      expect(await standby.ended).toBe(0);
      expect(existsSync(segmentOf(scene))).toBe(false);
    },
    TEST_MS,
  );

  it(
    "takes its segment away in time when it is told to end while the broker does not answer",
    async () => {
      const scene = await Scene.start([EXCHANGE]);
      const collector = scene.collect(EXCHANGE, ["--publish", await mute()]);
      await expect.poll(() => existsSync(segmentOf(scene)), PATIENCE).toBe(true);
      collector.child.kill("SIGTERM");
      expect(await collector.ended).toBe(0);
      expect(existsSync(segmentOf(scene))).toBe(false);
    },
    TEST_MS,
  );
});

describe("health", () => {
  it(
    "tells of a standby that waits, and no more when it was killed",
    async () => {
      const scene = await Scene.start([EXCHANGE]);
      const first = scene.collect(EXCHANGE);
      await expect.poll(() => existsSync(segmentOf(scene)), PATIENCE).toBe(true);
      const standby = scene.collect(EXCHANGE, ["--standby"]);
      await untilWarm(scene, standby, EXCHANGE);
      const told = async () => {
        const program = scene.run(["health", EXCHANGE]);
        await program.ended;
        return program.stdout();
      };
      expect(await told()).toBe("kraken is live; a standby waits with 2 of 2 books synced\n");
      standby.child.kill("SIGKILL");
      await standby.ended;
      await expect.poll(told, PATIENCE).toBe("kraken is live\n");
      expect(readdirSync(scene.directory).filter((file) => file.endsWith(".standby"))).toHaveLength(1);
      first.child.kill("SIGTERM");
      expect(await first.ended).toBe(0);
    },
    TEST_MS,
  );
});
