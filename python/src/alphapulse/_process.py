"""Whether the process that writes a segment is still the one that began it: known long before its heartbeat is old.

Bad case: a producer of another pid namespace; its pid means nothing here, and the heartbeat alone decides.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

DOUBT_NS: Final = 150_000_000
"""A heartbeat older than this makes one look whether the process is still there; it beats ten times a second."""

_START_FIELD: Final = 19


def process_identity(pid: int) -> str | None:
    """What tells a process from every other that has or had its pid; None when it is not there or only its status is."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="latin-1")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split(" ")
    return None if fields[0] in ("Z", "X") else fields[_START_FIELD]


def has_ended(pid: int, identity: str | None) -> bool:
    """Whether a process that was there has ended. identity None: it was never seen, nothing is known."""
    return identity is not None and process_identity(pid) != identity
