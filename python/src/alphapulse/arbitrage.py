"""ArbitrageDetector: crossings between exchanges, and in circles within one, from live books in shared memory.

    from alphapulse.arbitrage import ArbitrageRules, SegmentArbitrage

    with SegmentArbitrage(["kraken", "coinbase_exchange"], ArbitrageRules({"kraken": 40, "coinbase_exchange": 60})) as live:
        while True:
            for event in live.update(timeout=1.0):
                print(event["event"], event["opportunity"]["profit"], event["opportunity"]["currency"])

Sizes and profits are exact; opportunities are told as the server's stream tells them, and both pass the same vectors.
Only books that are synced and not older than a bound count, net of each exchange's taker fee.
Bad case: many events between two updates; books are judged as they stand at the end of each update, not in between.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from . import _layout as layout
from .arbitrage_paths import (
    BPS_EXPONENT,
    FEE_UNIT,
    ArbitrageBook,
    ArbitragePath,
    Crossing,
    CrossingLeg,
    CrossPath,
    TrianglePath,
    exchange_of,
    pair_of,
)
from .decimals import to_text
from .reconstructor import BookView, OrderBookReconstructor
from .segment import SegmentReader

__all__ = ["ArbitrageBook", "ArbitrageDetector", "ArbitrageRules", "SegmentArbitrage"]

_AVERAGE_DIGITS: Final = 4
_NS_PER_MS: Final = 1_000_000
_FEE_BPS_MAX: Final = 9999

Event = dict[str, Any]
"""event, reason, atMs, opportunity: as the stream's message `opportunity`."""


@dataclass(frozen=True)
class ArbitrageRules:
    """What counts as an opportunity."""

    fees_bps: Mapping[str, float]
    """Taker fee of each exchange, basis points. An exchange that is not named takes no part."""
    profit_bps_min: float = 0
    """Smaller profits are none, basis points of what is paid."""
    age_ms_max: float = 2000
    """A book whose last event is older counts for nothing."""
    report_ms: float = 100
    """What changes is told at most so often."""
    levels_max: int = 50
    """Levels of a side that are looked at."""
    equivalents: Sequence[Sequence[str]] = ()
    """Currencies that count as the same when they are quotes."""
    triangular: bool = False
    """Circles through three books of one exchange, too."""


@dataclass
class Counts:
    """What a detector did."""

    updates: int = 0
    walks: int = 0
    opened: int = 0
    closed: int = 0
    suppressed: int = 0


@dataclass(eq=False)
class _Lane:
    path: ArbitragePath
    crossing: Crossing | None = None
    id: int = 0
    opened_at_ms: float = 0
    changed_at_ms: float = 0
    told_at_ms: float = float("-inf")
    profit_bps_max: int = 0
    is_announced: bool = False
    is_untold: bool = False


