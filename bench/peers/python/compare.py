"""Peers in Python, by hand: cryptofeed on frames; nautilus_trader's and hftbacktest's books on decoded changes.

They take turns with our side, which runs as a program of its own (bench/peers/rounds.ts) and is asked for one round at
a time, so that drift hits both. Every peer's book at the end is compared with ours, level for level. Prints Markdown.
Bad case: a peer that ends in another book; its row says so. Not in CI: its packages take minutes to install.

    python -m venv /somewhere && /somewhere/bin/pip install -r bench/peers/python/requirements.txt
    npm run build && /somewhere/bin/python bench/peers/python/compare.py > bench/peers/python/RESULTS.md
"""

from __future__ import annotations

import asyncio
import datetime
import gc
import json
import logging
import os
import platform
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[3]
ROUNDS, WARM_ROUNDS, RESAMPLES = 21, 2, 2000
STREAMS = ("coinbase_exchange", "kraken_v1", "kraken_v2", "binance_btcusdt", "binance_10pairs", "binance_us")
CHANGE = struct.Struct("<qqII")

Levels = dict[float, float]


class Change(NamedTuple):
    """One absolute level in units of 10^-exponent; quantity 0 removes it."""

    price: int
    quantity: int
    book: int
    is_ask: int


class Stream(NamedTuple):
    """A capture as our side laid it down."""

    id: str
    title: str
    exchange: str
    node: str
    snapshots: list[dict[str, Any]]
    frames: list[str]
    books: list[dict[str, Any]]
    first: list[Change]
    changes: list[Change]


class Peer(NamedTuple):
    """A peer on a stream. `levels` gives bids and asks of a book by its index."""

    name: str
    settings: str
    unit: str
    units: int
    reset: Callable[[], None]
    run: Callable[[], None]
    levels: Callable[[int], tuple[Levels, Levels]]


class Recorded(NamedTuple):
    """A REST connection that answers with a recorded body."""

    text: str

    async def read(self, _address: str) -> str:
        """The body, whatever is asked for."""
        return self.text


class Ours:
    """Our side: one program per stream, a round for every line."""

    def __init__(self, script: Path, stream: str) -> None:
        self._folder = tempfile.TemporaryDirectory()
        command = ["node", "--expose-gc", str(script), stream, self._folder.name]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        if self._answer() != "ready":
            raise RuntimeError(f"Cannot start our side: it said something else, was {stream}")
        self.stream = read_stream(Path(self._folder.name))

    def round(self, kind: str) -> float:
        """One round. Returns ns per unit."""
        assert self._child.stdin is not None
        self._child.stdin.write(f"{kind}\n")
        self._child.stdin.flush()
        return float(self._answer())

    def close(self) -> None:
        """Ends the program."""
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._child.wait()
        self._folder.cleanup()

    def _answer(self) -> str:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if line == "":
            raise RuntimeError(f"Cannot ask our side: it ended, was status {self._child.wait()}")
        return line.strip()


def read_stream(folder: Path) -> Stream:
    """What our side laid down."""
    laid = json.loads((folder / "stream.json").read_text())
    tables = ((folder / name).read_bytes() for name in ("first.bin", "changes.bin"))
    first, changes = ([Change(*fields) for fields in CHANGE.iter_unpack(table)] for table in tables)
    return Stream(**laid, first=first, changes=changes)


