/**
 * Collectors, gateways and readers as processes of their own over shared memory: their books are the emulator's, any of
 * them may be killed, stopped and started again at any time, and nobody else is disturbed.
 * Bad case: a machine with one slow core; deadlines are many times what is needed.
 */
import { once } from "node:events";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { assetPath } from "../../src/assets.ts";
import { loadConfig } from "../../src/config/mod.ts";
import { segmentDirectory } from "../../src/mapping/mod.ts";
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import type { SegmentReader } from "../../src/reader/mod.ts";
import { checkServerTexts, WitnessSocket } from "../support/server_messages.ts";
import { atEnd, gatewayUrl, health, PATIENCE, type Program, runNode, Scene } from "./mapped_rig.ts";

const THREE: ExchangeId[] = ["coinbase_exchange", "kraken", "binance"];
/** What must be seen within half a second, five times over. */
const SOON = { timeout: 2500, interval: 5 };

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

async function kill({ child, ended }: Program): Promise<void> {
  child.kill("SIGKILL");
  await ended;
}

/** Reads on until something of a kind comes. */
async function until(reader: SegmentReader, kind: string): Promise<void> {
  const seen: string[] = [];
  await expect
    .poll(() => {
      reader.poll((event) => seen.push(event.kind));
      return seen.includes(kind);
    }, PATIENCE)
    .toBe(true);
}

describe("three collectors, a gateway and readers as processes", () => {
  it("hold the emulator's books, every level of them, when the market pauses", async () => {
    const scene = await Scene.start(THREE);
    const gateway = scene.run(["gateway", "--port", "0"]);
    const collectors = THREE.map((exchange) => scene.collect(exchange));
    const readers = await Promise.all(THREE.map((exchange) => scene.open(exchange)));
    const url = await gatewayUrl(gateway);
    await expect.poll(() => readers.flatMap((reader) => scene.synced(reader)).length, PATIENCE).toBe(6);
    await pause(2000);
    scene.emulator.pause();
    await expect.poll(() => readers.flatMap((reader) => scene.differences(reader)), PATIENCE).toEqual([]);
    const books = readers.flatMap((reader) => reader.instruments().map(({ name }) => reader.book(name)));
    await expect
      .poll(async () => {
        const { instruments } = await health(url);
        return instruments.map(({ instrument, state, replica }) => [instrument, state, replica.version]).sort();
      }, PATIENCE)
      .toEqual(books.map((book) => [book?.instrument.name, "synced", String(book?.version)]).sort());
    for (const { child, ended } of [...collectors, gateway]) {
      child.kill("SIGTERM");
      expect(await ended).toBe(0);
    }
    expect(readdirSync(scene.directory).filter((file) => file.endsWith(".seg") || file.endsWith(".part"))).toEqual([]);
  }, 120_000);

  it("show a killed collector's books as not synced, take the next one's, and disturb no other", async () => {
    const scene = await Scene.start(["kraken", "binance"], 20);
    const gateway = scene.run(["gateway", "--port", "0"]);
    let kraken = scene.collect("kraken");
    scene.collect("binance");
    const reader = await scene.open("kraken");
    const other = await scene.open("binance", { staleMs: 10_000 });
    const url = await gatewayUrl(gateway);
    const others: string[] = [];
    other.on({ outcome: ({ kind }) => others.push(kind) }, (error) => others.push(String(error)));
    for (let round = 0; round < 4; round++) {
      await expect.poll(() => [...scene.synced(reader), ...scene.synced(other)].length, PATIENCE).toBe(4);
      await expect.poll(async () => (await stateOf(url, "kraken:BTC-USD")) === "synced", PATIENCE).toBe(true);
      await pause(Math.random() * 300);
      await kill(kraken);
      await expect.poll(() => scene.synced(reader), SOON).toEqual([]);
      await expect.poll(async () => (await stateOf(url, "kraken:BTC-USD")) === "synced", SOON).toBe(false);
      kraken = scene.collect("kraken");
      await until(reader, "epoch");
    }
    await expect.poll(() => scene.synced(reader).length, PATIENCE).toBe(2);
    scene.emulator.pause();
    await expect.poll(() => [...scene.differences(reader), ...scene.differences(other)], PATIENCE).toEqual([]);
    const { instruments } = await health(url);
    expect(instruments.flatMap(({ replica }) => Object.values(replica.failures)).every((count) => count === 0)).toBe(
      true,
    );
    expect(others).toEqual(["attached"]);
  }, 180_000);

  async function stateOf(url: string, name: string): Promise<string | undefined> {
    return (await health(url)).instruments.find(({ instrument }) => instrument === name)?.state;
  }

  it("survive gateways that are killed: nobody else notices, the next one serves at once on the same port", async () => {
    const scene = await Scene.start(["kraken"], 20);
    const beside = scene.run(["gateway", "--port", "0"]);
    const collector = scene.collect("kraken");
    const reader = await scene.open("kraken", { staleMs: 10_000 });
    const outcomes: string[] = [];
    reader.on({ outcome: ({ kind }) => outcomes.push(kind) }, (error) => outcomes.push(String(error)));
    const urls: string[] = [];
    for (let round = 0; round < 3; round++) {
      const gateway = scene.run(["gateway", "--port", urls[0]?.replace(/.*:/, "") ?? "0"]);
      const url = await gatewayUrl(gateway);
      urls.push(url);
      await expect.poll(async () => (await stateOf(url, "kraken:ETH-USD")) === "synced", PATIENCE).toBe(true);
      // A client that is connected when its gateway is killed leaves half of a connection behind on the port.
      const client = new WitnessSocket(`${url.replace("http", "ws")}/ws`);
      atEnd(() => client.terminate());
      await once(client, "message");
      await kill(gateway);
    }
    expect(urls).toEqual([urls[0], urls[0], urls[0]]);
    expect(checkServerTexts()).toBeGreaterThanOrEqual(urls.length);
    expect([outcomes, collector.child.exitCode, collector.stderr()]).toEqual([["attached"], null, ""]);
    expect(await stateOf(await gatewayUrl(beside), "kraken:ETH-USD")).toBe("synced");
    expect([beside.child.exitCode, beside.stderr()]).toEqual([null, ""]);
  }, 120_000);
});

