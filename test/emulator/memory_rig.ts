/**
 * An emulator in memory on virtual time with raw clients, and what the tests say to each exchange. The same seed gives the
 * same frames, so a disturbed run can be compared, frame by frame, with an undisturbed one.
 * Bad case: REST settles in microtasks; `pass` lets them run between two steps of the clock.
 */
import {
  DEFAULT_INSTRUMENTS,
  type FaultReport,
  type InMemoryEmulator,
  type InMemoryOptions,
  parseFaultScript,
  startInMemory,
  VirtualClock,
} from "../../src/emulator/mod.ts";
import type { ExchangeId } from "../../src/model/exchange_id.ts";

/** When virtual time begins. */
export const START_MS = 1_780_000_000_000;

const FRAME_BYTES_MAX = 64 * 1024 * 1024;

/** Two instruments of each exchange, in native spelling. */
export const SYMBOLS: Readonly<Record<ExchangeId, readonly [string, string]>> = {
  coinbase_exchange: ["BTC-USD", "ETH-USD"],
  kraken: ["BTC/USD", "ETH/USD"],
  binance: ["BTCUSDT", "ETHUSDT"],
  binance_us: ["BTCUSD", "ETHUSD"],
};

/** A frame as it came. */
export type Came = { readonly text: string; readonly bytes: Buffer; readonly atMs: number };

/** A raw client. */
export class MemoryClient {
  readonly came: Came[] = [];
  readonly closed: string[] = [];
  opened = 0;
  alive = 0;
  readonly #socket: ReturnType<InMemoryEmulator["openSocket"]>;

  constructor(emulator: InMemoryEmulator, url: string, clock: VirtualClock) {
    const handlers = {
      opened: () => {
        this.opened += 1;
      },
      frame: (bytes: Buffer) => this.came.push({ text: bytes.toString("utf8"), bytes, atMs: clock.now() }),
      alive: () => {
        this.alive += 1;
      },
      closed: (reason: string) => this.closed.push(reason),
    };
    this.#socket = emulator.openSocket(url, handlers, { frameBytesMax: FRAME_BYTES_MAX });
  }

  get texts(): string[] {
    return this.came.map(({ text }) => text);
  }

  send(message: unknown): void {
    this.#socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  ping(): void {
    this.#socket.ping();
  }

  drop(): void {
    this.#socket.drop();
  }
}

/** A running emulator and its clock. */
export type Rig = { readonly emulator: InMemoryEmulator; readonly clock: VirtualClock };

/** What a rig runs. */
export type RigOptions = {
  readonly rate?: number;
  readonly levels?: number;
  readonly seed?: number;
  readonly truth?: boolean;
  /** The faults of a script, as in a file. */
  readonly faults?: readonly Record<string, unknown>[];
  readonly delayMs?: InMemoryOptions["delayMs"];
};

/** Starts an emulator of some exchanges with small books. */
export async function startRig(exchanges: readonly ExchangeId[], options: RigOptions = {}): Promise<Rig> {
  const { rate = 10, levels = 200, seed = 7, truth = false, faults, delayMs } = options;
  const clock = new VirtualClock(START_MS);
  const instruments = DEFAULT_INSTRUMENTS.map((instrument) => ({ ...instrument, levels }));
  const emulator = await startInMemory({
    exchanges,
    source: { kind: "market", rate, instruments },
    seed,
    truth,
    clock,
    ...(delayMs === undefined ? {} : { delayMs }),
    ...(faults === undefined ? {} : { faults: parseFaultScript({ fault: faults }) }),
  });
  return { emulator, clock };
}

/** Opens a client and waits until it stands. */
export function openClient({ emulator, clock }: Rig, exchange: ExchangeId, path?: string): MemoryClient {
  const { websocket } = emulator.endpoints[exchange];
  const client = new MemoryClient(emulator, websocket + (path ?? streamPath(exchange)), clock);
  clock.advance(1);
  return client;
}

/** Subscribes books, trades and heartbeats of both instruments; on Binance the address has done so already. */
export function subscribe(client: MemoryClient, exchange: ExchangeId, { depth = 10 }: { depth?: number } = {}): void {
  const symbols = SYMBOLS[exchange];
  if (exchange === "coinbase_exchange") {
    client.send({ type: "subscribe", product_ids: symbols, channels: ["level2_batch", "matches", "heartbeat"] });
  } else if (exchange === "kraken") {
    client.send({ method: "subscribe", params: { channel: "book", symbol: symbols, depth } });
    client.send({ method: "subscribe", params: { channel: "trade", symbol: symbols, snapshot: false } });
  }
}

/** Lets virtual time pass, with everything that promises do in between. */
export async function pass(clock: VirtualClock, ms: number): Promise<void> {
  const endMs = clock.now() + ms;
  await turn();
  while (clock.dueMs <= endMs) {
    clock.step();
    await turn();
  }
  clock.advance(endMs - clock.now());
  await turn();
}

/** Asks REST and lets time pass until the answer is there. */
export async function ask(
  { emulator, clock }: Rig,
  url: string,
  { waitMs = 1 }: { waitMs?: number } = {},
): Promise<{ status: number; body: string; headers: Headers } | "nothing" | Error> {
  const asked = emulator
    .fetch(url)
    .then(async (response) => ({ status: response.status, body: await response.text(), headers: response.headers }))
    .catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
  await pass(clock, waitMs);
  return await Promise.race([asked, turn().then(() => "nothing" as const)]);
}

/** What a run gave: two clients with the same subscriptions, and what was injected. */
export type Run = { readonly clients: readonly [MemoryClient, MemoryClient]; readonly report: FaultReport };

/** Runs two clients of an exchange for some virtual time. */
export async function run(
  exchange: ExchangeId,
  options: RigOptions & { ms?: number; depth?: number } = {},
): Promise<Run> {
  const { ms = 12_000, depth = 10 } = options;
  const rig = await startRig([exchange], options);
  const clients: [MemoryClient, MemoryClient] = [openClient(rig, exchange), openClient(rig, exchange)];
  for (const client of clients) {
    subscribe(client, exchange, { depth });
  }
  rig.clock.advance(ms);
  rig.emulator.close();
  return { clients, report: rig.emulator.faults() };
}

/** Depth over REST, of one instrument. */
export function depthPath(exchange: ExchangeId, symbol: string): string {
  switch (exchange) {
    case "coinbase_exchange":
      return `/products/${symbol}/book?level=2`;
    case "kraken":
      return `/0/public/Depth?pair=${symbol}&count=500`;
    default:
      return `/api/v3/depth?symbol=${symbol}&limit=5000`;
  }
}

function streamPath(exchange: ExchangeId): string {
  const names = SYMBOLS[exchange].map((symbol) => symbol.toLowerCase());
  const streams = names.flatMap((name) => [`${name}@depth@100ms`, `${name}@trade`]).join("/");
  return exchange.startsWith("binance") ? `/stream?streams=${streams}` : "";
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
