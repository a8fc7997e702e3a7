"""A cell prints numbered lines while processes die and the page goes and comes.

At its end the page and the saved file must hold every line and every display once and in order.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from playwright.sync_api import Browser

from tests.chaos.pages.chromium import new_folder
from tests.chaos.pages.contender import Contender, Pause
from tests.chaos.pages.numbered_cell import Found, NumberedCell, find_numbers
from tests.chaos.pages.person import Person

TWO_AT_ONCE = 0.3
"""How often something happens to a process while the person is cut off or away."""
SHORTEST_PAUSE = 0.2
"""Seconds between two faults at least."""
SAVES = 0.3
"""How often the person saves after a fault."""
SETTLE = 60.0
"""Seconds after the cell's end until a page must show it."""
CONFLICT = "File Changed"
"""The title of the dialog in which a page asks which version of the notebook to keep."""


@dataclass(frozen=True)
class Size:
    """How much is printed for how long, and how long faults take."""

    lines: int
    displays: int
    seconds: float
    faults: int
    """So many at least."""
    cut: tuple[float, float]
    """Shortest and longest cut of the network, seconds."""
    absence: float
    """How long the browser stays closed at most, seconds."""

    @property
    def between(self) -> float:
        """Seconds between two faults on average, so that there are enough."""
        return 0.4 * self.seconds / self.faults

    def due(self, seconds: float) -> float:
        """How many faults there must have been after so many seconds; the last ones come early:
        the cell may end sooner than it says, and not in the middle of a fault."""
        return 1.25 * self.faults * seconds / self.seconds


SHORT = Size(1_000, 20, 60, 5, (3, 6), 5)
FULL = Size(10_000, 100, 600, 20, (10, 30), 15)


@dataclass
class Outcome:
    """What became of the lines of one run."""

    seed: str
    faults: Counter[str] = field(default_factory=Counter)
    page: Found | None = None
    file: Found | None = None
    wrong: list[str] = field(default_factory=list)
    dialogs: Counter[str] = field(default_factory=Counter)

    @property
    def right(self) -> bool:
        """Whether everything is where it should be."""
        found = (self.page, self.file)
        return not self.wrong and all(one is not None and one.right for one in found)

    def __str__(self) -> str:
        text = [
            f"seed {self.seed}: {self.faults.total()} faults, page: {self.page}; file: {self.file}"
        ]
        text += self.wrong
        if self.dialogs:
            text.append(f"dialogs: {dict(self.dialogs)}")
        return "; ".join(text)


def broken_promises(outcome: Outcome, size: Size, *, asks_of_conflicts: bool) -> list[str]:
    """What is wrong whatever became of the lines. `asks_of_conflicts` allows the dialog in which
    one person, alone with a notebook, is asked which version to keep."""
    made, asked = outcome.faults.total(), outcome.dialogs[CONFLICT]
    wrong = []
    if made < size.faults:
        wrong.append(f"only {made} of {size.faults} faults")
    if asked and not asks_of_conflicts:
        wrong.append(f"asked {asked} times which version to keep")
    return wrong


