"""A tab is closed while a cell runs, and opened in another browser after the cell's end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from playwright.sync_api import Browser

from tests.chaos.pages.chromium import new_folder
from tests.chaos.pages.contender import Contender
from tests.chaos.pages.numbered_cell import Found, NumberedCell, find_numbers
from tests.chaos.pages.person import Person

LINES, DISPLAYS = 1_000, 20
SETTLE = 60.0


@dataclass
class Outcome:
    """What the second browser shows."""

    page: Found | None = None
    prompt: str = ""
    kernel: str = ""
    wrong: list[str] = field(default_factory=list)

    @property
    def right(self) -> bool:
        """Whether it shows all of it, and its end."""
        ended = "*" not in self.prompt and any(c.isdigit() for c in self.prompt)
        found = self.page is not None and self.page.right
        return found and ended and self.kernel == "idle connected" and not self.wrong

    def __str__(self) -> str:
        return f"{self.page}, {self.prompt}, kernel {self.kernel} {self.wrong or ''}"


def run_elsewhere(
    browser: Browser, contender: Contender, seconds: float, log: Callable[[str], None]
) -> Outcome:
    """Close the tab after a third of a cell of so many seconds."""
    outcome = Outcome()
    cell = NumberedCell(LINES, DISPLAYS, seconds, new_folder(contender, "elsewhere"))
    path = contender.path.replace(".ipynb", "-elsewhere.ipynb")
    contender.save_notebook(path, cell.source)
    person = Person(browser, contender, path, log)
    try:
        person.open()
        person.wait_for_kernel()
        person.run()
        person.wait("the cell's beginning", lambda: bool(cell.runs))
        person.pause(seconds / 3)
        person.close()
        person.wait("the cell's end", lambda: cell.ended or cell.kernel_lost, 2 * seconds + 30)
        person.pause(2)
        person.open()

        def complete() -> bool:
            shown = person.read()
            if shown is None:
                return False
            outcome.page = find_numbers(shown.outputs, cell.total)
            outcome.prompt, outcome.kernel = shown.prompt, shown.kernel
            return outcome.right

        person.wait("the cell", complete, SETTLE)
    except TimeoutError as error:
        outcome.wrong.append(str(error))
    finally:
        person.close()
    return outcome
