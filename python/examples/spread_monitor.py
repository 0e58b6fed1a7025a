"""Live spreads of every instrument of every segment, from the top-of-book cells: no book is built for this.

    python spread_monitor.py [--directory DIR] [--seconds 10] [--interval 0.5] [BTC-USD …]

Prints one line per instrument and interval, and where the best bid of one exchange is above the best ask of another.
"""

from __future__ import annotations

import argparse
import time
from decimal import Decimal

from alphapulse import SegmentReader, TopOfBook, find_segments


def main(words: list[str] | None = None) -> int:
    """Runs for a while. Returns the number of lines with a synced spread."""
    options = parse(words)
    readers = [SegmentReader(path, name="spread_monitor") for path in find_segments(directory=options.directory)]
    if not readers:
        print("no segments: start `alphapulse collect --exchange kraken` first")
    until = time.monotonic() + options.seconds
    shown = 0
    while readers and time.monotonic() < until:
        best: dict[str, list[tuple[str, TopOfBook]]] = {}
        for reader in readers:
            for entry in reader.instruments():
                if entry.state == "retired" or (options.instruments and entry.canonical not in options.instruments):
                    continue
                top = reader.top(entry.canonical)
                shown += show(reader.exchange, top)
                best.setdefault(entry.canonical, []).append((reader.exchange, top))
        for name, tops in best.items():
            show_arbitrage(name, tops)
        time.sleep(options.interval)
    for reader in readers:
        reader.close()
    return shown


def show(exchange: str, top: TopOfBook) -> int:
    """Prints one instrument."""
    name = f"{exchange}:{top.instrument.canonical}"
    if not top.is_synced or top.spread is None or top.mid is None:
        print(f"{name:32} not synced ({top.instrument.reason})")
        return 0
    basis_points = top.spread / top.mid * 10_000
    print(f"{name:32} bid {top.bid:f} ask {top.ask:f} spread {top.spread:f} ({basis_points:.2f} bp)")
    return 1


def show_arbitrage(name: str, tops: list[tuple[str, TopOfBook]]) -> None:
    """Prints where buying here and selling there would pay, before fees."""
    synced = [(exchange, top) for exchange, top in tops if top.is_synced]
    for buy_at, cheap in synced:
        for sell_at, dear in synced:
            gain = (dear.bid or Decimal(0)) - (cheap.ask or Decimal("Infinity"))
            if buy_at != sell_at and gain > 0:
                print(f"{name:32} buy at {buy_at} {cheap.ask:f}, sell at {sell_at} {dear.bid:f}: {gain:f}")


def parse(words: list[str] | None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("instruments", nargs="*", help="canonical names; none = all")
    parser.add_argument("--directory")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--interval", type=float, default=0.5)
    return parser.parse_args(words)


if __name__ == "__main__":
    main()