def cryptofeed_peer(stream: Stream, *, verifies: bool = False) -> Peer | str:
    """Its exchange class, each frame through `message_handler`, no callbacks. Prices are Decimal."""
    from cryptofeed import exchanges
    from cryptofeed.defines import L2_BOOK
    from cryptofeed.symbols import Symbols

    names = {"binance": "Binance", "binance_us": "BinanceUS", "kraken": "Kraken"}
    is_array = stream.snapshots[0]["text"].startswith("[")
    if stream.exchange not in names:
        return "its Coinbase class decodes Advanced Trade's l2_data only"
    if stream.exchange == "kraken" and not is_array:
        return "its Kraken class decodes version 1 only"
    kind = getattr(exchanges, names[stream.exchange])
    mapping = {book["canonical"]: book["native"] for book in stream.books}
    Symbols.set(kind.id, mapping, {"instrument_type": {}})
    feed = kind(symbols=list(mapping), channels=[L2_BOOK], checksum_validation=verifies)
    loop = asyncio.new_event_loop()

    async def every(frames: list[str]) -> None:
        handler = feed.message_handler
        for frame in frames:
            await handler(frame, None, 0.0)

    async def open_books() -> None:
        feed._l2_book.clear()
        for snapshot in stream.snapshots:
            if snapshot.get("native") is None:
                await every([snapshot["text"]])
            else:
                feed.http_conn = Recorded(snapshot["text"])
                await feed._snapshot(snapshot["native"])

    def levels(index: int) -> tuple[Levels, Levels]:
        book = feed._l2_book[stream.books[index]["canonical"]].book.to_dict()
        bids, asks = (
            {float(price): float(size) for price, size in book.get(side, {}).items()} for side in ("bid", "ask")
        )
        return bids, asks

    choice = f", checksum_validation {'on' if verifies else 'off (its default)'}"
    checksum = choice if stream.exchange == "kraken" else ""
    return Peer(
        name="cryptofeed, checksums" if verifies else "cryptofeed",
        settings=f"message_handler of {kind.__name__}, yapic.json, Decimal, no callbacks{checksum}",
        unit="frames",
        units=len(stream.frames),
        reset=lambda: loop.run_until_complete(open_books()),
        run=lambda: loop.run_until_complete(every(stream.frames)),
        levels=levels,
    )


def nautilus_peer(stream: Stream) -> Peer | str:
    """Its book of level 2: `apply_delta` for every change, the objects made beforehand."""
    from nautilus_trader.model.book import OrderBook
    from nautilus_trader.model.data import BookOrder, OrderBookDelta
    from nautilus_trader.model.enums import BookAction, BookType, OrderSide
    from nautilus_trader.model.identifiers import InstrumentId
    from nautilus_trader.model.objects import Price, Quantity

    ids = [InstrumentId.from_str(f"{book['canonical'].replace('/', '-')}.BENCH") for book in stream.books]
    books = [OrderBook(each, BookType.L2_MBP) for each in ids]

    def deltas(changes: list[Change]) -> list[tuple[Any, Any]]:
        made = []
        for sequence, change in enumerate(changes):
            book = stream.books[change.book]
            price = Price.from_str(decimal_text(change.price, book["priceExponent"]))
            size = Quantity.from_str(decimal_text(change.quantity, book["quantityExponent"]))
            order = BookOrder(OrderSide.SELL if change.is_ask else OrderSide.BUY, price, size, 0)
            action = BookAction.DELETE if change.quantity == 0 else BookAction.UPDATE
            delta = OrderBookDelta(ids[change.book], action, order, 0, sequence, 0, 0)
            made.append((books[change.book].apply_delta, delta))
        return made

    first, changes = deltas(stream.first), deltas(stream.changes)

    def reset() -> None:
        for book in books:
            book.reset()
        for apply, delta in first:
            apply(delta)

    def run() -> None:
        for apply, delta in changes:
            apply(delta)

    def levels(index: int) -> tuple[Levels, Levels]:
        book = books[index]
        bids, asks = ({float(str(level.price)): level.size() for level in side} for side in (book.bids(), book.asks()))
        return bids, asks

    settings = "OrderBook L2_MBP (Rust inside), apply_delta for each change, delta objects made beforehand"
    return Peer("nautilus_trader", settings, "changes", len(changes), reset, run, levels)


