"""A kernel that ends by itself: the page says why."""

from __future__ import annotations

import re

import psutil
from playwright.sync_api import Locator, expect

from tests.e2e.lab_page import LabPage, wait_for


def notice(lab: LabPage) -> Locator:
    return lab.notebook.locator(".jp-fleet-KernelNotice.jp-mod-warning")


def test_the_page_says_why_a_kernel_ended_and_why_it_is_dead(ann: LabPage) -> None:
    ann.open_path("demo")
    ann.new_notebook()
    expect(notice(ann)).to_be_hidden()
    kernel = int(ann.evaluate(0, "import os; print(os.getpid())"))
    agent = psutil.Process(psutil.Process(kernel).ppid())

    ann.run(1, "os._exit(7)")
    expect(notice(ann)).to_contain_text(
        "The kernel ended with exit code 7. The kernel was restarted"
    )
    # It says so once, not in a dialog of JupyterLab's as well.
    expect(ann.page.locator("#jp-bottom-panel")).to_contain_text("| Idle")
    expect(ann.dialog).to_have_count(0)

    def kill_again() -> bool:
        for child in agent.children():
            child.kill()
        return "Start it again to go on" in notice(ann).inner_text()

    wait_for("the kernel to be given up", kill_again, 60)
    # Whether memory had run out is known only where there are cgroups.
    expect(notice(ann)).to_contain_text(re.compile("SIGKILL.*out of memory.*, after 5 restarts"))
    expect(ann.dialog).to_have_count(0)
    # Who opens the notebook later reads it too.
    ann.page.reload(wait_until="domcontentloaded")
    ann.ready()
    expect(notice(ann)).to_contain_text("out of memory")
    ann.choose_in_menu("Kernel", "Restart Kernel…")
    ann.choose("Restart")
    expect(notice(ann)).to_be_hidden()
    expect(ann.page.locator("#jp-bottom-panel")).to_contain_text(re.compile(r"\| (Idle|Busy)"))
    assert ann.evaluate(0, "print(6 * 7)") == "42"
