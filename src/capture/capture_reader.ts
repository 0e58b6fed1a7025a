/**
 * Reads captures line by line without holding the file: gzip or plain JSON lines. Every error names file and line.
 * Bad case: a recording that was cut by a crash; its lines are delivered, then the error says where it ends.
 */
import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { ConfigError } from "../errors.ts";
import { type CaptureLine, parseCaptureLine } from "./capture_line.ts";

/** A line and where it stands. */
export type PlacedLine = {
  readonly line: CaptureLine;
  /** Counted from 1. */
  readonly number: number;
  readonly path: string;
  /** Bytes of the file read so far, for a progress bar. */
  readonly fileBytes: number;
};

const NEWLINE = 10;

/**
 * Every line of a capture, in order, the header first.
 * @param path of a `.jsonl.gz` or plain `.jsonl` file
 * @throws ConfigError naming file and line: cannot be opened, broken gzip, no JSON, not of the format, no header first
 */
export async function* readCapture(path: string): AsyncGenerator<PlacedLine> {
  const file = createReadStream(path);
  const text = path.endsWith(".gz") ? gunzipped(file) : file;
  let pieces: Buffer[] = [];
  let number = 0;
  const place = (bytes: Buffer): PlacedLine => {
    number += 1;
    const line = parseCaptureLine(bytes.toString("utf8"), `${path}:${number}`);
    if (number === 1 && line.t !== "header") {
      throw new ConfigError(`Cannot read ${path}:1: a capture begins with a header, was a line of type ${line.t}`);
    }
    return { line, number, path, fileBytes: file.bytesRead };
  };
  try {
    for await (const chunk of text as AsyncIterable<Buffer>) {
      let start = 0;
      for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
        pieces.push(chunk.subarray(start, end));
        const whole = pieces.length === 1 ? (pieces[0] ?? chunk) : Buffer.concat(pieces);
        pieces = [];
        start = end + 1;
        yield place(whole);
      }
      pieces.push(chunk.subarray(start));
    }
  } catch (cause) {
    if (cause instanceof ConfigError) {
      throw cause;
    }
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError(`Cannot read ${path}:${number + 1}: ${reason}, was after ${file.bytesRead} bytes`, { cause });
  } finally {
    file.destroy();
  }
  const rest = Buffer.concat(pieces);
  if (rest.length > 0) {
    yield place(rest);
  }
  if (number === 0) {
    throw new ConfigError(`Cannot read ${path}:1: a capture begins with a header, was an empty file`);
  }
}

/** Errors of the file and of the gzip both surface where the result is read. */
function gunzipped(file: Readable): Readable {
  const gunzip = createGunzip();
  pipeline(file, gunzip, (error) => {
    if (error) {
      gunzip.destroy(error);
    }
  });
  return gunzip;
}
