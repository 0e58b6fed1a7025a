/**
 * Numbers that stand for the origin of a view's versions: within one epoch they lead on from each other. Mixed from what
 * makes the origin, so that two gateways over one producer agree about its book, and nobody else's numbers are taken for it.
 * Bad case: two origins with one number, one in four billion; the hash after a resume that was none shows it.
 */

/** Mixes 32-bit numbers into one. @returns a u32 as a non-negative number */
export function mixEpoch(words: readonly number[]): number {
  let mixed = 0x9e3779b1;
  for (const word of words) {
    mixed = Math.imul(mixed ^ word, 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    mixed ^= mixed >>> 16;
  }
  return mixed >>> 0;
}
