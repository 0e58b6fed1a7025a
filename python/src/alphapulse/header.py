"""The header page of a segment, every field checked against the file before anything else is read.

Bad case: trusting one offset of a foreign file; all arithmetic is on Python's integers, so nothing wraps.
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

from . import _layout as layout
from .errors import LayoutVersionError, SegmentError

_TABLE_ALIGN = 64


class SegmentHeader(NamedTuple):
    """What does not change while a segment lives. Offsets are from its first byte."""

    layout_version: int
    segment_bytes: int
    epoch: int
    """Different for every start of the producer."""
    pid: int
    exchange: str
    shard_index: int
    """From 0."""
    shard_count: int
    instrument_capacity: int
    delta_capacity: int
    """Records, a power of two."""
    trade_capacity: int
    """Records, a power of two."""
    table_offset: int
    cells_offset: int
    delta_ring_offset: int
    trade_ring_offset: int
    images_offset: int
    wall_anchor_ns: int
    """Unix ns that the monotonic anchor stands for."""
    monotonic_anchor_ns: int


def read_header(page: memoryview, file_bytes: int) -> SegmentHeader:
    """Reads and checks a header page.

    page: the first bytes of the file. Raises SegmentError (LayoutVersionError for another layout) naming the field.
    """
    _demand(len(page) >= layout.HEADER_BYTES, "the file ends inside its header", file_bytes)

    def word(offset: int) -> int:
        return int(struct.unpack_from("<I", page, offset)[0])

    def long(offset: int) -> int:
        return int(struct.unpack_from("<Q", page, offset)[0])

    def short(offset: int) -> int:
        return int(struct.unpack_from("<H", page, offset)[0])

    magic = (word(layout.HEADER_MAGIC), word(layout.HEADER_MAGIC + 4))
    _demand(magic == (layout.MAGIC_LOW, layout.MAGIC_HIGH), "no magic number", magic)
    version = word(layout.HEADER_LAYOUT_VERSION)
    if version < 1 or version not in (layout.LAYOUT_VERSION, layout.LAYOUT_VERSION - 1):
        wanted = f"this build reads layout {layout.LAYOUT_VERSION} and the one before"
        raise LayoutVersionError(f"Cannot read the segment: {wanted}, was {version}")
    for name, offset, expected in (
        ("header size", layout.HEADER_HEADER_BYTES, layout.HEADER_BYTES),
        ("delta record size", layout.HEADER_DELTA_BYTES, layout.DELTA_BYTES),
        ("trade record size", layout.HEADER_TRADE_BYTES, layout.TRADE_BYTES),
    ):
        _demand(word(offset) == expected, name, word(offset))
    header = SegmentHeader(
        layout_version=version,
        segment_bytes=long(layout.HEADER_SEGMENT_BYTES),
        epoch=long(layout.HEADER_EPOCH),
        pid=word(layout.HEADER_PID),
        exchange=_exchange(page),
        shard_index=short(layout.HEADER_SHARD_INDEX),
        shard_count=short(layout.HEADER_SHARD_COUNT),
        instrument_capacity=word(layout.HEADER_INSTRUMENT_CAPACITY),
        delta_capacity=word(layout.HEADER_DELTA_CAPACITY),
        trade_capacity=word(layout.HEADER_TRADE_CAPACITY),
        table_offset=long(layout.HEADER_TABLE_OFFSET),
        cells_offset=long(layout.HEADER_CELLS_OFFSET),
        delta_ring_offset=long(layout.HEADER_DELTA_RING_OFFSET),
        trade_ring_offset=long(layout.HEADER_TRADE_RING_OFFSET),
        images_offset=long(layout.HEADER_IMAGES_OFFSET),
        wall_anchor_ns=int(struct.unpack_from("<q", page, layout.HEADER_WALL_ANCHOR)[0]),
        monotonic_anchor_ns=long(layout.HEADER_MONOTONIC_ANCHOR),
    )
    _check_parts(header, file_bytes)
    return header


def _check_parts(header: SegmentHeader, file_bytes: int) -> None:
    size = header.segment_bytes
    _demand(layout.HEADER_BYTES < size <= file_bytes, f"size, the file has {file_bytes} bytes", size)
    for name, capacity in (("delta", header.delta_capacity), ("trade", header.trade_capacity)):
        _demand(capacity > 0 and capacity & (capacity - 1) == 0, f"{name} capacity is no power of two", capacity)
    parts = sorted(
        (offset, bytes_, name)
        for name, offset, bytes_ in (
            ("instrument table", header.table_offset, header.instrument_capacity * layout.TABLE_BYTES),
            ("cells", header.cells_offset, header.instrument_capacity * layout.CELL_BYTES),
            ("delta ring", header.delta_ring_offset, header.delta_capacity * layout.DELTA_BYTES),
            ("trade ring", header.trade_ring_offset, header.trade_capacity * layout.TRADE_BYTES),
            ("images", header.images_offset, 0),
        )
    )
    end = layout.HEADER_BYTES
    for offset, bytes_, name in parts:
        _demand(offset % _TABLE_ALIGN == 0, f"offset of the {name} is not aligned", offset)
        _demand(offset >= end, f"the {name} overlaps what stands before it (it ends at {end})", offset)
        end = offset + bytes_
        _demand(end <= size, f"the {name} ends outside the segment of {size} bytes", end)


def _exchange(page: memoryview) -> str:
    length = page[layout.HEADER_EXCHANGE]
    _demand(0 < length <= layout.HEADER_EXCHANGE_BYTES_MAX, "length of the exchange's name", length)
    start = layout.HEADER_EXCHANGE + 1
    name = bytes(page[start : start + length]).decode("latin-1")
    _demand(re.fullmatch("[a-z0-9_]+", name) is not None, "the exchange's name", repr(name))
    return name


def _demand(condition: bool, reason: str, was: object) -> None:
    if not condition:
        raise SegmentError(f"Cannot read the segment: {reason}, was {was}")
