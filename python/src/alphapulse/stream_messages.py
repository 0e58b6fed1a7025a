"""Reads what a server sends as text, far enough that acting on it cannot fail.

Whatever a field is used for, it has that type. Bad case: a damaged text that still is JSON; a field that is not what it
must be makes the whole message unreadable.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

from . import _layout as layout

_COUNT: Final = re.compile(r"(0|[1-9][0-9]{0,19})\Z")
_U32_MAX: Final = 0xFFFFFFFF

SERVER_CHANNELS: Final = ("stats", "arbitrage")
"""Channels that belong to the server, not to an instrument."""

Fields = dict[str, Any]


def read_message(text: str) -> Fields | None:
    """One message as fields; None when it is not JSON or not what its type must be. Unknown types are let through."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        return None
    check = _CHECKS.get(value["type"])
    return value if check is None or check(value) else None


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_integer(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_u32(value: object) -> bool:
    return _is_integer(value, 0, _U32_MAX)


def _is_count(value: object) -> bool:
    """A u64 as decimal text."""
    return isinstance(value, str) and _COUNT.match(value) is not None and int(value) < 1 << 64


def _is_list(value: object, length: int) -> bool:
    """A list of lists of so many texts."""
    return isinstance(value, list) and all(
        isinstance(one, list) and len(one) == length and all(isinstance(part, str) for part in one) for one in value
    )


def _is_status(fields: Fields) -> bool:
    words = ("instrument", "state", "assurance", "reason", "trading")
    return (
        all(_is_text(fields.get(word)) for word in words)
        and _is_count(fields.get("sinceNs"))
        and _is_integer(fields.get("priceExponent"), -1, layout.EXPONENT_MAX)
        and _is_integer(fields.get("quantityExponent"), -1, layout.EXPONENT_MAX)
    )


def _is_view(fields: Fields) -> bool:
    return _is_text(fields.get("instrument")) and _is_u32(fields.get("depth")) and _is_u32(fields.get("rateMs"))


def _is_told(fields: Fields) -> bool:
    """What books and best prices say of themselves."""
    flags = (fields.get("synced"), fields.get("crossed"))
    counts = (fields.get("version"), fields.get("eventAtNs"), fields.get("receivedAtNs"))
    return all(isinstance(flag, bool) for flag in flags) and all(_is_count(count) for count in counts)


def _is_book(fields: Fields) -> bool:
    return _is_view(fields) and _is_told(fields) and _is_u32(fields.get("hash")) and _is_count(fields.get("sequence"))


def _subscribed(fields: Fields) -> bool:
    return fields.get("channel") in SERVER_CHANNELS or (
        _is_text(fields.get("channel"))
        and _is_u32(fields.get("alias"))
        and _is_text(fields.get("policy"))
        and isinstance(fields.get("resumed"), bool)
        and _is_view(fields)
        and _is_status(fields)
    )


def _unsubscribed(fields: Fields) -> bool:
    return fields.get("channel") in SERVER_CHANNELS or (_is_text(fields.get("channel")) and _is_view(fields))


def _reset(fields: Fields) -> bool:
    return _is_text(fields.get("channel")) and _is_text(fields.get("reason")) and _is_view(fields)


def _orderbook(fields: Fields) -> bool:
    return (
        _is_book(fields)
        and _is_u32(fields.get("epoch"))
        and _is_integer(fields.get("priceExponent"), 0, layout.EXPONENT_MAX)
        and _is_integer(fields.get("quantityExponent"), 0, layout.EXPONENT_MAX)
        and _is_list(fields.get("bids"), 2)
        and _is_list(fields.get("asks"), 2)
    )


def _delta(fields: Fields) -> bool:
    return _is_book(fields) and _is_count(fields.get("previousVersion")) and _is_list(fields.get("changes"), 3)


def _trade(fields: Fields) -> bool:
    texts = ("instrument", "id", "aggressor", "price", "quantity")
    counts = ("version", "bookVersion", "eventAtNs", "receivedAtNs")
    return (
        all(_is_text(fields.get(name)) for name in texts)
        and all(_is_count(fields.get(name)) for name in counts)
        and all(isinstance(fields.get(name), bool) for name in ("history", "gapBefore"))
    )


def _bbo(fields: Fields) -> bool:
    sides = [side for side in (fields.get("bid"), fields.get("ask")) if side is not None]
    return _is_text(fields.get("instrument")) and _is_told(fields) and _is_list(sides, 2)


def _opportunity(fields: Fields) -> bool:
    return (
        _is_text(fields.get("event"))
        and _is_text(fields.get("reason"))
        and isinstance(fields.get("atMs"), (int, float))
        and isinstance(fields.get("opportunity"), dict)
    )


def _opportunities(fields: Fields) -> bool:
    return isinstance(fields.get("open"), list) and isinstance(fields.get("recent"), list)


_CHECKS: Final[dict[str, Callable[[Fields], bool]]] = {
    "subscribed": _subscribed,
    "unsubscribed": _unsubscribed,
    "status": _is_status,
    "reset": _reset,
    "orderbook": _orderbook,
    "orderbook_delta": _delta,
    "trade": _trade,
    "bbo": _bbo,
    "opportunity": _opportunity,
    "opportunities": _opportunities,
    "instruments": lambda fields: isinstance(fields.get("instruments"), list),
    "error": lambda fields: _is_text(fields.get("code")) and _is_text(fields.get("message")),
}
