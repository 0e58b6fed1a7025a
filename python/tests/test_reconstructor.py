"""Books that are joined and kept current: from images, over laps, Resets, restarts and changes of scale."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from producer import FOREVER_MS, Producer

from alphapulse import DELTA_DTYPE, BookImage, EpochChanged, Lapped, OrderBookReconstructor, SegmentReader, image
from alphapulse import _layout as layout
from alphapulse._mapping import Mapping

ROOT = Path(__file__).parent


def is_right(books: OrderBookReconstructor, producer: Producer) -> bool:
    """Whether the book equals the producer's by version and hash."""
    view = books.book("BTC-USD")
    return (view.version, view.hash) == (producer.version, producer.book_hash)


def test_joins_from_the_start_when_there_is_no_image_yet(tmp_path: Path) -> None:
    producer = Producer(tmp_path / "kraken.seg", capacity=256)
    chance = random.Random(1)
    for _ in range(30):
        producer.random_event(chance, 10)
    with SegmentReader(producer.path, stale_after_ms=FOREVER_MS) as reader:
        books = OrderBookReconstructor(reader, ["BTC/USD"])
        assert is_right(books, producer)
        assert books.book("BTC-USD").is_synced
        assert books.book("BTC-USD").joins == 0


def test_waits_for_an_image_when_the_beginning_is_gone(tmp_path: Path) -> None:
    producer = Producer(tmp_path / "kraken.seg", capacity=64)
    chance = random.Random(1)
    for _ in range(100):
        producer.random_event(chance, 10)
    with SegmentReader(producer.path, stale_after_ms=FOREVER_MS) as reader:
        books = OrderBookReconstructor(reader)
        view = books.book("BTC-USD")
        assert (view.problem, view.is_synced, view.version) == ("none", False, 0)
        producer.take_image()
        producer.random_event(chance, 10)
        books.update()
        assert is_right(books, producer)
        assert view.is_synced


@pytest.mark.parametrize("seed", range(6))
def test_stays_right_over_laps_images_resets_and_large_events(tmp_path: Path, seed: int) -> None:
    producer = Producer(tmp_path / "kraken.seg", capacity=64)
    chance = random.Random(seed)
    producer.take_image()
    laps = 0
    with SegmentReader(producer.path, stale_after_ms=FOREVER_MS) as reader:
        books = OrderBookReconstructor(reader)
        view = books.book("BTC-USD")
        for _ in range(60):
            for _ in range(chance.choice([0, 1, 3, 30, 120])):
                producer.random_event(chance, 1 + chance.randrange(60))
                if chance.randrange(10) == 0:
                    producer.take_image()
            if chance.randrange(6) == 0:
                levels = {50_000 - 1 - index: 1 + chance.randrange(99) for index in range(100)}
                producer.reset(levels, {100_000 - price: lots for price, lots in levels.items()})
            producer.take_image()
            producer.beat()
            laps += sum(isinstance(outcome, Lapped) for outcome in books.update().news)
            assert view.is_synced
            assert is_right(books, producer)
    assert laps > 3
    assert view.joins > 3
    assert books.lost > 0


def test_a_lap_unsyncs_until_the_book_is_proved_again(tmp_path: Path) -> None:
    producer = Producer(tmp_path / "kraken.seg", capacity=64)
    chance = random.Random(4)
    producer.random_event(chance, 20)
    with SegmentReader(producer.path, stale_after_ms=FOREVER_MS) as reader:
        books = OrderBookReconstructor(reader)
        view = books.book("BTC-USD")
        assert view.is_synced
        for _ in range(200):
            producer.random_event(chance, 3)
        update = books.update()
        assert any(isinstance(outcome, Lapped) for outcome in update.news)
        assert not view.is_synced
        producer.take_image()
        books.update()
        assert view.is_synced
        assert is_right(books, producer)


def test_an_event_is_applied_whole_when_it_arrives_in_pieces(tmp_path: Path) -> None:
    producer = Producer(tmp_path / "kraken.seg", capacity=256)
    producer.event([(0, 100, 1), (1, 200, 1)])
    with SegmentReader(producer.path, stale_after_ms=FOREVER_MS) as reader:
        books = OrderBookReconstructor(reader)
        view = books.book("BTC-USD")
        producer.event([(0, 90 - index, 5) for index in range(64)])
        before = view.hash
        assert books.update(limit=2).records == 2
        assert view.hash == before
        books.update()
        assert is_right(books, producer)


def test_a_restart_is_followed_and_the_old_book_is_never_synced_again(tmp_path: Path) -> None:
    old = Producer(tmp_path / "kraken.seg", epoch=1)
    old.event([(0, 100, 1), (1, 200, 1)])
    with SegmentReader(old.path, stale_after_ms=FOREVER_MS) as reader:
        books = OrderBookReconstructor(reader)
        view = books.book("BTC-USD")
        assert view.is_synced
        old.set_state(layout.SEGMENT_STATE_SUPERSEDED)
        assert not view.is_synced
        fresh = Producer(tmp_path / "kraken.seg", epoch=2)
        fresh.event([(0, 300, 1), (1, 400, 1)])
        fresh.take_image()
        started = time.monotonic()
        assert EpochChanged(1, 2) in books.update(timeout=5).news
        assert time.monotonic() - started < 0.5
        assert is_right(books, fresh)
        assert books.book("BTC-USD").is_synced
        assert books.book("BTC-USD") is not view
        assert not view.is_synced


