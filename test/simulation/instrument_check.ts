/**
 * One instrument under watch: what was published of it against the truth, by the published bytes and the faults alone.
 * Bad case: a label that a fault has changed, so that it names no event; the book is compared with all recent ones then.
 */
import {
  FLAG_LAST,
  FLAG_NOT_SYNCED,
  FLAG_RESET,
  STATE_RETIRED,
  STATE_SYNCED,
  TABLE_AUDIT_PERIOD,
  TABLE_STATE,
} from "../../assembly/layout.ts";
import { EXCHANGES } from "../../src/exchanges/mod.ts";
import type { InstrumentEntry } from "../../src/segment/view.ts";
import { AuditLimit } from "./audit_limit.ts";
import type { CheckGround } from "./check_ground.ts";
import type { Difference, KnownRange, PublishedBook } from "./published_book.ts";
import { PublishedVersions } from "./published_versions.ts";
import type { PublishedRecord, RingTap } from "./ring_tap.ts";
import { cellDisagreement, imageDisagreement } from "./surfaces.ts";
import { SyncWatch } from "./sync_watch.ts";
import type { TruthPlace } from "./truth_log.ts";

type Wrong = {
  readonly sinceMs: number;
  readonly isB: boolean;
  frames: number;
  readonly text: string;
  isTold: boolean;
};

/** Frames on their way, held by sloppy sockets. */
const TRANSIT_MS = 4000;
const LAG_MS = 4500;
/** Audits, until the segment tells its own period. */
const AUDIT_MS = 60_000;
const NUMBERED: readonly string[] = ["binance", "binance_us"];
const SURFACES_TICKS = 15;
/** Every so many looks at an image its levels are compared as texts, not their hash alone. */
const SURFACES_PER_WHOLE = 6;
/** Records are published a little after the table says so. */
const DISAGREEING_TICKS_MAX = 3;

/** The check of one instrument. */
export class InstrumentCheck {
  readonly book: PublishedBook;
  /** When and why it is in sync. */
  readonly sync: SyncWatch;
  /** What whoever holds a version must hold. */
  readonly published = new PublishedVersions();
  readonly #ground: CheckGround;
  readonly #audits: AuditLimit;
  readonly #view: DataView;
  #tap: RingTap | undefined;
  #entry: InstrumentEntry | undefined;
  #version = 0;
  #imageVersion = 0;
  #isUnknown = false;
  #label = { sequence: 0, eventUs: 0 };
  #rightMs = 0;
  #wrong: Wrong | undefined;
  #isLagTold = false;
  #ticks = 0;
  #disagreeing = 0;

  constructor(book: PublishedBook, ground: CheckGround) {
    this.book = book;
    this.#ground = ground;
    this.#audits = new AuditLimit(ground, book.log.exchange);
    this.#view = new DataView(ground.buffer);
    this.sync = new SyncWatch(book.log, ground, () => this.describe());
  }

  /** Whether it is published as right, and is. */
  get isRight(): boolean {
    return this.sync.isSynced && this.#wrong === undefined && !this.#isUnknown && this.#lagMs() < LAG_MS;
  }

  /** What it looks like now, for people. */
  describe(): string {
    const state = this.#entry === undefined ? "none" : this.#view.getUint32(this.#entry.address + TABLE_STATE, true);
    const reason = this.#entry === undefined ? "" : ` reason ${this.#view.getUint32(this.#entry.address + 12, true)}`;
    const wrong = this.#wrong === undefined ? "" : `, wrong: ${this.#wrong.text}`;
    return `table state ${state}${reason}, ${this.sync.isSynced ? "synced" : "not synced"}${wrong}, version ${this.#version}, lag ${Math.round(this.#lagMs())} ms`;
  }

