"""What every row is given."""

import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.table import Table

Measure = Callable[[], tuple[float, Mapping[str, float]]]
"""Does something once: milliseconds, and side figures by name."""


@dataclass
class Bench:
    """One run: how many `rounds`, where to put files, a file that has the rounds of earlier runs
    or None, and what to stop at the end."""

    rounds: int
    directory: Path
    kept: Path | None = None
    stack: ExitStack = field(default_factory=ExitStack)

    def interleave(
        self, table: Table, lines: Mapping[str, Mapping[str, Measure]], *, warm_up: bool = True
    ) -> None:
        """Measures every line for every contestant, round by round.

        Contestants take turns within a round and another one begins each time, so that what else
        the machine does meets all of them alike. The first round warms up and is not counted,
        unless contestants are processes of their own, which begin cold each time.
        """
        for turn in range(0 if warm_up else 1, self.rounds + 1):
            for line, measures in lines.items():
                names = list(measures)
                start = turn % len(names)
                for name in names[start:] + names[:start]:
                    milliseconds, figures = measures[name]()
                    if turn:
                        table.cell(line, name).add(milliseconds, **figures)
            print(f"  {table.title}: round {turn} of {self.rounds}", file=sys.stderr)


def milliseconds_of(act: Callable[[], object]) -> float:
    """How long `act()` takes."""
    start = time.perf_counter()
    act()
    return (time.perf_counter() - start) * 1000


def machine() -> str:
    """What the figures were measured on, and how busy it is."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{os.cpu_count()} CPUs ({platform.machine()}), Python {platform.python_version()}, "
        f"load {load}"
    )
