/**
 * The whole book of one instrument, version by version: a client of its own in Node on the JSON form of the stream,
 * sharing no code with the page. Prices and quantities are kept in ticks and lots, exact.
 * Bad case: the stream begins anew with another snapshot: older versions are forgotten and no longer compared.
 */
import { WitnessSocket } from "../support/server_messages.ts";

type Side = "bid" | "ask";
type Change = readonly [Side, string, string];
type BookMessage = {
  type: string;
  instrument?: string;
  version: string;
  previousVersion: string;
  priceExponent: number;
  quantityExponent: number;
  bids: [string, string][];
  asks: [string, string][];
  changes: Change[];
};

/** A level in ticks and lots. */
export type LoggedLevel = { readonly tick: bigint; readonly lots: bigint };

/** A book at one version, best first. */
export type LoggedBook = { readonly bids: LoggedLevel[]; readonly asks: LoggedLevel[] };

/** Follows one book. */
export class BookLog {
  readonly #socket: WitnessSocket;
  #base: { version: bigint; bids: Map<bigint, bigint>; asks: Map<bigint, bigint> } | undefined;
  #deltas: { version: bigint; changes: Change[] }[] = [];
  #exponents = { price: 0, quantity: 0 };

  constructor(socket: WitnessSocket) {
    this.#socket = socket;
    socket.on("message", (text) => this.#take(JSON.parse(String(text)) as BookMessage));
  }

  /** Connects and subscribes. @param port of the gateway, on the loopback */
  static async start(port: number, instrument: string): Promise<BookLog> {
    const socket = new WitnessSocket(`ws://127.0.0.1:${port}/ws`, ["alphapulse.v1.json"]);
    const log = new BookLog(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
    });
    socket.send(JSON.stringify({ op: "subscribe", id: 1, channels: ["book"], instruments: [instrument] }));
    return log;
  }

  /** Digits after the point of prices and quantities. */
  get exponents(): { price: number; quantity: number } {
    return this.#exponents;
  }

  /** The book at a version; undefined when that version was not told, or not yet. */
  at(version: bigint): LoggedBook | undefined {
    const base = this.#base;
    if (base === undefined || version < base.version) {
      return undefined;
    }
    const until = this.#deltas.findIndex((delta) => delta.version === version);
    if (version !== base.version && until < 0) {
      return undefined;
    }
    const sides = { bid: new Map(base.bids), ask: new Map(base.asks) };
    for (const { changes } of this.#deltas.slice(0, until + 1)) {
      for (const [side, price, quantity] of changes) {
        const lots = units(quantity, this.#exponents.quantity);
        const tick = units(price, this.#exponents.price);
        if (lots === 0n) {
          sides[side].delete(tick);
        } else {
          sides[side].set(tick, lots);
        }
      }
    }
    return { bids: sorted(sides.bid, -1), asks: sorted(sides.ask, 1) };
  }

  close(): void {
    this.#socket.terminate();
  }

  #take(message: BookMessage): void {
    if (message.type === "orderbook") {
      this.#exponents = { price: message.priceExponent, quantity: message.quantityExponent };
      this.#base = {
        version: BigInt(message.version),
        bids: this.#levels(message.bids),
        asks: this.#levels(message.asks),
      };
      this.#deltas = [];
    } else if (message.type === "orderbook_delta") {
      this.#deltas.push({ version: BigInt(message.version), changes: message.changes });
    }
  }

  #levels(levels: [string, string][]): Map<bigint, bigint> {
    const { price, quantity } = this.#exponents;
    return new Map(levels.map((level) => [units(level[0], price), units(level[1], quantity)]));
  }
}

function sorted(levels: Map<bigint, bigint>, sign: 1 | -1): LoggedLevel[] {
  const list = [...levels].map(([tick, lots]) => ({ tick, lots }));
  return list.sort((a, b) => (a.tick < b.tick ? -sign : sign));
}

/** A plain decimal in units of 10^-exponent. */
export function units(text: string, exponent: number): bigint {
  const [whole = "0", fraction = ""] = text.split(".");
  return BigInt(whole + fraction.padEnd(exponent, "0"));
}
