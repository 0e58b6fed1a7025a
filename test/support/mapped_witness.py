"""The Python reader as a process of its own, for tests that kill it: says what mapped_witness.ts says, in the same lines.

Words: directory, exchanges separated by commas. Bad case: whatever it raises; it ends with a traceback on stderr.
"""

from __future__ import annotations

import json
import select
import sys
import time
from typing import Any

from alphapulse import EpochChanged, OrderBookReconstructor, SegmentNotFoundError, SegmentReader
from alphapulse.reconstructor import BookView

LOOK_S = 0.005
SAMPLE_S = 0.1
HIGHEST = 2**63 - 1


def say(kind: str, **line: Any) -> None:
    """One line."""
    sys.stdout.write(json.dumps({"kind": kind, "at": time.monotonic_ns() / 1e6, **line}) + "\n")
    sys.stdout.flush()


class Followed:
    """The books of one exchange."""

    def __init__(self, exchange: str, directory: str) -> None:
        self.exchange = exchange
        self.reader = SegmentReader.open(exchange, directory=directory, name="witness")
        self.books = OrderBookReconstructor(self.reader)
        self.epoch = self.reader.epoch
        self.states: dict[str, bool] = {}
        say("outcome", exchange=exchange, outcome="attached", epoch=str(self.epoch), detail="")

    def look(self) -> None:
        """Reads what is there and tells what changed."""
        for outcome in self.books.update().news:
            if isinstance(outcome, EpochChanged):
                self.epoch = outcome.new
            name = "epoch" if isinstance(outcome, EpochChanged) else type(outcome).__name__.lower()
            say("outcome", exchange=self.exchange, outcome=name, epoch=str(self.epoch), detail=str(outcome))
        views = {f"{self.exchange}:{view.canonical}": view for view in self.books.books()}
        for name in {*views, *self.states}:
            view = views.get(name)
            synced = view is not None and view.is_synced
            if self.states.get(name) is not synced:
                self.states[name] = synced
                why = "absent" if view is None else view.problem or view.instrument.state
                say("state", name=name, isSynced=synced, why=why)

    def sample(self) -> None:
        """Version and hash of each book that counts as right."""
        for view in self.books.books():
            if view.is_synced:
                name = f"{self.exchange}:{view.canonical}"
                say("sample", name=name, epoch=str(self.epoch), version=str(view.version), hash=view.hash)

    def whole(self, view: BookView) -> dict[str, Any]:
        """A book with every level."""
        depth, entry = view.depth(), view.instrument
        low, high = entry.known_range or (0, HIGHEST)
        bids = zip(depth.bid_ticks.tolist(), depth.bid_lots.tolist())
        asks = zip(depth.ask_ticks.tolist(), depth.ask_lots.tolist())
        return {
            "name": f"{self.exchange}:{view.canonical}",
            "native": view.native,
            "depth": entry.depth,
            "priceExponent": entry.price_exponent,
            "quantityExponent": entry.quantity_exponent,
            "version": str(view.version),
            "hash": view.hash,
            "isSynced": view.is_synced,
            "low": str(low),
            "high": str(high),
            "bids": [[str(ticks), str(lots)] for ticks, lots in bids],
            "asks": [[str(ticks), str(lots)] for ticks, lots in asks],
        }


def main() -> None:
    """Until it is killed or its input ends."""
    directory, names = sys.argv[1:3]
    missing = names.split(",")
    followed: list[Followed] = []
    sampled = 0.0
    while True:
        for name in list(missing):
            try:
                followed.append(Followed(name, directory))
                missing.remove(name)
            except SegmentNotFoundError:
                pass
        for one in followed:
            one.look()
        if time.monotonic() - sampled > SAMPLE_S:
            sampled = time.monotonic()
            for one in followed:
                one.sample()
        if select.select([sys.stdin], [], [], LOOK_S)[0]:
            line = sys.stdin.readline()
            if line == "":
                return
            books = [one.whole(view) for one in followed for view in one.books.books() if view.book.is_following]
            say("books", id=line.strip(), books=books)


main()
