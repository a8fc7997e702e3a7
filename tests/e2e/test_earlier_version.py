"""Outputs of a cell that was edited after it ran are marked, also when its kernel is gone."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, expect

from tests.e2e.conftest import OpenPage
from tests.e2e.kernel_notebook import PATIENCE, KernelNotebook, run_cell, save
from tests.e2e.lab_page import LabPage, wait_for


def mark(page: LabPage) -> Locator:
    return page.notebook.locator(".jp-fleet-EarlierVersion")


def held(notebook: KernelNotebook) -> list[Any]:
    """What the file says of the outputs of each cell."""
    return [cell["metadata"].get("jupyter_fleet") for cell in notebook.cells()]


def test_an_edited_cell_is_marked_without_its_kernel_until_its_text_is_the_one_that_ran(
    notebook: KernelNotebook, signed_in: OpenPage
) -> None:
    notebook.save({"edited": "print('first')", "same": "print('same')"})
    page = notebook.open()
    for index in (0, 1):
        run_cell(page, index)
        wait_for("the reply", lambda at=index: page.has_reply(at), PATIENCE)
    page.write(0, "print('second')")
    save(page)
    saved = held(notebook)
    assert len(saved[0]["source"]) == 16
    page.write(2, "# nothing that runs")
    save(page)
    assert held(notebook) == saved
    page.page.context.close()
    notebook.files.delete_kernels()

    viewer = signed_in(notebook.fleet.url, notebook.fleet.token("vera", "viewer"))
    viewer.open_path(notebook.path)
    expect(mark(viewer)).to_have_text("From an earlier version of this cell")
    expect(viewer.cell(0).locator(".jp-fleet-EarlierVersion")).to_have_count(1)
    viewer.page.context.close()

    # Another kernel knows nothing of the cell.
    again = notebook.open()
    expect(mark(again)).to_have_count(1)
    again.write(0, "print('first')")
    expect(mark(again)).to_have_count(0)
    again.write(0, "print('third')")
    expect(mark(again)).to_have_count(1)
    run_cell(again, 0)
    wait_for("the reply", lambda: again.output(0).strip() == "third", PATIENCE)
    expect(mark(again)).to_have_count(0)
