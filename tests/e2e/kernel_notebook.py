"""A saved notebook whose kernel goes on while pages come and go."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Response, expect

from tests.e2e.lab_page import LabPage, wait_for
from tests.e2e.running_fleet import Files, Fleet

PATIENCE = 60.0
"""Seconds that a step may take on a loaded machine."""


class KernelNotebook:
    """A saved notebook, and the pages that show it."""

    def __init__(
        self, fleet: Fleet, files: Files, signed_in: Callable[[str, str], LabPage], folder: Path
    ):
        """`signed_in` opens a page at an address for whom a token names; kernels see `folder`."""
        self.fleet = fleet
        self.files = files
        self.path = f"demo/replay-{uuid.uuid4().hex[:8]}.ipynb"
        self.folder = folder
        self._signed_in = signed_in

    def save(self, sources: dict[str, str], minor: int = 5, *, kernel: str | None = None) -> None:
        """Save it with these cells, by their ids, and an empty one; `kernel` is its kernelspec if
        that is not the default one."""
        kernel = kernel or self.files.default_kernel()
        spec = {"name": kernel, "display_name": kernel, "language": "python"}
        cells = []
        for cell_id, source in (sources | {"spare": ""}).items():
            cell = {"cell_type": "code", "source": source, "metadata": {}, "outputs": []}
            named = {"id": cell_id} if minor >= 5 else {}
            cells.append({**cell, **named, "execution_count": None})
        content = {
            "nbformat": 4,
            "nbformat_minor": minor,
            "metadata": {"kernelspec": spec},
            "cells": cells,
        }
        self.files.save(self.path, {"type": "notebook", "format": "json", "content": content})

    def edit(self, change: Any) -> None:
        """Save what `change` makes of the content, as somebody else would."""
        model = self.files.get(self.path)
        content = change(model["content"]) or model["content"]
        self.files.save(self.path, {"type": "notebook", "format": "json", "content": content})

    def cells(self) -> list[dict[str, Any]]:
        cells: list[dict[str, Any]] = self.files.get(self.path)["content"]["cells"]
        return cells

    def versions(self) -> int:
        """How often it was saved."""
        address = f"{self.files.url}/api/fleet/versions/{self.path}"
        answer = self.files.session.get(address, timeout=30)
        answer.raise_for_status()
        return len(answer.json())

    def printed(self, index: int) -> str:
        """All that a cell has printed, as the file has it."""
        outputs = self.cells()[index]["outputs"]
        return "".join("".join(output.get("text", "")) for output in outputs)

    def open(self, user: str = "ann", *, lab: str | None = None, clock: bool = False) -> LabPage:
        """In a browser profile of its own; at one of the labs, or with a clock that tests move."""
        page = self.open_dead(user, lab=lab, clock=clock)
        page.wait_for_kernel()
        return page

    def open_dead(self, user: str, *, lab: str | None = None, clock: bool = False) -> LabPage:
        """The same, if its kernel cannot be used."""
        page = self._signed_in(lab or self.fleet.url, self.fleet.token(user))
        if clock:
            page.take_clock()
        # JupyterLab draws the cells that can be seen.
        page.page.set_viewport_size({"width": 1280, "height": 2400})
        page.open_path(self.path)
        return page

    def kernel_state(self) -> str:
        """Its kernel's execution state, as the agent has said; empty without a kernel."""
        of = {one["kernel"]["id"] for one in self.files.sessions() if one["path"] == self.path}
        states = [one["execution_state"] for one in self.files.kernels() if one["id"] in of]
        return str(states[0]) if states else ""

    def wait(self, name: str) -> str:
        """Code that waits until `go` is called with this name."""
        path = str(self.folder / name)
        return f"import pathlib, time\nwhile not pathlib.Path({path!r}).exists(): time.sleep(.02)\n"

    def go(self, name: str) -> None:
        (self.folder / name).touch()


def run_all(page: LabPage) -> None:
    page.cell(0).locator(".cm-content").click()
    page.choose_in_menu("Run", "Run All Cells")


def numbers(text: str) -> list[int]:
    return [int(line) for line in text.split() if line.isdigit()]


def prompts(page: LabPage, count: int) -> list[str]:
    return [page.prompt(index) for index in range(count)]


def answer(page: LabPage, prompt: str, text: str) -> None:
    box = page.page.locator(".jp-Stdin-input").last
    expect(page.page.locator(".jp-Stdin-prompt").last).to_contain_text(prompt)
    box.fill(text)
    box.press("Enter")


def run_cell(page: LabPage, index: int) -> None:
    page.cell(index).locator(".cm-content").click()
    page.page.keyboard.press("Control+Enter")


def save(page: LabPage) -> None:
    """Save as a person does, and see that the server took it and that nobody is asked anything."""
    page.wait_for_language()
    # Last of all JupyterLab asks for a checkpoint. Until it has that, it drops the next Ctrl+S.
    with page.page.expect_response(_is_checkpoint) as made:
        page.save()
    made.value.finished()
    wait_for("the notebook to be the same as its file", lambda: not page.dirty, PATIENCE)
    expect(page.dialog).to_have_count(0)


def _is_checkpoint(answer: Response) -> bool:
    return answer.request.method == "POST" and answer.url.split("?")[0].endswith("/checkpoints")
