/**
 * A real nats-server for a test: a process of its own with a store of its own, on loopback and a port that stays the same
 * when it is started again. Bad case: a server that does not come up; the error carries what it printed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findProgram } from "./prometheus.ts";
import { optionalPart } from "./require.ts";

const START_MS = 15_000;

/** Where nats-server stands; undefined when it is not installed. Debian puts it where users do not look. */
export const NATS_SERVER = findProgram("nats-server") ?? findProgram("/usr/sbin/nats-server");

/** Whether the tests that need a broker can run; a run without one says so at its end. */
export const hasNatsServer = optionalPart("nats-server", NATS_SERVER !== undefined);

/** How a server is started. */
export type NatsServerOptions = {
  /** Lines of its configuration beside port and store. */
  readonly settings?: string;
  /** Words in front of the program: `ip netns exec …`. */
  readonly prefix?: readonly string[];
  readonly host?: string;
};

/** A server. */
export class NatsServer {
  readonly port: number;
  readonly host: string;
  /** Lines of its configuration; others count from the next start on. */
  settings: string;
  readonly #options: NatsServerOptions;
  readonly #folder: string;
  #child: ChildProcess | undefined;
  #said = "";

  constructor(port: number, folder: string, options: NatsServerOptions) {
    this.port = port;
    this.host = options.host ?? "127.0.0.1";
    this.#folder = folder;
    this.#options = options;
    this.settings = options.settings ?? "";
  }

  static async start(options: NatsServerOptions = {}): Promise<NatsServer> {
    const server = new NatsServer(await freePort(), mkdtempSync(join(tmpdir(), "alphapulse-nats-")), options);
    await server.start();
    return server;
  }

  get url(): string {
    return `nats://${this.host}:${this.port}`;
  }

  /** Starts it, again on the same port over the same store. */
  async start(): Promise<void> {
    const config = join(this.#folder, "nats.conf");
    const store = join(this.#folder, "store");
    const { settings } = this;
    writeFileSync(
      config,
      `host: "${this.host}"\nport: ${this.port}\njetstream { store_dir: "${store}", max_file: 8GB, max_mem: 8GB }\n${settings}\n`,
    );
    const [program = "", ...words] = [...(this.#options.prefix ?? []), NATS_SERVER ?? "nats-server", "-c", config];
    this.#said = "";
    const child = spawn(program, words, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        this.#said += chunk.toString("utf8");
      });
    }
    this.#child = child;
    for (const until = Date.now() + START_MS; !/Server is ready/.test(this.#said); ) {
      if (Date.now() > until || child.exitCode !== null) {
        throw new Error(`Cannot start nats-server, was ${this.#said}`);
      }
      await pause(20);
    }
  }

  /** Ends it at once, as a power cut would end the process. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const child = this.#child;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      await once(child, "close");
    }
  }

  /** Ends it and removes its store. */
  async close(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A TCP proxy that can be cut: bytes stop, connections stay open and nobody is told, as when a cable is pulled. */
export class DeafProxy {
  readonly #server;
  readonly #flows = new Set<{ pause(): void; resume(): void; end(): void }>();
  #isDeaf = false;

  constructor(target: number) {
    this.#server = createServer((near) => {
      const far = connect(target, "127.0.0.1");
      near.pipe(far);
      far.pipe(near);
      const flow = {
        pause: () => [near, far].map((socket) => socket.unpipe().pause()),
        resume: () => [near.pipe(far), far.pipe(near)],
        end: () => [near.destroy(), far.destroy()],
      };
      this.#flows.add(flow);
      if (this.#isDeaf) {
        flow.pause();
      }
      for (const socket of [near, far]) {
        socket.on("error", () => flow.end());
        socket.on("close", () => {
          flow.end();
          this.#flows.delete(flow);
        });
      }
    });
  }

  static async start(target: number): Promise<DeafProxy> {
    const proxy = new DeafProxy(target);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get url(): string {
    const address = this.#server.address();
    return `nats://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  }

  /** Nothing gets through any more. */
  cut(): void {
    this.#isDeaf = true;
    for (const flow of this.#flows) {
      flow.pause();
    }
  }

  mend(): void {
    this.#isDeaf = false;
    for (const flow of this.#flows) {
      flow.resume();
    }
  }

  close(): void {
    this.#server.close();
    for (const flow of this.#flows) {
      flow.end();
    }
  }
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  return typeof address === "object" ? (address?.port ?? 0) : 0;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