class ArbitrageDetector:
    """Follows books and tells opportunities. Thread: one."""

    def __init__(self, rules: ArbitrageRules, tell: Callable[[Event], None]) -> None:
        """tell: called for every event, from inside update, expire and remove. Raises ValueError for unusable rules."""
        self.counts = Counts()
        self._rules = rules
        self._tell = tell
        self._fees = {exchange: _fee_parts(bps) for exchange, bps in rules.fees_bps.items()}
        self._profit_bps_min = _profit_units(rules.profit_bps_min)
        self._lanes: dict[str, list[_Lane]] = {}
        self._books: dict[str, ArbitrageBook] = {}
        self._open: dict[int, _Lane] = {}
        self._last_id = 0

    @property
    def open_count(self) -> int:
        """Opportunities that are open."""
        return len(self._open)

    def add(self, book: ArbitrageBook) -> bool:
        """Takes a book in; it counts from its next update on. False when the fee of its exchange is not known."""
        if exchange_of(book) not in self._fees:
            return False
        others = list(self._books.values())
        self._books[book.instrument] = book
        self._lanes[book.instrument] = []
        for path in [*self._cross_paths(book, others), *self._triangle_paths(book, others)]:
            lane = _Lane(path)
            for one in path.books:
                self._lanes[one.instrument].append(lane)
        return True

    def remove(self, book: ArbitrageBook, now_ms: float) -> None:
        """Takes a book out; what it was part of is closed."""
        gone = self._lanes.pop(book.instrument, [])
        self._books.pop(book.instrument, None)
        for lanes in self._lanes.values():
            lanes[:] = [lane for lane in lanes if lane not in gone]
        for lane in gone:
            self._close(lane, "removed", now_ms)

    def update(self, book: ArbitrageBook, now_ms: float) -> None:
        """An event of a book ended, or what is known of it changed."""
        self.counts.updates += 1
        for lane in self._lanes.get(book.instrument, []):
            self._judge(lane, now_ms)

    def expire(self, now_ms: float) -> None:
        """Time passed: books grow old, and what was held back is told."""
        for lane in list(self._open.values()):
            reason = self._obstacle(lane, now_ms)
            if reason is not None:
                self._close(lane, reason, now_ms)
            elif lane.is_untold:
                self._say_when_due(lane, now_ms)

    def opportunities(self, *, announced: bool = False) -> list[dict[str, Any]]:
        """What is open, best first. announced: only those whose opening was told."""
        lanes = [lane for lane in self._open.values() if lane.is_announced or not announced]
        lanes.sort(key=lambda lane: (-(lane.crossing.profit_bps if lane.crossing else 0), lane.id))
        return [_describe(lane, lane.crossing) for lane in lanes if lane.crossing is not None]

    # ── lanes ────────────────────────────────────────────────────────────────────────────────────

    def _cross_paths(self, book: ArbitrageBook, others: list[ArbitrageBook]) -> list[ArbitragePath]:
        paths: list[ArbitragePath] = []
        base, quote = pair_of(book)
        fee = self._fees[exchange_of(book)]
        for other in others:
            their_base, their_quote = pair_of(other)
            is_same = their_base == base and self._currency(their_quote) == self._currency(quote)
            if exchange_of(other) != exchange_of(book) and is_same:
                their_fee = self._fees[exchange_of(other)]
                paths += [CrossPath(book, other, fee, their_fee), CrossPath(other, book, their_fee, fee)]
        return paths

    def _triangle_paths(self, book: ArbitrageBook, others: list[ArbitrageBook]) -> list[ArbitragePath]:
        if not self._rules.triangular:
            return []
        fee = self._fees[exchange_of(book)]
        books = [*(other for other in others if exchange_of(other) == exchange_of(book)), book]
        return [
            TrianglePath(direct, inner, outer, buys_inner=buys_inner, fee=fee)
            for direct in books
            for inner in books
            if pair_of(inner)[0] == pair_of(direct)[0] and pair_of(inner)[1] != pair_of(direct)[1]
            for outer in books
            if pair_of(outer) == (pair_of(inner)[1], pair_of(direct)[1]) and book in (direct, inner, outer)
            for buys_inner in (True, False)
        ]

    def _currency(self, quote: str) -> str:
        return next((same[0] for same in self._rules.equivalents if quote in same), quote)

    # ── life ─────────────────────────────────────────────────────────────────────────────────────

    def _judge(self, lane: _Lane, now_ms: float) -> None:
        if lane.crossing is None and not lane.path.may_profit():
            return
        if not all(book.is_whole for book in lane.path.books):
            return
        obstacle = self._obstacle(lane, now_ms)
        if obstacle is not None:
            self._close(lane, obstacle, now_ms)
            return
        self.counts.walks += 1
        crossing = lane.path.walk(self._rules.levels_max)
        if crossing is None or crossing.profit_bps < self._profit_bps_min:
            self._close(lane, "prices", now_ms)
        else:
            self._hold(lane, crossing, now_ms)

    def _hold(self, lane: _Lane, crossing: Crossing, now_ms: float) -> None:
        before, lane.crossing = lane.crossing, crossing
        if before is None:
            self._last_id += 1
            self.counts.opened += 1
            lane.id = self._last_id
            self._open[lane.id] = lane
            lane.opened_at_ms = now_ms
            lane.profit_bps_max = crossing.profit_bps
            lane.is_announced = False
        elif before.is_same(crossing):
            return
        lane.changed_at_ms = now_ms
        lane.profit_bps_max = max(lane.profit_bps_max, crossing.profit_bps)
        if not self._say_when_due(lane, now_ms):
            self.counts.suppressed += 1
            lane.is_untold = True

    def _say_when_due(self, lane: _Lane, now_ms: float) -> bool:
        is_due = now_ms - lane.told_at_ms >= self._rules.report_ms
        if is_due:
            self._say(lane, "changed" if lane.is_announced else "opened", "none", now_ms)
            lane.is_announced = True
        return is_due

    def _close(self, lane: _Lane, reason: str, now_ms: float) -> None:
        if lane.crossing is None:
            return
        del self._open[lane.id]
        self.counts.closed += 1
        if lane.is_announced:
            self._say(lane, "closed", reason, now_ms)
        else:
            self.counts.suppressed += 1
        lane.crossing = None
        lane.is_untold = False

    def _say(self, lane: _Lane, event: str, reason: str, now_ms: float) -> None:
        lane.told_at_ms = now_ms
        lane.is_untold = False
        if lane.crossing is not None:
            opportunity = _describe(lane, lane.crossing)
            self._tell({"event": event, "reason": reason, "atMs": _shown_ms(now_ms), "opportunity": opportunity})

    def _obstacle(self, lane: _Lane, now_ms: float) -> str | None:
        books = lane.path.books
        if not all(book.is_usable for book in books):
            return "not_synced"
        is_fresh = all(now_ms - book.updated_at_ms <= self._rules.age_ms_max for book in books)
        return None if is_fresh else "stale"


