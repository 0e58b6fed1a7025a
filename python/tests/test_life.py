"""The life of a segment as its readers see it: orderly end, death, restart, files that come and go."""

from __future__ import annotations

import os
import platform
import stat
import time
from pathlib import Path

import pytest
from producer import Producer

from alphapulse import (
    Batch,
    Closed,
    EpochChanged,
    Idle,
    LayoutVersionError,
    OrderBookReconstructor,
    SegmentError,
    SegmentNotFoundError,
    SegmentReader,
    Stale,
    UnsupportedPlatformError,
    find_segments,
    segment_directory,
)
from alphapulse import _layout as layout
from alphapulse._mapping import Mapping


def test_a_restart_is_told_after_the_old_ring_is_read_to_its_end_for_each_ring(tmp_path: Path) -> None:
    old = Producer(tmp_path / "kraken.seg", epoch=1)
    with SegmentReader(old.path) as reader:
        old.write_pattern(3)
        old.write_trade(1, 1, aggressor=1, trade_id="1", at_ns=1)
        old.set_state(layout.SEGMENT_STATE_SUPERSEDED)
        fresh = Producer(tmp_path / "kraken.seg", epoch=2)
        fresh.write_pattern(2)
        time.sleep(0.02)
        outcomes = [reader.read_deltas() for _ in range(4)]
        assert [type(outcome) for outcome in outcomes] == [Batch, EpochChanged, Batch, Idle]
        assert outcomes[1] == EpochChanged(1, 2)
        assert isinstance(outcomes[2], Batch)
        assert outcomes[2].position == 0
        # The trade ring of the old segment is still there for the cursor that has not read it.
        assert isinstance(reader.read_trades(), Batch)
        assert reader.read_trades() == EpochChanged(1, 2)
        assert reader.epoch == 2
        assert reader.is_live


def test_an_orderly_end_is_told_once_and_the_next_segment_is_found(tmp_path: Path) -> None:
    producer = Producer(tmp_path / "kraken.seg", epoch=1)
    with SegmentReader(producer.path) as reader:
        producer.write_pattern(1)
        producer.set_state(layout.SEGMENT_STATE_CLOSED)
        producer.path.unlink()
        assert isinstance(reader.read_deltas(), Batch)
        assert reader.read_deltas() == Closed("closed")
        assert isinstance(reader.read_deltas(), Idle)
        assert not reader.is_live
        Producer(tmp_path / "kraken.seg", epoch=5)
        started = time.monotonic()
        assert reader.read_deltas(timeout=5) == EpochChanged(1, 5)
        assert time.monotonic() - started < 0.5


def test_a_silent_producer_is_stale_within_the_limit_and_alive_again_when_it_goes_on(tmp_path: Path) -> None:
    producer = Producer(tmp_path / "kraken.seg")
    with SegmentReader(producer.path, stale_after_ms=100) as reader:
        assert reader.is_live
        started = time.monotonic()
        outcome = reader.read_deltas(timeout=5)
        assert isinstance(outcome, Stale)
        assert 0.05 < time.monotonic() - started < 0.5
        assert not reader.is_live
        assert isinstance(reader.read_deltas(), Idle)
        producer.beat()
        producer.write_pattern(1)
        assert reader.is_live
        assert isinstance(reader.read_deltas(), Batch)
        assert isinstance(reader.read_deltas(), Idle)
        assert isinstance(reader.read_deltas(timeout=5), Stale)


def test_a_file_that_is_gone_is_told_once_and_its_records_stay_readable(tmp_path: Path) -> None:
    producer = Producer(tmp_path / "kraken.seg")
    with SegmentReader(producer.path) as reader:
        producer.path.unlink()
        producer.write_pattern(2)
        time.sleep(0.06)
        assert isinstance(reader.read_deltas(), Batch)
        assert reader.read_deltas(timeout=1) == Closed("gone")


def test_a_file_cut_under_the_reader_is_an_error_not_a_crash(tmp_path: Path) -> None:
    producer = Producer(tmp_path / "kraken.seg")
    with SegmentReader(producer.path) as reader:
        os.truncate(producer.path, 8192)
        time.sleep(0.06)
        with pytest.raises(SegmentError, match="cut"):
            reader._source.look()


def test_a_file_of_noise_in_its_place_is_an_error_until_a_segment_stands_there_again(tmp_path: Path) -> None:
    producer = Producer(tmp_path / "kraken.seg")
    with SegmentReader(producer.path) as reader:
        producer.write_pattern(2)
        noise = tmp_path / "noise"
        noise.write_bytes(bytes(range(256)) * 256)
        noise.rename(producer.path)
        time.sleep(0.06)
        assert isinstance(reader.read_deltas(), Batch)
        with pytest.raises(SegmentError):
            reader.read_deltas(timeout=1)
        Producer(tmp_path / "kraken.seg", epoch=5)
        time.sleep(0.06)
        assert reader.read_deltas(timeout=5) == EpochChanged(1, 5)


