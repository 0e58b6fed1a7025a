/**
 * A rolling restart of everything under many stream clients: an emulated exchange that knows the truth, a collector and
 * its standby, two gateways behind a balancer that asks them whether they are ready, and clients in a process of their own.
 * Collectors and gateways end one after the other, in order or killed, and are started again, while the market moves.
 * Bad case: something that does not come back; the run ends with what was missing and what the processes said.
 */
import { rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { connect, createServer, type Server, type Socket } from "node:net";
import { assetPath } from "../../src/assets.ts";
import { type Emulator, startEmulator } from "../../src/emulator/mod.ts";
import {
  bundleScript,
  type Child,
  type ChildLines,
  endChild,
  holds,
  monotonicMs,
  pause,
  segmentFolder,
  startChild,
} from "./mapped_child.ts";
import type { ClientFaults, HeldBooks, Recovery } from "./rolling_clients.ts";

/** How much is rolled. */
export type RollingOptions = {
  readonly clients: number;
  readonly rounds: number;
  readonly rate: number;
  readonly seed: number;
  readonly drainMs: number;
  /** Pause before a gateway's restart: a client that lost its connection a moment ago comes back more slowly. */
  readonly settleMs: number;
  /** For everything that must come sooner or later. */
  readonly patienceMs: number;
  readonly onRow?: (row: RollingRow) => void;
};

/** One restart. */
export type RollingRow = {
  readonly what: "collector ends" | "collector is killed" | "gateway drains" | "gateway is killed";
  /** Clients that were disturbed, and from the signal until every book of each was right again. */
  readonly affected: number;
  readonly medianMs: number;
  readonly worstMs: number;
  /** From the signal to the end of the process. */
  readonly endedMs: number;
  readonly status: number | null;
  /** The longest time in which the clients' process got none. */
  readonly stalledMs: number;
  /** Books of clients that were not the true ones when the market paused. */
  readonly wrong: readonly string[];
};

/** What came of it. */
export type RollingResult = {
  readonly rows: readonly RollingRow[];
  readonly clients: Omit<ClientFaults, "kind">;
  /** Ends that nobody asked for, and what else should not be. */
  readonly accidents: readonly string[];
};

const EXCHANGE = "kraken";
/** From a collector's death to books synced elsewhere, from a gateway's to clients resumed. */
const GOAL_MS = { collector: 5000, gateway: 2000 } as const;
const DEPTH = 10;
const BOOKS = { "kraken:BTC-USD": "BTC/USD", "kraken:ETH-USD": "ETH/USD" } as const;
const READY_MS = 50;
const ASK_MS = 20;

/** In what time the last client must be right again after a restart, ms. */
export function goalOf(what: RollingRow["what"]): number {
  return what.startsWith("collector") ? GOAL_MS.collector : GOAL_MS.gateway;
}

/** Runs it. @throws Error when something does not come up or come back in time */
export async function runRolling(options: RollingOptions): Promise<RollingResult> {
  const fleet = await RollingFleet.start(options);
  try {
    const rows: RollingRow[] = [];
    for (let round = 0; round < options.rounds; round++) {
      for (const step of [
        () => fleet.restartCollector("SIGTERM"),
        () => fleet.restartCollector("SIGKILL"),
        () => fleet.restartGateway(0, "SIGTERM"),
        () => fleet.restartGateway(1, "SIGKILL"),
      ]) {
        const row = await step();
        rows.push(row);
        options.onRow?.(row);
      }
    }
    const { kind: _kind, ...clients } = await fleet.ask<ClientFaults>("faults");
    return { rows, clients, accidents: fleet.accidents };
  } finally {
    await fleet.close();
  }
}

type Collector = { readonly child: Child; isWarm: boolean; isCollecting: boolean };
type Gateway = { child: Child; port: number; isReady: boolean };

class RollingFleet {
  readonly accidents: string[] = [];
  readonly #options: RollingOptions;
  readonly #emulator: Emulator;
  readonly #directory = segmentFolder();
  readonly #children = new Set<Child>();
  readonly #gateways: Gateway[] = [];
  readonly #balancer: Balancer;
  readonly #answers: string[] = [];
  /** The one that collects, then its standby. */
  #collectors: Collector[] = [];
  #clients: Child | undefined;

  constructor(options: RollingOptions, emulator: Emulator) {
    this.#options = options;
    this.#emulator = emulator;
    this.#balancer = new Balancer(() => this.#gateways.filter(({ isReady }) => isReady).map(({ port }) => port));
  }

  static async start(options: RollingOptions): Promise<RollingFleet> {
    const { rate, seed } = options;
    const emulator = await startEmulator({ exchanges: [EXCHANGE], source: { kind: "market", rate }, seed });
    const fleet = new RollingFleet(options, emulator);
    try {
      await fleet.#begin();
    } catch (error) {
      await fleet.close();
      throw error;
    }
    return fleet;
  }

  async #begin(): Promise<void> {
    this.#collectors.push(this.#collector());
    await this.#until("a collector", () => this.#collectors[0]?.isCollecting === true);
    this.#collectors.push(this.#collector());
    for (const _ of [0, 1]) {
      this.#gateways.push(this.#gateway(0));
    }
    await this.#until("two gateways", () => this.#gateways.every(({ isReady }) => isReady));
    await this.#until("a warm standby", () => this.#collectors[1]?.isWarm === true);
    const url = `ws://127.0.0.1:${await this.#balancer.listen()}/ws`;
    const words = [await bundleScript("rolling_clients"), url, String(this.#options.clients)];
    this.#clients = this.#start("clients", [...words, Object.keys(BOOKS).join()], {
      out: (line) => this.#answers.push(line),
    });
    await this.#recovered(0, this.#options.clients);
  }

  /** Ends the one that collects; its standby takes over, and another one becomes the standby. */
  async restartCollector(signal: "SIGTERM" | "SIGKILL"): Promise<RollingRow> {
    const [first, standby] = this.#collectors;
    if (first === undefined || standby === undefined) {
      throw new Error("Cannot restart a collector: there are not two of them");
    }
    await this.#until("a warm standby", () => standby.isWarm);
    const ended = await this.#end(first.child, signal);
    const row = await this.#recovered(ended.at, this.#options.clients);
    this.#collectors = [standby, this.#collector()];
    const what = signal === "SIGTERM" ? "collector ends" : "collector is killed";
    return { what, ...row, ...ended.facts, wrong: await this.#wrongBooks() };
  }

  /** Ends a gateway; its clients find the other one, and another one is started on its port. */
  async restartGateway(index: number, signal: "SIGTERM" | "SIGKILL"): Promise<RollingRow> {
    const gateway = this.#gateways[index];
    if (gateway === undefined) {
      throw new Error(`Cannot restart a gateway: there is none, was ${index}`);
    }
    await this.#until("two gateways", () => this.#gateways.every(({ isReady }) => isReady));
    await pause(this.#options.settleMs);
    const clients = this.#balancer.count(gateway.port);
    const ended = await this.#end(gateway.child, signal);
    gateway.isReady = false;
    const row = await this.#recovered(ended.at, clients);
    this.#gateways[index] = this.#gateway(gateway.port);
    const what = signal === "SIGTERM" ? "gateway drains" : "gateway is killed";
    return { what, ...row, ...ended.facts, wrong: await this.#wrongBooks() };
  }

  /** Asks the clients. */
  async ask<Answer>(question: string): Promise<Answer> {
    const { length } = this.#answers;
    this.#clients?.child.stdin?.write(`${question}\n`);
    await this.#until(`an answer to ${question}`, () => this.#answers.length > length);
    return JSON.parse(this.#answers.splice(0).at(-1) ?? "") as Answer;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#children].map((child) => endChild(child)));
    this.#balancer.close();
    for (const gateway of this.#gateways) {
      gateway.isReady = false;
    }
    await this.#emulator.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #end(child: Child, signal: "SIGTERM" | "SIGKILL") {
    child.isDone = true;
    const at = monotonicMs();
    child.child.kill(signal);
    const status = await child.ended;
    return { at, facts: { endedMs: Math.round(monotonicMs() - at), status } };
  }

  /** Waits until at least so many clients were disturbed and nobody is any more. */
  async #recovered(since: number, affected: number): Promise<Omit<Recovery, "kind" | "broken" | "reconnects">> {
    const until = monotonicMs() + this.#options.patienceMs;
    let stalledMs = 0;
    for (;;) {
      const { kind: _, broken, reconnects: _r, ...times } = await this.ask<Recovery>(`since ${since}`);
      stalledMs = Math.max(stalledMs, times.stalledMs);
      if (broken === 0 && times.affected >= affected) {
        return { ...times, stalledMs };
      }
      if (monotonicMs() > until) {
        throw new Error(`Cannot go on: ${broken} clients are disturbed, ${times.affected} were; ${this.#said()}`);
      }
      await pause(ASK_MS);
    }
  }

  /** Pauses the market and compares what every client holds with the truth. */
  async #wrongBooks(): Promise<string[]> {
    this.#emulator.pause();
    let wrong = [""];
    const until = monotonicMs() + this.#options.patienceMs;
    while (wrong.length > 0 && monotonicMs() < until) {
      await pause(ASK_MS);
      const { held } = await this.ask<HeldBooks>("books");
      wrong = Object.entries(BOOKS).flatMap(([instrument, native]) => {
        const truth = JSON.stringify(shortened(this.#emulator.trueBook(EXCHANGE, native)));
        return (held[instrument] ?? []).flatMap(({ clients, isSynced, levels }) => {
          const isRight = isSynced && JSON.stringify(shortened(JSON.parse(levels) as Sides)) === truth;
          return isRight ? [] : [`${instrument} of ${clients} clients${isSynced ? "" : " is not synced"}`];
        });
      });
    }
    this.#emulator.resume();
    return wrong;
  }

  #collector(): Collector {
    const { websocket, rest } = this.#emulator.endpoints[EXCHANGE];
    const sets = [`websocket_urls=${websocket}`, `rest_url=${rest}`, `depth=${DEPTH}`];
    const words = ["collect", "--exchange", EXCHANGE, "--standby"];
    const child = this.#program("collector", [...words, ...sets.map((set) => `--set=exchanges.${EXCHANGE}.${set}`)], {
      out: (line) => {
        collector.isCollecting ||= line.includes("collects");
      },
      error: (line) => {
        collector.isWarm ||= line.includes("is warm");
      },
    });
    const collector: Collector = { child, isWarm: false, isCollecting: false };
    return collector;
  }

  #gateway(port: number): Gateway {
    const set = `--set=gateway.drain_ms=${this.#options.drainMs}`;
    const child = this.#program("gateway", ["gateway", "--port", String(port), set], {
      out: (line) => {
        gateway.port = Number(/:(\d+)\//.exec(line)?.[1] ?? 0);
        void this.#watch(gateway);
      },
    });
    const gateway: Gateway = { child, port, isReady: false };
    return gateway;
  }

  /** Asks a gateway again and again whether it is ready, as a balancer does. */
  async #watch(gateway: Gateway): Promise<void> {
    while (!gateway.child.isDone || gateway.isReady) {
      const url = `http://127.0.0.1:${gateway.port}/ready`;
      const isReady = await fetch(url).then(
        async (answer) => (await answer.text()) !== "" && answer.ok,
        () => false,
      );
      gateway.isReady = isReady;
      await pause(READY_MS);
    }
  }

  #program(name: string, words: readonly string[], lines: ChildLines): Child {
    const common = ["--directory", this.#directory, "--log-level", "info"];
    return this.#start(name, [assetPath("main.js"), ...words, ...common], lines);
  }

  #start(name: string, words: readonly string[], lines: ChildLines): Child {
    const child = startChild(name, [process.execPath, ...words], { lines });
    this.#children.add(child);
    void child.ended.then((status) => {
      this.#children.delete(child);
      if (!child.isDone) {
        this.accidents.push(`${name} ended with ${status}: ${child.stderr().slice(-2000)}`);
      }
    });
    return child;
  }

  async #until(what: string, condition: () => boolean): Promise<void> {
    if (!(await holds(condition, this.#options.patienceMs))) {
      throw new Error(`Cannot go on: ${what} did not come; ${this.#said()}`);
    }
  }

  #said(): string {
    const texts = [...this.#children].map(({ name, stderr }) => `${name}: ${stderr().slice(-600)}`);
    return [...this.accidents, ...texts].join("\n");
  }
}

