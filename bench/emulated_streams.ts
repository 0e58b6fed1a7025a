/**
 * Frames of the emulator's market, taken over real sockets on loopback, for machines without captures: the same protocol,
 * a synthetic market. Bad case: a market that falls silent; the wait ends after a deadline and the error says so.
 */
import { WebSocket } from "ws";
import { type Emulator, startEmulator } from "../src/emulator/mod.ts";
import { EXCHANGES, type Exchange } from "../src/exchanges/mod.ts";
import type { ExchangeId } from "../src/model/exchange_id.ts";
import { makeStream, type RawFrame, type Stream } from "./stream.ts";

const RATE = 20;
const DEADLINE_MS = 60_000;
const PAYLOAD_BYTES_MAX = 64 << 20;
const SNAPSHOT_AFTER_FRAMES = 5;
const CHANNELS = ["book", "trades", "heartbeat"] as const;

/**
 * Takes frames from an emulated exchange.
 * @param options.emulatedFrames how many
 * @throws Error when they do not come in time
 */
export async function readEmulated(id: ExchangeId, options: { emulatedFrames: number }): Promise<Stream> {
  const emulator = await startEmulator({ exchanges: [id], source: { kind: "market", rate: RATE }, seed: 7 });
  try {
    const raw = await listen(emulator, EXCHANGES[id], options.emulatedFrames);
    const title = `${EXCHANGES[id].header.title}, emulated market`;
    return makeStream({ id, title, exchange: EXCHANGES[id], source: "emulator", files: [] }, raw);
  } finally {
    await emulator.close();
  }
}

async function listen(emulator: Emulator, exchange: Exchange, frames: number): Promise<RawFrame[]> {
  const { id, defaultInstruments, defaultDepth, websocketPath } = exchange.header;
  const endpoint = emulator.endpoints[id];
  const url = endpoint.websocket.endsWith(websocketPath) ? endpoint.websocket : `${endpoint.websocket}${websocketPath}`;
  const raw: RawFrame[] = [];
  const socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: PAYLOAD_BYTES_MAX });
  const natives = defaultInstruments.map((canonical) => exchange.nativeName(canonical));
  await new Promise<void>((resolve, reject) => {
    const deadline = setTimeout(() => {
      reject(new Error(`Cannot take frames from the emulator: ${id} fell silent, was ${raw.length} of ${frames}`));
    }, DEADLINE_MS);
    socket.once("error", reject);
    socket.on("open", () => {
      let requestId = 0;
      const request = { natives, channels: CHANNELS, depth: defaultDepth, nextRequestId: () => ++requestId };
      for (const { text } of exchange.subscribe(request)) {
        socket.send(text);
      }
    });
    socket.on("message", (bytes: Buffer) => {
      raw.push({ text: bytes.toString("utf8"), atNs: nowNs() });
      if (raw.length === SNAPSHOT_AFTER_FRAMES) {
        fetchSnapshots({ exchange, natives, base: endpoint.rest, raw }).catch(reject);
      }
      if (raw.length >= frames) {
        clearTimeout(deadline);
        resolve();
      }
    });
  });
  socket.terminate();
  return raw;
}

type SnapshotFetch = { exchange: Exchange; natives: readonly string[]; base: string; raw: RawFrame[] };

async function fetchSnapshots({ exchange, natives, base, raw }: SnapshotFetch): Promise<void> {
  for (const native of natives) {
    const request = exchange.snapshotRequest(native, exchange.header.snapshotLevels);
    if (request === undefined) {
      return;
    }
    const url = base + request.path;
    const text = await (await fetch(url)).text();
    raw.push({ url, text, atNs: nowNs() });
  }
}

function nowNs(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}
