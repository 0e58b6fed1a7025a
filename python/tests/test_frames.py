"""Records and books as DataFrames, against numbers worked out by hand or by plain Python."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from conftest import EXPECTATIONS
from numpy.typing import NDArray
from producer import FOREVER_MS

from alphapulse import Batch, Instrument, OrderBookReconstructor, SegmentReader, TopOfBook
from alphapulse._layout import AGGRESSOR_BUY, AGGRESSOR_SELL, TRADE_FLAG_HISTORY
from alphapulse.records import TRADE_DTYPE

pd = pytest.importorskip("pandas")
frames = pytest.importorskip("alphapulse.frames")

Place = Callable[..., Path]
SECOND = 1_000_000_000
BEGIN = 1_700_000_040 * SECOND


@pytest.fixture
def entry(place: Place) -> Instrument:
    """An instrument with two price and three quantity digits."""
    return SegmentReader(place("coinbase_reset")).instrument("BTC-USD")


def trades(entry: Instrument, rows: list[tuple[int, int, int, int]]) -> NDArray[np.void]:
    """Trade records of (ns after the begin, ticks, lots, flags)."""
    records = np.zeros(len(rows), TRADE_DTYPE)
    for record, (at, ticks, lots, flags) in zip(records, rows):
        record["event_at_ns"], record["received_at_ns"] = BEGIN + at, BEGIN + at + 5
        record["price_ticks"], record["quantity_lots"], record["flags"] = ticks, lots, flags
        record["instrument_id"], record["aggressor"] = entry.id, AGGRESSOR_BUY if lots % 2 else AGGRESSOR_SELL
        record["trade_id"], record["id_length"] = b"a1", 2
    return records


def test_trades_frame_holds_floats_beside_exact_integers(entry: Instrument) -> None:
    records = trades(entry, [(0, 5_000_025, 1001, 0), (SECOND, 5_000_050, 2, TRADE_FLAG_HISTORY)])
    other = records.copy()
    other["instrument_id"] = 99
    frame = frames.trades_frame(np.concatenate((records, other)), entry)
    assert len(frame) == 2
    assert frame["price"].tolist() == [50_000.25, 50_000.5]
    assert frame["quantity"].tolist() == [1.001, 0.002]
    assert frame["price_ticks"].tolist() == [5_000_025, 5_000_050]
    assert frame["side"].tolist() == ["buy", "sell"]
    assert frame["trade_id"].tolist() == ["a1", "a1"]
    assert frame["is_history"].tolist() == [False, True]
    assert frame.index[0] == pd.Timestamp(BEGIN, tz="UTC")
    exact = frames.trades_frame(records, entry, exact=True)
    assert exact["price"].tolist() == [Decimal("50000.25"), Decimal("50000.5")]
    assert frames.trades_frame(records[:0], entry).empty


def test_ohlcv_and_vwap_equal_numbers_worked_out_by_hand(entry: Instrument) -> None:
    rows = [
        (0, 10_000, 1000, 0),
        (10 * SECOND, 10_300, 3000, 0),
        (20 * SECOND, 9_900, 1000, 0),
        (30 * SECOND, 99_999, 9000, TRADE_FLAG_HISTORY),
        (150 * SECOND, 10_100, 2000, 0),
    ]
    frame = frames.trades_frame(trades(entry, rows), entry)
    bars = frames.ohlcv(frame, "1min")
    assert len(bars) == 2
    first = bars.iloc[0]
    assert (first["open"], first["high"], first["low"], first["close"]) == (100.0, 103.0, 99.0, 99.0)
    assert (first["volume"], first["count"]) == (5.0, 3)
    assert first["vwap"] == pytest.approx((100 * 1 + 103 * 3 + 99 * 1) / 5)
    assert bars.iloc[1]["close"] == 101.0
    assert frames.vwap(frame) == pytest.approx((100 * 1 + 103 * 3 + 99 * 1 + 101 * 2) / 7)
    assert np.isnan(frames.vwap(frame[:0]))


def test_deltas_frame_has_one_row_per_change_in_their_order(place: Place) -> None:
    reader = SegmentReader(place("coinbase_reset"), start="oldest", stale_after_ms=FOREVER_MS)
    outcome = reader.read_deltas()
    assert isinstance(outcome, Batch)
    entry = reader.instrument("ETH-USD")
    frame = frames.deltas_frame(outcome.records, entry)
    ours = outcome.records[outcome.records["instrument_id"] == entry.id]
    assert len(frame) == int(ours["change_count"].sum()) > 40
    book: dict[tuple[str, int], int] = {}
    for row in frame.itertuples():
        assert row.is_added == ((row.side, row.price_ticks) not in book)
        if row.quantity_lots:
            book[row.side, row.price_ticks] = row.quantity_lots
        else:
            del book[row.side, row.price_ticks]
    told = EXPECTATIONS["stages"]["coinbase_reset"]["instruments"][1]["book"]
    expected = {(side, int(price)): int(lots) for side in ("bid", "ask") for price, lots in told[f"{side}s"]}
    assert book == expected
    assert frame["is_last"].iloc[-1]
    assert frame["price"].iloc[0] == frame["price_ticks"].iloc[0] / 100


def test_depth_frame_shows_the_book_best_first(place: Place) -> None:
    reader = SegmentReader(place("coinbase_reset"), stale_after_ms=FOREVER_MS)
    view = OrderBookReconstructor(reader).book("BTC-USD")
    frame = view.depth_frame(3)
    assert frame["side"].tolist() == ["bid"] * 3 + ["ask"] * 3
    assert frame["price"].iloc[0] > frame["price"].iloc[1]
    assert frame["price"].iloc[3] < frame["price"].iloc[4]
    assert view.depth_frame(1, exact=True)["price"].iloc[0] == view.best_bid[0]  # type: ignore[index]


def test_spread_statistics_weigh_by_time_and_leave_out_what_is_not_synced(entry: Instrument) -> None:
    def top(second: int, bid: int, ask: int | None, *, synced: bool = True, version: int | None = None) -> TopOfBook:
        return TopOfBook(
            instrument=entry,
            version=version or second + 1,
            is_synced=synced,
            is_crossed=False,
            bid_ticks=bid,
            bid_lots=1,
            ask_ticks=ask,
            ask_lots=1,
            trade_ticks=None,
            trade_lots=None,
            trade_at_ns=0,
            trade_version=0,
            event_at_ns=BEGIN + second * SECOND,
            received_at_ns=0,
        )

    tops = [
        top(0, 9_999, 10_001),
        top(1, 9_998, 10_002),
        top(4, 9_999, 10_001),
        top(5, 1, None),
        top(9, 9_000, 11_000, synced=False),
    ]
    frame = frames.tops_frame([*tops, tops[0]])
    assert len(frame) == 4
    assert frame["spread"].tolist()[:2] == [0.02, 0.04]
    statistics = frames.spread_statistics(frame)
    # 0.02 for 1 s, 0.04 for 3 s, 0.02 for 5 s.
    assert statistics["mean"] == pytest.approx((0.02 * 1 + 0.04 * 3 + 0.02 * 5) / 9)
    assert statistics["maximum"] == pytest.approx(0.04)
    assert statistics["mean_bps"] == pytest.approx(statistics["mean"] / 100 * 10_000)
    assert frames.spread_statistics(frame, synced_only=False)["maximum"] == pytest.approx(20.0)
    assert frames.spread_statistics(frame[:0]).isna().all()
    assert frames.tops_frame([]).empty
    seconds = frames.resample_tops(frame, "1s")
    assert seconds["spread"].iloc[2] == 0.04
    assert len(seconds) == 10
    assert frames.tops_frame(tops, exact=True)["spread"].iloc[0] == Decimal("0.02")
