"""Instruments and their top-of-book cells, as the segment's table says them at the moment of the call.

Integers are exact; `Instrument.price` and its fellows turn them into Decimal or text at the edge.
Bad case: bytes of a hostile file; codes without a word become "unknown", names that are no UTF-8 are replaced.
"""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Final, NamedTuple

from . import _layout as layout
from ._mapping import Mapping
from ._places import struct_at
from .decimals import to_decimal, to_text, to_units

_CELL_TRIES_MAX: Final = 64
_CELL_NAPS: Final = 8
_CELL_NAP_S: Final = 0.000_1
_ENTRY: Final = struct_at(
    (layout.TABLE_ID, "I"),
    (layout.TABLE_STATE, "I"),
    (layout.TABLE_ASSURANCE, "I"),
    (layout.TABLE_REASON, "I"),
    (layout.TABLE_TRADING_STATUS, "I"),
    (layout.TABLE_RETIRED_TO, "I"),
    (layout.TABLE_PRICE_EXPONENT, "i"),
    (layout.TABLE_QUANTITY_EXPONENT, "i"),
    (layout.TABLE_DEPTH, "I"),
    (layout.TABLE_CURRENT_IMAGE, "I"),
    (layout.TABLE_IMAGE_CAPACITY, "I"),
    (layout.TABLE_FLAGS, "I"),
    (layout.TABLE_IMAGE_OFFSET, "Q"),
    (layout.TABLE_IMAGE_BYTES, "Q"),
    (layout.TABLE_SINCE, "Q"),
    (layout.TABLE_KNOWN_LOW, "q"),
    (layout.TABLE_KNOWN_HIGH, "q"),
    (layout.TABLE_AUDIT_PERIOD, "I"),
    (layout.TABLE_AUDIT_OUTCOME, "I"),
    (layout.TABLE_AUDITED_AT, "Q"),
)
_CELL: Final = struct_at(
    (layout.CELL_STATE, "I"),
    (layout.CELL_VERSION, "Q"),
    (layout.CELL_BID_PRICE, "q"),
    (layout.CELL_BID_QUANTITY, "q"),
    (layout.CELL_ASK_PRICE, "q"),
    (layout.CELL_ASK_QUANTITY, "q"),
    (layout.CELL_TRADE_PRICE, "q"),
    (layout.CELL_TRADE_QUANTITY, "q"),
    (layout.CELL_TRADE_AT, "Q"),
    (layout.CELL_EVENT_AT, "Q"),
    (layout.CELL_RECEIVED_AT, "Q"),
    (layout.CELL_FLAGS, "I"),
    (layout.CELL_TRADE_VERSION, "Q"),
)


class Instrument(NamedTuple):
    """One entry of the instrument table."""

    row: int
    """Place in the table."""
    id: int
    canonical: str
    """E.g. `BTC-USD`."""
    native: str
    """The exchange's spelling."""
    price_exponent: int
    """A tick is 10^-price_exponent; −1 = not yet known."""
    quantity_exponent: int
    """A lot is 10^-quantity_exponent; −1 = not yet known."""
    depth: int
    """Levels a side that are subscribed; 0 = all."""
    state: str
    """connecting, waiting, synced, resyncing, out_of_service, retired."""
    assurance: str
    """How the exchange lets us know that the book is right: sequence, checksum, inferred, none."""
    reason: str
    """Why it is not synced."""
    trading_status: str
    since_ns: int
    """Unix ns of the last change of state."""
    retired_to: int
    """The id that took over after a change of scale; 0 = in use."""
    current_image: int
    image_capacity: int
    """Levels of both sides together that an image can hold."""
    image_offset: int
    """Of the current image in the segment; 0 = there is none, or its place cannot be trusted."""
    known_range: tuple[int, int] | None
    """Lowest and highest price in ticks that the exchange told about; None = all."""
    audit_period_ms: int
    """How often the book is compared with the exchange's REST answer; 0 = not."""
    audit_outcome: str
    """Of the last comparison: match, mismatch, inconclusive, failed, none."""
    audited_at_ns: int
    """Unix ns of the last comparison; 0 = never."""

    def price(self, ticks: int) -> Decimal:
        """Exact price of a number of ticks."""
        return to_decimal(ticks, self.price_exponent)

    def quantity(self, lots: int) -> Decimal:
        """Exact quantity of a number of lots."""
        return to_decimal(lots, self.quantity_exponent)

    def price_text(self, ticks: int) -> str:
        """The price as plain text."""
        return to_text(ticks, self.price_exponent)

    def quantity_text(self, lots: int) -> str:
        """The quantity as plain text."""
        return to_text(lots, self.quantity_exponent)

    def ticks(self, price: Decimal | str | int) -> int:
        """Ticks of a price. Raises ValueError when it is finer than a tick."""
        return to_units(price, self.price_exponent)

    def lots(self, quantity: Decimal | str | int) -> int:
        """Lots of a quantity. Raises ValueError when it is finer than a lot."""
        return to_units(quantity, self.quantity_exponent)


