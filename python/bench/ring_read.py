"""Reading delta records: batches into numpy, and one by one, against struct.unpack per record. Prints JSON.

    ring of 65,536 records ──► SegmentReader.read_deltas(4096) ──► numpy arrays
                           ├─► SegmentReader.read_delta()      ──► one record
                           └─► struct.unpack_from per record   ──► tuple (the baseline)

Each way also sums the versions of what it read; a wrong sum fails the run. The segment stands in shared memory.

    python ring_read.py [--rounds 15] [--records 65536]
"""

from __future__ import annotations

import argparse
import json
import mmap
import platform
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from alphapulse import DELTA_DTYPE, Batch, SegmentReader
from alphapulse import _layout as layout

RECORD = struct.Struct("<5Qq I H B x H H I 16q 16i")
BATCH = 4096
ALIGN = 4096


def write_segment(path: Path, capacity: int) -> None:
    """A segment whose delta ring is exactly full."""
    table, cells, deltas = layout.HEADER_BYTES, layout.HEADER_BYTES + ALIGN, layout.HEADER_BYTES + 2 * ALIGN
    trades = deltas + capacity * layout.DELTA_BYTES
    images = trades + ALIGN
    size = -(-(images + ALIGN) // layout.SEGMENT_ALIGN) * layout.SEGMENT_ALIGN
    content = bytearray(size)
    words = (
        (layout.HEADER_MAGIC, layout.MAGIC_LOW),
        (layout.HEADER_MAGIC + 4, layout.MAGIC_HIGH),
        (layout.HEADER_LAYOUT_VERSION, layout.LAYOUT_VERSION),
        (layout.HEADER_HEADER_BYTES, layout.HEADER_BYTES),
        (layout.HEADER_DELTA_BYTES, layout.DELTA_BYTES),
        (layout.HEADER_TRADE_BYTES, layout.TRADE_BYTES),
        (layout.HEADER_DELTA_CAPACITY, capacity),
        (layout.HEADER_TRADE_CAPACITY, 32),
        (layout.HEADER_INSTRUMENT_CAPACITY, 1),
        (layout.HEADER_STATE, layout.SEGMENT_STATE_LIVE),
    )
    longs = (
        (layout.HEADER_SEGMENT_BYTES, size),
        (layout.HEADER_TABLE_OFFSET, table),
        (layout.HEADER_CELLS_OFFSET, cells),
        (layout.HEADER_DELTA_RING_OFFSET, deltas),
        (layout.HEADER_TRADE_RING_OFFSET, trades),
        (layout.HEADER_IMAGES_OFFSET, images),
        (layout.HEADER_HEARTBEAT, time.monotonic_ns()),
        (layout.HEADER_DELTA_TAIL_INTENT, capacity),
        (layout.HEADER_DELTA_TAIL, capacity),
    )
    for offset, value in words:
        struct.pack_into("<I", content, offset, value)
    for offset, value in longs:
        struct.pack_into("<Q", content, offset, value)
    struct.pack_into("<H", content, layout.HEADER_SHARD_COUNT, 1)
    content[layout.HEADER_EXCHANGE : layout.HEADER_EXCHANGE + 7] = b"\x06kraken"
    records = np.zeros(capacity, DELTA_DTYPE)
    records["version"] = np.arange(1, capacity + 1)
    records["change_count"] = 10
    records["quantity_lots"] = np.arange(capacity)[:, None]
    content[deltas:trades] = records.tobytes()
    path.write_bytes(content)


def read_batches(reader: SegmentReader, count: int) -> int:
    """The ring in batches. Returns the sum of the versions."""
    total = 0
    while count > 0:
        outcome = reader.read_deltas(BATCH)
        if not isinstance(outcome, Batch):
            raise AssertionError(f"Cannot measure: records were expected, was {outcome}")
        total += int(outcome.records["version"].sum())
        count -= len(outcome.records)
    return total


def read_singly(reader: SegmentReader, count: int) -> int:
    """The ring record by record."""
    total = 0
    for _ in range(count):
        total += int(reader.read_delta()["version"])  # type: ignore[call-overload]
    return total


def unpack_each(memory: mmap.mmap, start: int, count: int) -> int:
    """The ring by struct.unpack_from, one call a record."""
    total = 0
    unpack = RECORD.unpack_from
    for offset in range(start, start + count * layout.DELTA_BYTES, layout.DELTA_BYTES):
        total += unpack(memory, offset)[3]
    return total


@contextmanager
def ways_to_read(count: int) -> Iterator[dict[str, Callable[[], int]]]:
    """The ways to read a whole ring of so many records, in a segment of their own; each sums the versions up."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        path = Path(folder) / "kraken.seg"
        write_segment(path, count)
        reader = SegmentReader(path, start="oldest", stale_after_ms=10**9)
        cursor = reader._deltas.cursor

        def from_start(read: Callable[[SegmentReader, int], int]) -> Callable[[], int]:
            def run() -> int:
                cursor.position = 0
                return read(reader, count)

            return run

        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as memory:
            start = reader.mapping.header.delta_ring_offset
            yield {
                "batch": from_start(read_batches),
                "single": from_start(read_singly),
                "unpack": lambda: unpack_each(memory, start, count),
            }


def sample(read: Callable[[], int], count: int) -> float:
    """Nanoseconds a record. Raises when the versions do not sum up."""
    started = time.perf_counter_ns()
    total = read()
    spent = time.perf_counter_ns() - started
    expected = count * (count + 1) // 2
    if total != expected:
        raise AssertionError(f"Cannot trust the measurement: the sum of versions must be {expected}, was {total}")
    return spent / count


def measure(read: Callable[[], int], count: int, rounds: int) -> dict[str, float]:
    """Nanoseconds a record: median and best of the rounds, the first one left out."""
    times = [sample(read, count) for _ in range(rounds + 1)][1:]
    return {"median_ns": round(statistics.median(times), 2), "best_ns": round(min(times), 2)}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--records", type=int, default=65_536, help="a power of two, at least 4096")
    options = parser.parse_args()
    if RECORD.size != layout.DELTA_BYTES:
        raise AssertionError(f"Cannot measure: the baseline reads {RECORD.size} bytes a record")
    count = options.records
    with ways_to_read(count) as ways:
        batch = measure(ways["batch"], count, options.rounds)
        single = measure(ways["single"], count, max(1, options.rounds // 5))
        baseline = measure(ways["unpack"], count, max(1, options.rounds // 3))
    result = {
        "measure": "P9",
        "records": count,
        "batch": batch,
        "single": single,
        "struct_unpack": baseline,
        "records_per_second": round(1e9 / batch["median_ns"]),
        "batch_against_struct": round(baseline["median_ns"] / batch["median_ns"], 1),
        "single_against_struct": round(baseline["median_ns"] / single["median_ns"], 2),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    json.dump(result, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
