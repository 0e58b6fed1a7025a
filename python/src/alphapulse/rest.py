"""A gateway's REST API: exact decimals as `Decimal`, tables as DataFrames where somebody wants them.

    from alphapulse.rest import RestClient

    client = RestClient("http://127.0.0.1:8765")
    book = client.order_book("kraken", "BTC-USD", depth=10)
    print(book.bids[0].price, book.assurance)
    print(client.trades("kraken", "BTC-USD").frame())        # needs pandas

Standard library only; pandas is loaded when a frame is asked for. Everything that the gateway says beside what is typed
here is in `raw`. Bad case: a book that is not synced; it is never answered, `NotSyncedError` says why.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from .errors import AlphaPulseError

if TYPE_CHECKING:
    import pandas as pd

API_ROOT = "/api/v1"
PROBLEM_TYPE = "application/problem+json"


class RestError(AlphaPulseError):
    """An answer that is no success: the problem details of the gateway (RFC 9457).

    Decide by `code`, never by the text. Bad case: a proxy answered; `code` is then empty.
    """

    def __init__(self, message: str, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.status = status
        """HTTP status."""
        self.code = str(problem.get("code", ""))
        """What kind of problem it is."""
        self.problem = dict(problem)
        """Everything that was said."""
        self.retry_after: float | None = None
        """Seconds after which asking again makes sense; None = nothing was said."""


class NotSyncedError(RestError):
    """The book is not known to be right; `state` and `reason` say why."""

    @property
    def state(self) -> str:
        """For example `resyncing`."""
        return str(self.problem.get("state", "unknown"))

    @property
    def reason(self) -> str:
        """For example `gap`."""
        return str(self.problem.get("reason", "unknown"))


@dataclass(frozen=True)
class RestLevel:
    """A level, exact."""

    price: Decimal
    quantity: Decimal


@dataclass(frozen=True)
class RestBook:
    """A synced book of one moment, best levels first."""

    instrument: str
    assurance: str
    """How the exchange lets us know that it is right: sequence, checksum or inferred."""
    crossed: bool
    version: int
    hash: int
    event_at_ns: int
    """By the exchange's clock; 0 = unknown."""
    received_at_ns: int
    bids: tuple[RestLevel, ...]
    asks: tuple[RestLevel, ...]
    raw: Mapping[str, Any] = field(repr=False)

    def frame(self) -> pd.DataFrame:
        """A row per level: side, price, quantity; prices and quantities as floats. Needs pandas."""
        rows = [("bid", level) for level in self.bids] + [("ask", level) for level in self.asks]
        return _frame(
            [{"side": side, "price": float(level.price), "quantity": float(level.quantity)} for side, level in rows],
            ("side", "price", "quantity"),
        )


@dataclass(frozen=True)
class RestTrade:
    """A trade, exact."""

    id: str
    price: Decimal
    quantity: Decimal
    aggressor: str
    """The taker's side: buy, sell or unknown."""
    version: int
    book_version: int
    event_at_ns: int
    received_at_ns: int
    history: bool
    gap_before: bool
    """Trades before it may be missing."""


@dataclass(frozen=True)
class RestTrades:
    """The latest trades of an instrument, latest first."""

    instrument: str
    total: int
    """Trades that the gateway has seen since it started."""
    trades: tuple[RestTrade, ...]
    raw: Mapping[str, Any] = field(repr=False)

    def frame(self) -> pd.DataFrame:
        """A row per trade, by its version, oldest first; prices and quantities as floats, times in UTC. Needs pandas."""
        import pandas as pd

        columns = ("version", "time", "id", "price", "quantity", "aggressor", "gap_before")
        rows = [
            {
                "version": trade.version,
                "time": pd.Timestamp(trade.event_at_ns, unit="ns", tz="UTC"),
                "id": trade.id,
                "price": float(trade.price),
                "quantity": float(trade.quantity),
                "aggressor": trade.aggressor,
                "gap_before": trade.gap_before,
            }
            for trade in reversed(self.trades)
        ]
        return _frame(rows, columns).set_index("version")


