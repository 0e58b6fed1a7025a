"""The golden segments, written by the real producer: everything that a reader tells of them equals what it wrote."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import EXPECTATIONS, STAGES
from producer import FOREVER_MS

from alphapulse import (
    Batch,
    BookImage,
    Idle,
    OrderBookReconstructor,
    SegmentReader,
    explode_changes,
    level_hash,
    level_hashes,
    trade_id,
)

Place = Callable[..., Path]


def open_reader(path: Path, **options: Any) -> SegmentReader:
    """A reader that takes the old heartbeat of a golden file for a fresh one."""
    return SegmentReader(path, stale_after_ms=FOREVER_MS, **options)


def test_level_hash_equals_the_producers_when_any_level_is_given() -> None:
    vectors = EXPECTATIONS["hashes"]
    assert len(vectors) > 80
    for side, price, quantity, expected in vectors:
        assert level_hash(side, int(price), int(quantity)) == expected
    sides = np.array([vector[0] for vector in vectors], dtype=np.uint8)
    prices = np.array([int(vector[1]) for vector in vectors], dtype=np.int64)
    quantities = np.array([int(vector[2]) for vector in vectors], dtype=np.int64)
    assert level_hashes(sides, prices, quantities).tolist() == [vector[3] for vector in vectors]


def test_stages_show_what_they_are_named_after() -> None:
    def states(stage: str) -> list[str]:
        return [entry["state"] for entry in EXPECTATIONS["stages"][stage]["instruments"]]

    assert states("coinbase_started") == ["waiting", "synced"]
    assert EXPECTATIONS["stages"]["coinbase_lapped"]["deltaTail"] > 256
    assert states("coinbase_rescaled") == ["retired", "synced", "synced"]
    assert states("coinbase_crossed")[2] == "resyncing"
    assert states("binance_gap") == ["resyncing"]


@pytest.mark.parametrize("stage", STAGES)
def test_header_and_table_equal_what_the_producer_wrote(place: Place, stage: str) -> None:
    expected = EXPECTATIONS["stages"][stage]
    reader = open_reader(place(stage))
    header = reader.mapping.header
    assert header.epoch == int(expected["header"]["epoch"])
    for ours, theirs in (
        ("pid", "pid"),
        ("exchange", "exchange"),
        ("delta_capacity", "deltaCapacity"),
        ("trade_capacity", "tradeCapacity"),
        ("instrument_capacity", "instrumentCapacity"),
        ("segment_bytes", "segmentBytes"),
    ):
        assert getattr(header, ours) == expected["header"][theirs]
    assert reader.delta_position == expected["deltaTail"]
    assert reader.trade_position == expected["tradeTail"]
    assert len(reader.instruments()) == len(expected["instruments"])
    for entry, told in zip(reader.instruments(), expected["instruments"]):
        for ours, theirs in (
            ("id", "id"),
            ("row", "index"),
            ("canonical", "canonical"),
            ("native", "native"),
            ("price_exponent", "priceExponent"),
            ("quantity_exponent", "quantityExponent"),
            ("depth", "depth"),
            ("retired_to", "retiredTo"),
            ("current_image", "currentImage"),
            ("image_capacity", "imageCapacity"),
            ("state", "state"),
            ("reason", "reason"),
            ("assurance", "assurance"),
            ("trading_status", "tradingStatus"),
            ("audit_period_ms", "auditPeriodMs"),
            ("audit_outcome", "auditOutcome"),
        ):
            assert getattr(entry, ours) == told[theirs], ours
        assert entry.since_ns == int(told["sinceNs"])
        limits = told["knownRange"]
        assert entry.known_range == (limits and (int(limits["lowTicks"]), int(limits["highTicks"])))


@pytest.mark.parametrize("stage", STAGES)
def test_tops_equal_what_the_producer_wrote(place: Place, stage: str) -> None:
    reader = open_reader(place(stage))
    for told in EXPECTATIONS["stages"][stage]["instruments"]:
        if told["state"] == "retired":
            continue
        top = reader.top(told["canonical"])
        assert top is not None
        cell = told["top"]
        assert top.version == int(cell["version"])
        assert top.is_synced == (told["state"] == "synced")
        assert top.trade_version == int(cell["tradeVersion"])
        assert top.event_at_ns == int(cell["eventAtNs"])
        assert top.received_at_ns == int(cell["receivedAtNs"])
        for bit, ticks, lots, price, quantity in (
            (1, top.bid_ticks, top.bid_lots, "bidPrice", "bidQuantity"),
            (2, top.ask_ticks, top.ask_lots, "askPrice", "askQuantity"),
            (4, top.trade_ticks, top.trade_lots, "tradePrice", "tradeQuantity"),
        ):
            there = bool(cell["flags"] & bit)
            assert (ticks, lots) == ((int(cell[price]), int(cell[quantity])) if there else (None, None))


@pytest.mark.parametrize("stage", STAGES)
def test_records_equal_what_the_producer_wrote(place: Place, stage: str) -> None:
    expected = EXPECTATIONS["stages"][stage]
    reader = open_reader(place(stage), start="oldest")
    outcome = reader.read_deltas()
    assert isinstance(outcome, Batch)
    assert outcome.position == max(0, expected["deltaTail"] - 256)
    assert outcome.position + len(outcome.records) == expected["deltaTail"]
    assert isinstance(reader.read_deltas(), Idle)
    changes = explode_changes(outcome.records)
    for told in expected["deltas"]:
        index = told["position"] - outcome.position
        record = outcome.records[index]
        for ours, theirs in (
            ("event_at_ns", "eventAtNs"),
            ("received_at_ns", "receivedAtNs"),
            ("published_at_ns", "publishedAtNs"),
            ("version", "version"),
            ("source_sequence", "sourceSequence"),
            ("base_price_ticks", "basePriceTicks"),
            ("instrument_id", "instrumentId"),
            ("flags", "flags"),
            ("book_hash", "bookHash"),
        ):
            assert int(record[ours]) == int(told[theirs]), ours
        of = changes.record == index
        assert [
            [int(side), str(price), str(lots), int(added)]
            for side, price, lots, added in zip(*(column[of].tolist() for column in changes[1:]))
        ] == told["changes"]


def test_trades_equal_what_the_producer_wrote(place: Place) -> None:
    expected = EXPECTATIONS["stages"]["coinbase_reset"]
    reader = open_reader(place("coinbase_reset"), start="oldest")
    outcome = reader.read_trades()
    assert isinstance(outcome, Batch)
    assert len(outcome.records) == expected["tradeTail"] == 32
    for told in expected["trades"]:
        record = outcome.records[told["position"]]
        for ours, theirs in (
            ("event_at_ns", "eventAtNs"),
            ("published_at_ns", "publishedAtNs"),
            ("price_ticks", "priceTicks"),
            ("quantity_lots", "quantityLots"),
            ("source_sequence", "sourceSequence"),
            ("instrument_id", "instrumentId"),
            ("flags", "flags"),
            ("aggressor", "aggressor"),
            ("trade_version", "tradeVersion"),
            ("book_version", "bookVersion"),
        ):
            assert int(record[ours]) == int(told[theirs]), ours
        assert trade_id(record) == told["tradeId"]


@pytest.mark.parametrize("stage", STAGES)
def test_books_equal_the_producers_by_hash_and_level(place: Place, stage: str) -> None:
    reader = open_reader(place(stage))
    books = OrderBookReconstructor(reader)
    told_books = [told for told in EXPECTATIONS["stages"][stage]["instruments"] if told["book"] is not None]
    assert len(books.books()) == len(told_books)
    for told in told_books:
        view = books.book(told["canonical"])
        assert view.book.instrument_id == told["id"]
        assert view.version == int(told["top"]["version"])
        assert view.hash == told["book"]["hash"]
        assert view.is_synced == (told["state"] == "synced")
        depth = view.depth()
        bids = list(zip(depth.bid_ticks.tolist(), depth.bid_lots.tolist()))
        asks = list(zip(depth.ask_ticks.tolist(), depth.ask_lots.tolist()))
        assert bids == [(int(price), int(lots)) for price, lots in told["book"]["bids"]]
        assert asks == [(int(price), int(lots)) for price, lots in told["book"]["asks"]]
        if bids:
            assert list(view.depth_text(1)["bids"][0]) == told["book"]["bestBidText"]
            assert view.best_bid == tuple(Decimal(text) for text in told["book"]["bestBidText"])


def test_image_and_records_give_one_book_when_read_apart(place: Place) -> None:
    reader = open_reader(place("coinbase_lapped"), start="image")
    image = reader.image("BTC-USD")
    assert isinstance(image, BookImage)
    assert reader.delta_position <= image.ring_position
    assert len(image.bid_ticks) > 200
    assert image.version < int(EXPECTATIONS["stages"]["coinbase_lapped"]["instruments"][0]["top"]["version"])


def test_a_dead_producer_shows_nothing_as_synced(place: Place) -> None:
    path = place("coinbase_reset", alive=False)
    reader = SegmentReader(path)
    assert not reader.is_live
    top = reader.top("BTC-USD")
    assert top is not None
    assert not top.is_synced
    assert top.bid is not None
    view = OrderBookReconstructor(reader).book("BTC-USD")
    assert view.hash == EXPECTATIONS["stages"]["coinbase_reset"]["instruments"][0]["book"]["hash"]
    assert not view.is_synced
