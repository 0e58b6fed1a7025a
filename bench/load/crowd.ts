/**
 * A crowd of clients of one gateway in a process of its own, which can be cut off and come back all at once, or of which
 * one stops reading. The first one and the last four prove their books; the last four also measure the time from when an
 * event was to be published until it is applied.
 * Bad case: a client that is never served; the wait ends by its time limit and says how many are missing.
 */
import { Line, ProvedBook } from "../fanout/line.ts";
import { quantile } from "../statistics.ts";
import type { CrowdAnswer, CrowdOrder } from "./words.ts";

const LOOK_MS = 2;
const PATIENCE_MS = 60_000;
const WATCHERS = 4;

/** Obeys the parent until it is gone. */
export function runCrowd(): void {
  let crowd: Crowd | undefined;
  process.on("message", (order: CrowdOrder) => {
    if (order.order === "connect") {
      crowd = new Crowd(order);
    }
    crowd?.obey(order).then(answer, (error: unknown) => {
      answer({ answer: "failed", reason: error instanceof Error ? error.message : String(error) });
    });
  });
  process.once("disconnect", () => process.exit(0));
}

class Crowd {
  readonly #options: { port: number; count: number; subscribes: boolean };
  readonly #books = new Map<number, ProvedBook>();
  readonly #latencies: number[] = [];
  #lines: Line[] = [];
  #failure: unknown;

  constructor(options: { port: number; count: number; subscribes: boolean }) {
    this.#options = options;
  }

  async obey(order: CrowdOrder): Promise<CrowdAnswer> {
    const [first] = this.#lines;
    switch (order.order) {
      case "connect":
        return await this.#connect();
      case "storm":
        for (const line of this.#lines) {
          line.cut();
        }
        return await this.#connect();
      case "stall":
        first?.stall();
        return { answer: "done" };
      case "goOn":
        first?.forget();
        first?.goOn();
        return { answer: "done" };
      case "begin":
        this.#latencies.length = 0;
        return { answer: "done" };
      case "finish":
        return await this.#finish(order.version);
      default:
        return await this.#prove(order.version);
    }
  }

  async #connect(): Promise<CrowdAnswer> {
    const { port, count, subscribes } = this.#options;
    const startedAt = performance.now();
    const failed = (error: unknown) => {
      this.#failure ??= error;
    };
    this.#books.clear();
    this.#lines = Array.from({ length: count }, (_, index) => {
      const line = new Line(port, { subscribes, failed });
      if (subscribes && (index === 0 || index >= count - WATCHERS)) {
        this.#follow(index, line);
      }
      return line;
    });
    const isServed = (line: Line) => (subscribes ? line.hasBook : line.isOpen);
    await this.#until(
      () => this.#lines.every(isServed),
      () => `${this.#lines.filter((line) => !isServed(line)).length} of ${count} clients are not served`,
    );
    return { answer: "served", ms: performance.now() - startedAt };
  }

  #follow(index: number, line: Line): void {
    const book = new ProvedBook((error) => {
      this.#failure ??= error;
    });
    this.#books.set(index, book);
    line.onFrame = (frame) => {
      const before = book.version;
      book.apply(frame);
      if (index > 0 && book.version > before && before > 0) {
        this.#latencies.push(performance.timeOrigin + performance.now() - book.receivedAtMs);
      }
    };
  }

  async #finish(version: number): Promise<CrowdAnswer> {
    const watched = [...this.#books].filter(([index]) => index > 0).map(([, book]) => book);
    await this.#until(
      () => watched.every((book) => book.version >= version),
      () => `the watched books stand at ${watched.map((book) => book.version).join(", ")}, wanted ${version}`,
    );
    const samples = this.#latencies;
    return { answer: "finished", p50: quantile(samples, 0.5), p99: quantile(samples, 0.99), samples: samples.length };
  }

  async #prove(version: number): Promise<CrowdAnswer> {
    const book = this.#books.get(0);
    await this.#until(
      () => (book?.version ?? 0) >= version,
      () => `the book that was stalled stands at ${book?.version}, wanted ${version}`,
    );
    const [first] = this.#lines;
    return { answer: "proved", hash: book?.hash ?? 0, messages: first?.messages ?? 0, bytes: first?.bytes ?? 0 };
  }

  async #until(holds: () => boolean, missing: () => string): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!holds()) {
      if (this.#failure !== undefined) {
        throw this.#failure;
      }
      if (performance.now() > deadline) {
        throw new Error(`Cannot trust the load: ${missing()}`);
      }
      await new Promise((resume) => setTimeout(resume, LOOK_MS));
    }
  }
}

function answer(message: CrowdAnswer): void {
  process.send?.(message);
}
