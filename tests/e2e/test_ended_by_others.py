"""Cells that are run in the moment in which somebody else ends their kernel."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import requests

from tests.e2e.kernel_notebook import KernelNotebook
from tests.e2e.lab_page import LabPage, wait_for
from tests.e2e.test_personal_kernels import start_alone

NOT_RUN = "Not run: the kernel ended before this cell's turn."
SHUT_DOWN = "The kernel was shut down."
MOST_SOCKETS = 8
"""For the end of one kernel and the start of the next one; JupyterLab alone opens 40 a second."""


def end(notebook: KernelNotebook, kernel: str) -> None:
    """End a kernel as an owner of the project."""
    url = f"{notebook.files.url}/api/kernels/{kernel}"
    owner = {"Authorization": f"Bearer {notebook.fleet.token('eve', 'owner')}"}
    requests.delete(url, headers=owner, timeout=60).raise_for_status()


def says_end(page: LabPage, index: int) -> bool:
    """Whether a cell says that its kernel has ended, before it ran or while it did."""
    output = page.output(index)
    return NOT_RUN in output or SHUT_DOWN in output


def next_kernel(page: LabPage, ended: str) -> str:
    """The ID of the kernel in which the first cell runs, when that is another one than `ended`."""

    def found() -> str:
        page.run(0, "import os; print(os.environ['KERNEL_ID'])")
        wait_for("the cell", lambda: page.has_reply(0) or says_end(page, 0), 60)
        return "" if says_end(page, 0) else page.output(0).strip().replace(ended, "")

    return wait_for("the next kernel", found, 60)


def test_a_cell_that_is_run_while_an_owner_ends_its_kernel_runs_or_says_that_it_did_not(
    notebook: KernelNotebook,
) -> None:
    notebook.save({})
    ann = notebook.open()
    kernel = next_kernel(ann, "")
    with ThreadPoolExecutor(max_workers=1) as pool:
        # First the kernel of all, then one of hers alone. None: not even the answer is waited for.
        for turn, after_ms in enumerate((None, 300, None, 0, 800), 1):
            if turn == 3:
                start_alone(ann)
                kernel = next_kernel(ann, kernel)
            sockets = ann.kernel_sockets
            ann.write(turn, "print(6 * 7)")
            ending = pool.submit(end, notebook, kernel)
            if after_ms is not None:
                ending.result()
                ann.page.wait_for_timeout(after_ms)
            ann.page.keyboard.press("Shift+Enter")
            wait_for("the cell", lambda at=turn: "42" in ann.output(at) or says_end(ann, at), 60)
            ending.result()
            kernel = next_kernel(ann, kernel)
            assert ann.kernel_sockets - sockets <= MOST_SOCKETS
    listed = ann.page.evaluate("fetch('/api/kernels').then(answer => answer.json())")
    assert {one["id"]: one["only_for"] for one in listed}[kernel] == "ann"
    end(notebook, kernel)
