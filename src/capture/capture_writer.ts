/**
 * Records what a collector sends and receives, in the capture format. Compressed off the thread, flushed once a second so
 * that a crash costs at most that second, rotated by size; a file is created, never overwritten. Recording never disturbs
 * the feed: a disk that fails or cannot follow stops the recording with an error, at a whole line.
 * Bad case: a part begins in mid-stream; parts of one recording are one stream and are read together.
 */
import { createWriteStream, mkdirSync, type WriteStream } from "node:fs";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { constants, createGzip, type Gzip } from "node:zlib";
import { captureTime } from "./capture_line.ts";

/** What a recording needs. */
export type CaptureWriterOptions = {
  /** Created when it is not there. */
  readonly folder: string;
  readonly exchange: string;
  /** Goes into the file names; Unix ns. */
  readonly startedAtNs: bigint;
  /** A part is closed at this many compressed bytes. */
  readonly partBytesMax: number;
  /** Bytes waiting for the disk beyond which the recording stops. */
  readonly backlogBytesMax: number;
  /** The recording has stopped for good; the feed goes on. */
  readonly onFailure: (error: Error) => void;
};

type Part = { readonly gzip: Gzip; readonly file: WriteStream; readonly path: string };

/** A recording of one collector. Thread: the collector's; compression runs in Node's thread pool. */
export class CaptureWriter {
  readonly #options: CaptureWriterOptions;
  #part: Part | undefined;
  #parts = 0;
  #hasStopped = false;
  #isDirty = false;

  /** @throws Error when the folder cannot be created */
  constructor(options: CaptureWriterOptions) {
    this.#options = options;
    mkdirSync(options.folder, { recursive: true });
    this.#part = this.#open();
  }

  /** The file that is written now; undefined when the recording has stopped. */
  get path(): string | undefined {
    return this.#part?.path;
  }

  /** A WebSocket was opened. @param connection names it */
  connect(url: string, atNs: bigint, connection: string): void {
    this.#write({ t: "connect", ts: captureTime(atNs), conn: connection, url });
  }

  /** A text frame was sent. */
  send(text: string, atNs: bigint, connection: string): void {
    this.#write({ t: "send", ts: captureTime(atNs), conn: connection, data: text });
  }

  /** A frame was received: its bytes as UTF-8 text, or base64 when it was a binary frame. */
  receive(frame: Buffer, atNs: bigint, options: { connection: string; isBinary: boolean }): void {
    const { connection, isBinary } = options;
    const content = isBinary
      ? { data: frame.toString("base64"), encoding: "base64" }
      : { data: frame.toString("utf8") };
    this.#write({ t: "recv", ts: captureTime(atNs), conn: connection, ...content });
  }

  /** A REST body was received. */
  http(url: string, atNs: bigint, body: Uint8Array): void {
    this.#write({ t: "http", ts: captureTime(atNs), url, data: Buffer.from(body).toString("utf8") });
  }

  /** Hands what was written to the disk; starts the next part when this one is large enough. Call about once a second. */
  flush(): void {
    const part = this.#part;
    if (part === undefined || !this.#isDirty) {
      return;
    }
    this.#isDirty = false;
    if (part.file.bytesWritten + part.file.writableLength >= this.#options.partBytesMax) {
      part.gzip.end();
      this.#part = this.#open();
      return;
    }
    part.gzip.flush(constants.Z_SYNC_FLUSH);
  }

  /** Ends the recording. @returns when the last byte is with the system */
  async close(): Promise<void> {
    const part = this.#part;
    this.#hasStopped = true;
    this.#part = undefined;
    if (part !== undefined) {
      part.gzip.end();
      await finished(part.file);
    }
  }

  #open(): Part {
    this.#parts += 1;
    const { folder, exchange, startedAtNs } = this.#options;
    const started = new Date(Number(startedAtNs / 1_000_000n)).toISOString().replace(/[-:]|\.\d+/g, "");
    const number = String(this.#parts).padStart(3, "0");
    const path = join(folder, `${exchange}_${started}_${number}.jsonl.gz`);
    const gzip = createGzip({ level: 6 });
    const file = createWriteStream(path, { flags: "wx" });
    gzip.pipe(file);
    const fail = (error: Error) =>
      this.#fail(new Error(`Cannot record to ${path}: ${error.message}`, { cause: error }));
    gzip.on("error", fail);
    file.on("error", fail);
    const header = { t: "header", exchange, source: "alphapulse", startedAtNs: String(startedAtNs), part: this.#parts };
    gzip.write(`${JSON.stringify(header)}\n`);
    this.#isDirty = true;
    return { gzip, file, path };
  }

  #write(line: object): void {
    const part = this.#part;
    if (part === undefined) {
      return;
    }
    if (part.gzip.writableLength + part.file.writableLength > this.#options.backlogBytesMax) {
      this.#fail(
        new Error(
          `Cannot record to ${part.path}: the disk cannot follow, was ${part.gzip.writableLength} bytes behind`,
        ),
      );
      return;
    }
    part.gzip.write(`${JSON.stringify(line)}\n`);
    this.#isDirty = true;
  }

  #fail(error: Error): void {
    if (this.#hasStopped) {
      return;
    }
    this.#hasStopped = true;
    const part = this.#part;
    this.#part = undefined;
    part?.gzip.end();
    this.#options.onFailure(error);
  }
}
