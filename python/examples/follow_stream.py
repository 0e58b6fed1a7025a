"""Follows books of a gateway over the network and prints the best prices whenever they change.

    python follow_stream.py [--url ws://127.0.0.1:8765/ws] [--depth 10] [--rate-ms 100] [--lines 20] [kraken:BTC-USD …]

Every printed line comes from a book whose hash was proved. Needs `pip install './python[stream]'`.
"""

from __future__ import annotations

import argparse
import asyncio

from alphapulse.stream import BookEvent, ConnectionEvent, ResyncEvent, StreamClient


async def follow(options: argparse.Namespace) -> int:
    """Prints so many lines. Returns how many books were printed."""
    shown: dict[str, str] = {}
    lines = 0
    async with StreamClient(options.url, key=options.key) as client:
        await client.subscribe(["book"], options.instruments, depth=options.depth, rate_ms=options.rate_ms)
        async for event in client:
            if isinstance(event, ConnectionEvent | ResyncEvent):
                print(event)
            if not isinstance(event, BookEvent):
                continue
            book, name = event.book, event.instrument
            is_synced = client.is_synced(name, depth=event.depth, rate_ms=event.rate_ms)
            text = f"{book.best_bid} {book.best_ask} spread {book.spread}" if is_synced else "not synced"
            if shown.get(name) != text:
                shown[name] = text
                print(f"{name} version {book.version} hash {book.hash:08x} {text}")
                lines += 1
            if lines >= options.lines:
                break
    return len(shown)


def main(words: list[str] | None = None) -> int:
    """Runs until enough was printed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("instruments", nargs="*", default=["*:BTC-USD"], help="names or patterns")
    parser.add_argument("--url", default="ws://127.0.0.1:8765/ws")
    parser.add_argument("--key", help="API key, where one is needed")
    parser.add_argument("--depth", type=int, default=10, help="levels a side, 0 = all")
    parser.add_argument("--rate-ms", type=int, default=0, help="least time between updates, 0 = every change")
    parser.add_argument("--lines", type=int, default=20)
    return asyncio.run(follow(parser.parse_args(words)))


if __name__ == "__main__":
    main()
