"""The package against the real producer: emulated exchanges, `alphapulse collect`, and readers in this process.

Every book is compared with the emulator's truth by hash. Set ALPHAPULSE_REQUIRE=all to fail instead of skipping.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone
from functools import partial
from typing import Any

import live
import pytest

from alphapulse import (
    Batch,
    BookView,
    Closed,
    EpochChanged,
    Idle,
    Instrument,
    Lapped,
    OrderBookReconstructor,
    SegmentReader,
    Stale,
    level_hash,
)

SAMPLES = 12
SOON_S = 2.5
"""What must be seen within half a second, five times over."""


def are_synced(books: OrderBookReconstructor) -> bool:
    """Both books are there and right; a segment that has just begun holds none."""
    return [view.is_synced for view in books.books()] == [True, True]


def wait_for(condition: Callable[[], bool], seconds: float = live.PATIENCE_S) -> float:
    """Waits until something holds. Returns how long that took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, "waited too long"
        time.sleep(0.002)
    return time.monotonic() - started


def join(market: live.Market, exchange: str) -> tuple[SegmentReader, OrderBookReconstructor]:
    """A reader and its books, all of them synced."""
    reader = SegmentReader.open(exchange, directory=market.folder, patience_s=live.PATIENCE_S, name="live test")
    books = OrderBookReconstructor(reader)

    def synced() -> bool:
        books.update(timeout=0.05)
        return len(books.books()) == 2 and all(view.is_synced for view in books.books())

    wait_for(synced)
    return reader, books


def truth_of(market: live.Market, exchange: str, view: BookView) -> dict[str, Any] | None:
    """The emulator's book at the event that a book stands at."""
    book = view.book
    if exchange == "binance":
        every: dict[str, str | int] = {"lowest": "0", "highest": "999999999", "levels": 1_000_000}
        return market.truth(exchange, view.native, sequence=book.source_sequence, **every)
    seconds, rest = divmod(book.event_at_ns, 1_000_000_000)
    at = datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    return market.truth(exchange, view.native, time=f"{at}.{rest:09d}Z")


def truth_levels(entry: Instrument, told: dict[str, Any]) -> list[tuple[int, int, int]]:
    """The truth's levels as (side, ticks, lots)."""
    return [
        (side, entry.ticks(price), entry.lots(quantity))
        for side, name in enumerate(("bids", "asks"))
        for price, quantity in told[name]
    ]


def book_levels(view: BookView) -> list[tuple[int, int, int]]:
    """The book's levels as (side, ticks, lots)."""
    depth = view.depth()
    bids = zip(depth.bid_ticks.tolist(), depth.bid_lots.tolist())
    asks = zip(depth.ask_ticks.tolist(), depth.ask_lots.tolist())
    return [(0, *level) for level in bids] + [(1, *level) for level in asks]


def hash_of(entry: Instrument, levels: list[tuple[int, int, int]]) -> int:
    """Book hash of the levels that the exchange asserts: those inside the known range."""
    low, high = entry.known_range or (0, 2**63 - 1)
    inside = [level for level in levels if (level[1] >= low if level[0] == 0 else level[1] <= high)]
    return sum(level_hash(*level) for level in inside) & 0xFFFFFFFF


def assert_true(market: live.Market, exchange: str, view: BookView) -> bool:
    """Demands that a book equals the truth of its event. False when the truth of that event cannot be told any more."""
    told = truth_of(market, exchange, view)
    if told is None:
        return False
    entry, ours = view.instrument, book_levels(view)
    everything = sum(level_hash(*level) for level in ours) & 0xFFFFFFFF
    assert everything == view.hash
    assert hash_of(entry, ours) == hash_of(entry, truth_levels(entry, told)), (view.version, told["sequence"])
    return True


def inode(market: live.Market, exchange: str) -> int:
    """Which file stands under the segment's name."""
    return (market.folder / f"{exchange}.seg").stat().st_ino


def is_replaced(market: live.Market, exchange: str, before: int) -> bool:
    """Whether another file stands there."""
    return inode(market, exchange) != before


@pytest.mark.parametrize("exchange", live.EXCHANGES)
def test_books_equal_the_emulators_truth_by_hash(market: live.Market, exchange: str) -> None:
    reader, books = join(market, exchange)
    with reader:
        compared = 0
        for sample in range(SAMPLES):
            wait_for(lambda: books.update(timeout=0.5).records > 0)
            view = books.books()[sample % 2]
            assert view.is_synced
            compared += assert_true(market, exchange, view)
        assert compared >= SAMPLES - 2


def test_tops_and_trades_flow(market: live.Market) -> None:
    reader, _ = join(market, "kraken")
    with reader:
        outcome = reader.read_trades(timeout=live.PATIENCE_S)
        assert isinstance(outcome, Batch)
        assert outcome.records["price_ticks"].min() > 0
        top = reader.top("BTC-USD")
        assert top is not None
        assert top.is_synced
        assert top.bid is not None
        assert top.spread is not None
        assert top.spread > 0
        assert top.instrument.assurance == "checksum"


def test_a_killed_collector_is_noticed_and_its_successor_joined_within_half_a_second(market: live.Market) -> None:
    reader, books = join(market, "kraken")
    other, others = join(market, "binance")
    with reader, other:
        for _ in range(3):
            view = books.book("BTC-USD")
            before = inode(market, "kraken")
            market.collectors["kraken"].kill()
            news: list[Any] = []

            def unsynced(view: BookView = view, news: list[Any] = news) -> bool:
                news.extend(books.update(timeout=0.01).news)
                top = reader.top("BTC-USD")
                return not view.is_synced and (top is None or not top.is_synced)

            assert wait_for(unsynced) < SOON_S
            # The silence may have begun between the last update and the look at the book.
            unsynced()
            market.collectors["kraken"].wait()
            market.collect("kraken")
            wait_for(partial(is_replaced, market, "kraken", before))
            appeared = time.monotonic()

            def attached(news: list[Any] = news) -> bool:
                news.extend(books.update(timeout=0.01).news)
                return any(isinstance(outcome, EpochChanged) for outcome in news)

            wait_for(attached)
            assert time.monotonic() - appeared < SOON_S
            assert not any(isinstance(outcome, Lapped) for outcome in news)
            assert any(isinstance(outcome, (Stale, Closed)) for outcome in news)
            wait_for(lambda: books.update(timeout=0.05) and are_synced(books))
            view = books.book("BTC-USD")
            wait_for(lambda: books.update(timeout=0.5).records > 0)
            assert_true(market, "kraken", view)
            others.update()
            assert all(view.is_synced for view in others.books())


def test_an_orderly_end_is_told_as_closed(market: live.Market) -> None:
    reader, books = join(market, "coinbase_exchange")
    with reader:
        market.collectors["coinbase_exchange"].terminate()
        market.collectors["coinbase_exchange"].wait()
        outcome = reader.read_trades(timeout=5)
        while isinstance(outcome, Batch):
            outcome = reader.read_trades(timeout=5)
        assert isinstance(outcome, (Closed, Stale))
        books.update()
        assert not any(view.is_synced for view in books.books())
        assert isinstance(reader.read_deltas(), (Batch, Idle, Closed, Stale))
        market.collect("coinbase_exchange")
        wait_for(lambda: any(isinstance(outcome, EpochChanged) for outcome in books.update(timeout=0.1).news))
