"""Paired rounds of reading delta records in Python: numpy batches, single reads, struct.unpack per record. Prints JSON.

The three ways are those of python/bench/ring_read.py, which must stand on the path; here they are interleaved, forwards
and backwards by turns, and every raw sample is printed with the CPU ticks around its round. Every way sums the versions
of what it read. Bad case: a wrong sum ends the run with an error.

    PYTHONPATH=python/src:python/bench python paired_ring_read.py ROUNDS ATTEMPTS RECORDS STOLEN_MAX
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ring_read import sample, ways_to_read

STEAL = 7
FIELDS = 8
DIGITS = 5


def cpu_ticks() -> list[int]:
    """All ticks since boot, and the stolen ones; zeros where the system does not tell."""
    try:
        line = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0]
    except OSError:
        return [0, 0]
    fields = [int(field) for field in line.split()[1 : 1 + FIELDS]]
    return [sum(fields), fields[STEAL]]


def measure(
    ways: dict[str, Callable[[], int]], *, count: int, rounds: int, attempts: int, stolen_max: float
) -> list[dict[str, object]]:
    """Rounds until enough are undisturbed; the first ones, which warm up, are left out."""
    for read in ways.values():
        sample(read, count)
    found: list[dict[str, object]] = []
    kept = 0
    for attempt in range(attempts):
        before = cpu_ticks()
        names = list(ways) if attempt % 2 == 0 else list(reversed(ways))
        taken: dict[str, object] = {name: float(f"{sample(ways[name], count):.{DIGITS}g}") for name in names}
        after = cpu_ticks()
        found.append({**taken, "ticks": before + after})
        passed = after[0] - before[0]
        kept += passed <= 0 or (after[1] - before[1]) / passed <= stolen_max
        if kept == rounds:
            break
    return found


def main() -> None:
    """Measures and prints."""
    rounds, attempts, count = (int(word) for word in sys.argv[1:4])
    stolen_max = float(sys.argv[4])
    with ways_to_read(count) as ways:
        found = measure(ways, count=count, rounds=rounds, attempts=attempts, stolen_max=stolen_max)
    versions = {"python": platform.python_version(), "numpy": np.__version__}
    json.dump({**versions, "records": count, "rounds": found}, sys.stdout)


if __name__ == "__main__":
    main()
