/**
 * The faults of one connection: every frame passes here on its way out, every message on its way in. Frames are counted
 * before anything befalls them, so that the journal's numbers are those of the stream as it was meant.
 * Bad case: a frame that is held back when its connection closes; it is never sent, as in a network.
 */
import type { ExchangeId } from "../model/exchange_id.ts";
import type { Clock } from "./clock.ts";
import { unknownFrame } from "./drift_edits.ts";
import type { FaultJournal, FaultRecord } from "./fault_journal.ts";
import { FAULT_KINDS, type FaultKind } from "./fault_kinds.ts";
import { OccasionLog, OpenTriggers, type Trigger } from "./fault_trigger.ts";
import { FRAME_EDITS } from "./frame_edits.ts";
import { HeldFrames, type Parcel } from "./held_frames.ts";
import { isWanted, LastingFaults, matches } from "./lasting_faults.ts";
import { publishedEvent } from "./market.ts";
import type { MarketBook } from "./market_book.ts";
import type { FrameAbout, FrameKind, Subscription, Unasked } from "./protocol.ts";
import { Bucket } from "./rate_limit.ts";

/** What faults can do to a connection. */
export type Outlet = {
  /** Sends a frame. */
  deliver(frame: string | Buffer, onWritten?: () => void): void;
  close(code: number, reason: string): void;
  /** Ends it without a closing handshake. */
  cut(): void;
  /** Makes it deaf and mute; it stays open. */
  freeze(): void;
  /** Lets the session send something unasked. */
  volunteer(unasked: Unasked): boolean;
};

/** What a connection's faults are made of. */
export type ConnectionFaultsOptions = {
  readonly exchange: ExchangeId;
  /** Of the connection on its exchange, from 1. */
  readonly number: number;
  /** Of the rules that this connection may suffer. */
  readonly triggers: readonly Trigger[];
  readonly outlet: Outlet;
  readonly clock: Clock;
  readonly seed: number;
  readonly journal: FaultJournal;
  /** The synthetic book of a symbol. */
  readonly bookOf: (symbol: string) => MarketBook | undefined;
};

const BOOKS: readonly FrameKind[] = ["snapshot", "book"];
const UPDATES: readonly FrameKind[] = ["book"];
const CLOSE_NORMAL = 1000;
const CLOSE_GOING_AWAY = 1001;

/** One connection under faults. */
export class ConnectionFaults {
  readonly exchange: ExchangeId;
  readonly number: number;
  readonly openedAtMs: number;
  /** Symbols whose books are subscribed. */
  readonly subscribed = new Set<string>();
  isFrozen = false;
  readonly #options: ConnectionFaultsOptions;
  readonly #occasions: OccasionLog;
  readonly #byScope: Readonly<Record<"frame" | "connection" | "subscription", OpenTriggers>>;
  readonly #policies: readonly Trigger[];
  readonly #held: HeldFrames;
  readonly #lasting: LastingFaults;
  readonly #silenced = new Map<string, FaultRecord>();
  readonly #buckets = new Map<Trigger, Bucket>();
  #frames = 0;
  /** The fault that made the connection deaf and mute. */
  #frozenBy: FaultRecord | undefined;
  #isBefalling = false;
  #isEnding = false;
  #closeAtMs = Number.POSITIVE_INFINITY;
  #cutAtMs = Number.POSITIVE_INFINITY;

