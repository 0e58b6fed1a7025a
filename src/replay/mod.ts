/**
 * `alphapulse replay`: captures through the whole engine, and a verdict. Several files are one stream.
 * Bad case: a broken line or gzip; the error names file and line and the exit status is 2.
 */
import { statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { readCapture } from "../capture/mod.ts";
import { ConfigError } from "../errors.ts";
import { EXCHANGES, type Exchange } from "../exchanges/mod.ts";
import type { KernelName } from "../kernel/kernel.ts";
import { resolveExchangeId } from "../model/exchange_id.ts";
import { BitFlipper, parseFlip } from "./flip.ts";
import { ReplayRun } from "./replay_run.ts";
import { problems, type ReplayResult, toJson, toText } from "./report.ts";

/** What `runReplay` needs. */
export type ReplayOptions = {
  readonly files: readonly string[];
  readonly isJson: boolean;
  /** `ring:N` or `wire:N`. */
  readonly flip?: string;
  readonly kernelName: KernelName;
  /** kernel.wasm; needed by the wasm kernel. */
  readonly wasmBytes?: Uint8Array<ArrayBuffer>;
  /** Takes the result. */
  readonly out: (text: string) => void;
  /** Takes progress between 0 and 1, for a bar; absent = no bar. */
  readonly progress?: (share: number, frames: number) => void;
};

const PROGRESS_LINES = 2000;

/**
 * Replays captures.
 * A bit to flip counts on from the first one again when the run has fewer.
 * @returns exit status: 0 when every integrity check held, 1 otherwise
 * @throws {ConfigError} for unusable input, naming file and line
 */
export async function runReplay(options: ReplayOptions): Promise<number> {
  if (options.files.length === 0) {
    throw new ConfigError("Cannot replay: name at least one capture, was none");
  }
  const target = options.flip === undefined ? undefined : parseFlip(options.flip);
  let flipper = new BitFlipper(target);
  let { result, exchange } = await replayOnce(options, flipper);
  if (target !== undefined && !flipper.isDone) {
    if (flipper.passed === 0) {
      throw new ConfigError(`Cannot flip a bit of the ${target.where}: the run has none, was bit ${target.bit}`);
    }
    flipper = new BitFlipper({ ...target, bit: target.bit % flipper.passed });
    ({ result, exchange } = await replayOnce(options, flipper));
  }
  const source = { exchange: exchange.header.id, files: options.files.map(shortName) };
  options.out(options.isJson ? `${toJson(result, source)}\n` : toText(result, source));
  return problems(result).length === 0 ? 0 : 1;
}

async function replayOnce(
  options: ReplayOptions,
  flipper: BitFlipper,
): Promise<{ result: ReplayResult; exchange: Exchange }> {
  const total = options.files.reduce((sum, file) => sum + sizeOf(file), 0);
  let exchange: Exchange | undefined;
  let run: ReplayRun | undefined;
  let done = 0;
  for (const file of options.files) {
    for await (const { line, number, fileBytes } of readCapture(file)) {
      if (line.t === "header") {
        exchange = sameExchange(exchangeOf(line.exchange, file), exchange, file);
        run ??= startRun(options, exchange, flipper);
      }
      run?.line(line);
      if (number % PROGRESS_LINES === 0) {
        options.progress?.((done + fileBytes) / total, run?.frames ?? 0);
      }
    }
    done += sizeOf(file);
  }
  if (run === undefined || exchange === undefined) {
    throw new ConfigError("Cannot replay: the captures hold nothing, was no header");
  }
  return { result: run.finish(), exchange };
}

function startRun(options: ReplayOptions, exchange: Exchange, flipper: BitFlipper): ReplayRun {
  const { kernelName, wasmBytes } = options;
  return new ReplayRun({ exchange, kernelName, flipper, ...(wasmBytes === undefined ? {} : { wasmBytes }) });
}

function sameExchange(found: Exchange, before: Exchange | undefined, file: string): Exchange {
  if (before !== undefined && before !== found) {
    throw new ConfigError(
      `Cannot replay ${file}: all files must be of one exchange, was ${found.header.id} after ${before.header.id}`,
    );
  }
  return found;
}

/** Folder and file, as captures are listed. */
function shortName(file: string): string {
  return join(basename(dirname(file)), basename(file));
}

function sizeOf(file: string): number {
  try {
    return statSync(file).size;
  } catch (cause) {
    throw new ConfigError(`Cannot read ${file}: it is not there or not readable`, { cause });
  }
}

function exchangeOf(name: string | undefined, file: string): Exchange {
  const id = name === undefined ? undefined : resolveExchangeId(name);
  const exchange = id === undefined ? undefined : EXCHANGES[id];
  if (exchange === undefined) {
    throw new ConfigError(
      `Cannot replay ${file}: no decoder for its exchange, was ${name ?? "no name"} (known: ${Object.keys(EXCHANGES).join(", ")})`,
    );
  }
  return exchange;
}
