"""The server of the page is killed in the instant in which a cell is sent: it must run once."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, WebSocket

from tests.chaos.pages.chromium import new_folder
from tests.chaos.pages.contender import Contender
from tests.chaos.pages.person import Person

LATEST = 0.005
"""Seconds between the cell and the kill, at most."""
SECONDS = 45.0
"""How long a cell may take."""


@dataclass
class Outcome:
    """How often each cell ran, by what it wrote into a file."""

    seed: str
    runs: dict[int, int] = field(default_factory=dict)
    unanswered: list[int] = field(default_factory=list)
    """Cells whose page showed no end."""
    dialogs: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def at(self, count: int) -> int:
        """How many cells ran so many times (2: or more)."""
        return sum(min(runs, 2) == count for runs in self.runs.values())

    @property
    def right(self) -> bool:
        """Whether every cell ran once and the page knows it."""
        return not (self.unanswered or self.wrong) and self.at(1) == len(self.runs) > 0

    def __str__(self) -> str:
        never = [n for n, runs in self.runs.items() if not runs]
        twice = [n for n, runs in self.runs.items() if runs > 1]
        return (
            f"seed {self.seed}: of {len(self.runs)} cells {self.at(1)} ran once, "
            f"{len(never)} never {never[:9]}, {len(twice)} more often {twice[:9]}, "
            f"{len(self.unanswered)} without an end in the page {self.unanswered[:9]}; "
            f"dialogs: {dict(self.dialogs)} {self.wrong or ''}"
        )


def run_kills(
    browser: Browser, contender: Contender, seed: str, kills: int, log: Callable[[str], None]
) -> Outcome:
    """Send so many cells, each with a kill 0 to 5 ms after the keys or after the first frame."""
    outcome = Outcome(seed)
    ran = new_folder(contender, f"kills-{seed}") / "ran"
    path = contender.path.replace(".ipynb", f"-kills-{seed}.ipynb")
    contender.save_notebook(path, "1 + 1")
    person = Person(browser, contender, path, log)
    sent: list[Callable[[], None]] = []
    """What to do when the page sends a cell."""

    def watch(socket: WebSocket) -> None:
        def frame(payload: str | bytes) -> None:
            data = payload if isinstance(payload, bytes) else payload.encode()
            if sent and b"execute_request" in data:
                sent.pop()()

        socket.on("framesent", frame)

    try:
        person.open()
        person.page.on("websocket", watch)
        person.reload()
        for number in range(kills):
            draw = random.Random(f"{seed}-{number}")
            person.wait_for_kernel()
            person.write(
                0, f"file = open({str(ran)!r}, 'a'); file.write('{number}\\n'); file.close()"
            )
            before = person.read()
            kill = contender.kill_server_of_page()
            delay, at_frame = draw.uniform(0, LATEST), draw.random() < 0.5

            def after(delay: float = delay, kill: Callable[[], None] = kill) -> None:
                time.sleep(delay)
                kill()

            if at_frame:
                sent.append(after)
                person.page.keyboard.press("Control+Enter")
            else:
                thread = threading.Thread(target=after)
                thread.start()
                person.page.keyboard.press("Control+Enter")
                thread.join()
            person.pause(0.1)
            while sent:
                sent.pop()()
            contender.revive()
            count = before.count if before else None

            def ended(count: int | None = count) -> bool:
                cell = person.read()
                return cell is not None and cell.has_ended and cell.count != count

            try:
                person.wait("the cell's end", ended, SECONDS)
            except TimeoutError:
                outcome.unanswered.append(number)
                log(f"{number}: no end in the page")
                person.reload()
            outcome.runs[number] = times(number, ran)
        # What runs late counts too.
        outcome.runs = {number: times(number, ran) for number in outcome.runs}
    except (TimeoutError, AssertionError) as error:
        outcome.wrong.append(str(error).splitlines()[0])
    finally:
        person.close()
    outcome.dialogs = person.dialogs
    return outcome


def times(number: int, ran: Path) -> int:
    """How often a cell wrote its number into the file."""
    return ran.read_text().split().count(str(number)) if ran.exists() else 0