def test_open_finds_segments_by_exchange_and_shard_and_refuses_what_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_segments(directory=tmp_path / "absent") == []
    with pytest.raises(SegmentNotFoundError, match="there is none"):
        SegmentReader.open("kraken", directory=tmp_path)
    Producer(tmp_path / "kraken.seg", exchange="kraken")
    (tmp_path / "kraken.lock").touch()
    (tmp_path / ".kraken.7.part").touch()
    assert [path.name for path in find_segments("kraken", tmp_path)] == ["kraken.seg"]
    monkeypatch.setenv("ALPHAPULSE_SEGMENT_DIRECTORY", str(tmp_path))
    assert segment_directory() == tmp_path
    assert SegmentReader.open("kraken").exchange == "kraken"
    (tmp_path / "binance.seg").write_bytes((tmp_path / "kraken.seg").read_bytes())
    with pytest.raises(SegmentError, match="must say the same"):
        SegmentReader.open("binance")
    (tmp_path / "okx.seg").symlink_to(tmp_path / "kraken.seg")
    with pytest.raises(SegmentError):
        SegmentReader.open("okx")
    (tmp_path / "bybit.seg").mkdir()
    with pytest.raises(SegmentError):
        SegmentReader.open("bybit")


def test_shards_are_chosen_by_number(tmp_path: Path) -> None:
    for index in (1, 2):
        whole = Producer(tmp_path / "kraken.seg")
        whole.memory[layout.HEADER_SHARD_INDEX : layout.HEADER_SHARD_INDEX + 4] = bytes((index - 1, 0, 2, 0))
        whole.path.rename(tmp_path / f"kraken.{index}of2.seg")
    assert len(find_segments("kraken", tmp_path)) == 2
    with pytest.raises(SegmentNotFoundError, match="pass a shard"):
        SegmentReader.open("kraken", directory=tmp_path)
    assert SegmentReader.open("kraken", directory=tmp_path, shard=2).mapping.header.shard_index == 1


def test_another_layout_is_refused_naming_both(tmp_path: Path) -> None:
    producer = Producer(tmp_path / "kraken.seg")
    for version in (0, layout.LAYOUT_VERSION + 1, layout.LAYOUT_VERSION - 2):
        producer.halves[layout.HEADER_LAYOUT_VERSION >> 2] = max(0, version)
        with pytest.raises(LayoutVersionError, match=f"reads layout {layout.LAYOUT_VERSION} .* was {max(0, version)}"):
            SegmentReader(producer.path)
    producer.halves[layout.HEADER_LAYOUT_VERSION >> 2] = max(1, layout.LAYOUT_VERSION - 1)
    assert SegmentReader(producer.path).is_live


def test_a_default_folder_that_others_could_write_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALPHAPULSE_SEGMENT_DIRECTORY", raising=False)
    monkeypatch.setattr("alphapulse.directory._SHARED_MEMORY", tmp_path)
    folder = tmp_path / "alphapulse"
    assert segment_directory() == folder
    folder.mkdir(mode=0o700)
    assert segment_directory() == folder
    folder.chmod(0o770)
    with pytest.raises(SegmentError, match="others may write"):
        segment_directory()
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(SegmentError, match="real folder"):
        segment_directory()


def test_other_machines_are_told_that_only_x64_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    producer = Producer(tmp_path / "kraken.seg")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(UnsupportedPlatformError, match="aarch64"):
        Mapping(producer.path)


def test_the_mapping_is_read_only(tmp_path: Path) -> None:
    producer = Producer(tmp_path / "kraken.seg")
    producer.path.chmod(stat.S_IRUSR)
    mapping = Mapping(producer.path)
    assert mapping.bytes.readonly
    assert not mapping.deltas.slots.flags.writeable
    with pytest.raises(TypeError):
        mapping.words[0] = 1


def test_a_reader_announces_itself_and_gives_its_line_back(tmp_path: Path) -> None:
    producer = Producer(tmp_path / "kraken.seg", epoch=77)
    readers = tmp_path / "kraken.readers"
    empty = bytearray(layout.READERS_BYTES)
    for index, value in enumerate(
        (layout.READERS_MAGIC_LOW, layout.READERS_MAGIC_HIGH, layout.READERS_VERSION, 128, layout.READERS_SLOTS)
    ):
        empty[index * 4 : index * 4 + 4] = value.to_bytes(4, "little")
    readers.write_bytes(empty)

    def word(offset: int, size: int = 8) -> int:
        at = layout.READERS_HEADER_BYTES + offset
        return int.from_bytes(readers.read_bytes()[at : at + size], "little")

    with SegmentReader(producer.path, name="monitor") as reader:
        producer.write_pattern(3)
        assert isinstance(reader.read_deltas(), Batch)
        time.sleep(0.11)
        reader.read_deltas()
        assert word(layout.SLOT_PID, 4) == os.getpid()
        assert word(layout.SLOT_KIND, 4) == layout.READER_KIND_PYTHON
        assert word(layout.SLOT_EPOCH) == 77
        assert word(layout.SLOT_DELTA_CURSOR) == 3
        assert abs(time.monotonic_ns() - word(layout.SLOT_HEARTBEAT)) < 10**9
        assert b"\x07monitor" in readers.read_bytes()
        # Whoever reads last speaks: a reconstructor has a cursor of its own.
        producer.write_pattern(2)
        books = OrderBookReconstructor(reader)
        producer.write_pattern(4)
        books.update()
        time.sleep(0.11)
        books.update()
        assert word(layout.SLOT_DELTA_CURSOR) == 9
    assert word(layout.SLOT_PID, 4) == 0
    readers.write_bytes(b"garbage")
    with SegmentReader(producer.path) as reader:
        assert isinstance(reader.read_deltas(), Idle)
