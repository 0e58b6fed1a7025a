"""Book images: a whole book with its version and its place in the ring, so that a reader can join at any time.

Two images are written in turn, each behind a generation that is odd while it is written; a copy counts only when the
generation was even and the same before and after. Bad case: a producer faster than the copy; a few tries, then "busy".
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

import numpy as np

from . import _layout as layout
from ._mapping import Mapping
from ._places import struct_at
from .hashing import U32, level_hashes
from .instruments import Instrument, read_instrument
from .records import Int64s

_TRIES: Final = 16
_HEAD: Final = struct_at(
    (layout.IMAGE_STATE, "I"),
    (layout.IMAGE_EPOCH, "Q"),
    (layout.IMAGE_VERSION, "Q"),
    (layout.IMAGE_RING_SEQUENCE, "Q"),
    (layout.IMAGE_BID_COUNT, "I"),
    (layout.IMAGE_ASK_COUNT, "I"),
    (layout.IMAGE_HASH, "I"),
    (layout.IMAGE_INSTRUMENT_ID, "I"),
    (layout.IMAGE_EVENT_AT, "Q"),
    (layout.IMAGE_SOURCE_SEQUENCE, "Q"),
)

ImageProblem: TypeAlias = Literal["none", "busy", "lapped", "corrupt"]
"""There is no image yet · overwritten during every try · the ring has left it behind · it contradicts itself."""


class BookImage(NamedTuple):
    """A whole book, proved by its hash. Levels are best first, in ticks and lots."""

    instrument: Instrument
    is_synced: bool
    version: int
    ring_position: int
    """The first delta record that is not included."""
    hash: int
    event_at_ns: int
    source_sequence: int
    bid_ticks: Int64s
    bid_lots: Int64s
    ask_ticks: Int64s
    ask_lots: Int64s


def read_image(mapping: Mapping, index: int) -> BookImage | ImageProblem:
    """Copies and proves the current image of the instrument at a place of the table."""
    for _ in range(_TRIES):
        instrument = read_instrument(mapping, index)
        if instrument.current_image == 0:
            return "none"
        start = instrument.image_offset
        if start == 0:
            return "corrupt"
        generation = mapping.halves[start >> 2]
        if generation & 1:
            continue
        copied = _copy(mapping, start, instrument.image_capacity)
        if mapping.halves[start >> 2] != generation:
            continue
        if copied is None:
            return "corrupt"
        oldest = mapping.words[mapping.deltas.intent]
        image = _prove(mapping, instrument, *copied)
        if image is None:
            return "corrupt"
        return "lapped" if image.ring_position + mapping.deltas.capacity < oldest else image
    return "busy"


def _copy(mapping: Mapping, start: int, capacity: int) -> tuple[bytes, Int64s] | None:
    head = bytes(mapping.bytes[start : start + layout.IMAGE_HEADER_BYTES])
    _, _, _, _, bids, asks, *_ = _HEAD.unpack_from(head)
    count = bids + asks
    if count > capacity:
        return None
    first = start + layout.IMAGE_HEADER_BYTES
    levels = np.frombuffer(mapping.bytes, "<i8", 2 * count, first).reshape(count, 2)
    return head, np.array(levels.T, order="C")


def _prove(mapping: Mapping, instrument: Instrument, head: bytes, levels: Int64s) -> BookImage | None:
    state, epoch, version, position, bids, _asks, hash_, id_, event_at, sequence = _HEAD.unpack_from(head)
    image = BookImage(
        instrument=instrument,
        is_synced=state == layout.STATE_SYNCED,
        version=version,
        ring_position=position,
        hash=hash_,
        event_at_ns=event_at,
        source_sequence=sequence,
        bid_ticks=levels[0, :bids],
        bid_lots=levels[1, :bids],
        ask_ticks=levels[0, bids:],
        ask_lots=levels[1, bids:],
    )
    total = int(level_hashes(layout.SIDE_BID, image.bid_ticks, image.bid_lots).sum(dtype=np.uint64))
    total += int(level_hashes(layout.SIDE_ASK, image.ask_ticks, image.ask_lots).sum(dtype=np.uint64))
    is_whole = (
        id_ == instrument.id
        and epoch == mapping.header.epoch
        and total & U32 == hash_
        and bool((levels[1] > 0).all())
        and bool((image.bid_ticks[1:] < image.bid_ticks[:-1]).all())
        and bool((image.ask_ticks[1:] > image.ask_ticks[:-1]).all())
    )
    return image if is_whole else None
