"""New notebooks whose cells are run at once, while their kernels take long to start."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser

from tests.chaos.pages.chromium import new_folder
from tests.chaos.pages.contender import Contender
from tests.chaos.pages.person import Person

CELLS = 4
LATEST = 5.0
"""Seconds by which a kernel's start is delayed, at most."""
SECONDS = 60.0
"""How long the cells may take."""


@dataclass(frozen=True)
class Notebook:
    """What became of one notebook, counted outside of the page."""

    number: int
    ran: list[int]
    """The cells in the order in which they ran."""
    kernels: int
    """How many were new at whoever runs them."""
    starts: int
    """How often a kernel's program was started for it."""
    shown: bool
    """Whether the page shows the output and the end of each cell."""

    @property
    def right(self) -> bool:
        """Whether every cell ran once and in order, in one kernel, and the page knows it."""
        return self.shown and self.ran == list(range(CELLS)) and self.kernels == self.starts == 1

    def __str__(self) -> str:
        page = "shown" if self.shown else "not shown"
        kernels = f"{self.kernels} kernels, {self.starts} starts"
        return f"notebook {self.number}: cells {self.ran} ran, {page}; {kernels}"


@dataclass
class Outcome:
    """What became of all notebooks of one seed."""

    seed: str
    wanted: int
    notebooks: list[Notebook] = field(default_factory=list)
    dialogs: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def right(self) -> bool:
        """Whether each of them is as it should be."""
        return not self.wrong and sum(one.right for one in self.notebooks) == self.wanted > 0

    def __str__(self) -> str:
        right = sum(one.right for one in self.notebooks)
        others = [str(one) for one in self.notebooks if not one.right]
        text = [f"seed {self.seed}: {right} of {self.wanted} notebooks", *others, *self.wrong]
        if self.dialogs:
            text.append(f"dialogs: {dict(self.dialogs)}")
        return "; ".join(text)


def run_first(
    browser: Browser, contender: Contender, seed: str, notebooks: int, log: Callable[[str], None]
) -> Outcome:
    """Open so many notebooks, one after the other, each of which starts a kernel."""
    outcome = Outcome(seed, notebooks)
    folder = new_folder(contender, f"first-{seed}")
    for number in range(notebooks):
        path = contender.path.replace(".ipynb", f"-first-{seed}-{number}.ipynb")
        person = Person(browser, contender, path, log)
        draw = random.Random(f"{seed}-{number}")
        delay = draw.uniform(0, LATEST)
        contender.late.delay(delay)
        try:
            outcome.notebooks.append(_run_one(contender, person, path, folder, number))
        except TimeoutError as error:
            outcome.wrong.append(f"notebook {number}: {error}")
        finally:
            person.close()
            contender.end_kernels()
        outcome.dialogs += person.dialogs
        log(f"{delay:.1f} s late: {outcome.notebooks[-1] if outcome.notebooks else 'nothing'}")
    return outcome


def _run_one(
    contender: Contender, person: Person, path: str, folder: Path, number: int
) -> Notebook:
    ran = folder / f"ran-{number}"
    write = f"file = open({str(ran)!r}, 'a'); file.write"
    sources = [f"{write}('{cell}\\n'); file.close(); print('did {cell}')" for cell in range(CELLS)]
    contender.save_notebook(path, *sources, kernel=contender.late.name)
    kernels, starts = contender.kernel_ids(), contender.late.starts
    person.open()
    person.run_all(CELLS)

    def all_shown() -> bool:
        return all(_shows_end(person, cell) for cell in range(CELLS))

    try:
        person.wait("the cells' ends", all_shown, SECONDS)
    except TimeoutError:
        shown = False
    else:
        shown = True
    return Notebook(
        number,
        [int(word) for word in ran.read_text().split()] if ran.exists() else [],
        len(contender.kernel_ids() - kernels),
        contender.late.starts - starts,
        shown,
    )


def _shows_end(person: Person, cell: int) -> bool:
    shown = person.read(cell)
    if shown is None or not shown.has_ended:
        return False
    texts = ["".join(output.get("text", "")) for output in shown.outputs]
    return texts == [f"did {cell}\n"]
