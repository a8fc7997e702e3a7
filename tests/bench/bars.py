"""What was promised of a figure, and whether the pairs of one run keep it."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.table import Cell, Table

# Student's t for 95 %, by degrees of freedom.
_T = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)
_T_MANY = 2.23


@dataclass(frozen=True)
class Bar:
    """In a `line`, our figure is at least `times` better than a peer's, or at most `times` it.

    Exactly one of the two is given. `figure` is the name of a side figure; wall time unless given.
    """

    line: str
    peer: str
    at_least: float | None = None
    at_most: float | None = None
    figure: str | None = None


@dataclass(frozen=True)
class Verdict:
    """The geometric mean of the pairs' ratios, its 95 % interval, and whether the bar is met:
    when the better end of the interval reaches it. With one pair there is no interval."""

    ratio: float
    low: float
    high: float
    pairs: int
    met: bool


def judge(bar: Bar, ours: Cell, peer: Cell) -> Verdict:
    """The verdict from cells of one line, whose values are pairs by round."""
    own, other = (
        cell.milliseconds if bar.figure is None else cell.figures[bar.figure]
        for cell in (ours, peer)
    )
    if bar.at_least is not None:
        own, other = other, own
    logs = [math.log(a / b) for a, b in zip(own, other, strict=False)]
    mean, pairs = statistics.fmean(logs), len(logs)
    half = 0.0
    if pairs > 1:
        t = _T[pairs - 2] if pairs - 2 < len(_T) else _T_MANY
        half = t * statistics.stdev(logs) / math.sqrt(pairs)
    ratio, low, high = (math.exp(x) for x in (mean, mean - half, mean + half))
    met = high >= bar.at_least if bar.at_least is not None else low <= (bar.at_most or 0)
    return Verdict(ratio, low, high, pairs, met)


@dataclass(frozen=True)
class Limit:
    """In a `line`, our figure is at most `most`: its median, or that of each round.

    `figure` is the name of a side figure; wall time in ms unless given.
    """

    line: str
    most: float
    figure: str | None = None
    every_round: bool = False


@dataclass(frozen=True)
class Judged:
    """A line of text about a bar, and whether it is met; None if it could not be measured."""

    text: str
    met: bool | None


def show_bars(table: Table, bars: Sequence[Bar | Limit]) -> list[Judged]:
    """What became of each bar."""
    return [
        _show_limit(table, bar) if isinstance(bar, Limit) else _show_bar(table, bar) for bar in bars
    ]


def _show_limit(table: Table, limit: Limit) -> Judged:
    cell = table.lines.get(limit.line, {}).get(table.ours, Cell())
    values = cell.milliseconds if limit.figure is None else cell.figures.get(limit.figure, [])
    of = "each round" if limit.every_round else "median"
    what = f"{limit.line}, {limit.figure or 'wall'}: at most {limit.most:g}, {of}"
    if not values:
        # It is ours: nothing else can be the reason.
        return Judged(f"{what}: not measured: NOT met", False)
    median, highest = statistics.median(values), max(values)
    met = (highest if limit.every_round else median) <= limit.most
    found = f"median {median:.4g}, highest {highest:.4g} of {len(values)}"
    return Judged(f"{what}: {found}: {'met' if met else 'NOT met'}", met)


def _show_bar(table: Table, bar: Bar) -> Judged:
    cells = table.lines.get(bar.line, {})
    ours, peer = cells.get(table.ours), cells.get(bar.peer)
    what = f"{bar.line}, {bar.figure or 'wall'}"
    promise = (
        f"at least {bar.at_least:g}x better than"
        if bar.at_least is not None
        else f"at most {bar.at_most:.3g}x"
    )
    if not (ours and peer and ours.milliseconds and peer.milliseconds):
        return Judged(f"{what}: {promise} {bar.peer}: not measured", None)
    v = judge(bar, ours, peer)
    interval = f", 95 % {v.low:.3g} to {v.high:.3g}" if v.pairs > 1 else ""
    verdict = "met" if v.met else "NOT met"
    pairs = f"{v.pairs} pair{'s' if v.pairs > 1 else ''}"
    text = f"{what}: {promise} {bar.peer}: {v.ratio:.3g}x ({pairs}{interval}): {verdict}"
    return Judged(text, v.met)
