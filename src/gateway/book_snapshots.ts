/**
 * Snapshots of one book for clients that join: made once per version and shared by all that join at that version.
 * Bad case: a large book that changes between two joins is encoded twice; the cache holds one version only, so that a
 * gateway with many books does not keep many snapshots.
 */
import { FRAME_BYTES_MAX, REPLICA_NEXT_LEVEL, SIDE_ASK, SIDE_BID } from "../../assembly/layout.ts";
import { orderBookMessage } from "../wire/json_form.ts";
import type { Form } from "./outlet.ts";
import type { ReplicaBook } from "./replica_book.ts";
import type { Payload } from "./transport.ts";
import type { Workspace } from "./workspace.ts";

const NO_MORE_LEVELS = 0xffffffff;

/** Snapshots of one book. */
export class BookSnapshots {
  readonly #workspace: Workspace;
  readonly #book: ReplicaBook;
  readonly #instrument: string;
  #binary: Uint8Array[] | undefined;
  #json: string[] | undefined;

  constructor(workspace: Workspace, book: ReplicaBook, { instrument }: { instrument: string }) {
    this.#workspace = workspace;
    this.#book = book;
    this.#instrument = instrument;
  }

  /** The book changed. Cost: two stores. */
  forget(): void {
    this.#binary = undefined;
    this.#json = undefined;
  }

  /** The messages that give a client the book as it is now. The book follows and is whole; nothing waits to be framed. */
  parts(form: Form): readonly Payload[] {
    if (form === "binary") {
      this.#binary ??= this.#encode();
      return this.#binary;
    }
    this.#json ??= [this.#format()];
    return this.#json;
  }

  #encode(): Uint8Array[] {
    const { kernel, frame } = this.#workspace;
    const nextLevel = this.#book.address + REPLICA_NEXT_LEVEL;
    const parts: Uint8Array[] = [];
    this.#workspace.setU32(nextLevel, 0);
    do {
      const bytes = kernel.snapshotEncode(this.#book.address, frame, FRAME_BYTES_MAX);
      if (bytes === 0) {
        throw new Error(`Cannot encode a snapshot of ${this.#instrument}: no progress, was part ${parts.length}`);
      }
      parts.push(this.#workspace.copy(frame, bytes));
    } while (this.#workspace.u32(nextLevel) !== NO_MORE_LEVELS);
    return parts;
  }

  #format(): string {
    const bids = this.#book.levels(SIDE_BID);
    const asks = this.#book.levels(SIDE_ASK);
    const options = { instrument: this.#instrument, bids, asks };
    return JSON.stringify(orderBookMessage(this.#workspace.memory, this.#book.address, options));
  }
}
