"""Every lab and gateway is replaced in turn while a cell runs: by signals, and by `up`."""

from __future__ import annotations

import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import OpenPage
from tests.e2e.lab_page import wait_for
from tests.e2e.running_fleet import Fleet, stop


@pytest.fixture
def another_build() -> Iterator[Callable[[], None]]:
    """Makes the labs' and gateways' environments look as if something else was installed there."""
    environments = [Path(sys.prefix), Path(sys.prefix).parent / "gateway"]
    made = [
        next(one.glob("lib/python3*/site-packages")) / "another_build-1.dist-info"
        for one in environments
    ]

    def make() -> None:
        for folder in made:
            folder.mkdir()
            (folder / "METADATA").write_text("Name: another-build\nVersion: 1\n")

    yield make
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)


def test_a_running_cell_outlives_a_rolling_restart(
    fleet: Fleet, signed_in: OpenPage, end: Path
) -> None:
    def restart() -> None:
        for process in fleet.processes("lab") + fleet.processes("gateway"):
            stop(process, signal.SIGTERM)
            fleet.replaced(process)

    a_running_cell_outlives(restart, fleet, signed_in, end)


def test_a_running_cell_outlives_an_up_that_finds_another_build(
    fleet: Fleet, signed_in: OpenPage, end: Path, another_build: Callable[[], None]
) -> None:
    before = fleet.status()

    def up() -> None:
        another_build()
        said = fleet.command("up", "--detach")
        assert before["url"] in said

    a_running_cell_outlives(up, fleet, signed_in, end)
    after = fleet.status()
    assert after["build"] != before["build"]
    pids = {one["name"]: (one["role"], one["pid"]) for one in before["processes"]}
    for one in after["processes"]:
        role, pid = pids[one["name"]]
        assert (one["pid"] != pid) == (role in ("lab", "gateway"))
        assert one["build"] == after["build"] or role != "lab"


def a_running_cell_outlives(
    change: Callable[[], None], fleet: Fleet, signed_in: OpenPage, end: Path
) -> None:
    page = signed_in(fleet.url, fleet.token("ann"))
    page.open_path("demo")
    page.new_notebook()
    page.mark()
    kernel = page.evaluate(0, "import os, time; i = 0; print(get_ipython().kernel.ident)")

    page.run(
        1,
        f"while not os.path.exists('{end}'): print('line', i, flush=True); i += 1; time.sleep(0.2)",
    )
    wait_for("the first line", lambda: "line 0" in page.output(1), 60)
    change()
    assert not page.has_reply(1)
    seen = lines(page.output(1))[-1]
    wait_for("lines to come on", lambda: lines(page.output(1))[-1] > seen, 60)
    end.touch()

    wait_for("the reply of the cell", lambda: page.has_reply(1), 60)
    count = len(lines(page.output(1)))
    assert page.evaluate(2, "print(get_ipython().kernel.ident, i)") == f"{kernel} {count}"
    printed = lines(page.output(1))
    assert printed == list(range(len(printed))), "each line once and in order"
    assert not page.reloaded
    expect(page.dialog).to_have_count(0)


def lines(output: str) -> list[int]:
    return [int(number) for number in re.findall(r"line (\d+)\n", output + "\n")]
