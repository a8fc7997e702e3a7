"""A kernel ends while nobody looks: who opens its notebook reads how, and what it said last."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any

import psutil
from playwright.sync_api import Locator, expect

from tests.e2e.conftest import OpenPage
from tests.e2e.kernel_notebook import save
from tests.e2e.lab_page import LabPage, wait_for
from tests.e2e.running_fleet import Files, Fleet
from tests.integration.gateway_ext.fleet_of_gateways import Client, agents_of, kernel_process

NOTEBOOK = "demo/last-words.ipynb"


def notice(lab: LabPage) -> Locator:
    return lab.notebook.locator(".jp-fleet-Notice", has_text="last kernel of this notebook")


def notebook() -> dict[str, Any]:
    """One cell that prints until its kernel ends, and says more at once than the store keeps."""
    code = (
        "import time\nfor n in range(10**6):\n"
        "    print('line', n, 'of the night', flush=True); time.sleep(.05)\n"
        "    if n == 40: display({'application/x-long': 'x' * 9 * 2**20}, raw=True)"
    )
    cell = {"cell_type": "code", "id": "c1", "source": code, "metadata": {}, "outputs": []}
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python", "display_name": "Python"}},
        "cells": [{**cell, "execution_count": None}],
    }


def held(files: Files) -> int:
    """Up to which number of the journal the file has what the kernel said; 0 if it does not say."""
    (cell,) = files.get(NOTEBOOK)["content"]["cells"][:1]
    return int(cell["metadata"].get("jupyter_fleet", {}).get("number", 0))


def test_who_opens_a_notebook_reads_what_its_killed_kernel_said_last(
    fleet: Fleet, files: Files, lab_urls: tuple[str, str], signed_in: OpenPage, ann: LabPage
) -> None:
    files.save(NOTEBOOK, {"type": "notebook", "format": "json", "content": notebook()})
    ann.open_path(NOTEBOOK)
    ann.wait_for_kernel()
    ann.cell(0).locator(".cm-content").click()
    ann.page.keyboard.press("Shift+Enter")
    expect(ann.cell(0)).to_contain_text("line 0 of the night")
    ann.save()
    saved = wait_for("a save", lambda: held(files), 60)
    (kernel_id,) = [one["id"] for one in files.kernels() if one["path"] == NOTEBOOK]
    ann.page.context.close()
    wait_for("the store", lambda: b"line 100 of the night" in files.journal(kernel_id), 60)
    (agent,) = map(psutil.Process, agents_of(kernel_id))
    for process in [agent, *agent.children(recursive=True)]:
        # Those below the agent may end with it.
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()

    def reason() -> str:
        (kernel,) = [one for one in files.kernels() if one["id"] == kernel_id]
        return str(kernel["reason"]) if kernel["state"] == "dead" else ""

    why = wait_for("the gateways to find out", reason, 120)
    bob = signed_in(lab_urls[1], fleet.token("bob"))
    bob.open_path(NOTEBOOK)
    expect(notice(bob)).to_contain_text("It had said more than this notebook shows")
    notice(bob).get_by_role("button", name="Show Last Output").click()
    expect(bob.dialog).to_contain_text("line 100 of the night")
    expect(bob.dialog).to_contain_text(f"The kernel has ended: {why}. It said this until")
    expect(bob.dialog).to_contain_text("in its last 2 seconds may be missing")
    expect(bob.dialog).to_contain_text("[… 1 message is missing here: the store does not have it")
    bob.choose("Put Into the Cells")
    expect(bob.cell(0)).to_contain_text("line 100 of the night")
    expect(notice(bob)).to_be_hidden()
    save(bob)
    assert held(files) > saved
    assert "line 100 of the night" in str(files.get(NOTEBOOK)["content"]["cells"][0]["outputs"])


def test_who_opens_a_notebook_reads_how_the_kernel_died_with_which_a_program_ran_it(
    fleet: Fleet, files: Files, lab_urls: tuple[str, str], signed_in: OpenPage
) -> None:
    path = "demo/run-by-a-program.ipynb"
    files.save(path, {"type": "notebook", "format": "json", "content": notebook()})
    body = {"path": path, "name": "run", "type": "notebook", "kernel": {"name": "python"}}
    started = files.session.post(f"{files.url}/api/sessions", json=body, timeout=60)
    started.raise_for_status()
    kernel_id = started.json()["kernel"]["id"]
    # As nbclient does: it names no cells, and ends the kernel when it has died.
    with Client(fleet.token("ann")).channels(lab_urls[0], kernel_id) as channels:
        request = channels.execute("print('line of the night', flush=True)\nwhile True: pass")
        assert channels.wait_for_output(request) == "line of the night\n"
        os.kill(kernel_process(kernel_id), signal.SIGKILL)
        _, reply = channels.finish(request)
    assert reply["ename"] == "KernelDied"
    wait_for("the store", lambda: b"KernelDied" in files.journal(kernel_id), 60)
    files.session.delete(f"{files.url}/api/kernels/{kernel_id}", timeout=60).raise_for_status()

    bob = signed_in(lab_urls[1], fleet.token("bob"))
    bob.open_path(path)
    notice(bob).get_by_role("button", name="Show Last Output").click()
    expect(bob.dialog).to_contain_text("line of the night")
    expect(bob.dialog).to_contain_text(f"KernelDied: {reply['evalue']}")
    # Nobody knows into which.
    expect(bob.dialog.get_by_role("button", name="Put Into the Cells")).to_have_count(0)
    bob.choose("Close")
