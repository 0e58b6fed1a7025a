/**
 * Everybody who reads in one world: sleepy readers of the rings, the hub and its clients; with the twin also the
 * interruptions of its atomics. Bad case: a reader that is overtaken in the midst of a poll; it must notice.
 */
import type { Random } from "../../src/emulator/random.ts";
import type { VirtualClock } from "../../src/emulator/virtual_clock.ts";
import type { Kernel, KernelName } from "../../src/kernel/kernel.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import type { MemoryMap } from "../../src/segment/memory_map.ts";
import { CaughtUp } from "./caught_up.ts";
import type { Checker } from "./checker.ts";
import { CALM, type Downstream, ROUGH, startDownstream } from "./downstream/mod.ts";
import { DownstreamCheck } from "./downstream_check.ts";
import type { Post } from "./post.ts";
import { interruptAtomics } from "./preemption.ts";
import { count, type Report } from "./report.ts";
import { type ReaderScratch, readerScratch, SleepyReader } from "./sleepy_reader.ts";

/** What the readers need. */
export type ReadersOptions = {
  readonly map: MemoryMap;
  readonly kernelName: KernelName;
  readonly kernelModule: WebAssembly.Module;
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly posts: readonly Post[];
  readonly checker: Checker;
  readonly names: readonly { exchange: ExchangeId; native: string; canonical: string }[];
  readonly note: (text: string) => void;
  readonly fail: (
    about: { exchange: string; native: string },
    what: string,
    was: { expected: string; found: string },
  ) => void;
};

const HUB_ARENA_BYTES = 96 << 20;
const READER_ARENA_BYTES = 32 << 20;
const SLEEP_MS_MAX = 60_000;
const CLIENTS = 3;
/** The turns of kinds, forms, policies and views together; worlds begin anywhere in them. */
const TURNS = 60;
const CHECK_MS = 400;
/** With the twin: how often something runs in the midst of a poll, and for how long. */
const INTERRUPT_SHARE = 0.02;
const INTERRUPT_STEPS = 40;

/** The readers of one world. */
export class Readers {
  readonly #options: ReadersOptions;
  readonly #kernel: Kernel;
  /** One for each exchange: in the midst of one reader's poll another may read. */
  readonly #scratch = new Map<ExchangeId, ReaderScratch>();
  readonly #readers = new Map<ExchangeId, SleepyReader>();
  #downstream: Downstream | undefined;
  #check: DownstreamCheck | undefined;
  #caughtUp: CaughtUp | undefined;
  #stopInterrupting: () => void = () => undefined;
  #isReading = false;
  #laps = 0;
  #compared = 0;

  constructor(options: ReadersOptions) {
    this.#options = options;
    this.#kernel = this.#makeKernel("reader", READER_ARENA_BYTES);
  }

  /** Hub and clients begin; the first segments are there. */
  start(): void {
    const { clock, posts, random, names, checker, kernelName, fail, note } = this.#options;
    const draws = random.fork("downstream");
    const withViews = random.below(2);
    this.#downstream = startDownstream({
      kernel: this.#makeKernel("hub", HUB_ARENA_BYTES),
      segments: () => posts.flatMap(({ segment }) => (segment === undefined ? [] : [segment])),
      clock,
      random: () => 1 - draws.unit(),
      clients: CLIENTS,
      firstTurn: random.below(TURNS),
      hasView: (index) => index % 2 === withViews,
      faults: random.chance(0.7) ? ROUGH : CALM,
      log: { info: note, warn: note, error: note },
    });
    const watched = names.flatMap(({ exchange, native, canonical }) => {
      const check = checker.check(exchange, native);
      return check === undefined ? [] : [{ name: `${exchange}:${canonical}`, check }];
    });
    this.#check = new DownstreamCheck(this.#downstream, watched, { fail });
    this.#caughtUp = new CaughtUp(this.#downstream, watched, clock.now);
    this.#checkLater();
    if (kernelName === "twin") {
      this.#stopInterrupting = interruptAtomics({
        atStore: () => checker.probe(),
        atLoad: () => this.#interrupt(random),
      });
    }
  }

  /** A worker publishes in a segment from here on. */
  attach(exchange: ExchangeId, address: number): void {
    const { checker, fail } = this.#options;
    const scratch = this.#scratch.get(exchange) ?? readerScratch(this.#kernel);
    this.#scratch.set(exchange, scratch);
    const reader = new SleepyReader(this.#kernel, {
      address,
      scratch,
      events: {
        checkOf: (native) => checker.check(exchange, native),
        fail: (native, what, was) => fail({ exchange, native }, what, was),
      },
    });
    this.#readers.set(exchange, reader);
    this.#sleep(exchange, reader);
  }

  /** A worker is known to be dead. */
  detach(exchange: ExchangeId): void {
    this.#count(this.#readers.get(exchange));
    this.#readers.delete(exchange);
  }

  /** From here on the stream is left alone: everybody can catch up. */
  endFaults(): void {
    this.#downstream?.endFaults();
  }

  /** Whom of hub and clients nobody has seen lately with what was published. Call again and again until it is nobody. */
  missing(): string[] {
    this.#options.checker.poll();
    return this.#caughtUp?.look() ?? [];
  }

  /** Adds what was seen to a report, after a last look at everybody. */
  addTo(report: Report): void {
    this.#options.checker.poll();
    this.#check?.last();
    for (const reader of this.#readers.values()) {
      this.#count(reader);
    }
    report.laps += this.#laps;
    report.downstreamVersions += this.#check?.versions ?? 0;
    report.downstreamBooks += this.#compared + (this.#check?.compared ?? 0);
    report.downstreamBooksWhole += this.#compared + (this.#check?.comparedWhole ?? 0);
    for (const [name, number] of Object.entries(this.#downstream?.counts() ?? {})) {
      count(report.downstream, name, number);
    }
  }

  close(): void {
    this.#stopInterrupting();
    this.#downstream?.stop();
  }

  #makeKernel(name: string, bytes: number): Kernel {
    const { map, kernelName, kernelModule } = this.#options;
    const arena = map.reserve(`arena of the ${name}`, { bytes });
    const kernel = loadKernel({ name: kernelName, memory: map.memory, wasmBytes: kernelModule });
    kernel.arenaInit(arena.address, arena.bytes);
    return kernel;
  }

  #count(reader: SleepyReader | undefined): void {
    this.#laps += reader?.laps ?? 0;
    this.#compared += reader?.compared ?? 0;
  }

  #sleep(exchange: ExchangeId, reader: SleepyReader): void {
    const { clock, random, checker } = this.#options;
    clock.setTimer(
      () => {
        if (this.#readers.get(exchange) === reader) {
          this.#isReading = true;
          reader.wake();
          this.#isReading = false;
          checker.poll();
          reader.compare();
          this.#sleep(exchange, reader);
        }
      },
      random.unit() ** 2 * SLEEP_MS_MAX,
    );
  }

  #checkLater(): void {
    const { clock, checker } = this.#options;
    clock.setTimer(() => {
      checker.poll();
      this.#check?.next();
      this.#checkLater();
    }, CHECK_MS);
  }

  /** A reader is in the midst of a poll, and the world goes on. */
  #interrupt(random: Random): void {
    if (this.#isReading && random.chance(INTERRUPT_SHARE)) {
      this.#isReading = false;
      for (let step = random.below(INTERRUPT_STEPS); step > 0; step--) {
        this.#options.clock.step();
        this.#options.checker.poll();
      }
      this.#isReading = true;
    }
  }
}
