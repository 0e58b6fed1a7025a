"""Where segments are: one rule that every role of the system follows.

An explicit folder (argument, then ALPHAPULSE_SEGMENT_DIRECTORY), else /dev/shm/alphapulse, else a folder of ours in the
temporary directory. Bad case: a folder in a public place that another user made; it is refused, not read.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from .errors import SegmentError

DIRECTORY_VARIABLE: Final = "ALPHAPULSE_SEGMENT_DIRECTORY"
SEGMENT_NAME: Final = re.compile(r"([a-z0-9_]+)(?:\.(\d+)of(\d+))?\.seg")
_SHARED_MEMORY: Final = Path("/dev/shm")


def segment_directory(directory: str | os.PathLike[str] | None = None) -> Path:
    """The folder of the segments; it need not exist yet.

    Raises SegmentError when it is not explicit and not safely ours.
    """
    explicit = directory if directory is not None else os.environ.get(DIRECTORY_VARIABLE) or None
    if explicit is not None:
        return Path(explicit)
    shared = _SHARED_MEMORY / "alphapulse"
    if _owner(shared) == os.geteuid() or (_SHARED_MEMORY.is_dir() and os.access(_SHARED_MEMORY, os.W_OK)):
        return _checked(shared)
    return _checked(Path(os.environ.get("TMPDIR") or "/tmp") / f"alphapulse-{os.geteuid()}")


def find_segments(exchange: str | None = None, directory: str | os.PathLike[str] | None = None) -> list[Path]:
    """Segment files, sorted by name: of one exchange (all its shards), or all. Empty when there are none yet."""
    folder = segment_directory(directory)
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
    matches = [(name, SEGMENT_NAME.fullmatch(name)) for name in names]
    return [folder / name for name, match in matches if match and exchange in (None, match[1])]


def _owner(path: Path) -> int | None:
    try:
        return os.lstat(path).st_uid
    except OSError:
        return None


def _checked(folder: Path) -> Path:
    try:
        found = os.lstat(folder)
    except FileNotFoundError:
        return folder
    if not stat.S_ISDIR(found.st_mode):
        raise SegmentError(f"Cannot use the segment folder: it must be a real folder, was {folder}")
    if found.st_uid != os.geteuid():
        raise SegmentError(f"Cannot use the segment folder {folder}: it must be ours, was of user {found.st_uid}")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        mode = stat.S_IMODE(found.st_mode)
        raise SegmentError(f"Cannot use the segment folder {folder}: others may write there, was mode {mode:04o}")
    return folder