  /** A record of this instrument was published. */
  record(record: PublishedRecord, entry: InstrumentEntry, tap: RingTap): void {
    if (this.#tap !== tap || this.#entry?.id !== entry.id) {
      this.#begin(entry, tap);
    }
    this.#chain(record);
    if ((record.flags & FLAG_RESET) !== 0) {
      this.#reset(record, entry, tap);
    } else if (record.version > this.#imageVersion) {
      for (const change of record.changes) {
        const fault = this.book.apply(change);
        if (fault !== undefined) {
          this.#fail("every change changes the book", {
            expected: "a change",
            found: `${fault} in version ${record.version}`,
          });
        }
      }
    }
    if ((record.flags & FLAG_LAST) !== 0) {
      this.#close(record);
    }
  }

  /** Its worker died: nothing of it counts any more. */
  abandoned(): void {
    this.#leaveSync();
    this.#entry = undefined;
    this.#tap = undefined;
  }

  /** The truth has gone on. */
  truthMoved(): void {
    if (this.#isUnknown && this.sync.isSynced) {
      this.#judge();
    }
  }

  /** Looks after what lasts. Call every 100 ms. */
  tick(): void {
    const now = this.#ground.now();
    this.#ticks += 1;
    this.#checkTable(now);
    if (this.#ticks % SURFACES_TICKS === 0) {
      this.#checkSurfaces(this.#ticks % (SURFACES_TICKS * SURFACES_PER_WHOLE) === 0);
    }
    if (!this.sync.isSynced) {
      this.sync.tick(now);
      return;
    }
    if (this.#wrong !== undefined) {
      this.#checkWrong(this.#wrong, now);
    }
    this.#checkLag(now);
  }

  /** Table and records say the same, unless the worker died in between. */
  #checkTable(now: number): void {
    const { exchange, native } = this.book.log;
    const isSame = this.#entry === undefined || this.isSyncedInTable === this.sync.isSynced;
    this.#disagreeing = isSame ? 0 : this.#disagreeing + 1;
    if (this.#disagreeing === DISAGREEING_TICKS_MAX) {
      const faults = this.#ground.ledger.touching(exchange, native, now - TRANSIT_MS);
      if (!faults.some(({ kind }) => kind === "worker_death")) {
        const expected = this.sync.isSynced ? "synced" : "not synced";
        this.#fail("the table says what the records say", { expected, found: this.describe() });
      }
    }
  }

  #checkSurfaces(isWhole: boolean): void {
    const [entry, tap] = [this.#entry, this.#tap];
    if (entry === undefined || tap === undefined || this.#version === 0 || this.#isRetired) {
      return;
    }
    const held = { book: this.book, version: this.#version };
    const found = [
      cellDisagreement(tap.view, entry, held),
      imageDisagreement(tap, entry, { published: this.published, isWhole }),
    ];
    for (const disagreement of found.filter((one) => one !== undefined)) {
      this.#fail(disagreement.what, disagreement);
    }
  }

  #begin(entry: InstrumentEntry, tap: RingTap): void {
    this.#tap = tap;
    this.#entry = entry;
    this.#version = 0;
    this.#imageVersion = 0;
    this.published.begin();
    this.book.clear();
  }

  #chain({ version }: PublishedRecord): void {
    if (version !== this.#version + 1) {
      this.#fail("versions are contiguous", { expected: String(this.#version + 1), found: String(version) });
    }
    this.#version = version;
  }

  #reset({ version }: PublishedRecord, entry: InstrumentEntry, tap: RingTap): void {
    const image = tap.image(entry);
    if (image === undefined || image.version < version) {
      const found = image === undefined ? "none" : `version ${image.version}`;
      this.#fail("a Reset record has an image", { expected: `version ${version} or later`, found });
      return;
    }
    this.#imageVersion = image.version;
    this.book.load(image);
  }

  /** The version published last. */
  get version(): number {
    return this.#version;
  }

  #close({ flags, sequence, eventUs, version, bookHash }: PublishedRecord): void {
    if (version < this.#imageVersion && (flags & FLAG_NOT_SYNCED) === 0) {
      // The image is ahead of its Reset record: the records up to it follow.
      return;
    }
    this.published.add(version, { digest: this.book.digest, hash: bookHash });
    if ((flags & FLAG_NOT_SYNCED) !== 0) {
      this.#leaveSync();
      return;
    }
    if (!this.sync.isSynced) {
      this.sync.enter();
    }
    // Unknown where the exchange said none: the time before counts on.
    this.#label = { sequence, eventUs: eventUs === 0 ? this.#label.eventUs : eventUs };
    if (this.#wrong !== undefined) {
      this.#wrong.frames += 1;
    }
    this.#judge();
  }

  #judge(): void {
    this.#ground.report.comparisons += 1;
    const place = this.#place();
    this.#isUnknown = place === undefined;
    const difference = place === undefined ? undefined : this.#differenceAt(place);
    if (difference === undefined || this.#matchesRecent()) {
      this.#right();
    } else {
      this.#beWrong(difference);
    }
  }

  /** The place in the truth that the label names; undefined when it has not come yet. */
  #place(): TruthPlace | undefined {
    const { log } = this.book;
    const { sequence, eventUs } = this.#label;
    return NUMBERED.includes(log.exchange) ? log.bySequence(sequence) : log.byTime(eventUs);
  }

  #differenceAt(place: TruthPlace): Difference | undefined {
    const difference = this.book.differenceAt(place);
    const range = difference === undefined ? undefined : this.#knownRange();
    return range === undefined ? difference : this.book.differenceAt(place, range);
  }

  #knownRange(): KnownRange | undefined {
    const entry = this.#entry === undefined ? undefined : this.#tap?.view.instrument(this.#entry.index);
    if (entry?.knownRange === undefined) {
      return undefined;
    }
    const scale = 10 ** entry.priceExponent;
    return { low: Number(entry.knownRange.lowTicks) / scale, high: Number(entry.knownRange.highTicks) / scale };
  }

  /** A fault may have changed the label alone: is it right at an event that followed the last right one? */
  #matchesRecent(): boolean {
    const { ledger, now } = this.#ground;
    const { log } = this.book;
    const isLabelInDoubt = ledger
      .touching(log.exchange, log.native, this.#rightMs - TRANSIT_MS)
      .some(({ kind }) => kind.startsWith("corrupt"));
    if (!isLabelInDoubt || now() - this.#rightMs > 10_000) {
      return false;
    }
    return this.book.isRightAtEventSince((this.#rightMs - 2 * TRANSIT_MS) * 1000, this.#knownRange());
  }

  #right(): void {
    this.#rightMs = this.#ground.now();
    this.sync.proved(this.#rightMs - TRANSIT_MS);
    this.#endWrong();
  }

  #beWrong({ side, price, expected, found }: Difference): void {
    if (this.#wrong !== undefined) {
      return;
    }
    const { ledger, now, report } = this.#ground;
    const { exchange, native } = this.book.log;
    const faults = ledger.touching(exchange, native, this.#rightMs - TRANSIT_MS);
    const isB = faults.some((fault) => fault.class === "B");
    const where = `${side === 0 ? "bid" : "ask"} ${price}`;
    const text = `${where}: expected ${expected}, found ${found}`;
    this.#wrong = { sinceMs: now(), isB, frames: 1, text, isTold: false };
    this.#ground.trace.note(`${exchange} ${native} is wrong at ${JSON.stringify(this.#label)}: ${text}`);
    if (isB) {
      report.wrongBooksB += 1;
      return;
    }
    const because = faults.map((fault) => `${fault.kind} (${fault.class})`).join(", ");
    this.#fail(`a book called synced is right (after ${because === "" ? "no fault" : because})`, {
      expected: `${where} × ${expected} at ${JSON.stringify(this.#label)}`,
      found: `${where} × ${found}`,
    });
  }

  #endWrong(): void {
    const wrong = this.#wrong;
    if (wrong === undefined) {
      return;
    }
    this.#wrong = undefined;
    const { report, now } = this.#ground;
    const lastedMs = now() - wrong.sinceMs;
    if (wrong.isB) {
      this.#audits.undetected(wrong.sinceMs, lastedMs);
    } else {
      report.wrongBookMs += lastedMs;
      report.framesUntilInvalidMax = Math.max(report.framesUntilInvalidMax, wrong.frames);
    }
  }

  #checkWrong(wrong: Wrong, now: number): void {
    const limitMs = this.#audits.findableMs(wrong.sinceMs, this.#auditMs);
    if (now - wrong.sinceMs > limitMs && !wrong.isTold) {
      wrong.isTold = true;
      this.#fail("a book that the audit can find is found in its period", {
        expected: `within ${limitMs} ms`,
        found: `wrong for longer: ${wrong.text}`,
      });
    }
  }

  get #auditMs(): number {
    const told = this.#entry === undefined ? 0 : this.#view.getUint32(this.#entry.address + TABLE_AUDIT_PERIOD, true);
    return told === 0 ? AUDIT_MS : told;
  }

  #leaveSync(): void {
    this.#endWrong();
    this.#isUnknown = false;
    this.sync.leave({ isRetired: this.#isRetired });
  }

  /** How long ago the first event happened that the book does not show yet. */
  #lagMs(): number {
    const { log } = this.book;
    const place = this.#place();
    const nextUs = place === undefined ? undefined : log.nextToldUs(place);
    return nextUs === undefined ? 0 : this.#ground.now() - nextUs / 1000;
  }

  #checkLag(now: number): void {
    const { ledger } = this.#ground;
    const { exchange, native } = this.book.log;
    const lagMs = Math.min(this.#lagMs(), now - ledger.blindedAt(exchange, native));
    if (lagMs < LAG_MS) {
      this.#isLagTold = false;
      return;
    }
    const faults = ledger.touching(exchange, native, now - lagMs - TRANSIT_MS).filter(({ atMs }) => atMs <= now);
    const isB = faults.some((fault) => fault.class === "B");
    const { idleMs } = EXCHANGES[exchange].header.timing;
    const limitMs = isB
      ? this.#audits.findableMs(now - lagMs, this.#auditMs)
      : faults.reduce((sum, fault) => sum + fault.untilMs - fault.atMs + idleMs, LAG_MS);
    if (isB) {
      this.#audits.undetected(now - lagMs, lagMs);
    }
    const isHeld = ledger.isHoldingBack(exchange, native, now - this.#ground.startMs);
    if (lagMs > limitMs && !this.#isLagTold && !isHeld) {
      this.#isLagTold = true;
      const because = faults.map(({ kind }) => kind).join(", ");
      this.#fail("a book called synced follows its exchange", {
        expected: `within ${Math.round(limitMs)} ms (${because === "" ? "no fault" : because})`,
        found: `behind by ${Math.round(lagMs)} ms at ${JSON.stringify(this.#label)}`,
      });
    }
  }

  #fail(what: string, was: { expected: string; found: string }): void {
    this.#ground.fail(this.book.log, what, was);
  }

  /** The table's own word. */
  get isSyncedInTable(): boolean {
    return this.#entry !== undefined && this.#view.getUint32(this.#entry.address + TABLE_STATE, true) === STATE_SYNCED;
  }

  /** Its id was retired for another: its numbers got finer. */
  get #isRetired(): boolean {
    return this.#entry !== undefined && this.#view.getUint32(this.#entry.address + TABLE_STATE, true) === STATE_RETIRED;
  }
}
