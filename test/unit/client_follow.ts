/**
 * A client against a scripted server, with one instrument and an oracle for its hash. What several tests of the client
 * begin with. Bad case: an oracle that is the code under test; the hash is written here from its description.
 */
import { type ClientEvent, type ConnectOptions, connect } from "../../src/client/mod.ts";
import { Scene } from "./client_scene.ts";

/** The instrument. */
export const BTC = "kraken:BTC-USD";
/** Its status. */
export const SYNCED = {
  state: "synced",
  assurance: "checksum",
  reason: "none",
  sinceNs: "5",
  trading: "open",
  priceExponent: 1,
  quantityExponent: 2,
} as const;

/** What an acknowledgement of a book says beside. */
export const WHOLE_BOOK = { depth: 0, rateMs: 0, policy: "conflate", resumed: false } as const;

/** A client that is about to connect, and all that it tells. */
export function start(options: ConnectOptions = {}) {
  const scene = new Scene();
  const { WebSocket, ...runtime } = scene.runtime;
  const client = connect("ws://test/ws", { WebSocket, runtime, form: "json", ...options });
  const events: ClientEvent[] = [];
  client.on((event) => events.push(event));
  return { scene, client, events };
}

/** A connected client that holds one level a side. Hashes are those of the levels, computed by the kernel's rule. */
export function follow() {
  const made = start();
  const { scene, client } = made;
  scene.open();
  client.subscribe({ channels: ["book"], instruments: [BTC] });
  scene.say({ type: "subscribed", id: 1, channel: "book", instrument: BTC, alias: 4, ...WHOLE_BOOK, ...SYNCED });
  scene.say(orderbook());
  return made;
}

/** What every book message says. */
export function head(version: string, hash: number) {
  return {
    instrument: BTC,
    depth: 0,
    rateMs: 0,
    version,
    hash,
    synced: true,
    crossed: false,
    eventAtNs: "1",
    receivedAtNs: "2",
    sequence: "0",
  };
}

/** The epoch of the snapshot. */
export const EPOCH = 77;

/** A snapshot of one level a side, version 7. @param hash as the server says it */
export function orderbook(hash = HASH) {
  const levels = { bids: [["10.5", "1.25"]], asks: [["11", "2"]] };
  return { type: "orderbook", ...head("7", hash), epoch: EPOCH, priceExponent: 1, quantityExponent: 2, ...levels };
}

/** Book hash of bid 105 × 125 and ask 110 × 200, found by murmur3 of both levels in the reference implementation below. */
export const HASH = (levelHash(0, 105, 125) + levelHash(1, 110, 200)) >>> 0;

/** MurmurHash3 x86 32 over five words, written from its description: an oracle for the client's kernel. */
export function levelHash(side: number, price: number, quantity: number): number {
  let hash = 0;
  for (const word of [side, price, 0, quantity, 0]) {
    let mixed = Math.imul(word, 0xcc9e2d51);
    mixed = (mixed << 15) | (mixed >>> 17);
    hash ^= Math.imul(mixed, 0x1b873593);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  hash ^= 20;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
