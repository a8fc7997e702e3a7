"""A set of the journal's numbers that stays small with millions in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

_BITS = 12
_SIZE = 1 << _BITS
_FULL = (1 << _SIZE) - 1
"""The mask of a chunk that has all its numbers; one object for all such chunks."""


class NumberSet:
    """Numbers from 0. A bit for each in the chunks that have any, and less where all are in."""

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._masks: dict[int, int] = {}
        for number in numbers:
            self.add(number)

    def __contains__(self, number: int) -> bool:
        return bool(self._masks.get(number >> _BITS, 0) >> (number % _SIZE) & 1)

    def add(self, number: int) -> None:
        """The number is in it from now on."""
        mask = self._masks.get(number >> _BITS, 0) | 1 << (number % _SIZE)
        self._masks[number >> _BITS] = _FULL if mask == _FULL else mask

    def next_outside(self, number: int) -> int:
        """The first number from this one on that is not in it."""
        while mask := self._masks.get(number >> _BITS, 0):
            outside = ~mask >> (number % _SIZE)
            found = number + (outside & -outside).bit_length() - 1
            if found >> _BITS == number >> _BITS:
                return found
            number = found
        return number

    def without(self, runs: Iterable[list[int]]) -> Iterator[list[int]]:
        """The runs, [first, last] each, of the numbers of `runs` that are not in it: there may be
        millions."""
        for first, last in runs:
            start = self.next_outside(first)
            while start <= last:
                end = min(self._next_inside(start, last + 1) - 1, last)
                yield [start, end]
                start = self.next_outside(end + 1)

    def _next_inside(self, number: int, stop: int) -> int:
        """The first number from this one on that is in it, or one from `stop` on."""
        while number < stop:
            inside = self._masks.get(number >> _BITS, 0) >> (number % _SIZE)
            if inside:
                return number + (inside & -inside).bit_length() - 1
            number = ((number >> _BITS) + 1) << _BITS
        return stop


def outside(runs: list[list[int]], *sets: NumberSet, most: int) -> list[list[int]]:
    """The runs, [first, last] each, of the numbers of `runs` that are in none of the sets. Of one
    run that would make it more than `most` all from there on counts, whatever is in between."""
    found: list[list[int]] = []
    for first, last in runs:
        left: Iterable[list[int]] = [[first, last]]
        for numbers in sets:
            left = numbers.without(left)
        room = max(1, most - len(found))
        some = list(islice(left, room + 1))
        if len(some) > room:
            some[room - 1 :] = [[some[room - 1][0], last]]
        found += some
    return found
