"""Ways through books that may leave a profit, walked in exact integers: the same as src/arbitrage of the server.

Across two exchanges, or in a circle through three books of one. Python's integers have no limit, so nothing is rounded.
Bad case: books with many small crossing levels; a walk ends after `levels_max` of a side, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Protocol

FEE_UNIT: Final = 100_000_000
"""Fees are counted in parts of this."""
FEE_EXPONENT: Final = 8
BPS_EXPONENT: Final = 4
"""Basis points are told with so many digits after the point, cut off."""
_DOUBT: Final = 1e-12
"""Doubles are off by less in the first look."""

BID: Final = 0
ASK: Final = 1


class ArbitrageBook(Protocol):
    """A book as the detector reads it."""

    @property
    def instrument(self) -> str:
        """`exchange:BASE-QUOTE`"""

    @property
    def is_usable(self) -> bool:
        """Known to be right at this moment: synced, and not crossed in itself."""

    @property
    def is_whole(self) -> bool:
        """Between two events."""

    @property
    def updated_at_ms(self) -> float:
        """When its last event was received, ms of the detector's clock."""

    @property
    def version(self) -> int:
        """Of its last event."""

    @property
    def hash(self) -> int:
        """Of its levels."""

    @property
    def price_exponent(self) -> int:
        """A tick is 10^-price_exponent."""

    @property
    def quantity_exponent(self) -> int:
        """A lot is 10^-quantity_exponent."""

    def level(self, side: int, index: int) -> tuple[int, int] | None:
        """(ticks, lots) of a level, the best one is 0; None behind the last."""


@dataclass(frozen=True)
class CrossingLeg:
    """One trade against one book; quantities in 10^-quantity_exponent, amounts in 10^-amount_exponent."""

    action: Literal["buy", "sell"]
    book: ArbitrageBook
    version: int
    hash: int
    updated_at_ms: float
    price_exponent: int
    fee: int
    quantity: int
    quantity_exponent: int
    amount: int
    amount_exponent: int
    worst: int


@dataclass(frozen=True)
class Crossing:
    """Something executable that leaves a profit."""

    legs: tuple[CrossingLeg, ...]
    quantity: int
    quantity_exponent: int
    profit: int
    profit_exponent: int
    profit_bps: int
    cut: bool

    def is_same(self, other: Crossing) -> bool:
        """Nothing but versions and times differs."""
        sums = (self.profit, self.profit_exponent, self.cut)
        return sums == (other.profit, other.profit_exponent, other.cut) and all(
            (one.quantity, one.amount, one.worst) == (two.quantity, two.amount, two.worst)
            for one, two in zip(self.legs, other.legs)
        )


class ArbitragePath(Protocol):
    """Books that may be traded against each other in one order and direction."""

    kind: Literal["cross", "triangular"]
    books: tuple[ArbitrageBook, ...]
    base: str
    currency: str

    def may_profit(self) -> bool:
        """A first look in doubles: False is certain, True is not."""

    def walk(self, levels_max: int) -> Crossing | None:
        """Walks the books; None when fees eat everything."""


class _SideWalk:
    """Levels of one side from the best on, quantities in units of 10^-quantity_exponent."""

    def __init__(self, book: ArbitrageBook, side: int, quantity_exponent: int, levels_max: int) -> None:
        self.book = book
        self.price = 0
        self.left = 0
        self.has_level = True
        self.is_cut = False
        self.quantity = 0
        self.amount = 0
        self.worst = 0
        self._side = side
        self._exponent = quantity_exponent
        self._levels_max = levels_max
        self._scale = 10 ** (quantity_exponent - book.quantity_exponent)
        self._index = 0
        self._next()

    def take(self, size: int) -> None:
        """Takes at most what is left of the level."""
        self.quantity += size
        self.amount += size * self.price
        self.worst = self.price
        self.left -= size
        if self.left == 0:
            self._next()

    def take_across(self, size: int) -> bool:
        """Takes from as many levels as it needs; False when there are too few."""
        while size > 0 and self.has_level:
            part = min(size, self.left)
            size -= part
            self.take(part)
        return size == 0

    def fork(self) -> _SideWalk:
        """The same place, to be walked on from by itself."""
        fork = _SideWalk.__new__(_SideWalk)
        fork.__dict__.update(self.__dict__)
        return fork

    def leg(self, action: Literal["buy", "sell"], fee: int) -> CrossingLeg:
        """What was taken, as a trade."""
        book = self.book
        return CrossingLeg(
            action,
            book,
            book.version,
            book.hash,
            book.updated_at_ms,
            book.price_exponent,
            fee,
            self.quantity,
            self._exponent,
            self.amount,
            self._exponent + book.price_exponent,
            self.worst,
        )

    def _next(self) -> None:
        level = self.book.level(self._side, self._index)
        self.is_cut = level is not None and self._index >= self._levels_max
        self.has_level = level is not None and not self.is_cut
        if level is not None and self.has_level:
            self.price, self.left = level[0], level[1] * self._scale
            self._index += 1


