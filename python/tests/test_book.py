"""OrderBook against plain dictionaries: every way of applying the same records gives the same book, or refuses."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from producer import FOREVER_MS, Producer

from alphapulse import DELTA_DTYPE, TRADE_DTYPE, Applied, BookImage, OrderBook, SegmentReader, level_hash
from alphapulse import _layout as layout


class Recorder(Producer):
    """A producer that keeps every record and the book after each event."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.records: list[NDArray[np.uint8]] = []
        self.books: dict[int, tuple[dict[int, int], dict[int, int]]] = {}
        super().__init__(path, **options)

    def write(self, records: NDArray[np.uint8]) -> None:
        self.records.extend(np.array(record) for record in records)
        self.books[self.version] = (dict(self.book[0]), dict(self.book[1]))
        super().write(records)

    def all(self) -> NDArray[np.void]:
        """Every delta record so far."""
        return np.stack(self.records).view(DELTA_DTYPE)[:, 0]


def recorded(path: Path, seed: int, *, events: int, changes: int) -> Recorder:
    """A market of random events."""
    recorder = Recorder(path / "kraken.seg", capacity=64)
    chance = random.Random(seed)
    for at in range(events):
        recorder.random_event(chance, 1 + chance.randrange(changes), at_ns=1 + at)
    return recorder


def check(book: OrderBook, model: tuple[dict[int, int], dict[int, int]]) -> None:
    """Demands that a book equals a model, in every way that it can be asked."""
    bids, asks = sorted(model[0].items(), reverse=True), sorted(model[1].items())
    depth = book.depth()
    assert list(zip(depth.bid_ticks.tolist(), depth.bid_lots.tolist())) == bids
    assert list(zip(depth.ask_ticks.tolist(), depth.ask_lots.tolist())) == asks
    assert (book.best_bid(), book.best_ask()) == (bids[0] if bids else None, asks[0] if asks else None)
    assert (book.bid_count, book.ask_count) == (len(bids), len(asks))
    assert book.depth(3).ask_ticks.tolist() == [price for price, _ in asks[:3]]
    total = sum(level_hash(0, *level) for level in bids) + sum(level_hash(1, *level) for level in asks)
    assert book.hash == total & 0xFFFFFFFF


@pytest.mark.parametrize("seed", range(12))
def test_any_cut_of_the_records_gives_the_same_book(tmp_path: Path, seed: int) -> None:
    recorder = recorded(tmp_path, seed, events=60, changes=90 if seed % 2 else 6)
    records = recorder.all()
    chance = random.Random(1000 + seed)
    for cut in (1, len(records), None):
        book = OrderBook(1)
        book.begin()
        start = 0
        while start < len(records):
            end = start + (cut or 1 + chance.randrange(40))
            assert book.apply(records[start:end]) == (Applied.OK, len(records[start:end]))
            start = end
            if book.version in recorder.books:
                check(book, recorder.books[book.version])
        assert book.version == recorder.version
        assert book.is_synced


@pytest.mark.parametrize("seed", range(3))
def test_follow_yields_every_event_with_its_own_book(tmp_path: Path, seed: int) -> None:
    recorder = recorded(tmp_path, seed, events=40, changes=60)
    book = OrderBook(1)
    book.begin()
    versions = []
    for outcome in book.follow(recorder.all()):
        assert outcome is Applied.OK
        check(book, recorder.books[book.version])
        versions.append(book.version)
    assert versions == sorted(recorder.books)


@pytest.mark.parametrize("cut", [1, 10_000])
@pytest.mark.parametrize("seed", range(20))
def test_one_flipped_bit_is_noticed_at_once(tmp_path: Path, seed: int, cut: int) -> None:
    recorder = recorded(tmp_path, seed, events=20, changes=60)
    records = recorder.all().copy()
    chance = random.Random(seed)
    victim = chance.randrange(len(records))
    field = chance.choice(["quantity_lots", "price_offset_ticks", "book_hash", "version", "side_mask", "add_mask"])
    bit = chance.randrange(8)
    slot = chance.randrange(max(1, int(records[victim]["change_count"])))
    if field in ("quantity_lots", "price_offset_ticks"):
        records[field][victim, slot] ^= 1 << bit
    elif field in ("side_mask", "add_mask"):
        records[field][victim] ^= 1 << slot
    else:
        records[field][victim] ^= 1 << bit
    book = OrderBook(1)
    book.begin()
    applied: list[Applied] = []
    for start in range(0, len(records), cut):
        outcome, _ = book.apply(records[start : start + cut])
        applied.append(outcome)
        if outcome is not Applied.OK:
            break
    if records["change_count"][victim] == 0 and field not in ("book_hash", "version"):
        return
    assert applied[-1] in (Applied.HASH_MISMATCH, Applied.INCONSISTENT, Applied.CHAIN_BROKEN)
    assert not book.is_following
    assert book.bid_count == 0


