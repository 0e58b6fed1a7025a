/**
 * Two or three machines on one: collectors with segment folders of their own, a real broker between, and a receiver in
 * this process whose rings are watched record by record, or gateways as processes.
 * Bad case: a process that outlives the test; `atEnd` of the process rig ends it.
 */
import { expect } from "vitest";
import {
  DELTA_BOOK_HASH,
  DELTA_BYTES,
  DELTA_EVENT_AT,
  DELTA_FLAGS,
  DELTA_INSTRUMENT_ID,
  DELTA_SOURCE_SEQUENCE,
  FLAG_LAST,
  FLAG_NOT_SYNCED,
  RING_DELTAS,
} from "../../assembly/layout.ts";
import { assetPath, readAsset } from "../../src/assets.ts";
import { type Config, loadConfig } from "../../src/config/mod.ts";
import { type Emulator, startEmulator } from "../../src/emulator/mod.ts";
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import { type NatsReceiver, startReceiver, Workspace } from "../../src/nats/mod.ts";
import { openSegment, type SegmentReader } from "../../src/reader/mod.ts";
import { MemoryMap } from "../../src/segment/memory_map.ts";
import { SegmentView } from "../../src/segment/view.ts";
import { NatsServer, type NatsServerOptions } from "../support/nats_server.ts";
import { atEnd, freshFolder, PATIENCE, type Program, runNode, Scene } from "./mapped_rig.ts";

const MEBIBYTE = 1024 * 1024;

/** Where a book stood after an event. */
export type Stand = {
  readonly hash: number;
  readonly eventAtNs: bigint;
  readonly sequence: bigint;
  readonly isSynced: boolean;
};

/** A broker that ends with the test. */
export async function startBroker(options: NatsServerOptions = {}): Promise<NatsServer> {
  const server = await NatsServer.start(options);
  atEnd(() => server.close());
  return server;
}

/** Emulated exchanges that end with the test. */
export async function startExchanges(exchanges: readonly ExchangeId[], rate = 20): Promise<Emulator> {
  const emulator = await startEmulator({ exchanges, source: { kind: "market", rate }, seed: 7 });
  atEnd(() => emulator.close());
  return emulator;
}

/** A machine with collectors: a folder of its own. */
export class Machine extends Scene {
  override readonly directory = freshFolder();

  /** Starts a collector that publishes. */
  publish(exchange: ExchangeId, url: string, words: readonly string[] = []): Program {
    return this.collect(exchange, ["--publish", url, ...QUICK, ...words]);
  }
}

/** Short spans, so that a test sees what takes half a minute in life. */
export const QUICK = ["--set=nats.snapshot_ms=1000", "--set=nats.beat_ms=100"];

/** Starts a gateway that reads a broker. */
export function gatewayFrom(url: string, words: readonly string[] = []): Program {
  return runNode([assetPath("main.js"), "gateway", "--port", "0", "--from", url, "--log-level", "error", ...words]);
}

/** A receiver in this process. */
export class Elsewhere {
  readonly receiver: NatsReceiver;
  readonly map: MemoryMap;
  readonly #workspace: Workspace;
  readonly #readers = new Map<number, number>();
  /** Every event of every merged book, in order, by instrument. */
  readonly stands = new Map<string, Stand[]>();

  constructor(receiver: NatsReceiver, map: MemoryMap) {
    this.receiver = receiver;
    this.map = map;
    this.#workspace = new Workspace(map, { ...kernelOf(), arenaBytes: 64 * MEBIBYTE, name: "arena of the test" });
    const timer = setInterval(() => this.#watch(), 5);
    atEnd(async () => {
      clearInterval(timer);
      await receiver.close();
    });
  }

  static async start(url: string, settings: Record<string, unknown> = {}): Promise<Elsewhere> {
    const config = natsConfig({ "nats.from": url, ...settings });
    const map = new MemoryMap(1024 * MEBIBYTE);
    const workspace = new Workspace(map, { ...kernelOf(), arenaBytes: 128 * MEBIBYTE, name: "arena of the receiver" });
    const sizes = {
      instrumentCapacity: 64,
      deltaCapacity: 65_536,
      tradeCapacity: 16_384,
      imageAreaBytes: 32 * MEBIBYTE,
    };
    const log = { info: () => undefined, warn: () => undefined, error: (text: string) => console.error(text) };
    const receiver = await startReceiver({ config, map, workspace, sizes, log });
    return new Elsewhere(receiver, map);
  }

  /** Sums over all exchanges. */
  get counts() {
    const all = this.receiver.exchanges.map(({ counts }) => counts);
    const sum = (field: keyof (typeof all)[number]) => all.reduce((total, counts) => total + counts[field], 0);
    return {
      events: sum("events"),
      duplicates: sum("duplicates"),
      turns: sum("turns"),
      takeovers: sum("takeovers"),
      differences: sum("differences"),
      resets: sum("resets"),
      interruptions: sum("interruptions"),
      gaps: sum("gaps"),
      trades: sum("trades"),
    };
  }

  /** Hashes of the merged books that are synced, by name. */
  get hashes(): Record<string, number> {
    return Object.fromEntries(
      this.receiver.exchanges.flatMap(({ exchange, instruments }) =>
        instruments.flatMap(({ symbol, local }) =>
          local?.isSynced === true ? [[`${exchange}:${symbol}`, local.hash] as const] : [],
        ),
      ),
    );
  }

  #watch(): void {
    for (const { segmentAddress, exchange } of this.receiver.exchanges) {
      this.#watchSegment(segmentAddress, exchange);
    }
  }

