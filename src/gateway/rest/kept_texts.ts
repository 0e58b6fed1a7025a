/**
 * Texts of answers that are made once and given to whoever asks while they hold.
 * Bad case: many different questions about one thing; a few answers are kept, then all are forgotten.
 */

const KEPT_MAX = 8;

type Kept = { moment: string; readonly texts: Map<string, string> };

/** Texts about things, each for a moment. */
export class KeptTexts {
  readonly #kept = new WeakMap<object, Kept>();

  /**
   * The text about a thing.
   * @param what.moment stands for its state: another one, and all texts about it are forgotten
   * @param what.question which of its texts @param make makes it; undefined = there is none, and nothing is kept
   */
  text(thing: object, what: { moment: string; question: string }, make: () => string | undefined): string | undefined {
    const kept = this.#kept.get(thing) ?? { moment: what.moment, texts: new Map<string, string>() };
    this.#kept.set(thing, kept);
    if (kept.moment !== what.moment) {
      kept.moment = what.moment;
      kept.texts.clear();
    }
    const known = kept.texts.get(what.question);
    if (known !== undefined) {
      return known;
    }
    const text = make();
    if (text !== undefined) {
      if (kept.texts.size >= KEPT_MAX) {
        kept.texts.clear();
      }
      kept.texts.set(what.question, text);
    }
    return text;
  }
}
