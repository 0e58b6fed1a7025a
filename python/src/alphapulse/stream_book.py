"""StreamBook: one book that follows the stream, from either form, proved by version, hash and chain.

Prices and quantities are integers (ticks and lots) inside; `bids` and `asks` give exact Decimals. Levels are kept as a
sorted list of prices with the best one last, and a dictionary of lots. Bad case: a frame that contradicts the book in
its middle; the book is dropped, because half of the frame was applied.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from decimal import Decimal
from itertools import islice
from typing import Any, Final

import numpy as np

from . import _layout as layout
from .decimals import to_decimal
from .hashing import U32, level_hash, level_hashes
from .stream_wire import (
    U64,
    FrameError,
    Level,
    Outcome,
    WireReader,
    chain_next,
    is_sealed,
    read_units,
    signed,
    unzigzag,
)

_STATUS: Final = layout.FLAG_SNAPSHOT | layout.FLAG_NOT_SYNCED | layout.FLAG_CROSSED
_CHECK_BYTES: Final = 8
_SEAL_BYTES: Final = 4
_UNITS: Final = (1, 1000, 1_000_000)
_DELAY_UNIT: Final = 1000
_SIGN: Final = 1 << 63
_COUNT_MAX: Final = 0x7FFFFFFF
_RECORDS_MAX: Final = 0xFFFFFFFF
_EMPTY, _LOADING, _FOLLOWING = range(3)


class StreamBook:
    """A book and where it stands. Thread: one."""

    def __init__(self) -> None:
        self.epoch = 0
        """Of the snapshot that it began with; versions of one epoch lead on from each other."""
        self.version = 0
        self.hash = 0
        self.chain = 0
        self.status = 0
        """Flags of the last event: 2 snapshot, 8 not synced, 16 crossed."""
        self.event_at_ns = 0
        self.received_at_ns = 0
        self.sequence = 0
        self.price_exponent = 0
        self.quantity_exponent = 0
        self._unit = 1
        self._counts = (0, 0)
        self._pending_hash = 0
        self._last_price = 0
        self.clear()

    def clear(self) -> None:
        """Forgets the book; a snapshot is needed next."""
        self._state = _EMPTY
        self.hash = 0
        # Per side: prices (asks negated) in rising order, price → lots, and price → hash of levels that frames changed.
        self._prices: tuple[list[int], list[int]] = ([], [])
        self._levels: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._hashes: tuple[dict[int, int], dict[int, int]] = ({}, {})

    # ── what it holds ────────────────────────────────────────────────────────────────────────────

    @property
    def has_book(self) -> bool:
        """There is a whole book, whose checks held."""
        return self._state == _FOLLOWING

    @property
    def is_synced(self) -> bool:
        """There is a whole book, and its last event said that it is known to be right."""
        return self.has_book and not self.status & layout.FLAG_NOT_SYNCED

    @property
    def is_crossed(self) -> bool:
        """Best bid above best ask."""
        bids, asks = self._prices
        return bool(bids) and bool(asks) and bids[-1] > -asks[-1]

    @property
    def bid_count(self) -> int:
        """Levels of the bid side."""
        return len(self._prices[0])

    @property
    def ask_count(self) -> int:
        """Levels of the ask side."""
        return len(self._prices[1])

    def units(self, side: int, levels: int | None = None) -> list[tuple[int, int]]:
        """(ticks, lots) of the best levels of a side, best first. side: 0 bid, 1 ask. Cost: the levels given."""
        held = self._levels[side]
        prices = islice(reversed(self._prices[side]), levels)
        return [(-price, held[-price]) if side else (price, held[price]) for price in prices]

    def bids(self, levels: int | None = None) -> list[Level]:
        """The best bids, best first."""
        return self._exact(0, levels)

    def asks(self, levels: int | None = None) -> list[Level]:
        """The best asks, best first."""
        return self._exact(1, levels)

    @property
    def best_bid(self) -> Level | None:
        """The best bid; None when there is none."""
        return next(iter(self._exact(0, 1)), None)

    @property
    def best_ask(self) -> Level | None:
        """The best ask; None when there is none."""
        return next(iter(self._exact(1, 1)), None)

    @property
    def mid(self) -> Decimal | None:
        """The mean of the best prices, exact; None when a side is empty."""
        bid, ask = self.best_bid, self.best_ask
        return None if bid is None or ask is None else (bid.price + ask.price) / 2

    @property
    def spread(self) -> Decimal | None:
        """Best ask minus best bid; None when a side is empty."""
        bid, ask = self.best_bid, self.best_ask
        return None if bid is None or ask is None else ask.price - bid.price

    def _exact(self, side: int, levels: int | None) -> list[Level]:
        price, quantity = self.price_exponent, self.quantity_exponent
        return [Level(to_decimal(ticks, price), to_decimal(lots, quantity)) for ticks, lots in self.units(side, levels)]

    # ── the binary form ──────────────────────────────────────────────────────────────────────────

    def apply(self, frame: bytes) -> Outcome:
        """Applies a deltas, snapshot or conflated frame."""
        try:
            return self._apply(frame)
        except FrameError as error:
            if error.outcome.is_fault:
                self.clear()
            return error.outcome

    def _apply(self, frame: bytes) -> Outcome:
        if len(frame) < 2:
            raise FrameError(Outcome.INCONSISTENT)
        kind, flags = frame[0] & layout.FRAME_KIND_MASK, frame[0] & ~layout.FRAME_KIND_MASK
        reader = WireReader(frame, 1, len(frame))
        reader.varint()
        if kind == layout.FRAME_DELTAS and not flags & ~layout.FRAME_FLAG_CHECK:
            self._need_following()
            return self._deltas(reader, bool(flags))
        is_part = kind == layout.FRAME_SNAPSHOT and not flags & ~(layout.FRAME_FLAG_FIRST | layout.FRAME_FLAG_FINAL)
        if not is_part and (kind != layout.FRAME_CONFLATED or flags):
            raise FrameError(Outcome.INCONSISTENT)
        if not is_sealed(frame):
            raise FrameError(Outcome.HASH)
        reader.end -= _SEAL_BYTES
        if is_part:
            return self._part(reader, flags)
        self._need_following()
        return self._conflated(reader)

    def _need_following(self) -> None:
        if self._state != _FOLLOWING:
            raise FrameError(Outcome.SKIPPED if self._state == _EMPTY else Outcome.INCONSISTENT)

    def _deltas(self, reader: WireReader, has_check: bool) -> Outcome:
        stop = reader.end - _CHECK_BYTES if has_check else reader.end
        if stop < reader.at or (stop == reader.at and not has_check):
            raise FrameError(Outcome.INCONSISTENT)
        reader.end = stop
        while reader.at < stop:
            self._event(reader)
        if has_check:
            reader.end = stop + _CHECK_BYTES
            if reader.word() != self.hash or reader.word() != self.chain:
                raise FrameError(Outcome.HASH)
        return Outcome.APPLIED

    def _event(self, reader: WireReader) -> None:
        head = reader.varint()
        status = reader.byte() if head & 1 else 0
        records = reader.varint() if head & 2 else 0
        step = reader.zigzag() if head & 4 else 0
        if (
            (head & 1 and (status == 0 or status & ~_STATUS))
            or (head & 2 and not 0 < records <= _RECORDS_MAX)
            or (head & 4 and step == 0)
        ):
            raise FrameError(Outcome.INCONSISTENT)
        delay = self.received_at_ns - self.event_at_ns
        self.sequence = (self.sequence + step) & U64
        self.event_at_ns = (self.event_at_ns + reader.time(self._unit)) & U64
        self.received_at_ns = (self.event_at_ns + delay + reader.time(_DELAY_UNIT)) & U64
        count = head >> 3
        if count > reader.end - reader.at:
            raise FrameError(Outcome.INCONSISTENT)
        self._changes(reader, count)
        self._judge_crossing(status)
        self.version = (self.version + records + 1) & U64
        self.status = status
        stamps = (self.event_at_ns, self.received_at_ns, self.sequence)
        self.chain = chain_next(self.chain, hash=self.hash, version=self.version, status=status, stamps=stamps)

    def _changes(self, reader: WireReader, count: int) -> None:
        """The changes of an event, coded against the best prices before it."""
        bids, asks = self._prices
        references = [bids[-1] if bids else 0, -asks[-1] if asks else 0]
        for _ in range(count):
            first = reader.byte()
            side = first & 1
            code = reader.tagged((first >> 2) & 31, 128) if first & 128 else first >> 2
            price = references[side] + ((code >> 1) ^ -(code & 1))
            if not -_SIGN <= price < _SIGN:
                price = signed(price)
            references[side] = price
            if not self._set(side, price, 0 if first & 2 else reader.quantity()):
                raise FrameError(Outcome.INCONSISTENT)

    def _conflated(self, reader: WireReader) -> Outcome:
        if reader.varint() != self.version:
            raise FrameError(Outcome.CHAIN)
        version = self.version + reader.varint()
        wanted, chain, status = reader.word(), reader.word(), reader.byte()
        stamps = (reader.word(8), reader.word(8), reader.varint())
        count = reader.varint()
        is_forward = version <= U64 and (count == 0 or version > self.version)
        if status & ~_STATUS or not is_forward or count > reader.end - reader.at:
            raise FrameError(Outcome.INCONSISTENT)
        side = price = 0
        for index in range(count):
            first = reader.byte()
            is_turned = first & 1 != side
            before = price
            price = signed((0 if is_turned else price) + unzigzag(reader.tagged((first >> 2) & 31, first & 128)))
            if (is_turned and side) or (index > 0 and not is_turned and price <= before):
                raise FrameError(Outcome.INCONSISTENT)
            side = first & 1
            lots = 0 if first & 2 else reader.quantity()
            if not self._set(side, price, lots) and (lots == 0 or self._levels[side].get(price) != lots):
                raise FrameError(Outcome.INCONSISTENT)
        if reader.at != reader.end:
            raise FrameError(Outcome.INCONSISTENT)
        if self.hash != wanted:
            raise FrameError(Outcome.HASH)
        self._judge_crossing(status)
        self.version, self.chain, self.status = version, chain, status
        self.event_at_ns, self.received_at_ns, self.sequence = stamps
        return Outcome.APPLIED

    def _part(self, reader: WireReader, flags: int) -> Outcome:
        if flags & layout.FRAME_FLAG_FIRST:
            self._head(reader)
        elif self._state == _EMPTY:
            raise FrameError(Outcome.SKIPPED)
        elif self._state != _LOADING:
            raise FrameError(Outcome.INCONSISTENT)
        self._read_levels(reader)
        if not flags & layout.FRAME_FLAG_FINAL:
            return Outcome.PARTIAL
        if (self.bid_count, self.ask_count) != self._counts:
            raise FrameError(Outcome.INCONSISTENT)
        for prices in self._prices:
            prices.reverse()
        self._judge_crossing(self.status)
        self.hash = self._whole_hash()
        if self.hash != self._pending_hash:
            raise FrameError(Outcome.HASH)
        self._state = _FOLLOWING
        return Outcome.APPLIED

    def _head(self, reader: WireReader) -> None:
        self.clear()
        self.version = reader.varint()
        self.epoch = reader.word()
        self._pending_hash = reader.word()
        self.chain = reader.word()
        self.status = reader.byte()
        self.price_exponent = reader.byte()
        self.quantity_exponent = reader.byte()
        unit = reader.byte()
        self.event_at_ns, self.received_at_ns, self.sequence = reader.word(8), reader.word(8), reader.varint()
        self._counts = (reader.varint(), reader.varint())
        is_good = (
            not self.status & ~_STATUS
            and unit < len(_UNITS)
            and max(self.price_exponent, self.quantity_exponent) <= layout.EXPONENT_MAX
            and max(self._counts) <= _COUNT_MAX
        )
        if not is_good:
            raise FrameError(Outcome.INCONSISTENT)
        self._unit = _UNITS[unit]
        self._state = _LOADING

    def _read_levels(self, reader: WireReader) -> None:
        """Levels come best first; prices are appended in that order and turned round at the end."""
        while reader.at < reader.end:
            side = 0 if self.bid_count < self._counts[0] else 1
            if side and self.ask_count >= self._counts[1]:
                raise FrameError(Outcome.INCONSISTENT)
            prices, levels = self._prices[side], self._levels[side]
            if prices:
                distance = reader.varint()
                price = signed(self._last_price + (distance if side else -distance))
                is_worse = price > self._last_price if side else price < self._last_price
                if not is_worse:
                    raise FrameError(Outcome.INCONSISTENT)
            else:
                price = reader.zigzag()
            levels[price] = reader.quantity()
            prices.append(-price if side else price)
            self._last_price = price

    # ── the JSON form ────────────────────────────────────────────────────────────────────────────

    def apply_snapshot(self, message: dict[str, Any]) -> Outcome:
        """Replaces the book by an `orderbook` message that read_message let through."""
        self.clear()
        self.epoch = message["epoch"]
        self.price_exponent, self.quantity_exponent = message["priceExponent"], message["quantityExponent"]
        for side, name in enumerate(("bids", "asks")):
            if not self._load(side, message[name]):
                self.clear()
                return Outcome.MALFORMED
        self.hash = self._whole_hash()
        return self._prove(message)

    def apply_delta(self, message: dict[str, Any]) -> Outcome:
        """Applies an `orderbook_delta` message that read_message let through."""
        if not self.has_book:
            return Outcome.SKIPPED
        if int(message["previousVersion"]) != self.version:
            self.clear()
            return Outcome.CHAIN
        for side, price, quantity in message["changes"]:
            units = read_units(price, quantity, self.price_exponent, self.quantity_exponent)
            if units is None or side not in ("bid", "ask"):
                self.clear()
                return Outcome.MALFORMED
            self._set(int(side == "ask"), *units)
        return self._prove(message)

    def _load(self, side: int, levels: list[list[str]]) -> bool:
        prices, held = self._prices[side], self._levels[side]
        for price, quantity in levels:
            units = read_units(price, quantity, self.price_exponent, self.quantity_exponent)
            if units is None or units[1] == 0:
                return False
            ticks = -units[0] if side else units[0]
            if prices and ticks >= prices[-1]:
                return False
            prices.append(ticks)
            held[units[0]] = units[1]
        prices.reverse()
        return True

    def _prove(self, message: dict[str, Any]) -> Outcome:
        if self.hash != message["hash"]:
            self.clear()
            return Outcome.HASH
        self.version = int(message["version"])
        self.event_at_ns, self.received_at_ns = int(message["eventAtNs"]), int(message["receivedAtNs"])
        self.sequence = int(message["sequence"])
        self.status = (0 if message["synced"] else layout.FLAG_NOT_SYNCED) | (
            layout.FLAG_CROSSED if message["crossed"] else 0
        )
        self._state = _FOLLOWING
        return Outcome.APPLIED

    # ── levels ───────────────────────────────────────────────────────────────────────────────────

    def _set(self, side: int, price: int, lots: int) -> bool:
        """Sets one level, 0 removes it. False when that changes nothing."""
        levels, hashes = self._levels[side], self._hashes[side]
        held = levels.get(price, 0)
        if held == lots:
            return False
        before = after = 0
        if held:
            before = hashes.get(price) or level_hash(side, price, held)
        if lots:
            levels[price] = lots
            hashes[price] = after = level_hash(side, price, lots)
        if not (held and lots):
            prices, key = self._prices[side], -price if side else price
            if lots:
                insort(prices, key)
            else:
                del levels[price], prices[bisect_left(prices, key)]
                hashes.pop(price, None)
        self.hash = (self.hash - before + after) & U32
        return True

    def _whole_hash(self) -> int:
        total = 0
        for side, levels in enumerate(self._levels):
            count = len(levels)
            ticks = np.fromiter(levels.keys(), np.int64, count)
            lots = np.fromiter(levels.values(), np.int64, count)
            total += int(level_hashes(side, ticks, lots).sum(dtype=np.uint64))
        return total & U32

    def _judge_crossing(self, status: int) -> None:
        """A book that is not synced may be crossed without saying so: its crossing was not judged."""
        is_said = bool(status & layout.FLAG_CROSSED)
        if self.is_crossed != is_said and (is_said or not status & layout.FLAG_NOT_SYNCED):
            raise FrameError(Outcome.INCONSISTENT)
