"""The Python consumer of the long run of the stream: follows every view from a pipe and says at the end what it saw.

Standard input is a sequence of messages: u32 length of what follows the head, u8 kind, u32 alias, then the rest.
0 frame: one WebSocket message. 1 proof: version u64, hash u32, then the levels of both sides or nothing. 2 trial: see
`Trial`. 3 the view ends. 4 another process follows it. Bad case: a pipe that ends in the middle; it ends with status 1.
"""

from __future__ import annotations

import json
import struct
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np

from alphapulse.stream_book import StreamBook
from alphapulse.stream_wire import Outcome, alias_of

HEAD = struct.Struct("<IBI")
PROOF = struct.Struct("<QI")
TRIAL = struct.Struct("<BHHHI")
COUNTS = struct.Struct("<II")
LENGTH = struct.Struct("<I")
FRAME, PROVE, TRY, DROP, NAMED = range(5)
KINDS = ("deltas", "checked", "snapshot", "conflated")
PIPE_BYTES = 1 << 20
PROBLEMS_MAX = 20
TAKEN = (Outcome.APPLIED, Outcome.PARTIAL)


class Follower:
    """Books by alias, and the account of what happened."""

    def __init__(self) -> None:
        self.books: dict[int, StreamBook] = {}
        self.others: set[int] = set()
        self.problems: list[str] = []
        self.flips: dict[str, Counter[str]] = defaultdict(Counter)
        self.counts: Counter[str] = Counter()

    def frame(self, alias: int, frame: bytes) -> None:
        """Applies a frame that must fit."""
        self.counts["frames"] += 1
        self.counts["bytes"] += len(frame)
        book = self.books.get(alias)
        if book is None:
            book = self.books[alias] = StreamBook()
        outcome = book.apply(frame)
        if outcome not in TAKEN:
            self.note(f"frame {self.counts['frames']} of view {alias}: {outcome.value}")

    def prove(self, alias: int, content: bytes) -> None:
        """Compares version, hash and, when they are given, all levels."""
        version, book_hash = PROOF.unpack_from(content)
        book = self.books.get(alias, StreamBook())
        self.counts["proofs"] += 1
        if not book.has_book or (book.version, book.hash) != (version, book_hash):
            held = f"{'' if book.has_book else 'no book, '}version {book.version}, hash {book.hash}"
            self.note(f"view {alias}: {held}; the producer has {version}, {book_hash}")
        if len(content) > PROOF.size:
            self.compare(alias, book, content[PROOF.size :])

    def compare(self, alias: int, book: StreamBook, content: bytes) -> None:
        """Compares level by level."""
        counts = COUNTS.unpack_from(content)
        wanted = np.frombuffer(content, np.int64, offset=COUNTS.size).reshape(-1, 2)
        self.counts["books"] += 1
        self.counts["levels"] += len(wanted)
        held = [book.units(side) for side in (0, 1)]
        sides = (wanted[: counts[0]], wanted[counts[0] :])
        if any([tuple(row) for row in theirs.tolist()] != ours for theirs, ours in zip(sides, held)):
            self.note(f"view {alias} at version {book.version}: a level differs from the producer's")

    def attempt(self, alias: int, content: bytes) -> None:
        """Judges a damaged frame on a book of its own."""
        kind, part_count, frame_count, at, bit = TRIAL.unpack_from(content)
        texts = list(split(content[TRIAL.size :]))
        parts, frames = texts[:part_count], texts[part_count:]
        if len(frames) != frame_count:
            self.note(f"view {alias}: a trial of {frame_count} frames came with {len(frames)}")
            return
        self.counts["trials"] += 1
        end = self.judge(alias, parts, frames, (at, bit))
        self.flips[KINDS[kind]][end] += 1
        if end == "undetected":
            self.note(f"bit {bit} of a {KINDS[kind]} frame of view {alias} turned and nobody saw it")

    def judge(self, alias: int, parts: list[bytes], frames: list[bytes], flip: tuple[int, int]) -> str:
        """How the flipped bit ended, in the words of parts.ts."""
        at, bit = flip
        sound, damaged = StreamBook(), StreamBook()
        for part in parts:
            if sound.apply(part) not in TAKEN or damaged.apply(part) not in TAKEN:
                self.note(f"view {alias}: the snapshot before a flipped bit does not hold")
        is_same = False
        for index, frame in enumerate(frames):
            if sound.apply(frame) not in TAKEN:
                self.note(f"view {alias}: a sound frame behind a snapshot is refused")
            if not self.deliver(damaged, alias, flipped(frame, bit) if index == at else frame):
                if index == at:
                    return "at once"
                return "before the hash" if index < len(frames) - 1 else "by the hash"
            if index == at:
                is_same = state(sound) == state(damaged)
        if not damaged.has_book:
            return "no book"
        return "same meaning" if is_same and state(sound) == state(damaged) else "undetected"

    def deliver(self, book: StreamBook, alias: int, frame: bytes) -> bool:
        """Gives a frame to the book that it names. False when it is refused, as a name that nobody has is."""
        named = alias_of(frame)
        if named is None or (named != alias and named not in self.books and named not in self.others):
            return False
        return named != alias or not book.apply(frame).is_fault

    def note(self, problem: str) -> None:
        """Writes down what must not be."""
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(problem)

    def account(self) -> dict[str, object]:
        """Everything, as parts.ts has it."""
        names = ("frames", "bytes", "proofs", "books", "levels", "trials")
        return {
            "name": "python",
            **{name: self.counts[name] for name in names},
            "flips": self.flips,
            "problems": self.problems,
            "cpuSeconds": round(time.process_time(), 1),
        }


def state(book: StreamBook) -> tuple[bool, int, int, int]:
    """What is compared of two books; the chain stands for times, sequence and status."""
    return book.has_book, book.version, book.hash, book.chain


def flipped(frame: bytes, bit: int) -> bytes:
    """A copy with one bit turned."""
    copy = bytearray(frame)
    copy[bit >> 3] ^= 1 << (bit & 7)
    return bytes(copy)


def split(content: bytes) -> Iterator[bytes]:
    """Byte strings behind their lengths."""
    at = 0
    while at < len(content):
        (length,) = LENGTH.unpack_from(content, at)
        at += LENGTH.size
        yield content[at : at + length]
        at += length


def main() -> None:
    """Follows until the pipe ends."""
    follower = Follower()
    with open(sys.stdin.fileno(), "rb", buffering=PIPE_BYTES, closefd=False) as pipe:
        while head := pipe.read(HEAD.size):
            length, kind, alias = HEAD.unpack(head)
            content = pipe.read(length)
            if len(content) != length:
                sys.exit(f"Cannot follow: the pipe ended in the middle of a message of {length} bytes")
            if kind == FRAME:
                follower.frame(alias, content)
            elif kind == PROVE:
                follower.prove(alias, content)
            elif kind == TRY:
                follower.attempt(alias, content)
            elif kind == DROP:
                follower.books.pop(alias, None)
                follower.others.discard(alias)
            elif kind == NAMED:
                follower.others.add(alias)
            else:
                sys.exit(f"Cannot follow: a message of an unknown kind, was {kind}")
    print(json.dumps(follower.account()), flush=True)


if __name__ == "__main__":
    main()
