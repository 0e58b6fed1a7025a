/**
 * One instrument out of what several collectors of the same exchange say of it: the first to bring an event wins.
 *
 * **The rule.** The merged book L is published here; each collector X has a lane with a proved book of its own. X is
 * *aligned* when its book is L: same levels (hash), same exchange sequence, same exchange time, reached by the same event
 * (hash before it). (1) An event of an aligned lane is published as it came; every other lane is then behind. (2) An event
 * of a lane that is not aligned is kept; when L stands at its end, now or later, the lane is aligned and what it brought
 * beyond is published. (3) When no aligned lane lives, or others are beyond L while it stands still, one of the others is
 * taken; which, and how long whom is waited for, is carrier_choice.ts. Where the exchange numbers its events that is done
 * event by event (take_over.ts), else by the exact difference of the two books in one event, which is counted. (4) When no
 * lane lives, or nobody carries L for `patienceMs`, it says that it is not synced.
 *
 * **Why it is exact.** By induction L is, after each event published, the book of some collector between two events:
 * (1) and (2) publish event e of X only when L is X's book before e, so L is X's book after e; (3) publishes L' − L. The
 * hash in each record proves it again here and in every reader. **Why nothing is lost or told twice while one dies:** both
 * get the same events in the same order. What A published is never published again: B's lane is behind until it reaches
 * that place. What A did not publish is published by B: B's lane was, is or will be where L stands, and every event from
 * there on is kept. That needs no sequence number; books that differ because each knows levels that the other does not
 * (Binance: snapshots are cut) never meet by hash: there the number is the common key and take_over.ts the way.
 * **The limits.** A place is no moment: a book can come back to the same levels by the same event within one tick of the
 * exchange's clock; then the latest such moment counts, and what lay between, which led from that book to itself, may be
 * told once or not at all. An exchange that neither numbers its events nor cuts them alike for each connection is followed
 * by differences: right at every event, some changes together; the count says so.
 */
import {
  FLAG_CROSSED,
  FLAG_NOT_SYNCED,
  FLAG_SNAPSHOT,
  REASON_NONE,
  REASON_SILENT,
  SIDE_ASK,
  SIDE_BID,
} from "../../assembly/layout.ts";
import { adoptBook, keepEvent, type LaneState, laneStamp } from "./adopt.ts";
import { chooseCarrier, isWarm } from "./carrier_choice.ts";
import type { InstrumentFacts } from "./facts.ts";
import { Lane, type LaneEvent, type LaneListener } from "./lane.ts";
import type { LocalBook } from "./local_book.ts";
import type { MergeHome } from "./merge_home.ts";
import { isSamePoint, type Point } from "./points.ts";
import { differenceRecords, notSynced, stampRecord } from "./record_writer.ts";
import { TradeMemory } from "./trade_memory.ts";

const WANT_AGAIN_MS = 500;

/** The merged view of one instrument. Thread: one. */
export class MergedInstrument implements LaneListener {
  readonly symbol: string;
  readonly #home: MergeHome;
  readonly #lanes = new Map<bigint, LaneState>();
  readonly #trades = new TradeMemory();
  #local: LocalBook | undefined;
  #facts: InstrumentFacts | undefined;
  #before: number | undefined;
  #publishedAtMs = Number.NEGATIVE_INFINITY;
  #carrier: bigint | undefined;
  #orphanSinceMs: number | undefined;
  #wantedAtMs = Number.NEGATIVE_INFINITY;

  constructor(home: MergeHome, symbol: string) {
    this.#home = home;
    this.symbol = symbol;
  }

  get local(): LocalBook | undefined {
    return this.#local;
  }

  get facts(): InstrumentFacts | undefined {
    return this.#facts;
  }

