/**
 * The command line as its user meets it: the built program in a process of its own. Statuses, addresses, signals.
 * Bad case: a process that outlives the test; every one is killed at the end by its own id.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { assetPath } from "../../src/assets.ts";
import { startEmulator } from "../../src/emulator/mod.ts";

const PATIENCE = { timeout: 40_000, interval: 100 };
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) {
    await close();
  }
});

type Program = { child: ChildProcess; stdout: () => string; stderr: () => string; ended: Promise<number | null> };

function run(words: string[], environment: Record<string, string> = {}): Program {
  const child = spawn(process.execPath, [assetPath("main.js"), ...words], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const texts = { out: "", error: "" };
  child.stdout.on("data", (chunk: Buffer) => {
    texts.out += chunk.toString("utf8");
  });
  child.stderr.on("data", (chunk: Buffer) => {
    texts.error += chunk.toString("utf8");
  });
  const ended = once(child, "close").then(([status]) => status as number | null);
  closers.push(async () => {
    if (child.exitCode === null) {
      child.kill("SIGKILL");
      await ended;
    }
  });
  return { child, stdout: () => texts.out, stderr: () => texts.error, ended };
}

async function address({ stdout, stderr }: Program): Promise<string> {
  await expect.poll(() => /http:\/\/\S+/.test(stdout()), PATIENCE).toBe(true);
  return /http:\/\/[^\s/]+/.exec(stdout())?.[0] ?? stderr();
}

type Health = { instruments: { instrument: string; state: string }[] };

async function syncedInstruments(url: string): Promise<string[]> {
  const health = (await (await fetch(`${url}/health`)).json()) as Health;
  return health.instruments.flatMap(({ instrument, state }) => (state === "synced" ? [instrument] : [])).sort();
}

describe("alphapulse demo", () => {
  it("prints its address, syncs three exchanges, and ends with status 0 when it gets SIGTERM", async () => {
    const startedAt = performance.now();
    const program = run(["demo", "--port", "0"]);
    const url = await address(program);
    expect(program.stdout()).toMatch(/^AlphaPulse demo: http:\/\/127\.0\.0\.1:\d+\/\n$/);
    expect(performance.now() - startedAt).toBeLessThan(25_000);
    await expect
      .poll(() => syncedInstruments(url), PATIENCE)
      .toEqual([
        "binance:BTC-USDT",
        "binance:ETH-USDT",
        "coinbase_exchange:BTC-USD",
        "coinbase_exchange:ETH-USD",
        "kraken:BTC-USD",
        "kraken:ETH-USD",
      ]);
    const page = await fetch(`${url}/`);
    expect([page.status, (await page.text()).includes("<html")]).toEqual([200, true]);
    const stoppedAt = performance.now();
    program.child.kill("SIGTERM");
    expect(await program.ended).toBe(0);
    expect(performance.now() - stoppedAt).toBeLessThan(5000);
    expect(program.stderr()).toBe("");
  }, 120_000);
});

describe("alphapulse serve", () => {
  it("fails with status 1 and names the port when it is taken", async () => {
    const emulator = await startEmulator({ exchanges: ["kraken"], source: { kind: "market" } });
    closers.push(() => emulator.close());
    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    closers.push(() => holder.close());
    const { port } = holder.address() as { port: number };
    const { ended, stderr } = run([
      "serve",
      "--port",
      String(port),
      "--exchange",
      "kraken",
      ...kraken(emulator.endpoints.kraken),
      "--log-level",
      "silent",
    ]);
    expect(await ended).toBe(1);
    expect(stderr()).toMatch(new RegExp(`^Cannot .*${port}`));
  });

  it("fails with status 2 and the nearest names when the exchange does not list an instrument", async () => {
    const emulator = await startEmulator({ exchanges: ["kraken"], source: { kind: "market" } });
    closers.push(() => emulator.close());
    const words = [
      "serve",
      "--port",
      "0",
      "--exchange",
      "kraken",
      "--symbols",
      "BTC-UDS",
      ...kraken(emulator.endpoints.kraken),
      "--log-level",
      "silent",
    ];
    const { ended, stderr, stdout } = run(words);
    expect(await ended).toBe(2);
    expect(stderr()).toBe("Cannot collect from Kraken: it lists no such instrument, nearest is BTC-USD, was BTC-UDS\n");
    expect(stdout()).toBe("");
  });

  it("takes EXCHANGE, SYMBOLS and addresses from the environment", async () => {
    const emulator = await startEmulator({ exchanges: ["kraken"], source: { kind: "market" } });
    closers.push(() => emulator.close());
    const program = run(["serve", "--port", "0", "--log-level", "error"], {
      EXCHANGE: "kraken",
      SYMBOLS: "SOL-USD",
      ALPHAPULSE_EXCHANGES_KRAKEN_WEBSOCKET_URLS: emulator.endpoints.kraken.websocket,
      ALPHAPULSE_EXCHANGES_KRAKEN_REST_URL: emulator.endpoints.kraken.rest,
      ALPHAPULSE_KERNEL: "twin",
    });
    const url = await address(program);
    await expect.poll(() => syncedInstruments(url), PATIENCE).toEqual(["kraken:SOL-USD"]);
    program.child.kill("SIGINT");
    expect(await program.ended).toBe(0);
  });
});

describe("alphapulse probe", () => {
  it("passes with status 0 when the exchange works", async () => {
    const emulator = await startEmulator({ exchanges: ["kraken"], source: { kind: "market", rate: 10 } });
    closers.push(() => emulator.close());
    const { ended, stdout } = run([
      "probe",
      "--exchange",
      "kraken",
      "--seconds",
      "2",
      ...kraken(emulator.endpoints.kraken),
    ]);
    expect(await ended).toBe(0);
    expect(stdout()).toMatch(/pass {2}handshake: connected, \d+ frames/);
    expect(stdout()).toMatch(/pass {2}BTC-USD: synced \(checksum\)/);
    expect(stdout()).toMatch(/pass {2}integrity: \d+ checksums held, \d+ trades, no fault/);
    expect(stdout()).toMatch(/The exchange works\.\n$/);
  });

  it("fails with status 1 and says what to mend when nothing is there", async () => {
    const nowhere = kraken({ websocket: "ws://127.0.0.1:9/v2", rest: "http://127.0.0.1:9" });
    const { ended, stdout } = run(["probe", "--exchange", "kraken", "--seconds", "1", ...nowhere]);
    expect(await ended).toBe(1);
    expect(stdout()).toMatch(/FAIL {2}REST: 3 requests, 3 failed\n {6}.*rest_url/);
    expect(stdout()).toMatch(/FAIL {2}handshake: never connected, 0 frames\n {6}.*ECONNREFUSED.*websocket_urls/);
  });
});

describe("alphapulse emulate", () => {
  it("prints where each exchange can be reached, and ends when it gets SIGTERM", async () => {
    const { child, stdout, ended } = run(["emulate", "--json", "--exchange", "kraken,binance"]);
    await expect.poll(() => stdout().endsWith("\n"), PATIENCE).toBe(true);
    const { endpoints } = JSON.parse(stdout()) as { endpoints: Record<string, { rest: string }> };
    expect(Object.keys(endpoints)).toEqual(["kraken", "binance"]);
    const answer = await fetch(`${endpoints.kraken?.rest}/0/public/AssetPairs`);
    expect(answer.status).toBe(200);
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
  });
});

describe("the command line", () => {
  it("fails with status 2 and one clear line when it cannot be used", async () => {
    const uses: [string[], RegExp][] = [
      [["dance"], /unknown command 'dance'/],
      [["serve", "--prot", "1"], /unknown option '--prot'/],
      [["serve", "--port", "70000"], /^Cannot use a flag: port: .*was "70000"\n$/],
      [["serve", "--config", "absent.toml"], /^Cannot read the configuration: .*absent\.toml/],
      [["serve", "--set", "nonsense"], /^Cannot use --set: it must be key=value, was nonsense\n$/],
      [["probe"], /^Cannot probe: name one exchange with --exchange/],
      [["emulate", "--capture", "x.jsonl.gz"], /^Cannot emulate: a capture needs --exchange/],
      [["replay"], /missing required argument 'captures'/],
      [["replay", "absent.jsonl.gz"], /^Cannot read absent\.jsonl\.gz: /],
    ];
    const outcomes = await Promise.all(
      uses.map(async ([words]) => {
        const { ended, stderr } = run(words);
        return { status: await ended, text: stderr() };
      }),
    );
    expect(outcomes).toEqual(uses.map(([, text]) => ({ status: 2, text: expect.stringMatching(text) })));
  });

  it("explains itself with status 0 when asked", async () => {
    const outcomes = await Promise.all(
      ["demo", "serve", "emulate", "replay", "probe"].map(async (command) => {
        const { ended, stdout } = run([command, "--help"]);
        return {
          status: await ended,
          isHelp: stdout().includes("Usage: alphapulse") && stdout().includes("--log-level"),
        };
      }),
    );
    expect(outcomes).toEqual(outcomes.map(() => ({ status: 0, isHelp: true })));
  });
});

function kraken({ websocket, rest }: { websocket: string; rest: string }): string[] {
  return ["--set", `exchanges.kraken.websocket_urls=${websocket}`, "--set", `exchanges.kraken.rest_url=${rest}`];
}
