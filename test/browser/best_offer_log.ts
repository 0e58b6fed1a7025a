/**
 * What the gateway's replicas say about best prices, version by version: a second client, in Node, on the JSON form of
 * the stream, sharing no code with the page. Bad case: a version between two messages had the earlier one's prices, for
 * the gateway tells every change of the best prices; a version after the last message is not known yet.
 */
import { WitnessSocket } from "../support/server_messages.ts";

/** Best prices; an empty side is the empty text. */
export type BestOffer = { bid: string; ask: string };

type Entry = BestOffer & { version: bigint };
type OfferMessage = {
  type: string;
  instrument: string;
  version: string;
  bid?: [string, string] | null;
  ask?: [string, string] | null;
};

const ENTRIES_MAX = 50_000;

/** Follows the best prices of all instruments. */
export class BestOfferLog {
  readonly #socket: WitnessSocket;
  readonly #entries = new Map<string, Entry[]>();

  constructor(socket: WitnessSocket) {
    this.#socket = socket;
    socket.on("message", (text) => this.#take(JSON.parse(String(text)) as OfferMessage));
  }

  /** Connects and subscribes. @param port of the gateway, on the loopback */
  static async start(port: number): Promise<BestOfferLog> {
    const socket = new WitnessSocket(`ws://127.0.0.1:${port}/ws`, ["alphapulse.v1.json"]);
    const log = new BestOfferLog(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
    });
    socket.send(JSON.stringify({ op: "subscribe", id: 1, channels: ["bbo"], instruments: ["*:*"] }));
    return log;
  }

  /** The exchanges heard of. */
  get exchanges(): string[] {
    return [...new Set([...this.#entries.keys()].map((instrument) => instrument.slice(0, instrument.indexOf(":"))))];
  }

  /** The best prices at a version; undefined while that is not known. */
  at(instrument: string, version: bigint): BestOffer | undefined {
    const entries = this.#entries.get(instrument) ?? [];
    const index = entries.findLastIndex((entry) => entry.version <= version);
    const entry = entries[index];
    const isKnown = entry !== undefined && (entry.version === version || index < entries.length - 1);
    return isKnown ? { bid: entry.bid, ask: entry.ask } : undefined;
  }

  close(): void {
    this.#socket.terminate();
  }

  #take(message: OfferMessage): void {
    if (message.type !== "bbo") {
      return;
    }
    const entries = this.#entries.get(message.instrument) ?? [];
    const entry = { version: BigInt(message.version), bid: message.bid?.[0] ?? "", ask: message.ask?.[0] ?? "" };
    const last = entries.at(-1);
    if (last !== undefined && entry.version < last.version) {
      entries.length = 0;
    }
    entries.push(entry);
    if (entries.length > ENTRIES_MAX) {
      entries.splice(0, ENTRIES_MAX / 2);
    }
    this.#entries.set(message.instrument, entries);
  }
}
