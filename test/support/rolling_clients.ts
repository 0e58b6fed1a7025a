/**
 * Many stream clients in one process, for tests in which those who serve them are restarted: `clients.mjs URL COUNT
 * INSTRUMENTS`. Each follows whole books and judges what it holds: versions that do not chain, hashes that are not those of
 * the levels, books that differ between clients at the same event. It answers commands on standard input by JSON lines.
 * Bad case: the process gets no time; what it measures is late by as much, so its longest pause is in every answer.
 */
import { createInterface } from "node:readline";
import { WebSocket } from "ws";
import { type BookHandle, type ClientBook, connect, type StreamClient } from "../../src/client/mod.ts";
import { levelHash } from "../../src/kernel/twin/hash.ts";
import { monotonicMs } from "./mapped_child.ts";

/** What `since <monotonic ms>` answers: who was disturbed after that moment, and until when. */
export type Recovery = {
  readonly kind: "recovery";
  /** Clients that have not every book synced at this moment. */
  readonly broken: number;
  /** Clients whose disturbance ended after that moment. */
  readonly affected: number;
  /** From that moment to the end of each one's disturbance, ms. */
  readonly medianMs: number;
  readonly worstMs: number;
  readonly reconnects: number;
  /** The longest time in which this process got none. */
  readonly stalledMs: number;
};

/** What `books` answers: for each instrument the different books that clients hold. */
export type HeldBooks = {
  readonly kind: "books";
  readonly held: Record<string, { readonly clients: number; readonly isSynced: boolean; readonly levels: string }[]>;
};

/** What `faults` answers. */
export type ClientFaults = {
  readonly kind: "faults";
  /** Events that were judged, and hashes that were compared with those of other clients. */
  readonly events: number;
  readonly compared: number;
  /** What was wrong, each once. */
  readonly faults: readonly string[];
  readonly resyncs: number;
  readonly resumes: number;
  readonly hinted: number;
};

const FAULTS_MAX = 20;
/** One event of so many is judged level by level. */
const SAMPLE = 16n;
const WATCH_MS = 5;
/** Events whose hash is remembered. */
const REMEMBERED_MAX = 200_000;

const faults: string[] = [];
const hashes = new Map<string, number>();
const sums = { events: 0, compared: 0, hinted: 0 };
let stalledMs = 0;

/** One client with its books. */
class Follower {
  readonly client: StreamClient;
  readonly handles: readonly BookHandle[];
  /** Monotonic ms at which it was last disturbed and whole again. */
  brokenAt = 0;
  wholeAt = 0;
  readonly #versions = new Map<string, bigint>();

  constructor(url: string, instruments: readonly string[]) {
    this.client = connect(url, { WebSocket });
    this.handles = instruments.map((instrument) => this.client.book(instrument));
    this.client.on((event) => {
      if (event.type === "book") {
        this.#judge(event);
      }
      if (event.type === "connection" && / in \d+ ms$/.test(event.reason)) {
        sums.hinted += 1;
      }
    });
    for (const handle of this.handles) {
      handle.on("state", () => this.#look());
    }
    this.#look();
  }

  get isWhole(): boolean {
    return this.handles.every(({ state }) => state === "synced");
  }

  #look(): void {
    if (!this.isWhole) {
      this.brokenAt = this.brokenAt > this.wholeAt ? this.brokenAt : monotonicMs();
    } else if (this.brokenAt >= this.wholeAt) {
      this.wholeAt = monotonicMs();
    }
  }

  #judge({
    instrument,
    version,
    records,
    isSnapshot,
  }: {
    instrument: string;
    version: string;
    records: number;
    isSnapshot: boolean;
  }) {
    sums.events += 1;
    const [now, before] = [BigInt(version), this.#versions.get(instrument)];
    this.#versions.set(instrument, now);
    if (!isSnapshot && before !== undefined && now !== before + BigInt(records)) {
      tell(`${instrument} went from ${before} to ${now} by ${records} records`);
    }
    if (isSnapshot || now % SAMPLE === 0n) {
      const book = this.client.peek(instrument);
      if (book !== undefined) {
        compare(book);
      }
    }
  }
}

