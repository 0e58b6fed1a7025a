/**
 * Holds the texts that a server sends to its clients against the schemas of the protocol, all kinds of them. The first
 * texts of each kind are judged all, later ones by samples: a schema takes many times what the client's own reader takes.
 * Bad case: a kind that is sent once in a world; its first texts are judged, hence that one is.
 */
import { faultOf } from "../../../src/wire/server_schemas.ts";

/** Of each kind so many are all judged, then every so manieth. */
const JUDGED_FIRST = 50;
const JUDGED_EVERY = 40;
const TEXT_SHOWN = 300;
const FAULTS_KEPT = 20;
/** The kind comes first in every text of the hub; whatever does not say one is judged always. */
const KIND = /^\{"type":"([a-z_]{1,32})"/;

/** A text that no schema accepts. */
export type TextFault = { readonly text: string; readonly fault: string };

/** Judges the texts of one server. */
export class TextWitness {
  /** Texts that were judged. */
  judged = 0;
  readonly #seen = new Map<string, number>();
  #faults: TextFault[] = [];

  /** A client received a text. */
  hear(text: string): void {
    const kind = KIND.exec(text)?.[1];
    const before = kind === undefined ? 0 : (this.#seen.get(kind) ?? 0);
    if (kind !== undefined) {
      this.#seen.set(kind, before + 1);
    }
    if (before >= JUDGED_FIRST && before % JUDGED_EVERY > 0) {
      return;
    }
    this.judged += 1;
    const fault = faultOf(text);
    if (fault !== undefined && this.#faults.length < FAULTS_KEPT) {
      this.#faults.push({ text: text.slice(0, TEXT_SHOWN), fault });
    }
  }

  /** What was wrong since the last call. */
  takeFaults(): TextFault[] {
    const faults = this.#faults;
    this.#faults = [];
    return faults;
  }
}
