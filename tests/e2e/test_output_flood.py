"""Cells that print without end: the page stays usable, and the notebook stays small."""

from __future__ import annotations

import json
import time
import uuid

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import OpenPage
from tests.e2e.lab_page import LabPage, wait_for
from tests.e2e.running_fleet import Files, Fleet

FLOODS = {
    "lines": "while True: print('x' * 80)",
    "displays": "n = 0\nwhile True: display(n); n += 1",
    "streams": "import sys\nwhile True:\n    print('o', flush=True)\n"
    "    print('e', file=sys.stderr, flush=True)",
    "progress": "n = 0\nwhile True: print(f'\\r{n} done', end='', flush=True); n += 1",
    "updates": "n = 0; shown = display(n, display_id=True)\nwhile True: shown.update(n); n += 1",
    "clears": "from IPython.display import clear_output\nn = 0\n"
    "while True: clear_output(wait=True); print(n); n += 1",
}
SECONDS = 2.0
PATIENCE = 30.0
"""Seconds that a step of a person may take on a loaded machine; frozen pages took minutes. The time
taken is printed."""
MOST_HEAP = 500e6


@pytest.mark.parametrize(
    "floods", ["lines displays", pytest.param(" ".join(FLOODS), marks=pytest.mark.long)]
)
def test_a_page_can_be_used_while_cells_flood_it(
    fleet: Fleet, signed_in: OpenPage, files: Files, floods: str
) -> None:
    page = signed_in(fleet.url, fleet.token("ann"))
    page.open_path("demo")
    name = page.new_notebook()
    page.save()
    page.choose("Rename and Save")
    page.mark()
    names = floods.split()
    for number, flood in enumerate(names):
        page.run(number, FLOODS[flood])
        page.page.wait_for_timeout(1000 * SECONDS)
        began = time.monotonic()
        page.write(number + 1, f"# typed during {flood}")
        typed = time.monotonic() - began
        began = time.monotonic()
        interrupt(page)
        wait_for(f"the end of {flood}", lambda at=number: page.has_reply(at), PATIENCE)
        ended = time.monotonic() - began
        expect(page.cell(number)).to_contain_text("KeyboardInterrupt")
        heap = page.page.evaluate("performance.memory.usedJSHeapSize")
        print(f"\n{flood}: typed {typed:.1f} s, ended {ended:.1f} s, {heap / 1e6:.0f} MB")
        assert typed < PATIENCE
        assert heap < MOST_HEAP
    # The first and the last lines, and in between what is not shown and what is not kept.
    lines = page.cell(0)
    expect(lines).to_contain_text("lines not shown. Show more")
    expect(lines).to_contain_text("not kept in this notebook")
    assert page.evaluate(len(names), "print('after', 6 * 7)") == "after 42"
    page.save()
    wait_for("the notebook to be saved", lambda: not page.dirty, PATIENCE)
    saved = json.dumps(files.get(f"demo/{name}")["content"])
    assert "not kept in this notebook" in saved
    assert len(saved) < 5e6
    assert not page.reloaded
    expect(page.dialog).to_have_count(0)


def test_a_notebook_with_a_huge_output_opens(
    fleet: Fleet, signed_in: OpenPage, files: Files
) -> None:
    text = "".join(f"line {number} {'x' * 60}\n" for number in range(300_000))
    path = f"demo/huge-{uuid.uuid4().hex[:8]}.ipynb"
    cell = {
        "cell_type": "code",
        "source": "print(...)",
        "metadata": {},
        "execution_count": 1,
        "outputs": [{"output_type": "stream", "name": "stdout", "text": text}],
    }
    notebook = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [cell]}
    files.save(path, {"type": "notebook", "format": "json", "content": notebook})
    page = signed_in(fleet.url, fleet.token("ann"))
    page.open_without_kernel(path)
    output = page.cell(0).locator(".jp-OutputArea-output")
    expect(output).to_contain_text("line 499 ")
    expect(output).to_contain_text("line 299999 ")
    more = output.get_by_role("button")
    expect(more).to_contain_text("299,000 lines not shown")
    assert "line 500 " not in page.output(0)
    more.click()
    expect(more).to_contain_text("297,000 lines not shown")
    expect(output).to_contain_text("line 2499 ")
    # The rest is where it was.
    page.write(0, "edited")
    page.save()
    wait_for("the notebook to be saved", lambda: not page.dirty, PATIENCE)
    assert files.get(path)["content"]["cells"][0]["outputs"][0]["text"] == text


def interrupt(page: LabPage) -> None:
    page.notebook.locator('[data-command="notebook:interrupt-kernel"]').first.click()
