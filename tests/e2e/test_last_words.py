"""A kernel ends while nobody looks: who opens its notebook reads how, and what it said last."""

from __future__ import annotations

import psutil
from playwright.sync_api import Locator, expect

from tests.e2e.conftest import OpenPage
from tests.e2e.lab_page import LabPage, wait_for
from tests.e2e.running_fleet import Files, Fleet


def notice(lab: LabPage) -> Locator:
    return lab.notebook.locator(".jp-fleet-Notice", has_text="last kernel of this notebook")


def kept(fleet: Fleet, kernel_id: str) -> bytes:
    """What the store has of a kernel, messages and all."""
    files = Files(fleet.url, fleet.token("carol"))
    answer = files.session.get(f"{fleet.url}/api/fleet/kernels/{kernel_id}/journal", timeout=30)
    return answer.content if answer.ok else b""


def test_who_opens_a_notebook_reads_what_its_killed_kernel_said_last(
    fleet: Fleet, lab_urls: tuple[str, str], signed_in: OpenPage, ann: LabPage
) -> None:
    ann.open_path("demo")
    name = ann.new_notebook()
    kernel = int(ann.evaluate(0, "import os, time; print(os.getpid())"))
    agent = psutil.Process(psutil.Process(kernel).ppid())
    kernel_id = agent.environ()["KERNEL_ID"]
    ann.write(
        1,
        "for n in range(10**6): print('line', n, 'of the night', flush=True); time.sleep(.05)",
    )
    ann.save()
    ann.page.keyboard.press("Shift+Enter")
    expect(ann.cell(1)).to_contain_text("line 0 of the night")
    ann.page.context.close()
    wait_for("the store", lambda: b"line 100 of the night" in kept(fleet, kernel_id), 60)
    for process in [agent, *agent.children(recursive=True)]:
        process.kill()
    files = Files(fleet.url, fleet.token("carol"))

    def is_dead() -> bool:
        return any(k["id"] == kernel_id and k["state"] == "dead" for k in files.kernels())

    wait_for("the gateways to find out", is_dead, 120)
    bob = signed_in(lab_urls[1], fleet.token("bob"))
    bob.open_path(f"demo/{name}")
    expect(notice(bob)).to_contain_text("It had said more than this notebook shows")
    notice(bob).get_by_role("button", name="Show Last Output").click()
    expect(bob.dialog).to_contain_text("line 100 of the night")
    expect(bob.dialog).to_contain_text("in its last 2 seconds may be missing")
    bob.choose("Put Into the Cells")
    expect(bob.cell(1)).to_contain_text("line 100 of the night")
    expect(notice(bob)).to_be_hidden()