  /** Collectors whose lane is aligned now. */
  get aligned(): bigint[] {
    return [...this.#lanes.values()].filter(({ isAligned }) => isAligned).map(({ lane }) => lane.source);
  }

  /** Collectors that could carry the book on without losing an event, were all others to die now. */
  get warm(): bigint[] {
    return [...this.#lanes.values()]
      .filter((state) => isWarm(this.#home, this.#local, state))
      .map(({ lane }) => lane.source);
  }

  /** The lane of a collector. @throws RangeError when the arena is exhausted */
  lane(source: bigint): Lane {
    return this.#state(source).lane;
  }

  /** Forgets a collector. */
  drop(source: bigint): void {
    const state = this.#lanes.get(source);
    if (state !== undefined) {
      this.#lanes.delete(source);
      state.lane.close();
    }
  }

  /** The home has another segment: the book goes there whole, as it is. */
  rehome(): void {
    const { workspace } = this.#home;
    const [from, facts] = [this.#local, this.#facts];
    if (from === undefined || facts === undefined) {
      return;
    }
    const levels = workspace.kernel.bookCount(from.book, SIDE_BID) + workspace.kernel.bookCount(from.book, SIDE_ASK);
    const opened = this.#home.open(facts, { levels, previous: undefined });
    const { eventAtNs, sourceSequence } = from.mark;
    const flags = FLAG_SNAPSHOT | (from.isSynced ? from.flags & FLAG_CROSSED : FLAG_NOT_SYNCED);
    const stamp = { eventAtNs, sourceSequence, receivedAtNs: from.receivedAtNs, flags };
    const record = stampRecord(workspace, { hash: from.hash, stamp });
    this.#local = undefined;
    if (opened !== undefined && from.hasBook && opened.reset(from.book, record)) {
      this.#home.counts.resets += 1;
      this.#local = opened;
    }
    from.close();
  }

  /** Publishes trades that nobody brought before. */
  trades(source: bigint, records: readonly Uint8Array[]): void {
    const state = this.#state(source);
    for (const record of records) {
      const isKnown = this.#local === undefined || (this.#trades.isKnown(record) ?? this.#carrier !== source);
      if (isKnown) {
        this.#home.counts.tradeDuplicates += 1;
      } else {
        this.#home.counts.trades += 1;
        this.#local?.trade(record);
      }
    }
    this.#home.counts.gaps += state.lane.tradeGaps;
    state.lane.tradeGaps = 0;
  }

  event(lane: Lane, event: LaneEvent): void {
    const state = this.#state(lane.source);
    if (!event.isSynced) {
      this.#leave(state, undefined);
      this.settle();
      return;
    }
    if (state.isAligned) {
      this.#publish(state, event);
      this.#alignOthers(state);
      return;
    }
    this.#home.counts.duplicates += keepEvent(this.#home, this.#local, { state, event });
    if (!this.#alignWith(state)) {
      this.settle();
    }
  }

  loaded(lane: Lane): void {
    const state = this.#state(lane.source);
    this.#leave(state, lane.isSynced ? lane.front : undefined);
    if (!this.#alignWith(state)) {
      this.settle();
    }
  }

  lost(lane: Lane): void {
    this.#home.counts.gaps += lane.gaps;
    lane.gaps = 0;
    this.#leave(this.#state(lane.source), undefined);
    this.#want();
    this.settle();
  }

  /** Looks at everything; call it ten times a second. @param overtakeMs a book ahead of its records for so long is taken */
  look(overtakeMs: number): void {
    const now = this.#home.nowMs();
    for (const { lane } of this.#lanes.values()) {
      if (this.#home.isFresh(lane.source)) {
        lane.overtake(now, overtakeMs);
      }
    }
    this.settle();
    this.#local?.patrol();
  }

  /** Looks whether somebody carries this book. */
  settle(): void {
    const states = [...this.#lanes.values()];
    const home = this.#home;
    if (states.some(({ lane }) => !lane.isFollowing && home.isFresh(lane.source))) {
      this.#want();
    }
    const since = { orphanSinceMs: this.#orphanSinceMs, publishedAtMs: this.#publishedAtMs };
    const isAdopted = this.#before === undefined;
    const choice = chooseCarrier(home, { states, local: this.#local, ...since, isAdopted });
    this.#orphanSinceMs = choice.orphanSinceMs;
    if (choice.reason !== undefined) {
      this.#interrupt(choice.reason);
    }
    if (choice.taken !== undefined) {
      this.#adopt(choice.taken);
    }
  }

  #publish(state: LaneState, { records, point }: LaneEvent): void {
    const before = this.#local === undefined ? undefined : this.#point(this.#local);
    const isFresh = this.#home.isFresh(state.lane.source);
    if (this.#local?.append(isFresh ? records : notSynced(records), isFresh ? REASON_NONE : REASON_SILENT) !== true) {
      this.#adopt(state);
      return;
    }
    const { counts } = this.#home;
    counts.events += 1;
    counts.turns += this.#carrier === state.lane.source || this.#carrier === undefined ? 0 : 1;
    this.#carrier = state.lane.source;
    this.#before = point.before;
    this.#publishedAtMs = this.#home.nowMs();
    for (const other of this.#lanes.values()) {
      if (other !== state && other.isAligned) {
        this.#leave(other, before);
      }
    }
  }

  /** Lanes that stood where the book stands now go on from there. */
  #alignOthers(origin: LaneState): void {
    for (const state of this.#lanes.values()) {
      if (state !== origin && !state.isAligned) {
        this.#alignWith(state);
      }
    }
  }

  /** @returns whether the lane is aligned now; what it had beyond the book is published then */
  #alignWith(state: LaneState): boolean {
    const local = this.#local;
    if (local?.hasBook !== true) {
      return false;
    }
    const here = this.#point(local);
    const index = state.ahead.findLastIndex(({ point }) => isSamePoint(point, here));
    if (index < 0 && (state.since === undefined || !isSamePoint(state.since, here))) {
      return false;
    }
    const beyond = state.ahead.slice(index + 1);
    this.#home.counts.duplicates += index + 1;
    state.ahead = [];
    state.aheadSinceMs = undefined;
    state.isAligned = true;
    for (const event of beyond) {
      this.#publish(state, event);
    }
    if (beyond.length > 0) {
      this.#alignOthers(state);
    }
    return true;
  }

  /** Takes a lane's book: event by event where the exchange numbers them, else by the exact difference, else whole. */
  #adopt(state: LaneState): void {
    const { lane } = state;
    const { facts } = lane;
    if (facts === undefined) {
      return;
    }
    const isFitting =
      this.#local !== undefined &&
      this.#facts?.priceExponent === facts.priceExponent &&
      this.#facts.quantityExponent === facts.quantityExponent;
    const stamp = laneStamp(lane);
    const before = this.#local === undefined ? undefined : this.#point(this.#local);
    const isKept = isFitting && this.#local !== undefined && adoptBook(this.#home, this.#local, state);
    if (
      !isKept &&
      !this.#replace(lane, {
        facts,
        stamp: stampRecord(this.#home.workspace, { hash: lane.front.hash, stamp }),
        isFitting,
      })
    ) {
      return;
    }
    this.#facts = facts;
    this.#before = undefined;
    this.#carrier = lane.source;
    this.#orphanSinceMs = undefined;
    this.#publishedAtMs = this.#home.nowMs();
    for (const other of this.#lanes.values()) {
      if (other.isAligned && other !== state) {
        this.#leave(other, before);
      }
    }
    state.isAligned = true;
    state.ahead = [];
    state.aheadSinceMs = undefined;
    this.#alignOthers(state);
  }

  #replace(lane: Lane, options: { facts: InstrumentFacts; stamp: Uint8Array; isFitting: boolean }): boolean {
    const { workspace, counts } = this.#home;
    const levels = workspace.kernel.bookCount(lane.book, SIDE_BID) + workspace.kernel.bookCount(lane.book, SIDE_ASK);
    const opened = options.isFitting ? this.#local : this.#home.open(options.facts, { levels, previous: this.#local });
    if (opened === undefined) {
      return false;
    }
    if (opened !== this.#local) {
      this.#local?.close();
      this.#local = opened;
    }
    if (opened.reset(lane.book, options.stamp)) {
      counts.resets += 1;
      return true;
    }
    const larger = this.#home.open(options.facts, { levels: levels * 2, previous: opened });
    if (larger === undefined) {
      return false;
    }
    opened.close();
    this.#local = larger;
    counts.resets += 1;
    return larger.reset(lane.book, options.stamp);
  }

  /** The book is no longer known to be right. */
  #interrupt(reason: number): void {
    const local = this.#local;
    if (local?.isSynced !== true) {
      return;
    }
    this.#home.counts.interruptions += 1;
    const { eventAtNs, sourceSequence } = local.mark;
    const stamp = { eventAtNs, sourceSequence, receivedAtNs: local.receivedAtNs, flags: FLAG_NOT_SYNCED };
    local.append(differenceRecords(this.#home.workspace, [], { hash: local.hash, stamp }), reason);
  }

  #leave(state: LaneState, since: Point | undefined): void {
    state.isAligned = false;
    state.since = since;
    state.ahead = [];
    state.aheadSinceMs = undefined;
  }

  #point(local: LocalBook): Point {
    return { ...local.mark, before: this.#before };
  }

  #want(): void {
    const now = this.#home.nowMs();
    if (now - this.#wantedAtMs >= WANT_AGAIN_MS) {
      this.#wantedAtMs = now;
      this.#home.want(this.symbol);
    }
  }

  #state(source: bigint): LaneState {
    let state = this.#lanes.get(source);
    if (state === undefined) {
      const { workspace, waitingMax } = this.#home;
      const lane = new Lane(workspace, { source, listener: this, waitingMax });
      state = { lane, isAligned: false, since: undefined, ahead: [], aheadSinceMs: undefined };
      this.#lanes.set(source, state);
    }
    return state;
  }
}
