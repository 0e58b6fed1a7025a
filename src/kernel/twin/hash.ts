/**
 * Book hash: MurmurHash3 x86-32 (seed 0, length 20) of each level's five words, summed modulo 2^32 by the book.
 * The sum makes one change O(1): subtract the old level, add the new one.
 * Bad case: a level hashed twice cancels silently only if it was also added twice; the book adds each level once.
 */

const LENGTH = 20;
const BID_SEED = mix(0, 0);
const ASK_SEED = mix(0, 1);

/**
 * Hash of one level.
 * @param side 0 bid, 1 ask
 * @returns u32 as a signed word, to be added to the book's
 * @see Austin Appleby, MurmurHash3 (public domain)
 */
export function levelHash(
  side: number,
  priceLow: number,
  priceHigh: number,
  lotsLow: number,
  lotsHigh: number,
): number {
  let hash = mix(side === 0 ? BID_SEED : ASK_SEED, priceLow);
  hash = mix(hash, priceHigh);
  hash = mix(hash, lotsLow);
  return finish(mix(hash, lotsHigh));
}

/**
 * Hash of five words, the same function as levelHash for any first word.
 * @returns u32 as a signed word
 */
export function wordsHash(first: number, second: number, third: number, fourth: number, fifth: number): number {
  const hash = mix(mix(mix(mix(mix(0, first), second), third), fourth), fifth);
  return finish(hash);
}

/**
 * Folds one event into the chain that proves every intermediate book.
 * @param version low word of the book's version after the event
 * @param status record flags without Last and Reset
 * @see src/wire/PROTOCOL.md
 */
export function chainNext(chain: number, hash: number, version: number, status: number): number {
  const turned = (chain << 5) | (chain >>> 27);
  return (Math.imul(turned ^ hash ^ version ^ (status << 24), 0x9e3779b1) + 0x7f4a7c15) | 0;
}

function mix(hash: number, word: number): number {
  const product = Math.imul(word, 0xcc9e2d51);
  const mixed = hash ^ Math.imul((product << 15) | (product >>> 17), 0x1b873593);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

function finish(mixed: number): number {
  let hash = mixed ^ LENGTH;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
