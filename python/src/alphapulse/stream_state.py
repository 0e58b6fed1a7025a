"""What a StreamClient remembers: what was asked for, the books, and what happened.

Bad case: a book that is not wanted on this connection; it is kept to be resumed, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .stream_book import StreamBook

ViewKey = tuple[str, int, int]
"""Instrument, depth, rate_ms."""


class ConnectionFaultError(Exception):
    """This connection brought what no server sends."""


@dataclass(frozen=True)
class Subscription:
    """What was asked for."""

    channels: tuple[str, ...]
    instruments: tuple[str, ...]
    depth: int = 0
    rate_ms: int = 0
    policy: str | None = None

    def fields(self) -> dict[str, object]:
        """As the protocol writes it; what has its default is left out."""
        fields: dict[str, object] = {"channels": list(self.channels)}
        if self.instruments:
            fields["instruments"] = list(self.instruments)
        if self.depth:
            fields["depth"] = self.depth
        if self.rate_ms:
            fields["rateMs"] = self.rate_ms
        return fields


@dataclass
class View:
    """A book, and what may come next for it."""

    instrument: str
    depth: int
    rate_ms: int
    policy: str | None = None
    book: StreamBook = field(default_factory=StreamBook)
    is_wanted: bool = False
    """The server acknowledged it on this connection."""
    expected: str = "snapshot"
    """changes, update (a conflated one, after a resume) or snapshot."""
    is_resumable: bool = False
    failures: int = 0
    failed_at: float = 0.0


@dataclass
class Counts:
    """What happened since the client was made."""

    messages: int = 0
    bytes: int = 0
    connections: int = 0
    resumes: int = 0
    resyncs: int = 0
    resets: int = 0
    malformed: int = 0
    trades_missed: int = 0
    """By their versions, resets apart."""
