/**
 * Book hash: MurmurHash3 x86-32 (seed 0, length 20) of each level's five words, summed modulo 2^32 by the book.
 * The sum makes one change O(1): subtract the old level, add the new one.
 * Bad case: a level hashed twice cancels silently only if it was also added twice; the book adds each level once.
 * Source: Austin Appleby, MurmurHash3 (public domain).
 */
export function levelHash(side: u32, price: i64, quantity: i64): u32 {
  return hashEnd(hashStart(side, price), quantity);
}

/** What the hashes of a level have in common, whatever its quantity. */
export function hashStart(side: u32, price: i64): u32 {
  return mix(mix(mix(0, side), <u32>price), <u32>(price >> 32));
}

/** The hash of the level that hashStart began. */
export function hashEnd(start: u32, quantity: i64): u32 {
  let h = mix(mix(start, <u32>quantity), <u32>(quantity >> 32));
  h ^= 20;
  h ^= h >> 16;
  h *= 0x85ebca6b;
  h ^= h >> 13;
  h *= 0xc2b2ae35;
  h ^= h >> 16;
  return h;
}

function mix(h: u32, word: u32): u32 {
  let k = word * 0xcc9e2d51;
  k = rotl<u32>(k, 15);
  k *= 0x1b873593;
  h ^= k;
  h = rotl<u32>(h, 13);
  return h * 5 + 0xe6546b64;
}

/** Folds one event into the chain that proves every intermediate book and all that was said of it (src/wire/PROTOCOL.md). */
export function chainNext(chain: u32, hash: u32, versionLow: u32, status: u32, stamps: u32): u32 {
  return (rotl<u32>(chain, 5) ^ hash ^ versionLow ^ (status << 24) ^ stamps) * 0x9e3779b1 + 0x7f4a7c15;
}

/** Times and source sequence of an event in one word; a difference in any of them is a difference here. */
export function stampsFold(eventAt: i64, receivedAt: i64, sequence: u64): u32 {
  return (
    <u32>eventAt ^
    rotl<u32>(<u32>(eventAt >> 32), 7) ^
    rotl<u32>(<u32>receivedAt, 11) ^
    rotl<u32>(<u32>(receivedAt >> 32), 18) ^
    rotl<u32>(<u32>sequence, 22) ^
    rotl<u32>(<u32>(sequence >> 32), 29)
  );
}
