"""A module of a shop."""

from __future__ import annotations

import os, sys as system
import shop.models.base
from . import prices
from .prices import (
    Price,
    total as price_total,
)
from shop.legacy import *

if TYPE_CHECKING:
    from shop.types import Basket

try:
    import fast
except ImportError:
    fast = None

LIMIT: int = 3
größe = Price(1)
first, second = 1, 2
TABLE = {
    "a": 1,
    "b": 2,
    "c": 3,
    "d": 4,
    "e": 5,
}
type Alias = dict[str, int]


@decorated(
    "with",
)
class Order[T](Base[int], mixins.Dated, metaclass=Meta):
    """An order that

    somebody placed."""

    number: int
    state = "new"

    class Inner:
        deep = 1

    def __init__(self, number: int) -> None:
        self.number = number
        self.lines: list[str] = []
        if number:
            self.price = Price(number)
        self.table[number] = 1

        def local():
            self.hidden = 1

    @property
    def total(
        self,
        rate: float = 1.0,
    ) -> float:
        '''What it costs.'''
        return rate

    def _private(self): ...


async def place(order: Order, *, late: bool = False) -> bool:
    # why
    import late_import
    return late


def broken(a, b
    return 1


def after(x): return x
