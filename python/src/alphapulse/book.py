"""OrderBook: one book rebuilt from its image and delta records, proved by the hash of every record.

Levels are kept as sorted lists of ticks with the best one last (asks negated), so that work near the touch moves
little, and as dictionaries of lots. Few changes are applied one by one; many are checked and hashed as arrays first.
Bad case: a record that contradicts the book; the book is forgotten at once and says why.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import _layout as layout
from .hashing import U32, level_hash, level_hashes
from .image import BookImage
from .records import Changes, Int64s, Records, explode_changes

_VECTOR_CHANGES: Final = 32
_REBUILD_CHANGES: Final = 256
_SLOT_BITS: Final = np.uint32(1) << np.arange(layout.DELTA_CHANGES_MAX + 1, dtype=np.uint32)


class Applied(Enum):
    """How records met a book."""

    OK = "ok"
    RESET = "reset"
    """The changes do not lead on: load an image of this version or later."""
    EMPTY = "empty"
    """There is no book to apply them to."""
    CHAIN_BROKEN = "chain_broken"
    """The version does not follow the one held."""
    HASH_MISMATCH = "hash_mismatch"
    INCONSISTENT = "inconsistent"
    """A field contradicts the book or itself."""


class Depth(NamedTuple):
    """Both sides of a book, best first, in ticks and lots."""

    bid_ticks: Int64s
    bid_lots: Int64s
    ask_ticks: Int64s
    ask_lots: Int64s


class OrderBook:
    """One instrument's book. Thread: one."""

    __slots__ = (
        "_levels",
        "_prices",
        "event_at_ns",
        "flags",
        "hash",
        "instrument_id",
        "is_following",
        "received_at_ns",
        "reset_hash",
        "source_sequence",
        "version",
    )

    def __init__(self, instrument_id: int) -> None:
        self.instrument_id = instrument_id
        self.clear()

    def clear(self) -> None:
        """Forgets everything; an image, or `begin`, is needed next."""
        # Per side: ticks (asks negated) in rising order, and ticks → lots.
        self._prices: tuple[list[int], list[int]] = ([], [])
        self._levels: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.is_following = False
        self.version = 0
        self.hash = 0
        self.flags = 0
        self.event_at_ns = 0
        self.received_at_ns = 0
        self.source_sequence = 0
        self.reset_hash: int | None = None

    def begin(self) -> None:
        """Expects the instrument's first record next: an empty book at version 0."""
        self.clear()
        self.is_following = True

    def load(self, image: BookImage) -> bool:
        """Takes a whole book over. False, with nothing done, when it is older than a Reset that was met, or not its."""
        if self.reset_hash is not None:
            is_other = image.version == self.version and image.hash != self.reset_hash
            if image.version < self.version or is_other:
                return False
        self.clear()
        bids, asks = image.bid_ticks.tolist(), image.ask_ticks.tolist()
        self._levels = (dict(zip(bids, image.bid_lots.tolist())), dict(zip(asks, image.ask_lots.tolist())))
        bids.reverse()
        asks.reverse()
        self._prices = (bids, [-price for price in asks])
        self.is_following = True
        self.version = image.version
        self.hash = image.hash
        self.event_at_ns = image.event_at_ns
        self.source_sequence = image.source_sequence
        self.flags = (
            layout.FLAG_LAST
            | layout.FLAG_SNAPSHOT
            | (0 if image.is_synced else layout.FLAG_NOT_SYNCED)
            | (layout.FLAG_CROSSED if self._is_crossed() else 0)
        )
        return True

    # ── what it holds ────────────────────────────────────────────────────────────────────────────

    @property
    def is_synced(self) -> bool:
        """The producer held this book to be right when it wrote it. Whether the producer lives is not known here."""
        return self.is_following and not self.flags & layout.FLAG_NOT_SYNCED and bool(self.version)

    @property
    def is_crossed(self) -> bool:
        """Best bid above best ask."""
        return self._is_crossed()

    @property
    def bid_count(self) -> int:
        """Levels of the bid side."""
        return len(self._prices[0])

    @property
    def ask_count(self) -> int:
        """Levels of the ask side."""
        return len(self._prices[1])

    def best_bid(self) -> tuple[int, int] | None:
        """(ticks, lots) of the best bid; None when there is none."""
        prices = self._prices[0]
        return (prices[-1], self._levels[0][prices[-1]]) if prices else None

    def best_ask(self) -> tuple[int, int] | None:
        """(ticks, lots) of the best ask; None when there is none."""
        prices = self._prices[1]
        return (-prices[-1], self._levels[1][-prices[-1]]) if prices else None

    def lots_at(self, side: int, ticks: int) -> int:
        """Lots of one level, 0 when it is not there. side: 0 bid, 1 ask."""
        return self._levels[side].get(ticks, 0)

    def depth(self, levels: int | None = None) -> Depth:
        """The best `levels` of each side, or all. Cost: the levels given, not those held."""
        return Depth(*self._side(0, levels), *self._side(1, levels))

    def _side(self, side: int, levels: int | None) -> tuple[Int64s, Int64s]:
        prices = self._prices[side]
        best = prices[::-1] if levels is None else prices[: -levels - 1 : -1]
        ticks = np.array(best, dtype=np.int64)
        if side:
            np.negative(ticks, out=ticks)
        held = self._levels[side]
        return ticks, np.fromiter((held[price] for price in ticks.tolist()), np.int64, len(ticks))

    def _is_crossed(self) -> bool:
        bids, asks = self._prices
        return bool(bids) and bool(asks) and bids[-1] > -asks[-1]

    # ── applying ─────────────────────────────────────────────────────────────────────────────────

    def apply(self, records: Records) -> tuple[Applied, int]:
        """Applies delta records of this instrument, in their order; those at or before the version held are skipped.

        Returns how it went and how many records were used up, the one that stopped it included. After anything but OK
        the book is empty. Crossing is judged at the end of the records.
        """
        used = 0
        while used < len(records):
            outcome, count = self._apply_some(records[used:])
            used += count
            if outcome is not Applied.OK:
                return outcome, used
        return Applied.OK, used

    def follow(self, records: Records) -> Iterator[Applied]:
        """Applies delta records event by event: yields after each, with the book as it stood then."""
        start = 0
        for end in (np.flatnonzero(records["flags"] & layout.FLAG_LAST) + 1).tolist():
            outcome, _ = self.apply(records[start:end])
            start = end
            yield outcome

    def _apply_some(self, records: Records) -> tuple[Applied, int]:
        """Applies records up to the first Reset."""
        if not bool((records["instrument_id"] == self.instrument_id).all()):
            return self._fail(Applied.INCONSISTENT), len(records)
        resets = np.flatnonzero(records["flags"] & layout.FLAG_RESET)
        if not self.is_following:
            if len(resets) == 0:
                return Applied.EMPTY, len(records)
            return self._reset(records[resets[0]]), int(resets[0]) + 1
        versions = records["version"]
        fresh = versions > np.uint64(min(self.version, 2**64 - 1))
        first = int(fresh.argmax()) if bool(fresh.any()) else len(records)
        if first > 0:
            return Applied.OK, first
        stop = int(resets[0]) if len(resets) else len(records)
        if stop == 0:
            return self._reset(records[0]), 1
        outcome = self._apply_chain(records[:stop])
        return outcome, stop

    def _apply_chain(self, records: Records) -> Applied:
        count = len(records)
        versions = records["version"]
        is_chained = int(versions[0]) == self.version + 1 and (
            count == 1 or bool((versions[1:] - versions[:-1] == np.uint64(1)).all())
        )
        if not is_chained:
            return self._fail(Applied.CHAIN_BROKEN)
        if not is_well_formed(records):
            return self._fail(Applied.INCONSISTENT)
        changes = explode_changes(records)
        few = len(changes.side) < _VECTOR_CHANGES
        outcome = self._apply_few(records, changes) if few else self._apply_many(records, changes)
        if outcome is not Applied.OK:
            return self._fail(outcome)
        self.version = int(versions[-1])
        self.hash = int(records["book_hash"][-1])
        return self._close(records)

    def _close(self, records: Records) -> Applied:
        """Takes over what the last end of an event says."""
        lasts = np.flatnonzero(records["flags"] & layout.FLAG_LAST)
        if len(lasts) == 0:
            return Applied.OK
        last = records[lasts[-1]]
        flags = int(last["flags"])
        crossed = bool(flags & layout.FLAG_CROSSED)
        is_judged = crossed or not flags & layout.FLAG_NOT_SYNCED
        if lasts[-1] == len(records) - 1 and is_judged and crossed != self._is_crossed():
            return self._fail(Applied.INCONSISTENT)
        self.flags = flags
        self.event_at_ns = int(last["event_at_ns"])
        self.received_at_ns = int(last["received_at_ns"])
        self.source_sequence = int(last["source_sequence"])
        return Applied.OK

    def _apply_few(self, records: Records, changes: Changes) -> Applied:
        book_hash = self.hash
        ends = np.searchsorted(changes.record, np.arange(len(records)), side="right").tolist()
        rows = list(
            zip(changes.side.tolist(), changes.price_ticks.tolist(), changes.quantity_lots.tolist(), changes.is_added)
        )
        start = 0
        for end, expected in zip(ends, records["book_hash"].tolist()):
            for side, price, lots, is_added in rows[start:end]:
                held = self._levels[side].get(price, 0)
                if held == lots or (held == 0) != is_added:
                    return Applied.INCONSISTENT
                if held:
                    book_hash -= level_hash(side, price, held)
                if lots:
                    book_hash += level_hash(side, price, lots)
                self._set(side, price, lots)
            book_hash &= U32
            if book_hash != expected:
                return Applied.HASH_MISMATCH
            start = end
        return Applied.OK

    def _set(self, side: int, price: int, lots: int) -> None:
        held = self._levels[side]
        prices = self._prices[side]
        key = -price if side else price
        if lots == 0:
            del held[price]
            del prices[bisect_left(prices, key)]
            return
        if price not in held:
            insort(prices, key)
        held[price] = lots

    def _apply_many(self, records: Records, changes: Changes) -> Applied:
        """All hashes of all records at once; the lots before a change are those of its level's change before."""
        sides, prices, lots = changes.side, changes.price_ticks, changes.quantity_lots
        order = np.lexsort((prices, sides))
        same = np.zeros(len(order), dtype=np.bool_)
        same[1:] = (sides[order[1:]] == sides[order[:-1]]) & (prices[order[1:]] == prices[order[:-1]])
        before = np.empty_like(lots)
        before[order[1:]] = lots[order[:-1]]
        firsts = order[~same]
        before[firsts] = self._held(sides[firsts], prices[firsts])
        if bool((before == lots).any()) or bool(((before == 0) != changes.is_added).any()):
            return Applied.INCONSISTENT
        plus = np.where(lots != 0, level_hashes(sides, prices, lots), np.uint32(0))
        minus = np.where(before != 0, level_hashes(sides, prices, before), np.uint32(0))
        sums = np.concatenate((np.zeros(1, np.uint32), np.cumsum(plus - minus, dtype=np.uint32)))
        ends = np.searchsorted(changes.record, np.arange(len(records)), side="right")
        if not bool((sums[ends] + np.uint32(self.hash) == records["book_hash"]).all()):
            return Applied.HASH_MISMATCH
        lasts = order[np.append(np.flatnonzero(same[1:] == np.False_), len(order) - 1)]
        self._set_many(sides[lasts], prices[lasts], lots[lasts])
        return Applied.OK

    def _held(self, sides: NDArray[np.uint8], prices: Int64s) -> list[int]:
        bids, asks = self._levels
        return [(asks if side else bids).get(price, 0) for side, price in zip(sides.tolist(), prices.tolist())]

    def _set_many(self, sides: NDArray[np.uint8], prices: Int64s, lots: Int64s) -> None:
        if len(prices) < _REBUILD_CHANGES:
            for side, price, quantity in zip(sides.tolist(), prices.tolist(), lots.tolist()):
                if quantity or price in self._levels[side]:
                    self._set(side, price, quantity)
            return
        for side, held in enumerate(self._levels):
            ours = sides == side
            gone = ours & (lots == 0)
            kept = ours & (lots != 0)
            held.update(zip(prices[kept].tolist(), lots[kept].tolist()))
            for price in prices[gone].tolist():
                held.pop(price, None)
            self._prices[side][:] = sorted(-price for price in held) if side else sorted(held)

    def _reset(self, record: np.void) -> Applied:
        """A Reset: the book is forgotten until an image of at least this version is loaded."""
        if not is_well_formed(np.array([record])):
            return self._fail(Applied.INCONSISTENT)
        self.clear()
        self.version = int(record["version"])
        self.flags = int(record["flags"])
        self.reset_hash = int(record["book_hash"])
        self.event_at_ns = int(record["event_at_ns"])
        self.received_at_ns = int(record["received_at_ns"])
        return Applied.RESET

    def _fail(self, outcome: Applied) -> Applied:
        self.clear()
        return outcome


def is_well_formed(records: Records) -> bool:
    """Whether every record is what a record must be by itself."""
    counts, flags = records["change_count"], records["flags"]
    if bool((counts > layout.DELTA_CHANGES_MAX).any()):
        return False
    masks = (records["side_mask"] | records["add_mask"]).astype(np.uint32)
    is_empty = counts == 0
    is_reset = (flags & layout.FLAG_RESET) != 0
    is_last = (flags & layout.FLAG_LAST) != 0
    used = np.arange(layout.DELTA_CHANGES_MAX) < counts[:, None]
    return (
        not bool((flags & ~np.uint16(layout.FLAGS_ALL)).any())
        and bool((masks < _SLOT_BITS[counts]).all())
        and not bool((is_empty & (records["base_price_ticks"] != 0)).any())
        and not bool((is_reset & ~(is_empty & is_last)).any())
        and not bool(((records["quantity_lots"] < 0) & used).any())
    )
