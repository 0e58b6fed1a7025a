/**
 * A collector in waiting: connected, with warm books in a segment of its own that nobody reads, until the name's lock is
 * free, however its holder ended. Then its segment stands in the place within milliseconds, under its own epoch, and the
 * place of the standby is free for another. A holder that hangs is ended first, as whoever starts next would do.
 * A third one waits, cold, for the place of the standby: the name is for the warm one, unless that lets it lie.
 * Bad case: the holder ends before the books are warm; the segment stands there all the same, its books not yet synced.
 */
import { STATE_SYNCED } from "../../assembly/layout.ts";
import type { Config } from "../config/mod.ts";
import type { Supervisor } from "../feed/supervisor.ts";
import { type ExportedMap, isNameFree, loadLibc, MappingError } from "../mapping/mod.ts";
import { SegmentView } from "../segment/view.ts";
import { endHungProducer, HUNG_MS, producerOf, type SegmentFiles } from "./hung_producer.ts";
import type { Log } from "./log.ts";
import { tellService } from "./service_notice.ts";
import { type ExportWishes, openExportedMap, openStandbyMap } from "./shared_memory.ts";

/** How often the lock is tried: one open and one flock. */
const TRY_MS = 20;
/** How often the holder and the books are looked at. */
const LOOK_MS = 500;
/** A name that is free at so many looks, one after the other, is one that its standby does not take: it hangs. */
const FREE_LOOKS = 2;

/** A memory whose names are ours, or are waited for. */
export type Place = { readonly map: ExportedMap; readonly isWaiting: boolean };

/** Books of a producer: synced ones and all. */
export type Warmth = { readonly synced: number; readonly books: number };

/** What is wanted, and of which name. */
export type PlaceOptions = {
  readonly wishes: Omit<ExportWishes, "patienceMs">;
  readonly files: SegmentFiles;
  /** Settles when it is not wanted any more. */
  readonly stopped: Promise<void>;
  readonly log: Log;
};

/**
 * Takes the name when it is free, or becomes its standby; when there is one already, waits for its place.
 * @returns undefined when it was stopped while it waited
 * @throws MappingError when this machine cannot, or the directory cannot be used
 */
export async function openPlace(config: Config, options: PlaceOptions): Promise<Place | undefined> {
  const { files, stopped, log } = options;
  const wishes = { ...options.wishes, patienceMs: 0 };
  const libc = await loadLibc();
  let isStopped = false;
  void stopped.then(() => {
    isStopped = true;
  });
  let freeLooks = 0;
  for (let looks = 0; !isStopped; looks++) {
    // While it waits, a name that is free is the standby's, which is warm and takes it within milliseconds.
    const mayTake = looks === 0 || freeLooks >= FREE_LOOKS;
    const own = mayTake ? await unlessLocked(() => openExportedMap(config, wishes)) : undefined;
    if (own !== undefined) {
      return { map: own, isWaiting: false };
    }
    const map = await openStandbyMap(config, wishes);
    if (map !== undefined) {
      return { map, isWaiting: true };
    }
    if (looks === 0) {
      log.info("Another standby waits already: waiting for its place, not connected");
      tellService(`waits for the place of the standby of ${files.name}`);
    }
    await Promise.race([stopped, pause(LOOK_MS)]);
    freeLooks = isNameFree(libc, files) ? freeLooks + 1 : 0;
  }
  return undefined;
}

/** @returns undefined when another holds the name */
async function unlessLocked(open: () => Promise<ExportedMap>): Promise<ExportedMap | undefined> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof MappingError && error.reason === "locked") {
      return undefined;
    }
    throw error;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** What waits, for what. */
export type Waiting = {
  readonly map: Pick<ExportedMap, "takeOver" | "memory">;
  readonly supervisor: Pick<Supervisor, "segments">;
  readonly files: SegmentFiles;
  readonly log: Log;
};

/** A wait for the place. */
export type Wait = {
  /** Settles when the place is ours. @throws MappingError when it cannot be used */
  readonly taken: Promise<void>;
  /** Ends the wait; `taken` stays as it is. */
  stop(): void;
};

/** Waits until the place is free, and takes it. */
export function waitForPlace(waiting: Waiting): Wait {
  const timers: NodeJS.Timeout[] = [];
  const stop = () => timers.forEach(clearInterval);
  const taken = new Promise<void>((resolve, reject) => {
    const watch = new HolderWatch(waiting);
    timers.push(setInterval(() => watch.look(), LOOK_MS));
    const attempt = () => {
      try {
        if (!waiting.map.takeOver()) {
          return;
        }
      } catch (error) {
        stop();
        reject(error);
        return;
      }
      stop();
      const { synced, books } = warmth(waiting);
      waiting.log.warn(`Took over ${waiting.files.name}: ${synced} of ${books} books are synced`);
      resolve();
    };
    timers.push(setInterval(attempt, TRY_MS));
  });
  return { taken, stop };
}

/** How warm the books of a producer in waiting are; where no segment can be read, there are none. */
export function warmth({ map, supervisor }: Pick<Waiting, "map" | "supervisor">): Warmth {
  const views = supervisor.segments().flatMap(({ address }) => viewAt(map.memory.buffer, address) ?? []);
  return views.map(warmthOf).reduce((sum, one) => ({ synced: sum.synced + one.synced, books: sum.books + one.books }), {
    synced: 0,
    books: 0,
  });
}

/** @returns undefined when no segment can be trusted there */
function viewAt(buffer: ArrayBufferLike, address: number): SegmentView | undefined {
  try {
    return new SegmentView(buffer, address);
  } catch (error) {
    if (error instanceof RangeError) {
      return undefined;
    }
    throw error;
  }
}

/** How warm the books of a segment are; retired ones do not count. */
export function warmthOf(view: SegmentView): Warmth {
  const books = view.instruments().filter(({ retiredTo }) => retiredTo === 0);
  return { synced: books.filter(({ state }) => state === STATE_SYNCED).length, books: books.length };
}

/** Says when the books are warm, and ends a holder that hangs. */
class HolderWatch {
  readonly #waiting: Waiting;
  #wasWarm = false;
  #silentLooks = 0;
  #isEnding = false;

  constructor(waiting: Waiting) {
    this.#waiting = waiting;
  }

  look(): void {
    const { files, log } = this.#waiting;
    const { synced, books } = warmth(this.#waiting);
    const isWarm = books > 0 && synced === books;
    if (isWarm !== this.#wasWarm) {
      this.#wasWarm = isWarm;
      const what = isWarm ? "is warm" : "is no longer warm";
      log.info(`The standby of ${files.name} ${what}: ${synced} of ${books} books are synced`);
    }
    // Silent at two looks one after the other: this process may have been stopped itself.
    this.#silentLooks = (producerOf(files)?.silentMs ?? 0) > HUNG_MS ? this.#silentLooks + 1 : 0;
    if (this.#silentLooks >= 2 && !this.#isEnding) {
      this.#isEnding = true;
      void endHungProducer(files, (text) => log.error(text)).finally(() => {
        this.#isEnding = false;
      });
    }
  }
}
