"""StreamClient against a server on a real socket that says what the golden vectors say: acknowledgements, resumes,
failed checks, lost connections, refusals. Bad case: a test that waits for what never comes; each wait is bounded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

import pytest
from alphapulse.stream import (
    BboEvent,
    BookEvent,
    ConnectionEvent,
    ErrorEvent,
    Level,
    ResetEvent,
    ResyncEvent,
    StatusEvent,
    StreamClient,
    StreamEvent,
    StreamRefusedError,
    TradeEvent,
)
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

VECTORS_FILE = Path(__file__).parents[2] / "src" / "wire" / "golden" / "vectors.jsonl"
VECTORS = {vector["name"]: vector for vector in map(json.loads, VECTORS_FILE.read_text("utf-8").splitlines())}
NAME = "golden:BTC-USD"
PATIENCE_S = 10.0
STATUS = {
    "instrument": NAME,
    "state": "synced",
    "assurance": "sequence",
    "reason": "none",
    "sinceNs": "5",
    "trading": "open",
    "priceExponent": 2,
    "quantityExponent": 3,
}
Event = TypeVar("Event", bound=StreamEvent)


class FakeGateway:
    """Says what a test tells it to; keeps what clients say."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.connections: asyncio.Queue[ServerConnection] = asyncio.Queue()
        self.headers: list[str | None] = []
        self.refusal: tuple[HTTPStatus, str] | None = None
        self.url = ""

    async def serve(self, connection: ServerConnection) -> None:
        await self.connections.put(connection)
        async for text in connection:
            await self.said.put(json.loads(text))

    def judge(self, connection: ServerConnection, request: Request) -> Response | None:
        self.headers.append(request.headers.get("Authorization"))
        return None if self.refusal is None else connection.respond(*self.refusal)


@asynccontextmanager
async def gateway() -> AsyncIterator[FakeGateway]:
    fake = FakeGateway()
    subprotocols: Any = ["alphapulse.v1.bin", "alphapulse.v1.json"]
    async with serve(fake.serve, "127.0.0.1", 0, subprotocols=subprotocols, process_request=fake.judge) as server:
        fake.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"
        yield fake