class CrossPath:
    """Bought on one exchange and sold on another. Fees in parts of FEE_UNIT."""

    kind: Literal["cross", "triangular"] = "cross"

    def __init__(self, buy: ArbitrageBook, sell: ArbitrageBook, buy_fee: int, sell_fee: int) -> None:
        self.books: tuple[ArbitrageBook, ...] = (buy, sell)
        self.base, self.currency = pair_of(buy)
        self._buy, self._sell = buy, sell
        self._buy_fee, self._sell_fee = buy_fee, sell_fee
        self._gain = (1 - sell_fee / FEE_UNIT) / (1 + buy_fee / FEE_UNIT) * (1 + _DOUBT)

    def may_profit(self) -> bool:
        bid, ask = _best(self._sell, BID), _best(self._buy, ASK)
        return bid is not None and ask is not None and bid * self._gain > ask

    def walk(self, levels_max: int) -> Crossing | None:
        buy, sell = self._buy, self._sell
        quantity_exponent = max(buy.quantity_exponent, sell.quantity_exponent)
        asks = _SideWalk(buy, ASK, quantity_exponent, levels_max)
        bids = _SideWalk(sell, BID, quantity_exponent, levels_max)
        price_exponent = max(buy.price_exponent, sell.price_exponent)
        paid_per_unit = (FEE_UNIT + self._buy_fee) * 10 ** (price_exponent - buy.price_exponent)
        got_per_unit = (FEE_UNIT - self._sell_fee) * 10 ** (price_exponent - sell.price_exponent)
        while asks.has_level and bids.has_level and bids.price * got_per_unit > asks.price * paid_per_unit:
            size = min(asks.left, bids.left)
            asks.take(size)
            bids.take(size)
        if asks.quantity == 0:
            return None
        profit = bids.amount * got_per_unit - asks.amount * paid_per_unit
        exponent = price_exponent + quantity_exponent + FEE_EXPONENT
        legs = (asks.leg("buy", self._buy_fee), bids.leg("sell", self._sell_fee))
        bps = _bps(profit, exponent, legs[0])
        return Crossing(legs, asks.quantity, quantity_exponent, profit, exponent, bps, asks.is_cut or bids.is_cut)


class TrianglePath:
    """In a circle through `P-A`, `P-M` and `M-A` of one exchange; `buys_inner`: M is bought, P with it, P is sold."""

    kind: Literal["cross", "triangular"] = "triangular"

    def __init__(
        self, direct: ArbitrageBook, inner: ArbitrageBook, outer: ArbitrageBook, *, buys_inner: bool, fee: int
    ) -> None:
        self.books: tuple[ArbitrageBook, ...] = (outer, inner, direct) if buys_inner else (direct, inner, outer)
        self.base, self.currency = pair_of(direct)
        self._direct, self._inner, self._outer = direct, inner, outer
        self._buys_inner = buys_inner
        self._fee = fee
        paid, got = 1 + fee / FEE_UNIT, 1 - fee / FEE_UNIT
        self._gain = (got / (paid * paid) if buys_inner else got * got / paid) * (1 + _DOUBT)

    def may_profit(self) -> bool:
        sides = (BID, ASK, ASK) if self._buys_inner else (ASK, BID, BID)
        direct, inner, outer = (_best(book, side) for book, side in zip((self._direct, self._inner, self._outer), sides))
        if direct is None or inner is None or outer is None:
            return False
        return direct * self._gain > inner * outer if self._buys_inner else inner * outer * self._gain > direct

    def walk(self, levels_max: int) -> Crossing | None:
        walk = _TriangleWalk(self._direct, self._inner, self._outer, self._buys_inner, self._fee, levels_max)
        while walk.take_some():
            pass
        return walk.crossing()


