"""RingReader: one cursor through a ring and, when the producer starts anew, through the next one.

Source is the file behind the rings: which one is the latest, and whether its producer lives.
Bad case: a producer that dies in the middle of an event; what it announced and never published is not waited for.
"""

from __future__ import annotations

import time
from typing import Final, Literal, TypeAlias

import numpy as np

from . import _layout as layout
from ._cursor import Cursor
from ._mapping import Mapping, RingPlace
from ._process import DOUBT_NS, has_ended
from ._readers_file import ReaderSlot, take_slot
from .errors import SegmentNotFoundError
from .instruments import read_instrument
from .outcomes import Batch, Closed, EpochChanged, Idle, Lapped, Outcome, Stale
from .records import DELTA_DTYPE, Records

Start: TypeAlias = Literal["tail", "oldest", "image"]
"""Where reading begins: what comes next · all that the ring still holds · where the oldest book image leads on."""
Wait: TypeAlias = Literal["sleep", "spin"]
"""How a timeout passes: short sleeps growing to 5 ms · a busy loop that takes a core and answers in microseconds."""

_LOOK_EVERY_S: Final = 0.05
_LOOK_URGENT_S: Final = 0.01
_SPEAK_EVERY_S: Final = 0.1
_SLEEP_FIRST_S: Final = 0.000_05
_SLEEP_MAX_S: Final = 0.005
_SPINS: Final = 256
_READS_PER_WORD: Final = 16
_AHEAD: Final = 64
_FUTURE_NS: Final = -1_000_000_000


class Source:
    """The file behind the readers of both rings: which one is the latest, and whether its producer lives."""

    def __init__(self, mapping: Mapping, stale_after_ms: int, name: str) -> None:
        self.latest = mapping
        self.is_gone = False
        self.reading: dict[str, RingReader] = {}
        self._stale_after_ns = stale_after_ms * 1_000_000
        self._name = name
        self._looked_at = time.monotonic()
        self._spoke_at = 0.0
        self._slot: ReaderSlot | None = take_slot(mapping.path, name)

    def look(self, *, at_once: bool = False) -> Mapping:
        """The latest segment; whether there is a newer one is looked up a few times a second, or at once."""
        now = time.monotonic()
        waited = now - self._looked_at
        is_due = waited >= _LOOK_URGENT_S and (waited >= _LOOK_EVERY_S or not self.is_live(self.latest))
        if is_due or at_once:
            self._looked_at = now
            self._follow()
            self.speak(now)
        return self.latest

    def speak(self, now: float) -> None:
        """Refreshes the line in the readers file."""
        if self._slot is not None and now - self._spoke_at >= _SPEAK_EVERY_S and len(self.reading) == 2:
            self._spoke_at = now
            deltas, trades = self.reading["deltas"], self.reading["trades"]
            self._slot.say(self.latest.header.epoch, deltas.place, trades.place, deltas.laps + trades.laps)

    def is_live(self, mapping: Mapping) -> bool:
        """It is the latest segment, in use, and its producer's heartbeat is fresh."""
        is_used = mapping is self.latest and mapping.state == layout.SEGMENT_STATE_LIVE
        return is_used and not self.is_stale(mapping)

    def is_stale(self, mapping: Mapping) -> bool:
        """The heartbeat is too old, or of another boot of the machine, or its process has ended."""
        age = mapping.heartbeat_age_ns()
        if not _FUTURE_NS <= age <= self._stale_after_ns:
            return True
        return age > DOUBT_NS and has_ended(mapping.header.pid, mapping.producer)

    def close(self) -> None:
        """Gives the line in the readers file back."""
        if self._slot is not None:
            self._slot.free()
            self._slot = None

    def _follow(self) -> None:
        current = self.latest.is_current()
        self.is_gone = current is None
        if current is False:
            try:
                self.latest = Mapping(self.latest.path)
            except SegmentNotFoundError:
                self.is_gone = True


