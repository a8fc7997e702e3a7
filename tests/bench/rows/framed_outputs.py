"""A notebook with 200 outputs of another person: framed by us, trusted in a stock page."""

from __future__ import annotations

import time
import uuid

from playwright.sync_api import Browser

from tests.bench.bars import Bar
from tests.bench.bench import Bench, Measure
from tests.bench.table import Table
from tests.chaos.pages.chromium import chromium, running
from tests.chaos.pages.contender import Contender
from tests.chaos.pages.fleet_contender import FleetContender
from tests.chaos.pages.peer_contenders import StockContender
from tests.chaos.pages.person import Person

OUTPUTS = 200
FIRST, ALL = "until the first output", "until all have been scrolled through"
MOST = 1.2
ROUNDS = 3
LONGEST = 120.0
LOOK = 0.02
STILL = 1.0
"""Seconds without a new output after which somebody scrolls through once more, if all cells are
there: under load one may be rendered after it was scrolled past, and is drawn when it is met."""

_ROWS = "".join(f"<tr><td>{row}</td><td>{row / 7:.6f}</td></tr>" for row in range(10))
HTML = f"<table>{_ROWS}</table><script>parent.postMessage('drawn', '*')</script>"
"""Says that its script runs: in a frame to the page around it, in a page to the page itself."""

COUNT = """
if (window === top) {
  window.drawn = 0;
  addEventListener('message', event => { window.drawn += event.data === 'drawn' ? 1 : 0; });
}
"""
SCROLL = """async () => {
  const box = document.querySelector('.jp-WindowedPanel-outer');
  while (box.scrollTop + box.clientHeight < box.scrollHeight - 1) {
    box.scrollTop += box.clientHeight / 2;
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  }
}"""
BACK = f"""() => {{
  if (document.querySelectorAll('.jp-Notebook .jp-Cell').length === {OUTPUTS}) {{
    document.querySelector('.jp-WindowedPanel-outer').scrollTop = 0;
  }}
}}"""


def processor_ms(browser: Browser) -> dict[int, float]:
    """The processor time that each process of the browser has taken so far, by its id."""
    session = browser.new_browser_cdp_session()
    try:
        processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
        return {process["id"]: 1000 * process["cpuTime"] for process in processes}
    finally:
        session.detach()


def measure_of(browser: Browser, contender: Contender, line: str, *, trusted: bool) -> Measure:
    """Opens the notebook in a new browser; for ALL also scrolls down, like somebody who skims."""

    def measure() -> tuple[float, dict[str, float]]:
        path = contender.path.replace(".ipynb", f"-{uuid.uuid4().hex[:8]}.ipynb")
        shown = {"output_type": "display_data", "metadata": {}, "data": {"text/html": HTML}}
        contender.save_cells(path, [(f"# {number}", [shown]) for number in range(OUTPUTS)])
        if trusted:
            contender.trust(path)
        person = Person(browser, contender, path, lambda said: None, script=COUNT)
        before = processor_ms(browser)
        begun = time.monotonic()
        try:
            person.open()
            wanted = 1 if line == FIRST else OUTPUTS
            drawn, changed = 0, begun
            while line == ALL and drawn < wanted:
                person.page.evaluate(SCROLL)
                person.page.wait_for_timeout(1000 * LOOK)
                if time.monotonic() - begun > LONGEST:
                    return float("inf"), {}
                last, drawn = drawn, person.page.evaluate("window.drawn")
                if drawn > last:
                    changed = time.monotonic()
                elif time.monotonic() - changed > STILL:
                    person.page.evaluate(BACK)
                    changed = time.monotonic()
            person.wait(line, lambda: person.page.evaluate("window.drawn") >= wanted, look=LOOK)
            taken = 1000 * (time.monotonic() - begun)
            spent = sum(ms - before.get(pid, 0) for pid, ms in processor_ms(browser).items())
            return taken, {"longest_task": person.longest_task(), "processor": spent}
        finally:
            person.close()
            contender.end_kernels()

    return measure


def run(bench: Bench) -> Table:
    """Starts both, and opens the notebook of each in turns."""
    names = [FleetContender.name, StockContender.name]
    table = Table(
        f"{OUTPUTS} outputs with a table and a script, framed or trusted",
        names,
        FleetContender.name,
        "median ms (lowest) from the page's load; longest task of the page (ms); processor time of "
        "the browser's processes (ms)",
    )
    browser = bench.stack.enter_context(chromium())
    contenders = {name: bench.stack.enter_context(running(name)) for name in names}
    rounds = Bench(min(ROUNDS, bench.rounds), bench.directory)
    measures = {
        line: {
            name: measure_of(browser, one, line, trusted=name == StockContender.name)
            for name, one in contenders.items()
        }
        for line in (FIRST, ALL)
    }
    rounds.interleave(table, measures, warm_up=False)
    return table


def bars(table: Table) -> list[Bar]:
    """Frames cost little."""
    return [Bar(line, StockContender.name, at_most=MOST) for line in (FIRST, ALL)]