  constructor(options: ConnectionFaultsOptions) {
    const { exchange, number, triggers, clock, outlet } = options;
    this.exchange = exchange;
    this.number = number;
    this.openedAtMs = clock.now();
    this.#options = options;
    this.#occasions = new OccasionLog(options.seed, `${exchange}:${number}`);
    this.#held = new HeldFrames(clock, (frame, onWritten) => outlet.deliver(frame, onWritten));
    const own = triggers.filter(({ rule }) => rule.connections?.includes(number) ?? true);
    const of = (scope: string): Trigger[] => own.filter(({ rule }) => FAULT_KINDS[rule.kind].scope === scope);
    this.#lasting = new LastingFaults(of("stream"), {
      exchange,
      clock,
      isDue: (trigger) => this.#isDue(trigger),
      spend: (trigger, { about, index: frame }) =>
        this.#spend(trigger, { symbol: about.symbol, frame, detail: "begins", about }),
    });
    this.#byScope = {
      frame: new OpenTriggers(of("frame")),
      // Those that time alone decides come from outside, for all connections together.
      connection: new OpenTriggers(of("connection").filter((trigger) => !trigger.isTimed)),
      subscription: new OpenTriggers(of("subscription")),
    };
    this.#policies = of("policy");
  }

  /** Sends a frame, or what becomes of it. */
  send(frame: string | Buffer, about: FrameAbout): void {
    this.#befallByFrame(about);
    const parcel: Parcel = { frame, about, index: this.#frames, copies: 1, follower: undefined };
    this.#frames += 1;
    const isGone =
      this.#isFrozenFor(about) || this.#isSilenced(about) || this.#lasting.reshape(parcel) || this.#strike(parcel);
    if (isGone) {
      about.onWritten?.();
    }
  }

  /** A message came. @returns whether the session may see it; `isTold` where the client is told that it was dropped */
  receive(text: string): { isPassed: boolean; isTold: boolean } {
    const trigger = this.#policies.find(({ rule }) => rule.kind === "subscribe_dropped");
    const atMs = this.#options.clock.now();
    if (trigger === undefined || !trigger.isHolding(atMs) || !/subscribe/i.test(text.slice(0, 200))) {
      return { isPassed: !this.isFrozen, isTold: false };
    }
    const { requests_per_second: perSecond = 1, burst = 1 } = trigger.rule.options;
    const bucket = this.#buckets.get(trigger) ?? new Bucket(perSecond, burst, { atMs });
    this.#buckets.set(trigger, bucket);
    const isPassed = bucket.take(atMs);
    if (!isPassed) {
      this.#note(trigger, { symbol: "", detail: `dropped ${text.slice(0, 80)}` });
    }
    return { isPassed: isPassed && !this.isFrozen, isTold: !isPassed };
  }

  /** A subscription begins or ends. */
  subscription({ symbol, kind, isOn }: Subscription): void {
    if (kind !== "book") {
      return;
    }
    this.#held.forget(symbol);
    this.#silenced.delete(symbol);
    this.subscribed.delete(symbol);
    if (!isOn) {
      return;
    }
    this.subscribed.add(symbol);
    for (const trigger of this.#byScope.subscription.at(this.#options.clock.now())) {
      if (matches(trigger.rule, symbol) && this.#isDue(trigger)) {
        this.#silenced.set(symbol, this.#spend(trigger, { symbol, detail: "acknowledged and silent" }));
      }
    }
  }

  /** Lets what is due at a time happen: announced closes, ages. */
  tick(atMs: number): void {
    if (atMs >= this.#cutAtMs) {
      this.#cutAtMs = Number.POSITIVE_INFINITY;
      this.#options.outlet.cut();
    } else if (atMs >= this.#closeAtMs && !this.isFrozen) {
      this.#close(CLOSE_GOING_AWAY, "going away");
    }
    const ageMs = atMs - this.openedAtMs;
    for (const trigger of this.#policies) {
      const { kind, options } = trigger.rule;
      const isOld = kind === "age_close" && ageMs >= (options.age_ms ?? 0);
      if (isOld && trigger.isHolding(atMs) && !this.isOver) {
        this.#note(trigger, { symbol: "", detail: `${ageMs} ms old` });
        this.#close(CLOSE_NORMAL, "maximum age");
      }
    }
  }

  /** Whether nothing more can befall it. */
  get isOver(): boolean {
    return this.isFrozen || this.#isEnding;
  }

  /** Announces something and closes the connection later. @param closeAtMs Unix milliseconds */
  announce(unasked: Unasked, closeAtMs: number): boolean {
    this.#closeAtMs = Math.min(this.#closeAtMs, closeAtMs);
    return this.#options.outlet.volunteer(unasked);
  }

  /**
   * Lets a fault befall the whole connection.
   * @returns false when it cannot: no such subscription; it is not spent then
   */
  befall(trigger: Trigger): boolean {
    const { kind } = trigger.rule;
    if (this.isOver) {
      return false;
    }
    this.#isBefalling = true;
    const isDone = kind === "snapshot_midstream" ? this.#resend(trigger) : this.#end(trigger);
    this.#isBefalling = false;
    return isDone;
  }

  /** The connection is gone. */
  closed(): void {
    this.#held.close();
  }

  #resend(trigger: Trigger): boolean {
    const symbols = [...this.subscribed].filter((symbol) => matches(trigger.rule, symbol)).sort();
    const symbol = symbols[this.#occasions.of(trigger).random.below(Math.max(1, symbols.length))];
    if (symbol === undefined) {
      return false;
    }
    const frame = this.#frames;
    const isDone = this.#options.outlet.volunteer({ what: "snapshot", symbol });
    if (isDone) {
      this.#note(trigger, { symbol, detail: "unasked", frame, about: this.#aboutNow(symbol) });
    }
    return isDone;
  }

  #end(trigger: Trigger): boolean {
    const { kind, options } = trigger.rule;
    const { outlet, clock } = this.#options;
    const record = this.#note(trigger, { symbol: "", detail: detailOf(kind, options) });
    switch (kind) {
      case "close":
        this.#close(options.code ?? CLOSE_NORMAL, "");
        return true;
      case "cut":
        this.#isEnding = true;
        outlet.cut();
        return true;
      case "half_open":
        this.isFrozen = true;
        this.#frozenBy = record;
        this.#cutAtMs = options.for_ms === undefined ? this.#cutAtMs : clock.now() + options.for_ms;
        this.#held.close();
        outlet.freeze();
        return true;
      default:
        return this.announce({ what: "shutdown" }, clock.now() + (options.close_after_ms ?? 0));
    }
  }

  #close(code: number, reason: string): void {
    this.#isEnding = true;
    this.#closeAtMs = Number.POSITIVE_INFINITY;
    this.#options.outlet.close(code, reason);
  }

  // A fault of the connection that waits for a number of frames comes before the next one.
  #befallByFrame({ kind, symbol }: FrameAbout): void {
    if (this.#isBefalling || this.isOver) {
      return;
    }
    for (const trigger of this.#byScope.connection.at(this.#options.clock.now())) {
      const isWanted = trigger.rule.frames?.includes(kind) ?? true;
      const isAbout = trigger.rule.kind === "snapshot_midstream" || matches(trigger.rule, symbol);
      if (isWanted && isAbout && this.#isDue(trigger) && this.befall(trigger)) {
        trigger.spend(this.#options.clock.now());
      }
    }
  }

  #isSilenced(about: FrameAbout): boolean {
    const record = BOOKS.includes(about.kind) ? this.#silenced.get(about.symbol) : undefined;
    record?.touched(about);
    return record !== undefined;
  }

  #isFrozenFor(about: FrameAbout): boolean {
    this.#frozenBy?.touched(about);
    return this.isFrozen;
  }

  // Faults of single frames. True: the frame is swallowed.
  #strike(parcel: Parcel): boolean {
    const { about, index: frame } = parcel;
    const { kind, symbol } = about;
    for (const trigger of this.#byScope.frame.at(this.#options.clock.now())) {
      if (isWanted(trigger.rule, kind, UPDATES) && matches(trigger.rule, symbol) && this.#isDue(trigger)) {
        if (trigger.rule.kind === "drop") {
          this.#spend(trigger, { symbol, detail: "dropped", frame, about });
          return true;
        }
        this.#alter(trigger, parcel);
      }
    }
    this.#held.dispatch(parcel);
    return false;
  }

  #alter(trigger: Trigger, parcel: Parcel): void {
    const { kind, options, instruments, frames = UPDATES } = trigger.rule;
    const { about, index: frame } = parcel;
    const { symbol } = about;
    const note = (detail: string): FaultRecord => this.#spend(trigger, { symbol, detail, frame, about });
    switch (kind) {
      case "duplicate":
        parcel.copies += 1;
        note("twice");
        return;
      case "drift_unknown":
        parcel.follower = unknownFrame(this.exchange, symbol, parcel.frame.toString());
        note("another follows");
        return;
      case "delay": {
        const only = instruments === undefined ? undefined : instruments === "*" ? [symbol] : instruments;
        const stall = this.#held.stall(only, options.ms ?? 0);
        if (stall !== undefined) {
          const record = note(`${options.ms} ms`);
          stall.whenQueued = (other) => other !== parcel && record.touched(other.about);
        }
        return;
      }
      case "reorder":
        if (this.#held.swap(parcel, { frames, whenSent: () => this.#swapped(trigger, parcel) })) {
          trigger.spend(this.#options.clock.now());
        }
        return;
      default:
        this.#edit(trigger, parcel, note);
    }
  }

  #swapped(trigger: Trigger, { about, index }: Parcel): void {
    this.#note(trigger, { symbol: about.symbol, detail: "after the next one", frame: index, about });
  }

  #edit(trigger: Trigger, parcel: Parcel, note: (detail: string) => FaultRecord): void {
    const edit = FRAME_EDITS[trigger.rule.kind as keyof typeof FRAME_EDITS](parcel.frame.toString(), {
      random: this.#occasions.of(trigger).random,
      book: this.#options.bookOf(parcel.about.symbol),
      where: trigger.rule.options.where ?? "any",
    });
    if (edit !== undefined) {
      parcel.frame = edit.frame;
      note(edit.detail);
    }
  }

  #isDue(trigger: Trigger): boolean {
    return trigger.isDue(this.#options.clock.now(), this.#occasions.of(trigger));
  }

  #aboutNow(symbol: string): Pick<FrameAbout, "symbol" | "event"> {
    const book = this.#options.bookOf(symbol);
    return book === undefined ? { symbol } : { symbol, event: publishedEvent(book) };
  }

  #spend(trigger: Trigger, what: Note): FaultRecord {
    trigger.spend(this.#options.clock.now());
    return this.#note(trigger, what);
  }

  #note({ rule }: Trigger, { symbol, detail, frame = this.#frames, about }: Note): FaultRecord {
    const { exchange, number: connection } = this;
    const atMs = this.#options.clock.now();
    const entry = { kind: rule.kind, exchange, instrument: symbol, connection, frame, atMs, rule: rule.index, detail };
    return this.#options.journal.add(entry, about);
  }
}

type Note = { symbol: string; detail: string; frame?: number; about?: Pick<FrameAbout, "symbol" | "event"> };

function detailOf(kind: FaultKind, options: Trigger["rule"]["options"]): string {
  switch (kind) {
    case "close":
      return `with ${options.code}`;
    case "half_open":
      return options.for_ms === undefined ? "for ever" : `for ${options.for_ms} ms`;
    case "server_shutdown":
      return `closes after ${options.close_after_ms} ms`;
    default:
      return "without a word";
  }
}
