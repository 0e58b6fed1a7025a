"""The golden vectors of the stream, which the kernels wrote: what this package holds, or says, after each of them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from alphapulse.decimals import to_units
from alphapulse.stream_book import StreamBook
from alphapulse.stream_messages import read_message
from alphapulse.stream_wire import Outcome, WireBbo, WireTrade, read_bbo, read_trades

VECTORS_FILE = Path(__file__).parents[2] / "src" / "wire" / "golden" / "vectors.jsonl"
VECTORS: list[dict[str, Any]] = [json.loads(line) for line in VECTORS_FILE.read_text("utf-8").splitlines()]
Vector = dict[str, Any]


def state_of(book: StreamBook, form: str) -> dict[str, Any]:
    state: dict[str, Any] = {
        "epoch": book.epoch,
        "version": str(book.version),
        "hash": book.hash,
        "chain": book.chain,
        "status": book.status,
        "eventAtNs": str(book.event_at_ns),
        "receivedAtNs": str(book.received_at_ns),
        "sequence": str(book.sequence),
        "priceExponent": book.price_exponent,
        "quantityExponent": book.quantity_exponent,
        "bids": [[str(ticks), str(lots)] for ticks, lots in book.units(0)],
        "asks": [[str(ticks), str(lots)] for ticks, lots in book.units(1)],
    }
    if form == "json":
        del state["chain"]
    return state


def apply(book: StreamBook, vector: Vector, message: str) -> Outcome:
    if vector["form"] == "binary":
        return book.apply(bytes.fromhex(message))
    fields = read_message(message)
    if fields is None or fields["type"] not in ("orderbook", "orderbook_delta"):
        book.clear()
        return Outcome.MALFORMED
    if fields["type"] == "orderbook_delta":
        return book.apply_delta(fields)
    outcome = book.apply_snapshot(fields)
    if (book.price_exponent, book.quantity_exponent) != (vector["priceExponent"], vector["quantityExponent"]):
        book.clear()
        return Outcome.EXPONENTS
    return outcome


def named(kinds: list[str]) -> pytest.MarkDecorator:
    vectors = [vector for vector in VECTORS if any(kind in vector for kind in kinds)]
    return pytest.mark.parametrize("vector", vectors, ids=[vector["name"] for vector in vectors])


def is_part(vector: Vector) -> bool:
    """Trades or best prices: refused as a whole, nothing is held."""
    return bool(vector["form"] == "binary" and vector["outcome"] == "malformed")


def test_vectors_are_many_when_they_are_counted() -> None:
    assert len(VECTORS) >= 200
    assert {vector["form"] for vector in VECTORS} == {"binary", "json"}


@named(["after", "outcome"])
def test_book_holds_what_the_vector_says_when_it_is_played(vector: Vector) -> None:
    if "outcome" in vector and is_part(vector):
        frame = bytes.fromhex(vector["messages"][0])
        assert read_trades(frame) is None
        assert read_bbo(frame) is None
        return
    book = StreamBook()
    for message in vector["before"]["messages"] if vector["before"] else []:
        assert apply(book, vector, message) in (Outcome.APPLIED, Outcome.PARTIAL)
    if vector["before"]:
        assert state_of(book, vector["form"]) == vector["before"]["state"]
    outcomes = [apply(book, vector, message) for message in vector["messages"]]
    if "outcome" in vector:
        assert outcomes[-1] == Outcome(vector["outcome"])
        assert not book.has_book
    else:
        assert set(outcomes) <= {Outcome.APPLIED, Outcome.PARTIAL}
        assert outcomes[-1] is Outcome.APPLIED
        assert state_of(book, vector["form"]) == vector["after"]


@named(["trades"])
def test_trades_are_what_the_vector_says_when_they_are_read(vector: Vector) -> None:
    expected = [
        WireTrade(
            id=trade["id"],
            aggressor=trade["aggressor"],
            price_ticks=int(trade["price"]),
            quantity_lots=int(trade["quantity"]),
            is_history=trade["history"],
            gap_before=trade["gapBefore"],
            version=int(trade["version"]),
            book_version=int(trade["bookVersion"]),
            event_at_ns=int(trade["eventAtNs"]),
            received_at_ns=int(trade["receivedAtNs"]),
            sequence=int(trade.get("sequence", "0")),
        )
        for trade in vector["trades"]
    ]
    if vector["form"] == "binary":
        assert read_trades(bytes.fromhex(vector["messages"][0])) == expected
        return
    for message, trade in zip(vector["messages"], expected):
        fields = read_message(message)
        assert fields is not None
        assert (fields["id"], fields["aggressor"], fields["history"]) == (trade.id, trade.aggressor, trade.is_history)
        assert to_units(fields["price"], vector["priceExponent"]) == trade.price_ticks
        assert to_units(fields["quantity"], vector["quantityExponent"]) == trade.quantity_lots
        assert (int(fields["version"]), int(fields["bookVersion"])) == (trade.version, trade.book_version)


@named(["bbo"])
def test_best_prices_are_what_the_vector_says_when_they_are_read(vector: Vector) -> None:
    told = vector["bbo"]
    bid, ask = ((int(side[0]), int(side[1])) if side else None for side in (told["bid"], told["ask"]))
    expected = WireBbo(
        version=int(told["version"]),
        is_synced=told["synced"],
        is_crossed=told["crossed"],
        bid=bid,
        ask=ask,
        event_at_ns=int(told["eventAtNs"]),
        received_at_ns=int(told["receivedAtNs"]),
    )
    if vector["form"] == "binary":
        assert read_bbo(bytes.fromhex(vector["messages"][0])) == expected
        return
    fields = read_message(vector["messages"][0])
    assert fields is not None
    assert (fields["synced"], fields["crossed"]) == (told["synced"], told["crossed"])
    for side, units in (("bid", bid), ("ask", ask)):
        if units is None:
            assert fields[side] is None
        else:
            exponents = (vector["priceExponent"], vector["quantityExponent"])
            assert tuple(to_units(text, exponent) for text, exponent in zip(fields[side], exponents)) == units


def test_nothing_raises_when_bits_turn_and_no_sealed_frame_passes() -> None:
    chance = random.Random(20_261_122)
    books = [vector for vector in VECTORS if vector["form"] == "binary" and vector.get("before") and "after" in vector]
    for vector in books * 4:
        book = StreamBook()
        for message in vector["before"]["messages"]:
            assert book.apply(bytes.fromhex(message)) in (Outcome.APPLIED, Outcome.PARTIAL)
        frame = bytearray.fromhex(vector["messages"][0])
        bit = chance.randrange(8, 8 * len(frame))
        frame[bit // 8] ^= 1 << (bit % 8)
        outcome = book.apply(bytes(frame))
        assert isinstance(outcome, Outcome)
        if frame[0] & 15 != 1:
            assert outcome is Outcome.HASH
            assert not book.has_book


def test_nothing_raises_when_bytes_or_texts_are_anything() -> None:
    chance = random.Random(5)
    for _ in range(2000):
        frame = bytes([chance.choice((1, 17, 34, 98, 3, 4, 5)), 3]) + chance.randbytes(chance.randrange(60))
        assert isinstance(StreamBook().apply(frame), Outcome)
        assert read_trades(frame) is None
        assert read_bbo(frame) is None
    for text in (
        "",
        "null",
        "7",
        "[" * 100_000,
        '{"type":7}',
        '{"type":"trade"}',
        '{"type":"bbo","bid":[1,2]}',
        "\x00",
    ):
        assert read_message(text) is None
    assert read_message('{"type":"of a later protocol"}') is not None
