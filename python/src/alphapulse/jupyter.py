"""Live displays for notebooks: a book, trades, spreads. Needs the extra `alphapulse[jupyter]`.

Each display is a function from the market to HTML, which `watch` renews in place; the functions are usable alone.
Bad case: a book that is not synced; it is shown greyed with its reason, never as if it were right.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from html import escape
from typing import Final

from IPython.display import HTML, DisplayHandle

from . import _layout as layout
from .outcomes import Batch
from .reconstructor import BookView, OrderBookReconstructor
from .records import trade_id
from .segment import SegmentReader

_STYLE: Final = "font-family:monospace;font-variant-numeric:tabular-nums"
_AGGRESSORS: Final = {layout.AGGRESSOR_BUY: "buy", layout.AGGRESSOR_SELL: "sell"}


def watch(render: Callable[[], str], seconds: float = 10.0, interval: float = 0.25) -> int:
    """Shows what `render` gives, anew every `interval`, for `seconds`; interrupt the kernel to end earlier.

    Returns how often it was drawn.
    """
    handle = DisplayHandle()
    handle.display(HTML(render()))
    drawn = 1
    until = time.monotonic() + seconds
    try:
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(interval, left))
            handle.update(HTML(render()))
            drawn += 1
    except KeyboardInterrupt:
        return drawn
    return drawn


def live_book(books: OrderBookReconstructor, name: str, *, levels: int = 10, seconds: float = 10.0) -> int:
    """The best levels of a book, renewed four times a second."""

    def render() -> str:
        books.update()
        return book_html(books.book(name), levels)

    return watch(render, seconds)


def live_trades(reader: SegmentReader, name: str, *, rows: int = 15, seconds: float = 10.0) -> int:
    """The last trades of an instrument, renewed four times a second."""
    tape = TradeTape(reader, name, rows)
    return watch(tape.render, seconds)


def live_spread(reader: SegmentReader, *names: str, seconds: float = 10.0) -> int:
    """Bid, ask and spread of instruments from their top-of-book cells, renewed four times a second."""
    return watch(lambda: spread_html(reader, *names), seconds)


def book_html(view: BookView, levels: int = 10) -> str:
    """One book as a table: bids left, asks right."""
    sides = view.depth_text(levels)
    entry = view.instrument
    rows = []
    for rank in range(max(len(sides["bids"]), len(sides["asks"]))):
        bid = sides["bids"][rank] if rank < len(sides["bids"]) else ("", "")
        ask = sides["asks"][rank] if rank < len(sides["asks"]) else ("", "")
        rows.append(_row(bid[1], bid[0], ask[0], ask[1]))
    state = "synced" if view.is_synced else f"not synced: {view.problem or entry.reason}"
    title = f"{entry.canonical} · {state} ({entry.assurance}) · version {view.version} · hash {view.hash:08x}"
    return _table(title, ("bid quantity", "bid", "ask", "ask quantity"), rows, view.is_synced)


def spread_html(reader: SegmentReader, *names: str) -> str:
    """Tops of several instruments as a table."""
    rows = []
    for name in names:
        top = reader.top(name)
        state = "synced" if top.is_synced else "busy" if top.is_busy else "not synced"
        rows.append(_row(name, *(_plain(value) for value in (top.bid, top.ask, top.spread)), state))
    return _table(reader.exchange, ("instrument", "bid", "ask", "spread", "state"), rows, reader.is_live)


class TradeTape:
    """The last trades of one instrument."""

    def __init__(self, reader: SegmentReader, name: str, rows: int = 15) -> None:
        self._reader = reader
        self._name = name
        self._rows: deque[str] = deque(maxlen=rows)

    def render(self) -> str:
        """Reads what came since the last call, and gives the table."""
        entry = self._reader.instrument(self._name)
        while isinstance(outcome := self._reader.read_trades(), Batch):
            for record in outcome.records[outcome.records["instrument_id"] == entry.id]:
                at = int(record["event_at_ns"] or record["received_at_ns"])
                clock = time.strftime("%H:%M:%S", time.gmtime(at // 1_000_000_000))
                price = entry.price_text(int(record["price_ticks"]))
                quantity = entry.quantity_text(int(record["quantity_lots"]))
                side = _AGGRESSORS.get(int(record["aggressor"]), "")
                self._rows.appendleft(_row(clock, side, price, quantity, trade_id(record)))
        title = f"{entry.canonical} · trades (UTC)"
        return _table(title, ("time", "taker", "price", "quantity", "id"), list(self._rows), self._reader.is_live)


def _plain(value: Decimal | None) -> str:
    return "" if value is None else f"{value:f}"


def _row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def _table(title: str, columns: tuple[str, ...], rows: list[str], is_live: bool) -> str:
    heads = "".join(f"<th>{escape(name)}</th>" for name in columns)
    colour = "" if is_live else ";opacity:0.4"
    return f'<table style="{_STYLE}{colour}"><caption>{escape(title)}</caption><tr>{heads}</tr>{"".join(rows)}</table>'
