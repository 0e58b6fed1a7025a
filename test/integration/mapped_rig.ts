/**
 * Collectors, gateways and readers as processes of the built program, over a folder of their own.
 * Bad case: a process that outlives the test; every one is killed at the end by its own id.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect } from "vitest";
import { assetPath, packageFolder } from "../../src/assets.ts";
import { type Emulator, startEmulator } from "../../src/emulator/mod.ts";
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import { type OpenOptions, openSegment, type SegmentBook, type SegmentReader } from "../../src/reader/mod.ts";
import { checkServerTexts } from "../support/server_messages.ts";

/** For what must come sooner or later on a slow machine. */
export const PATIENCE = { timeout: 40_000, interval: 25 };

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) {
    await close();
  }
  checkServerTexts();
});

/** A process. */
export type Program = {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly ended: Promise<number | null>;
};

/** Runs something at the end of the test. */
export function atEnd(close: () => unknown): void {
  closers.push(close);
}

/** A fresh folder for segments. */
export function freshFolder(): string {
  const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "alphapulse-test-"));
  closers.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Starts Node with a script and words. */
export function runNode(words: readonly string[], environment: Record<string, string> = {}): Program {
  return runProgram([process.execPath, ...words], environment);
}

/** Starts a program with words. */
export function runProgram(
  [program = "", ...words]: readonly string[],
  environment: Record<string, string> = {},
): Program {
  const child = spawn(program, words, {
    cwd: packageFolder(),
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
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await ended;
    }
  });
  return { child, stdout: () => texts.out, stderr: () => texts.error, ended };
}

/** Emulated exchanges and the folder that collectors write to. */
export class Scene {
  readonly directory = freshFolder();
  readonly emulator: Emulator;

  constructor(emulator: Emulator) {
    this.emulator = emulator;
  }

  static async start(exchanges: readonly ExchangeId[], rate = 5): Promise<Scene> {
    const emulator = await startEmulator({ exchanges, source: { kind: "market", rate }, seed: 11 });
    closers.push(() => emulator.close());
    return new Scene(emulator);
  }

  /** Runs the program with the folder and some words: a command, then flags, which may say another log level. */
  run([command = "", ...flags]: readonly string[], environment: Record<string, string> = {}): Program {
    const common = ["--directory", this.directory, "--log-level", "error"];
    return runNode([assetPath("main.js"), command, ...common, ...flags], environment);
  }

  /** Starts a collector. */
  collect(exchange: ExchangeId, words: readonly string[] = [], environment: Record<string, string> = {}): Program {
    const { websocket, rest } = this.emulator.endpoints[exchange];
    const endpoints = [
      `--set=exchanges.${exchange}.websocket_urls=${websocket}`,
      `--set=exchanges.${exchange}.rest_url=${rest}`,
    ];
    return this.run(["collect", "--exchange", exchange, ...endpoints, ...words], environment);
  }

  /** Opens a reader in this process. */
  async open(exchange: ExchangeId, options: OpenOptions = {}): Promise<SegmentReader> {
    const reader = await openSegment(exchange, { directory: this.directory, arenaBytes: 2 ** 27, ...options });
    closers.push(() => reader.close());
    return reader;
  }

  /** The reader's books that are synced. */
  synced(reader: SegmentReader): string[] {
    const names = reader.instruments().map(({ name }) => name);
    return names.filter((name) => reader.top(name)?.isSynced === true).sort();
  }

  /** Books of a reader that differ from the true ones, as far as the exchange told us. */
  differences(reader: SegmentReader): string[] {
    return reader.instruments().flatMap(({ name, native }) => {
      const book = reader.book(name);
      const truth = this.emulator.trueBook(reader.exchange as ExchangeId, native);
      const isSame = book?.isSynced === true && JSON.stringify(told(book)) === JSON.stringify(trueLevels(book, truth));
      return isSame ? [] : [name];
    });
  }
}

type Levels = readonly (readonly [price: string, quantity: string])[];

function told(book: SegmentBook): { bids: Levels; asks: Levels } {
  const { instrument, knownRange } = book;
  const side = (levels: SegmentBook["bids"]): Levels =>
    levels
      .filter(
        ({ priceTicks: ticks }) => ticks >= (knownRange?.lowTicks ?? 0n) && ticks <= (knownRange?.highTicks ?? ticks),
      )
      .map(({ priceTicks, quantityLots }) => [instrument.price(priceTicks), instrument.quantity(quantityLots)]);
  return { bids: side(book.bids), asks: side(book.asks) };
}

/** The true levels that the exchange can have told: to the depth, inside the range of those that we hold. */
function trueLevels(book: SegmentBook, truth: { bids: Levels; asks: Levels }): { bids: Levels; asks: Levels } {
  const { depth, priceExponent } = book.instrument;
  const ticks = (price: string) => {
    const [whole = "", fraction = ""] = price.split(".");
    return BigInt(whole + fraction.padEnd(priceExponent, "0"));
  };
  const isKnown = ([price]: Levels[number]) =>
    ticks(price) >= (book.knownRange?.lowTicks ?? 0n) && ticks(price) <= (book.knownRange?.highTicks ?? 2n ** 63n);
  const side = (levels: Levels) => levels.filter(isKnown).slice(0, depth === 0 ? levels.length : depth);
  return { bids: side(truth.bids), asks: side(truth.asks) };
}

/** The address that a gateway printed. */
export async function gatewayUrl({ stdout, stderr }: Program): Promise<string> {
  await expect.poll(() => /http:\/\/\S+/.test(stdout()), PATIENCE).toBe(true);
  return /http:\/\/[^\s/]+/.exec(stdout())?.[0] ?? stderr();
}

/** What a gateway says of its instruments. */
export type Health = {
  readonly instruments: readonly {
    readonly instrument: string;
    readonly state: string;
    readonly replica: { readonly synced: boolean; readonly version: string; readonly failures: Record<string, number> };
  }[];
};

/** Asks a gateway. */
export async function health(url: string): Promise<Health> {
  return (await (await fetch(`${url}/health`)).json()) as Health;
}
