"""The primitive codings of the stream's binary frames, and the frames that stand alone: trades and best prices.

The grammar is drawn in src/wire/PROTOCOL.md. Bad case: two byte strings for one value; everything but the shortest
coding is refused, as is every byte too many.
"""

from __future__ import annotations

import zlib
from decimal import Decimal
from enum import Enum
from typing import Final, NamedTuple

from . import _layout as layout
from .decimals import to_units
from .hashing import U32

U64: Final = 0xFFFFFFFFFFFFFFFF
_SIGN: Final = 1 << 63
_SEAL_BYTES: Final = 4
_TIME_UNIT: Final = 1000
_FACTORS: Final = (1, 100, 10_000, 1_000_000)
_AGGRESSORS: Final = ("unknown", "buy", "sell")
_NUMERIC_MAX: Final = 10**18
_BBO_BID: Final = 1
_BBO_ASK: Final = 2
_BBO_CROSSED: Final = 8
_BBO_NOT_SYNCED: Final = 16
_BBO_FLAGS: Final = _BBO_BID | _BBO_ASK | _BBO_CROSSED | _BBO_NOT_SYNCED
_TRADE_NUMERIC: Final = 16


class Outcome(Enum):
    """What a message did to a book. All but the first three drop it: a snapshot is needed then."""

    APPLIED = "applied"
    PARTIAL = "partial"
    """A part of a snapshot; more are to come."""
    SKIPPED = "skipped"
    """There is no book to apply it to."""
    CHAIN = "chain"
    """It does not lead on from the version held."""
    HASH = "hash"
    """Hash, chain or checksum do not hold."""
    INCONSISTENT = "inconsistent"
    """A field contradicts the book or the grammar."""
    MALFORMED = "malformed"
    """It cannot be read."""
    EXPONENTS = "exponents"
    """Its units are not those that the status named."""

    @property
    def is_fault(self) -> bool:
        """The book was dropped."""
        return self not in (Outcome.APPLIED, Outcome.PARTIAL, Outcome.SKIPPED)


class FrameError(Exception):
    """Why a frame is refused; never leaves this package."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.value)
        self.outcome = outcome


class WireTrade(NamedTuple):
    """A trade as coded."""

    id: str
    aggressor: str
    """The taker's side: buy, sell or unknown."""
    price_ticks: int
    quantity_lots: int
    is_history: bool
    gap_before: bool
    version: int
    book_version: int
    event_at_ns: int
    received_at_ns: int
    sequence: int


class WireBbo(NamedTuple):
    """Best prices as coded, in ticks and lots."""

    version: int
    is_synced: bool
    is_crossed: bool
    bid: tuple[int, int] | None
    ask: tuple[int, int] | None
    event_at_ns: int
    received_at_ns: int


class Level(NamedTuple):
    """One level of a book, exact."""

    price: Decimal
    quantity: Decimal


def _rotate(word: int, bits: int) -> int:
    return ((word << bits) | (word >> (32 - bits))) & U32


def chain_next(chain: int, *, hash: int, version: int, status: int, stamps: tuple[int, int, int]) -> int:
    """The chain after an event. stamps: event_at_ns, received_at_ns, sequence."""
    event_at, received_at, sequence = stamps
    mixed = (
        _rotate(chain, 5)
        ^ hash
        ^ (version & U32)
        ^ (status << 24)
        ^ (event_at & U32)
        ^ _rotate(event_at >> 32, 7)
        ^ _rotate(received_at & U32, 11)
        ^ _rotate(received_at >> 32, 18)
        ^ _rotate(sequence & U32, 22)
        ^ _rotate(sequence >> 32, 29)
    )
    return ((mixed & U32) * 0x9E3779B1 + 0x7F4A7C15) & U32


def signed(value: int) -> int:
    """A 64-bit word as signed."""
    value &= U64
    return value - (1 << 64) if value & _SIGN else value


def unzigzag(value: int) -> int:
    """The signed number of a zigzag code."""
    return (value >> 1) ^ -(value & 1)


def read_units(price: str, quantity: str, price_exponent: int, quantity_exponent: int) -> tuple[int, int] | None:
    """Ticks and lots of a decimal pair; None when they are no plain decimals, finer than a unit, or beyond 63 bits."""
    if not _is_plain(price) or not _is_plain(quantity):
        return None
    try:
        ticks, lots = to_units(price, price_exponent), to_units(quantity, quantity_exponent)
    except ValueError:
        return None
    return (ticks, lots) if -_SIGN <= ticks < _SIGN and 0 <= lots < _SIGN else None


def _is_plain(text: str) -> bool:
    """Digits with a point in their middle at most, and a minus before them at most."""
    whole, point, fraction = text.removeprefix("-").partition(".")
    digits = whole + fraction
    return digits.isascii() and digits.isdigit() and bool(whole) and bool(fraction) == bool(point)


