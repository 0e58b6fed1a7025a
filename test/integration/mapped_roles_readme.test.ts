/**
 * What the README says of processes is run as it stands there: its commands for collector, gateway and inspect, its Node
 * reader and its Python reader, and that of python/README.md; directory, port and the emulator's addresses come by environment.
 * Bad case: a README that was rewritten so that a block is not found; the message says which.
 */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { packageFolder } from "../../src/assets.ts";
import { startEmulator } from "../../src/emulator/mod.ts";
import { type Child, endChild, segmentFolder, startChild } from "../support/mapped_child.ts";
import { pythonWithNumpy } from "../support/mapped_fleet.ts";
import { optionalPart } from "../support/require.ts";

const PATIENCE = { timeout: 40_000, interval: 50 };
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) {
    await close();
  }
});

type Running = { readonly child: Child; readonly lines: string[] };

/** Fenced blocks of a file that hold a text. */
function block(file: string, language: string, text: string): string {
  const readme = readFileSync(join(packageFolder(), file), "utf8");
  const blocks = [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map(
    ([, body = ""]) => body,
  );
  return blocks.find((body) => body.includes(text)) ?? `no block of ${language} with ${text} in ${file}`;
}

/** The commands of a block without their comments. */
function commands(body: string): string[][] {
  const lines = body.split("\n").map((line) => line.replace(/#.*/, "").trim());
  return lines.filter((line) => line !== "").map((line) => line.split(/\s+/));
}

function run(words: readonly string[], environment: Record<string, string>): Running {
  const lines: string[] = [];
  const child = startChild(words.join(" "), words, { environment, lines: { out: (line) => lines.push(line) } });
  closers.push(() => endChild(child));
  return { child, lines };
}

/** The emulator's Kraken and a folder, as the environment that leads there. */
async function scene(): Promise<Record<string, string>> {
  const emulator = await startEmulator({ exchanges: ["kraken"], source: { kind: "market", rate: 20 }, seed: 11 });
  const directory = segmentFolder();
  closers.push(() => rmSync(directory, { recursive: true, force: true }));
  closers.push(() => emulator.close());
  const { websocket, rest } = emulator.endpoints.kraken;
  return {
    ALPHAPULSE_SEGMENT_DIRECTORY: directory,
    ALPHAPULSE_PORT: "0",
    ALPHAPULSE_LOG_LEVEL: "error",
    ALPHAPULSE_EXCHANGES_KRAKEN_WEBSOCKET_URLS: websocket,
    ALPHAPULSE_EXCHANGES_KRAKEN_REST_URL: rest,
  };
}

const THREE = commands(block("README.md", "sh", "node dist/main.js collect"));
const COLLECT = THREE.find((words) => words.includes("collect")) ?? [];

describe("README", () => {
  it("serves and shows a collector's books when its three commands run", async () => {
    const environment = await scene();
    expect(THREE.map((words) => words.slice(0, 3).join(" "))).toEqual(
      ["collect", "gateway", "inspect"].map((role) => `node dist/main.js ${role}`),
    );
    const [collector, gateway, inspect] = THREE.map((words) => run(words, environment));
    await expect.poll(() => collector?.lines.join("\n"), PATIENCE).toMatch(/^AlphaPulse collects kraken into .*BTC/);
    await expect.poll(() => gateway?.lines.join("\n"), PATIENCE).toMatch(/^AlphaPulse gateway: http:/);
    const url = /http:\S+/.exec(gateway?.lines[0] ?? "")?.[0];
    await expect
      .poll(async () => (await (await fetch(`${url}health`)).json()) as unknown, PATIENCE)
      .toMatchObject({ instruments: [{ state: "synced" }, { state: "synced" }] });
    await expect.poll(() => inspect?.lines.join("\n"), PATIENCE).toMatch(/kraken {2}live.*BTC-USD +synced.*gateway/s);
    for (const { child } of [collector, gateway, inspect].flatMap((running) => running ?? [])) {
      child.isDone = true;
      child.child.kill("SIGTERM");
      expect([await child.ended, child.stderr()], child.name).toEqual([0, ""]);
    }
  }, 90_000);

  it("prints tops of book from shared memory when its Node reader runs", async () => {
    const environment = await scene();
    run(COLLECT, environment);
    const snippet = block("README.md", "ts", "alphapulse/segment");
    const reader = run([process.execPath, "--input-type=module", "-e", snippet], environment);
    const text = () => reader.lines.join("\n");
    await expect.poll(text, PATIENCE).toMatch(/kraken:BTC-USD \{.*isSynced: true.*bid: \{ price: '\d+/s);
    expect(text()).toMatch(/kind: 'attached'/);
    expect(reader.child.stderr()).toBe("");
  }, 60_000);

  const python = pythonWithNumpy();

  it.skipIf(!optionalPart("Python with numpy", python !== undefined))(
    "reads records and rebuilds books when both READMEs' Python readers run",
    async () => {
      const environment = { ...(await scene()), PYTHONPATH: "python/src", PYTHONDONTWRITEBYTECODE: "1" };
      run(COLLECT, environment);
      const records = run([python ?? "", "-c", block("python/README.md", "python", "read_deltas")], environment);
      expect([await records.child.ended, records.child.stderr()]).toEqual([0, ""]);
      const books = run([python ?? "", "-c", block("README.md", "python", "books.update")], environment);
      expect([await books.child.ended, books.child.stderr()]).toEqual([0, ""]);
      expect(books.lines.join("\n")).toMatch(/^\d+ [0-9a-f]{8} /);
    },
    60_000,
  );
});
