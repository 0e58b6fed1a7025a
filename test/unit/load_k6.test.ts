/**
 * What the k6 scripts share, which k6 runs and nobody else: the decoder takes every golden frame apart to its last byte and
 * comes to the versions that the vectors say, and refuses what breaks a rule; routes, settings and reports are judged by what
 * they must be. Bad case: a frame or an answer that is believed unread.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { packageFolder } from "../../src/assets.ts";
import { OPERATIONS } from "../../src/rest/operations.ts";

type Seen = { count(name: string, by: number): void; latency(ms: number): void };
type Book = { version: number; tradeVersion?: number };
type Follower = { text(message: object): void; frame(cursor: object): void; books: Map<number, Book> };
type Scripts = {
  Follower: new (seen: Seen, complain: (text: string) => void) => Follower;
  Cursor: new (bytes: Uint8Array) => object;
  crc32(bytes: Uint8Array, length: number): number;
};
type Routes = {
  ROUTES: [string, (place: string) => string, (answer: unknown) => boolean][];
  isRight(answer: { json(): unknown }, fits: (answer: unknown) => boolean): boolean;
};
type Settings = {
  number(name: string, fallback: number, bounds: { min: number; max: number; isWhole?: boolean }): number;
  seconds(text: string): number;
  loadReport(summary: object, about: object): { stdout: string };
};
type Vector = {
  name: string;
  before: { messages: string[] } | null;
  messages: string[];
  after: { version: string };
  trades?: { version: string }[];
};

const FOLDER = join(packageFolder(), "deploy/load");
const load = (name: string) => import(pathToFileURL(join(FOLDER, name)).href);
const { Follower } = (await load("follower.js")) as Scripts;
const { crc32, Cursor } = (await load("cursor.js")) as Scripts;
const { ROUTES, isRight } = (await load("routes.js")) as Routes;
const { loadReport, number, seconds } = (await load("settings.js")) as Settings;

const VECTORS = readFileSync(join(packageFolder(), "src/wire/golden/vectors.jsonl"), "utf8")
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => JSON.parse(line) as Vector);

const SNAPSHOT = vector("snapshot/two levels a side").messages;
const DELTAS = vector("deltas/three events in one frame");
const TRADES = vector("trades/one buy").messages;
const BBO = vector("bbo/both sides").messages;
/** Behind head, alias and version of a byte each: epoch, hash, chain, status, two exponents. */
const SNAPSHOT_UNIT_AT = 3 + 4 + 4 + 4 + 1 + 1 + 1;

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

