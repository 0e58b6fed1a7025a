"""The examples run from start to end against the real producer, and say what is true."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from pathlib import Path

import live
import pytest

from alphapulse import OrderBookReconstructor, SegmentReader

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "examples" / "live_book.ipynb"
CAPTURE = "coinbase_exchange/level2_batch_matches_heartbeat_20260707.jsonl.gz"


def captures() -> Path:
    """The folder of the captured frames."""
    return Path(os.environ.get("ALPHAPULSE_CAPTURES") or ROOT.parents[1] / "shared" / "captures")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("exchange", ["kraken", "coinbase_exchange"])
def test_the_notebook_executes_from_start_to_end(
    market: live.Market, exchange: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient")
    for extra in ("ipykernel", "pandas"):
        pytest.importorskip(extra)
    monkeypatch.setenv("ALPHAPULSE_SEGMENT_DIRECTORY", str(market.folder))
    monkeypatch.setenv("ALPHAPULSE_EXCHANGE", exchange)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client.NotebookClient(notebook, timeout=90, kernel_name="python3").execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    text = json.dumps(outputs)
    assert not any(output["output_type"] == "error" for output in outputs)
    assert "hash" in text
    assert "<table" in text
    assert "mean_bps" in text


def test_every_python_block_of_the_readme_runs(
    market: live.Market, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ALPHAPULSE_SEGMENT_DIRECTORY", str(market.folder))
    with SegmentReader.open("kraken", patience_s=live.PATIENCE_S) as reader:
        until = time.monotonic() + live.PATIENCE_S
        while not all(entry.state == "synced" for entry in reader.instruments()) and time.monotonic() < until:
            time.sleep(0.05)
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    others = ("StreamClient", "RestClient", "SegmentArbitrage")  # these have a gateway, or two exchanges, elsewhere
    blocks = [block for block in blocks if not any(name in block for name in others)]
    assert len(blocks) == 2
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    told = capsys.readouterr().out.splitlines()
    assert any(line.endswith("True") for line in told)
    assert sum("'bids': [" in line for line in told) >= 5


def test_the_notebook_is_kept_without_outputs() -> None:
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


def test_the_spread_monitor_shows_every_instrument(market: live.Market, capsys: pytest.CaptureFixture[str]) -> None:
    import spread_monitor

    until = time.monotonic() + live.PATIENCE_S
    lines: list[str] = []
    while time.monotonic() < until and sum("spread" in line for line in lines) < 6:
        spread_monitor.main(["--directory", str(market.folder), "--seconds", "0.5", "--interval", "0.6"])
        lines = capsys.readouterr().out.splitlines()
    for name in ("kraken:BTC-USD", "binance:ETH-USDT", "coinbase_exchange:BTC-USD"):
        assert any(line.startswith(name) and "spread" in line for line in lines), lines


def test_the_back_test_follows_a_capture_to_the_book_that_the_oracle_has(
    built: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import backtest

    file = captures() / CAPTURE
    if not file.exists():
        if os.environ.get("ALPHAPULSE_REQUIRE") == "all":
            pytest.fail(f"Cannot skip the captures: ALPHAPULSE_REQUIRE=all demands them, was {captures()}")
        pytest.skip("the captures are missing")
    exchange = "coinbase_exchange"
    with live.Market(tmp_path, (exchange,), "--capture", str(file), "--speed", "0") as market:
        market.collect(exchange, "--symbols", "BTC-USD,ETH-USD")
        report = backtest.main([exchange, "BTC-USD", "--directory", str(tmp_path), "--patience", str(live.PATIENCE_S)])
        assert json.loads(capsys.readouterr().out) == report
        assert int(str(report["events"])) > 900
        assert report["records_lost"] == 0
        assert int(str(report["trades"])) > 0
        expected = json.loads((captures() / "expected.json").read_text())[CAPTURE]["books"]
        with SegmentReader.open(exchange, directory=tmp_path) as reader:
            for view in OrderBookReconstructor(reader).books():
                digest = hashlib.sha256()
                for letter, levels in zip("ba", view.depth_text().values()):
                    for price, quantity in levels:
                        digest.update(f"{letter} {price} {quantity}\n".encode())
                assert digest.hexdigest() == expected[view.canonical]["digest"]
