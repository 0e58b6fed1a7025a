"""One reader's place in one ring.

Records are copied first and `tailIntent` is read afterwards: a record at position p is whole when
p + capacity >= tailIntent, because whatever may overwrite it was announced before. Bad case: a reader slower than the
producer; it learns exactly how many records it lost and goes on a quarter of a ring behind the tail.
"""

from __future__ import annotations

import numpy as np

from ._mapping import Mapping, RingPlace
from .records import Records


class Cursor:
    """A position in a ring, kept by the reader alone."""

    __slots__ = ("_ring", "_words", "laps", "lost", "mapping", "position")

    def __init__(self, mapping: Mapping, ring: RingPlace, position: int) -> None:
        self.mapping = mapping
        self.position = position
        self.lost = 0
        self.laps = 0
        self._ring = ring
        self._words = mapping.words

    @property
    def tail(self) -> int:
        """Records published so far."""
        return self._words[self._ring.tail]

    def oldest(self) -> int:
        """The oldest position that may still be whole."""
        return min(max(0, self._words[self._ring.intent] - self._ring.capacity), self.tail)

    def poll(self, limit: int) -> Records | int | None:
        """Copies up to `limit` records. Returns them, or how many were lost in a lap, or None when there is nothing."""
        words = self._words
        tail_word, intent_word, capacity, slots, dtype = self._ring
        position = self.position
        waiting = words[tail_word] - position
        if waiting <= 0:
            return None
        if waiting <= capacity:
            count = waiting if waiting < limit else limit
            first = position & (capacity - 1)
            end = first + count
            if end <= capacity:
                copy = slots[first:end].copy()
            else:
                copy = np.concatenate((slots[first:], slots[: end - capacity]))
            if position + capacity >= words[intent_word]:
                self.position = position + count
                return copy.view(dtype)[:, 0]
        fresh = max(words[tail_word] - (capacity >> 2), position)
        lost = fresh - position
        if lost == 0:
            # An event larger than the ring is being written over the record: the next tail tells how many are lost.
            return None
        self.position = fresh
        self.lost += lost
        self.laps += 1
        return lost
