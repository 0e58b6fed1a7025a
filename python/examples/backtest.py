"""A strategy over a recorded market.

The capture is played through the real exchange protocol, decoder and sync; the strategy sees every event of the book,
proved by its hash, and trades at the touch it would have met.

    alphapulse emulate --exchange coinbase_exchange --capture capture.jsonl.gz --port 9001 --speed 20
    alphapulse collect --exchange coinbase_exchange --symbols BTC-USD \\
        --set exchanges.coinbase_exchange.websocket_urls=ws://127.0.0.1:9001 \\
        --set exchanges.coinbase_exchange.rest_url=http://127.0.0.1:9001
    python backtest.py coinbase_exchange BTC-USD [--directory DIR] [--seconds 60]

The strategy follows the imbalance of the best levels, with one lot size and a taker fee. All money is Decimal. Bad
case: a lap, a restart or a silent producer in the middle; the position is closed at the last price that was right, and
the report says how often.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, field
from decimal import Decimal

from alphapulse import Applied, Batch, BookImage, EpochChanged, Idle, Instrument, Lapped, OrderBook, SegmentReader


@dataclass
class Account:
    """Cash and position of the strategy."""

    size: Decimal
    fee: Decimal
    cash: Decimal = Decimal(0)
    position: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    trades: int = 0
    last: tuple[Decimal, Decimal] = field(default=(Decimal(0), Decimal(0)))

    def hold(self, wanted: Decimal, bid: Decimal, ask: Decimal) -> None:
        """Trades at the touch until the position is the wanted one."""
        self.last = (bid, ask)
        change = wanted - self.position
        if change == 0:
            return
        price = ask if change > 0 else bid
        self.cash -= change * price
        paid = abs(change) * price * self.fee
        self.cash -= paid
        self.fees += paid
        self.position = wanted
        self.trades += 1

    def close(self) -> None:
        """Ends flat, at the last touch."""
        self.hold(Decimal(0), *self.last)


def imbalance(book: OrderBook, levels: int) -> float:
    """Share of the bid side in the lots of the best levels, −1 to 1."""
    depth = book.depth(levels)
    bids, asks = int(depth.bid_lots.sum()), int(depth.ask_lots.sum())
    return (bids - asks) / (bids + asks) if bids + asks else 0.0


def wanted(book: OrderBook, account: Account, threshold: float) -> Decimal:
    """The position that the strategy wants: long on heavy bids, short on heavy asks, else what it has."""
    lean = imbalance(book, 5)
    if lean > threshold:
        return account.size
    return -account.size if lean < -threshold else account.position


class Backtest:
    """Follows one instrument of one segment, event by event."""

    def __init__(self, reader: SegmentReader, name: str, account: Account, threshold: float) -> None:
        self.reader = reader
        self.name = name
        self.account = account
        self.threshold = threshold
        self.events = 0
        self.joins = 0
        self.interruptions = 0
        self._entry: Instrument | None = None
        self._book = OrderBook(0)

    def run(self, seconds: float, quiet: float = 3.0) -> None:
        """Until nothing came for `quiet` seconds after the first event, or `seconds` are over."""
        until = time.monotonic() + seconds
        heard = time.monotonic()
        while time.monotonic() < until:
            outcome = self.reader.read_deltas(timeout=0.2)
            if isinstance(outcome, Batch):
                heard = time.monotonic()
                self._follow(outcome)
            elif isinstance(outcome, Idle):
                if self.events and time.monotonic() - heard > quiet:
                    break
            else:
                self.interruptions += 1
                self.account.close()
                if isinstance(outcome, (Lapped, EpochChanged)):
                    self._entry = None
        self.account.close()

    def _follow(self, batch: Batch) -> None:
        entry = self._current()
        if entry is None:
            return
        records = batch.records[batch.records["instrument_id"] == entry.id]
        for outcome in self._book.follow(records):
            if outcome is not Applied.OK:
                self._join()
            elif self._book.is_synced:
                self.events += 1
                self._trade(entry)

    def _trade(self, entry: Instrument) -> None:
        bid, ask = self._book.best_bid(), self._book.best_ask()
        if bid is not None and ask is not None and not self._book.is_crossed:
            aim = wanted(self._book, self.account, self.threshold)
            self.account.hold(aim, entry.price(bid[0]), entry.price(ask[0]))

    def _current(self) -> Instrument | None:
        """The instrument; after a change of scale it has another id and its book begins anew."""
        try:
            entry = self.reader.instrument(self.name)
        except KeyError:
            return None
        if self._entry is None or entry.id != self._entry.id:
            self._book = OrderBook(entry.id)
            if entry.current_image == 0:
                self._book.begin()
        self._entry = entry
        return entry

    def _join(self) -> None:
        image = self.reader.image(self.name)
        if isinstance(image, BookImage) and self._book.load(image):
            self.joins += 1


def main(words: list[str] | None = None) -> dict[str, object]:
    """Runs the strategy and prints the report as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exchange")
    parser.add_argument("instrument")
    parser.add_argument("--directory")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--patience", type=float, default=10.0)
    parser.add_argument("--threshold", type=float, default=0.6)
    parser.add_argument("--size", type=Decimal, default=Decimal("0.01"))
    parser.add_argument("--fee", type=Decimal, default=Decimal("0.0005"))
    options = parser.parse_args(words)
    account = Account(options.size, options.fee)
    with SegmentReader.open(
        options.exchange, directory=options.directory, patience_s=options.patience, start="oldest", name="backtest"
    ) as reader:
        test = Backtest(reader, options.instrument, account, options.threshold)
        test.run(options.seconds)
        report: dict[str, object] = {
            "events": test.events,
            "joins": test.joins,
            "interruptions": test.interruptions,
            "records_lost": reader.deltas_lost,
            "trades": account.trades,
            "fees": str(account.fees),
            "profit": str(account.cash),
        }
    print(json.dumps(report))
    return report


if __name__ == "__main__":
    main()