describe("alphapulse collect", () => {
  it("lets one of several have the name; the others end with status 1 and say who has it", async () => {
    const scene = await Scene.start(["kraken"]);
    const racers = [1, 2, 3].map(() => scene.collect("kraken"));
    const losers = await new Promise<Program[]>((resolve) => {
      const lost: Program[] = [];
      for (const racer of racers) {
        void racer.ended.then(() => {
          lost.push(racer);
          return lost.length === racers.length - 1 ? resolve(lost) : undefined;
        });
      }
    });
    const winner = racers.find((racer) => !losers.includes(racer));
    for (const loser of losers) {
      expect(await loser.ended).toBe(1);
      expect(loser.stderr()).toMatch(
        new RegExp(`^Cannot write the segment kraken: another producer does, pid ${winner?.child.pid}, was `),
      );
    }
    const reader = await scene.open("kraken");
    await expect.poll(() => scene.synced(reader).length, PATIENCE).toBe(2);
  }, 60_000);

  it("makes its segment anew when somebody took the file away", async () => {
    const scene = await Scene.start(["kraken"]);
    scene.collect("kraken");
    const reader = await scene.open("kraken");
    await expect.poll(() => scene.synced(reader).length, PATIENCE).toBe(2);
    rmSync(join(scene.directory, "kraken.seg"));
    await until(reader, "epoch");
    expect(existsSync(join(scene.directory, "kraken.seg"))).toBe(true);
    await expect.poll(() => scene.synced(reader).length, PATIENCE).toBe(2);
  }, 60_000);

  it("divides an exchange into shards that a reader merges", async () => {
    const scene = await Scene.start(["kraken"]);
    const symbols = ["--symbols", "BTC-USD,ETH-USD"];
    const gateway = scene.run(["gateway", "--port", "0"]);
    const first = scene.collect("kraken", [...symbols, "--shard", "1/2"]);
    scene.collect("kraken", [...symbols, "--shard", "2/2"]);
    const reader = await scene.open("kraken");
    await expect.poll(() => scene.synced(reader), PATIENCE).toEqual(["kraken:BTC-USD", "kraken:ETH-USD"]);
    const files = readdirSync(scene.directory).filter((file) => file.endsWith(".seg"));
    expect(files.sort()).toEqual(["kraken.1of2.seg", "kraken.2of2.seg"]);
    await kill(first);
    await expect.poll(() => scene.synced(reader), SOON).toEqual(["kraken:ETH-USD"]);
    scene.collect("kraken", [...symbols, "--shard", "1/2"]);
    await expect.poll(() => scene.synced(reader), PATIENCE).toEqual(["kraken:BTC-USD", "kraken:ETH-USD"]);
    const url = await gatewayUrl(gateway);
    await expect
      .poll(
        async () => (await health(url)).instruments.map(({ instrument, state }) => `${instrument} ${state}`).sort(),
        PATIENCE,
      )
      .toEqual(["kraken:BTC-USD synced", "kraken:ETH-USD synced"]);
    scene.emulator.pause();
    await expect.poll(() => scene.differences(reader), PATIENCE).toEqual([]);
  }, 60_000);

  it("is read by processes that are stopped for a while: they are told what they lost, it does not notice", async () => {
    const scene = await Scene.start(["kraken"], 200);
    const collector = scene.collect("kraken", [
      "--set=segment.delta_capacity=1024",
      "--set=segment.trade_capacity=1024",
    ]);
    const reader = runNode(["--input-type=module", "-e", COUNTING_READER, scene.directory]);
    const lines = () =>
      reader
        .stdout()
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as { deltas: number; lost: number; tail: number; isRight: boolean });
    await expect.poll(() => lines().at(-1)?.deltas ?? 0, PATIENCE).toBeGreaterThan(100);
    reader.child.kill("SIGSTOP");
    await pause(4000);
    reader.child.kill("SIGCONT");
    await expect.poll(() => lines().at(-1)?.lost ?? 0, PATIENCE).toBeGreaterThan(0);
    await expect.poll(() => lines().at(-1)?.isRight ?? false, PATIENCE).toBe(true);
    expect(reader.stderr()).toBe("");
    expect([collector.child.exitCode, collector.stderr()]).toEqual([null, ""]);
  }, 90_000);
});

