/**
 * The instruments that a frame of an unknown kind names, as far as it carries levels as book frames do: lists of lists, or
 * lists of objects. Off the hot path: such frames are rare. Bad case: a frame of megabytes; only its beginning is read.
 */
const FRAME_BYTES_MAX = 64 * 1024;
const NAMED_MAX = 16;
const LEVELS = /\[\s*[[{]/;
const WORDS = /"([^"\\]{1,120})"/g;

/** Instruments that a frame names. @param find by a name as the exchange spells it */
export function instrumentsNamed<Named>(bytes: Uint8Array, find: (native: string) => Named | undefined): Set<Named> {
  const text = new TextDecoder().decode(bytes.subarray(0, FRAME_BYTES_MAX));
  const named = new Set<Named>();
  if (!LEVELS.test(text)) {
    return named;
  }
  for (const [, word = ""] of text.matchAll(WORDS)) {
    const found = find(word);
    if (found !== undefined) {
      named.add(found);
    }
    if (named.size >= NAMED_MAX) {
      break;
    }
  }
  return named;
}
