/**
 * The level hash (MurmurHash3 x86-32 over five words) as a JavaScript program would write it, on 32-bit halves.
 * Bad case: BigInt; a hash over BigInt words costs a hundred times as much.
 */

/** @param words price low, price high, quantity low, quantity high at `at` @returns u32 as a non-negative number */
export function levelHash(side: number, words: Int32Array, at: number): number {
  let hash = mix(0, side);
  hash = mix(hash, words[at] as number);
  hash = mix(hash, words[at + 1] as number);
  hash = mix(hash, words[at + 2] as number);
  hash = mix(hash, words[at + 3] as number) ^ 20;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function mix(hash: number, word: number): number {
  const first = Math.imul(word, 0xcc9e2d51);
  const mixed = hash ^ Math.imul((first << 15) | (first >>> 17), 0x1b873593);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}
