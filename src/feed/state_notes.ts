/**
 * What the log says of the states of books: one line for every change, with the reason and what it was before.
 * Bad case: a book that changes its state many times a second; the log itself holds repeats back.
 */
import { STATE_CONNECTING, STATE_OUT_OF_SERVICE, STATE_RESYNCING, STATE_SYNCED } from "../../assembly/layout.ts";
import { REASON_WORDS, STATE_WORDS, wordOf } from "../model/states.ts";
import type { InstrumentBlock } from "../sync/mod.ts";
import type { Report } from "./collector_settings.ts";

type Seen = Pick<InstrumentBlock, "native" | "state" | "reason">;

/** Tells changes, and nothing else. */
export class StateNotes {
  readonly #report: (report: Report) => void;
  readonly #told = new Map<string, { state: number; reason: number }>();

  constructor(report: (report: Report) => void) {
    this.#report = report;
  }

  /** The block may be in another state now; that it begins by connecting is no change. */
  look({ native, state, reason }: Seen): void {
    const before = this.#told.get(native);
    if (before !== undefined && before.state === state && before.reason === reason) {
      return;
    }
    this.#told.set(native, { state, reason });
    if (before === undefined && state === STATE_CONNECTING) {
      return;
    }
    const words = { state: wordOf(STATE_WORDS, state), reason: wordOf(REASON_WORDS, reason) };
    const was = before === undefined ? "" : wordOf(STATE_WORDS, before.state);
    const text = state === STATE_SYNCED ? "The book is synced" : `The book is ${words.state}: ${words.reason}`;
    const isTrouble = state === STATE_RESYNCING || state === STATE_OUT_OF_SERVICE;
    this.#report({ level: isTrouble ? "warn" : "info", text, native, fields: was === "" ? words : { ...words, was } });
  }
}
