"""What a person types while a save of the document is under way."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.e2e.lab_page import LabPage, wait_for
from tests.e2e.running_fleet import Files

CELL = {"cell_type": "code", "execution_count": None, "id": "a", "metadata": {}, "outputs": []}
NOTEBOOK = {
    "cells": [{**CELL, "source": "start"}],
    "metadata": {},
    "nbformat": 4,
    "nbformat_minor": 5,
}
STARTS: dict[str, dict[str, Any]] = {
    "txt": {"type": "file", "format": "text", "content": "start"},
    "ipynb": {"type": "notebook", "format": "json", "content": NOTEBOOK},
}


def text_of(files: Files, path: str) -> str:
    content = files.get(path)["content"]
    return content if isinstance(content, str) else "".join(content["cells"][0]["source"])


@pytest.mark.parametrize("kind", STARTS)
def test_closing_a_document_asks_about_what_was_typed_during_its_save(
    ann: LabPage, files: Files, kind: str
) -> None:
    path = f"demo/{uuid.uuid4().hex[:8]}.{kind}"
    files.save(path, STARTS[kind])

    def write(text: str) -> None:
        if kind == "txt":
            ann.write_text(text)
        else:
            ann.write(0, text)

    if kind == "txt":
        ann.open_path(path)
        expect(ann.editor).to_have_text("start")
    else:
        ann.open_without_kernel(path)
        expect(ann.cell(0)).to_contain_text("start")
    held: list[Route] = []

    def hold_first_save(route: Route) -> None:
        if route.request.method == "PUT" and not held:
            held.append(route)
        else:
            route.continue_()

    ann.page.route(f"**/api/contents/{path}*", hold_first_save)
    write("before the save")
    with ann.page.expect_request(lambda request: request.method == "PUT" and path in request.url):
        ann.save()
    write("during the save")
    held[0].continue_()
    expect(ann.page.locator("#jp-bottom-panel")).to_contain_text("Saving completed")
    assert text_of(files, path) == "before the save"
    assert ann.dirty

    tab = ann.page.locator("#jp-main-dock-panel .lm-TabBar-tab.lm-mod-current")
    tab.locator(".lm-TabBar-tabCloseIcon").click()
    expect(ann.dialog).to_contain_text("Save your work")
    ann.choose("Save")
    wait_for("the edit", lambda: text_of(files, path) == "during the save", 60)
