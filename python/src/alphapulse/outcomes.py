"""What one read can give. Loss is an outcome, not an exception: match on the type.

    match reader.read_deltas(timeout=1.0):
        case Batch(records=records): ...
        case Lapped(lost=lost): ...          # exactly so many records were overwritten unread
        case Idle(): ...
        case EpochChanged() | Stale() | Closed(): ...
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from .records import Records


class Batch(NamedTuple):
    """Records, a private copy that was proved to be whole."""

    records: Records
    position: int
    """Ring position of the first one; counts up from 0 within an epoch."""


class Idle(NamedTuple):
    """Nothing came within the timeout."""


class Lapped(NamedTuple):
    """The ring overtook the reader; it goes on a quarter of a ring behind the producer."""

    lost: int
    """Records that were overwritten before they were read, exactly."""
    position: int
    """Where it goes on."""


class EpochChanged(NamedTuple):
    """The producer started anew and the reader is attached to the new segment; what it missed in between is unknown.

    Positions, versions and instrument ids start again: only canonical names carry over.
    """

    old: int
    new: int


class Stale(NamedTuple):
    """The producer's heartbeat stopped: nothing is synced until it goes on or another one starts. Told once."""

    age_ms: int


class Closed(NamedTuple):
    """The segment ends here; the reader keeps looking for the next one. Told once."""

    reason: Literal["closed", "superseded", "gone"]
    """Orderly end · buried by its supervisor · the file is no longer there."""


Outcome: TypeAlias = Batch | Idle | Lapped | EpochChanged | Stale | Closed
"""What `read_deltas` and `read_trades` give."""
