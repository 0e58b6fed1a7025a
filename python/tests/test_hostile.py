"""Hostile segment files: whatever stands in header, table, cells, images and rings, a reader refuses with a typed error
or goes on; it never crashes, hangs, or shows a book that its hash does not prove.
"""

from __future__ import annotations

import contextlib
import mmap
import random
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import EXPECTATIONS, golden_bytes
from producer import FOREVER_MS, revive

from alphapulse import AlphaPulseError, OrderBookReconstructor, SegmentError, SegmentReader, level_hashes
from alphapulse import _layout as layout

EXTREMES = (0, 1, 2, 63, 64, 255, 4096, 2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**63 - 1, 2**63, 2**64 - 1)
HEADER_FIELDS = sorted(
    value
    for name, value in vars(layout).items()
    if name.startswith("HEADER_") and not name.endswith(("_MAX", "_BYTES")) and name != "HEADER_COUNTERS"
)
MUTATIONS = 10_000
STAGES = ("coinbase_rescaled", "coinbase_started", "binance_joined", "binance_gap")


def exercise(reader: SegmentReader) -> None:
    """Everything that a reader offers, a few times."""
    for entry in reader.instruments():
        reader.top(entry.canonical)
        reader.image(entry.canonical)
        entry.price_text(1)
    for _ in range(3):
        reader.read_deltas()
        reader.read_trades(limit=7)
    books = OrderBookReconstructor(reader)
    books.update(limit=512)
    for view in books.books():
        depth = view.depth()
        if view.is_synced:
            total = int(level_hashes(0, depth.bid_ticks, depth.bid_lots).sum(dtype=np.uint64))
            total += int(level_hashes(1, depth.ask_ticks, depth.ask_lots).sum(dtype=np.uint64))
            assert total & 0xFFFFFFFF == view.hash


