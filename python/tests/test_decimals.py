"""Ticks and lots as exact decimals: text, Decimal and integers stand for the same number, both ways."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from alphapulse import to_decimal, to_text, to_units


def test_the_three_forms_agree_when_any_int64_and_exponent_are_given() -> None:
    chance = random.Random(1)
    for _ in range(2000):
        units, exponent = chance.getrandbits(64) - 2**63, chance.randrange(19)
        units >>= chance.randrange(64)
        text = to_text(units, exponent)
        assert to_decimal(units, exponent) == Decimal(text)
        assert to_units(text, exponent) == units
        assert to_units(to_decimal(units, exponent), exponent) == units
        assert "E" not in text
        assert not (("." in text) and text.endswith(("0", ".")))


@pytest.mark.parametrize(
    ("units", "exponent", "text"),
    [(0, 8, "0"), (177_414, 2, "1774.14"), (-5, 3, "-0.005"), (100, 2, "1"), (7, 0, "7"), (9, -1, "9"), (10, 0, "10")],
)
def test_text_is_plain_and_without_trailing_zeros(units: int, exponent: int, text: str) -> None:
    assert to_text(units, exponent) == text


@pytest.mark.parametrize("value", ["1.234", "x", "NaN", "Infinity", "1e-90", Decimal("0.001")])
def test_what_is_finer_or_no_number_is_refused(value: str | Decimal) -> None:
    with pytest.raises(ValueError, match="Cannot"):
        to_units(value, 2)


def test_floats_are_refused() -> None:
    with pytest.raises(TypeError, match="floats are not exact"):
        to_units(1.5, 2)  # type: ignore[arg-type]
