"""The live displays as HTML, and how they renew themselves, without a notebook around them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from producer import FOREVER_MS, Producer

from alphapulse import OrderBookReconstructor, SegmentReader
from alphapulse import _layout as layout

jupyter = pytest.importorskip("alphapulse.jupyter")


def test_displays_show_the_market_and_grey_out_what_is_not_synced(tmp_path: Path) -> None:
    producer = Producer(tmp_path / "kraken.seg")
    producer.event([(0, 50_000, 125_000_000), (1, 50_005, 7)], at_ns=1)
    with SegmentReader(producer.path, stale_after_ms=FOREVER_MS) as reader:
        books = OrderBookReconstructor(reader)
        view = books.book("BTC-USD")
        tape = jupyter.TradeTape(reader, "BTC-USD", rows=2)
        for number in range(3):
            name = f"<{number}>"
            producer.write_trade(50_001 + number, 5, aggressor=1, trade_id=name, at_ns=86_399 * 10**9)
        html = jupyter.book_html(view, 5)
        assert "<td>1.25</td><td>5000</td><td>5000.5</td><td>0.00000007</td>" in html
        assert "synced (checksum)" in html
        assert "opacity" not in html
        rows = tape.render()
        assert "<td>23:59:59</td><td>buy</td><td>5000.3</td>" in rows
        assert "&lt;2&gt;" in rows
        assert "&lt;0&gt;" not in rows
        assert "<td>5000.0</td><td>5000.5</td><td>0.5</td><td>synced</td>" in jupyter.spread_html(reader, "BTC-USD")
        producer.set_state(layout.SEGMENT_STATE_CLOSED)
        assert "not synced" in jupyter.book_html(view)
        assert "opacity" in jupyter.book_html(view)
        assert "<td>not synced</td>" in jupyter.spread_html(reader, "BTC-USD")


def test_watch_draws_until_the_time_is_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    producer = Producer(tmp_path / "kraken.seg")
    producer.random_event(random.Random(1), 30)
    with SegmentReader(producer.path, stale_after_ms=FOREVER_MS) as reader:
        books = OrderBookReconstructor(reader)
        assert jupyter.live_book(books, "BTC-USD", levels=3, seconds=0.6) >= 2
        assert jupyter.live_trades(reader, "BTC-USD", seconds=0.1) >= 1
        assert jupyter.live_spread(reader, "BTC-USD", seconds=0.1) >= 1
    assert capsys.readouterr().err == ""
