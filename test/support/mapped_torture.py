"""A Python reader of the torture: says what mapped_torture_reader.ts says of each epoch, in the same lines.

Words: directory, seed. Every batch is judged as arrays: each record by its number and by its version, each trade by
its id; now and then a book is joined from its image and the ring, and followed by hash. Bad case: whatever it raises;
it ends with a traceback on stderr.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections import Counter
from typing import Any

import numpy as np

from alphapulse import (
    Batch,
    Closed,
    EpochChanged,
    Lapped,
    OrderBookReconstructor,
    Outcome,
    SegmentNotFoundError,
    SegmentReader,
)

NICE = 5
BATCH = 256
MARK_BASE = 2**50
MARK_PRICES = 64
FACTOR = np.uint32(0x9E3779B1)
REMOVE_EVERY = 5
BOOK_EVERY_S = 0.5
BOOK_READS = 40
BROKEN = ("hash_mismatch", "inconsistent", "corrupt")


def is_end(outcome: Outcome) -> bool:
    """The epoch is read to its end: another began, or it was closed. A buried one waits for the next."""
    return isinstance(outcome, EpochChanged) or (isinstance(outcome, Closed) and outcome.reason == "closed")


class Ring:
    """Account of one ring in one epoch."""

    def __init__(self, start: int) -> None:
        self.start = self.position = start
        self.received = self.lost = self.laps = 0
        self.versions: dict[int, int] = {}

    def lap(self, outcome: Lapped) -> None:
        """Takes note of a loss."""
        self.lost += outcome.lost
        self.laps += 1
        self.position = outcome.position
        self.versions.clear()

    def account(self) -> dict[str, int]:
        """What became of the records."""
        return {"start": self.start, "received": self.received, "lost": self.lost, "cursor": self.position}


class Witness:
    """Follows one segment from epoch to epoch."""

    def __init__(self, directory: str, seed: int) -> None:
        self.random = random.Random(seed)
        self.reader = SegmentReader.open("coinbase_exchange", directory=directory, patience_s=60, name="torture")
        self.books_at = 0.0
        self.is_closed = False
        self.begin(self.reader.delta_position, self.reader.trade_position)

    def begin(self, deltas: int, trades: int) -> None:
        """Begins with another epoch."""
        header = self.reader.mapping.header
        self.epoch, self.anchor = header.epoch, header.wall_anchor_ns
        self.deltas, self.trades = Ring(deltas), Ring(trades)
        self.torn: Counter[str] = Counter()
        self.joins = self.failed_joins = self.applied = self.cells = self.busy_cells = 0
        self.is_following = True

    def tell(self) -> None:
        """The account of the epoch."""
        line: dict[str, Any] = {
            "epoch": str(self.epoch),
            "deltas": self.deltas.account(),
            "trades": self.trades.account(),
            "laps": self.deltas.laps,
            "joins": self.joins,
            "failedJoins": self.failed_joins,
            "images": 0,
            "applied": self.applied,
            "cells": self.cells,
            "busyCells": self.busy_cells,
            "torn": self.torn,
            "isFollowing": self.is_following,
        }
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

    def run(self) -> None:
        """Until a segment is closed."""
        while not self.is_closed:
            outcome = self.reader.read_deltas(1 + self.random.randrange(BATCH), 0.002)
            # An end is told for each ring when it was read to it; the other one is read to its end then.
            if is_end(outcome):
                while not is_end(trades := self.reader.read_trades(64)):
                    self.take(self.trades, trades)
                self.end(outcome)
                continue
            self.take(self.deltas, outcome)
            trades = self.reader.read_trades(64)
            if is_end(trades):
                while not is_end(outcome := self.reader.read_deltas(BATCH)):
                    self.take(self.deltas, outcome)
                self.end(trades)
                continue
            self.take(self.trades, trades)
            if self.random.random() < 0.0005:
                time.sleep(self.random.random() * 0.03)
            if time.monotonic() - self.books_at > BOOK_EVERY_S:
                self.books_at = time.monotonic()
                self.follow_books()

    def end(self, outcome: Outcome) -> None:
        """The epoch is over for both rings."""
        self.is_closed = isinstance(outcome, Closed)
        if self.is_closed:
            books = OrderBookReconstructor(self.reader)
            self.is_following = all(view.book.is_following for view in books.books())
        self.tell()
        if not self.is_closed:
            self.begin(self.reader.delta_position, self.reader.trade_position)

    def take(self, ring: Ring, outcome: Outcome) -> None:
        """Judges what a read gave."""
        if isinstance(outcome, Lapped):
            ring.lap(outcome)
        elif isinstance(outcome, Batch):
            if outcome.position != ring.position:
                self.torn["position"] += 1
            count = len(outcome.records)
            ring.received += count
            ring.position += count
            if ring is self.deltas:
                self.judge_deltas(outcome.records)
            else:
                self.judge_trades(outcome.records)

    def chain(self, ring: Ring, records: Any, versions: str) -> None:
        """Versions of an instrument count up by one."""
        for name in np.unique(records["instrument_id"]).tolist():
            found = records[versions][records["instrument_id"] == name]
            before = ring.versions.get(name)
            jumps = int(np.count_nonzero(np.diff(found) != 1)) + (before is not None and int(found[0]) != before + 1)
            if jumps:
                self.torn[f"{versions} of {name}"] += jumps
            ring.versions[name] = int(found[-1])

    def judge_deltas(self, records: Any) -> None:
        """Numbers, prices and quantities belong together."""
        self.chain(self.deltas, records, "version")
        after = records["received_at_ns"] - np.uint64(self.anchor)
        marked = records[(after >= MARK_BASE // 2) & (after < 2 * MARK_BASE)]
        number = (after[(after >= MARK_BASE // 2) & (after < 2 * MARK_BASE)] & 0xFFFFFFFF).astype(np.uint32)
        price = marked["base_price_ticks"]
        lots = marked["quantity_lots"]
        is_filled = marked["change_count"] == 1
        wanted = (((number * FACTOR) ^ price.astype(np.uint32)) >> 1).astype(np.int64) + 1
        wanted[number % REMOVE_EVERY == 0] = 0
        good = np.where(
            is_filled,
            (lots[:, 0] == wanted) & ((price + (number & (MARK_PRICES - 1))) % MARK_PRICES == 0),
            (marked["change_count"] == 0) & (lots[:, 0] == 0) & (price == 0),
        )
        good &= ~lots[:, 1:].any(axis=1) & ~marked["price_offset_ticks"].any(axis=1)
        if not good.all():
            self.torn["mark"] += int(np.count_nonzero(~good))

    def judge_trades(self, records: Any) -> None:
        """Quantities follow from ids."""
        self.chain(self.trades, records, "trade_version")
        wanted = (1 + records["trade_id"].astype(np.int64) % 1000) * 10 + 5
        wrong = int(np.count_nonzero(records["quantity_lots"] != wanted))
        if wrong:
            self.torn["trade mark"] += wrong

    def follow_books(self) -> None:
        """Joins both books with a cursor of their own, and follows for a moment."""
        books = OrderBookReconstructor(self.reader)
        for _ in range(BOOK_READS):
            update = books.update(limit=64)
            for view in books.books():
                if view.book.is_following:
                    self.applied += update.records
                elif view.problem in BROKEN:
                    self.torn[f"book {view.problem}"] += 1
        for view in books.books():
            self.joins += view.joins
            self.failed_joins += not view.book.is_following


def main() -> None:
    """One reader."""
    os.nice(NICE)
    directory, seed = sys.argv[1:3]
    try:
        Witness(directory, int(seed)).run()
    except SegmentNotFoundError as error:
        sys.exit(str(error))


main()