  #watchSegment(address: number, exchange: string): void {
    const { kernel, memory, deltas } = this.#workspace;
    let reader = this.#readers.get(address);
    if (reader === undefined) {
      reader = this.#workspace.checked(kernel.readerCreate(address, RING_DELTAS));
      memory.setBigUint64(reader, 0n, true);
      this.#readers.set(address, reader);
    }
    const view = new SegmentView(this.map.memory.buffer, address);
    for (
      let count = kernel.readerPoll(reader, deltas, 1024);
      count > 0;
      count = kernel.readerPoll(reader, deltas, 1024)
    ) {
      for (let index = 0; index < count; index++) {
        const record = deltas + index * DELTA_BYTES;
        const id = memory.getUint32(record + DELTA_INSTRUMENT_ID, true);
        const flags = memory.getUint16(record + DELTA_FLAGS, true);
        const name = view.instruments().find((entry) => entry.id === id)?.canonical ?? "";
        if ((flags & FLAG_LAST) !== 0) {
          const stands = this.stands.get(`${exchange}:${name}`) ?? [];
          stands.push({
            hash: memory.getUint32(record + DELTA_BOOK_HASH, true),
            eventAtNs: memory.getBigUint64(record + DELTA_EVENT_AT, true),
            sequence: memory.getBigUint64(record + DELTA_SOURCE_SEQUENCE, true),
            isSynced: (flags & FLAG_NOT_SYNCED) === 0,
          });
          this.stands.set(`${exchange}:${name}`, stands);
        }
      }
    }
  }
}

/** What a collector's own ring said of its books, event by event. */
export function follow(reader: SegmentReader): Map<string, Stand[]> {
  const stands = new Map<string, Stand[]>();
  const stop = reader.on(
    {
      delta: (event) => {
        if (event.isLast) {
          const known = stands.get(event.instrument.name) ?? [];
          known.push({
            hash: event.bookHash,
            eventAtNs: event.eventAtNs,
            sequence: event.sourceSequence,
            isSynced: event.isSynced,
          });
          stands.set(event.instrument.name, known);
        }
      },
    },
    (error) => {
      throw error;
    },
  );
  atEnd(stop);
  return stands;
}

/** Hashes of a machine's books, by name. */
export function hashesOf(reader: SegmentReader): Record<string, number> {
  return Object.fromEntries(
    reader.instruments().flatMap(({ name }) => {
      const book = reader.book(name);
      return book?.isSynced === true ? [[name, book.hash] as const] : [];
    }),
  );
}

/** The market stands still and the collector's books are the true ones: now books elsewhere must be the same. */
export async function expectSameBooks(
  elsewhere: () => Record<string, number>,
  { machine, readers }: { machine: Scene; readers: readonly SegmentReader[] },
): Promise<void> {
  machine.emulator.pause();
  await expect.poll(() => readers.flatMap((reader) => machine.differences(reader)), PATIENCE).toEqual([]);
  const wanted = Object.assign({}, ...readers.map(hashesOf)) as Record<string, number>;
  expect(Object.keys(wanted).length).toBeGreaterThan(0);
  await expect.poll(elsewhere, PATIENCE).toEqual(wanted);
}

/** Opens a reader of a machine's collector. */
export async function readerOf(machine: Scene, exchange: ExchangeId): Promise<SegmentReader> {
  const reader = await openSegment(exchange, { directory: machine.directory, arenaBytes: 2 ** 27, staleMs: 10_000 });
  atEnd(() => reader.close());
  return reader;
}

/** The section `nats` of a configuration. */
export function natsConfig(flags: Record<string, unknown>): Config["nats"] {
  return loadConfig({ flags }).nats;
}

function kernelOf() {
  return { kernel: "wasm" as const, kernelModule: new WebAssembly.Module(readAsset("kernel.wasm")) };
}
