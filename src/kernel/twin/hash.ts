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
 * Folds one event into the chain that proves every intermediate book and all that was said of it.
 * @param version low word of the book's version after the event
 * @param status record flags without Last and Reset
 * @param stamps of stampsFold
 * @see src/wire/PROTOCOL.md
 */
export function chainNext(chain: number, hash: number, version: number, status: number, stamps: number): number {
  return (Math.imul(turned(chain, 5) ^ hash ^ version ^ (status << 24) ^ stamps, 0x9e3779b1) + 0x7f4a7c15) | 0;
}

/** Times and source sequence of an event, low and high words, in one word; a difference in any of them is a difference here. */
export function stampsFold(
  eventLow: number,
  eventHigh: number,
  receivedLow: number,
  receivedHigh: number,
  sequenceLow: number,
  sequenceHigh: number,
): number {
  const event = eventLow ^ turned(eventHigh, 7);
  const received = turned(receivedLow, 11) ^ turned(receivedHigh, 18);
  return event ^ received ^ turned(sequenceLow, 22) ^ turned(sequenceHigh, 29);
}

function turned(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
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