class SegmentArbitrage:
    """A detector over the books of several segments. Context manager; `update` reads, judges and tells."""

    def __init__(
        self,
        exchanges: Iterable[str],
        rules: ArbitrageRules,
        *,
        directory: str | Path | None = None,
        patience_s: float = 0.0,
        now_ms: Callable[[], float] | None = None,
    ) -> None:
        """exchanges: whose segments are opened. patience_s: how long to wait for each. now_ms: Unix ms.

        Raises SegmentNotFoundError when one is not there.
        """
        self._now_ms = now_ms or (lambda: time.time_ns() / _NS_PER_MS)
        self._told: list[Event] = []
        self.detector = ArbitrageDetector(rules, self._told.append)
        self._readers = {
            exchange: SegmentReader.open(exchange, directory=directory, patience_s=patience_s, name="arbitrage")
            for exchange in exchanges
        }
        self._books = {exchange: OrderBookReconstructor(reader) for exchange, reader in self._readers.items()}
        self._followed: dict[str, _FollowedBook] = {}

    def __enter__(self) -> SegmentArbitrage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def update(self, timeout: float = 0.0) -> list[Event]:
        """Brings the books up to date and judges those that changed. What is to be told.

        timeout: seconds to wait for news of the first segment; the others are read without waiting.
        """
        wait = timeout
        for exchange, books in self._books.items():
            books.update(timeout=wait)
            wait = 0.0
            self._judge(exchange, books)
        self.detector.expire(self._now_ms())
        told, self._told[:] = list(self._told), []
        return told

    def opportunities(self) -> list[dict[str, Any]]:
        """What is open at this moment, best first."""
        self.detector.expire(self._now_ms())
        return self.detector.opportunities()

    def close(self) -> None:
        """Lets go of the segments."""
        for reader in self._readers.values():
            reader.close()

    def _judge(self, exchange: str, books: OrderBookReconstructor) -> None:
        now_ms = self._now_ms()
        for view in books.books():
            name = f"{exchange}:{view.canonical}"
            held = self._followed.get(name)
            if held is None or held.view is not view:
                if held is not None:
                    self.detector.remove(held, now_ms)
                held = self._followed[name] = _FollowedBook(name, view, self._now_ms)
                self.detector.add(held)
            if held.moved():
                self.detector.update(held, now_ms)


