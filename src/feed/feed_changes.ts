/**
 * Adding and removing instruments while a collector runs, one change after the other. Only the instrument that is named is
 * subscribed or unsubscribed; all others keep their sockets, subscriptions and versions. What cannot be had without
 * disturbing them, a larger segment for example, is refused.
 * Bad case: an instrument that comes back at once; frames of its old subscription may be on their way and would be taken
 * for the fresh one's, so it waits until they are through.
 */
import { TRADING_UNKNOWN } from "../../assembly/layout.ts";
import { ConnectionError } from "../errors.ts";
import type { Exchange, InstrumentMetadata } from "../exchanges/mod.ts";
import type { SegmentWriter } from "../segment/writer.ts";
import type { ExchangeSync, InstrumentStart, TrackedInstrument } from "../sync/mod.ts";
import type { Auditor } from "./auditor.ts";
import type { CollectorOptions } from "./collector_settings.ts";
import type { Connections } from "./connections.ts";
import type { InstrumentList } from "./instrument_list.ts";
import type { Sleeper } from "./sleeper.ts";

/** What became of a change. `already_there` and `not_there`: nothing was to be done. */
export type FeedChange = { readonly kind: "added" | "already_there" | "removed" | "not_there" } | FeedRefusal;

/** Why a change was refused; nothing was changed. */
export type FeedRefusal = {
  readonly kind: "refused";
  /**
   * `unknown_exchange`: it does not run here · `unknown_instrument`: the exchange lists none of that name · `no_room`: it
   * would disturb others · `unavailable`: it cannot be done at this moment, another time it may.
   */
  readonly code: "unknown_exchange" | "unknown_instrument" | "no_room" | "unavailable";
  /** A sentence for a person. */
  readonly message: string;
  /** Names that may have been meant, nearest first. */
  readonly nearest: readonly string[];
};

/** What changes are made in. */
export type ChangesGround = {
  readonly collector: CollectorOptions;
  /** As configured. */
  readonly exchange: Exchange;
  readonly sync: ExchangeSync;
  readonly segment: SegmentWriter;
  readonly connections: Connections;
  readonly auditor: Auditor | undefined;
  readonly list: InstrumentList;
  readonly sleeper: Sleeper;
  /** Does what the sync wants, and publishes. */
  readonly worked: () => void;
};

/** Frames of a subscription that ended are through after so long. */
const THROUGH_MS = 1000;
/** Of the kernel's arena for each level that the book may have: its chunks half full, and its directory. */
const LEVEL_ARENA_BYTES = 48;

/** The changes of one collector. */
export class FeedChanges {
  readonly #ground: ChangesGround;
  /** When instruments were removed, monotonic ms. */
  readonly #removedAt = new Map<string, number>();
  #last: Promise<unknown>;
  #open: () => void = () => undefined;