def test_stale_records_are_skipped_and_a_gap_breaks_the_chain(tmp_path: Path) -> None:
    records = recorded(tmp_path, 1, events=30, changes=10).all()
    book = OrderBook(1)
    assert book.apply(records[:5]) == (Applied.EMPTY, 5)
    book.begin()
    assert book.apply(records[:10]) == (Applied.OK, 10)
    assert book.apply(records[:10]) == (Applied.OK, 10)
    assert book.apply(records[4:20]) == (Applied.OK, 16)
    assert book.apply(records[21:])[0] is Applied.CHAIN_BROKEN
    assert not book.is_following


def test_records_that_are_not_well_formed_are_refused(tmp_path: Path) -> None:
    records = recorded(tmp_path, 1, events=10, changes=10).all()
    for field, value in (
        ("change_count", 17),
        ("flags", 64),
        ("side_mask", 0xFFFF),
        ("instrument_id", 2),
        ("quantity_lots", -1),
        ("flags", layout.FLAG_RESET | layout.FLAG_LAST),
    ):
        for count in (1, len(records)):
            bad = records[:count].copy()
            bad[field][0] = value
            if field == "flags" and value != 64:
                assert bad["change_count"][0] > 0
            book = OrderBook(1)
            book.begin()
            assert book.apply(bad)[0] is Applied.INCONSISTENT, field


def test_crossing_must_be_said_unless_the_book_is_not_synced(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "kraken.seg")
    recorder.event([(0, 100, 5), (1, 90, 5)])
    book = OrderBook(1)
    book.begin()
    assert book.apply(recorder.all())[0] is Applied.OK
    assert book.is_crossed
    silent = recorder.all().copy()
    silent["flags"] &= np.uint16(~layout.FLAG_CROSSED & 0xFFFF)
    book.begin()
    assert book.apply(silent)[0] is Applied.INCONSISTENT
    silent["flags"] |= layout.FLAG_NOT_SYNCED
    book.begin()
    assert book.apply(silent)[0] is Applied.OK
    assert not book.is_synced


def test_a_reset_waits_for_its_image_or_a_later_one(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "kraken.seg", capacity=64)
    recorder.random_event(random.Random(1), 10)
    recorder.take_image()
    reader = SegmentReader(recorder.path, stale_after_ms=FOREVER_MS)
    older = reader.image("BTC-USD")
    recorder.reset({100: 1, 99: 2}, {101: 3})
    exact = reader.image("BTC-USD")
    recorder.event([(0, 98, 7)])
    assert isinstance(older, BookImage)
    assert isinstance(exact, BookImage)
    records = recorder.all()
    book = OrderBook(1)
    book.begin()
    outcome, used = book.apply(records)
    assert (outcome, used) == (Applied.RESET, len(records) - 1)
    assert not book.load(older)
    assert not book.load(exact._replace(hash=exact.hash ^ 1))
    assert book.load(exact)
    assert book.apply(records[used:])[0] is Applied.OK
    check(book, recorder.book)


def test_extreme_prices_and_quantities_hold(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "kraken.seg")
    most = 2**63 - 1
    for ticks in (-(2**63), -1, 0):
        recorder.event([(0, ticks, most)])
    for ticks in (most, 1):
        recorder.event([(1, ticks, 1)])
    book = OrderBook(1)
    book.begin()
    assert book.apply(recorder.all())[0] is Applied.OK
    check(book, recorder.book)


def test_records_keep_their_shape_when_batches_are_joined(tmp_path: Path) -> None:
    records = recorded(tmp_path, 1, events=10, changes=10).all()
    joined = np.concatenate((records[:4], records[4:]))
    assert joined.dtype == DELTA_DTYPE
    assert joined.tobytes() == records.tobytes()
    assert np.concatenate((np.zeros(1, TRADE_DTYPE), np.zeros(1, TRADE_DTYPE))).dtype == TRADE_DTYPE
