"""Everything between browser and gateway is killed, and a cell is run 0.5 s later in the open page.

Ours: the front and both labs, which the supervisor starts again. The peers have one server, which
is started again at once.
"""

from __future__ import annotations

import threading
import time

from tests.bench.bars import Limit
from tests.bench.bench import Bench, Measure
from tests.bench.table import Table
from tests.chaos.pages.chromium import CONTENDERS, chromium, running
from tests.chaos.pages.contender import Contender, answers
from tests.chaos.pages.fleet_contender import FleetContender
from tests.chaos.pages.person import Person

ROUNDS = 5
BEFORE_CELL = 0.5
LONGEST = 30.0
MOST_MS = 1500
LINE = "one cell"


class FirstAnswer(threading.Thread):
    """Notes when a server answers (monotonic, seconds)."""

    def __init__(self, contender: Contender) -> None:
        super().__init__(daemon=True)
        self._url = f"{contender.direct}/api"
        self.at: float | None = None

    def run(self) -> None:
        while not answers(self._url):
            time.sleep(0.01)
        self.at = time.monotonic()


def measure_of(contender: Contender, person: Person) -> Measure:
    """Kills and runs a cell; infinite where no output comes."""
    number = 0

    def measure() -> tuple[float, dict[str, float]]:
        nonlocal number
        number += 1
        text = f"back {number}"
        dialogs = person.dialogs.total()
        try:
            person.wait_for_kernel()
            person.write(0, f"print('{text}')")
            contender.kill_front()
            first = FirstAnswer(contender)
            first.start()
            person.page.wait_for_timeout(1000 * BEFORE_CELL)
            person.page.keyboard.press("Control+Enter")
            person.wait("output", lambda: text in person.text(0).splitlines(), LONGEST, look=0.02)
            came = time.monotonic()
        except TimeoutError:
            shown = person.dialogs.total() - dialogs
            contender.revive()
            person.open()
            return float("inf"), {"dialogs": shown}
        first.join()
        taken = max(0.0, came - (first.at or came))
        return 1000 * taken, {"dialogs": person.dialogs.total() - dialogs}

    return measure


def run(bench: Bench) -> Table:
    """Starts all of them, each with a page, and kills in turns."""
    table = Table(
        "Cell run while front and labs are away",
        list(CONTENDERS),
        FleetContender.name,
        "median ms (lowest) from the first answer of a server to the cell's output; dialogs",
    )
    browser = bench.stack.enter_context(chromium())
    measures: dict[str, Measure] = {}
    for name in CONTENDERS:
        contender = bench.stack.enter_context(running(name))
        contender.save_notebook(contender.path, "1 + 1")
        person = Person(browser, contender, contender.path, lambda line: None)
        bench.stack.callback(person.close)
        person.open()
        measures[name] = measure_of(contender, person)
    rounds = Bench(min(ROUNDS, bench.rounds), bench.directory)
    rounds.interleave(table, {LINE: measures}, warm_up=False)
    return table


def bars(table: Table) -> list[Limit]:
    """The output is there soon after the first lab, and nobody is asked anything."""
    return [Limit(LINE, MOST_MS), Limit(LINE, 0, figure="dialogs", every_round=True)]
