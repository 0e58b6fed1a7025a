"""A producer in Python for the tests.

It writes segment files in the order that the real producer keeps: tailIntent, records, tail; images behind an odd
generation; cells behind an odd sequence. Bad case: it is slow; a reader that has to be lapped gets a tiny ring.
"""

from __future__ import annotations

import mmap
import os
import random
import struct
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alphapulse import DELTA_DTYPE, TRADE_DTYPE, level_hash
from alphapulse import _layout as layout

PATTERN_WORDS = layout.DELTA_BYTES // 8
_MIX = np.uint64(0x9E3779B97F4A7C15)
_ALIGN = 4096
FOREVER_MS = 10**9
"""Of a reader whose test is not about staleness: a busy machine may stop a test for longer than a heartbeat lasts."""


def revive(content: bytearray | mmap.mmap) -> None:
    """Gives a segment a heartbeat of this moment."""
    wall = struct.unpack_from("<q", content, layout.HEADER_WALL_ANCHOR)[0]
    struct.pack_into("<Q", content, layout.HEADER_MONOTONIC_ANCHOR, 0)
    struct.pack_into("<Q", content, layout.HEADER_HEARTBEAT, wall + time.monotonic_ns())


def pattern(first: int, count: int) -> NDArray[np.uint64]:
    """Words of pattern records: every word of a record follows from its position."""
    positions = np.arange(first, first + count, dtype=np.uint64)[:, None]
    words = positions * np.uint64(PATTERN_WORDS) + np.arange(PATTERN_WORDS, dtype=np.uint64)
    return np.asarray(words * _MIX, dtype=np.uint64)


