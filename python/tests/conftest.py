"""Fixtures: golden segments as files of a private folder, alive or not."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import live
import pytest
from producer import revive

GOLDEN = Path(__file__).parent / "golden"
STAGES = sorted(path.name.removesuffix(".seg.gz") for path in GOLDEN.glob("*.seg.gz"))
EXPECTATIONS: dict[str, Any] = json.loads(gzip.decompress((GOLDEN / "expectations.json.gz").read_bytes()))


def golden_bytes(stage: str) -> bytearray:
    """A golden segment, its heartbeat as it was written long ago."""
    return bytearray(gzip.decompress((GOLDEN / f"{stage}.seg.gz").read_bytes()))


@pytest.fixture(scope="session")
def built() -> None:
    """Skips where the real producer cannot be started; ALPHAPULSE_REQUIRE=all makes that a failure."""
    lack = live.missing()
    if lack and os.environ.get("ALPHAPULSE_REQUIRE") == "all":
        pytest.fail(f"Cannot test against the producer: {lack}")
    if lack:
        pytest.skip(lack)


@pytest.fixture(scope="session")
def market(built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[live.Market]:
    """Three emulated exchanges with their truth, collected into segments."""
    folder = tmp_path_factory.mktemp("segments")
    with live.Market(folder, live.EXCHANGES, "--truth", "--seed", "5") as running:
        for exchange in live.EXCHANGES:
            running.collect(exchange)
        yield running


@pytest.fixture
def place(tmp_path: Path) -> Callable[..., Path]:
    """Puts a golden segment where a reader finds it; its producer seems alive unless told otherwise."""

    def put(stage: str, *, alive: bool = True) -> Path:
        content = golden_bytes(stage)
        if alive:
            revive(content)
        path = tmp_path / f"{EXPECTATIONS['stages'][stage]['header']['exchange']}.seg"
        path.write_bytes(content)
        return path

    return put
