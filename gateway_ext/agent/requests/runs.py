"""Runs of numbers, [first, last] each: ascending, and without overlaps."""

from __future__ import annotations

from collections.abc import Iterable

Runs = list[list[int]]


def extend(runs: Runs, number: int, most: int) -> None:
    """Add a number above all others. With more than `most` runs the last two become one, with what
    is between them."""
    if runs and runs[-1][1] >= number:
        return
    if runs and (runs[-1][1] == number - 1 or len(runs) >= most):
        runs[-1][1] = number
    else:
        runs.append([number, number])


def union(many: Iterable[Runs]) -> Runs:
    """The runs of all numbers that are in any of them."""
    joined: Runs = []
    for first, last in sorted(run for runs in many for run in runs):
        if joined and first <= joined[-1][1] + 1:
            joined[-1][1] = max(joined[-1][1], last)
        else:
            joined.append([first, last])
    return joined


def without(runs: Runs, taken: Runs) -> Runs:
    """The runs of the numbers of `runs` that are not in `taken`."""
    left: Runs = []
    place = 0
    for first, last in runs:
        while place < len(taken) and taken[place][1] < first:
            place += 1
        following = place
        while following < len(taken) and taken[following][0] <= last:
            if taken[following][0] > first:
                left.append([first, taken[following][0] - 1])
            first = taken[following][1] + 1
            following += 1
        if first <= last:
            left.append([first, last])
    return left
