"""SegmentReader: one segment file, read from any process without disturbing anybody.

Both rings are read by cursors of the reader's own; the mapping is read-only. A restart of the producer makes a new
file: each ring is first read to its end, then `EpochChanged` is told and the reader goes on in the new one. Bad case: a
producer that dies; `Stale` is told within the heartbeat's age, and `top()` says not synced from then on.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType
from typing import Final

import numpy as np

from ._mapping import Mapping
from .directory import find_segments, segment_directory
from .errors import SegmentNotFoundError
from .image import BookImage, ImageProblem, read_image
from .instruments import Instrument, TopOfBook, no_top, read_instrument, read_top
from .outcomes import Closed, EpochChanged, Idle, Lapped, Outcome, Stale
from .ring import RingReader, Source, Start, Wait

STALE_AFTER_MS: Final = 400
_OPEN_EVERY_S: Final = 0.02


class SegmentReader:
    """Reads one segment. One thread each; any number of readers."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        start: Start = "tail",
        wait: Wait = "sleep",
        stale_after_ms: int = STALE_AFTER_MS,
        name: str = "python",
    ) -> None:
        """Attaches to a segment file.

        stale_after_ms: a heartbeat older than this means that the producer is gone. name: for `alphapulse inspect`.
        Raises SegmentNotFoundError, SegmentError (the file cannot be trusted), UnsupportedPlatformError.
        """
        self._source = Source(Mapping(Path(path)), stale_after_ms, name)
        self._wait: Wait = wait
        self._deltas = RingReader(self._source, "deltas", start, wait)
        self._trades = RingReader(self._source, "trades", start, wait)
        self._tops_of = self._source.latest
        self._tops: dict[int, TopOfBook] = {}

    @classmethod
    def open(
        cls,
        exchange: str,
        *,
        shard: int | None = None,
        directory: str | os.PathLike[str] | None = None,
        patience_s: float = 0.0,
        start: Start = "tail",
        wait: Wait = "sleep",
        stale_after_ms: int = STALE_AFTER_MS,
        name: str = "python",
    ) -> SegmentReader:
        """Attaches to the segment of an exchange, e.g. `kraken`.

        shard: from 1, where an exchange is split over several segments. patience_s: how long to wait for the file.
        Raises SegmentNotFoundError when it is not there, and what SegmentReader raises.
        """
        deadline = time.monotonic() + patience_s
        while True:
            found = find_segments(exchange, directory)
            if shard is not None:
                found = [path for path in found if path.name.startswith(f"{exchange}.{shard}of")]
            if len(found) == 1:
                return cls(found[0], start=start, wait=wait, stale_after_ms=stale_after_ms, name=name)
            if len(found) > 1:
                names = ", ".join(path.name for path in found)
                raise SegmentNotFoundError(f"Cannot choose a segment of {exchange}: pass a shard, was {names}")
            if time.monotonic() >= deadline:
                where = segment_directory(directory)
                raise SegmentNotFoundError(f"Cannot open the segment of {exchange}: there is none, was {where}")
            time.sleep(_OPEN_EVERY_S)

    # ── reading ──────────────────────────────────────────────────────────────────────────────────

    def read_deltas(self, limit: int = 4096, timeout: float = 0.0) -> Outcome:
        """Up to `limit` delta records (DELTA_DTYPE) as they are there; waits up to `timeout` seconds for the first."""
        return self._deltas.read(limit, timeout)

    def read_trades(self, limit: int = 4096, timeout: float = 0.0) -> Outcome:
        """Up to `limit` trade records (TRADE_DTYPE)."""
        return self._trades.read(limit, timeout)

    def read_delta(self, timeout: float = 0.0) -> np.void | Idle | Lapped | EpochChanged | Stale | Closed:
        """One delta record, or why there is none."""
        return self._deltas.read_one(timeout)

    def read_trade(self, timeout: float = 0.0) -> np.void | Idle | Lapped | EpochChanged | Stale | Closed:
        """One trade record, or why there is none."""
        return self._trades.read_one(timeout)

    def top(self, name: str) -> TopOfBook:
        """Best bid, best ask and last trade of an instrument, without building its book.

        A cell that its writer left half written is waited for, about a millisecond; when it stays so, `is_busy` is set,
        `is_synced` is not, and the rest is what this reader saw last. Raises KeyError when there is no such one.
        """
        mapping = self._source.look()
        entry = self.instrument(name)
        if mapping is not self._tops_of:
            self._tops_of, self._tops = mapping, {}
        top = read_top(mapping, entry, self._source.is_live(mapping))
        if top is None:
            return self._tops.get(entry.id, no_top(entry))._replace(instrument=entry, is_synced=False, is_busy=True)
        self._tops[entry.id] = top
        return top

    def image(self, name: str) -> BookImage | ImageProblem:
        """The latest image of a whole book, proved by its hash."""
        return read_image(self._source.look(), self.instrument(name).row)

    def ring(self, start: Start = "tail") -> RingReader:
        """Another cursor over the delta ring, independent of `read_deltas`."""
        return RingReader(self._source, "deltas", start, self._wait)

    # ── what there is ────────────────────────────────────────────────────────────────────────────

    def instruments(self) -> list[Instrument]:
        """All entries of the table in the order of their creation, retired ones included."""
        mapping = self._source.look()
        return [read_instrument(mapping, index) for index in range(mapping.instrument_count)]

    def instrument(self, name: str) -> Instrument:
        """The entry in use of a canonical (`BTC-USD`) or native name. Raises KeyError when there is none."""
        mapping = self._source.look()
        found: Instrument | None = None
        for index in reversed(range(mapping.instrument_count)):
            entry = read_instrument(mapping, index)
            if name in (entry.canonical, entry.native):
                if entry.state != "retired":
                    return entry
                found = found or entry
        if found is None:
            known = ", ".join(sorted({entry.canonical for entry in self.instruments()}))
            raise KeyError(f"Cannot find an instrument: {known} are there, was {name}")
        return found

    @property
    def exchange(self) -> str:
        """Exchange id."""
        return self._source.latest.header.exchange

    @property
    def epoch(self) -> int:
        """Of the segment attached to; each start of the producer has its own."""
        return self._source.latest.header.epoch

    @property
    def mapping(self) -> Mapping:
        """The mapped file itself."""
        return self._source.look()

    @property
    def is_live(self) -> bool:
        """The segment is in use and its producer's heartbeat is fresh. When not, no book is synced."""
        return self._source.is_live(self._source.look())

    @property
    def heartbeat_age_ms(self) -> float:
        """How long the producer has been silent."""
        return self._source.latest.heartbeat_age_ns() / 1e6

    @property
    def deltas_lost(self) -> int:
        """Delta records that this reader was too slow for, in all epochs."""
        return self._deltas.lost

    @property
    def trades_lost(self) -> int:
        """Trade records that this reader was too slow for, in all epochs."""
        return self._trades.lost

    @property
    def delta_position(self) -> int:
        """Ring position of the next delta record."""
        return self._deltas.position

    @property
    def trade_position(self) -> int:
        """Ring position of the next trade record."""
        return self._trades.position

    def close(self) -> None:
        """Gives the line in the readers file back. The mapping goes with the last array that looks into it."""
        self._source.close()

    def __enter__(self) -> SegmentReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