def hftbacktest_peer(stream: Stream) -> Peer | str:
    """Its depth inside its backtester, for the package gives no other way to it: one event for every change."""
    import hftbacktest as hft
    from numba import njit

    second = 1_000_000_000

    def events(index: int) -> np.ndarray:
        book = stream.books[index]
        price_unit, quantity_unit = 10.0 ** -book["priceExponent"], 10.0 ** -book["quantityExponent"]
        rows = []
        for at, kind, changes in ((1, hft.DEPTH_SNAPSHOT_EVENT, stream.first), (2, hft.DEPTH_EVENT, stream.changes)):
            for place, change in enumerate(changes):
                if change.book != index:
                    continue
                stamp = at * second * 1000 + place * 1000
                flags = kind | hft.EXCH_EVENT | hft.LOCAL_EVENT | (hft.SELL_EVENT if change.is_ask else hft.BUY_EVENT)
                price, quantity = change.price * price_unit, change.quantity * quantity_unit
                rows.append((flags, stamp, stamp, price, quantity, 0, 0, 0.0))
        return np.array(rows, dtype=hft.event_dtype)

    every = [*stream.first, *stream.changes]
    tables = [events(index) for index in range(len(stream.books))]

    @njit
    def forward(hbt, until):  # type: ignore[no-untyped-def]
        return hbt.elapse(until - hbt.current_timestamp)

    held: list[Any] = []
    prices = [{(each.book, each.is_ask, each.price) for each in every if each.book == i} for i in range(len(tables))]

    def reset() -> None:
        while held:
            held.pop().close()
        assets = [
            hft.BacktestAsset()
            .data([table])
            .linear_asset(1.0)
            .constant_order_latency(0, 0)
            .power_prob_queue_model(2.0)
            .no_partial_fill_exchange()
            .trading_value_fee_model(0.0, 0.0)
            .tick_size(10.0 ** -book["priceExponent"])
            .lot_size(10.0 ** -book["quantityExponent"])
            for table, book in zip(tables, stream.books, strict=True)
        ]
        held.append(hft.HashMapMarketDepthBacktest(assets))
        forward(held[0], 1999 * second)

    def levels(index: int) -> tuple[Levels, Levels]:
        depth, exponent = held[0].depth(index), stream.books[index]["priceExponent"]
        # It cannot list its levels: every price that was ever set is asked for.
        bids, asks = (
            {
                float(decimal_text(tick, exponent)): quantity
                for _, side, tick in prices[index]
                if side == is_ask and (quantity := at(tick)) > 0
            }
            for is_ask, at in enumerate((depth.bid_qty_at_tick, depth.ask_qty_at_tick))
        )
        return bids, asks

    settings = "HashMapMarketDepthBacktest, no orders, no latency, one elapse; keeps the books of both ends; doubles"
    count = len(stream.changes)
    return Peer("hftbacktest", settings, "changes", count, reset, lambda: forward(held[0], 1_000_000 * second), levels)


def decimal_text(units: int, exponent: int) -> str:
    """Units of 10^-exponent as a plain decimal."""
    return format(Decimal(units).scaleb(-exponent), "f")


def difference(peer: Peer, stream: Stream) -> str:
    """How the peer's books differ from ours after a run; empty when they are equal."""
    found = []
    for index, book in enumerate(stream.books):
        for side, theirs in zip(("bids", "asks"), peer.levels(index), strict=True):
            ours = {level["price"]: level["quantity"] for level in book[side]}
            wrong = sum(
                1
                for price in ours.keys() | theirs.keys()
                if abs(ours.get(price, 0.0) - theirs.get(price, 0.0)) > 1e-9 * max(1.0, ours.get(price, 0.0))
            )
            if wrong > 0:
                found.append(f"{book['native']} {side}: {len(theirs)} levels, {wrong} differ, ours {len(ours)}")
    return f"{len(found)} sides differ, the first: {found[0]}" if found else ""


def timed(peer: Peer) -> float:
    """One round of a peer. Returns ns per unit."""
    peer.reset()
    gc.collect()
    gc.disable()
    start = time.perf_counter_ns()
    peer.run()
    taken = time.perf_counter_ns() - start
    gc.enable()
    return taken / peer.units


