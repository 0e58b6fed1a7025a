"""Records and books as pandas DataFrames, and what analysts ask of them. Needs the extra `alphapulse[pandas]`.

Exact integers stay in `*_ticks` and `*_lots` columns; `price` and `quantity` are floats for arithmetic, or Decimal when
`exact=True`. The index is the exchange's time, or ours where it gave none. Bad case: records of several instruments;
only those of the instrument given are taken, because ticks of two instruments do not compare.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import pandas as pd

from . import _layout as layout
from .book import Depth
from .instruments import Instrument, TopOfBook
from .records import Int64s, Records, explode_changes, trade_id

_AGGRESSORS: Final = np.array(["unknown", "buy", "sell"], dtype=object)
_SIDES: Final = np.array(["bid", "ask"], dtype=object)


def trades_frame(records: Records, instrument: Instrument, *, exact: bool = False) -> pd.DataFrame:
    """Trade records of one instrument, by time.

    Columns: price, quantity, side (of the taker), trade_id, is_history (a replay of past prints), gap_before,
    price_ticks, quantity_lots, received_at, trade_version, book_version.
    """
    ours = records[records["instrument_id"] == instrument.id]
    flags = ours["flags"]
    return pd.DataFrame(
        {
            "price": _scaled(ours["price_ticks"], instrument.price_exponent, exact),
            "quantity": _scaled(ours["quantity_lots"], instrument.quantity_exponent, exact),
            "side": _AGGRESSORS[np.where(ours["aggressor"] <= layout.AGGRESSOR_SELL, ours["aggressor"], 0)],
            "trade_id": [trade_id(record) for record in ours],
            "is_history": (flags & layout.TRADE_FLAG_HISTORY) != 0,
            "gap_before": (flags & layout.TRADE_FLAG_GAP_BEFORE) != 0,
            "price_ticks": ours["price_ticks"],
            "quantity_lots": ours["quantity_lots"],
            "received_at": _times(ours["received_at_ns"]),
            "trade_version": ours["trade_version"],
            "book_version": ours["book_version"],
        },
        index=_index(ours),
    )


def deltas_frame(records: Records, instrument: Instrument, *, exact: bool = False) -> pd.DataFrame:
    """Changes of one instrument's book, one row each, in their order.

    Columns: version, side, price, quantity (the level's new one, 0 = gone), is_added, is_last (of its event),
    is_synced, price_ticks, quantity_lots, received_at.
    """
    ours = records[records["instrument_id"] == instrument.id]
    changes = explode_changes(ours)
    of = ours[changes.record]
    ends = np.r_[changes.record[1:] != changes.record[:-1], True] if len(changes.record) else np.zeros(0, np.bool_)
    return pd.DataFrame(
        {
            "version": of["version"],
            "side": _SIDES[changes.side],
            "price": _scaled(changes.price_ticks, instrument.price_exponent, exact),
            "quantity": _scaled(changes.quantity_lots, instrument.quantity_exponent, exact),
            "is_added": changes.is_added,
            "is_last": ends & ((of["flags"] & layout.FLAG_LAST) != 0),
            "is_synced": (of["flags"] & layout.FLAG_NOT_SYNCED) == 0,
            "price_ticks": changes.price_ticks,
            "quantity_lots": changes.quantity_lots,
            "received_at": _times(of["received_at_ns"]),
        },
        index=_index(of),
    )


def depth_frame(depth: Depth, instrument: Instrument, *, exact: bool = False) -> pd.DataFrame:
    """Both sides of a book, best first: side, price, quantity, price_ticks, quantity_lots."""
    ticks = np.concatenate((depth.bid_ticks, depth.ask_ticks))
    lots = np.concatenate((depth.bid_lots, depth.ask_lots))
    sides = np.repeat([0, 1], [len(depth.bid_ticks), len(depth.ask_ticks)])
    return pd.DataFrame(
        {
            "side": _SIDES[sides],
            "price": _scaled(ticks, instrument.price_exponent, exact),
            "quantity": _scaled(lots, instrument.quantity_exponent, exact),
            "price_ticks": ticks,
            "quantity_lots": lots,
        }
    )


def tops_frame(tops: Iterable[TopOfBook], *, exact: bool = False) -> pd.DataFrame:
    """Best bid and ask by time, from `SegmentReader.top`; tops of an empty side are left out, as are repeated versions.

    Columns: bid, bid_quantity, ask, ask_quantity, spread, mid, is_synced, version.
    """
    rows: list[dict[str, Any]] = []
    seen: set[tuple[int, int]] = set()
    for top in tops:
        key = (top.instrument.id, top.version)
        if top.bid_ticks is None or top.ask_ticks is None or key in seen:
            continue
        seen.add(key)
        entry = top.instrument
        row: dict[str, Any] = {
            "bid": entry.price(top.bid_ticks),
            "bid_quantity": entry.quantity(top.bid_lots or 0),
            "ask": entry.price(top.ask_ticks),
            "ask_quantity": entry.quantity(top.ask_lots or 0),
            "spread": top.spread,
            "mid": top.mid,
        }
        numbers = row if exact else {name: float(value) for name, value in row.items()}
        rows.append({**numbers, "is_synced": top.is_synced, "version": top.version, "at": _at(top)})
    frame = pd.DataFrame(rows, columns=[*_TOP_COLUMNS, "at"])
    return frame.set_index(pd.to_datetime(frame.pop("at").astype("int64"), utc=True).rename("time"))


_TOP_COLUMNS: Final = ["bid", "bid_quantity", "ask", "ask_quantity", "spread", "mid", "is_synced", "version"]


def ohlcv(trades: pd.DataFrame, rule: str = "1min") -> pd.DataFrame:
    """Open, high, low, close, volume, count and vwap per interval; intervals without a trade are left out.

    trades: of `trades_frame`; replays of past prints do not count. rule: as pandas takes it, e.g. `1s`, `5min`.
    """
    fresh = trades[~trades["is_history"]]
    bins = fresh.resample(rule)
    bars = bins["price"].ohlc()
    bars["volume"] = bins["quantity"].sum()
    bars["count"] = bins["price"].count()
    notional = (fresh["price"] * fresh["quantity"]).resample(rule).sum()
    bars = bars[bars["count"] > 0]
    bars["vwap"] = notional[bars.index] / bars["volume"]
    return bars


def vwap(trades: pd.DataFrame) -> float:
    """Volume-weighted average price; NaN without a trade. Replays of past prints do not count."""
    fresh = trades[~trades["is_history"]]
    volume = fresh["quantity"].sum()
    return float((fresh["price"] * fresh["quantity"]).sum() / volume) if volume else float("nan")


def resample_tops(tops: pd.DataFrame, rule: str = "1s") -> pd.DataFrame:
    """The last top of each interval, held over intervals in which nothing moved."""
    return tops.resample(rule).last().ffill()


def spread_statistics(tops: pd.DataFrame, *, synced_only: bool = True) -> pd.Series[float]:
    """Spread over the time it lasted: mean, minimum, maximum, median, and the mean in basis points of the mid.

    tops: of `tops_frame`. The last top has no duration and counts only when it is the only one.
    """
    used = tops.astype({"spread": "float64", "mid": "float64"})
    ends = used.index.to_series().shift(-1)
    seconds = (ends - used.index.to_series()).dt.total_seconds().fillna(0.0)
    if synced_only:
        used, seconds = used[used["is_synced"]], seconds[used["is_synced"]]
    weights = seconds if float(seconds.sum()) > 0 else seconds + 1.0
    total = float(weights.sum())
    if used.empty or total == 0:
        return pd.Series({name: float("nan") for name in _STATISTICS})
    relative = used["spread"] / used["mid"] * 10_000
    values = (
        float((used["spread"] * weights).sum() / total),
        float(used["spread"].min()),
        float(used["spread"].max()),
        float(used["spread"].median()),
        float((relative * weights).sum() / total),
        total if weights is seconds else 0.0,
    )
    return pd.Series(dict(zip(_STATISTICS, values)))


_STATISTICS: Final = ("mean", "minimum", "maximum", "median", "mean_bps", "seconds")


def _scaled(units: Int64s, exponent: int, exact: bool) -> Any:
    if exact:
        from .decimals import to_decimal

        return np.array([to_decimal(value, exponent) for value in units.tolist()], dtype=object)
    return units / 10.0 ** max(0, exponent)


def _index(records: Records) -> pd.DatetimeIndex:
    at = np.where(records["event_at_ns"] != 0, records["event_at_ns"], records["received_at_ns"])
    return pd.DatetimeIndex(_times(at), name="time")


def _times(at_ns: Any) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(np.asarray(at_ns).astype("int64").astype("datetime64[ns]")).tz_localize("UTC")


def _at(top: TopOfBook) -> int:
    return top.event_at_ns or top.received_at_ns