class RestClient:
    """Asks one gateway. Thread: any; every call opens a connection of its own."""

    def __init__(self, url: str = "http://127.0.0.1:8765", *, key: str | None = None, timeout: float = 10.0) -> None:
        """`url`: where the gateway is; `key`: where keys are needed; `timeout`: seconds."""
        self.url = url.rstrip("/")
        self._key = key
        self._timeout = timeout

    def exchanges(self) -> list[dict[str, Any]]:
        """Exchanges with their state, instruments, features, rates and latency."""
        return _rows(self._get("/exchanges"), "exchanges")

    def instruments(self) -> list[dict[str, Any]]:
        """All instruments that are served."""
        return _rows(self._get("/instruments"), "instruments")

    def instruments_frame(self) -> pd.DataFrame:
        """The same by their names. Needs pandas."""
        return _frame(self.instruments(), ("instrument",)).set_index("instrument")

    def order_book(self, exchange: str, symbol: str, depth: int | Literal["full"] = 50) -> RestBook:
        """The book of an instrument, `depth` levels a side (1 to 1000), or all of them.

        Raises NotSyncedError while it is not known to be right, RestError for other problems.
        """
        raw = self._get(f"/orderbook/{_part(exchange)}/{_part(symbol)}", depth=depth)
        return RestBook(
            instrument=raw["instrument"],
            assurance=raw["assurance"],
            crossed=raw["crossed"],
            version=int(raw["version"]),
            hash=raw["hash"],
            event_at_ns=int(raw["event_at_ns"]),
            received_at_ns=int(raw["received_at_ns"]),
            bids=_levels(raw["bids"]),
            asks=_levels(raw["asks"]),
            raw=raw,
        )

    def trades(self, exchange: str, symbol: str, limit: int = 50) -> RestTrades:
        """The latest trades of an instrument, at most `limit` (1 to 1000) of those that are remembered."""
        raw = self._get(f"/trades/{_part(exchange)}/{_part(symbol)}", limit=limit)
        return RestTrades(raw["instrument"], raw["total"], tuple(_trade(one) for one in raw["trades"]), raw)

    def delta_stats(self, exchange: str, symbol: str) -> dict[str, Any]:
        """What deltas cost and save for an instrument; None where nothing is known."""
        return self._get(f"/delta-stats/{_part(exchange)}/{_part(symbol)}")

    def delta_summary(self) -> dict[str, Any]:
        """The same for all instruments together, and by exchange."""
        return self._get("/delta-stats/summary")

    def opportunities(self, *, min_profit_bps: float | None = None, max_age_ms: int | None = None) -> dict[str, Any]:
        """Opportunities of arbitrage that are open, the last ones that closed, and counts."""
        return self._get("/arbitrage/opportunities", min_profit_bps=min_profit_bps, max_age_ms=max_age_ms)

    def health(self) -> dict[str, Any]:
        """What runs, how it stands and what it uses."""
        return self._get("/system/health")

    def feeds(self) -> list[tuple[str, str]]:
        """Exchange and symbol of every instrument that is collected."""
        return [(feed["exchange"], feed["symbol"]) for feed in _rows(self._get("/feeds"), "feeds")]

    def add_feed(self, exchange: str, symbol: str) -> str:
        """Collects one more instrument. Returns `added` or `already_there`; its first book comes later."""
        return str(self._ask("POST", "/feeds", {"exchange": exchange, "symbol": symbol})["outcome"])

    def remove_feed(self, exchange: str, symbol: str) -> str:
        """Collects an instrument no more. Returns `removed` or `not_there`."""
        return str(self._ask("DELETE", f"/feeds/{_part(exchange)}/{_part(symbol)}")["outcome"])

    def _get(self, path: str, **query: object) -> dict[str, Any]:
        asked = {name: value for name, value in query.items() if value is not None}
        return self._ask("GET", f"{path}?{urllib.parse.urlencode(asked)}" if asked else path)

    def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        url = f"{self.url}{API_ROOT}{path}"
        headers = {"accept": "application/json"}
        if self._key is not None:
            headers["authorization"] = f"Bearer {self._key}"
        content = None
        if body is not None:
            headers["content-type"] = "application/json"
            content = json.dumps(body).encode()
        request = urllib.request.Request(url, data=content, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as answer:
                value: dict[str, Any] = json.load(answer)
                return value
        except urllib.error.HTTPError as error:
            with error:
                raise _error(error, url) from None


def _error(answer: urllib.error.HTTPError, url: str) -> RestError:
    is_problem = (answer.headers.get("content-type") or "").startswith(PROBLEM_TYPE)
    problem: dict[str, Any] = json.load(answer) if is_problem else {}
    kind = NotSyncedError if problem.get("code") == "not_synced" else RestError
    told = problem.get("detail", "no problem was told")
    error = kind(f"Cannot read {url}: {told}, was {answer.code}", answer.code, problem)
    retry_after = answer.headers.get("retry-after")
    error.retry_after = None if retry_after is None else float(retry_after)
    return error


def _part(text: str) -> str:
    return urllib.parse.quote(text, safe="")


def _rows(answer: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = answer[name]
    return rows


def _levels(pairs: Iterable[tuple[str, str]]) -> tuple[RestLevel, ...]:
    return tuple(RestLevel(Decimal(price), Decimal(quantity)) for price, quantity in pairs)


def _trade(raw: Mapping[str, Any]) -> RestTrade:
    return RestTrade(
        id=raw["id"],
        price=Decimal(raw["price"]),
        quantity=Decimal(raw["quantity"]),
        aggressor=raw["aggressor"],
        version=int(raw["version"]),
        book_version=int(raw["book_version"]),
        event_at_ns=int(raw["event_at_ns"]),
        received_at_ns=int(raw["received_at_ns"]),
        history=raw["history"],
        gap_before=raw["gap_before"],
    )


def _frame(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=list(columns))