class RingReader:
    """One cursor through a ring and, when the producer starts anew, through the next one."""

    def __init__(self, source: Source, kind: Literal["deltas", "trades"], start: Start, wait: Wait) -> None:
        self._source = source
        self._kind: Final = kind
        self._wait: Wait = wait
        self._has_told_stale = False
        self._has_told_closed = False
        self._lost_before = 0
        self._laps_before = 0
        self._reads = 0
        self._ahead: Records = np.empty(0, DELTA_DTYPE)
        self._ahead_used = 0
        self.cursor = self._attach(source.look(), start)
        source.reading.setdefault(kind, self)

    @property
    def lost(self) -> int:
        """Records overwritten before they were read, in all epochs."""
        return self._lost_before + self.cursor.lost

    @property
    def laps(self) -> int:
        """How often the ring overtook this cursor."""
        return self._laps_before + self.cursor.laps

    @property
    def position(self) -> int:
        """Ring position of the next record that is given."""
        return self.cursor.position - len(self._ahead) + self._ahead_used

    @property
    def place(self) -> tuple[int, int]:
        """Position of the next record, and records lost."""
        return self.position, self.lost

    @property
    def is_live(self) -> bool:
        """The segment read is the latest one and its producer lives."""
        return self._source.is_live(self.cursor.mapping)

    def read(self, limit: int = 4096, timeout: float = 0.0) -> Outcome:
        """Up to `limit` records, or what stands in the way; waits up to `timeout` seconds."""
        if self._ahead_used < len(self._ahead):
            position = self.position
            rest = self._ahead[self._ahead_used :][:limit]
            self._ahead_used += len(rest)
            return Batch(rest, position)
        self._source.reading[self._kind] = self
        deadline = 0.0
        pause = _SLEEP_FIRST_S
        spins = 0
        while True:
            outcome = self._poll(limit)
            if outcome is not None:
                self._reads += 1
                if self._reads % _READS_PER_WORD == 0:
                    self._source.speak(time.monotonic())
                return outcome
            if spins % _SPINS == 0:
                news = self._news(limit)
                if news is not None:
                    return news
                if timeout <= 0:
                    return Idle()
                now = time.monotonic()
                deadline = deadline or now + timeout
                if now >= deadline:
                    return Idle()
            if self._wait == "spin":
                spins += 1
            else:
                time.sleep(min(pause, max(0.0, deadline - now)))
                pause = min(pause * 2, _SLEEP_MAX_S)

    def read_one(self, timeout: float = 0.0) -> np.void | Idle | Lapped | EpochChanged | Stale | Closed:
        """One record, or what stands in the way. A few are copied ahead; they are whole, so they stay good."""
        used = self._ahead_used
        if used == len(self._ahead):
            outcome = self.read(_AHEAD, timeout)
            if not isinstance(outcome, Batch):
                return outcome
            self._ahead = outcome.records
            used = 0
        self._ahead_used = used + 1
        record: np.void = self._ahead[used]
        return record

    def _poll(self, limit: int) -> Outcome | None:
        cursor = self.cursor
        got = cursor.poll(limit)
        if got is None:
            return None
        if isinstance(got, int):
            return Lapped(got, cursor.position)
        return Batch(got, cursor.position - len(got))

    def _news(self, limit: int) -> Outcome | None:
        """What happened to the producer, told once each; the ring was read to its end before."""
        source = self._source
        mapping = self.cursor.mapping
        has_ended = mapping.state in (layout.SEGMENT_STATE_SUPERSEDED, layout.SEGMENT_STATE_CLOSED)
        latest = source.look(at_once=has_ended and not self._has_told_closed)
        if latest is not mapping:
            rest = self._poll(limit)
            return rest if rest is not None else self._move(latest)
        if has_ended or source.is_gone:
            if self._has_told_closed:
                return None
            rest = self._poll(limit)
            self._has_told_closed = rest is None
            return rest if rest is not None else Closed(_reason(mapping))
        if not source.is_stale(mapping):
            self._has_told_stale = False
        elif not self._has_told_stale:
            self._has_told_stale = True
            return Stale(mapping.heartbeat_age_ns() // 1_000_000)
        return None

    def _move(self, latest: Mapping) -> EpochChanged:
        old = self.cursor
        self._lost_before += old.lost
        self._laps_before += old.laps
        self.cursor = self._attach(latest, "oldest")
        self._has_told_stale = self._has_told_closed = False
        return EpochChanged(old.mapping.header.epoch, latest.header.epoch)

    def _attach(self, mapping: Mapping, start: Start) -> Cursor:
        ring: RingPlace = mapping.deltas if self._kind == "deltas" else mapping.trades
        cursor = Cursor(mapping, ring, 0)
        if start == "oldest":
            cursor.position = cursor.oldest()
        elif start == "image" and self._kind == "deltas":
            cursor.position = _image_position(mapping, cursor)
        else:
            cursor.position = cursor.tail
        return cursor


def _reason(mapping: Mapping) -> Literal["closed", "superseded", "gone"]:
    if mapping.state == layout.SEGMENT_STATE_CLOSED:
        return "closed"
    return "superseded" if mapping.state == layout.SEGMENT_STATE_SUPERSEDED else "gone"


def _image_position(mapping: Mapping, cursor: Cursor) -> int:
    """The oldest position that an image of the segment leads on to, as far as the ring still holds it."""
    tail, oldest = cursor.tail, cursor.oldest()
    positions = [tail]
    for index in range(mapping.instrument_count):
        start = read_instrument(mapping, index).image_offset
        if start:
            positions.append(mapping.words[(start + layout.IMAGE_RING_SEQUENCE) >> 3])
    return min(tail, max(oldest, min(positions)))
