"""A real market for the tests: emulator and collectors of the built repository, as processes of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
MAIN = ROOT / "dist" / "main.js"
PATIENCE_S = 90.0
EXCHANGES = ("kraken", "binance", "coinbase_exchange")


def missing() -> str:
    """What a live test lacks on this machine; empty when it has all."""
    if shutil.which("node") is None:
        return "node is not installed"
    if not MAIN.exists():
        return "the repository is not built: npm run build"
    words = [shutil.which("node") or "node", str(MAIN), "collect", "--help"]
    listed = subprocess.run(words, capture_output=True, text=True, check=False)
    return "" if listed.returncode == 0 and "segment" in listed.stdout else "this build has no `collect` command"


class Market:
    """Emulated exchanges, and collectors that write their segments into a folder."""

    def __init__(self, folder: Path, exchanges: tuple[str, ...], *emulate: str) -> None:
        self.folder = folder
        self._children: list[subprocess.Popen[str]] = []
        self.collectors: dict[str, subprocess.Popen[str]] = {}
        self._options: dict[str, tuple[str, ...]] = {}
        emulator = self._start("emulate", "--exchange", ",".join(exchanges), "--json", *emulate)
        self.endpoints: dict[str, dict[str, str]] = {}
        assert emulator.stdout is not None
        while len(self.endpoints) < len(exchanges):
            line = emulator.stdout.readline()
            assert line, "the emulator ended"
            told = json.loads(line)
            if "endpoints" in told:
                for name, place in told["endpoints"].items():
                    self.endpoints[name] = {**place, "ws": place["websocket"]}
            else:
                self.endpoints[told["exchange"]] = told

    def _start(self, *words: str) -> subprocess.Popen[str]:
        node = shutil.which("node")
        assert node is not None
        ours = ("ALPHAPULSE_", "EXCHANGE", "SYMBOLS")
        child = subprocess.Popen(
            [node, str(MAIN), *words, "--log-level", "error"],
            env={name: value for name, value in os.environ.items() if not name.startswith(ours)},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._children.append(child)
        return child

    def __enter__(self) -> Market:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def collect(self, exchange: str, *words: str) -> subprocess.Popen[str]:
        """Starts a collector, with the words of the last one of that exchange when none are given."""
        self._options[exchange] = words or self._options.get(exchange, ())
        place = self.endpoints[exchange]
        self.collectors[exchange] = self._start(
            *("collect", "--exchange", exchange, "--directory", str(self.folder)),
            *("--set", f"exchanges.{exchange}.websocket_urls={place['ws']}"),
            *("--set", f"exchanges.{exchange}.rest_url={place['rest']}"),
            *self._options[exchange],
        )
        return self.collectors[exchange]

    def serve(self, *words: str) -> str:
        """Starts a gateway over the folder. Returns the address of its stream."""
        gateway = self._start("gateway", "--directory", str(self.folder), "--port", "0", *words)
        assert gateway.stdout is not None
        line = gateway.stdout.readline()
        assert "http://" in line, f"the gateway said {line!r}"
        return f"ws://{line.split('http://')[1].strip().rstrip('/')}/ws"

    def truth(self, exchange: str, native: str, **question: str | int) -> dict[str, Any] | None:
        """What a right client holds at an event; None when it is no longer, or not yet, known."""
        place = f"{self.endpoints[exchange]['truth']}/{urllib.parse.quote(native, safe='')}"
        try:
            with urllib.request.urlopen(f"{place}?{urllib.parse.urlencode(question)}", timeout=10) as answer:
                told: dict[str, Any] = json.load(answer)
                return told
        except urllib.error.HTTPError as error:
            error.close()
            return None

    def close(self) -> None:
        """Ends everything that was started."""
        for child in reversed(self._children):
            child.terminate()
        until = time.monotonic() + PATIENCE_S
        for child in self._children:
            try:
                child.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            if child.stdout is not None:
                child.stdout.close()
