/**
 * The clients of the fan-out benchmark, in one process of their own; the first of each server also applies every frame and
 * proves the book. All others must have received the very same bytes.
 * Bad case: a client that got other bytes than the first; it never agrees, and the benchmark fails by its time limit.
 */
import { Line, ProvedBook } from "./line.ts";
import type { ClientsAnswer, ClientsOrder, ServerName } from "./words.ts";

const LOOK_MS = 2;
const PATIENCE_MS = 120_000;

/** Connects and counts until the parent is gone. */
export function runClients(): void {
  const crowds = new Map<ServerName, Crowd>();
  process.on("message", (order: ClientsOrder) => {
    const crowd = crowds.get(order.server);
    if (order.order === "connect") {
      const joined = new Crowd(order);
      crowds.set(order.server, joined);
      void joined.whenJoined().then((version) => answer({ answer: "connected", server: order.server, version }), fail);
    } else if (order.order === "begin") {
      crowd?.begin();
    } else {
      void crowd?.whenAt(order.version).then((done) => {
        answer({ answer: "finished", server: order.server, version: order.version, ...done });
      }, fail);
    }
  });
  process.once("disconnect", () => process.exit(0));
}

/** All clients of one server. */
class Crowd {
  readonly #server: ServerName;
  readonly #book = new ProvedBook(fail);
  readonly #lines: Line[];

  constructor({ server, port, count }: { server: ServerName; port: number; count: number }) {
    this.#server = server;
    this.#lines = Array.from({ length: count }, (_, index) => {
      const line = new Line(port, { subscribes: server === "ours", failed: fail });
      line.onFrame = index === 0 ? (frame) => this.#book.apply(frame) : undefined;
      return line;
    });
  }

  begin(): void {
    for (const line of this.#lines) {
      line.forget();
    }
  }

  /** All of them hold a book. @returns the version of the first one's */
  async whenJoined(): Promise<number> {
    await this.#until(() => this.#book.version > 0 && this.#lines.every(({ messages }) => messages > 0));
    return this.#book.version;
  }

  /** The first one holds the version, and all received what it received. */
  async whenAt(version: number): Promise<{ hash: number; bytes: number; messages: number }> {
    const [first] = this.#lines;
    await this.#until(
      () =>
        this.#book.version >= version &&
        this.#lines.every((line) => line.bytes === first?.bytes && line.sum === first.sum),
    );
    return { hash: this.#book.hash, bytes: first?.bytes ?? 0, messages: first?.messages ?? 0 };
  }

  #describe(): string {
    const [first] = this.#lines;
    const behind = this.#lines.filter(({ bytes }) => bytes !== first?.bytes).length;
    const other = this.#lines.filter(({ bytes, sum }) => bytes === first?.bytes && sum !== first.sum).length;
    return `${behind} clients have more or fewer bytes than the first, ${other} other ones, was version ${this.#book.version}`;
  }

  async #until(holds: () => boolean): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!holds()) {
      if (performance.now() > deadline) {
        throw new Error(`Cannot trust the fan-out of ${this.#server}: ${this.#describe()}`);
      }
      await new Promise((resume) => setTimeout(resume, LOOK_MS));
    }
  }
}

function fail(error: unknown): void {
  answer({ answer: "failed", reason: error instanceof Error ? error.message : String(error) });
}

function answer(message: ClientsAnswer): void {
  process.send?.(message);
}
