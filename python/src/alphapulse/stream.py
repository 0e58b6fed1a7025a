"""StreamClient: books, trades and best prices of a gateway over WebSocket, exact and proved.

Needs the extra `alphapulse[stream]`.

    async with StreamClient("ws://127.0.0.1:8765/ws") as client:
        await client.subscribe(["book"], ["kraken:BTC-USD"], depth=10)
        async for event in client:
            if isinstance(event, BookEvent) and client.is_synced(event.instrument, depth=10):
                print(event.book.best_bid, event.book.best_ask)

Everything happens while events are taken: between two of them no book moves, and who takes them slowly makes the server
conflate, nothing else. Lost connections are tried again, and books go on where they stood.
Bad case: a consumer that stops taking events for longer than the server waits; it is disconnected, and comes back.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Final, Literal

from .errors import AlphaPulseError
from .stream_book import StreamBook
from .stream_events import (
    BboEvent,
    BookEvent,
    ConnectionEvent,
    ErrorEvent,
    InstrumentsEvent,
    OpportunitiesEvent,
    OpportunityEvent,
    ResetEvent,
    ResyncEvent,
    StatsEvent,
    Status,
    StatusEvent,
    StreamEvent,
    TradeEvent,
)
from .stream_session import StreamSession
from .stream_state import ConnectionFaultError, Counts, Subscription
from .stream_wire import Level, Outcome

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

__all__ = [
    "BboEvent",
    "BookEvent",
    "ConnectionEvent",
    "ErrorEvent",
    "InstrumentsEvent",
    "Level",
    "OpportunitiesEvent",
    "OpportunityEvent",
    "Outcome",
    "ResetEvent",
    "ResyncEvent",
    "StatsEvent",
    "Status",
    "StatusEvent",
    "StreamBook",
    "StreamClient",
    "StreamError",
    "StreamEvent",
    "StreamRefusedError",
    "TradeEvent",
]

_SUBPROTOCOLS: Final = {"binary": "alphapulse.v1.bin", "json": "alphapulse.v1.json"}
_MESSAGE_BYTES_MAX: Final = 64 << 20
_DELAY_FIRST_S: Final = 0.25
_DELAY_MAX_S: Final = 10.0
_STABLE_S: Final = 5.0
_OPEN_S: Final = 10.0
_PING_S: Final = 15.0
_RETRYABLE: Final = (408, 425, 429)


class StreamError(AlphaPulseError):
    """The stream cannot be used."""


class StreamRefusedError(StreamError):
    """The server does not let this client in; trying again would not help."""


class StreamClient:
    """A client of the stream; async context manager and async iterator of events. Thread: that of the event loop."""

    def __init__(
        self,
        url: str,
        *,
        form: Literal["binary", "json"] = "binary",
        key: str | None = None,
        reconnect: bool = True,
    ) -> None:
        """url: ws://HOST:PORT/ws. key: an API key, sent as a header. reconnect: False = a lost one is the end."""
        self.url = url
        self._form = form
        self._key = key
        self._reconnect = reconnect
        self._session = StreamSession()
        self._socket: ClientConnection | None = None
        self._events: deque[StreamEvent] = deque()
        self._opening: asyncio.Task[ClientConnection | None] | None = None
        self._attempts = 0
        self._retry_at = 0.0
        self._opened_at = 0.0
        self._is_closed = False

    async def __aenter__(self) -> StreamClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # ── what is asked for ────────────────────────────────────────────────────────────────────────

    async def subscribe(
        self,
        channels: Iterable[str],
        instruments: Iterable[str] = (),
        *,
        depth: int = 0,
        rate_ms: int = 0,
        policy: Literal["conflate", "lossless", "disconnect"] | None = None,
    ) -> None:
        """Subscribes, now and after every reconnect.

        channels: book, bbo, trades, status of instruments; stats, arbitrage (without instruments) of the server. instruments: names or patterns
        such as `kraken:*` and `*:BTC-USD`. depth (levels a side, 0 = all) and rate_ms (least time between updates,
        0 = every change): which view of a book. policy: what becomes of this client when it is slow.
        """
        wanted = Subscription(tuple(channels), tuple(instruments), depth, rate_ms, policy)
        await self._send(self._session.subscribe(wanted))

    async def unsubscribe(
        self, channels: Iterable[str], instruments: Iterable[str] = (), *, depth: int = 0, rate_ms: int = 0
    ) -> None:
        """Ends what was subscribed, as it was named."""
        await self._send(self._session.unsubscribe(Subscription(tuple(channels), tuple(instruments), depth, rate_ms)))

    async def list_instruments(self) -> None:
        """Asks for the list of instruments; it comes as an InstrumentsEvent. Needs a connection."""
        if self._socket is None:
            raise StreamError("Cannot list instruments: there is no connection, was lost or never open")
        await self._send([self._session.list_instruments()])

    # ── what it holds ────────────────────────────────────────────────────────────────────────────

    @property
    def is_connected(self) -> bool:
        """There is a connection, as far as anybody knows."""
        return self._socket is not None

    @property
    def counts(self) -> Counts:
        """What happened so far."""
        return self._session.counts

    def book(self, instrument: str, *, depth: int = 0, rate_ms: int = 0) -> StreamBook | None:
        """A book as it is held now; None before there is one. It is kept while it is not synced, too: see is_synced."""
        view = self._session.views.get((instrument, depth, rate_ms))
        return None if view is None or not view.book.has_book else view.book

    def is_synced(self, instrument: str, *, depth: int = 0, rate_ms: int = 0) -> bool:
        """The server says synced, so does the book's last event, and every check here held."""
        view = self._session.views.get((instrument, depth, rate_ms))
        return view is not None and self._session.is_synced(view)

    def status(self, instrument: str) -> Status | None:
        """The status that was told last; None before the first."""
        return self._session.statuses.get(instrument)

    # ── events ───────────────────────────────────────────────────────────────────────────────────

    def __aiter__(self) -> AsyncIterator[StreamEvent]:
        return self

    async def __anext__(self) -> StreamEvent:
        event = await self.next()
        if event is None:
            raise StopAsyncIteration
        return event

    async def next(self, timeout: float | None = None) -> StreamEvent | None:
        """The next event; None when none came within `timeout` seconds, or the client is closed.

        Raises StreamRefusedError when the server refuses this client for good.
        """
        if self._events:
            return self._events.popleft()
        try:
            return await asyncio.wait_for(self._pull(), timeout)
        except asyncio.TimeoutError:
            return None

    async def close(self) -> None:
        """Closes for good; iterations end."""
        self._is_closed = True
        opening, self._opening = self._opening, None
        socket, self._socket = self._socket, None
        if opening is not None:
            opening.cancel()
            await asyncio.wait([opening])
            if not opening.cancelled() and opening.exception() is None:
                socket = opening.result()
        if socket is not None:
            await socket.close()

    async def _pull(self) -> StreamEvent | None:
        while not self._events and not self._is_closed:
            if self._socket is None:
                await self._open()
            else:
                await self._receive(self._socket)
        return self._events.popleft() if self._events else None

    async def _receive(self, socket: ClientConnection) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            content = await self._content(socket)
            if content is not None:
                self._events.extend(self._session.receive(content, time.monotonic()))
            await self._send(self._session.take_due(time.monotonic()))
        except ConnectionClosed as error:
            self._lost(str(error))
        except ConnectionFaultError as fault:
            self._lost(str(fault))
            await socket.close(1008)

    async def _content(self, socket: ClientConnection) -> str | bytes | None:
        """One message; None when a book is due to be asked for again before one came."""
        due = min((at for at, _, _ in self._session.due), default=None)
        if due is None:
            return await socket.recv()
        try:
            return await asyncio.wait_for(socket.recv(), max(0.0, due - time.monotonic()))
        except asyncio.TimeoutError:
            return None

    async def _open(self) -> None:
        """Waits for a connection, which comes about in a task of its own: a caller's short timeout does not end it."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._connect())
        try:
            socket = await asyncio.shield(self._opening)
        except asyncio.CancelledError:
            # The task goes on, or has just ended: its connection is for the next caller.
            raise
        except BaseException:
            self._opening = None
            raise
        self._opening = None
        if socket is not None:
            self._socket = socket
            self._opened_at = time.monotonic()
            self._events.append(ConnectionEvent("open", "", 0.0))
            await self._send(self._session.opened())

    async def _connect(self) -> ClientConnection | None:
        """One try, when it is time for it. None when it failed and may be repeated."""
        try:
            from websockets.asyncio.client import connect
            from websockets.exceptions import InvalidHandshake, InvalidStatus
            from websockets.typing import Subprotocol
        except ImportError as cause:
            raise StreamError("Cannot connect: the package websockets is missing, see alphapulse[stream]") from cause
        await asyncio.sleep(max(0.0, self._retry_at - time.monotonic()))
        headers = {} if self._key is None else {"Authorization": f"Bearer {self._key}"}
        try:
            return await connect(
                self.url,
                subprotocols=[Subprotocol(_SUBPROTOCOLS[self._form])],
                additional_headers=headers,
                compression="deflate" if self._form == "json" else None,
                max_size=_MESSAGE_BYTES_MAX,
                open_timeout=_OPEN_S,
                ping_interval=_PING_S,
                ping_timeout=_PING_S,
            )
        except InvalidStatus as error:
            status = error.response.status_code
            reason = (error.response.body or b"").decode("utf-8", "replace")
            if 400 <= status < 500 and status not in _RETRYABLE:
                raise StreamRefusedError(f"{reason or 'Cannot connect: refused'}, was HTTP {status}") from error
            self._lost(f"HTTP {status} {reason}")
        except (OSError, InvalidHandshake, asyncio.TimeoutError) as error:
            self._lost(str(error) or type(error).__name__)
        return None

    def _lost(self, reason: str) -> None:
        """There is no connection any more, or none came about."""
        if self._socket is not None and time.monotonic() - self._opened_at > _STABLE_S:
            self._attempts = 0
        delay = min(_DELAY_MAX_S, _DELAY_FIRST_S * 2.0**self._attempts) * random.uniform(0.5, 1.0)
        self._attempts += 1
        self._retry_at = time.monotonic() + delay
        self._socket = None
        self._events.extend(self._session.closed())
        self._events.append(ConnectionEvent("lost", reason, delay))
        self._is_closed = self._is_closed or not self._reconnect

    async def _send(self, texts: list[str]) -> None:
        from websockets.exceptions import ConnectionClosed

        for text in texts:
            if self._socket is None:
                return
            try:
                await self._socket.send(text)
            except ConnectionClosed as error:
                self._lost(str(error))
