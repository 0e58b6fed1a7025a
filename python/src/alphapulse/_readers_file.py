"""The advisory file in which readers say who they are and where they stand, for `alphapulse inspect`.

Garbage in it harms nobody. Bad case: no file, no free slot, no right to write; the reader goes on unannounced.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import time
from pathlib import Path
from typing import Final

from . import _layout as layout
from ._places import struct_at

_MAGIC: Final = (layout.READERS_MAGIC_LOW, layout.READERS_MAGIC_HIGH)
_SHAPE: Final = (layout.READERS_VERSION, layout.READERS_SLOT_BYTES, layout.READERS_SLOTS)
_ABANDONED_NS: Final = 10_000_000_000
_NUMBERS: Final = struct_at(
    (layout.SLOT_HEARTBEAT, "Q"),
    (layout.SLOT_EPOCH, "Q"),
    (layout.SLOT_DELTA_CURSOR, "Q"),
    (layout.SLOT_DELTA_LOST, "Q"),
    (layout.SLOT_TRADE_CURSOR, "Q"),
    (layout.SLOT_TRADE_LOST, "Q"),
    (layout.SLOT_LAPS, "I"),
    (layout.SLOT_KIND, "I"),
)


class ReaderSlot:
    """One line of the readers file, held while the reader lives."""

    def __init__(self, memory: mmap.mmap, start: int) -> None:
        self._memory = memory
        self._start = start

    def say(self, epoch: int, deltas: tuple[int, int], trades: tuple[int, int], laps: int) -> None:
        """Writes where the reader stands: (cursor, lost) of both rings."""
        numbers = (time.monotonic_ns(), epoch, *deltas, *trades)
        wrapped = [number & 0xFFFFFFFFFFFFFFFF for number in numbers]
        line = _NUMBERS.pack(*wrapped, laps & 0xFFFFFFFF, layout.READER_KIND_PYTHON)[layout.SLOT_HEARTBEAT :]
        at = self._start + layout.SLOT_HEARTBEAT
        self._memory[at : at + len(line)] = line

    def free(self) -> None:
        """Gives the line back."""
        struct.pack_into("<I", self._memory, self._start, 0)
        self._memory.close()


def take_slot(segment: Path, name: str) -> ReaderSlot | None:
    """Takes a free line of the segment's readers file; None when there is none to be had."""
    memory = _map(segment.with_suffix(".readers"))
    if memory is None:
        return None
    for index in range(layout.READERS_SLOTS):
        start = layout.READERS_HEADER_BYTES + index * layout.READERS_SLOT_BYTES
        if _is_free(memory, start):
            text = name.encode("ascii", "replace")[: layout.SLOT_NAME_BYTES_MAX]
            at = start + layout.SLOT_NAME
            memory[start : start + layout.READERS_SLOT_BYTES] = bytes(layout.READERS_SLOT_BYTES)
            memory[at : at + 1 + len(text)] = bytes((len(text),)) + text
            struct.pack_into("<Q", memory, start + layout.SLOT_HEARTBEAT, time.monotonic_ns())
            struct.pack_into("<I", memory, start, os.getpid())
            time.sleep(0.001)
            if struct.unpack_from("<I", memory, start)[0] == os.getpid():
                return ReaderSlot(memory, start)
    memory.close()
    return None


def _map(path: Path) -> mmap.mmap | None:
    with contextlib.suppress(OSError, ValueError):
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            memory = mmap.mmap(descriptor, layout.READERS_BYTES)
        finally:
            os.close(descriptor)
        if struct.unpack_from("<5I", memory) == (*_MAGIC, *_SHAPE):
            return memory
        memory.close()
    return None


def _is_free(memory: mmap.mmap, start: int) -> bool:
    pid = int(struct.unpack_from("<I", memory, start)[0])
    heartbeat = int(struct.unpack_from("<Q", memory, start + layout.SLOT_HEARTBEAT)[0])
    return pid == 0 or time.monotonic_ns() - heartbeat > _ABANDONED_NS or not _lives(pid)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True
