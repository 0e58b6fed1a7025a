"""The ring under laps and torn writes: every record that is given is whole, every record that is not is counted."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from producer import FOREVER_MS, PATTERN_WORDS, Producer, pattern

from alphapulse import Batch, Idle, Lapped, SegmentReader

ROOT = Path(__file__).parent


def words(records: NDArray[np.void]) -> NDArray[np.uint64]:
    """Records as the words of the pattern."""
    return np.ascontiguousarray(records).view(np.uint64).reshape(len(records), PATTERN_WORDS)


def check(outcome: Batch) -> int:
    """Demands that every word stands where it belongs. Returns the records."""
    count = len(outcome.records)
    assert np.array_equal(words(outcome.records), pattern(outcome.position, count))
    return count


def test_read_gives_each_record_once_when_the_ring_wraps(tmp_path: Path) -> None:
    producer = Producer(tmp_path / "kraken.seg", capacity=64)
    with SegmentReader(producer.path, stale_after_ms=FOREVER_MS) as reader:
        received = 0
        for count in (1, 16, 15, 16, 16, 7, 16, 16, 3):
            producer.write_pattern(count)
            outcome = reader.read_deltas()
            assert isinstance(outcome, Batch)
            assert outcome.position == received
            received += check(outcome)
        assert received == producer.position > 64
        assert isinstance(reader.read_deltas(), Idle)
        assert reader.deltas_lost == 0


def test_read_gives_at_most_the_limit_and_single_records(tmp_path: Path) -> None:
    producer = Producer(tmp_path / "kraken.seg", capacity=64)
    with SegmentReader(producer.path, stale_after_ms=FOREVER_MS) as reader:
        producer.write_pattern(5)
        outcome = reader.read_deltas(limit=3)
        assert isinstance(outcome, Batch)
        assert check(outcome) == 3
        record = reader.read_delta()
        assert isinstance(record, np.void)
        assert np.array_equal(np.frombuffer(record.tobytes(), np.uint64), pattern(3, 1)[0])
        assert reader.delta_position == 4


def test_read_keeps_its_records_when_the_producer_overwrites_the_slots(tmp_path: Path) -> None:
    producer = Producer(tmp_path / "kraken.seg", capacity=64)
    with SegmentReader(producer.path, stale_after_ms=FOREVER_MS) as reader:
        producer.write_pattern(16)
        outcome = reader.read_deltas()
        assert isinstance(outcome, Batch)
        for _ in range(8):
            producer.write_pattern(16)
        assert check(outcome) == 16


def test_lapped_tells_exactly_what_was_lost_and_goes_on_a_quarter_behind(tmp_path: Path) -> None:
    producer = Producer(tmp_path / "kraken.seg", capacity=64)
    with SegmentReader(producer.path, stale_after_ms=FOREVER_MS) as reader:
        for _ in range(10):
            producer.write_pattern(16)
        outcome = reader.read_deltas()
        assert outcome == Lapped(lost=144, position=144)
        rest = reader.read_deltas()
        assert isinstance(rest, Batch)
        assert check(rest) == 16
        assert reader.deltas_lost + 16 == producer.position


@pytest.mark.parametrize(("announced", "intact"), [(16, True), (48, True), (49, False), (64, False)])
def test_records_count_only_while_nothing_that_overwrites_them_is_announced(
    tmp_path: Path, announced: int, intact: bool
) -> None:
    producer = Producer(tmp_path / "kraken.seg", capacity=64)
    with SegmentReader(producer.path, stale_after_ms=FOREVER_MS) as reader:
        producer.write_pattern(16)
        producer.announce(announced)
        outcome = reader.read_deltas()
        assert isinstance(outcome, Batch) == intact
        if not intact:
            # Nothing newer is published: it is not known yet what is lost.
            assert isinstance(outcome, Idle)
            producer.write_pattern(64)
            assert reader.read_deltas() == Lapped(lost=64, position=64)


class TornSlots:
    """Slots that are overwritten by the producer while they are being copied."""

    def __init__(self, producer: Producer, batches: int) -> None:
        self._producer = producer
        self._batches = batches

    def __getitem__(self, place: slice) -> NDArray[np.uint8]:
        middle = (place.start + place.stop) // 2
        before = self._producer.slots[place.start : middle].copy()
        for _ in range(self._batches):
            self._producer.write_pattern(16)
        self._batches = 0
        return np.concatenate((before, self._producer.slots[middle : place.stop]))


@pytest.mark.parametrize(("batches", "is_torn"), [(1, False), (2, False), (3, True), (4, True), (9, True)])
def test_a_copy_is_thrown_away_when_it_was_overwritten_meanwhile(tmp_path: Path, batches: int, is_torn: bool) -> None:
    producer = Producer(tmp_path / "kraken.seg", capacity=64)
    with SegmentReader(producer.path, stale_after_ms=FOREVER_MS) as reader:
        producer.write_pattern(16)
        producer.write_pattern(16)
        cursor: Any = reader._deltas.cursor
        cursor._ring = cursor._ring._replace(slots=TornSlots(producer, batches))
        outcome = reader.read_deltas(limit=32)
        if is_torn:
            assert isinstance(outcome, Lapped)
            assert outcome.lost == 32 + 16 * batches - 16
            cursor._ring = cursor._ring._replace(slots=producer.slots)
            outcome = reader.read_deltas()
        assert isinstance(outcome, Batch)
        check(outcome)


def test_waiting_ends_with_the_record_or_with_the_timeout(tmp_path: Path) -> None:
    producer = Producer(tmp_path / "kraken.seg", capacity=64)
    for wait in ("sleep", "spin"):
        with SegmentReader(producer.path, wait=wait, stale_after_ms=FOREVER_MS) as reader:
            started = time.monotonic()
            assert isinstance(reader.read_deltas(timeout=0.05), Idle)
            assert 0.045 <= time.monotonic() - started < 1.0
            producer.write_pattern(1)
            assert isinstance(reader.read_deltas(timeout=5.0), Batch)
            producer.beat()


@pytest.mark.parametrize("wait", ["sleep", "spin"])
def test_no_record_is_torn_or_lost_uncounted_when_another_process_writes_at_full_speed(
    tmp_path: Path, wait: Any
) -> None:
    path = tmp_path / "kraken.seg"
    command = [sys.executable, str(ROOT / "producer.py"), "pattern", str(path), "1.2", "64"]
    with subprocess.Popen(command, env={"PYTHONPATH": str(ROOT.parent / "src")}) as child:
        reader = SegmentReader.open("kraken", directory=tmp_path, patience_s=10, start="oldest", wait=wait)
        first = reader.delta_position
        received, laps = 0, 0
        pauses = np.random.default_rng(1).integers(0, 30, 10_000)
        while True:
            has_ended = child.poll() is not None
            outcome = reader.read_deltas(limit=1 + received % 40)
            if isinstance(outcome, Batch):
                received += check(outcome)
            elif isinstance(outcome, Lapped):
                laps += 1
            if pauses[received % len(pauses)] == 0:
                time.sleep(0.0005)
            if has_ended and reader.delta_position == reader._deltas.cursor.tail:
                break
        assert received + reader.deltas_lost == reader.delta_position - first == reader._deltas.cursor.tail - first
        assert received > 100
        assert laps > 2
