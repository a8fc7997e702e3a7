"""Cells that are run before their notebook has its kernel."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.e2e.conftest import OpenPage
from tests.e2e.lab_page import LabPage, wait_for
from tests.e2e.running_fleet import Files, Fleet

COUNT = "n = globals().get('n', 0) + 1; print(n)"
CELLS = 4


def saved_notebook(files: Files, kernel: str | None) -> str:
    """A notebook whose cells count how many have run; its path."""
    path = f"demo/early-{uuid.uuid4().hex[:8]}.ipynb"
    metadata: dict[str, Any] = (
        {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}}
        if kernel
        else {}
    )
    cell = {"cell_type": "code", "source": COUNT, "metadata": {}, "outputs": []}
    cells = [{**cell, "id": f"c{i}", "execution_count": None} for i in range(CELLS)]
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}
    files.save(path, {"type": "notebook", "format": "json", "content": content})
    return path


class SessionPosts:
    """Counts the sessions that a page asks for, and delays each."""

    def __init__(self, lab: LabPage, delay_ms: int):
        self.count = 0
        self._lab = lab
        self._delay_ms = delay_ms
        lab.page.route("**/api/sessions*", self._pass)

    def _pass(self, route: Route) -> None:
        if route.request.method == "POST":
            self.count += 1
            self._lab.page.wait_for_timeout(self._delay_ms)
        route.continue_()


def outputs(lab: LabPage) -> list[str]:
    return [lab.output(index).strip() for index in range(CELLS)]


@pytest.mark.parametrize("run_all", [False, True], ids=["one by one", "run all"])
@pytest.mark.parametrize("delay_ms", [0, 1500])
def test_cells_run_before_the_kernel_is_there_run_once_and_in_order(
    ann: LabPage, files: Files, delay_ms: int, run_all: bool
) -> None:
    path = saved_notebook(files, files.default_kernel())
    posts = SessionPosts(ann, delay_ms)
    ann.page.goto(f"{ann.url}/lab/workspaces/{uuid.uuid4().hex[:12]}/tree/{path}")
    ann.cell(0).locator(".cm-content").click()
    if run_all:
        ann.choose_in_menu("Run", "Run All Cells")
    else:
        for _ in range(CELLS):
            ann.page.keyboard.press("Shift+Enter")
    wait_for("all cells", lambda: all(ann.has_reply(i) for i in range(CELLS)), 60)
    assert outputs(ann) == ["1", "2", "3", "4"]
    assert posts.count == 1
    expect(ann.dialog).to_have_count(0)


def test_cells_of_a_notebook_without_a_kernel_ask_for_one_once(
    fleet: Fleet, signed_in: OpenPage, files: Files
) -> None:
    ann = signed_in(fleet.url, fleet.token("ann"))
    path = saved_notebook(files, None)
    posts = SessionPosts(ann, 0)
    ann.open_without_kernel(path)
    ann.choose_in_menu("Run", "Run All Cells")
    expect(ann.dialog).to_contain_text("Select Kernel")
    assert [ann.prompt(i) for i in range(CELLS)] == ["[*]:"] * CELLS
    ann.choose("No Kernel")
    wait_for("idle prompts", lambda: {ann.prompt(i) for i in range(CELLS)} == {"[ ]:"}, 60)
    expect(ann.dialog).to_have_count(0)
    assert posts.count == 0
    assert outputs(ann) == [""] * CELLS

    # Whoever changes their mind gets a kernel, for all cells.
    ann.choose_in_menu("Run", "Run All Cells")
    expect(ann.dialog).to_contain_text("Select Kernel")
    ann.choose("Select")
    wait_for("all cells", lambda: all(ann.has_reply(i) for i in range(CELLS)), 60)
    assert outputs(ann) == ["1", "2", "3", "4"]
    assert posts.count == 1

    # And so after the kernel was shut down.
    ann.choose_in_menu("Kernel", "Shut Down Kernel$")
    expect(ann.page.locator("#jp-bottom-panel")).to_contain_text("No Kernel")
    ann.choose_in_menu("Run", "Run All Cells")
    ann.choose("Select")
    wait_for("all cells", lambda: all(ann.has_reply(i) for i in range(CELLS)), 60)
    assert outputs(ann) == ["1", "2", "3", "4"]
    assert posts.count == 2
