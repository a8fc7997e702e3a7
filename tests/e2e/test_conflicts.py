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
    # JupyterLab ignores the command while another save of the document is under way.
    expect(page.page.locator("#jp-bottom-panel")).not_to_contain_text("Saving started")
    page.write(0, source)
    expect(page.cell(0)).to_contain_text(source)
    page.save()
    wait_for(f"{source!r} to be saved", lambda: cell_of(files, path) == source, 60)


def make_conflict(first: LabPage, second: LabPage, files: Files, path: str) -> None:
    first.open_without_kernel(path)
    second.open_without_kernel(path)
    expect(second.cell(0)).to_contain_text("start")
    save_cell(first, files, path, "from the first")
    second.write(0, "from the second")
    second.save()
    expect(second.dialog).to_contain_text("File Changed")


def test_revert_loads_the_other_edit(
    ann: LabPage, bob: LabPage, files: Files, shared_notebook: str
) -> None:
    make_conflict(ann, bob, files, shared_notebook)
    expect(bob.dialog).to_contain_text("was saved by ann")
    bob.choose("Revert")
    expect(bob.cell(0)).to_contain_text("from the first")
    wait_for("the notebook to be clean", lambda: not bob.dirty, 60)
    assert cell_of(files, shared_notebook) == "from the first"
    save_cell(bob, files, shared_notebook, "built on the first")
    expect(bob.dialog).to_have_count(0)


def test_a_version_that_nobody_marked_is_brought_back_from_the_menu(
    ann: LabPage, files: Files, shared_text: str
) -> None:
    # As other programs save: without a checkpoint.
    for content in ("wanted", "unwanted"):
        files.save(shared_text, {"type": "file", "format": "text", "content": content})
    ann.open_path(shared_text)
    expect(ann.editor).to_have_text("unwanted")
    ann.choose_in_menu("File", "Revert .* to Checkpoint")
    versions = ann.dialog.locator("select option")
    expect(versions).to_have_count(3)
    ann.dialog.locator("select").select_option(index=1)
    ann.dialog.locator("button.jp-mod-accept").click()
    expect(ann.dialog).to_contain_text("Are you sure you want to revert")
    ann.choose("Revert")
    expect(ann.editor).to_have_text("wanted")
    assert files.get(shared_text)["content"] == "wanted"


def test_overwrite_replaces_the_other_edit_and_warns_its_author(
    ann: LabPage, bob: LabPage, files: Files, shared_notebook: str
) -> None:
    make_conflict(ann, bob, files, shared_notebook)
    bob.choose("Overwrite")
    wait_for("the second edit", lambda: cell_of(files, shared_notebook) == "from the second", 60)
    save_cell(bob, files, shared_notebook, "from the second again")
    expect(bob.dialog).to_have_count(0)

    ann.write(0, "from the first, stale")
    ann.save()
    expect(ann.dialog).to_contain_text("was saved by bob")
    ann.choose("Cancel")
    expect(ann.dialog).to_have_count(0)
    expect(ann.cell(0)).to_contain_text("from the first, stale")
    assert ann.dirty
    expect(ann.page.locator("#jp-bottom-panel")).not_to_contain_text("Saving started")
    assert cell_of(files, shared_notebook) == "from the second again"


def test_overwrite_asks_again_when_a_third_edit_came_meanwhile(
    ann: LabPage, bob: LabPage, files: Files, shared_notebook: str
) -> None:
    make_conflict(ann, bob, files, shared_notebook)
    save_cell(ann, files, shared_notebook, "a third edit")
    with bob.page.expect_response(lambda answer: answer.status == 409):
        bob.dialog.locator("button", has_text="Overwrite").click()
    expect(bob.dialog).to_contain_text("File Changed")
    assert cell_of(files, shared_notebook) == "a third edit"
    bob.choose("Overwrite")
    wait_for("the second edit", lambda: cell_of(files, shared_notebook) == "from the second", 60)


def test_a_text_file_conflicts_and_reverts_alike(
    ann: LabPage, bob: LabPage, files: Files, shared_text: str
) -> None:
    ann.open_path(shared_text)
    bob.open_path(shared_text)
    expect(bob.editor).to_contain_text("start")
    ann.write_text("from the first")
    ann.save()
    wait_for("the edit", lambda: files.get(shared_text)["content"] == "from the first", 60)
    bob.write_text("from the second")
    bob.save()
    expect(bob.dialog).to_contain_text("File Changed")
    bob.choose("Revert")
    expect(bob.editor).to_contain_text("from the first")
    assert files.get(shared_text)["content"] == "from the first"


def test_a_renamed_notebook_is_saved_on(ann: LabPage, files: Files, shared_notebook: str) -> None:
    ann.open_without_kernel(shared_notebook)
    save_cell(ann, files, shared_notebook, "before")
    name = f"renamed-{uuid.uuid4().hex[:8]}.ipynb"
    ann.rename_current(name)
    save_cell(ann, files, f"demo/{name}", "after")
    expect(ann.dialog).to_have_count(0)


def test_saves_in_quick_succession_do_not_conflict_with_each_other(
    ann: LabPage, files: Files, shared_text: str
) -> None:
    ann.open_path(shared_text)
    for number in range(5):
        ann.write_text(f"edit {number}")
        ann.save()

    def last_is_saved() -> bool:
        # JupyterLab takes no notice of Ctrl+S while the document is being saved.
        ann.save()
        return bool(files.get(shared_text)["content"] == "edit 4")

    wait_for("the last edit", last_is_saved, 60)
    expect(ann.dialog).to_have_count(0)


def test_a_save_whose_answer_was_lost_is_no_conflict(
    ann: LabPage, files: Files, shared_notebook: str
) -> None:
    ann.open_without_kernel(shared_notebook)
    expect(ann.cell(0)).to_contain_text("start")

    def lose_the_answer(route: Route) -> None:
        if route.request.method == "PUT":
            route.fetch()
            route.abort()
        else:
            route.continue_()

    address = "**/api/contents/demo/**"
    ann.page.route(address, lose_the_answer)
    ann.write(0, "committed")
    ann.save()
    expect(ann.dialog).to_contain_text("File Save Error")
    assert cell_of(files, shared_notebook) == "committed"
    ann.dialog.locator("button").first.click()
    ann.page.unroute(address)
    ann.save()
    wait_for("the notebook to be clean", lambda: not ann.dirty, 60)
    expect(ann.dialog).to_have_count(0)
    save_cell(ann, files, shared_notebook, "and on")
    expect(ann.dialog).to_have_count(0)
