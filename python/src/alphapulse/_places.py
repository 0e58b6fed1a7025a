"""A struct.Struct over fields at given offsets, so that the generated layout decides where everything stands."""

from __future__ import annotations

import struct


def struct_at(*fields: tuple[int, str]) -> struct.Struct:
    """Fields as (offset, format character) in rising order. Raises ValueError when they overlap."""
    parts = ["<"]
    end = 0
    for offset, code in fields:
        if offset < end:
            raise ValueError(f"Cannot lay out fields: they must rise without overlap, was {offset} after {end}")
        parts.append(f"{offset - end}x{code}")
        end = offset + struct.calcsize(f"<{code}")
    return struct.Struct("".join(parts))