class _TriangleWalk:
    def __init__(
        self,
        direct: ArbitrageBook,
        inner: ArbitrageBook,
        outer: ArbitrageBook,
        buys_inner: bool,
        fee: int,
        levels_max: int,
    ) -> None:
        self._fee = fee
        self._buys_inner = buys_inner
        self._quantity_exponent = max(direct.quantity_exponent, inner.quantity_exponent)
        made = self._quantity_exponent + inner.price_exponent + FEE_EXPONENT
        passed = max(made, outer.quantity_exponent)
        direct_exponent = self._quantity_exponent + direct.price_exponent
        outer_exponent = passed + outer.price_exponent
        money = max(direct_exponent, outer_exponent)
        got, paid = FEE_UNIT - fee, -(FEE_UNIT + fee)
        self._money_exponent = money + FEE_EXPONENT
        self._per_tick = (FEE_UNIT + fee if buys_inner else got) * 10 ** (passed - made)
        self._direct_factor = (got if buys_inner else paid) * 10 ** (money - direct_exponent)
        self._outer_factor = (paid if buys_inner else got) * 10 ** (money - outer_exponent)
        bought, sold = (ASK, BID) if buys_inner else (BID, ASK)
        self._direct = _SideWalk(direct, sold, self._quantity_exponent, levels_max)
        self._inner = _SideWalk(inner, bought, self._quantity_exponent, levels_max)
        self._outer = _SideWalk(outer, bought, passed, levels_max)

    def take_some(self) -> bool:
        """Takes what leaves a profit at the present prices; False when nothing does."""
        direct, inner, outer = self._direct, self._inner, self._outer
        if not (direct.has_level and inner.has_level and outer.has_level):
            return False
        per_lot = inner.price * self._per_tick
        if direct.price * self._direct_factor + per_lot * outer.price * self._outer_factor <= 0:
            return False
        lots = min(direct.left, inner.left, outer.left // per_lot)
        if lots == 0:
            return self._take_across(per_lot)
        direct.take(lots)
        inner.take(lots)
        outer.take(lots * per_lot)
        return True

    def crossing(self) -> Crossing | None:
        """None when nothing was taken."""
        direct, inner, outer = self._direct, self._inner, self._outer
        if direct.quantity == 0:
            return None
        profit = direct.amount * self._direct_factor + outer.amount * self._outer_factor
        fee = self._fee
        legs = (
            (outer.leg("buy", fee), inner.leg("buy", fee), direct.leg("sell", fee))
            if self._buys_inner
            else (direct.leg("buy", fee), inner.leg("sell", fee), outer.leg("sell", fee))
        )
        bps = _bps(profit, self._money_exponent, legs[0])
        cut = direct.is_cut or inner.is_cut or outer.is_cut
        return Crossing(legs, direct.quantity, self._quantity_exponent, profit, self._money_exponent, bps, cut)

    def _take_across(self, per_lot: int) -> bool:
        """One lot that needs more of M than the present level has."""
        outer = self._outer.fork()
        before = outer.amount
        reaches = outer.take_across(per_lot)
        gain = self._direct.price * self._direct_factor + (outer.amount - before) * self._outer_factor
        if not reaches or gain <= 0:
            return False
        self._direct.take(1)
        self._inner.take(1)
        self._outer = outer
        return True


def pair_of(book: ArbitrageBook) -> tuple[str, str]:
    """Base and quote of a book."""
    base, _, quote = book.instrument.partition(":")[2].rpartition("-")
    return base, quote


def exchange_of(book: ArbitrageBook) -> str:
    """Exchange of a book."""
    return book.instrument.partition(":")[0]


def _best(book: ArbitrageBook, side: int) -> float | None:
    level = book.level(side, 0)
    return None if level is None else float(level[0] / 10**book.price_exponent)


def _bps(profit: int, exponent: int, paid: CrossingLeg) -> int:
    """Profit in basis points of what is paid first, in units of 10^-BPS_EXPONENT, cut off."""
    up = 4 + BPS_EXPONENT + max(paid.amount_exponent - exponent, 0)
    return int(profit * 10**up // (paid.amount * 10 ** max(exponent - paid.amount_exponent, 0)))