/** Counts what it reads and looses; ends each line with whether its books chain. */
const COUNTING_READER = `
import { openSegment } from "alphapulse/segment";
const reader = await openSegment("kraken", { directory: process.argv[1], arenaBytes: 2 ** 26 });
let deltas = 0;
reader.on({ delta: () => (deltas += 1) }, (error) => { throw error; });
setInterval(() => {
  const isRight = reader.instruments().length > 0 && reader.instruments().every(({ name }) => reader.book(name)?.isSynced);
  console.log(JSON.stringify({ deltas, lost: reader.lost.deltas, isRight }));
}, 50);
`;

describe("other commands", () => {
  it("serve exports its segments", async () => {
    const scene = await Scene.start(["kraken"]);
    const { websocket, rest } = scene.emulator.endpoints.kraken;
    const words = [`--set=exchanges.kraken.websocket_urls=${websocket}`, `--set=exchanges.kraken.rest_url=${rest}`];
    const serve = scene.run(["serve", "--port", "0", "--exchange", "kraken", ...words]);
    const reader = await scene.open("kraken");
    await expect.poll(() => scene.synced(reader).length, PATIENCE).toBe(2);
    serve.child.kill("SIGTERM");
    expect(await serve.ended).toBe(0);
    await until(reader, "closed");
  }, 60_000);

  it("inspect shows producers, instruments and readers, as text and as JSON", async () => {
    const scene = await Scene.start(["kraken"]);
    const collector = scene.collect("kraken");
    const reader = await scene.open("kraken", { name: "the test" });
    await expect.poll(() => scene.synced(reader).length, PATIENCE).toBe(2);
    const json = scene.run(["inspect", "--json"]);
    expect(await json.ended).toBe(0);
    const report = JSON.parse(json.stdout()) as { segments: Record<string, unknown>[] };
    expect(report.segments[0]).toMatchObject({
      segment: "kraken",
      condition: "live",
      pid: collector.child.pid,
      instruments: [
        { instrument: "BTC-USD", state: "synced", assurance: "checksum" },
        { instrument: "ETH-USD", state: "synced", assurance: "checksum" },
      ],
      readers: [{ pid: process.pid, name: "the test", kind: "node", lost: 0 }],
    });
    const text = scene.run(["inspect", "kraken"]);
    expect(await text.ended).toBe(0);
    expect(text.stdout()).toMatch(/^kraken {2}live, .*BTC-USD +synced +checksum .*reader node the test pid \d+/s);
    const unknown = scene.run(["inspect", "binance"]);
    expect(await unknown.ended).toBe(2);
    expect(unknown.stderr()).toMatch(/holds no such segment, was binance$/m);
  }, 60_000);

  it("the example prints live spreads", async () => {
    const scene = await Scene.start(["kraken"]);
    scene.collect("kraken");
    const example = runNode(["src/reader/examples/live_spreads.mjs", "kraken", "60"], {
      ALPHAPULSE_SEGMENT_DIRECTORY: scene.directory,
    });
    await expect.poll(() => example.stdout(), PATIENCE).toMatch(/kraken:BTC-USD +\d+(\.\d+)? \/ \d+(\.\d+)? {2}spread/);
    example.child.kill("SIGINT");
    expect(await example.ended).toBe(0);
    expect(example.stderr()).toBe("");
  }, 60_000);

  it("all find the same directory by flag, environment and file", () => {
    const environment = { ALPHAPULSE_SEGMENT_DIRECTORY: "/from/environment" };
    const { directory } = loadConfig({ environment }).segment;
    expect(segmentDirectory({ explicit: directory, environment: {} })).toBe(segmentDirectory({ environment }));
    expect(existsSync(assetPath("segment.js"))).toBe(true);
  });
});
