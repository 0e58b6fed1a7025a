/**
 * What every benchmark is given: kernels, streams, settings, and the harness bound to them.
 * Bad case: engines kept for later; each holds a memory of hundreds of megabytes of address space, so they are made for
 * one benchmark and dropped.
 */
import type { KernelName } from "../src/kernel/kernel.ts";
import { CAPTURED_SOURCES, capturedSources, findSource, isCaptured, readCaptured } from "./captured_streams.ts";
import { readEmulated } from "./emulated_streams.ts";
import { type Case, type HarnessSettings, measureCase } from "./harness.ts";
import { perCall } from "./per_call.ts";
import type { CaseResult, PerCall } from "./results.ts";
import type { Stream } from "./stream.ts";

/** How long a run takes. */
export type BenchSettings = HarnessSettings & {
  /** Least time that mitata spends on one function, ms. */
  perCallMs: number;
  /** Frames read of a capture at most. */
  capturedFrames: number;
  /** Frames taken from the emulator when there is no capture. */
  emulatedFrames: number;
  isSmoke: boolean;
  /** The day runs at its full size. */
  isWhole?: boolean;
};

/** A benchmark: a file `<name>.bench.ts`. */
export type Bench = {
  readonly name: string;
  readonly about: string;
  readonly run: (context: BenchContext) => Promise<CaseResult[]>;
};

/** Functions that mitata calls, by side. */
export type Calls = Readonly<Record<string, () => unknown>>;

/** The ground of a run. */
export class BenchContext {
  readonly settings: BenchSettings;
  /** `wasm` first. */
  readonly kernels: readonly KernelName[];
  readonly #log: (text: string) => void;
  readonly #streams = new Map<string, Promise<Stream>>();

  constructor(options: { settings: BenchSettings; kernels: readonly KernelName[]; log: (text: string) => void }) {
    this.settings = options.settings;
    this.kernels = options.kernels;
    this.#log = options.log;
  }

  /** Where streams come from. */
  get source(): "captures" | "emulator" {
    return capturedSources().length > 0 ? "captures" : "emulator";
  }

  /** Ids of the streams, in the order of the report. */
  get streamIds(): string[] {
    const captured = capturedSources();
    return (captured.length > 0 ? captured : CAPTURED_SOURCES.filter(isFirstOfExchange)).map(({ id }) => id);
  }

  /** A stream by its id; read once. @throws RangeError when there is none */
  stream(id: string): Promise<Stream> {
    const known = this.#streams.get(id);
    if (known !== undefined) {
      return known;
    }
    const source = findSource(id);
    if (source === undefined) {
      throw new RangeError(`Cannot read a stream: no such id, was ${id}`);
    }
    const stream = isCaptured(source)
      ? readCaptured(source, this.settings.capturedFrames)
      : readEmulated(source.exchange, this.settings);
    this.#streams.set(id, stream);
    return stream;
  }

  /** Says how far a long measurement is. */
  tell(text: string): void {
    this.#log(text);
  }

  /** Measures a case, and some of its functions by mitata. */
  async measure(subject: Case, calls: Calls = {}): Promise<CaseResult> {
    const result = measureCase(subject, this.settings);
    const called: PerCall[] = [];
    for (const [name, call] of Object.entries(calls)) {
      called.push(await perCall(name, call, this.settings.perCallMs));
    }
    const done = { ...result, perCall: called };
    this.tell(`${subject.bench} · ${subject.name}`);
    return done;
  }
}

function isFirstOfExchange(source: (typeof CAPTURED_SOURCES)[number]): boolean {
  return CAPTURED_SOURCES.find(({ exchange }) => exchange === source.exchange) === source;
}
