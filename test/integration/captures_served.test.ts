/**
 * Captures over real sockets: the emulator serves a recorded stream, `serve` collects it, a client follows the gateway, and
 * at the last recorded frame its books must be those that the independent oracle rebuilt.
 * Bad case: a book that is right but late; the test waits for it with a generous deadline.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { assetPath } from "../../src/assets.ts";
import { connect, type StreamClient } from "../../src/client/mod.ts";
import { type Emulator, startEmulator } from "../../src/emulator/mod.ts";
import { EXCHANGES } from "../../src/exchanges/mod.ts";
import { type ExchangeId, resolveExchangeId } from "../../src/model/exchange_id.ts";
import { capturePath, capturesPresent, type ExpectedCapture, expected } from "../support/captures.ts";
import { checkServerTexts, WitnessSocket } from "../support/server_messages.ts";

const DEADLINE_MS = 110_000;
const POLL_MS = 250;
/** Kraken v1 and futures are read by replay only. */
const NOT_SERVED = /kraken\/v1|usdm/;

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) {
    await close();
  }
  checkServerTexts();
});

/** Starts `serve` against an emulator. @returns the address of its stream */
function serve(exchange: ExchangeId, emulator: Emulator, symbols: readonly string[]): Promise<string> {
  const { websocket, rest } = emulator.endpoints[exchange];
  const settings = [`exchanges.${exchange}.websocket_urls=${websocket}`, `exchanges.${exchange}.rest_url=${rest}`];
  const args = ["serve", "--port", "0", "--exchange", exchange, "--symbols", symbols.join(","), "--log-level", "error"];
  const child = spawn(process.execPath, [assetPath("main.js"), ...args, ...settings.flatMap((one) => ["--set", one])], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  closers.push(() => stop(child));
  let output = "";
  return new Promise((resolve, reject) => {
    const read = (chunk: Buffer) => {
      output += chunk.toString("utf8");
      const url = /AlphaPulse: http(:\/\/[^\s]+)/.exec(output)?.[1];
      if (url !== undefined) {
        resolve(`ws${url}ws`);
      }
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.once("exit", (code) => reject(new Error(`serve ended with ${code}: ${output}`)));
  });
}

function stop(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.removeAllListeners("exit");
    child.once("exit", () => resolve());
    child.kill("SIGTERM");
  });
}

/** native → canonical, as the emulator's metadata names them. */
async function namesOf(exchange: ExchangeId, emulator: Emulator): Promise<Map<string, string>> {
  const adapter = EXCHANGES[exchange];
  const answer = await fetch(`${emulator.endpoints[exchange].rest}${adapter.metadataRequest().path}`);
  const { instruments } = adapter.readMetadata(await answer.text());
  return new Map(instruments.map(({ native, canonical }) => [native, canonical]));
}

function digest(client: StreamClient, instrument: string): string {
  const book = client.peek(instrument);
  if (book === undefined || !book.isSynced) {
    return `not synced: ${book?.state ?? "no book"} ${book?.reason ?? ""}`;
  }
  const hash = createHash("sha256");
  for (const [price, quantity] of book.bids) {
    hash.update(`b ${price} ${quantity}\n`);
  }
  for (const [price, quantity] of book.asks) {
    hash.update(`a ${price} ${quantity}\n`);
  }
  return hash.digest("hex");
}

async function follow(entry: ExpectedCapture): Promise<{ ours: Record<string, string>; client: StreamClient }> {
  const exchange = resolveExchangeId(entry.exchange) ?? "kraken";
  const emulator = await startEmulator({
    exchanges: [exchange],
    source: { kind: "capture", files: entry.files.map(capturePath), speed: 0, exchange },
  });
  closers.push(() => emulator.close());
  const names = await namesOf(exchange, emulator);
  const instruments = Object.keys(entry.books).map(
    (native) => [native, `${exchange}:${names.get(native) ?? native}`] as const,
  );
  const stream = await serve(
    exchange,
    emulator,
    instruments.map(([, instrument]) => instrument),
  );
  const client = connect(stream, { WebSocket: WitnessSocket });
  closers.push(() => client.close());
  client.subscribe({ channels: ["book", "trades"], instruments: instruments.map(([, instrument]) => instrument) });
  await emulator.finished;
  const end = performance.now() + DEADLINE_MS;
  for (;;) {
    const ours = Object.fromEntries(instruments.map(([native, instrument]) => [native, digest(client, instrument)]));
    const isSame = instruments.every(([native]) => ours[native] === entry.books[native]?.digest);
    if (isSame || performance.now() > end) {
      return { ours, client };
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

describe.runIf(capturesPresent())("captures served over real sockets", () => {
  const entries = Object.entries(capturesPresent() ? expected() : {}).filter(
    ([name, { exchange }]) => resolveExchangeId(exchange) !== undefined && !NOT_SERVED.test(name),
  );
  it.each(entries)(
    "end in the recorded books in a stream client when %s is played",
    async (_name, entry) => {
      const { ours, client } = await follow(entry);
      const wanted = Object.fromEntries(Object.entries(entry.books).map(([native, book]) => [native, book.digest]));
      expect(ours).toEqual(wanted);
      expect({ resyncs: client.counts.resyncs, malformed: client.counts.malformed }).toEqual({
        resyncs: 0,
        malformed: 0,
      });
    },
    DEADLINE_MS + 60_000,
  );
});