class LinesRun:
    """One cell, one page, one seed."""

    def __init__(
        self,
        browser: Browser,
        contender: Contender,
        seed: str,
        size: Size,
        log: Callable[[str], None],
    ) -> None:
        self._contender = contender
        self._size = size
        self._log = log
        self._outcome = Outcome(seed)
        self.cell = NumberedCell(
            size.lines, size.displays, size.seconds, new_folder(contender, f"lines-{seed}")
        )
        self._path = contender.path.replace(".ipynb", f"-{seed}.ipynb")
        contender.save_notebook(self._path, self.cell.source)
        self.person = Person(browser, contender, self._path, log)

    def run(self) -> Outcome:
        """Make faults until the cell has ended, and look what there is."""
        try:
            self.person.open()
            self.person.wait_for_kernel()
            self.person.run()
            self.person.wait("the cell's beginning", lambda: bool(self.cell.runs))
            self._make_faults()
            self._look()
        except (TimeoutError, AssertionError) as error:
            self._outcome.wrong.append(str(error).splitlines()[0])
        finally:
            self.person.close()
        outcome = self._outcome
        outcome.dialogs = self.person.dialogs
        outcome.wrong += broken_promises(
            outcome, self._size, asks_of_conflicts=self._contender.asks_of_conflicts
        )
        return outcome

    def _over(self) -> bool:
        return self.cell.ended or self.cell.kernel_lost

    def _make_faults(self) -> None:
        began = time.monotonic()
        limit = began + 2 * self._size.seconds
        number = 0
        while not self._over() and time.monotonic() < limit:
            # Each draws for itself, so that the same seed makes the same faults.
            draw = random.Random(f"{self._outcome.seed}-{number}")
            number += 1
            pause = draw.uniform(SHORTEST_PAUSE, 2 * self._size.between)
            # On a slow machine faults take longer, and there must be enough of them.
            late = self._outcome.faults.total() < self._size.due(time.monotonic() - began)
            self.person.pause(SHORTEST_PAUSE if late else pause)
            if self._over():
                break
            self._make_fault(draw)
            if draw.random() < SAVES:
                self.person.save()
                self._log("saved")
        if not self._over():
            self._outcome.wrong.append("the cell does not end")

    def _make_fault(self, draw: random.Random) -> None:
        ours = {
            "reload the page": self._reload,
            "cut the network": self._cut,
            "open in another browser": self._move,
        }
        # People's acts are as likely as the deaths of processes.
        kinds = [sorted(ours), sorted(self._contender.faults)]
        name = draw.choice(draw.choice(kinds))
        self._count(name)
        if name in ours:
            ours[name](draw)
        else:
            self._contender.faults[name](draw, self.person.pause)

    def _count(self, name: str) -> None:
        self._outcome.faults[name] += 1
        cell = self.person.read()
        last = f", page at {len(cell.outputs)} outputs, {cell.kernel}" if cell else ""
        self._log(f"{self._outcome.faults.total()} {name}{last}")

    def _also(self, draw: random.Random, pause: Pause) -> None:
        """Something that happens to a process meanwhile, or nothing."""
        if draw.random() < TWO_AT_ONCE:
            name = draw.choice(sorted(self._contender.faults))
            self._count(name)
            self._contender.faults[name](draw, pause)

    def _reload(self, draw: random.Random) -> None:
        self.person.reload()

    def _cut(self, draw: random.Random) -> None:
        seconds, silently = draw.uniform(*self._size.cut), draw.random() < 0.5
        self._log(f"for {seconds:.1f} s, {'silently' if silently else 'loudly'}")
        self._contender.cable.cut(silently=silently)
        until = time.monotonic() + seconds
        self._also(draw, self.person.pause)
        self.person.pause(max(0.0, until - time.monotonic()))
        self._contender.cable.restore()

    def _move(self, draw: random.Random) -> None:
        self.person.close()
        until = time.monotonic() + draw.uniform(0, self._size.absence)
        self._also(draw, self.person.pause)
        self.person.pause(max(0.0, until - time.monotonic()))
        self.person.open()

    def _look(self) -> None:
        outcome, total = self._outcome, self.cell.total
        if self.cell.kernel_lost:
            outcome.wrong.append("the kernel died")
        if len(self.cell.runs) != 1:
            outcome.wrong.append(f"the cell ran {len(self.cell.runs)} times")

        def complete() -> bool:
            cell = self.person.read()
            if cell is None:
                return False
            outcome.page = find_numbers(cell.outputs, total)
            return outcome.page.right and cell.has_ended

        try:
            self.person.wait("the whole cell in the page", complete, SETTLE)
        except TimeoutError:
            cell = self.person.read()
            if cell is None:
                outcome.wrong.append("the page shows no notebook")
            elif not cell.has_ended:
                outcome.wrong.append(f"the page shows {cell.prompt}, kernel {cell.kernel}")
        self.person.save()

        def saved() -> bool:
            outcome.file = find_numbers(self._contender.saved_outputs(self._path), total)
            cell = self.person.read()
            return outcome.file.right and cell is not None and not cell.dirty

        try:
            self.person.wait("the notebook to be saved", saved, SETTLE / 2)
        except TimeoutError:
            cell = self.person.read()
            if cell is not None and cell.dirty:
                outcome.wrong.append("the notebook is not saved")
