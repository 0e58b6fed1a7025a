"""OrderBookReconstructor: the books of one segment, joined at any time and kept current, each proved by its hash.

A book begins with its image and the ring records behind it; from then on one cursor feeds all books. A lap, a Reset, a
broken chain or a restart of the producer sends the books concerned back to their images. Books change at the end of
events only. Bad case: images and ring overwritten faster than they are copied; the book says not synced and is tried
again at the next update.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from . import _layout as layout
from ._cursor import Cursor
from ._mapping import Mapping
from .book import Applied, Depth, OrderBook
from .image import BookImage, read_image
from .instruments import Instrument, read_instrument
from .outcomes import Batch, EpochChanged, Idle, Lapped, Outcome
from .records import Records
from .ring import RingReader
from .segment import SegmentReader

if TYPE_CHECKING:
    import pandas as pd

_JOIN_TRIES: Final = 8
_CATCH_UP_RECORDS: Final = 4096
_NEWS_MAX: Final = 16


class Update(NamedTuple):
    """What one update brought."""

    records: int
    """Delta records read, those of other instruments included."""
    news: tuple[Outcome, ...]
    """Laps, new epochs, stale or ended producers met on the way, in their order; mostly none."""


class BookView:
    """A book that is kept current, with its instrument. Thread: that of the updates."""

    def __init__(self, mapping: Mapping, entry: Instrument, is_live: Callable[[Mapping], bool]) -> None:
        self.book = OrderBook(entry.id)
        self.row = entry.row
        """Place in the instrument table."""
        self.canonical = entry.canonical
        self.native = entry.native
        self._mapping = mapping
        self._is_live = is_live
        self._is_replaced = False
        self._pending: list[Records] = []
        self.is_unsure = False
        """The ring overtook the reader: the book counts again when its next record chains."""
        self.joins = 0
        """Times that it was loaded from an image."""
        self.problem = ""
        """Why it has no book at the moment; empty when it has one."""

    @property
    def instrument(self) -> Instrument:
        """The entry of the instrument table as it is now: exponents, state, reason, assurance."""
        return read_instrument(self._mapping, self.row)

    @property
    def is_synced(self) -> bool:
        """The book is right, as far as can be known: followed without a loss, synced at the producer, who lives."""
        is_ours = self.book.is_synced and not self.is_unsure and not self._is_replaced
        return is_ours and self._is_live(self._mapping)

    @property
    def version(self) -> int:
        """Of the book; counts up by one a record within an epoch."""
        return self.book.version

    @property
    def hash(self) -> int:
        """Book hash, u32; equal to the producer's at this version."""
        return self.book.hash

    @property
    def best_bid(self) -> tuple[Decimal, Decimal] | None:
        """(price, quantity) of the best bid, exactly."""
        return self._exact(self.book.best_bid())

    @property
    def best_ask(self) -> tuple[Decimal, Decimal] | None:
        """(price, quantity) of the best ask, exactly."""
        return self._exact(self.book.best_ask())

    @property
    def spread(self) -> Decimal | None:
        """Best ask − best bid, exactly."""
        bid, ask = self.book.best_bid(), self.book.best_ask()
        return None if bid is None or ask is None else self.instrument.price(ask[0] - bid[0])

    def depth(self, levels: int | None = None) -> Depth:
        """The best `levels` of each side (or all) as int64 arrays of ticks and lots."""
        return self.book.depth(levels)

    def depth_text(self, levels: int | None = None) -> dict[str, list[tuple[str, str]]]:
        """The same as exact decimal text: {"bids": [(price, quantity), …], "asks": […]}."""
        depth, entry = self.depth(levels), self.instrument

        def side(ticks: list[int], lots: list[int]) -> list[tuple[str, str]]:
            return [(entry.price_text(price), entry.quantity_text(quantity)) for price, quantity in zip(ticks, lots)]

        return {
            "bids": side(depth.bid_ticks.tolist(), depth.bid_lots.tolist()),
            "asks": side(depth.ask_ticks.tolist(), depth.ask_lots.tolist()),
        }

    def depth_frame(self, levels: int | None = None, *, exact: bool = False) -> pd.DataFrame:
        """The same as a DataFrame: side, price, quantity, price_ticks, quantity_lots. exact: Decimal, not floats."""
        from .frames import depth_frame

        return depth_frame(self.depth(levels), self.instrument, exact=exact)

    def _exact(self, level: tuple[int, int] | None) -> tuple[Decimal, Decimal] | None:
        return None if level is None else (self.instrument.price(level[0]), self.instrument.quantity(level[1]))

    def take(self, records: Records) -> Applied:
        """Applies the whole events among the records; what belongs to an open one waits for its end."""
        if self._pending:
            records = np.concatenate([*self._pending, records])
            self._pending = []
        lasts = np.flatnonzero(records["flags"] & layout.FLAG_LAST)
        whole = int(lasts[-1]) + 1 if len(lasts) else 0
        if whole < len(records):
            self._pending = [records[whole:]]
        return self.book.apply(records[:whole])[0] if whole else Applied.OK

    def replace(self) -> None:
        """Another view took over (a change of scale, a new epoch): this one is never synced again."""
        self._is_replaced = True

    def drop(self, problem: str) -> None:
        """Forgets the book."""
        self._pending = []
        self.is_unsure = False
        self.problem = problem
        if self.book.is_following:
            self.book.clear()


