"""AlphaPulse for Python: order books and trades from shared memory, as numpy arrays.

    from alphapulse import OrderBookReconstructor, SegmentReader

    with SegmentReader.open("kraken") as reader:
        books = OrderBookReconstructor(reader, ["BTC-USD"])
        books.update(timeout=1.0)
        print(books.book("BTC-USD").depth_text(5))
"""

from ._layout import LAYOUT_VERSION
from .book import Applied, Depth, OrderBook
from .decimals import to_decimal, to_text, to_units
from .directory import find_segments, segment_directory
from .errors import (
    AlphaPulseError,
    LayoutVersionError,
    SegmentError,
    SegmentNotFoundError,
    UnsupportedPlatformError,
)
from .hashing import level_hash, level_hashes
from .image import BookImage
from .instruments import Instrument, TopOfBook
from .outcomes import Batch, Closed, EpochChanged, Idle, Lapped, Outcome, Stale
from .reconstructor import BookView, OrderBookReconstructor, Update
from .records import DELTA_DTYPE, TRADE_DTYPE, Changes, explode_changes, trade_id
from .ring import RingReader
from .segment import SegmentReader

__all__ = [
    "DELTA_DTYPE",
    "LAYOUT_VERSION",
    "TRADE_DTYPE",
    "AlphaPulseError",
    "Applied",
    "Batch",
    "BookImage",
    "BookView",
    "Changes",
    "Closed",
    "Depth",
    "EpochChanged",
    "Idle",
    "Instrument",
    "Lapped",
    "LayoutVersionError",
    "OrderBook",
    "OrderBookReconstructor",
    "Outcome",
    "RingReader",
    "SegmentError",
    "SegmentNotFoundError",
    "SegmentReader",
    "Stale",
    "TopOfBook",
    "UnsupportedPlatformError",
    "Update",
    "explode_changes",
    "find_segments",
    "level_hash",
    "level_hashes",
    "segment_directory",
    "to_decimal",
    "to_text",
    "to_units",
    "trade_id",
]
