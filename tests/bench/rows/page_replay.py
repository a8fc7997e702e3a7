"""A notebook is opened whose cell has printed 100,000 messages without a page."""

from __future__ import annotations

import time
import uuid

from playwright.sync_api import Browser

from tests.bench.bars import Limit
from tests.bench.bench import Bench, Measure
from tests.bench.table import Table
from tests.chaos.pages.chromium import CONTENDERS, chromium, new_folder, running
from tests.chaos.pages.contender import Contender
from tests.chaos.pages.fleet_contender import FleetContender
from tests.chaos.pages.numbered_cell import NumberedCell
from tests.chaos.pages.person import Person

LINES_AND_DISPLAYS = {
    "100,000 lines": (100_000, 0),
    "20,000 lines, 3,000 displays in between": (20_000, 3_000),
}
BEFORE_FIRST = 5.0
"""Seconds in which the page is closed before the cell prints."""
LONGEST_CELL, LONGEST = 300.0, 60.0
ROUNDS = 3
MOST_MS, MOST_TYPED_MS = 5000, 1000
LOOK = 0.02
TYPED, PRINTS = 0, 1
"""The cells: what grows must not move the one that is typed in."""


def measure_of(browser: Browser, contender: Contender, lines: int, displays: int) -> Measure:
    """Runs the cell, opens its notebook; infinite where the cell or its page never has the end."""

    def measure() -> tuple[float, dict[str, float]]:
        name = uuid.uuid4().hex[:8]
        folder = new_folder(contender, name)
        cell = NumberedCell(lines, displays, 0.0, folder, delay=BEFORE_FIRST, flush=True)
        path = contender.path.replace(".ipynb", f"-{name}.ipynb")
        contender.save_notebook(path, "", cell.source)
        person = Person(browser, contender, path, lambda line: None)
        last = f"{cell.total:06d} x"
        try:
            person.open()
            person.wait_for_kernel()
            person.run(PRINTS)
            person.wait("the cell's beginning", lambda: bool(cell.runs))
            person.close()
            person.wait("the cell's end", lambda: cell.ended, LONGEST_CELL)
            loaded = time.monotonic()
            person.open()
            shown = time.monotonic()
            person.forget_tasks()
            # Somebody who goes on working meanwhile.
            person.write(TYPED, "# typed")
            typed = time.monotonic()
            person.wait("the end", lambda: last in person.last_outputs(PRINTS), LONGEST, look=LOOK)
            ended = time.monotonic()
            return 1000 * (ended - shown), {
                "since_load": 1000 * (ended - loaded),
                "longest_task": person.longest_task(),
                "typed": 1000 * (typed - shown),
            }
        except TimeoutError:
            return float("inf"), {}
        finally:
            person.close()
            contender.end_kernels()

    return measure


def run(bench: Bench) -> Table:
    """Starts all of them, and opens a notebook of each in turns."""
    table = Table(
        "messages in a page that is opened after them, each flushed",
        list(CONTENDERS),
        FleetContender.name,
        "median ms (lowest) from the notebook's appearance to its last line; the same from the "
        "page's load, longest task of the page since the notebook's appearance, typing in another "
        "cell meanwhile (ms)",
    )
    browser = bench.stack.enter_context(chromium())
    contenders = {name: bench.stack.enter_context(running(name)) for name in CONTENDERS}
    rounds = Bench(min(ROUNDS, bench.rounds), bench.directory)
    measures = {
        line: {name: measure_of(browser, one, *counts) for name, one in contenders.items()}
        for line, counts in LINES_AND_DISPLAYS.items()
    }
    rounds.interleave(table, measures, warm_up=False)
    return table


def bars(table: Table) -> list[Limit]:
    """All of it is soon there, and somebody who types meanwhile does not wait for it."""
    return [
        limit
        for line in LINES_AND_DISPLAYS
        for limit in (Limit(line, MOST_MS), Limit(line, MOST_TYPED_MS, figure="typed"))
    ]
