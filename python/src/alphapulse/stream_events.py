"""What a StreamClient tells: match on the type.

    async for event in client:
        match event:
            case BookEvent(instrument=name, book=book): ...
            case TradeEvent(price=price, quantity=quantity): ...
            case ResyncEvent() | ConnectionEvent() as why: ...

Bad case: a book that is kept beyond the next event; it is the client's own and moves on.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from .stream_book import StreamBook
from .stream_wire import Level


@dataclass(frozen=True)
class Status:
    """How well an instrument can be trusted."""

    state: str
    """synced, or why not: connecting, waiting, resyncing, out_of_service, retired, unknown."""
    assurance: str
    """How the exchange lets us know that the book is right: sequence, checksum, inferred, none."""
    reason: str
    since_ns: int
    trading: str
    price_exponent: int
    """Digits after the point; -1 = not yet known."""
    quantity_exponent: int


@dataclass(frozen=True)
class BookEvent:
    """A book changed and what proves it held; or it was proved again."""

    instrument: str
    depth: int
    """Levels a side; 0 = all."""
    rate_ms: int
    """Least milliseconds between updates; 0 = every change."""
    book: StreamBook
    is_snapshot: bool


@dataclass(frozen=True)
class TradeEvent:
    """A trade."""

    instrument: str
    id: str
    aggressor: str
    """The taker's side: buy, sell or unknown."""
    price: Decimal
    quantity: Decimal
    price_ticks: int
    quantity_lots: int
    is_history: bool
    """A replay of a past print."""
    gap_before: bool
    """The exchange's trade ids jumped before it."""
    version: int
    """One more than that of the trade before, until a reset of the channel."""
    book_version: int
    event_at_ns: int
    received_at_ns: int


@dataclass(frozen=True)
class BboEvent:
    """Best bid and offer; None = that side is empty."""

    instrument: str
    version: int
    is_synced: bool
    is_crossed: bool
    bid: Level | None
    ask: Level | None
    event_at_ns: int
    received_at_ns: int


@dataclass(frozen=True)
class StatusEvent:
    """The status of an instrument is another, or was told for the first time."""

    instrument: str
    status: Status


@dataclass(frozen=True)
class ResetEvent:
    """The server says that what it sent leads nowhere; for a book a snapshot follows."""

    instrument: str
    channel: str
    depth: int
    rate_ms: int
    reason: str


@dataclass(frozen=True)
class ResyncEvent:
    """A check failed here: the book was dropped and is asked for again."""

    instrument: str
    depth: int
    rate_ms: int
    reason: str


@dataclass(frozen=True)
class ConnectionEvent:
    """The connection is open, or was lost and will be tried again."""

    state: Literal["open", "lost"]
    reason: str
    delay_s: float
    """Until the next try; 0 when it is open."""


@dataclass(frozen=True)
class ErrorEvent:
    """The server refused a message."""

    code: str
    message: str


@dataclass(frozen=True)
class InstrumentsEvent:
    """The instruments of the server, as it lists them."""

    instruments: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class StatsEvent:
    """Rates and totals of the server, once a second, as it sends them."""

    stats: dict[str, Any]


@dataclass(frozen=True)
class OpportunityEvent:
    """An opportunity of arbitrage opened, changed or closed. Channel `arbitrage`; decimals are exact text, times Unix ms."""

    event: Literal["opened", "changed", "closed"]
    reason: str
    """Why it closed; `none` otherwise."""
    at_ms: float
    opportunity: dict[str, Any]
    """As the server sends it: id, kind, base, currency, quantity, profit, profitBps, legs …"""


@dataclass(frozen=True)
class OpportunitiesEvent:
    """All that is open, best first, and what closed last; replaces what is held."""

    open: tuple[dict[str, Any], ...]
    recent: tuple[dict[str, Any], ...]


StreamEvent: TypeAlias = (
    BookEvent
    | TradeEvent
    | BboEvent
    | StatusEvent
    | ResetEvent
    | ResyncEvent
    | ConnectionEvent
    | ErrorEvent
    | InstrumentsEvent
    | StatsEvent
    | OpportunityEvent
    | OpportunitiesEvent
)
"""Whatever a client tells."""