def run(test: Callable[[FakeGateway], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with gateway() as fake:
            await asyncio.wait_for(test(fake), PATIENCE_S)

    asyncio.run(bounded())


async def until(client: StreamClient, kind: type[Event]) -> Event:
    """The next event of a type; others on the way are left."""
    while True:
        event = await client.next(PATIENCE_S)
        assert event is not None, f"no {kind.__name__} came"
        if isinstance(event, kind):
            return event


def subscribed(message: dict[str, Any], **fields: Any) -> str:
    view = {"alias": 3, "depth": 0, "rateMs": 0, "policy": "conflate", "resumed": False}
    told = {"type": "subscribed", "id": message["id"], "channel": "book", **view, **STATUS, **fields}
    return json.dumps(told)


async def send(connection: ServerConnection, vector: str, *, before: bool = True) -> None:
    known = VECTORS[vector]
    for message in [*(known["before"]["messages"] if before and known["before"] else []), *known["messages"]]:
        await connection.send(bytes.fromhex(message) if known["form"] == "binary" else message)


async def follow(fake: FakeGateway, client: StreamClient) -> ServerConnection:
    """Subscribes, and is given the book."""
    await client.subscribe(["book"], [NAME])
    wait = asyncio.create_task(until(client, BookEvent))
    connection = await fake.connections.get()
    await connection.send(subscribed(await fake.said.get()))
    await send(connection, "snapshot/two levels a side")
    await wait
    return connection


def test_client_follows_a_book_when_it_subscribed() -> None:
    async def test(fake: FakeGateway) -> None:
        async with StreamClient(fake.url, key="s3cret") as client:
            await client.subscribe(["book"], ["golden:*"], policy="lossless")
            assert (await until(client, ConnectionEvent)).state == "open"
            wait = asyncio.create_task(until(client, BookEvent))
            connection = await fake.connections.get()
            assert connection.subprotocol == "alphapulse.v1.bin"
            message = await fake.said.get()
            assert message == {
                "op": "subscribe",
                "id": 1,
                "channels": ["book"],
                "instruments": ["golden:*"],
                "policy": "lossless",
            }
            await connection.send(subscribed(message))
            await send(connection, "deltas/both sides")
            event = await wait
            assert event.is_snapshot
            assert event.book.best_bid == Level(Decimal("99.99"), Decimal("1.5"))
            event = await until(client, BookEvent)
            assert not event.is_snapshot
            book = client.book(NAME)
            assert book is event.book
            assert book is not None
            assert book.best_ask == Level(Decimal("100.01"), Decimal("0.004"))
            assert (book.mid, book.spread) == (Decimal("100"), Decimal("0.02"))
            assert len(book.bids()) == book.bid_count == 2
            assert client.is_synced(NAME)
            assert fake.headers == ["Bearer s3cret"]
            status = client.status(NAME)
            assert status is not None
            assert status.assurance == "sequence"

    run(test)


def test_client_goes_on_where_it_stood_when_the_connection_was_lost() -> None:
    async def test(fake: FakeGateway) -> None:
        async with StreamClient(fake.url) as client:
            connection = await follow(fake, client)
            await connection.close(1001)
            lost = await until(client, ConnectionEvent)
            assert (lost.state, client.is_synced(NAME)) == ("lost", False)
            assert client.book(NAME) is not None
            wait = asyncio.create_task(until(client, BookEvent))
            connection = await fake.connections.get()
            message = await fake.said.get()
            assert message["resume"] == {NAME: {"epoch": 7, "version": "1"}}
            await connection.send(subscribed(message, resumed=True))
            await send(connection, "conflated/both sides", before=False)
            event = await wait
            assert not event.is_snapshot
            assert client.is_synced(NAME)
            assert client.counts.resumes == 1
            assert str(event.book.version) == VECTORS["conflated/both sides"]["after"]["version"]

    run(test)


@pytest.mark.parametrize(
    ("vector", "reason"),
    [
        ("refused deltas/a wrong hash", "hash"),
        ("refused conflated/from a later version", "chain"),
        ("refused deltas/a byte too many", "inconsistent"),
        ("refused parts/best prices, a wrong checksum", "malformed"),
    ],
)
def test_client_asks_for_a_book_again_when_a_check_fails(vector: str, reason: str) -> None:
    async def test(fake: FakeGateway) -> None:
        async with StreamClient(fake.url) as client:
            connection = await follow(fake, client)
            wait = asyncio.create_task(until(client, ResyncEvent))
            await send(connection, vector, before=False)
            assert (await wait).reason == reason
            assert client.book(NAME) is None
            wait_book = asyncio.create_task(until(client, BookEvent))
            message = await fake.said.get()
            assert (message["instruments"], message["reason"], "resume" in message) == ([NAME], reason, False)
            await send(connection, "deltas/bid changed", before=False)
            await connection.send(subscribed(message))
            await send(connection, "snapshot/two levels a side")
            assert (await wait_book).is_snapshot
            assert client.is_synced(NAME)
            assert client.counts.resyncs == 1

    run(test)


def test_client_does_not_trust_changes_when_a_snapshot_must_come_first() -> None:
    async def test(fake: FakeGateway) -> None:
        async with StreamClient(fake.url) as client:
            connection = await follow(fake, client)
            wait = asyncio.create_task(until(client, ResetEvent))
            reset = {"type": "reset", "instrument": NAME, "channel": "book", "depth": 0, "rateMs": 0}
            await connection.send(json.dumps({**reset, "reason": "slow_client"}))
            assert (await wait).reason == "slow_client"
            assert not client.is_synced(NAME)
            await send(connection, "deltas/bid changed", before=False)
            assert (await until(client, ResyncEvent)).reason == "chain"

    run(test)


def test_client_drops_a_book_when_the_units_change() -> None:
    async def test(fake: FakeGateway) -> None:
        async with StreamClient(fake.url) as client:
            connection = await follow(fake, client)
            await connection.send(json.dumps({"type": "status", **STATUS, "priceExponent": 4}))
            assert (await until(client, StatusEvent)).status.price_exponent == 4
            assert client.book(NAME) is None
            await send(connection, "snapshot/two levels a side")
            assert (await until(client, ResyncEvent)).reason == "exponents"

    run(test)


def test_client_tells_trades_and_best_prices_when_they_come() -> None:
    async def test(fake: FakeGateway) -> None:
        async with StreamClient(fake.url) as client:
            await client.subscribe(["trades", "bbo"], [NAME])
            wait = asyncio.create_task(until(client, TradeEvent))
            connection = await fake.connections.get()
            message = await fake.said.get()
            await connection.send(subscribed(message, channel="trades", policy="lossless"))
            await connection.send(subscribed(message, channel="bbo"))
            await send(connection, "trades/one buy")
            trade = await wait
            assert (trade.price, trade.quantity, trade.aggressor) == (Decimal("100.01"), Decimal("0.05"), "buy")
            await send(connection, "bbo/no bid")
            best = await until(client, BboEvent)
            assert (best.bid, best.ask) == (None, Level(Decimal("100.01"), Decimal("0.7")))
            await send(connection, "trades/largest numbers")
            assert (await until(client, TradeEvent)).version == 2**64 - 1
            assert client.counts.trades_missed == 2**64 - 1 - 8

    run(test)


def test_client_follows_the_json_form_when_it_is_asked_for() -> None:
    async def test(fake: FakeGateway) -> None:
        async with StreamClient(fake.url, form="json") as client:
            await client.subscribe(["book", "trades"], [NAME])
            wait = asyncio.create_task(until(client, BookEvent))
            connection = await fake.connections.get()
            assert connection.subprotocol == "alphapulse.v1.json"
            await connection.send(subscribed(await fake.said.get()))
            await send(connection, "json/delta, sides in turn")
            assert (await wait).is_snapshot
            event = await until(client, BookEvent)
            assert event.book.hash == VECTORS["json/delta, sides in turn"]["after"]["hash"]
            await send(connection, "json/trades, one sell")
            assert (await until(client, TradeEvent)).price_ticks == 10_001
            error = {"type": "error", "id": 9, "code": "unknown_instrument", "message": "Cannot find"}
            await connection.send(json.dumps(error))
            assert (await until(client, ErrorEvent)).code == "unknown_instrument"

    run(test)


@pytest.mark.parametrize("nonsense", ["{", '{"type":"status"}', b"\x01\x09\x00", b""])
def test_client_gives_the_connection_up_when_nothing_on_it_can_be_trusted(nonsense: str | bytes) -> None:
    async def test(fake: FakeGateway) -> None:
        async with StreamClient(fake.url) as client:
            assert (await until(client, ConnectionEvent)).state == "open"
            connection = await fake.connections.get()
            await connection.send(nonsense)
            lost = await until(client, ConnectionEvent)
            assert lost.state == "lost"
            assert (await until(client, ConnectionEvent)).state == "open"
            assert client.counts.malformed == 1

    run(test)


def test_client_raises_when_it_is_refused_for_good() -> None:
    async def test(fake: FakeGateway) -> None:
        fake.refusal = (HTTPStatus.UNAUTHORIZED, "Cannot connect: a valid key is needed")
        async with StreamClient(fake.url) as client:
            with pytest.raises(StreamRefusedError, match="a valid key is needed"):
                await client.next(PATIENCE_S)

    run(test)


def test_client_tries_again_when_the_server_has_no_room() -> None:
    async def test(fake: FakeGateway) -> None:
        fake.refusal = (HTTPStatus.SERVICE_UNAVAILABLE, "Cannot connect: full")
        async with StreamClient(fake.url) as client:
            lost = await until(client, ConnectionEvent)
            assert (lost.state, "full" in lost.reason) == ("lost", True)
            fake.refusal = None
            assert await client.next(0.001) is None
            assert (await until(client, ConnectionEvent)).state == "open"

    run(test)


def test_iteration_ends_when_the_client_is_closed_or_need_not_come_back() -> None:
    async def test(fake: FakeGateway) -> None:
        client = StreamClient(fake.url, reconnect=False)
        states = []
        async for event in client:
            assert isinstance(event, ConnectionEvent)
            states.append(event.state)
            if event.state == "open":
                await (await fake.connections.get()).close()
        assert states == ["open", "lost"]
        again = StreamClient(fake.url)
        wait = asyncio.create_task(again.next())
        await asyncio.sleep(0)
        await again.close()
        assert await again.next() is None
        wait.cancel()

    run(test)
