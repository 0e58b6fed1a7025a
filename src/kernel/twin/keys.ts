/**
 * A fixed set of words (keys of an object, kinds of a frame) and the lookup of bytes among them, without making strings.
 * Length, first and last byte choose a slot; the word found there is compared byte by byte.
 * Bad case: two words that share a slot; they are chained, a lookup then compares both.
 */
import { bytesOf, equals } from "./json.ts";
import { byteAt } from "./memory.ts";

const SLOTS = 128;

/** No word of the set. */
export const NO_WORD = -1;

/** Words by number, in the order given. */
export class WordSet {
  readonly #words: Uint8Array[];
  /** First word of a slot, then the next word of each word; NO_WORD ends a chain. */
  readonly #first = new Int8Array(SLOTS).fill(NO_WORD);
  readonly #next: Int8Array;

  /** @param words distinct, ASCII, not empty, at most 127 */
  constructor(words: readonly string[]) {
    this.#words = words.map(bytesOf);
    this.#next = new Int8Array(words.length).fill(NO_WORD);
    for (const [index, word] of this.#words.entries()) {
      const slot = slotOf(word, 0, word.length);
      this.#next[index] = this.#first[slot] as number;
      this.#first[slot] = index;
    }
  }

  /** The word that the bytes are. @returns its number, NO_WORD when it is none of the set */
  find(bytes: Uint8Array, start: number, length: number): number {
    if (length === 0) {
      return NO_WORD;
    }
    let index = this.#first[slotOf(bytes, start, length)] as number;
    while (index !== NO_WORD) {
      const word = this.#words[index] as Uint8Array;
      if (word.length === length && equals(bytes, start, word)) {
        return index;
      }
      index = this.#next[index] as number;
    }
    return NO_WORD;
  }
}

function slotOf(bytes: Uint8Array, start: number, length: number): number {
  return (length * 11 + byteAt(bytes, start) * 3 + byteAt(bytes, start + length - 1)) & (SLOTS - 1);
}
