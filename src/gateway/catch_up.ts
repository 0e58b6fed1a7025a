/**
 * Conflated updates of one view: the last quantity of every level that changed since a version, from the kernel's history,
 * for clients that were too slow and for those that come back. Many who stand at the same version get the same bytes.
 * Bad case: a version that the history does not reach, or an update that would cost more than the book; there is none then.
 */
import {
  CHANGE_BYTES,
  CHANGE_PRICE,
  CHANGE_QUANTITY,
  CHANGE_SIDE,
  FRAME_BYTES_MAX,
  SIDE_ASK,
  SIDE_BID,
} from "../../assembly/layout.ts";
import { orderBookDeltaMessage, type ViewLabel } from "../wire/json_form.ts";
import { fixedText } from "../wire/numbers.ts";
import type { JsonChange } from "../wire/protocol.ts";
import type { Form } from "./outlet.ts";
import type { ReplicaBook } from "./replica_book.ts";
import type { Payload } from "./transport.ts";
import type { Workspace } from "./workspace.ts";

const TWO_32 = 4_294_967_296;

type Made = { readonly from: number; readonly version: number; readonly update: Payload };

/** Updates of one view from any version to the present one. */
export class CatchUp {
  readonly #workspace: Workspace;
  readonly #book: ReplicaBook;
  readonly #label: ViewLabel;
  readonly #last: { binary?: Made; json?: Made } = {};

  constructor(workspace: Workspace, book: ReplicaBook, label: ViewLabel) {
    this.#workspace = workspace;
    this.#book = book;
    this.#label = label;
  }

  /** The versions of before mean nothing any more. */
  forget(): void {
    delete this.#last.binary;
    delete this.#last.json;
  }

  /**
   * One update from a version to the present one. The book follows and is whole.
   * @param options.bytesMax bytes that a snapshot would cost in the binary form
   * @returns undefined when the history does not reach, or a snapshot is smaller
   */
  update(form: Form, { from, bytesMax }: { from: number; bytesMax: number }): Payload | undefined {
    const { version } = this.#book;
    const last = this.#last[form];
    if (last?.from === from && last.version === version) {
      return last.update;
    }
    const update = form === "binary" ? this.#encode(from, bytesMax) : this.#format(from);
    if (update !== undefined) {
      this.#last[form] = { from, version, update };
    }
    return update;
  }

  /** The levels that changed since a version, as they are now; undefined when the history does not reach. */
  changes(from: number): JsonChange[] | undefined {
    const { kernel, memory, changes, changesBytes } = this.#workspace;
    const count = kernel.historyChanges(this.#book.address, ...halves(from), changes, changesBytes);
    if (count < 0) {
      return undefined;
    }
    const { priceExponent, quantityExponent } = this.#book.exponents;
    return Array.from({ length: count }, (_, index) => {
      const change = changes + index * CHANGE_BYTES;
      return [
        memory.getUint32(change + CHANGE_SIDE, true) === SIDE_BID ? "bid" : "ask",
        fixedText(memory, change + CHANGE_PRICE, priceExponent),
        fixedText(memory, change + CHANGE_QUANTITY, quantityExponent),
      ];
    });
  }

  #encode(from: number, bytesMax: number): Uint8Array | undefined {
    const { kernel, frame } = this.#workspace;
    const limit = Math.min(FRAME_BYTES_MAX, bytesMax);
    const bytes = kernel.conflatedEncode(this.#book.address, ...halves(from), frame, limit);
    return bytes === 0 ? undefined : this.#workspace.copy(frame, bytes);
  }

  #format(from: number): string | undefined {
    const changes = this.changes(from);
    if (changes === undefined || changes.length > this.#book.count(SIDE_BID) + this.#book.count(SIDE_ASK)) {
      return undefined;
    }
    return JSON.stringify(
      orderBookDeltaMessage(this.#workspace.memory, this.#book.address, {
        ...this.#label,
        previousVersion: String(from),
        changes,
      }),
    );
  }
}

/** A count as the halves of a u64. */
function halves(count: number): [low: number, high: number] {
  return [count % TWO_32, Math.floor(count / TWO_32)];
}