type Sides = { readonly bids?: readonly (readonly string[])[]; readonly asks?: readonly (readonly string[])[] };

/** The levels that an exchange tells, without zeros that mean nothing. */
function shortened({ bids = [], asks = [] }: Sides) {
  const short = (text: string) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  const side = (levels: readonly (readonly string[])[]) => levels.slice(0, DEPTH).map((level) => level.map(short));
  return { bids: side(bids), asks: side(asks) };
}

/** Hands connections to whoever is ready and has the fewest. */
class Balancer {
  readonly #ports: () => readonly number[];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #counts = new Map<number, number>();

  constructor(ports: () => readonly number[]) {
    this.#ports = ports;
    this.#server = createServer((socket) => this.#hand(socket));
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that a port has. */
  count(port: number): number {
    return this.#counts.get(port) ?? 0;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) {
      socket.destroy();
    }
  }

  #hand(socket: Socket): void {
    const [port] = [...this.#ports()].sort((a, b) => this.count(a) - this.count(b));
    if (port === undefined) {
      socket.destroy();
      return;
    }
    const other = connect(port, "127.0.0.1");
    this.#counts.set(port, this.count(port) + 1);
    socket.once("close", () => this.#counts.set(port, this.count(port) - 1));
    for (const [from, to] of [
      [socket, other],
      [other, socket],
    ] as const) {
      this.#sockets.add(from);
      from.setNoDelay(true);
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }
}
