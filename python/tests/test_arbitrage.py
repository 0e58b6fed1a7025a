"""The arbitrage detector against the vectors that TypeScript made, and over live segments of a producer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from alphapulse.arbitrage import ArbitrageDetector, ArbitrageRules

VECTORS = [
    json.loads(line) for line in (Path(__file__).parent / "golden" / "arbitrage.jsonl").read_text("utf8").splitlines()
]


class MapBook:
    """A book in plain maps."""

    def __init__(self, shape: dict[str, Any]) -> None:
        self.instrument: str = shape["instrument"]
        self.price_exponent: int = shape["priceExponent"]
        self.quantity_exponent: int = shape["quantityExponent"]
        self.is_usable = True
        self.is_whole = True
        self.updated_at_ms = 0.0
        self.version = 0
        self.sides: tuple[dict[int, int], dict[int, int]] = ({}, {})

    @property
    def hash(self) -> int:
        return (self.version * 2_654_435_761) % 4_294_967_296

    def level(self, side: int, index: int) -> tuple[int, int] | None:
        levels = sorted(self.sides[side].items(), reverse=side == 0)
        return levels[index] if index < len(levels) else None

    def set(self, step: dict[str, Any]) -> None:
        side = self.sides[1 if step["side"] == "ask" else 0]
        price, quantity = int(step["price"]), int(step["quantity"])
        if quantity:
            side[price] = quantity
        else:
            side.pop(price, None)
        self.version += 1
        self.updated_at_ms = step["atMs"]
        self.is_usable = step["usable"]
        self.is_whole = step["whole"]


def rules_of(fields: dict[str, Any]) -> ArbitrageRules:
    return ArbitrageRules(
        fields["feesBps"],
        fields["profitBpsMin"],
        fields["ageMsMax"],
        fields["reportMs"],
        fields["levelsMax"],
        fields["equivalents"],
        fields["triangular"],
    )


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_detector_tells_what_the_other_language_tells(vector: dict[str, Any]) -> None:
    told: list[dict[str, Any]] = []
    books = [MapBook(shape) for shape in vector["books"]]
    detector = ArbitrageDetector(rules_of(vector["rules"]), told.append)
    for book in books:
        assert detector.add(book)
    for step in vector["steps"]:
        told.clear()
        book = books[step["book"]]
        if step["do"] == "expire":
            detector.expire(step["atMs"])
        elif step["do"] == "remove":
            detector.remove(book, step["atMs"])
        else:
            book.set(step)
            detector.update(book, step["atMs"])
        assert told == step["told"]
    assert detector.opportunities() == vector["open"]


def test_vectors_tell_something() -> None:
    assert sum(len(step["told"]) for vector in VECTORS for step in vector["steps"]) > 150


def test_exchanges_without_a_fee_take_no_part() -> None:
    book = MapBook({"instrument": "kraken:BTC-USD", "priceExponent": 1, "quantityExponent": 1})
    assert not ArbitrageDetector(ArbitrageRules({}), lambda event: None).add(book)


@pytest.mark.parametrize("bps", [-1, 10_000, float("nan"), 0.00001])
def test_unusable_fees_are_refused(bps: float) -> None:
    with pytest.raises(ValueError, match="Cannot use a fee"):
        ArbitrageDetector(ArbitrageRules({"kraken": bps}), lambda event: None)


def test_a_negative_least_profit_is_refused() -> None:
    with pytest.raises(ValueError, match="least profit"):
        ArbitrageDetector(ArbitrageRules({}, profit_bps_min=-1), lambda event: None)