class WireReader:
    """A cursor over one frame; raises FrameError(INCONSISTENT) at whatever is not minimal or cut short."""

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.data = data
        self.at = at
        self.end = end

    def byte(self) -> int:
        """One byte."""
        at = self.at
        if at >= self.end:
            raise FrameError(Outcome.INCONSISTENT)
        self.at = at + 1
        return self.data[at]

    def word(self, size: int = 4) -> int:
        """A little-endian unsigned integer of so many bytes."""
        at = self.at
        if self.end - at < size:
            raise FrameError(Outcome.INCONSISTENT)
        self.at = at + size
        return int.from_bytes(self.data[at : at + size], "little")

    def varint(self) -> int:
        """An unsigned number of at most 64 bits."""
        data, at, end = self.data, self.at, self.end
        value = shift = 0
        while at < end and shift < 70:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                if (byte == 0 and shift > 0) or value > U64:
                    break
                self.at = at
                return value
            shift += 7
        raise FrameError(Outcome.INCONSISTENT)

    def zigzag(self) -> int:
        """A signed number of 64 bits."""
        return unzigzag(self.varint())

    def tagged(self, low: int, has_more: int) -> int:
        """A number whose low five bits stood in the byte before."""
        if not has_more:
            return low
        at = self.at
        if at < self.end and 0 < (rest := self.data[at]) < 128:
            self.at = at + 1
            return (rest << 5) | low
        rest = self.varint()
        if rest == 0 or rest >> 59:
            raise FrameError(Outcome.INCONSISTENT)
        return (rest << 5) | low

    def quantity(self) -> int:
        """A quantity above 0."""
        first = self.byte()
        mantissa = self.tagged(first & 31, 128) if first & 128 else first & 31
        factors = (first >> 5) & 3
        value = mantissa * _FACTORS[factors]
        if mantissa == 0 or (factors < 3 and mantissa % 100 == 0) or value >= _SIGN:
            raise FrameError(Outcome.INCONSISTENT)
        return value

    def time(self, unit: int) -> int:
        """A difference of times, ns."""
        value = self.varint()
        difference = unzigzag(value >> 1)
        return difference if value & 1 else difference * unit


def is_sealed(frame: bytes) -> bool:
    """The last four bytes are the CRC-32 of those before."""
    end = len(frame) - _SEAL_BYTES
    return end >= 2 and int.from_bytes(frame[end:], "little") == zlib.crc32(frame[:end])


def alias_of(frame: bytes) -> int | None:
    """What a frame is addressed to; None when that cannot be read."""
    try:
        alias = WireReader(frame, 1, len(frame)).varint()
    except FrameError:
        return None
    return alias if alias <= 0xFFFFFFFF else None


def read_trades(frame: bytes) -> list[WireTrade] | None:
    """The trades of a frame, oldest first; None when it is malformed."""
    reader = _open(frame, layout.FRAME_TRADES)
    if reader is None:
        return None
    try:
        trades = _trades(reader)
    except FrameError:
        return None
    return trades or None


def read_bbo(frame: bytes) -> WireBbo | None:
    """The best prices of a frame; None when it is malformed."""
    reader = _open(frame, layout.FRAME_BBO)
    if reader is None:
        return None
    try:
        return _bbo(reader)
    except FrameError:
        return None


def _open(frame: bytes, kind: int) -> WireReader | None:
    if not frame or frame[0] != kind or not is_sealed(frame) or alias_of(frame) is None:
        return None
    reader = WireReader(frame, 1, len(frame) - _SEAL_BYTES)
    try:
        reader.varint()
    except FrameError:
        return None
    return reader


def _trades(reader: WireReader) -> list[WireTrade]:
    version = reader.varint()
    price = event_at = number = sequence = book_version = 0
    trades: list[WireTrade] = []
    while reader.at < reader.end:
        head = reader.byte()
        if head > 31 or head & 3 == 3:
            raise FrameError(Outcome.MALFORMED)
        price = signed(price + reader.zigzag())
        quantity = reader.quantity()
        event_at = (event_at + reader.time(_TIME_UNIT)) & U64
        received_at = (event_at + reader.time(_TIME_UNIT)) & U64
        if head & _TRADE_NUMERIC:
            number = (number + reader.zigzag()) & U64
            if number >= _NUMERIC_MAX:
                raise FrameError(Outcome.MALFORMED)
            name = str(number)
        else:
            name = _text(reader)
        sequence = (sequence + reader.zigzag()) & U64
        book_version = (book_version + reader.zigzag()) & U64
        trades.append(
            WireTrade(
                id=name,
                aggressor=_AGGRESSORS[head & 3],
                price_ticks=price,
                quantity_lots=quantity,
                is_history=bool(head & 4),
                gap_before=bool(head & 8),
                version=version,
                book_version=book_version,
                event_at_ns=event_at,
                received_at_ns=received_at,
                sequence=sequence,
            )
        )
        version = (version + 1) & U64
    return trades


def _text(reader: WireReader) -> str:
    length = reader.byte()
    if length > layout.TRADE_ID_BYTES_MAX or reader.end - reader.at < length:
        raise FrameError(Outcome.MALFORMED)
    reader.at += length
    return reader.data[reader.at - length : reader.at].decode("utf-8", "replace")


def _bbo(reader: WireReader) -> WireBbo:
    flags = reader.byte()
    version = reader.varint()
    event_at, received_at = reader.word(8), reader.word(8)
    price = 0
    sides: list[tuple[int, int] | None] = []
    for flag in (_BBO_BID, _BBO_ASK):
        if flags & flag:
            price = signed(price + reader.zigzag())
            sides.append((price, reader.quantity()))
        else:
            sides.append(None)
    if flags & ~_BBO_FLAGS or reader.at != reader.end:
        raise FrameError(Outcome.MALFORMED)
    bid, ask = sides
    return WireBbo(version, not flags & _BBO_NOT_SYNCED, bool(flags & _BBO_CROSSED), bid, ask, event_at, received_at)
