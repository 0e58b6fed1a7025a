"""Delta and trade records as structured numpy arrays, and their parts spread out.

Prices are ticks and quantities are lots: exact int64, to be read with the exponents of the instrument. Times are Unix
nanoseconds, 0 = unknown. Bad case: prices of hostile bytes may wrap, as they do in the producer's own arithmetic.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from . import _layout as layout

Records: TypeAlias = NDArray[np.void]
Int64s: TypeAlias = NDArray[np.int64]

DELTA_DTYPE: Final[np.dtype[np.void]] = np.dtype(
    {
        "names": [
            "event_at_ns",
            "received_at_ns",
            "published_at_ns",
            "version",
            "source_sequence",
            "base_price_ticks",
            "instrument_id",
            "flags",
            "change_count",
            "reserved",
            "side_mask",
            "add_mask",
            "book_hash",
            "quantity_lots",
            "price_offset_ticks",
        ],
        "formats": [
            "<u8",
            "<u8",
            "<u8",
            "<u8",
            "<u8",
            "<i8",
            "<u4",
            "<u2",
            "u1",
            "u1",
            "<u2",
            "<u2",
            "<u4",
            ("<i8", (layout.DELTA_CHANGES_MAX,)),
            ("<i4", (layout.DELTA_CHANGES_MAX,)),
        ],
        "offsets": [
            layout.DELTA_EVENT_AT,
            layout.DELTA_RECEIVED_AT,
            layout.DELTA_PUBLISHED_AT,
            layout.DELTA_VERSION,
            layout.DELTA_SOURCE_SEQUENCE,
            layout.DELTA_BASE_PRICE,
            layout.DELTA_INSTRUMENT_ID,
            layout.DELTA_FLAGS,
            layout.DELTA_CHANGE_COUNT,
            layout.DELTA_CHANGE_COUNT + 1,
            layout.DELTA_SIDE_MASK,
            layout.DELTA_ADD_MASK,
            layout.DELTA_BOOK_HASH,
            layout.DELTA_QUANTITIES,
            layout.DELTA_PRICE_OFFSETS,
        ],
        "itemsize": layout.DELTA_BYTES,
    }
)
"""A delta record, 256 bytes: at most 16 changes of one book. `reserved` fills it up, so that numpy keeps its size."""

TRADE_DTYPE: Final[np.dtype[np.void]] = np.dtype(
    {
        "names": [
            "event_at_ns",
            "received_at_ns",
            "published_at_ns",
            "price_ticks",
            "quantity_lots",
            "source_sequence",
            "instrument_id",
            "flags",
            "aggressor",
            "id_length",
            "trade_id",
            "trade_version",
            "book_version",
            "reserved",
        ],
        "formats": [
            "<u8",
            "<u8",
            "<u8",
            "<i8",
            "<i8",
            "<u8",
            "<u4",
            "<u2",
            "u1",
            "u1",
            f"S{layout.TRADE_ID_BYTES_MAX}",
            "<u8",
            "<u8",
            "<u8",
        ],
        "offsets": [
            layout.TRADE_EVENT_AT,
            layout.TRADE_RECEIVED_AT,
            layout.TRADE_PUBLISHED_AT,
            layout.TRADE_PRICE,
            layout.TRADE_QUANTITY,
            layout.TRADE_SOURCE_SEQUENCE,
            layout.TRADE_INSTRUMENT_ID,
            layout.TRADE_FLAGS,
            layout.TRADE_AGGRESSOR,
            layout.TRADE_ID_LENGTH,
            layout.TRADE_ID,
            layout.TRADE_VERSION,
            layout.TRADE_BOOK_VERSION,
            layout.TRADE_BOOK_VERSION + 8,
        ],
        "itemsize": layout.TRADE_BYTES,
    }
)
"""A trade record, 128 bytes."""

CHANGE_SLOTS: Final[NDArray[np.intp]] = np.arange(layout.DELTA_CHANGES_MAX)


class Changes(NamedTuple):
    """The changes of delta records one after the other, in their order."""

    record: NDArray[np.intp]
    """Index of the record that each change came with."""
    side: NDArray[np.uint8]
    """0 bid, 1 ask."""
    price_ticks: Int64s
    quantity_lots: Int64s
    """The level's new quantity; 0 = the level is gone."""
    is_added: NDArray[np.bool_]
    """The level was not there before."""


def explode_changes(records: Records) -> Changes:
    """Spreads delta records out into single changes.

    records: DELTA_DTYPE, of one or several instruments. Cost: a few vector operations over 16 slots a record.
    """
    counts = np.minimum(records["change_count"], layout.DELTA_CHANGES_MAX)
    used = counts[:, None] > CHANGE_SLOTS
    record, slot = np.nonzero(used)
    prices = records["base_price_ticks"][:, None] + records["price_offset_ticks"]
    shift = slot.astype(np.uint16)
    return Changes(
        record,
        ((records["side_mask"][record] >> shift) & 1).astype(np.uint8),
        prices[used],
        records["quantity_lots"][used],
        ((records["add_mask"][record] >> shift) & 1).astype(np.bool_),
    )


def trade_id(record: np.void) -> str:
    """The exchange's id of one trade record, as text."""
    length = min(int(record["id_length"]), layout.TRADE_ID_BYTES_MAX)
    return bytes(record["trade_id"])[:length].decode("latin-1")
