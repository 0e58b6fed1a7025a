/**
 * A plain exchange client for the emulator's tests: keeps every frame as text and waits for what a test names.
 * Bad case: the frame never comes; the wait fails after its deadline and says how many frames came instead.
 */
import { WebSocket } from "ws";
import { DEFAULT_INSTRUMENTS, type Emulator, type EmulatorOptions, startEmulator } from "../../src/emulator/mod.ts";
import type { ExchangeId } from "../../src/model/exchange_id.ts";

const DEADLINE_MS = 20_000;

/** Sides as maps from price to quantity, plain decimals without trailing zeros. */
export type NaiveBook = { bids: Map<string, string>; asks: Map<string, string> };

/** A WebSocket client. */
export class Client {
  readonly frames: string[] = [];
  readonly socket: WebSocket;
  pings = 0;
  closeCode: number | undefined;
  readonly #parsed: Record<string, unknown>[] = [];

  /** @param socket not open yet; `Client.open` waits for it */
  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (bytes: Buffer) => this.frames.push(bytes.toString("utf8")));
    socket.on("ping", () => {
      this.pings += 1;
    });
    socket.on("close", (code) => {
      this.closeCode = code;
    });
    socket.on("error", () => socket.terminate());
  }

  /** Opens a connection. @throws Error when it is refused */
  static async open(url: string, { autoPong = true }: { autoPong?: boolean } = {}): Promise<Client> {
    const socket = new WebSocket(url, { perMessageDeflate: false, autoPong, maxPayload: 64 * 1024 * 1024 });
    const client = new Client(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once("open", () => resolve());
      socket.once("error", reject);
    });
    return client;
  }

  /** Sends a text frame; objects as JSON. */
  send(message: unknown): void {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  /** The frames as objects, optionally only those with the given values. */
  objects(match: Record<string, unknown> = {}): Record<string, unknown>[] {
    for (const frame of this.frames.slice(this.#parsed.length)) {
      this.#parsed.push(JSON.parse(frame) as Record<string, unknown>);
    }
    return this.#parsed.filter((frame) => Object.entries(match).every(([key, value]) => frame[key] === value));
  }

  /** Waits until the first frame for which the condition holds. */
  async frame(condition: (text: string) => boolean): Promise<string> {
    await until(
      () => this.frames.some(condition),
      () => `${this.frames.length} frames came`,
    );
    return this.frames.find(condition) ?? "";
  }

  close(): void {
    this.socket.terminate();
  }
}

/** Waits until a condition holds. */
export async function until(
  condition: () => boolean,
  explain: () => string = () => "nothing more is known",
): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!condition()) {
    if (Date.now() > deadline) {
      throw new Error(`Cannot go on: the awaited thing did not happen, ${explain()}`);
    }
    await sleep(5);
  }
}

/** Waits. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A market emulator of one exchange with small books, so that tests are quick. */
export function startMarket(
  exchange: ExchangeId,
  options: Partial<EmulatorOptions> & { rate?: number; levels?: number } = {},
): Promise<Emulator> {
  const { rate = 5, levels = 600, ...rest } = options;
  const instruments = DEFAULT_INSTRUMENTS.map((instrument) => ({ ...instrument, levels }));
  return startEmulator({ exchanges: [exchange], seed: 7, source: { kind: "market", rate, instruments }, ...rest });
}

/** Fetches a REST path. */
export async function rest(
  emulator: Emulator,
  exchange: ExchangeId,
  path: string,
): Promise<{ status: number; body: string; headers: Headers }> {
  const response = await fetch(emulator.endpoints[exchange].rest + path);
  return { status: response.status, body: await response.text(), headers: response.headers };
}

/** A decimal without trailing zeros. */
export function plain(token: string): string {
  return token.includes(".") ? token.replace(/\.?0+$/, "") : token;
}

/** Sets or removes a level. @param token quantity as sent */
export function put(side: Map<string, string>, price: string, token: string): void {
  if (plain(token) === "0") {
    side.delete(plain(price));
  } else {
    side.set(plain(price), plain(token));
  }
}

/** The levels of a side, best first. */
export function sorted(side: ReadonlyMap<string, string>, order: "bids" | "asks"): [string, string][] {
  const sign = order === "bids" ? -1 : 1;
  return [...side].sort(([a], [b]) => sign * (Number(a) - Number(b)));
}

/** A book as `trueBook` gives it. */
export function levelsOf(book: NaiveBook): { bids: [string, string][]; asks: [string, string][] } {
  return { bids: sorted(book.bids, "bids"), asks: sorted(book.asks, "asks") };
}