class Victim:
    """A golden segment as a file that is changed in place and put back."""

    def __init__(self, folder: Path, stage: str) -> None:
        path = self.path = folder / f"{stage.rsplit('_', 1)[0].replace('coinbase', 'coinbase_exchange')}.seg"
        content = golden_bytes(stage)
        revive(content)
        self.content = bytes(content)
        path.write_bytes(content)
        with path.open("r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 0)
        self.offsets: dict[str, int] = {
            "table": self._long(layout.HEADER_TABLE_OFFSET),
            "cells": self._long(layout.HEADER_CELLS_OFFSET),
            "deltas": self._long(layout.HEADER_DELTA_RING_OFFSET),
            "images": self._long(layout.HEADER_IMAGES_OFFSET),
        }
        entry = self.offsets["table"]
        rows = range(len(EXPECTATIONS["stages"][stage]["instruments"]))
        self.images = [self._long(entry + row * layout.TABLE_BYTES + layout.TABLE_IMAGE_OFFSET) for row in rows]

    def _long(self, offset: int) -> int:
        return int(struct.unpack_from("<Q", self.content, offset)[0])

    def mutate(self, chance: random.Random) -> None:
        """One to four changes at places that matter."""
        for _ in range(1 + chance.randrange(4)):
            kind = chance.randrange(6)
            if kind == 0:
                self._put(chance, chance.choice(HEADER_FIELDS))
            elif kind == 1:
                self._put(chance, self.offsets["table"] + 4 * chance.randrange(3 * layout.TABLE_BYTES // 4))
            elif kind == 2:
                self._put(chance, self.offsets["cells"] + 4 * chance.randrange(3 * layout.CELL_BYTES // 4))
            elif kind == 3:
                image = chance.choice(self.images)
                self._put(chance, image + 4 * chance.randrange(layout.IMAGE_HEADER_BYTES // 4 + 8))
            elif kind == 4:
                self._put(chance, self.offsets["deltas"] + 4 * chance.randrange(64 * layout.DELTA_BYTES // 4))
            else:
                self.memory[chance.randrange(len(self.content))] = chance.randrange(256)

    def _put(self, chance: random.Random, offset: int) -> None:
        value = chance.choice(EXTREMES) if chance.randrange(2) else chance.getrandbits(chance.choice((8, 20, 32, 64)))
        code = chance.choice("BHIQ")
        size = struct.calcsize(code)
        struct.pack_into(f"<{code}", self.memory, offset, value & ((1 << 8 * size) - 1))

    def restore(self) -> None:
        """Puts the golden bytes back."""
        self.memory[:] = self.content


@pytest.mark.parametrize("part", range(4))
def test_mutated_files_never_crash_a_reader(tmp_path: Path, part: int) -> None:
    victim = Victim(tmp_path, STAGES[part])
    refused = 0
    for seed in range(part, MUTATIONS, 4):
        chance = random.Random(seed)
        attaches_first = seed % 8 >= 4
        try:
            if attaches_first:
                reader = SegmentReader(victim.path, start="oldest", stale_after_ms=FOREVER_MS)
                victim.mutate(chance)
            else:
                victim.mutate(chance)
                reader = SegmentReader(victim.path, start="oldest", stale_after_ms=FOREVER_MS)
            exercise(reader)
        except AlphaPulseError:
            refused += 1
        finally:
            victim.restore()
    assert refused > MUTATIONS / 4 / 20
    exercise(SegmentReader(victim.path, start="oldest", stale_after_ms=FOREVER_MS))


def test_every_header_field_with_an_absurd_value_is_refused_or_read(tmp_path: Path) -> None:
    victim = Victim(tmp_path, "coinbase_started")
    for offset in HEADER_FIELDS:
        for value in EXTREMES:
            struct.pack_into("<Q", victim.memory, offset, value)
            with contextlib.suppress(AlphaPulseError):
                exercise(SegmentReader(victim.path, start="image", stale_after_ms=FOREVER_MS))
            victim.restore()


@pytest.mark.parametrize("size", [0, 1, 7, 8, 100, 4095, 4096, 4097, 65536, 65537, 300_000])
def test_truncated_files_are_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "coinbase_exchange.seg"
    path.write_bytes(bytes(golden_bytes("coinbase_lapped")[:size]))
    with pytest.raises(SegmentError):
        SegmentReader(path)


def test_noise_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kraken.seg"
    chance = random.Random(1)
    for _ in range(200):
        noise = bytearray(chance.randbytes(65_536))
        if chance.randrange(2):
            noise[:16] = golden_bytes("coinbase_started")[:16]
        path.write_bytes(noise)
        with pytest.raises(SegmentError):
            SegmentReader(path)


def test_a_broken_image_is_no_book(place: Callable[..., Path]) -> None:
    path = place("coinbase_lapped")
    reader = SegmentReader(path, stale_after_ms=FOREVER_MS)
    entry = reader.instrument("BTC-USD")
    for offset, expected in (
        (layout.IMAGE_HASH, "corrupt"),
        (layout.IMAGE_EPOCH, "corrupt"),
        (layout.IMAGE_INSTRUMENT_ID, "corrupt"),
        (layout.IMAGE_BID_COUNT, "corrupt"),
        (layout.IMAGE_HEADER_BYTES, "corrupt"),
        (layout.IMAGE_GENERATION, "busy"),
    ):
        with path.open("r+b") as file:
            file.seek(entry.image_offset + offset)
            held = file.read(1)
            file.seek(entry.image_offset + offset)
            file.write(bytes((held[0] ^ 1,)))
            file.flush()
            assert reader.image("BTC-USD") == expected
            books = OrderBookReconstructor(reader)
            assert (books.book("BTC-USD").is_synced, books.book("BTC-USD").problem) == (False, expected)
            file.seek(entry.image_offset + offset)
            file.write(held)
    assert OrderBookReconstructor(reader).book("BTC-USD").is_synced
