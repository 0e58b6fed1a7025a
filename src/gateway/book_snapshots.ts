/**
 * Snapshots of one view for clients that begin: made once per version, in parts that are shared by all who get them. A
 * large one is used again for a while by those who come later, as long as the history leads from it to the present: a
 * thousand clients that come back within seconds cost one snapshot. What changed meanwhile follows it as one update.
 * Bad case: memory; a snapshot that nobody took for two seconds is let go, except by clients that are still reading it.
 */
import { REPLICA_NEXT_LEVEL, SIDE_ASK, SIDE_BID } from "../../assembly/layout.ts";
import { orderBookMessage, type ViewLabel } from "../wire/json_form.ts";
import type { Form } from "./outlet.ts";
import type { ReplicaBook } from "./replica_book.ts";
import type { Payload } from "./transport.ts";
import type { Workspace } from "./workspace.ts";

const NO_MORE_LEVELS = 0xffffffff;
/** Bytes of a binary part at most: with a full window before it, it stays below the limit of a slow client. */
const PART_BYTES_MAX = 32_768;
/** A smaller snapshot is made anew at every version: that costs less than an update behind it. */
const SHARED_BYTES_MIN = 16_384;
/** Records by which a snapshot that is used again may be behind. */
const BEHIND_MAX = 512;
const KEEP_MS = 2000;
/** What a level costs in a binary snapshot, about. */
const LEVEL_BYTES_TYPICAL = 5;
const HEAD_BYTES_TYPICAL = 64;

/** A book at one version, as messages. */
export type Snapshot = { readonly version: number; readonly parts: readonly Payload[]; readonly bytes: number };

type Kept = { readonly snapshot: Snapshot; usedAtMs: number };

/** Snapshots of one view. */
export class BookSnapshots {
  readonly #workspace: Workspace;
  readonly #book: ReplicaBook;
  readonly #label: ViewLabel;
  readonly #kept: { binary?: Kept; json?: Kept } = {};
  /** Made since start. */
  made = 0;

  constructor(workspace: Workspace, book: ReplicaBook, label: ViewLabel) {
    this.#workspace = workspace;
    this.#book = book;
    this.#label = label;
  }

  /** No version that was kept leads to the present any more. */
  forget(): void {
    delete this.#kept.binary;
    delete this.#kept.json;
  }

  /** Lets go of what nobody took for a while. @param nowMs any clock that only goes forward */
  forgetIdle(nowMs: number): void {
    for (const form of ["binary", "json"] as const) {
      if (nowMs - (this.#kept[form]?.usedAtMs ?? nowMs) > KEEP_MS) {
        delete this.#kept[form];
      }
    }
  }

  /**
   * A snapshot of the present, or one from which the history leads there. The book follows and is whole; nothing waits to
   * be framed.
   * @param options.after a version that the client holds and that led nowhere: the snapshot must be a later one
   */
  take(form: Form, { nowMs, after }: { nowMs: number; after: number | undefined }): Snapshot {
    const kept = this.#kept[form];
    if (kept !== undefined && this.#isUsable(kept.snapshot, after ?? -1)) {
      kept.usedAtMs = nowMs;
      return kept.snapshot;
    }
    const snapshot = this.#make(form);
    this.#kept[form] = { snapshot, usedAtMs: nowMs };
    return snapshot;
  }

  /** What a binary snapshot of the present costs, about. */
  typicalBytes(): number {
    return HEAD_BYTES_TYPICAL + (this.#book.count(SIDE_BID) + this.#book.count(SIDE_ASK)) * LEVEL_BYTES_TYPICAL;
  }

  #isUsable({ version, bytes }: Snapshot, after: number): boolean {
    const behind = this.#book.version - version;
    return (
      behind === 0 ||
      (behind > 0 &&
        behind <= BEHIND_MAX &&
        version > after &&
        bytes >= SHARED_BYTES_MIN &&
        this.#book.reaches(version))
    );
  }

  #make(form: Form): Snapshot {
    const parts = form === "binary" ? this.#encode() : [this.#format()];
    const bytes = parts.reduce((sum, { length }) => sum + length, 0);
    this.made += 1;
    return { version: this.#book.version, parts, bytes };
  }

  #encode(): Uint8Array[] {
    const { kernel, frame } = this.#workspace;
    const nextLevel = this.#book.address + REPLICA_NEXT_LEVEL;
    const parts: Uint8Array[] = [];
    this.#workspace.setU32(nextLevel, 0);
    do {
      const bytes = kernel.snapshotEncode(this.#book.address, frame, PART_BYTES_MAX);
      if (bytes === 0) {
        const { instrument } = this.#label;
        throw new Error(`Cannot encode a snapshot of ${instrument}: no progress, was part ${parts.length}`);
      }
      parts.push(this.#workspace.copy(frame, bytes));
    } while (this.#workspace.u32(nextLevel) !== NO_MORE_LEVELS);
    return parts;
  }

  #format(): string {
    const bids = this.#book.levels(SIDE_BID);
    const asks = this.#book.levels(SIDE_ASK);
    return JSON.stringify(orderBookMessage(this.#workspace.memory, this.#book.address, { ...this.#label, bids, asks }));
  }
}
