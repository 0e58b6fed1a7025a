"""What can go wrong for good: a file that cannot be trusted, a machine that cannot read it.

Loss is no error: laps, restarts and dead producers are outcomes, see alphapulse.outcomes.
"""

from __future__ import annotations


class AlphaPulseError(Exception):
    """Every error of this package."""


class SegmentError(AlphaPulseError, ValueError):
    """The bytes of a segment cannot be trusted; the message names the field and its value."""


class LayoutVersionError(SegmentError):
    """The segment was written for another layout; the message names both versions."""


class SegmentNotFoundError(AlphaPulseError, FileNotFoundError):
    """There is no such segment file, perhaps not yet."""


class UnsupportedPlatformError(AlphaPulseError, RuntimeError):
    """Segments are read on x64 only: their ordering rests on total store order."""
