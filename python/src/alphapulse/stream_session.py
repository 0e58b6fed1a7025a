"""What a StreamClient knows, without its socket: subscriptions, aliases, books, and what each message means.

Messages go in, events and messages to send come out; time is an argument: all of it is tested without a server.
Bad case: a frame whose alias was never acknowledged on this connection; nothing on the connection can be trusted then.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from typing import Any, Final

from . import _layout as layout
from .decimals import to_decimal, to_units
from .stream_events import (
    BboEvent,
    BookEvent,
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
from .stream_messages import SERVER_CHANNELS, Fields, read_message
from .stream_state import ConnectionFaultError, Counts, Subscription, View, ViewKey
from .stream_wire import Level, Outcome, alias_of, read_bbo, read_trades

_RESUME_MAX: Final = 256
_RESYNC_FIRST_S: Final = 0.1
_RESYNC_MAX_S: Final = 10.0
_CALM_S: Final = 30.0
_UNKNOWN: Final = Status("connecting", "none", "disconnected", 0, "unknown", -1, -1)


class StreamSession:
    """The state of a client. Thread: one."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.statuses: dict[str, Status] = {}
        self.views: dict[ViewKey, View] = {}
        self.subscriptions: list[Subscription] = []
        self.is_connected = False
        self.due: list[tuple[float, View, str]] = []
        """Books to ask for again: when, which, why."""
        self._aliases: dict[int, str] = {}
        self._views_by_alias: dict[int, View] = {}
        self._next_trade: dict[str, int] = {}
        self._next_id = 1

    # ── what is asked for ────────────────────────────────────────────────────────────────────────

    def subscribe(self, subscription: Subscription) -> list[str]:
        """Keeps it for every connection. What to send now."""
        if subscription not in self.subscriptions:
            self.subscriptions.append(subscription)
        return [self._subscribe_text(subscription)] if self.is_connected else []

    def unsubscribe(self, subscription: Subscription) -> list[str]:
        """Forgets it. What to send now."""
        mine = (subscription.channels, subscription.instruments, subscription.depth, subscription.rate_ms)
        self.subscriptions = [
            one for one in self.subscriptions if (one.channels, one.instruments, one.depth, one.rate_ms) != mine
        ]
        return [self._text("unsubscribe", subscription.fields())] if self.is_connected else []

    def list_instruments(self) -> str:
        """The message that asks for the list."""
        return self._text("instruments", {})

    def opened(self) -> list[str]:
        """A connection is there. What to send first: everything that was subscribed, with where its books stand."""
        self.is_connected = True
        self.counts.connections += 1
        return [self._subscribe_text(one) for one in self.subscriptions]

    def closed(self) -> Iterator[StreamEvent]:
        """The connection is gone: books stay to be resumed, and say that they are not synced."""
        self.is_connected = False
        self._aliases.clear()
        self._views_by_alias.clear()
        self._next_trade.clear()
        self.due.clear()
        for view in self.views.values():
            view.is_wanted = False
            view.expected = "snapshot"
        for instrument, status in self.statuses.items():
            lost = Status(
                "connecting",
                status.assurance,
                "disconnected",
                status.since_ns,
                status.trading,
                status.price_exponent,
                status.quantity_exponent,
            )
            if lost != status:
                self.statuses[instrument] = lost
                yield StatusEvent(instrument, lost)

    def take_due(self, now: float) -> list[str]:
        """What to send by now: books that failed a check."""
        ready = [one for one in self.due if one[0] <= now]
        self.due = [one for one in self.due if one[0] > now]
        return [self._resync_text(view, reason) for _, view, reason in ready if view.is_wanted]

    def is_synced(self, view: View) -> bool:
        """The server says synced, so does the book's last event, and every check held."""
        status = self.statuses.get(view.instrument, _UNKNOWN)
        return status.state == "synced" and view.expected == "changes" and view.book.is_synced

    # ── what arrives ─────────────────────────────────────────────────────────────────────────────

    def receive(self, content: str | bytes, now: float) -> Iterator[StreamEvent]:
        """Acts on one message. Raises ConnectionFaultError when the connection cannot be trusted any more."""
        self.counts.messages += 1
        self.counts.bytes += len(content)
        if isinstance(content, bytes):
            yield from self._frame(content, now)
            return
        message = read_message(content)
        if message is None:
            self.counts.malformed += 1
            raise ConnectionFaultError("a text that is no message")
        yield from self._message(message, now)

    def _message(self, message: Fields, now: float) -> Iterator[StreamEvent]:
        match message["type"]:
            case "subscribed" if message["channel"] not in SERVER_CHANNELS:
                yield from self._subscribed(message)
            case "unsubscribed" if message["channel"] == "book":
                view = self.views.pop(_key(message), None)
                if view is not None:
                    view.is_wanted = False
            case "status":
                yield from self._set_status(message)
            case "reset":
                yield self._reset(message)
            case "orderbook" | "orderbook_delta" as kind:
                view = self.views.get(_key(message))
                if view is not None and view.is_wanted:
                    yield from self._book_message(view, message, kind == "orderbook", now)
            case "trade":
                yield from self._trade_message(message)
            case "bbo":
                yield from self._bbo_message(message)
            case "instruments":
                yield InstrumentsEvent(tuple(message["instruments"]))
            case "stats":
                yield StatsEvent(message)
            case "opportunity":
                yield OpportunityEvent(message["event"], message["reason"], message["atMs"], message["opportunity"])
            case "opportunities":
                yield OpportunitiesEvent(tuple(message["open"]), tuple(message["recent"]))
            case "error":
                yield ErrorEvent(message["code"], message["message"])

    def _subscribed(self, message: Fields) -> Iterator[StreamEvent]:
        instrument, alias = message["instrument"], message["alias"]
        self._aliases[alias] = instrument
        if message["channel"] == "book":
            view = self.views.setdefault(_key(message), View(*_key(message)))
            view.policy = message["policy"]
            view.is_wanted = True
            self._views_by_alias[alias] = view
            if message["resumed"] and view.book.has_book:
                view.expected = "update"
                self.counts.resumes += 1
            else:
                _begin(view)
        yield from self._set_status(message)

    def _set_status(self, message: Fields) -> Iterator[StreamEvent]:
        instrument = message["instrument"]
        status = Status(
            message["state"],
            message["assurance"],
            message["reason"],
            int(message["sinceNs"]),
            message["trading"],
            message["priceExponent"],
            message["quantityExponent"],
        )
        before = self.statuses.get(instrument)
        self.statuses[instrument] = status
        if before is not None and _exponents(before) != _exponents(status):
            self._next_trade.pop(instrument, None)
            for view in self.views.values():
                if view.instrument == instrument:
                    _begin(view)
        if before != status:
            yield StatusEvent(instrument, status)

    def _reset(self, message: Fields) -> StreamEvent:
        self.counts.resets += 1
        instrument, depth, rate_ms = key = _key(message)
        if message["channel"] == "book" and key in self.views:
            self.views[key].expected = "snapshot"
            self.views[key].is_resumable = False
        elif message["channel"] == "trades":
            self._next_trade.pop(instrument, None)
        return ResetEvent(instrument, message["channel"], depth, rate_ms, message["reason"])

    def _book_message(self, view: View, message: Fields, is_snapshot: bool, now: float) -> Iterator[StreamEvent]:
        if is_snapshot:
            yield from self._settle(view, view.book.apply_snapshot(message), True, now)
        elif view.expected == "snapshot":
            yield from self._settle(view, _drop(view, Outcome.CHAIN), False, now)
        else:
            yield from self._settle(view, view.book.apply_delta(message), False, now)

    def _frame(self, frame: bytes, now: float) -> Iterator[StreamEvent]:
        alias = alias_of(frame)
        instrument = None if alias is None else self._aliases.get(alias)
        if alias is None or instrument is None:
            self.counts.malformed += 1
            raise ConnectionFaultError("a frame that names nothing subscribed")
        view = self._views_by_alias.get(alias)
        kind = frame[0] & layout.FRAME_KIND_MASK
        if kind in (layout.FRAME_DELTAS, layout.FRAME_SNAPSHOT, layout.FRAME_CONFLATED):
            if view is not None and view.is_wanted:
                yield from self._book_frame(view, frame, kind, now)
            return
        status = self.statuses[instrument]
        if kind == layout.FRAME_TRADES and (trades := read_trades(frame)) is not None:
            for trade in trades:
                yield self._trade(
                    TradeEvent(
                        instrument,
                        trade.id,
                        trade.aggressor,
                        to_decimal(trade.price_ticks, status.price_exponent),
                        to_decimal(trade.quantity_lots, status.quantity_exponent),
                        *trade[2:10],
                    )
                )
        elif kind == layout.FRAME_BBO and (bbo := read_bbo(frame)) is not None:
            yield BboEvent(
                instrument,
                bbo.version,
                bbo.is_synced,
                bbo.is_crossed,
                None if bbo.bid is None else _level(bbo.bid, status),
                None if bbo.ask is None else _level(bbo.ask, status),
                bbo.event_at_ns,
                bbo.received_at_ns,
            )
        else:
            # It may have been one of the book, whatever kind it says.
            self.counts.malformed += 1
            if view is not None and view.is_wanted:
                yield from self._settle(view, _drop(view, Outcome.MALFORMED), False, now)

    def _book_frame(self, view: View, frame: bytes, kind: int, now: float) -> Iterator[StreamEvent]:
        is_snapshot = kind == layout.FRAME_SNAPSHOT
        if is_snapshot and frame[0] & layout.FRAME_FLAG_FIRST:
            view.expected = "changes"
        elif view.expected == "snapshot" or (view.expected == "update" and kind != layout.FRAME_CONFLATED):
            yield from self._settle(view, _drop(view, Outcome.CHAIN), False, now)
            return
        yield from self._settle(view, view.book.apply(frame), is_snapshot, now)

    def _settle(self, view: View, outcome: Outcome, is_snapshot: bool, now: float) -> Iterator[StreamEvent]:
        book = view.book
        if outcome is Outcome.APPLIED and is_snapshot:
            status = self.statuses.get(view.instrument, _UNKNOWN)
            if _exponents(status) != (book.price_exponent, book.quantity_exponent):
                outcome = _drop(view, Outcome.EXPONENTS)
        if outcome is Outcome.APPLIED:
            view.expected = "changes"
            view.is_resumable = True
            yield BookEvent(view.instrument, view.depth, view.rate_ms, book, is_snapshot)
        elif outcome.is_fault:
            self._resync(view, outcome, now)
            yield ResyncEvent(view.instrument, view.depth, view.rate_ms, outcome.value)

    def _resync(self, view: View, outcome: Outcome, now: float) -> None:
        """Asks again at once, later and later when that fails, too."""
        self.counts.resyncs += 1
        view.expected = "changes"
        view.is_resumable = False
        if now - view.failed_at > _CALM_S:
            view.failures = 0
        delay = 0.0 if view.failures == 0 else min(_RESYNC_MAX_S, _RESYNC_FIRST_S * 2**view.failures)
        view.failures += 1
        view.failed_at = now
        self.due.append((now + delay * random.uniform(0.5, 1.0), view, outcome.value))

    def _trade_message(self, message: Fields) -> Iterator[StreamEvent]:
        instrument = message["instrument"]
        units = self._units(instrument, [message["price"], message["quantity"]])
        if units is None:
            return
        (ticks, lots), level = units
        yield self._trade(
            TradeEvent(
                instrument,
                message["id"],
                message["aggressor"],
                level.price,
                level.quantity,
                ticks,
                lots,
                message["history"],
                message["gapBefore"],
                int(message["version"]),
                int(message["bookVersion"]),
                int(message["eventAtNs"]),
                int(message["receivedAtNs"]),
            )
        )

    def _bbo_message(self, message: Fields) -> Iterator[StreamEvent]:
        instrument = message["instrument"]
        sides: list[Level | None] = []
        for side in (message["bid"], message["ask"]):
            units = None if side is None else self._units(instrument, side)
            if side is not None and units is None:
                return
            sides.append(None if units is None else units[1])
        bid, ask = sides
        yield BboEvent(
            instrument,
            int(message["version"]),
            message["synced"],
            message["crossed"],
            bid,
            ask,
            int(message["eventAtNs"]),
            int(message["receivedAtNs"]),
        )

    def _units(self, instrument: str, level: Sequence[str]) -> tuple[tuple[int, int], Level] | None:
        """Ticks and lots of a decimal pair; None, counted, when they are finer than the status said."""
        status = self.statuses.get(instrument, _UNKNOWN)
        try:
            units = (to_units(level[0], status.price_exponent), to_units(level[1], status.quantity_exponent))
        except ValueError:
            self.counts.malformed += 1
            return None
        return units, _level(units, status)

    def _trade(self, trade: TradeEvent) -> TradeEvent:
        expected = self._next_trade.get(trade.instrument)
        if expected is not None and trade.version > expected:
            self.counts.trades_missed += trade.version - expected
        self._next_trade[trade.instrument] = trade.version + 1
        return trade

    # ── messages to the server ───────────────────────────────────────────────────────────────────

    def _text(self, op: str, fields: dict[str, Any]) -> str:
        message = {"op": op, "id": self._next_id, **fields}
        self._next_id += 1
        return json.dumps(message, separators=(",", ":"))

    def _subscribe_text(self, subscription: Subscription) -> str:
        fields = subscription.fields()
        if subscription.policy is not None:
            fields["policy"] = subscription.policy
        if "book" in subscription.channels:
            points = self._resume_points(subscription)
            if points:
                fields["resume"] = points
        return self._text("subscribe", fields)

    def _resume_points(self, subscription: Subscription) -> dict[str, dict[str, object]]:
        """Where the books stand that the subscription may be about; the server ignores others."""
        held = [
            view
            for view in self.views.values()
            if (view.depth, view.rate_ms) == (subscription.depth, subscription.rate_ms)
            and view.book.has_book
            and view.is_resumable
            and not view.is_wanted
        ]
        return {
            view.instrument: {"epoch": view.book.epoch, "version": str(view.book.version)}
            for view in held[:_RESUME_MAX]
        }

    def _resync_text(self, view: View, reason: str) -> str:
        fields = Subscription(("book",), (view.instrument,), view.depth, view.rate_ms).fields()
        if view.policy is not None:
            fields["policy"] = view.policy
        return self._text("subscribe", {**fields, "reason": reason})


def _key(message: Fields) -> ViewKey:
    return message["instrument"], message["depth"], message["rateMs"]


def _begin(view: View) -> None:
    view.book.clear()
    view.expected = "snapshot"
    view.is_resumable = False


def _drop(view: View, outcome: Outcome) -> Outcome:
    view.book.clear()
    return outcome


def _exponents(status: Status) -> tuple[int, int]:
    return status.price_exponent, status.quantity_exponent


def _level(units: tuple[int, int], status: Status) -> Level:
    return Level(to_decimal(units[0], status.price_exponent), to_decimal(units[1], status.quantity_exponent))