class OrderBookReconstructor:
    """Books of a segment. `update()` brings them up to date; call it as often as you like to look at them."""

    def __init__(self, reader: SegmentReader, instruments: Iterable[str] | None = None) -> None:
        """Joins the books at once as far as they are there.

        instruments: canonical or native names; None = all that the segment has now or later. A name that is not there
        yet is waited for.
        """
        self._reader = reader
        self._names = None if instruments is None else list(instruments)
        self._ring: RingReader = reader.ring("tail")
        self._views: dict[int, BookView] = {}
        self._listed = -1
        self._list()
        self._join_missing()

    def update(self, timeout: float = 0.0, limit: int = 65_536) -> Update:
        """Reads what is new, up to `limit` records, and waits up to `timeout` seconds when there is nothing."""
        count = 0
        wait = timeout
        news: list[Outcome] = []
        while count < limit and len(news) < _NEWS_MAX:
            outcome = self._ring.read(min(_CATCH_UP_RECORDS, limit - count), wait)
            wait = 0.0
            if isinstance(outcome, Idle):
                break
            if isinstance(outcome, Batch):
                count += len(outcome.records)
                self._distribute(outcome.records)
            else:
                news.append(outcome)
                self._take(outcome)
        self._list()
        self._settle()
        self._join_missing()
        return Update(count, tuple(news))

    def book(self, name: str) -> BookView:
        """The book of an instrument by canonical or native name, the id in use. Raises KeyError when there is none."""
        for view in reversed(self._views.values()):
            if name in (view.canonical, view.native):
                return view
        known = ", ".join(sorted(view.canonical for view in self._views.values()))
        raise KeyError(f"Cannot find a book: {known} are there, was {name}")

    def books(self) -> list[BookView]:
        """All books, in the order of the table."""
        return list(self._views.values())

    @property
    def is_live(self) -> bool:
        """The producer of the segment that is followed lives."""
        return self._ring.is_live

    @property
    def lost(self) -> int:
        """Delta records that the reader was too slow for."""
        return self._ring.lost

    # ── following ────────────────────────────────────────────────────────────────────────────────

    def _take(self, outcome: Outcome) -> None:
        if isinstance(outcome, Lapped):
            for view in self._views.values():
                view.is_unsure = view.book.is_following
        elif isinstance(outcome, EpochChanged):
            self._replace({})
            self._listed = -1

    def _distribute(self, records: Records) -> None:
        ids = records["instrument_id"]
        order = np.argsort(ids, kind="stable")
        ordered = ids[order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        for group in np.split(order, starts[1:]):
            view = self._views.get(int(ids[group[0]]))
            if view is None or not view.book.is_following:
                continue
            outcome = view.take(records[group])
            if outcome is Applied.OK:
                view.is_unsure = False
            else:
                view.drop(outcome.value)

    def _list(self) -> None:
        """Follows the instrument table: new entries, and ids that took over from retired ones."""
        mapping = self._ring.cursor.mapping
        count = mapping.instrument_count
        if count == self._listed:
            return
        self._listed = count
        entries: dict[str, Instrument] = {}
        for index in range(count):
            entry = read_instrument(mapping, index)
            held = entries.get(entry.canonical)
            if entry.state != "retired" or held is None or held.state == "retired":
                entries[entry.canonical] = entry
        wanted = [entry for entry in entries.values() if self._wants(entry)]
        self._replace(
            {entry.id: self._views.get(entry.id) or BookView(mapping, entry, self._is_alive) for entry in wanted}
        )

    def _replace(self, views: dict[int, BookView]) -> None:
        for id_, view in self._views.items():
            if id_ not in views:
                view.replace()
        self._views = views

    def _is_alive(self, mapping: Mapping) -> bool:
        return self._ring.cursor.mapping is mapping and self._ring.is_live

    def _wants(self, entry: Instrument) -> bool:
        return self._names is None or entry.canonical in self._names or entry.native in self._names

    def _settle(self) -> None:
        """After a lap: a book whose cell is at its version lost nothing; one that is behind a drained ring did."""
        mapping, cursor = self._ring.cursor.mapping, self._ring.cursor
        for view in self._views.values():
            if view.is_unsure and cursor.position >= cursor.tail:
                start = mapping.header.cells_offset + view.row * layout.CELL_BYTES
                if mapping.words[(start + layout.CELL_VERSION) >> 3] == view.version:
                    view.is_unsure = False
                else:
                    view.drop("lapped")

    # ── joining ──────────────────────────────────────────────────────────────────────────────────

    def _join_missing(self) -> None:
        for view in self._views.values():
            if not view.book.is_following:
                self._join(view)

    def _join(self, view: BookView) -> None:
        """Image, then the ring from the image's position up to where the common cursor stands."""
        cursor = self._ring.cursor
        for _ in range(_JOIN_TRIES):
            problem = self._try_join(view, cursor.mapping, cursor.position)
            if problem == "":
                view.problem = ""
                return
            view.drop(problem)
            if problem == "none":
                return

    def _try_join(self, view: BookView, mapping: Mapping, until: int) -> str:
        image = read_image(mapping, view.row)
        catch_up = Cursor(mapping, mapping.deltas, 0)
        if isinstance(image, BookImage):
            if not view.book.load(image):
                return "busy"
            view.joins += 1
            catch_up.position = image.ring_position
        elif image == "none":
            if mapping.words[mapping.deltas.intent] > mapping.deltas.capacity:
                return "none"
            view.book.begin()
        else:
            return image
        while catch_up.position < until:
            records = catch_up.poll(min(_CATCH_UP_RECORDS, until - catch_up.position))
            if records is None:
                break
            if isinstance(records, int):
                return "lapped"
            ours = records[records["instrument_id"] == view.book.instrument_id]
            outcome = view.take(ours) if len(ours) else Applied.OK
            if outcome is not Applied.OK:
                return str(outcome.value)
        return ""