class _FollowedBook:
    """A reconstructed book as the detector reads it."""

    is_whole = True
    """A view changes at the end of events only."""

    def __init__(self, instrument: str, view: BookView, now_ms: Callable[[], float]) -> None:
        self.instrument = instrument
        self.view = view
        self._now_ms = now_ms
        self._seen: tuple[int, bool] = (-1, False)
        self._sides: tuple[list[tuple[int, int]] | None, list[tuple[int, int]] | None] = (None, None)

    @property
    def is_usable(self) -> bool:
        is_right = self.view.is_synced and not self.view.book.flags & layout.FLAG_CROSSED
        return is_right and self.view.instrument.state == "synced"

    @property
    def updated_at_ms(self) -> float:
        received_at_ns = self.view.book.received_at_ns
        return min(received_at_ns / _NS_PER_MS, self._now_ms()) if received_at_ns else float("-inf")

    @property
    def version(self) -> int:
        return self.view.version

    @property
    def hash(self) -> int:
        return self.view.hash

    @property
    def price_exponent(self) -> int:
        return self.view.instrument.price_exponent

    @property
    def quantity_exponent(self) -> int:
        return self.view.instrument.quantity_exponent

    def moved(self) -> bool:
        """It changed since the last call, or whether it can be used did."""
        now = (self.view.version, self.is_usable)
        changed, self._seen = now != self._seen, now
        if changed:
            self._sides = (None, None)
        return changed

    def level(self, side: int, index: int) -> tuple[int, int] | None:
        levels = self._sides[side]
        if levels is None or (index >= len(levels) and index < self._count(side)):
            levels = self._read(side, 1 if index == 0 else 2 * index + 16)
        return levels[index] if index < len(levels) else None

    def _count(self, side: int) -> int:
        return self.view.book.ask_count if side else self.view.book.bid_count

    def _read(self, side: int, count: int) -> list[tuple[int, int]]:
        depth = self.view.depth(count)
        bids = list(zip(depth.bid_ticks.tolist(), depth.bid_lots.tolist()))
        asks = list(zip(depth.ask_ticks.tolist(), depth.ask_lots.tolist()))
        self._sides = (bids, asks)
        return asks if side else bids


# ── text ─────────────────────────────────────────────────────────────────────────────────────────


def _describe(lane: _Lane, crossing: Crossing) -> dict[str, Any]:
    return {
        "id": lane.id,
        "kind": lane.path.kind,
        "base": lane.path.base,
        "currency": lane.path.currency,
        "quantity": _exact(crossing.quantity, crossing.quantity_exponent),
        "profit": _exact(crossing.profit, crossing.profit_exponent),
        "profitBps": to_text(crossing.profit_bps, BPS_EXPONENT),
        "profitBpsMax": to_text(lane.profit_bps_max, BPS_EXPONENT),
        "cut": crossing.cut,
        "openedAtMs": _shown_ms(lane.opened_at_ms),
        "changedAtMs": _shown_ms(lane.changed_at_ms),
        "legs": [_describe_leg(leg) for leg in crossing.legs],
    }


def _describe_leg(leg: CrossingLeg) -> dict[str, Any]:
    average = leg.amount * 10**_AVERAGE_DIGITS // leg.quantity
    return {
        "action": leg.action,
        "instrument": leg.book.instrument,
        "version": str(leg.version),
        "hash": leg.hash,
        "receivedAtMs": _shown_ms(leg.updated_at_ms),
        "feeBps": to_text(leg.fee, BPS_EXPONENT),
        "quantity": _exact(leg.quantity, leg.quantity_exponent),
        "amount": _exact(leg.amount, leg.amount_exponent),
        "averagePrice": _exact(average, leg.price_exponent + _AVERAGE_DIGITS),
        "worstPrice": to_text(leg.worst, leg.price_exponent),
    }


def _exact(units: int, exponent: int) -> str:
    """Decimal text of any exponent, without superfluous zeros."""
    digits = str(units).rjust(exponent + 1, "0")
    if exponent == 0:
        return digits
    whole, fraction = digits[:-exponent], digits[-exponent:].rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole


def _shown_ms(ms: float) -> float:
    """A time as it is told: to the microsecond."""
    return floor(ms * 1000 + 0.5) / 1000


def _fee_parts(bps: float) -> int:
    parts = Fraction(repr(bps)) * FEE_UNIT / 10_000 if 0 <= bps <= _FEE_BPS_MAX else Fraction(1, 2)
    if parts.denominator != 1:
        raise ValueError(f"Cannot use a fee: it must be 0 … 9999 basis points in steps of 0.0001, was {bps}")
    return int(parts)


def _profit_units(bps: float) -> int:
    if not bps >= 0:
        raise ValueError(f"Cannot use a least profit: it must be at least 0 basis points, was {bps}")
    return ceil(bps * 10**BPS_EXPONENT - 1e-6)
