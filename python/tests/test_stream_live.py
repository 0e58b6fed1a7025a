"""StreamClient against a real gateway over real collectors: books equal the emulator's truth by hash, in both forms, as
a view, and after a lost connection. Set ALPHAPULSE_REQUIRE=all to fail instead of skipping."""

from __future__ import annotations

import asyncio
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from datetime import datetime, timezone
from typing import Any, Literal

import follow_stream
import live
import pytest
from alphapulse import level_hash, to_units
from alphapulse.stream import (
    BboEvent,
    BookEvent,
    ConnectionEvent,
    ErrorEvent,
    InstrumentsEvent,
    ResyncEvent,
    StatsEvent,
    StreamBook,
    TradeEvent,
)
from server_texts import VALIDATORS, WitnessClient, fault_of

KRAKEN = "kraken:BTC-USD"
NATIVES = {"kraken:BTC-USD": "BTC/USD", "coinbase_exchange:BTC-USD": "BTC-USD"}
SAMPLES = 3


@pytest.fixture(scope="module")
def url(market: live.Market) -> str:
    """The stream of a gateway whose books are synced."""
    address = market.serve()
    until = time.monotonic() + live.PATIENCE_S
    while not is_ready(address):
        assert time.monotonic() < until, "the gateway never became ready"
        time.sleep(0.1)
    return address


def page(address: str, path: str) -> str:
    """Where a gateway's page is."""
    return address.replace("ws://", "http://").removesuffix("/ws") + path


def is_ready(address: str) -> bool:
    """Every segment is live and every book synced, and all segments are there."""
    try:
        with urllib.request.urlopen(page(address, "/ready"), timeout=10):
            pass
        with urllib.request.urlopen(page(address, "/health"), timeout=10) as answer:
            return len(json.load(answer)["segments"]) == len(live.EXCHANGES)
    except urllib.error.HTTPError as error:
        error.close()
        return False


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(test(), 2 * live.PATIENCE_S)

    asyncio.run(bounded())


def truth_of(market: live.Market, instrument: str, book: StreamBook) -> dict[str, Any] | None:
    """The emulator's book at the event that a book stands at; None when it cannot be told any more."""
    seconds, rest = divmod(book.event_at_ns, 1_000_000_000)
    at = datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    exchange, _ = instrument.split(":")
    return market.truth(exchange, NATIVES[instrument], time=f"{at}.{rest:09d}Z")


def hash_of(book: StreamBook, told: dict[str, Any], depth: int) -> int:
    """Book hash of the truth's best levels, all when depth is 0."""
    return (
        sum(
            level_hash(side, to_units(price, book.price_exponent), to_units(quantity, book.quantity_exponent))
            for side, name in enumerate(("bids", "asks"))
            for price, quantity in (told[name][:depth] if depth else told[name])
        )
        & 0xFFFFFFFF
    )


@pytest.mark.parametrize("form", ["binary", "json"])
@pytest.mark.parametrize(
    ("instrument", "depth", "rate_ms"),
    [(KRAKEN, 0, 0), (KRAKEN, 10, 100), ("coinbase_exchange:BTC-USD", 10, 0)],
)
def test_books_equal_the_emulators_truth_when_they_are_followed(
    market: live.Market, url: str, instrument: str, form: Literal["binary", "json"], depth: int, rate_ms: int
) -> None:
    async def test() -> None:
        compared = seen = 0
        client = WitnessClient(url, form=form)
        async with client:
            await client.subscribe(["book"], [instrument], depth=depth, rate_ms=rate_ms)
            async for event in client:
                assert not isinstance(event, ResyncEvent | ErrorEvent)
                if not isinstance(event, BookEvent) or not client.is_synced(instrument, depth=depth, rate_ms=rate_ms):
                    continue
                seen += 1
                if seen % 2 == 0:
                    told = truth_of(market, instrument, event.book)
                    if told is not None:
                        assert hash_of(event.book, told, depth) == event.book.hash, event.book.version
                        compared += 1
                if compared == SAMPLES:
                    break
            book = client.book(instrument, depth=depth, rate_ms=rate_ms)
            assert book is not None
            assert len(book.bids(3)) == 3
            assert depth == 0 or max(book.bid_count, book.ask_count) <= depth
            assert client.texts >= (2 + SAMPLES if form == "json" else 2)

    run(test)


def test_books_go_on_where_they_stood_when_the_connection_breaks(market: live.Market, url: str) -> None:
    async def test() -> None:
        async with WitnessClient(url) as client:
            await client.subscribe(["book"], ["*:BTC-USD"])
            breaks = changes = 0
            async for event in client:
                assert not isinstance(event, ResyncEvent)
                if isinstance(event, BookEvent):
                    changes += 1
                    assert not (breaks and event.is_snapshot), "a resume needs no snapshot"
                if changes == 15 and client._socket is not None:
                    changes = 0
                    if breaks == 3:
                        break
                    breaks += 1
                    client._socket.transport.abort()
            assert client.counts.resumes == breaks * len(client._session.views) > breaks
            book = client.book(KRAKEN)
            assert book is not None
            told = truth_of(market, KRAKEN, book)
            assert told is None or hash_of(book, told, 0) == book.hash

    run(test)


def test_everything_else_flows_when_it_is_subscribed(url: str) -> None:
    async def test() -> None:
        kinds: set[type] = set()
        wanted = {ConnectionEvent, TradeEvent, BboEvent, StatsEvent, InstrumentsEvent, ErrorEvent}
        async with WitnessClient(url) as client:
            await client.subscribe(["trades", "bbo"], ["*:*"])
            await client.subscribe(["stats"])
            async for event in client:
                if not kinds:
                    await client.list_instruments()
                    await client.subscribe(["book"], ["kraken:NONE-SUCH"])
                kinds.add(type(event))
                if isinstance(event, InstrumentsEvent):
                    assert len(event.instruments) == 2 * len(live.EXCHANGES)
                if isinstance(event, ErrorEvent):
                    assert event.code == "unknown_instrument"
                if wanted <= kinds:
                    break

    run(test)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"type":"pong","id":1}', None),
        ('{"type":"pong","id":1,"more":2}', "Additional properties are not allowed"),
        ('{"type":"pong","id":"1"}', "is not of type"),
        ('{"type":"ping"}', "no message has the type"),
    ],
)
def test_a_text_is_judged_by_the_schemas(text: str, fault: str | None) -> None:
    found = fault_of(text)
    assert (found is None) if fault is None else fault in (found or "")
    assert {"welcome", "subscribed", "orderbook", "orderbook_delta", "trade", "bbo", "stats"} <= set(VALIDATORS)


def test_gateway_describes_its_stream(url: str) -> None:
    with urllib.request.urlopen(page(url, "/api/v1/asyncapi.json"), timeout=10) as answer:
        assert b'"asyncapi":"3.0.0"' in answer.read()


def test_the_readmes_block_runs(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = (live.ROOT / "python" / "README.md").read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    (block,) = (block for block in blocks if "StreamClient" in block)
    assert "ws://127.0.0.1:8765/ws" in block
    exec(compile(block.replace("ws://127.0.0.1:8765/ws", url), "README.md", "exec"), {})
    assert "Level(price=Decimal(" in capsys.readouterr().out


def test_the_example_prints_books_of_several_exchanges(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert follow_stream.main(["--url", url, "--lines", "6", "kraken:*", "coinbase_exchange:*"]) >= 2
    assert "spread" in capsys.readouterr().out
