"""Ticks and lots as exact decimals, both ways. No price or quantity passes through a float here."""

from __future__ import annotations

from decimal import Context, Decimal, Inexact, InvalidOperation

_EXACT = Context(prec=60, traps=[Inexact, InvalidOperation])


def to_decimal(units: int, exponent: int) -> Decimal:
    """units × 10^-exponent, exactly; exponent is that of the instrument, 0 … 18 (−1, not yet known, counts as 0)."""
    return Decimal(int(units)).scaleb(-max(0, exponent), context=_EXACT)


def to_text(units: int, exponent: int) -> str:
    """The same as plain text without trailing zeros, e.g. `1774.14`."""
    value = int(units)
    if exponent <= 0:
        return str(value)
    digits = str(abs(value)).rjust(exponent + 1, "0")
    fraction = digits[-exponent:].rstrip("0")
    sign = "-" if value < 0 else ""
    return f"{sign}{digits[:-exponent]}{'.' if fraction else ''}{fraction}"


def to_units(value: Decimal | str | int, exponent: int) -> int:
    """Ticks or lots of a decimal. Raises ValueError when it is finer than the exponent, or no number."""
    if isinstance(value, float):
        raise TypeError(f"Cannot take a price: floats are not exact, was {value!r}; pass text or Decimal")
    try:
        scaled = Decimal(value).scaleb(max(0, exponent), context=_EXACT)
        units = int(scaled)
    except (ArithmeticError, ValueError) as cause:
        raise ValueError(f"Cannot read a decimal: no finite number, was {value!r}") from cause
    if units != scaled:
        raise ValueError(f"Cannot take {value!r}: finer than 10^-{exponent}")
    return units
