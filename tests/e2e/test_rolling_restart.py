"""SIGTERM to every lab and gateway in turn while a cell runs."""

from __future__ import annotations

import re
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import OpenPage
from tests.e2e.lab_page import wait_for
from tests.e2e.running_fleet import Fleet, stop


@pytest.fixture
def end() -> Iterator[Path]:
    """A file that kernels can see, under whatever user they run; it does not exist yet."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "end"


def test_a_running_cell_outlives_a_rolling_restart(
    fleet: Fleet, open_page: OpenPage, end: Path
) -> None:
    page = open_page(fleet.status()["url"], fleet.token("ann"))
    page.open_path("demo")
    page.new_notebook()
    page.mark()
    kernel = page.evaluate(0, "import os, time; i = 0; print(os.getpid())")

    page.run(
        1,
        f"while not os.path.exists('{end}'): print('line', i, flush=True); i += 1; time.sleep(0.2)",
    )
    wait_for("the first line", lambda: "line 0" in page.output(1), 30)
    for process in fleet.processes("lab") + fleet.processes("gateway"):
        stop(process, signal.SIGTERM)
        fleet.replaced(process)
    assert not page.has_reply(1)
    seen = lines(page.output(1))[-1]
    wait_for("lines to come on", lambda: lines(page.output(1))[-1] > seen, 30)
    end.touch()

    wait_for("the reply of the cell", lambda: page.has_reply(1), 30)
    assert page.evaluate(2, "print(os.getpid(), i)") == f"{kernel} {len(lines(page.output(1)))}"
    printed = lines(page.output(1))
    assert printed == list(range(len(printed))), "each line once and in order"
    assert not page.reloaded
    expect(page.dialog).to_have_count(0)


def lines(output: str) -> list[int]:
    return [int(number) for number in re.findall(r"line (\d+)\n", output + "\n")]
