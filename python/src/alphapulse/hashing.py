"""The book hash: MurmurHash3 x86-32 (seed 0, length 20) of each level's five words, summed modulo 2^32.

The words: side, price low, price high, quantity low, quantity high. One level at a time for single events, whole arrays
for batches. Both are compared with the producer's in golden files. Bad case: none; every int64 has a hash.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

U32: Final = 0xFFFFFFFF
_C1: Final = 0xCC9E2D51
_C2: Final = 0x1B873593
_ADD: Final = 0xE6546B64
_LENGTH: Final = 20


def _mix(state: int, word: int) -> int:
    product = (word * _C1) & U32
    mixed = state ^ ((((product << 15) | (product >> 17)) & U32) * _C2 & U32)
    return ((((mixed << 13) | (mixed >> 19)) & U32) * 5 + _ADD) & U32


_SEEDS: Final = (_mix(0, 0), _mix(0, 1))


def level_hash(side: int, price_ticks: int, quantity_lots: int) -> int:
    """Hash of one level, u32. side: 0 bid, 1 ask.

    The steps of `_mix`, written out: this runs for every change. A high word of zero adds nothing before it is turned.
    """
    word = (price_ticks & U32) * _C1 & U32
    state = _SEEDS[side & 1] ^ ((word << 15 | word >> 17) & U32) * _C2 & U32
    state = ((state << 13 | state >> 19) & U32) * 5 + _ADD & U32
    if not 0 <= price_ticks <= U32:
        word = (price_ticks >> 32 & U32) * _C1 & U32
        state ^= ((word << 15 | word >> 17) & U32) * _C2 & U32
    state = ((state << 13 | state >> 19) & U32) * 5 + _ADD & U32
    word = (quantity_lots & U32) * _C1 & U32
    state ^= ((word << 15 | word >> 17) & U32) * _C2 & U32
    state = ((state << 13 | state >> 19) & U32) * 5 + _ADD & U32
    if not 0 <= quantity_lots <= U32:
        word = (quantity_lots >> 32 & U32) * _C1 & U32
        state ^= ((word << 15 | word >> 17) & U32) * _C2 & U32
    state = (((state << 13 | state >> 19) & U32) * 5 + _ADD & U32) ^ _LENGTH
    state = (state ^ state >> 16) * 0x85EBCA6B & U32
    state = (state ^ state >> 13) * 0xC2B2AE35 & U32
    return state ^ state >> 16


def level_hashes(
    side: NDArray[np.uint8] | int, price_ticks: NDArray[np.int64], quantity_lots: NDArray[np.int64]
) -> NDArray[np.uint32]:
    """Hashes of many levels at once, u32 each. side: one for all, or one each."""
    seeds = np.array(_SEEDS, dtype=np.uint32)[side]
    prices = np.ascontiguousarray(price_ticks).view(np.uint64)
    quantities = np.ascontiguousarray(quantity_lots).view(np.uint64)
    state = np.broadcast_to(seeds, prices.shape).copy()
    for words in (prices, prices >> np.uint64(32), quantities, quantities >> np.uint64(32)):
        _mix_many(state, words.astype(np.uint32))
    state ^= np.uint32(_LENGTH)
    state ^= state >> np.uint32(16)
    state *= np.uint32(0x85EBCA6B)
    state ^= state >> np.uint32(13)
    state *= np.uint32(0xC2B2AE35)
    state ^= state >> np.uint32(16)
    return state


def _mix_many(state: NDArray[np.uint32], words: NDArray[np.uint32]) -> None:
    words *= np.uint32(_C1)
    turned = words >> np.uint32(17)
    words <<= np.uint32(15)
    words |= turned
    words *= np.uint32(_C2)
    state ^= words
    turned = state >> np.uint32(19)
    state <<= np.uint32(13)
    state |= turned
    state *= np.uint32(5)
    state += np.uint32(_ADD)