  constructor(ground: ChangesGround) {
    this.#ground = ground;
    this.#last = new Promise<void>((resolve) => {
      this.#open = resolve;
    });
  }

  /** The collector has begun to connect: changes are made from here on. */
  open(): void {
    this.#open();
  }

  /** Adds an instrument. @param canonical `BASE-QUOTE` @returns when it is subscribed, or refused */
  add(canonical: string): Promise<FeedChange> {
    return this.#inTurn(() => this.#add(canonical));
  }

  /** Removes an instrument. @param canonical `BASE-QUOTE` */
  remove(canonical: string): Promise<FeedChange> {
    return this.#inTurn(async () => this.#remove(canonical));
  }

  #inTurn(change: () => Promise<FeedChange>): Promise<FeedChange> {
    const done = this.#last.then(change);
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #add(canonical: string): Promise<FeedChange> {
    const { exchange, sync, list, collector } = this.#ground;
    if (sync.instrument(exchange.nativeName(canonical)) !== undefined) {
      return { kind: "already_there" };
    }
    const listed = await this.#lookUp(canonical);
    if (listed === undefined) {
      const message = `Cannot add an instrument: ${exchange.header.title} lists none of that name, was ${canonical}`;
      return { kind: "refused", code: "unknown_instrument", message, nearest: list.nearest(canonical) };
    }
    if ("kind" in listed) {
      return listed;
    }
    await this.#awaitQuiet(canonical);
    const start = instrumentStart(exchange, { canonical, ...collector.settings });
    const { instrumentsMax } = collector.limits;
    if (sync.instruments.length >= instrumentsMax) {
      return noRoom(`at most ${instrumentsMax} instruments at a time, was ${canonical}`);
    }
    const lacking = this.#lacking(start);
    return lacking === undefined ? this.#begin(start, listed) : noRoom(`${lacking}, was ${canonical}`);
  }

  /** What would not suffice for one more book and for those that are there. */
  #lacking(start: InstrumentStart): string | undefined {
    const { segment, collector } = this.#ground;
    const { kernel, arenaBytes = Number.POSITIVE_INFINITY } = collector;
    const part = segment.lacksRoom(start);
    if (part !== undefined) {
      return `the segment's ${part === "table" ? "table" : "image area"} is full until it is made anew`;
    }
    const neededBytes = LEVEL_ARENA_BYTES * start.imageLevels;
    return kernel.arenaUsed() + neededBytes > arenaBytes ? "the kernel's arena might not hold it" : undefined;
  }

  /** The listing of an instrument; a refusal when nobody can tell. */
  async #lookUp(canonical: string): Promise<InstrumentMetadata | FeedRefusal | undefined> {
    try {
      return await this.#ground.list.find(canonical);
    } catch (error) {
      if (!(error instanceof ConnectionError)) {
        throw error;
      }
      return { kind: "refused", code: "unavailable", message: error.message, nearest: [] };
    }
  }

  #begin(start: InstrumentStart, listed: InstrumentMetadata): FeedChange {
    const { sync, connections, auditor, collector, worked } = this.#ground;
    let instrument: TrackedInstrument | undefined;
    try {
      instrument = sync.open(start, connections.indexWithRoom());
      instrument.block.announce(listed, collector.clock.now());
      auditor?.add(instrument);
    } catch (error) {
      if (!(error instanceof RangeError)) {
        throw error;
      }
      if (instrument !== undefined) {
        this.#end(instrument);
      }
      return noRoom(error.message);
    }
    connections.carry(instrument);
    worked();
    collector.report({ level: "info", text: "Added: its book and trades are being subscribed", native: start.native });
    return { kind: "added" };
  }

  #remove(canonical: string): FeedChange {
    const { exchange, sync, collector } = this.#ground;
    const instrument = sync.instrument(exchange.nativeName(canonical));
    if (instrument === undefined) {
      return { kind: "not_there" };
    }
    this.#end(instrument);
    this.#removedAt.set(canonical, collector.clock.now() / 1e6);
    collector.report({
      level: "info",
      text: "Removed: nothing is subscribed of it any more",
      native: instrument.block.native,
    });
    return { kind: "removed" };
  }

  #end(instrument: TrackedInstrument): void {
    const { sync, auditor, connections, collector, worked } = this.#ground;
    sync.close(instrument, collector.clock.now());
    auditor?.remove(instrument);
    worked();
    connections.drop(instrument);
  }

  async #awaitQuiet(canonical: string): Promise<void> {
    const { sleeper, collector } = this.#ground;
    const removedAt = this.#removedAt.get(canonical) ?? Number.NEGATIVE_INFINITY;
    const leftMs = removedAt + THROUGH_MS - collector.clock.now() / 1e6;
    this.#removedAt.delete(canonical);
    if (leftMs > 0) {
      await sleeper.pause(leftMs);
    }
  }
}

/** How an instrument of an exchange begins. @param options the settings of its exchange, and its name */
export function instrumentStart(
  exchange: Exchange,
  { canonical, depth, imageLevels }: { canonical: string; depth: number; imageLevels: number },
): InstrumentStart {
  return {
    native: exchange.nativeName(canonical),
    canonical,
    assurance: exchange.assurance(depth),
    depth,
    priceExponent: -1,
    quantityExponent: -1,
    tradingStatus: TRADING_UNKNOWN,
    imageLevels,
  };
}

function noRoom(reason: string): FeedRefusal {
  return { kind: "refused", code: "no_room", message: `Cannot add an instrument: ${reason}`, nearest: [] };
}
