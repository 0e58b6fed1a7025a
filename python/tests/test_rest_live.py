"""RestClient against a real gateway over real collectors. Set ALPHAPULSE_REQUIRE=all to fail instead of skipping."""

from __future__ import annotations

import re
import time
from decimal import Decimal

import live
import pytest
from alphapulse import level_hash, to_units
from alphapulse.rest import NotSyncedError, RestClient, RestError


@pytest.fixture(scope="module")
def client(market: live.Market) -> RestClient:
    """A client of a gateway whose books are synced."""
    client = RestClient(market.serve().replace("ws://", "http://").removesuffix("/ws"))
    await_health(client)
    return client


def await_health(client: RestClient) -> None:
    """Waits until all exchanges are there and everything is well."""
    until = time.monotonic() + live.PATIENCE_S
    while len(client.exchanges()) < len(live.EXCHANGES) or client.health()["status"] != "ok":
        assert time.monotonic() < until, f"not all is well: {client.health()['reasons']}"
        time.sleep(0.1)


def test_a_whole_book_has_the_hash_that_it_says_when_it_is_read_by_rest(client: RestClient) -> None:
    book = client.order_book("kraken", "btc-usd", depth="full")
    exponents = (book.raw["price_exponent"], book.raw["quantity_exponent"])
    total = 0
    for side, levels in ((0, book.bids), (1, book.asks)):
        for level in levels:
            price, quantity = to_units(str(level.price), exponents[0]), to_units(str(level.quantity), exponents[1])
            total = (total + level_hash(side, price, quantity)) & 0xFFFFFFFF
    assert total == book.hash
    assert book.bids[0].price < book.asks[0].price
    assert book.assurance == "checksum" or book.assurance == "inferred"


def test_the_readmes_block_runs(market: live.Market, client: RestClient, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pandas")
    text = (live.ROOT / "python" / "README.md").read_text("utf-8")
    (block,) = re.findall(r"^```python\n([^`]*?RestClient.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert "http://127.0.0.1:8765" in block
    exec(compile(block.replace("http://127.0.0.1:8765", client.url), "README.md", "exec"), {})
    assert "checksum" in capsys.readouterr().out


def test_a_book_becomes_a_frame_when_pandas_is_there(client: RestClient) -> None:
    pytest.importorskip("pandas")
    book = client.order_book("coinbase", "BTC-USD", depth=5)
    frame = book.frame()
    assert list(frame.columns) == ["side", "price", "quantity"]
    assert len(frame) == 10
    assert frame["price"][0] == float(book.bids[0].price)
    assert isinstance(book.bids[0].price, Decimal)


def test_trades_come_latest_first_and_their_frame_oldest_first_when_there_are_some(client: RestClient) -> None:
    pytest.importorskip("pandas")
    until = time.monotonic() + live.PATIENCE_S
    trades = client.trades("binance", "BTC-USDT", limit=20)
    while len(trades.trades) < 2:
        assert time.monotonic() < until, "no trades came"
        time.sleep(0.1)
        trades = client.trades("binance", "BTC-USDT", limit=20)
    versions = [trade.version for trade in trades.trades]
    assert versions == sorted(versions, reverse=True)
    frame = trades.frame()
    assert list(frame.index) == sorted(versions)
    assert trades.total >= len(versions)


def test_lists_are_what_the_gateway_serves_when_they_are_read(client: RestClient) -> None:
    pytest.importorskip("pandas")
    assert {one["exchange"] for one in client.exchanges()} == set(live.EXCHANGES)
    frame = client.instruments_frame()
    assert frame.loc["kraken:BTC-USD"]["native_symbol"] == "BTC/USD"
    stats = client.delta_stats("kraken", "BTC/USD")
    assert stats["bytes"]["exchange"] >= 0
    assert client.delta_summary()["instruments"] == len(frame)
    assert client.health()["clients"]["connected"] == 0
    assert isinstance(client.opportunities(min_profit_bps=1, max_age_ms=1000)["opportunities"], list)


def test_problems_are_errors_with_their_code_when_something_is_wrong(client: RestClient) -> None:
    with pytest.raises(RestError, match="Cannot find the instrument") as unknown:
        client.order_book("kraken", "NO-SUCH")
    assert (unknown.value.status, unknown.value.code) == (404, "unknown_instrument")
    with pytest.raises(RestError) as elsewhere:
        client.feeds()
    assert (elsewhere.value.status, elsewhere.value.code) == (501, "feeds_elsewhere")
    with pytest.raises(RestError) as invalid:
        client.order_book("kraken", "BTC-USD", depth=0)
    assert invalid.value.code == "invalid_request"


def test_a_book_is_refused_with_its_reason_when_its_collector_is_gone(client: RestClient, market: live.Market) -> None:
    market.collectors["binance"].kill()
    market.collectors["binance"].wait()
    try:
        until = time.monotonic() + live.PATIENCE_S
        with pytest.raises(NotSyncedError) as refused:
            while time.monotonic() < until:
                client.order_book("binance", "BTC-USDT")
                time.sleep(0.02)
    finally:
        market.collect("binance")
        await_health(client)
    assert refused.value.status == 503
    assert (refused.value.state, refused.value.reason) == ("connecting", "silent")
    assert refused.value.retry_after == 1.0