/** A book's hash is that of its levels, and of every other client at the same event. */
function compare(book: ClientBook): void {
  // Versions begin anew with each collector; when a book was received is unknown until its first change, but not since when
  // it is synced.
  const event = `${book.instrument} ${book.version} ${book.receivedAtNs} ${book.sinceNs}`;
  const known = hashes.get(event);
  if (known === undefined) {
    if (hashes.size > REMEMBERED_MAX) {
      hashes.clear();
    }
    hashes.set(event, book.hash);
    const own = hashOf(book);
    if (own !== book.hash) {
      tell(`${event} has the hash ${book.hash}, its levels ${own}`);
    }
    return;
  }
  sums.compared += 1;
  if (known !== book.hash) {
    tell(`${event} has the hashes ${known} and ${book.hash}`);
  }
}

function hashOf(book: ClientBook): number {
  const { priceExponent, quantityExponent } = book;
  const units = (text: string, exponent: number) => {
    const [whole = "", fraction = ""] = text.split(".");
    return BigInt(whole + fraction.padEnd(exponent, "0"));
  };
  const low = (value: bigint) => Number(BigInt.asIntN(32, value));
  const side = (levels: ClientBook["bids"], number: number) =>
    levels.reduce((sum, [price, quantity]) => {
      const [ticks, lots] = [units(price, priceExponent), units(quantity, quantityExponent)];
      return sum + levelHash(number, low(ticks), low(ticks >> 32n), low(lots), low(lots >> 32n));
    }, 0);
  return (side(book.bids, 0) + side(book.asks, 1)) >>> 0;
}

function tell(fault: string): void {
  if (faults.length < FAULTS_MAX && !faults.includes(fault)) {
    faults.push(fault);
  }
}

function recovery(followers: readonly Follower[], since: number): Recovery {
  const broken = followers.filter(({ isWhole }) => !isWhole).length;
  const times = followers.flatMap(({ wholeAt }) => (wholeAt > since ? [wholeAt - since] : [])).sort((a, b) => a - b);
  const stalled = stalledMs;
  stalledMs = 0;
  return {
    kind: "recovery",
    broken,
    affected: times.length,
    medianMs: Math.round(times[Math.floor(times.length / 2)] ?? 0),
    worstMs: Math.round(times.at(-1) ?? 0),
    reconnects: sum(followers, ({ client }) => client.counts.reconnects),
    stalledMs: Math.round(stalled),
  };
}

function heldBooks(followers: readonly Follower[], instruments: readonly string[]): HeldBooks {
  const held: Record<string, { clients: number; isSynced: boolean; levels: string }[]> = {};
  for (const instrument of instruments) {
    const groups = new Map<string, { clients: number; isSynced: boolean; levels: string }>();
    for (const { client } of followers) {
      const book = client.peek(instrument);
      const levels = JSON.stringify({ bids: book?.bids, asks: book?.asks });
      const key = `${book?.isSynced} ${levels}`;
      const group = groups.get(key) ?? { clients: 0, isSynced: book?.isSynced === true, levels };
      groups.set(key, { ...group, clients: group.clients + 1 });
    }
    held[instrument] = [...groups.values()];
  }
  return { kind: "books", held };
}

function sum<Item>(items: readonly Item[], of: (item: Item) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

function main([url = "", count = "1", names = ""]: readonly string[]): void {
  const instruments = names.split(",");
  const followers: Follower[] = [];
  // Not all at once: a server limits the attempts of one address.
  const joining = setInterval(() => {
    followers.push(new Follower(url, instruments));
    if (followers.length === Number(count)) {
      clearInterval(joining);
    }
  }, WATCH_MS);
  let watchedAt = monotonicMs();
  setInterval(() => {
    const now = monotonicMs();
    stalledMs = Math.max(stalledMs, now - watchedAt - WATCH_MS);
    watchedAt = now;
  }, WATCH_MS);
  const say = (answer: Recovery | HeldBooks | ClientFaults) => process.stdout.write(`${JSON.stringify(answer)}\n`);
  createInterface({ input: process.stdin }).on("line", (line) => {
    const [command, argument] = line.split(" ");
    if (command === "since") {
      say(recovery(followers, Number(argument)));
    } else if (command === "books") {
      say(heldBooks(followers, instruments));
    } else {
      const resyncs = sum(followers, ({ client: { counts } }) => counts.resyncs + counts.malformed);
      const resumes = sum(followers, ({ client: { counts } }) => counts.resumes);
      say({ kind: "faults", ...sums, faults, resyncs, resumes });
    }
  });
}

main(process.argv.slice(2));
