"""One mapped segment file: read-only bytes, its rings as numpy arrays, its live words as 64-bit loads.

Loads of live words go through aligned memoryviews, one load each, in program order: on x64 that is all the ordering the
ring needs. Bad case: a file that shrinks while it is mapped (producers never do that) would end the process by SIGBUS;
`is_current` notices it at its next look.
"""

from __future__ import annotations

import mmap
import os
import platform
import stat
import sys
import time
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import _layout as layout
from ._process import process_identity
from .directory import SEGMENT_NAME
from .errors import SegmentError, SegmentNotFoundError, UnsupportedPlatformError
from .header import SegmentHeader, read_header
from .records import DELTA_DTYPE, TRADE_DTYPE

_X64: Final = ("x86_64", "amd64")


class RingPlace(NamedTuple):
    """Where a ring and its live words are: indexes of 64-bit words, and the slots as rows of bytes."""

    tail: int
    intent: int
    capacity: int
    slots: NDArray[np.uint8]
    dtype: np.dtype[np.void]


def check_platform() -> None:
    """Raises UnsupportedPlatformError where a segment cannot be read: anywhere but on x64."""
    machine = platform.machine()
    if machine.lower() not in _X64 or sys.byteorder != "little" or sys.maxsize < 2**32:
        raise UnsupportedPlatformError(
            f"Cannot read segments here: their ordering is proven for 64-bit x86 only, was {machine}"
        )


class Mapping:
    """A validated segment file, mapped for reading."""

    def __init__(self, path: Path) -> None:
        check_platform()
        descriptor = _open(path)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise SegmentError(f"Cannot read {path}: it must be a regular file, was mode {found.st_mode:o}")
            if found.st_size < layout.HEADER_BYTES:
                raise SegmentError(f"Cannot read {path}: the file ends inside its header, was {found.st_size} bytes")
            self._memory = _map(descriptor, found.st_size, path)
        finally:
            os.close(descriptor)
        self.path: Final = path
        self.identity: Final = (found.st_dev, found.st_ino)
        self.bytes: Final = memoryview(self._memory)
        self.header: Final[SegmentHeader] = read_header(self.bytes[: layout.HEADER_BYTES], found.st_size)
        _check_name(path.name, self.header)
        self.producer: Final = process_identity(self.header.pid)
        """The process that writes it; None when it was gone already, or is not of our pid namespace."""
        self.words: Final = self.bytes[: found.st_size & ~7].cast("Q")
        self.halves: Final = self.bytes[: found.st_size & ~3].cast("I")
        header = self.header
        self.deltas: Final = RingPlace(
            layout.HEADER_DELTA_TAIL >> 3,
            layout.HEADER_DELTA_TAIL_INTENT >> 3,
            header.delta_capacity,
            self._slots(header.delta_ring_offset, header.delta_capacity, layout.DELTA_BYTES),
            DELTA_DTYPE,
        )
        self.trades: Final = RingPlace(
            layout.HEADER_TRADE_TAIL >> 3,
            layout.HEADER_TRADE_TAIL_INTENT >> 3,
            header.trade_capacity,
            self._slots(header.trade_ring_offset, header.trade_capacity, layout.TRADE_BYTES),
            TRADE_DTYPE,
        )

    def _slots(self, offset: int, capacity: int, record_bytes: int) -> NDArray[np.uint8]:
        flat = np.frombuffer(self._memory, np.uint8, capacity * record_bytes, offset)
        return flat.reshape(capacity, record_bytes)

    @property
    def state(self) -> int:
        """SEGMENT_STATE_*, as it is now."""
        return self.halves[layout.HEADER_STATE >> 2]

    @property
    def instrument_count(self) -> int:
        """Entries of the table; never more than its capacity, whatever stands there."""
        return min(self.halves[layout.HEADER_INSTRUMENT_COUNT >> 2], self.header.instrument_capacity)

    def heartbeat_age_ns(self) -> int:
        """How long the producer has been silent, by the machine's monotonic clock."""
        header = self.header
        beat = self.words[layout.HEADER_HEARTBEAT >> 3] - header.wall_anchor_ns + header.monotonic_anchor_ns
        return time.monotonic_ns() - beat

    def is_current(self) -> bool | None:
        """Whether the file at the path is still this one; None when there is none."""
        try:
            found = os.stat(self.path, follow_symlinks=False)
        except FileNotFoundError:
            return None
        is_same = (found.st_dev, found.st_ino) == self.identity
        if is_same and found.st_size < len(self.bytes):
            raise SegmentError(f"Cannot read {self.path}: it was cut to {found.st_size}, was {len(self.bytes)} bytes")
        return is_same


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError as cause:
        raise SegmentNotFoundError(f"Cannot open the segment: no such file, was {path}") from cause
    except OSError as cause:
        raise SegmentError(f"Cannot open the segment {path}: {cause.strerror}") from cause


def _map(descriptor: int, size: int, path: Path) -> mmap.mmap:
    try:
        return mmap.mmap(descriptor, size, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
    except (OSError, OverflowError, ValueError) as cause:
        raise SegmentError(f"Cannot map the segment {path}: {cause}, was {size} bytes") from cause


def _check_name(name: str, header: SegmentHeader) -> None:
    match = SEGMENT_NAME.fullmatch(name)
    if match is None:
        return
    shard = (int(match[2]) - 1, int(match[3])) if match[2] else (0, 1)
    if (match[1], *shard) != (header.exchange, header.shard_index, header.shard_count):
        inside = f"{header.exchange}, shard {header.shard_index + 1} of {header.shard_count}"
        raise SegmentError(f"Cannot read the segment {name}: its header must say the same, was {inside}")
