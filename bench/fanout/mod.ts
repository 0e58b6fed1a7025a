/**
 * The processes of the fan-out benchmark: three servers, one crowd of clients, bursts in turn. A burst counts when every
 * client received the same bytes and the book behind them has the server's hash.
 * Bad case: a process that dies or never answers; the benchmark fails with its name, and all processes are ended.
 */
import { type ChildProcess, fork } from "node:child_process";
import { runCrowd } from "../load/crowd.ts";
import { runClients } from "./clients.ts";
import { runFeeder } from "./feeder.ts";
import { runServer } from "./server.ts";
import { type ClientsAnswer, FANOUT_WORD, SERVERS, type ServerAnswer, type ServerName } from "./words.ts";

export { FANOUT_WORD, SERVERS, type ServerName } from "./words.ts";

const PATIENCE_MS = 150_000;

/** What a burst took. */
export type Burst = { cpuNs: number; deliveries: number; wallMs: number; messages: number; bytes: number };

/** Plays the role of a process that this benchmark started. @param words role and, of a server, its name */
export async function runFanoutProcess([role, name]: readonly string[]): Promise<void> {
  if (role === "feeder") {
    runFeeder();
  } else if (role === "clients") {
    runClients();
  } else if (role === "crowd") {
    runCrowd();
  } else {
    await runServer(SERVERS.find((known) => known === name) ?? "ours");
  }
}

/** A server in a process of its own. */
export type ServerPart = Part<ServerAnswer>;

/** Starts a server with its feeder, and waits until it listens. */
export async function openServer(server: ServerName): Promise<{ part: ServerPart; port: number }> {
  const part: ServerPart = new Part([FANOUT_WORD, "server", server]);
  const { port } = await part.next("listening");
  return { part, port };
}

/** Servers and clients that are connected. */
export class FanoutStage {
  readonly #clients: Part<ClientsAnswer>;
  readonly #servers = new Map<ServerName, Part<ServerAnswer>>();
  readonly #count: number;

  /** Use `open`: it starts the servers, too. */
  constructor(count: number) {
    this.#count = count;
    this.#clients = new Part([FANOUT_WORD, "clients"]);
  }

  /** Starts everything. @param count clients of each server */
  static async open(count: number): Promise<FanoutStage> {
    const stage = new FanoutStage(count);
    try {
      for (const server of SERVERS) {
        await stage.#connect(server);
      }
    } catch (error) {
      stage.close();
      throw error;
    }
    return stage;
  }

  /** Feeds one server at a rate, and waits until all of its clients have everything. */
  async burst(server: ServerName, { events, perSecond }: { events: number; perSecond: number }): Promise<Burst> {
    const part = this.#part(server);
    this.#clients.say({ order: "begin", server });
    const before = await part.ask({ order: "report" }, "report");
    const startedAt = performance.now();
    const { version } = await part.ask({ order: "burst", events, perSecond }, "fed");
    const done = await this.#clients.ask({ order: "finish", server, version }, "finished");
    const wallMs = performance.now() - startedAt;
    const after = await part.ask({ order: "report" }, "report");
    if (after.hash !== done.hash || after.version !== version) {
      throw new Error(`Cannot trust the fan-out of ${server}: its book and its clients' differ at ${version}`);
    }
    const { messages, bytes } = done;
    return { cpuNs: after.cpuNs - before.cpuNs, deliveries: events * this.#count, wallMs, messages, bytes };
  }

  /** Ends every process. */
  close(): void {
    for (const part of [this.#clients, ...this.#servers.values()]) {
      part.end();
    }
  }

  async #connect(server: ServerName): Promise<void> {
    const { part, port } = await openServer(server);
    this.#servers.set(server, part);
    await this.#clients.ask({ order: "connect", server, port, count: this.#count }, "connected");
  }

  #part(server: ServerName): Part<ServerAnswer> {
    const part = this.#servers.get(server);
    if (part === undefined) {
      throw new RangeError(`Cannot find a server of the benchmark: known are ${SERVERS.join(", ")}, was ${server}`);
    }
    return part;
  }
}

type Answer = { readonly answer: string; readonly reason?: string };

/** One child process and what it answers. */
export class Part<Answers extends Answer> {
  readonly #child: ChildProcess;
  readonly #name: string;

  constructor(words: readonly string[]) {
    this.#name = words.join(" ");
    this.#child = fork(process.argv[1] ?? "", [...words], { execArgv: [], serialization: "advanced" });
  }

  say(order: object): void {
    this.#child.send(order);
  }

  async ask<Kind extends Answers["answer"]>(order: object, kind: Kind): Promise<Extract<Answers, { answer: Kind }>> {
    const answered = this.next(kind);
    this.say(order);
    return await answered;
  }

  /** @throws Error when the process ends, fails, or takes too long */
  next<Kind extends Answers["answer"]>(kind: Kind): Promise<Extract<Answers, { answer: Kind }>> {
    return new Promise((resolve, reject) => {
      const listen = (message: Answers) => {
        if (message.answer === kind) {
          settle();
          resolve(message as Extract<Answers, { answer: Kind }>);
        } else if (message.answer === "failed") {
          settle();
          reject(new Error(message.reason ?? `Cannot go on: ${this.#name} failed`));
        }
      };
      const ended = (code: number | null) => {
        settle();
        reject(new Error(`Cannot go on: ${this.#name} ended, was exit status ${code}`));
      };
      const timer = setTimeout(() => {
        settle();
        reject(new Error(`Cannot go on: ${this.#name} did not answer ${kind} in time`));
      }, PATIENCE_MS);
      const settle = () => {
        clearTimeout(timer);
        this.#child.off("message", listen).off("exit", ended);
      };
      this.#child.on("message", listen).on("exit", ended);
    });
  }

  end(): void {
    this.#child.kill();
  }
}
