/**
 * The decoder of the k6 scripts, which k6 runs and nobody else: it takes every golden frame apart to its last byte and comes
 * to the versions that the vectors say, and refuses what breaks a rule. Bad case: a frame that it believes unread.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeEach, describe, expect, it } from "vitest";
import { packageFolder } from "../../src/assets.ts";

type Seen = { count(name: string, by: number): void; latency(ms: number): void };
type Book = { version: number; tradeVersion?: number };
type Follower = { text(message: object): void; frame(cursor: object): void; books: Map<number, Book> };
type Scripts = {
  Follower: new (seen: Seen, complain: (text: string) => void) => Follower;
  Cursor: new (bytes: Uint8Array) => object;
};
type Vector = { name: string; before: { messages: string[] } | null; messages: string[]; after: { version: string } };

const FOLDER = join(packageFolder(), "deploy/load");
const load = (name: string) => import(pathToFileURL(join(FOLDER, name)).href) as Promise<Scripts>;
const { Follower } = await load("follower.js");
const { Cursor } = await load("cursor.js");

const VECTORS = readFileSync(join(packageFolder(), "src/wire/golden/vectors.jsonl"), "utf8")
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => JSON.parse(line) as Vector);

const SNAPSHOT = vector("snapshot/two levels a side").messages;
const DELTAS = vector("deltas/three events in one frame");
const TRADES = vector("trades/one buy").messages;
const BBO = vector("bbo/both sides").messages;

let follower: Follower;
let counts: Record<string, number>;

beforeEach(() => {
  counts = {};
  follower = new Follower(
    {
      count: (name, by) => {
        counts[name] = (counts[name] ?? 0) + by;
      },
      latency: () => undefined,
    },
    (text) => {
      throw new Error(text);
    },
  );
  follower.text({ type: "subscribed", instrument: "golden:BTC-USD", channel: "book", alias: 3 });
});

function vector(name: string): Vector {
  const found = VECTORS.find((one) => one.name === name);
  if (found === undefined) {
    throw new Error(`Cannot find a golden vector, was ${name}`);
  }
  return found;
}

function aliasOf(frame: string): number {
  const bytes = bytesOf(frame).subarray(1);
  const length = bytes.findIndex((byte) => byte < 128) + 1;
  return bytes.subarray(0, length).reduceRight((value, byte) => value * 128 + (byte & 127), 0);
}

function bytesOf(frame: string): Uint8Array {
  return Uint8Array.from(Buffer.from(frame, "hex"));
}

function send(...frames: string[]): void {
  for (const frame of frames) {
    follower.frame(new Cursor(bytesOf(frame)));
  }
}

describe("The decoder of the k6 scripts", () => {
  const kinds = ["snapshot", "deltas", "conflated"];
  const exact = VECTORS.filter(({ name }) => kinds.includes(name.split("/")[0] ?? "")).filter(
    ({ after }) => Number(after.version) <= Number.MAX_SAFE_INTEGER,
  );

  it("comes to the version that the vector says when it reads a golden book", () => {
    expect(exact.length).toBeGreaterThan(100);
    for (const { name, before, messages, after } of exact) {
      const alias = aliasOf(messages[0] ?? "");
      follower.text({ type: "subscribed", instrument: name, channel: "book", alias });
      send(...(before?.messages ?? []), ...messages);
      expect(follower.books.get(alias)?.version, name).toBe(Number(after.version));
    }
  });

  it("counts events, trades and snapshots when it follows a book", () => {
    send(...SNAPSHOT, ...DELTAS.messages, ...TRADES);
    expect(counts).toEqual({ snapshots: 1, events: 3, trades: 1 });
  });

  it("refuses a frame when a byte of it is missing, is too many or does not fit the checksum", () => {
    send(...SNAPSHOT);
    const [frame = ""] = DELTAS.messages;
    expect(() => send(frame.slice(0, -2))).toThrow();
    const [bbo = ""] = BBO;
    expect(() => send(`${bbo.slice(0, -2)}00`)).toThrow("the checksum of a frame of kind 4");
    const conflated = vector("conflated/both sides").messages[0] ?? "";
    expect(() => send(`${conflated.slice(0, 12)}ff${conflated.slice(14)}`)).toThrow("checksum");
  });

  it("refuses changes when no whole book came, or after a reset", () => {
    expect(() => send(...DELTAS.messages)).toThrow("changes came before a whole book");
    send(...SNAPSHOT, ...DELTAS.messages);
    follower.text({ type: "reset", instrument: "golden:BTC-USD", channel: "book", reason: "lapped" });
    expect(() => send(...DELTAS.messages)).toThrow("changes came before a whole book");
  });

  it("refuses an update when it does not begin at the version held", () => {
    const { messages } = vector("conflated/both sides");
    send(...SNAPSHOT, ...DELTAS.messages);
    expect(() => send(...messages)).toThrow("an update begins at version 1, held is 4");
  });

  it("refuses trades when one is missing", () => {
    send(...TRADES);
    expect(() => send(...TRADES)).toThrow(/trade 7 came after 7/);
  });

  it("takes best prices before or after the event that they belong to, and refuses them when none ended there", () => {
    // These are of version 2; the frame of three events ends events at 2, 3 and 4.
    send(...SNAPSHOT, ...BBO, ...DELTAS.messages, ...BBO);
    expect(follower.books.get(3)?.version).toBe(4);
    send(...SNAPSHOT, ...BBO);
    // One event of three records: from version 1 to 4.
    expect(() => send("01030202a01f00")).toThrow("best prices were of version 2, events ended at 4");
  });

  it("refuses a frame when its alias or its kind was never told", () => {
    expect(() => send("1109")).toThrow("names alias 9");
    expect(() => send("0f0300000000")).toThrow();
  });
});
