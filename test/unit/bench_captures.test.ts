/**
 * Whose frames are measured: the recordings of a folder that ALPHAPULSE_CAPTURES names, made by the recorder itself, and
 * the emulator's where there are none. Bad case: a recording with a reconnection; it is read up to there.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { findSource, readCaptured, recordedSources } from "../../bench/captured_streams.ts";
import { BenchContext, type BenchSettings } from "../../bench/context.ts";
import { Engine } from "../../bench/engine.ts";
import { coinbaseCycle, krakenCycle } from "../../bench/instructions/streams.ts";
import type { Stream } from "../../bench/stream.ts";
import { CaptureWriter } from "../../src/capture/mod.ts";

const START_NS = 1_783_465_200_000_000_000n;
const OPTIONS = { levels: 60, operations: 40, changesMax: 4 };
const SETTINGS: BenchSettings = {
  rounds: 1,
  sideMs: 1,
  warmMs: 1,
  perCallMs: 1,
  capturedFrames: Number.POSITIVE_INFINITY,
  emulatedFrames: 20,
  isSmoke: true,
};

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "alphapulse-recordings-"));
  vi.stubEnv("ALPHAPULSE_CAPTURES", folder);
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

/** Records a stream as a collector does. */
async function record(stream: Stream, { reconnects = false } = {}): Promise<void> {
  const writer = new CaptureWriter({
    folder,
    exchange: stream.exchange.header.id,
    startedAtNs: START_NS,
    partBytesMax: 1 << 30,
    backlogBytesMax: 1 << 30,
    onFailure: (error) => {
      throw error;
    },
  });
  for (let turn = 0; turn < (reconnects ? 2 : 1); turn++) {
    writer.connect("wss://exchange", START_NS, "0");
    for (const { bytes, receivedAt } of stream.frames) {
      const atNs = START_NS + BigInt(receivedAt);
      writer.receive(bytes, atNs, { connection: "0", isBinary: false });
      writer.receive(Buffer.from('{"of":"another connection"}'), atNs, { connection: "1", isBinary: false });
    }
  }
  await writer.close();
}

function context(): BenchContext {
  return new BenchContext({ settings: SETTINGS, kernels: ["twin"], log: () => undefined });
}

describe("recordings", () => {
  it("a recording is found, read and replayed when ALPHAPULSE_CAPTURES names its folder", async () => {
    const kraken = krakenCycle(OPTIONS);
    await record(kraken);
    await record(coinbaseCycle(OPTIONS));
    const ground = context();
    expect(ground.source).toBe("captures");
    expect(ground.streamIds).toEqual(["coinbase_exchange_20260707T230000Z", "kraken_20260707T230000Z"]);
    const stream = await ground.stream("kraken_20260707T230000Z");
    expect(stream.title).toBe("Kraken, recorded 20260707T230000Z");
    expect(stream.isTimeMade).toBe(false);
    expect(stream.frames.map(({ text }) => text)).toEqual(kraken.frames.map(({ text }) => text));
    const engine = new Engine("twin", stream);
    engine.reset();
    expect(engine.run("book")).toBe(0);
  });

  it("a recording is read up to where its connection begins anew", async () => {
    const kraken = krakenCycle(OPTIONS);
    await record(kraken, { reconnects: true });
    const source = findSource("kraken_20260707T230000Z");
    expect(source).toBeDefined();
    const frames = source === undefined ? [] : (await readCaptured(source)).frames;
    expect(frames.length).toBe(kraken.frames.length);
  });

  it("parts of one recording are one source, and other files are none", () => {
    for (const name of ["kraken_20260707T230000Z_002", "kraken_20260707T230000Z_001", "mtgox_20260707T230000Z_001"]) {
      writeFileSync(join(folder, `${name}.jsonl.gz`), "");
    }
    writeFileSync(join(folder, "notes.txt"), "");
    expect(recordedSources(folder).map(({ id, files }) => [id, files])).toEqual([
      ["kraken_20260707T230000Z", ["kraken_20260707T230000Z_001.jsonl.gz", "kraken_20260707T230000Z_002.jsonl.gz"]],
    ]);
    expect(recordedSources(join(folder, "absent"))).toEqual([]);
  });

  it("the emulator's frames are taken, one stream an exchange, when there is nothing in the folder", async () => {
    const ground = context();
    expect(ground.source).toBe("emulator");
    const stream = await ground.stream("kraken_v2");
    expect([stream.source, stream.title]).toEqual(["emulator", "Kraken, emulated market"]);
    expect(stream.frames.length).toBeGreaterThanOrEqual(SETTINGS.emulatedFrames);
  });
});