/** With its checksum, as text. */
function sealed(bytes: Uint8Array): string {
  const seal = Buffer.alloc(4);
  seal.writeUInt32LE(crc32(bytes, bytes.length));
  return Buffer.concat([bytes, seal]).toString("hex");
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

  it("takes all golden trades apart, whatever their ids are, and comes to the version of the last", () => {
    const vectors = VECTORS.filter(({ name }) => name.startsWith("trades/"));
    expect(vectors.length).toBeGreaterThan(20);
    for (const { name, messages, trades = [] } of vectors) {
      counts = {};
      const alias = aliasOf(messages[0] ?? "");
      follower.text({ type: "subscribed", instrument: name, channel: "trades", alias });
      expect(() => send(...messages), name).not.toThrow();
      expect(counts, name).toEqual({ trades: trades.length });
      expect(follower.books.get(alias)?.tradeVersion, name).toBe(Number(trades.at(-1)?.version));
    }
  });

  it("takes all golden best prices apart", () => {
    const vectors = VECTORS.filter(({ name }) => name.startsWith("bbo/"));
    expect(vectors.length).toBeGreaterThan(8);
    for (const { name, messages } of vectors) {
      follower.text({ type: "subscribed", instrument: name, channel: "bbo", alias: aliasOf(messages[0] ?? "") });
      expect(() => send(...messages), name).not.toThrow();
    }
  });

  it("refuses a snapshot when its times are in a unit that nobody told", () => {
    const [frame = ""] = SNAPSHOT;
    const [rest, at] = [bytesOf(frame).subarray(0, -4), SNAPSHOT_UNIT_AT];
    rest[at] = 3;
    expect(() => send(sealed(rest))).toThrow("a snapshot tells times in an unknown unit, was 3");
    rest[at] = 2;
    send(sealed(rest));
    expect(counts).toEqual({ snapshots: 1 });
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

describe("The routes of the k6 scripts", () => {
  const answer = (json: () => unknown) => ({ json });

  it("are all operations of the API that only read", () => {
    const reading = Object.values(OPERATIONS).filter(({ method }) => method === "GET");
    const paths = ROUTES.map(([, path]) => path("{exchange}/{symbol}").replace(/\?.*/, ""));
    expect(paths.sort()).toEqual(reading.map(({ path }) => path).sort());
  });

  it.each(ROUTES)(
    "judge an answer of %s as wrong when it is no JSON, null or lacks its field",
    (_name, _path, fits) => {
      const broken = answer(() => JSON.parse("<html>"));
      expect([broken, answer(() => null), answer(() => ({}))].map((one) => isRight(one, fits))).toEqual([
        false,
        false,
        false,
      ]);
    },
  );

  it("judge a book as right when it is sorted and no deeper than was asked for", () => {
    const fits = ROUTES.find(([name]) => name === "orderbook")?.[2] ?? (() => false);
    const book = (bids: string[], asks: string[]) =>
      isRight(
        answer(() => ({ bids: bids.map((price) => [price, "1"]), asks: asks.map((price) => [price, "1"]) })),
        fits,
      );
    expect(book(["9", "8"], ["10", "11"])).toBe(true);
    expect(book(["8", "9"], ["10", "11"])).toBe(false);
    expect(book(["9", "8"], ["10", "10"])).toBe(false);
    expect(
      book(
        Array.from({ length: 21 }, (_, index) => String(50 - index)),
        [],
      ),
    ).toBe(false);
  });
});

describe("The settings of the k6 scripts", () => {
  const environment = (values: Record<string, string>) => vi.stubGlobal("__ENV", values);

  afterEach(() => {
    vi.unstubAllGlobals();
  });

  it("are taken within their bounds and refused with them otherwise", () => {
    const clients = () => number("CLIENTS", 50, { min: 1, max: 2000 });
    environment({});
    expect(clients()).toBe(50);
    environment({ CLIENTS: "2000" });
    expect(clients()).toBe(2000);
    for (const text of ["0", "2001", "1.5", "x", " "]) {
      environment({ CLIENTS: text });
      expect(clients).toThrow(`Cannot use CLIENTS: it must be a whole number from 1 to 2000, was ${text}`);
    }
    expect(["5m", "1m30s", "1h", "500ms"].map(seconds)).toEqual([300, 90, 3600, 0.5]);
    expect(() => seconds("61m")).toThrow("Cannot use DURATION: it must be above 0 and at most 3600 s, was 61m");
    expect(() => seconds("0s")).toThrow("above 0");
    expect(() => seconds("5")).toThrow("it must be as 5m or 1m30s, was 5");
  });

  it("stand in the report's command so that a shell runs it again", () => {
    environment({ REMOTE: "1" });
    const about = { what: "x", script: "a.js", settings: { URL: "ws://a/", INSTRUMENTS: "it's; $HOME" } };
    const { stdout } = loadReport({ metrics: {}, state: { testRunDurationMs: 1 } }, about);
    const { command } = JSON.parse(stdout) as { command: string };
    const words = execFileSync("sh", ["-c", `printf '%s\\n' ${command}`], { encoding: "utf8" })
      .trim()
      .split("\n");
    const settings = ["-e", "URL=ws://a/", "-e", "INSTRUMENTS=it's; $HOME", "-e", "REMOTE=1"];
    expect(words).toEqual(["k6", "run", "--quiet", ...settings, "a.js"]);
    environment({});
    expect(loadReport({ metrics: {}, state: { testRunDurationMs: 1 } }, about).stdout).not.toContain("REMOTE");
  });
});
