/**
 * The views of all instruments by depth and rate. The book of an instrument is always there; every other view is made when
 * it is first subscribed, brought up to its book at the end of a turn or when its rate allows it, and given back when
 * nobody has subscribed it for a while. Its alias stays its own: a later view of the same name has it again.
 * Bad case: many instruments times many views; each costs its buffer and its history, and when the arena is exhausted the
 * subscription is refused.
 */

import { DerivedView } from "./derived_view.ts";
import { mixEpoch } from "./epochs.ts";
import type { ServedInstrument } from "./instrument.ts";
import type { GatewayLimits, ViewSets } from "./limits.ts";
import type { Form, Outlet } from "./outlet.ts";
import type { StreamView } from "./stream_view.ts";
import type { Workspace } from "./workspace.ts";

/** A depth and a rate. */
export type ViewShape = { readonly depth: number; readonly rateMs: number };

/** What the registry is made from. */
export type RegistryOptions = {
  readonly outlet: Outlet;
  readonly limits: GatewayLimits;
  readonly sets: ViewSets;
  readonly now: () => number;
  /** A number that no other start of a gateway has. */
  readonly seed: number;
  /** The next alias that stands for nothing yet. */
  readonly takeAlias: () => number;
  /** What followers of a view hold leads nowhere, those who want a form or all. */
  readonly interrupted: (instrument: ServedInstrument, view: StreamView, form: Form | undefined) => void;
};

type Held = { readonly instrument: ServedInstrument; readonly view: DerivedView; idleSinceMs: number | undefined };
type Shelf = { readonly aliases: Map<string, number>; readonly held: Map<string, Held> };

/** The views of one gateway. */
export class ViewRegistry {
  readonly #workspace: Workspace;
  readonly #options: RegistryOptions;
  readonly #shelves = new Map<ServedInstrument, Shelf>();
  /** Views that must follow when their rate allows it. */
  readonly #due = new Set<Held>();
  #restarts = 0;

  constructor(workspace: Workspace, options: RegistryOptions) {
    this.#workspace = workspace;
    this.#options = options;
  }

  /** The closed sets. */
  get sets(): ViewSets {
    return this.#options.sets;
  }

  /** Views beside the instruments' books that there are at present. */
  get size(): number {
    return [...this.#shelves.values()].reduce((sum, { held }) => sum + held.size, 0);
  }

  /** A depth and rate of the configured sets. */
  serves({ depth, rateMs }: ViewShape): boolean {
    return this.sets.depths.includes(depth) && this.sets.rates.includes(rateMs);
  }

  /** The view of a shape, if there is one. */
  find(instrument: ServedInstrument, { depth, rateMs }: ViewShape): StreamView | undefined {
    return isBase({ depth, rateMs })
      ? instrument.book
      : this.#shelves.get(instrument)?.held.get(`${depth}.${rateMs}`)?.view;
  }

  /**
   * The view of a shape, made when there is none.
   * @throws RangeError when the arena is exhausted
   */
  obtain(instrument: ServedInstrument, shape: ViewShape): StreamView {
    const known = this.find(instrument, shape);
    if (known === undefined) {
      return this.#make(instrument, shape).view;
    }
    const held = this.#heldOf(instrument, shape);
    if (held !== undefined && held.view.output.followers === 0) {
      this.#due.add(held);
    }
    return known;
  }

  /** The book of an instrument changed: it is sent, and its views follow. */
  flush(instrument: ServedInstrument, nowMs: number): void {
    instrument.book.flush();
    for (const held of this.#shelves.get(instrument)?.held.values() ?? []) {
      if (held.view.output.followers === 0) {
        continue;
      }
      if (held.view.dueAtMs <= nowMs) {
        this.#follow(held, nowMs);
      } else {
        this.#due.add(held);
      }
    }
  }

  /** Views that waited for their rate follow. @returns when the next one may; undefined when none waits */
  flushDue(nowMs: number): number | undefined {
    let next = Number.POSITIVE_INFINITY;
    for (const held of this.#due) {
      if (held.view.dueAtMs <= nowMs) {
        this.#follow(held, nowMs);
      } else {
        next = Math.min(next, held.view.dueAtMs);
      }
    }
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  /** The book of an instrument was lost or is another one: its views are emptied with it. */
  restart(instrument: ServedInstrument): void {
    for (const { view } of this.#shelves.get(instrument)?.held.values() ?? []) {
      view.restart(this.#origin(instrument, view.output.label));
    }
  }

  /** Proves quiet views, lets go of snapshots and views that nobody wants. */
  keepHouse(nowMs: number): void {
    for (const { held } of this.#shelves.values()) {
      for (const [name, one] of held) {
        const { output } = one.view;
        output.snapshots.forgetIdle(nowMs);
        if (output.followers > 0) {
          one.idleSinceMs = undefined;
          output.proveQuiet();
          continue;
        }
        one.idleSinceMs ??= nowMs;
        if (nowMs - one.idleSinceMs >= this.#options.limits.viewKeepMs) {
          held.delete(name);
          this.#due.delete(one);
          one.view.release();
        }
      }
    }
  }

  #make(instrument: ServedInstrument, shape: ViewShape): Held {
    const { outlet, limits, now, takeAlias } = this.#options;
    const shelf = this.#shelves.get(instrument) ?? { aliases: new Map(), held: new Map() };
    this.#shelves.set(instrument, shelf);
    const name = `${shape.depth}.${shape.rateMs}`;
    const alias = shelf.aliases.get(name) ?? takeAlias();
    shelf.aliases.set(name, alias);
    const names = { instrument: instrument.name.instrument, ...shape };
    const view = new DerivedView(this.#workspace, { base: instrument.book, ...names, alias, outlet, limits, now });
    view.restart(this.#origin(instrument, shape));
    const held: Held = { instrument, view, idleSinceMs: undefined };
    shelf.held.set(name, held);
    this.#due.add(held);
    return held;
  }

  #heldOf(instrument: ServedInstrument, { depth, rateMs }: ViewShape): Held | undefined {
    return this.#shelves.get(instrument)?.held.get(`${depth}.${rateMs}`);
  }

  #follow(held: Held, nowMs: number): void {
    this.#due.delete(held);
    const { instrument, view } = held;
    const outcome = view.follow(nowMs);
    if (outcome === "lost") {
      view.restart(this.#origin(instrument, view.output.label));
      instrument.book.failures.limits += 1;
      this.#options.interrupted(instrument, view, undefined);
    } else if (outcome === "partial") {
      this.#options.interrupted(instrument, view, "json");
    }
  }

  /** Stands for one life of one view: its versions begin at 1 again whenever it is emptied. */
  #origin(instrument: ServedInstrument, { depth, rateMs }: ViewShape): number {
    this.#restarts += 1;
    return mixEpoch([instrument.book.replica.epoch, depth, rateMs, this.#options.seed, this.#restarts]);
  }
}

function isBase({ depth, rateMs }: ViewShape): boolean {
  return depth === 0 && rateMs === 0;
}