class TopOfBook(NamedTuple):
    """Best bid, best ask and last trade at one moment, read as one consistent whole. None = that side is empty."""

    instrument: Instrument
    version: int
    """Of the book."""
    is_synced: bool
    """The book is right as far as the producer knows, and the producer is alive."""
    is_crossed: bool
    bid_ticks: int | None
    bid_lots: int | None
    ask_ticks: int | None
    ask_lots: int | None
    trade_ticks: int | None
    trade_lots: int | None
    trade_at_ns: int
    trade_version: int
    event_at_ns: int
    received_at_ns: int
    is_busy: bool = False
    """The producer stands still in the middle of a write: the rest is what was seen last; version 0 = nothing."""

    @property
    def bid(self) -> Decimal | None:
        """Best bid."""
        return None if self.bid_ticks is None else self.instrument.price(self.bid_ticks)

    @property
    def ask(self) -> Decimal | None:
        """Best ask."""
        return None if self.ask_ticks is None else self.instrument.price(self.ask_ticks)

    @property
    def spread(self) -> Decimal | None:
        """Ask − bid."""
        if self.bid_ticks is None or self.ask_ticks is None:
            return None
        return self.instrument.price(self.ask_ticks - self.bid_ticks)

    @property
    def mid(self) -> Decimal | None:
        """Halfway between bid and ask."""
        if self.bid_ticks is None or self.ask_ticks is None:
            return None
        return self.instrument.price(self.bid_ticks + self.ask_ticks) / 2


def read_instrument(mapping: Mapping, index: int) -> Instrument:
    """One entry of the table. Raises IndexError when there is none."""
    if not 0 <= index < mapping.instrument_count:
        raise IndexError(f"Cannot read an instrument: there are {mapping.instrument_count}, was {index}")
    start = mapping.header.table_offset + index * layout.TABLE_BYTES
    entry = bytes(mapping.bytes[start : start + layout.TABLE_BYTES])
    fields = _ENTRY.unpack_from(entry)
    id_, state, assurance, reason, trading, retired_to, price_exponent, quantity_exponent = fields[:8]
    depth, current_image, image_capacity, flags, image_offset, image_bytes, since, low, high = fields[8:17]
    audit_period, audit_outcome, audited_at = fields[17:]
    return Instrument(
        row=index,
        id=id_,
        canonical=_text(entry, layout.TABLE_CANONICAL, layout.TABLE_CANONICAL_BYTES_MAX),
        native=_text(entry, layout.TABLE_NATIVE, layout.TABLE_NATIVE_BYTES_MAX),
        price_exponent=_exponent(price_exponent),
        quantity_exponent=_exponent(quantity_exponent),
        depth=depth,
        state=layout.STATE_WORDS.get(state, "unknown"),
        assurance=layout.ASSURANCE_WORDS.get(assurance, "unknown"),
        reason=layout.REASON_WORDS.get(reason, "unknown"),
        trading_status=layout.TRADING_WORDS.get(trading, "unknown"),
        since_ns=since,
        retired_to=retired_to,
        current_image=current_image,
        image_capacity=image_capacity,
        image_offset=_image(mapping, (current_image, image_offset, image_bytes, image_capacity)),
        known_range=(low, high) if flags & layout.TABLE_FLAG_RANGE_KNOWN else None,
        audit_period_ms=audit_period,
        audit_outcome=layout.AUDIT_WORDS.get(audit_outcome, "unknown"),
        audited_at_ns=audited_at,
    )


