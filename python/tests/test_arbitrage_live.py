"""SegmentArbitrage and the gateway over the same live segments: what both find in the same books is the same.

Set ALPHAPULSE_REQUIRE=all to fail instead of skipping.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import live
import pytest

from alphapulse import SegmentReader
from alphapulse.arbitrage import ArbitrageRules, SegmentArbitrage

pytest.importorskip("websockets")

from alphapulse.stream import OpportunitiesEvent, OpportunityEvent, StreamClient  # noqa: E402

FREE = {exchange: 0 for exchange in live.EXCHANGES}
RULES = ArbitrageRules(FREE, report_ms=0, equivalents=[["USD", "USDT"]])
WANTED = 20


def key_of(opportunity: dict[str, Any]) -> str:
    """The books that an opportunity was computed from."""
    return " ".join(f"{leg['action']} {leg['instrument']} {leg['version']} {leg['hash']}" for leg in opportunity["legs"])


def sums_of(opportunity: dict[str, Any]) -> dict[str, Any]:
    """What must be the same, whoever computes it."""
    legs = [{name: value for name, value in leg.items() if name != "receivedAtMs"} for leg in opportunity["legs"]]
    names = ("kind", "base", "currency", "quantity", "profit", "profitBps", "cut")
    return {**{name: opportunity[name] for name in names}, "legs": legs}


async def listen(url: str, told: dict[str, dict[str, Any]], live_arbitrage: SegmentArbitrage) -> int:
    """Both side by side until enough was found in the same books. How many were."""
    ours: dict[str, dict[str, Any]] = {}
    until = time.monotonic() + live.PATIENCE_S
    async with StreamClient(url) as client:
        await client.subscribe(["arbitrage"])
        while len(ours.keys() & told.keys()) < WANTED:
            assert time.monotonic() < until, f"{len(ours)} here, {len(told)} there, {len(ours.keys() & told.keys())} common"
            event = await client.next(timeout=0.005)
            if isinstance(event, OpportunityEvent) and event.event != "closed":
                told[key_of(event.opportunity)] = sums_of(event.opportunity)
            elif isinstance(event, OpportunitiesEvent):
                told.update({key_of(one): sums_of(one) for one in event.open})
            for one in live_arbitrage.update():
                if one["event"] != "closed":
                    ours[key_of(one["opportunity"])] = sums_of(one["opportunity"])
    common = ours.keys() & told.keys()
    assert {key: ours[key] for key in common} == {key: told[key] for key in common}
    return len(common)


def test_the_readmes_block_runs(market: live.Market, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPHAPULSE_SEGMENT_DIRECTORY", str(market.folder))
    for exchange in ("kraken", "coinbase_exchange"):
        SegmentReader.open(exchange, patience_s=live.PATIENCE_S).close()
    text = (live.ROOT / "python" / "README.md").read_text("utf-8")
    (block,) = re.findall(r"^```python\n([^`]*?SegmentArbitrage.*?)^```", text, re.DOTALL | re.MULTILINE)
    exec(compile(block, "README.md", "exec"), {})


def test_segments_and_gateway_find_the_same(market: live.Market) -> None:
    words = [f"arbitrage.fees_bps.{exchange}=0" for exchange in live.EXCHANGES]
    words += ["arbitrage.equivalents=USD=USDT", "arbitrage.report_ms=0"]
    url = market.serve(*(part for word in words for part in ("--set", word)))
    told: dict[str, dict[str, Any]] = {}
    with SegmentArbitrage(live.EXCHANGES, RULES, directory=market.folder, patience_s=live.PATIENCE_S) as live_arbitrage:
        assert asyncio.run(listen(url, told, live_arbitrage)) >= WANTED
        for opportunity in live_arbitrage.opportunities():
            assert float(opportunity["profit"]) > 0