def test_a_dead_producer_is_shown_as_not_synced_within_half_a_second(tmp_path: Path) -> None:
    path = tmp_path / "kraken.seg"
    command = [sys.executable, str(ROOT / "producer.py"), "market", str(path), "20", "1024"]
    with subprocess.Popen(command, env={"PYTHONPATH": str(ROOT.parent / "src")}) as child:
        reader = SegmentReader.open("kraken", directory=tmp_path, patience_s=10)
        books = OrderBookReconstructor(reader)
        until = time.monotonic() + 5
        while not (books.books() and books.book("BTC-USD").is_synced) and time.monotonic() < until:
            books.update(timeout=0.1)
        view = books.book("BTC-USD")
        assert view.is_synced
        for _ in range(50):
            books.update(timeout=0.1)
            assert view.is_synced
            assert view.version > 0
        child.kill()
        child.wait()
        died = time.monotonic()
        while view.is_synced:
            books.update(timeout=0.02)
        assert time.monotonic() - died < 0.5
        top = reader.top("BTC-USD")
        assert top is not None
        assert not top.is_synced


def test_an_image_overwritten_while_it_is_copied_is_copied_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    producer = Producer(tmp_path / "kraken.seg", capacity=64)
    chance = random.Random(2)
    producer.random_event(chance, 60)
    producer.take_image()
    copy = image._copy
    copies = 0

    def torn(mapping: Mapping, start: int, capacity: int) -> Any:
        nonlocal copies
        copies += 1
        head = copy(mapping, start, capacity)
        if copies == 1:
            for _ in range(2):
                producer.random_event(chance, 60)
                producer.take_image()
        return head

    monkeypatch.setattr(image, "_copy", torn)
    with SegmentReader(producer.path, stale_after_ms=FOREVER_MS) as reader:
        found = reader.image("BTC-USD")
        assert isinstance(found, BookImage)
        assert copies == 2
        assert (found.version, found.hash) == (producer.version, producer.book_hash)


def test_a_top_that_stays_half_written_is_busy_and_what_was_seen_last(tmp_path: Path) -> None:
    producer = Producer(tmp_path / "kraken.seg", capacity=64)
    producer.event([(0, 100, 1), (1, 200, 1)])
    with SegmentReader(producer.path, stale_after_ms=FOREVER_MS) as reader, SegmentReader(producer.path, stale_after_ms=FOREVER_MS) as late:
        top = reader.top("BTC-USD")
        assert (top.bid_ticks, top.ask_ticks, top.is_busy, top.is_synced) == (100, 200, False, True)
        cell = reader.mapping.header.cells_offset >> 2
        producer.halves[cell] += 1
        assert reader.top("BTC-USD") == top._replace(is_busy=True, is_synced=False)
        nothing = late.top("BTC-USD")
        assert (nothing.is_busy, nothing.version, nothing.bid, nothing.ask) == (True, 0, None, None)
        producer.halves[cell] += 1
        assert reader.top("BTC-USD") == late.top("BTC-USD") == top


def test_a_top_is_waited_for_while_its_writer_has_lost_the_processor(tmp_path: Path) -> None:
    producer = Producer(tmp_path / "kraken.seg", capacity=64)
    producer.event([(0, 100, 1), (1, 200, 1)])
    with SegmentReader(producer.path, stale_after_ms=FOREVER_MS) as reader:
        cell = reader.mapping.header.cells_offset >> 2
        producer.halves[cell] += 1

        def finish(_: float) -> None:
            producer.halves[cell] += 1

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("alphapulse.instruments.time.sleep", finish)
            top = reader.top("BTC-USD")
        assert (top.bid_ticks, top.is_busy, top.is_synced) == (100, False, True)


@pytest.mark.parametrize("is_changed", [False, True])
def test_a_quiet_book_survives_a_lap_only_when_its_cell_says_that_nothing_was_missed(
    tmp_path: Path, is_changed: bool
) -> None:
    producer = Producer(tmp_path / "kraken.seg", capacity=64)
    producer.event([(0, 100, 1), (1, 200, 1)])
    with SegmentReader(producer.path, stale_after_ms=FOREVER_MS) as reader:
        books = OrderBookReconstructor(reader)
        view = books.book("BTC-USD")
        if is_changed:
            producer.event([(0, 99, 5)])
        others = np.zeros(16, DELTA_DTYPE)
        others["instrument_id"] = 2
        for _ in range(6):
            producer.write(others.view(np.uint8).reshape(16, layout.DELTA_BYTES))
        assert any(isinstance(outcome, Lapped) for outcome in books.update().news)
        assert view.is_synced != is_changed
        assert view.problem == ("none" if is_changed else "")
        producer.take_image()
        books.update()
        assert view.is_synced
        assert is_right(books, producer)
