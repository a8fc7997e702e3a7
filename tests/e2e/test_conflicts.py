"""Two people edit one file, each on a lab of their own: nobody's acknowledged edit is lost."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.e2e.lab_page import LabPage, wait_for
from tests.e2e.running_fleet import Files


def cell_of(files: Files, path: str) -> str:
    """The source of the first cell as the server has it."""
    source = files.get(path)["content"]["cells"][0]["source"]
    return source if isinstance(source, str) else "".join(source)


def notebook(source: str) -> dict[str, Any]:
    return {
        "cells": [
            {
                "cell_type": "code",
                "execution_count": None,
                "id": "first",
                "metadata": {},
                "outputs": [],
                "source": source,
            }
        ],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


@pytest.fixture
def shared_notebook(files: Files) -> str:
    path = f"demo/shared-{uuid.uuid4().hex[:8]}.ipynb"
    files.save(path, {"type": "notebook", "format": "json", "content": notebook("start")})
    return path


@pytest.fixture
def shared_text(files: Files) -> str:
    path = f"demo/shared-{uuid.uuid4().hex[:8]}.txt"
    files.save(path, {"type": "file", "format": "text", "content": "start"})
    return path


def save_cell(page: LabPage, files: Files, path: str, source: str) -> None:
    """Write and save as a person does; return when the server has it."""
    page.write(0, source)
    page.save()
    wait_for(f"{source!r} to be saved", lambda: cell_of(files, path) == source, 30)


def make_conflict(first: LabPage, second: LabPage, files: Files, path: str) -> None:
    first.open_without_kernel(path)
    second.open_without_kernel(path)
    expect(second.cell(0)).to_contain_text("start")
    save_cell(first, files, path, "from the first")
    second.write(0, "from the second")
    second.save()
    expect(second.dialog).to_contain_text("File Changed")


def test_revert_loads_the_other_edit(
    two_pages: tuple[LabPage, LabPage], files: Files, shared_notebook: str
) -> None:
    first, second = two_pages
    make_conflict(first, second, files, shared_notebook)
    expect(second.dialog).to_contain_text("was saved by ann")
    second.choose("Revert")
    expect(second.cell(0)).to_contain_text("from the first")
    wait_for("the notebook to be clean", lambda: not second.dirty, 10)
    assert cell_of(files, shared_notebook) == "from the first"
    save_cell(second, files, shared_notebook, "built on the first")
    expect(second.dialog).to_have_count(0)


def test_overwrite_replaces_the_other_edit_and_warns_its_author(
    two_pages: tuple[LabPage, LabPage], files: Files, shared_notebook: str
) -> None:
    first, second = two_pages
    make_conflict(first, second, files, shared_notebook)
    second.choose("Overwrite")
    wait_for("the second edit", lambda: cell_of(files, shared_notebook) == "from the second", 30)
    save_cell(second, files, shared_notebook, "from the second again")
    expect(second.dialog).to_have_count(0)

    first.write(0, "from the first, stale")
    first.save()
    expect(first.dialog).to_contain_text("was saved by bob")
    first.choose("Cancel")
    expect(first.dialog).to_have_count(0)
    expect(first.cell(0)).to_contain_text("from the first, stale")
    assert first.dirty
    expect(first.page.locator("#jp-bottom-panel")).not_to_contain_text("Saving started")
    assert cell_of(files, shared_notebook) == "from the second again"


def test_overwrite_asks_again_when_a_third_edit_came_meanwhile(
    two_pages: tuple[LabPage, LabPage], files: Files, shared_notebook: str
) -> None:
    first, second = two_pages
    make_conflict(first, second, files, shared_notebook)
    save_cell(first, files, shared_notebook, "a third edit")
    with second.page.expect_response(lambda answer: answer.status == 409):
        second.dialog.locator("button", has_text="Overwrite").click()
    expect(second.dialog).to_contain_text("File Changed")
    assert cell_of(files, shared_notebook) == "a third edit"
    second.choose("Overwrite")
    wait_for("the second edit", lambda: cell_of(files, shared_notebook) == "from the second", 30)


def test_a_text_file_conflicts_and_reverts_alike(
    two_pages: tuple[LabPage, LabPage], files: Files, shared_text: str
) -> None:
    first, second = two_pages
    first.open_path(shared_text)
    second.open_path(shared_text)
    expect(second.editor).to_contain_text("start")
    first.write_text("from the first")
    first.save()
    wait_for("the edit", lambda: files.get(shared_text)["content"] == "from the first", 30)
    second.write_text("from the second")
    second.save()
    expect(second.dialog).to_contain_text("File Changed")
    second.choose("Revert")
    expect(second.editor).to_contain_text("from the first")
    assert files.get(shared_text)["content"] == "from the first"


def test_a_renamed_notebook_is_saved_on(
    two_pages: tuple[LabPage, LabPage], files: Files, shared_notebook: str
) -> None:
    page, _ = two_pages
    page.open_without_kernel(shared_notebook)
    save_cell(page, files, shared_notebook, "before")
    name = f"renamed-{uuid.uuid4().hex[:8]}.ipynb"
    page.rename_current(name)
    save_cell(page, files, f"demo/{name}", "after")
    expect(page.dialog).to_have_count(0)


def test_saves_in_quick_succession_do_not_conflict_with_each_other(
    two_pages: tuple[LabPage, LabPage], files: Files, shared_text: str
) -> None:
    page, _ = two_pages
    page.open_path(shared_text)
    for number in range(5):
        page.write_text(f"edit {number}")
        page.save()
    wait_for("the last edit", lambda: files.get(shared_text)["content"] == "edit 4", 30)
    expect(page.dialog).to_have_count(0)


def test_a_save_whose_answer_was_lost_is_no_conflict(
    two_pages: tuple[LabPage, LabPage], files: Files, shared_notebook: str
) -> None:
    page, _ = two_pages
    page.open_without_kernel(shared_notebook)
    expect(page.cell(0)).to_contain_text("start")

    def lose_the_answer(route: Route) -> None:
        if route.request.method == "PUT":
            route.fetch()
            route.abort()
        else:
            route.continue_()

    address = "**/api/contents/demo/**"
    page.page.route(address, lose_the_answer)
    page.write(0, "committed")
    page.save()
    expect(page.dialog).to_contain_text("File Save Error")
    assert cell_of(files, shared_notebook) == "committed"
    page.dialog.locator("button").first.click()
    page.page.unroute(address)
    page.save()
    wait_for("the notebook to be clean", lambda: not page.dirty, 20)
    expect(page.dialog).to_have_count(0)
    save_cell(page, files, shared_notebook, "and on")
    expect(page.dialog).to_have_count(0)
