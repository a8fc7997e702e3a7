"""What a person sees of the limits that an operator has set."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.kernel_notebook import KernelNotebook, run_all
from tests.e2e.lab_page import LabPage, wait_for
from tests.e2e.running_fleet import Files, Fleet
from tests.integration.jupyter_ext.journals.test_journals_of_kernels import Answer

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet with limits: 30 s of idleness, one kernel for each user, 400 MiB for each kernel."""
    fleet = Fleet(tmp_path_factory.mktemp("limited"))
    limits = ["--cull-idle", "30s", "--cull-warning", "15s", "--max-kernels-per-user", "1"]
    limits += ["--kernel-memory", "400M"]
    try:
        fleet.command("up", "--detach", "--port", str(fleet.port), *limits)
        yield fleet
    finally:
        fleet.down("--kernels")


def test_a_page_says_when_its_idle_kernel_will_be_ended_and_keeps_it_on_demand(
    limited: Fleet,
    open_page: Callable[[str, str], LabPage],
    signed_in: Callable[[str, str], LabPage],
) -> None:
    url, token = limited.url, limited.token("ann")
    page = open_page(url, token)
    page.new_notebook()
    assert page.evaluate(0, "x = 41; print(x)") == "41"
    toast = page.page.locator(".Toastify__toast")
    warning = toast.filter(has_text="because it is idle")
    expect(warning).to_contain_text(
        re.compile(r"The kernel of \S+\.ipynb will be ended at \d+:\d+"), timeout=60_000
    )
    (before,) = Files(url, token).kernels()
    warning.get_by_text("Keep it").click()
    expect(warning).to_have_count(0, timeout=30_000)

    def kept() -> bool:
        (kernel,) = Files(url, token).kernels()
        return datetime.fromisoformat(kernel["cull_at"]) > datetime.fromisoformat(before["cull_at"])

    wait_for("a later end", kept, 60)
    assert page.evaluate(1, "print(x + 1)") == "42"

    # Nobody gets a second kernel, and the page says why.
    (running,) = Files(url, token).kernels()
    content = {
        "cells": [],
        "metadata": {"kernelspec": {"name": running["name"], "display_name": "Python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    model = {"type": "notebook", "format": "json", "content": content}
    Files(url, token).save("demo/second.ipynb", model)
    other = signed_in(url, token)
    other.open_path("demo/second.ipynb")
    refused = other.notebook.locator(".jp-fleet-KernelNotice")
    expect(refused).to_contain_text("the limit for each user is 1", timeout=60_000)
    # JupyterLab would ask for another kernel, in a dialog in front of the line and its buttons.
    refused.get_by_role("button", name="Start Again").click()
    expect(refused).to_contain_text("the limit for each user is 1")
    expect(other.dialog).to_have_count(0)

    # Left alone, it goes, and the page says so.
    expect(toast.filter(has_text="was ended at")).to_contain_text(
        "because it was idle", timeout=90_000
    )
    assert Files(url, token).kernels() == []


def test_a_cell_that_needs_too_much_memory_says_so_in_the_page_and_in_the_store(
    limited: Fleet, signed_in: Callable[[str, str], LabPage], end: Path
) -> None:
    files = Files(limited.url, limited.token("carol"))
    notebook = KernelNotebook(limited, files, signed_in, end.parent)
    # Its agent may see it only when it has all of that.
    greedy = "held = [bytearray(b'x' * (20 * 2**20)) for _ in range(100)]; time.sleep(99)"
    lines = "for n in range(100): print('line', n, flush=True)\n"
    notebook.save({"greedy": lines + notebook.wait("go") + greedy, "queued": "print('never')"})
    page = notebook.open("bob")
    run_all(page)
    expect(page.cell(0)).to_contain_text("line 99")
    (kernel_id,) = [k["id"] for k in files.kernels() if k["path"] == notebook.path]
    notebook.go("go")
    expect(page.cell(0)).to_contain_text(re.compile("KernelDied: out of memory: .* 400 MB"))
    all_lines = [f"line {n}" for n in range(100)]
    assert re.findall(r"^line \d+$", page.output(0), re.MULTILINE) == all_lines
    assert page.output(1) == "Not run: the kernel ended before this cell's turn.\n"

    def kept() -> Answer | None:
        body = files.journal(kernel_id)
        return Answer.of(body) if b"KernelDied" in body and b"out of memory" in body else None

    found = wait_for("the store", kept, 60)
    requests = {record["cell"]: record["request"] for record in found.head["requests"]}
    assert found.text_of(requests["greedy"]).splitlines() == all_lines
    expect(page.dialog).to_have_count(0)
