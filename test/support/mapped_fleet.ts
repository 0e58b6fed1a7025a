/**
 * Three collectors, a gateway, a Node reader and a Python reader as processes over one folder, a stream client of the
 * gateway in this one, and the emulator that has the truth. What each of them shows is written down with the time.
 * Bad case: a machine without Python and numpy; the fleet is smaller then, and says so.
 */
import { execFileSync } from "node:child_process";
import { rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { assetPath, packageFolder } from "../../src/assets.ts";
import { connect, type StreamClient } from "../../src/client/mod.ts";
import { type Emulator, startEmulator } from "../../src/emulator/mod.ts";
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import { type ToldBook, units } from "./mapped_books.ts";
import {
  bundleScript,
  type Child,
  type ChildLines,
  cpuSeconds,
  endChild,
  holds,
  monotonicMs,
  pause,
  segmentFolder,
  startChild,
} from "./mapped_child.ts";
import { WitnessSocket } from "./server_messages.ts";

/** The exchanges of the fleet. */
export const FLEET_EXCHANGES = ["coinbase_exchange", "kraken", "binance"] as const satisfies ExchangeId[];
/** Books of the whole fleet. */
export const FLEET_BOOKS = 6;

/** Who looks at the books. */
export type WitnessName = "node" | "python" | "gateway";
/** Whom a kill can hit. */
export type Role = WitnessName | (typeof FLEET_EXCHANGES)[number];

/** What a witness showed. */
export type Sight = {
  readonly witness: WitnessName;
  /** Monotonic ms. */
  readonly at: number;
} & (
  | { readonly kind: "state"; readonly name: string; readonly isSynced: boolean; readonly why: string }
  | {
      readonly kind: "outcome";
      readonly exchange: string;
      readonly outcome: string;
      readonly epoch: string;
      readonly detail: string | number;
    }
);

type Line =
  | Omit<Sight, "witness">
  | { kind: "sample"; name: string; epoch: string; version: string; hash: number }
  | { kind: "books"; id: string; books: ToldBook[] };

const RATE = 20;
const WATCH_MS = 5;
const ASK_MS = 5000;
const START_MS = 40_000;
const SERVING = /^Serving (?<exchange>[a-z0-9_]+), epoch (?<epoch>\d+)/;
const PYTHON = process.env.ALPHAPULSE_PYTHON ?? "python3";

/** The interpreter with numpy. @returns undefined when there is none */
export function pythonWithNumpy(): string | undefined {
  try {
    execFileSync(PYTHON, ["-c", "import numpy"], { stdio: "ignore" });
    return PYTHON;
  } catch (error) {
    return error instanceof Error ? undefined : PYTHON;
  }
}

/** All of them together. Thread: one. */
export class MappedFleet {
  readonly directory = segmentFolder();
  readonly emulator: Emulator;
  readonly sights: Sight[] = [];
  /** Hashes that two witnesses gave for one version of a book, and that differ. */
  readonly contradictions: string[] = [];
  /** Ends that nobody asked for, with what was said. */
  readonly accidents: string[] = [];
  /** Hashes that were compared between witnesses. */
  compared = 0;
  readonly #children = new Map<Role, Child>();
  readonly #synced: Record<WitnessName, Map<string, boolean>> = {
    node: new Map(),
    python: new Map(),
    gateway: new Map(),
  };
  readonly #hashes = new Map<string, { witness: WitnessName; hash: number }>();
  readonly #answers = new Map<WitnessName, ToldBook[]>();
  readonly #witnessScript: string;
  readonly #python: string | undefined;
  /** Of whichever gateway has the port. */
  #client: StreamClient | undefined;
  #port = 0;
  #watch: NodeJS.Timeout | undefined;
  #watchedAt = monotonicMs();
  #stalledMs = 0;

  constructor(parts: { emulator: Emulator; script: string; python: string | undefined }) {
    this.emulator = parts.emulator;
    this.#witnessScript = parts.script;
    this.#python = parts.python;
  }

  /** Starts everything. @throws Error when it does not come up */
  static async start(options: { seed: number; python: string | undefined }): Promise<MappedFleet> {
    const source = { kind: "market", rate: RATE } as const;
    const emulator = await startEmulator({ exchanges: FLEET_EXCHANGES, source, seed: options.seed });
    const script = await bundleScript("mapped_witness");
    const fleet = new MappedFleet({ emulator, script, python: options.python });
    for (const role of fleet.roles) {
      fleet.run(role);
    }
    fleet.#watch = setInterval(() => fleet.#watchAll(), WATCH_MS);
    if (!(await holds(() => fleet.isWhole, START_MS))) {
      const state = JSON.stringify(fleet.missing);
      await fleet.close();
      throw new Error(`Cannot start the fleet: not all books are synced, was ${state} ${fleet.accidents.join()}`);
    }
    return fleet;
  }

  /** Who is there. */
  get roles(): Role[] {
    return [...FLEET_EXCHANGES, "gateway", ...this.witnesses.filter((name) => name !== "gateway")];
  }

  /** Who looks. */
  get witnesses(): WitnessName[] {
    return this.#python === undefined ? ["node", "gateway"] : ["node", "python", "gateway"];
  }

  /** Every witness shows every book as synced. */
  get isWhole(): boolean {
    return this.witnesses.every((witness) => this.syncedBooks(witness).length === FLEET_BOOKS);
  }

  /** Synced books by witness, for messages. */
  get missing(): Record<string, readonly string[]> {
    return Object.fromEntries(this.witnesses.map((witness) => [witness, this.syncedBooks(witness)]));
  }

  /** Checks that failed at the client of the gateways. */
  get clientFaults(): number {
    const { malformed = 0, resyncs = 0 } = this.#client?.counts ?? {};
    return malformed + resyncs;
  }

  /** The longest time since the last call in which this process, and the emulator in it, got no time to run. */
  takeStall(): number {
    const stalled = this.#stalledMs;
    this.#stalledMs = 0;
    return Math.round(stalled);
  }

  /** Books that a witness shows as synced. */
  syncedBooks(witness: WitnessName): string[] {
    return [...this.#synced[witness]].flatMap(([name, isSynced]) => (isSynced ? [name] : []));
  }

  /** The file of an exchange's segment: inode and the monotonic time at which it appeared. */
  segmentFile(exchange: string): { inode: number; appearedAt: number } {
    const stats = statSync(join(this.directory, `${exchange}.seg`), { throwIfNoEntry: false });
    return { inode: stats?.ino ?? 0, appearedAt: monotonicMs() - (Date.now() - (stats?.ctimeMs ?? 0)) };
  }

  /** Starts a role's process. */
  run(role: Role): void {
    const child = startChild(role, this.#words(role), {
      lines: this.#linesOf(role),
      environment: { PYTHONPATH: join(packageFolder(), "python/src"), PYTHONDONTWRITEBYTECODE: "1" },
    });
    this.#children.set(role, child);
    void child.ended.then((status) => {
      if (!child.isDone) {
        this.accidents.push(`${role} ended with ${status}: ${child.stderr()}`);
      }
    });
  }

  /** Kills a role's process. @returns monotonic ms */
  async kill(role: Role): Promise<number> {
    const child = this.#children.get(role);
    const at = child === undefined ? monotonicMs() : await endChild(child);
    if (role === "node" || role === "python") {
      this.#synced[role].clear();
    }
    return at;
  }

  /** The share of one core that a role uses while the market is as it is. */
  async cpuShare(role: Role, seconds: number): Promise<number> {
    const pid = this.#children.get(role)?.child.pid ?? 0;
    const [before, startedAt] = [cpuSeconds(pid), monotonicMs()];
    await pause(seconds * 1000);
    return (cpuSeconds(pid) - before) / ((monotonicMs() - startedAt) / 1000);
  }

  /** All books of a witness, every level. @returns undefined when it did not answer */
  async books(witness: WitnessName): Promise<ToldBook[] | undefined> {
    this.#answers.delete(witness);
    this.#children.get(witness)?.child.stdin?.write("books\n");
    await holds(() => this.#answers.has(witness), ASK_MS);
    return this.#answers.get(witness);
  }

  /** The gateway's books, in the units and with the known ranges of a reader's. */
  clientBooks(like: readonly ToldBook[]): ToldBook[] {
    return like.flatMap((book) => {
      const held = this.#client?.peek(book.name);
      const side = (levels: readonly (readonly [string, string])[]) =>
        levels.map(([price, quantity]): [string, string] => [
          String(units(price, book.priceExponent)),
          String(units(quantity, book.quantityExponent)),
        ]);
      return held === undefined
        ? []
        : {
            ...book,
            ...held,
            isSynced: held.isSynced,
            depth: book.depth,
            bids: side(held.bids),
            asks: side(held.asks),
          };
    });
  }

  /** Ends everything. */
  async close(): Promise<void> {
    clearInterval(this.#watch);
    this.#client?.close();
    await Promise.all([...this.#children.values()].map((child) => endChild(child)));
    await this.emulator.close();
    await pause(0);
    rmSync(this.directory, { recursive: true, force: true });
  }

  #words(role: Role): string[] {
    const program = (words: string[], level: string) => [
      ...[process.execPath, assetPath("main.js"), ...words],
      ...["--directory", this.directory, "--log-level", level],
    ];
    switch (role) {
      case "node":
        return [process.execPath, this.#witnessScript, this.directory, FLEET_EXCHANGES.join()];
      case "python":
        return [
          ...[this.#python ?? PYTHON, join(packageFolder(), "test/support/mapped_witness.py")],
          ...[this.directory, FLEET_EXCHANGES.join()],
        ];
      case "gateway":
        // The one that takes over after a kill must get the port of the killed one.
        return program(["gateway", "--port", String(this.#port)], "info");
      default: {
        const { websocket, rest } = this.emulator.endpoints[role];
        const places = [`websocket_urls=${websocket}`, `rest_url=${rest}`];
        const sets = places.map((place) => `--set=exchanges.${role}.${place}`);
        return program(["collect", "--exchange", role, ...sets], "error");
      }
    }
  }

  #linesOf(role: Role): ChildLines {
    if (role === "node" || role === "python") {
      return { out: (line) => this.#hear(role, JSON.parse(line) as Line) };
    }
    return role === "gateway"
      ? {
          out: (line) => this.#listens(new URL(/http:\S+/.exec(line)?.[0] ?? "").port),
          error: (line) => this.#hearGateway(line),
        }
      : {};
  }

  /** The first gateway took any port; those after it have the same, and the client finds its way back by itself. */
  #listens(port: string): void {
    this.#port = Number(port);
    if (this.#client === undefined) {
      this.#client = connect(`ws://127.0.0.1:${port}/ws`, { WebSocket: WitnessSocket });
      this.#client.subscribe({ channels: ["book"], instruments: ["*:*"] });
      this.#client.on(() => this.#watchClient());
    }
  }

  #hear(witness: WitnessName, line: Line): void {
    switch (line.kind) {
      case "books":
        this.#answers.set(witness, (line as { books: ToldBook[] }).books);
        break;
      case "sample":
        this.#compare(witness, line as Extract<Line, { kind: "sample" }>);
        break;
      default: {
        const sight = { ...line, witness } as Sight;
        this.sights.push(sight);
        if (sight.kind === "state") {
          this.#synced[witness].set(sight.name, sight.isSynced);
        }
      }
    }
  }

  #compare(witness: WitnessName, { name, epoch, version, hash }: Extract<Line, { kind: "sample" }>): void {
    const key = `${name} ${epoch} ${version}`;
    const known = this.#hashes.get(key);
    if (known !== undefined && known.witness !== witness) {
      this.compared += 1;
      if (known.hash !== hash) {
        this.contradictions.push(`${key}: ${known.hash} of ${known.witness}, ${hash} of ${witness}`);
      }
    }
    this.#hashes.set(key, { witness, hash });
  }

  /** The gateway logs when it begins to serve an epoch, with the wall clock. */
  #hearGateway(line: string): void {
    if (!line.startsWith("{")) {
      this.accidents.push(`gateway: ${line}`);
      return;
    }
    const { msg = "", time = "" } = JSON.parse(line) as { msg?: string; time?: string };
    const { exchange, epoch } = SERVING.exec(msg)?.groups ?? {};
    const at = monotonicMs() - (Date.now() - Date.parse(time));
    if (exchange !== undefined && epoch !== undefined) {
      this.sights.push({ witness: "gateway", kind: "outcome", at, exchange, outcome: "epoch", epoch, detail: "" });
    } else if (/^Cannot/.test(msg)) {
      this.accidents.push(`gateway: ${msg}`);
    }
  }

  #watchAll(): void {
    const now = monotonicMs();
    this.#stalledMs = Math.max(this.#stalledMs, now - this.#watchedAt - WATCH_MS);
    this.#watchedAt = now;
    this.#watchClient();
  }

  #watchClient(): void {
    for (const { instrument: name, state, reason } of this.#client?.statuses() ?? []) {
      const isSynced = this.#client?.peek(name, 1)?.isSynced === true;
      if (this.#synced.gateway.get(name) !== isSynced) {
        this.#synced.gateway.set(name, isSynced);
        const why = `${state} ${reason}`;
        this.sights.push({ witness: "gateway", kind: "state", at: monotonicMs(), name, isSynced, why });
      }
    }
  }
}