class Producer:
    """A segment file and its writer. One instrument."""

    def __init__(
        self,
        path: Path,
        *,
        exchange: str = "kraken",
        epoch: int = 1,
        capacity: int = 64,
        levels: int = 512,
        canonical: str = "BTC-USD",
    ) -> None:
        self.path = path
        self.capacity = capacity
        self.version = 0
        self.position = 0
        self.trade_position = 0
        self.book: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.book_hash = 0
        self._epoch = epoch
        self._table = layout.HEADER_BYTES
        self._cells = self._table + _ALIGN
        self._deltas = self._cells + _ALIGN
        self._trades = self._deltas + capacity * layout.DELTA_BYTES
        self._images = self._trades + capacity * layout.TRADE_BYTES
        self._image_bytes = layout.IMAGE_HEADER_BYTES + levels * layout.LEVEL_BYTES
        size = -(-(self._images + 2 * self._image_bytes) // layout.SEGMENT_ALIGN) * layout.SEGMENT_ALIGN
        part = path.with_name(f".{path.name}.part")
        part.write_bytes(bytes(size))
        with part.open("r+b") as file:
            self.memory = mmap.mmap(file.fileno(), size)
        self._write_header(exchange, size)
        self._write_entry(canonical, levels)
        self.halves = memoryview(self.memory).cast("I")
        self.words = memoryview(self.memory).cast("Q")
        ring = np.frombuffer(self.memory, np.uint8, capacity * layout.DELTA_BYTES, self._deltas)
        self.slots = ring.reshape(capacity, layout.DELTA_BYTES)
        self.set_state(layout.SEGMENT_STATE_LIVE)
        self.beat()
        part.rename(path)

    # ── header ───────────────────────────────────────────────────────────────────────────────────

    def _write_header(self, exchange: str, size: int) -> None:
        words = {
            layout.HEADER_MAGIC: layout.MAGIC_LOW,
            layout.HEADER_MAGIC + 4: layout.MAGIC_HIGH,
            layout.HEADER_LAYOUT_VERSION: layout.LAYOUT_VERSION,
            layout.HEADER_HEADER_BYTES: layout.HEADER_BYTES,
            layout.HEADER_PID: os.getpid(),
            layout.HEADER_INSTRUMENT_CAPACITY: 8,
            layout.HEADER_INSTRUMENT_COUNT: 1,
            layout.HEADER_DELTA_CAPACITY: self.capacity,
            layout.HEADER_TRADE_CAPACITY: self.capacity,
            layout.HEADER_DELTA_BYTES: layout.DELTA_BYTES,
            layout.HEADER_TRADE_BYTES: layout.TRADE_BYTES,
        }
        longs = {
            layout.HEADER_SEGMENT_BYTES: size,
            layout.HEADER_EPOCH: self._epoch,
            layout.HEADER_TABLE_OFFSET: self._table,
            layout.HEADER_CELLS_OFFSET: self._cells,
            layout.HEADER_DELTA_RING_OFFSET: self._deltas,
            layout.HEADER_TRADE_RING_OFFSET: self._trades,
            layout.HEADER_IMAGES_OFFSET: self._images,
        }
        for offset, value in words.items():
            struct.pack_into("<I", self.memory, offset, value)
        for offset, value in longs.items():
            struct.pack_into("<Q", self.memory, offset, value)
        struct.pack_into("<H", self.memory, layout.HEADER_SHARD_COUNT, 1)
        self._write_text(layout.HEADER_EXCHANGE, exchange)

    def _write_entry(self, canonical: str, levels: int) -> None:
        words = {
            layout.TABLE_ID: 1,
            layout.TABLE_STATE: layout.STATE_SYNCED,
            layout.TABLE_ASSURANCE: layout.ASSURANCE_CHECKSUM,
            layout.TABLE_PRICE_EXPONENT: 1,
            layout.TABLE_QUANTITY_EXPONENT: 8,
            layout.TABLE_IMAGE_CAPACITY: levels,
        }
        for offset, value in words.items():
            struct.pack_into("<I", self.memory, self._table + offset, value)
        struct.pack_into("<Q", self.memory, self._table + layout.TABLE_IMAGE_OFFSET, self._images)
        struct.pack_into("<Q", self.memory, self._table + layout.TABLE_IMAGE_BYTES, self._image_bytes)
        self._write_text(self._table + layout.TABLE_CANONICAL, canonical)
        self._write_text(self._table + layout.TABLE_NATIVE, canonical.replace("-", "/"))

    def _write_text(self, offset: int, text: str) -> None:
        content = bytes((len(text),)) + text.encode()
        self.memory[offset : offset + len(content)] = content

    def beat(self) -> None:
        """Says that the producer lives."""
        revive(self.memory)

    def set_state(self, state: int) -> None:
        """SEGMENT_STATE_*."""
        struct.pack_into("<I", self.memory, layout.HEADER_STATE, state)

    # ── rings ────────────────────────────────────────────────────────────────────────────────────

    def announce(self, count: int) -> None:
        """tailIntent: the next `count` slots may be overwritten from now on."""
        self.words[layout.HEADER_DELTA_TAIL_INTENT >> 3] = self.position + count

    def publish(self, count: int) -> None:
        """tail: the next `count` records are whole."""
        self.position += count
        self.words[layout.HEADER_DELTA_TAIL >> 3] = self.position

    def write(self, records: NDArray[np.uint8]) -> None:
        """A batch of delta records, in the producer's order."""
        self.announce(len(records))
        for index, record in enumerate(records):
            self.slots[(self.position + index) & (self.capacity - 1)] = record
        self.publish(len(records))

    def write_pattern(self, count: int) -> None:
        """Records that say by every word where they stand."""
        self.write(pattern(self.position, count).view(np.uint8))

    def write_trade(self, price: int, lots: int, *, aggressor: int, trade_id: str, at_ns: int, flags: int = 0) -> None:
        """One trade record."""
        trade = np.zeros(1, TRADE_DTYPE)
        trade["event_at_ns"] = trade["received_at_ns"] = at_ns
        trade["price_ticks"], trade["quantity_lots"], trade["aggressor"] = price, lots, aggressor
        trade["instrument_id"], trade["flags"] = 1, flags
        trade["id_length"], trade["trade_id"] = len(trade_id), trade_id.encode()
        trade["trade_version"] = self.trade_position + 1
        self.words[layout.HEADER_TRADE_TAIL_INTENT >> 3] = self.trade_position + 1
        at = self._trades + (self.trade_position & (self.capacity - 1)) * layout.TRADE_BYTES
        self.memory[at : at + layout.TRADE_BYTES] = trade.tobytes()
        self.trade_position += 1
        self.words[layout.HEADER_TRADE_TAIL >> 3] = self.trade_position

    # ── a book ───────────────────────────────────────────────────────────────────────────────────

    def event(self, changes: list[tuple[int, int, int]], flags: int = 0, at_ns: int = 0) -> None:
        """One event of (side, ticks, lots) as delta records, published; changes that alter nothing are dropped."""
        records: list[NDArray[np.void]] = []
        for side, ticks, lots in changes:
            held = self.book[side].get(ticks, 0)
            if held == lots:
                continue
            if not records or records[-1]["change_count"][0] == layout.DELTA_CHANGES_MAX:
                records.append(self._record(ticks, at_ns))
            self._change(records[-1], side, ticks, lots, held)
        records = records or [self._record(0, at_ns)]
        bids, asks = self.book
        crossed = bool(bids) and bool(asks) and max(bids) > min(asks)
        records[-1]["flags"] |= flags | layout.FLAG_LAST | (layout.FLAG_CROSSED if crossed else 0)
        self.write(np.concatenate(records).view(np.uint8).reshape(len(records), layout.DELTA_BYTES))
        self._write_cell(at_ns)

    def _record(self, base: int, at_ns: int) -> NDArray[np.void]:
        record = np.zeros(1, DELTA_DTYPE)
        self.version += 1
        record["version"] = self.version
        record["instrument_id"] = 1
        record["base_price_ticks"] = base
        record["event_at_ns"] = record["received_at_ns"] = at_ns
        record["book_hash"] = self.book_hash
        return record

    def _change(self, record: NDArray[np.void], side: int, ticks: int, lots: int, held: int) -> None:
        index = int(record["change_count"][0])
        record["quantity_lots"][0, index] = lots
        record["price_offset_ticks"][0, index] = ticks - int(record["base_price_ticks"][0])
        record["side_mask"] |= side << index
        record["add_mask"] |= (1 if held == 0 else 0) << index
        record["change_count"] = index + 1
        if lots:
            self.book[side][ticks] = lots
        else:
            del self.book[side][ticks]
        old = level_hash(side, ticks, held) if held else 0
        fresh = level_hash(side, ticks, lots) if lots else 0
        self.book_hash = (self.book_hash + fresh - old) & 0xFFFFFFFF
        record["book_hash"] = self.book_hash

    def _write_cell(self, at_ns: int) -> None:
        cell = self._cells >> 2
        self.halves[cell] += 1
        bids, asks = self.book
        flags = (layout.CELL_FLAG_BID if bids else 0) | (layout.CELL_FLAG_ASK if asks else 0)
        bid, ask = max(bids, default=0), min(asks, default=0)
        best = (bid, bids.get(bid, 0), ask, asks.get(ask, 0))
        self.halves[cell + (layout.CELL_STATE >> 2)] = layout.STATE_SYNCED
        self.words[(self._cells + layout.CELL_VERSION) >> 3] = self.version
        struct.pack_into("<4q", self.memory, self._cells + layout.CELL_BID_PRICE, *best)
        struct.pack_into("<Q", self.memory, self._cells + layout.CELL_EVENT_AT, at_ns)
        self.halves[cell + (layout.CELL_FLAGS >> 2)] = flags
        self.halves[cell] += 1

    def take_image(self, *, version: int | None = None, position: int | None = None) -> None:
        """Writes the book into the other image and makes it the current one."""
        entry = self._table + layout.TABLE_CURRENT_IMAGE
        number = 2 if struct.unpack_from("<I", self.memory, entry)[0] == 1 else 1
        start = self._images + (number - 1) * self._image_bytes
        self.halves[start >> 2] += 1
        bids = sorted(self.book[0].items(), reverse=True)
        asks = sorted(self.book[1].items())
        fields = {
            layout.IMAGE_EPOCH: self._epoch,
            layout.IMAGE_VERSION: self.version if version is None else version,
            layout.IMAGE_RING_SEQUENCE: self.position if position is None else position,
        }
        for offset, value in fields.items():
            struct.pack_into("<Q", self.memory, start + offset, value)
        head = (len(bids), len(asks), self.book_hash, 1)
        struct.pack_into("<4I", self.memory, start + layout.IMAGE_BID_COUNT, *head)
        struct.pack_into("<I", self.memory, start + layout.IMAGE_STATE, layout.STATE_SYNCED)
        levels = np.array(bids + asks, dtype="<i8").tobytes()
        first = start + layout.IMAGE_HEADER_BYTES
        self.memory[first : first + len(levels)] = levels
        self.halves[start >> 2] += 1
        struct.pack_into("<I", self.memory, entry, number)

    def reset(self, bids: dict[int, int], asks: dict[int, int]) -> None:
        """A large snapshot: the image first, then one Reset record."""
        self.book = (dict(bids), dict(asks))
        self.book_hash = 0
        for side, levels in enumerate(self.book):
            for ticks, lots in levels.items():
                self.book_hash = (self.book_hash + level_hash(side, ticks, lots)) & 0xFFFFFFFF
        self.take_image(version=self.version + 1, position=self.position + 1)
        self.event([], layout.FLAG_SNAPSHOT | layout.FLAG_RESET)

    def random_event(self, chance: random.Random, changes: int, *, middle: int = 50_000, at_ns: int = 0) -> None:
        """Changes that never cross, a third of them removals."""
        drawn = []
        for _ in range(changes):
            side = chance.randrange(2)
            offset = 1 + chance.randrange(200)
            lots = 0 if chance.randrange(3) == 0 else 1 + chance.randrange(10**9)
            drawn.append((side, middle - offset if side == 0 else middle + offset, lots))
        self.event(drawn, at_ns=at_ns)


def main(kind: str, path: str, seconds: str, capacity: str) -> None:
    """Runs as a process of its own: `pattern` at full speed, or `market` with a book, images and trades."""
    producer = Producer(Path(path), capacity=int(capacity), epoch=time.time_ns())
    chance = random.Random(3)
    until = time.monotonic() + float(seconds)
    price = 50_000
    while time.monotonic() < until:
        producer.beat()
        if kind == "pattern":
            for _ in range(32):
                producer.write_pattern(1 + chance.randrange(producer.capacity // 4))
            continue
        for _ in range(4):
            now = time.time_ns()
            producer.random_event(chance, 1 + chance.randrange(24), at_ns=now)
            price += chance.randrange(-3, 4)
            side = 1 + chance.randrange(2)
            name = str(producer.trade_position + 1)
            producer.write_trade(price, 1 + chance.randrange(10**8), aggressor=side, trade_id=name, at_ns=now)
        producer.take_image()
        time.sleep(0.002)
    producer.set_state(layout.SEGMENT_STATE_CLOSED)


if __name__ == "__main__":
    main(*sys.argv[1:])
