"""A kernel has said more than its journal keeps: its cell shows where messages are missing."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.cable import Cable
from tests.e2e.kernel_notebook import PATIENCE, KernelNotebook, run_all, save
from tests.e2e.lab_page import LabPage, wait_for
from tests.e2e.short_journals import FULL, SHORT

FIRST = 10
"""So many lines are printed while the page listens."""
LINES = 600
"""4.8 MB of text that cannot be compressed by more than a quarter: several times what is kept."""

MISSING = re.compile(
    r"\[… ([\d,]+) messages are missing here: the kernel's journal keeps ([\d,]+) [KM]B …\]"
)


def shown(cell: dict[str, Any]) -> list[list[int] | str]:
    """The outputs of a cell: the numbers of the lines that it printed, or another text."""
    found: list[list[int] | str] = []
    for output in cell["outputs"]:
        if output["output_type"] == "stream":
            text = "".join(output["text"])
            found.append([int(line.split()[0]) for line in text.splitlines()])
        else:
            found.append("".join(output["data"]["text/plain"]))
    return found


def count_in(text: list[int] | str) -> int:
    """How many messages are missing."""
    assert isinstance(text, str)
    found = MISSING.fullmatch(text)
    assert found is not None, text
    return int(found[1].replace(",", ""))


def saved(page: LabPage, notebook: KernelNotebook) -> list[list[int] | str]:
    """The outputs of the first cell, once the page has saved what both cells said."""

    def outputs() -> list[list[int] | str]:
        save(page)
        # The page does not draw the second cell: it is far below.
        return shown(notebook.cells()[0]) if notebook.printed(1) == "next 42\n" else []

    return wait_for("outputs in the file", outputs, PATIENCE)


def unaccounted(outputs: list[list[int] | str]) -> int:
    """How many lines are neither there nor said to be missing where they are; below 0: so many
    other messages are missing before them."""
    end = LINES
    for output in reversed(outputs):
        if isinstance(output, list):
            assert output == list(range(end - len(output), end))
            end -= len(output)
        else:
            end -= count_in(output)
    return end


@pytest.mark.long
@pytest.mark.parametrize("kernel", [SHORT, FULL])
def test_a_cell_says_how_many_messages_the_journal_could_not_keep(
    notebook: KernelNotebook, cable: Cable, kernel: str
) -> None:
    done = notebook.folder / "done"
    notebook.folder.chmod(0o777)
    # One message each, whenever the kernel flushes by itself.
    line = "sys.stdout.write(f'{i} {base64.b64encode(os.urandom(6000)).decode()}\\n'); "
    line += "sys.stdout.flush()"
    notebook.save(
        {
            "lines": f"import base64, os, sys\nfor i in range({FIRST}): {line}\n"
            + notebook.wait("go")
            + f"for i in range({FIRST}, {LINES}): {line}\n"
            f"pathlib.Path({str(done)!r}).touch()",
            "next": "print('next', 6 * 7)",
        },
        kernel=kernel,
    )
    page = notebook.open(lab=cable.url)
    run_all(page)
    wait_for("the first lines", lambda: f"\n{FIRST - 1} " in page.output(0), PATIENCE)
    wait_for("the kernel to be busy", lambda: notebook.kernel_state() == "busy", PATIENCE)
    cable.cut()
    notebook.go("go")
    wait_for("the last line", done.exists, PATIENCE)
    # A page that is there again while the agent still reads may get every line.
    wait_for("the agent to have heard all", lambda: notebook.kernel_state() == "idle", PATIENCE)
    cable.restore()

    missing = page.cell(0).locator(".jp-OutputArea-output", has_text=MISSING)
    expect(missing).not_to_have_count(0)
    outputs = saved(page, notebook)
    assert unaccounted(outputs) == 0
    # It has what it heard itself.
    assert len(outputs[0]) >= FIRST

    page.page.close()
    # Whoever was not there at all.
    notebook.edit(without_outputs)
    other = notebook.open("bob")
    expect(other.cell(0).locator(".jp-OutputArea-output", has_text=MISSING)).not_to_have_count(0)
    found = saved(other, notebook)
    if kernel == SHORT:
        assert "keeps 786 KB" in str(found[0])
        # Its first line is gone, and perhaps what says that the cell has begun.
        assert -5 < unaccounted(found) <= 0
    else:
        # What the disk took at first is there.
        assert found[0] == outputs[0]
        assert unaccounted(found) == 0
    assert other.evaluate(2, "print('after')") == "after"
    expect(other.dialog).to_have_count(0)


def without_outputs(content: dict[str, Any]) -> None:
    for cell in content["cells"]:
        cell.update(outputs=[], execution_count=None, metadata={})