def read_top(mapping: Mapping, instrument: Instrument, is_live: bool) -> TopOfBook | None:
    """The top-of-book cell of an instrument.

    A writer that lost the processor in the middle is given a moment, when it lives. None when it stays half written.
    """
    for _ in range(_CELL_NAPS if is_live else 0):
        top = _try_top(mapping, instrument, is_live)
        if top is not None:
            return top
        time.sleep(_CELL_NAP_S)
    return _try_top(mapping, instrument, is_live)


def no_top(instrument: Instrument) -> TopOfBook:
    """Of a cell that could never be read."""
    return _top(instrument, bytes(layout.CELL_BYTES), is_live=False)._replace(is_busy=True)


def _try_top(mapping: Mapping, instrument: Instrument, is_live: bool) -> TopOfBook | None:
    start = mapping.header.cells_offset + instrument.row * layout.CELL_BYTES
    sequence = (start + layout.CELL_SEQUENCE) >> 2
    halves = mapping.halves
    for _ in range(_CELL_TRIES_MAX):
        before = halves[sequence]
        if before & 1:
            continue
        cell = bytes(mapping.bytes[start : start + layout.CELL_BYTES])
        if halves[sequence] == before:
            return _top(instrument, cell, is_live)
    return None


def _top(instrument: Instrument, cell: bytes, is_live: bool) -> TopOfBook:
    fields = _CELL.unpack_from(cell)
    state, version, bid, bid_lots, ask, ask_lots, trade, trade_lots = fields[:8]
    trade_at, event_at, received_at, flags, trade_version = fields[8:]
    has_bid, has_ask = bool(flags & layout.CELL_FLAG_BID), bool(flags & layout.CELL_FLAG_ASK)
    has_trade = bool(flags & layout.CELL_FLAG_TRADE)
    return TopOfBook(
        instrument=instrument,
        version=version,
        is_synced=is_live and state == layout.STATE_SYNCED and instrument.state == "synced",
        is_crossed=bool(flags & layout.CELL_FLAG_CROSSED),
        bid_ticks=bid if has_bid else None,
        bid_lots=bid_lots if has_bid else None,
        ask_ticks=ask if has_ask else None,
        ask_lots=ask_lots if has_ask else None,
        trade_ticks=trade if has_trade else None,
        trade_lots=trade_lots if has_trade else None,
        trade_at_ns=trade_at,
        trade_version=trade_version,
        event_at_ns=event_at,
        received_at_ns=received_at,
    )


def _exponent(value: int) -> int:
    return value if -1 <= value <= layout.EXPONENT_MAX else -1


def _text(entry: bytes, offset: int, bytes_max: int) -> str:
    length = min(entry[offset], bytes_max)
    return entry[offset + 1 : offset + 1 + length].decode("utf-8", "replace")


def _image(mapping: Mapping, place: tuple[int, int, int, int]) -> int:
    """Offset of the current image when both images lie whole in the segment's image area, else 0."""
    current, offset, size, capacity = place
    header = mapping.header
    fits = (
        current in (1, 2)
        and offset >= header.images_offset
        and offset % 8 == 0
        and size % 8 == 0
        and layout.IMAGE_HEADER_BYTES + capacity * layout.LEVEL_BYTES <= size
        and offset + 2 * size <= header.segment_bytes
    )
    return offset + (current - 1) * size if fits else 0