def measure(peer: Peer, ours: Ours) -> tuple[np.ndarray, np.ndarray]:
    """Paired rounds, A B then B A. Returns ns per unit of the peer and of ours."""
    samples: list[tuple[float, float]] = []
    for attempt in range(ROUNDS + WARM_ROUNDS):
        if attempt % 2 == 0:
            own, theirs = ours.round(peer.unit), timed(peer)
        else:
            theirs, own = timed(peer), ours.round(peer.unit)
        if attempt >= WARM_ROUNDS:
            samples.append((theirs, own))
    table = np.array(samples)
    return table[:, 0], table[:, 1]


def bounds(ratios: np.ndarray) -> tuple[float, float]:
    """95 % bootstrap bounds of the median."""
    random = np.random.default_rng(7)
    medians = np.median(random.choice(ratios, (RESAMPLES, len(ratios))), axis=1)
    return float(np.quantile(medians, 0.025)), float(np.quantile(medians, 0.975))


def row(peer: Peer, ours: Ours) -> str:
    """A row of the table."""
    peer.reset()
    peer.run()
    differs = difference(peer, ours.stream)
    theirs, own = measure(peer, ours)
    low, high = bounds(theirs / own)
    unit = peer.unit.removesuffix("s")
    ratio = f"{np.median(theirs / own):.1f}× ({low:.1f} … {high:.1f})"
    figures = f"{np.median(theirs):,.0f} | {np.median(own):,.0f} | {ratio}"
    return f"| {ours.stream.title} | {peer.name} | ns/{unit} | {figures} | {differs or 'equal'} |"


def machine() -> str:
    """Processor, system, interpreter, commit, date."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.split(":", 1)[1].strip() for line in lines if "model name" in line), "unknown")
    commit = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, cwd=ROOT).stdout
    date = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"{cpu}, {system}, commit {commit.strip()}+, {date}, load average {os.getloadavg()[0]:.1f}"


def main(wanted: list[str]) -> None:
    """Measures every stream and prints the page."""
    logging.disable(logging.CRITICAL)
    script = ROOT / "dist" / "peer_rounds.js"
    bundle = ["--bundle", "--platform=node", "--format=esm", "--packages=external", "--target=node20"]
    source = ROOT / "bench" / "peers" / "rounds.ts"
    esbuild = ROOT / "node_modules" / ".bin" / "esbuild"
    subprocess.run([esbuild, source, *bundle, f"--outfile={script}", "--log-level=warning"], check=True, cwd=ROOT)
    rows, notes, node = list[str](), dict[str, None](), ""
    for name in wanted or STREAMS:
        ours = Ours(script, name)
        node = ours.stream.node
        peers = [("cryptofeed", cryptofeed_peer(ours.stream))]
        if name == "kraken_v1":
            peers.append(("cryptofeed", cryptofeed_peer(ours.stream, verifies=True)))
        peers += [("nautilus_trader", nautilus_peer(ours.stream)), ("hftbacktest", hftbacktest_peer(ours.stream))]
        for package, peer in peers:
            if isinstance(peer, str):
                notes[f"{ours.stream.title}: {package} is not measured, {peer}."] = None
            else:
                notes[f"{peer.name} {version(package)}: {peer.settings}."] = None
                rows.append(row(peer, ours))
                print(rows[-1], file=sys.stderr)
        ours.close()
    head = "| stream | peer | unit | peer | ours | peer ÷ ours (95 %) | book at the end |\n|---|---|---|--:|--:|--:|---|"
    print("# Peers in Python: recorded once, by hand\n")
    print(f"{machine()}, Node {node}. {ROUNDS} paired rounds, medians; `python bench/peers/python/compare.py`.\n")
    print("`ns/frame`: captured frames → book (ours with hash and records; Kraken's CRC32 verified by ours always).")
    print("`ns/change`: the book alone on decoded changes (ours with its hash, called from JavaScript for every level).\n")
    print("\n".join([head, *rows, "", *(f"- {note}" for note in notes)]))


if __name__ == "__main__":
    main(sys.argv[1:])
