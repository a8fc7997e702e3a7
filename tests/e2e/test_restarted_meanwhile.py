"""Who opens a notebook whose kernel was restarted meanwhile reads that its variables are gone."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from tests.e2e.kernel_notebook import PATIENCE, KernelNotebook, run_cell
from tests.e2e.lab_page import LabPage, wait_for


def notice(page: LabPage) -> Locator:
    return page.notebook.locator(".jp-fleet-KernelNotice")


def test_who_comes_after_a_restart_is_told_until_a_cell_is_run_or_the_line_is_closed(
    notebook: KernelNotebook,
) -> None:
    end = f"{notebook.wait('go')}import os; os._exit(7)"
    notebook.save({"set": "x = 41; print(x)", "end": end})
    page = notebook.open()
    run_cell(page, 0)
    wait_for("the reply", lambda: page.has_reply(0), PATIENCE)
    run_cell(page, 1)
    wait_for("the cell to run", lambda: page.prompt(1) == "[*]:", PATIENCE)
    page.page.context.close()
    notebook.go("go")

    def is_idle(reason: str) -> bool:
        (kernel,) = notebook.files.kernels()
        is_said = reason in kernel["reason"] if reason else not kernel["reason"]
        return is_said and kernel["execution_state"] == "idle"

    wait_for("the kernel to be back", lambda: is_idle("exit code 7"), PATIENCE)
    told = "The kernel ended with exit code 7. The kernel was restarted: its variables are gone."
    first = notebook.open()
    expect(notice(first)).to_contain_text(told)
    notice(first).get_by_role("button", name="Close").click()
    expect(notice(first)).to_be_hidden()
    first.page.reload(wait_until="domcontentloaded")
    first.ready()
    first.wait_for_kernel()
    expect(first.cell(1)).to_contain_text("KernelDied")
    expect(notice(first)).to_be_hidden()

    second = notebook.open("bob")
    expect(notice(second)).to_contain_text(told)
    assert second.evaluate(0, "print(6 * 7)") == "42"
    expect(notice(second)).to_be_hidden()
    third = notebook.open("bob")
    expect(third.cell(1)).to_contain_text("KernelDied")
    expect(notice(third)).to_be_hidden()

    first.choose_in_menu("Kernel", "Restart Kernel…")
    first.choose("Restart")
    wait_for("the kernel to be back again", lambda: is_idle(""), PATIENCE)
    fourth = notebook.open("bob")
    # Also who has it open, and not the person who has restarted it.
    for page in (fourth, third):
        expect(notice(page)).to_contain_text(
            "The kernel was restarted by ann: its variables are gone."
        )
    expect(notice(first)).to_be_hidden()
