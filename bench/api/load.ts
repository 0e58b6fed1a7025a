/**
 * The load of the API benchmark, in a process of its own: requests leave at fixed times whatever the answers do, over a few
 * connections that stay; who finds none free waits, and the waiting counts.
 *
 *   intended time → free connection → request → whole answer: one latency
 *
 * Bad case: an answer that is not 200; it is counted, and the benchmark refuses the run.
 */
import { connect, type Socket } from "node:net";
import { quantile } from "../statistics.ts";
import type { LoadAnswer, LoadOrder } from "./words.ts";

const CONNECTIONS = 16;
const HEAD_END = Buffer.from("\r\n\r\n");
const OK = "HTTP/1.1 200";
const DRAIN_MS = 2000;

/** Takes orders until the parent is gone. */
export function runApiLoad(): void {
  process.on("message", (order: LoadOrder) => {
    new Load(order).run().then(answer, (error: unknown) => {
      answer({ answer: "failed", reason: error instanceof Error ? error.message : String(error) });
    });
  });
  process.once("disconnect", () => process.exit(0));
}

function answer(message: LoadAnswer): void {
  process.send?.(message);
}

class Load {
  readonly #order: LoadOrder;
  readonly #request: Buffer;
  readonly #free: Line[] = [];
  readonly #waiting: number[] = [];
  readonly #latencies: number[] = [];
  #other = 0;
  #bytes = 0;
  #open = 0;

  constructor(order: LoadOrder) {
    this.#order = order;
    this.#request = Buffer.from(`GET ${order.path} HTTP/1.1\r\nhost: 127.0.0.1:${order.port}\r\n\r\n`);
  }

  async run(): Promise<LoadAnswer> {
    const { port, perSecond, seconds, warmSeconds } = this.#order;
    const lines = await Promise.all(Array.from({ length: CONNECTIONS }, () => Line.open(port)));
    this.#free.push(...lines);
    const startedAt = performance.now();
    const total = Math.round(perSecond * (seconds + warmSeconds));
    const firstCounted = Math.round(perSecond * warmSeconds);
    for (let next = 0; next < total; ) {
      const due = Math.min(total, Math.floor(((performance.now() - startedAt) / 1000) * perSecond) + 1);
      for (; next < due; next++) {
        this.#waiting.push(next < firstCounted ? Number.NaN : startedAt + (next / perSecond) * 1000);
      }
      this.#send();
      await new Promise<void>((resume) => {
        setImmediate(resume);
      });
    }
    const deadline = performance.now() + DRAIN_MS;
    while ((this.#open > 0 || this.#waiting.length > 0) && performance.now() < deadline) {
      await new Promise((resume) => setTimeout(resume, 1));
    }
    for (const line of lines) {
      line.close();
    }
    return this.#report(this.#open + this.#waiting.length);
  }

  #send(): void {
    while (this.#waiting.length > 0) {
      const line = this.#free.pop();
      if (line === undefined) {
        return;
      }
      const intendedAt = this.#waiting.shift() ?? 0;
      this.#open += 1;
      line.ask(this.#request, (head, bytes) => {
        this.#open -= 1;
        this.#free.push(line);
        this.#other += head.startsWith(OK) ? 0 : 1;
        this.#bytes = bytes;
        if (!Number.isNaN(intendedAt)) {
          this.#latencies.push(performance.now() - intendedAt);
        }
        this.#send();
      });
    }
  }

  #report(missing: number): LoadAnswer {
    const us = (share: number) => quantile(this.#latencies, share) * 1000;
    const [count, max] = [this.#latencies.length, this.#latencies.reduce((most, one) => Math.max(most, one), 0) * 1000];
    const spread = { p50: us(0.5), p99: us(0.99), p999: us(0.999), max };
    return { answer: "loaded", count, ...spread, bytes: this.#bytes, other: this.#other + missing };
  }
}

/** One connection, one request at a time. */
class Line {
  readonly #socket: Socket;
  #done: (head: string, bytes: number) => void = () => undefined;
  #head: string | undefined;
  #missing = 0;
  #length = 0;
  #rest: Buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
  }

  static open(port: number): Promise<Line> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1", () => resolve(new Line(socket)));
      socket.once("error", reject);
    });
  }

  ask(request: Buffer, done: (head: string, bytes: number) => void): void {
    this.#done = done;
    this.#socket.write(request);
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    if (this.#head !== undefined) {
      this.#missing -= chunk.byteLength;
    } else {
      const all = this.#rest.byteLength === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
      const end = all.indexOf(HEAD_END);
      if (end < 0) {
        this.#rest = all;
        return;
      }
      this.#rest = Buffer.alloc(0);
      this.#head = all.toString("latin1", 0, end);
      this.#length = Number(/content-length: (\d+)/i.exec(this.#head)?.[1] ?? 0);
      this.#missing = this.#length - (all.byteLength - end - HEAD_END.byteLength);
    }
    if (this.#missing <= 0) {
      const head = this.#head;
      this.#head = undefined;
      this.#done(head, this.#length);
    }
  }
}
