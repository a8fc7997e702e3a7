"""Two people in one notebook, one of whom has a kernel alone."""

from __future__ import annotations

import re

import requests
from playwright.sync_api import expect

from tests.e2e.kernel_notebook import KernelNotebook, run_cell
from tests.e2e.lab_page import LabPage
from tests.e2e.test_people_of_kernels import HOOK, notice

RUNNING = '.lm-TabBar-tab[data-id="jp-running-sessions"]'


CHANGED = re.compile(r"/api/sessions/[^/]+$")


def start_alone(page: LabPage) -> str:
    """Have the current notebook's kernel replaced, for this person, by one that is theirs alone;
    its ID."""
    page.choose_in_menu("Kernel", "Start Kernel With Options")
    page.dialog.get_by_label("Only for me", exact=True).select_option(label="Yes")
    with page.page.expect_response(CHANGED, timeout=60_000) as answer:
        page.dialog.get_by_role("button", name="Start", exact=True).click()
    kernel: dict[str, str] = answer.value.json()["kernel"]
    expect(page.dialog).to_have_count(0)
    page.wait_for_kernel()
    return kernel["id"]


def test_two_people_work_in_one_notebook_and_one_of_them_in_a_kernel_alone(
    notebook: KernelNotebook,
) -> None:
    notebook.save({"ann's": "x = 'of ann'", "hook": HOOK, "sum": "1 + 1"})
    # Ben starts the kernel of all, and Ann is not asked whether it may end: it goes on.
    ben = notebook.open("ben")
    ann = notebook.open()
    assert ben.evaluate(3, "x = 'of all'; print(x)") == "of all"
    run_cell(ben, 1)
    assert ann.evaluate(3, "print(x)") == "of all"

    start_alone(ann)
    run_cell(ann, 0)
    assert ann.evaluate(3, "print(x)") == "of ann"
    assert ben.evaluate(3, "print(x)") == "of all"
    # Nobody else has prepared anything there, so that her outputs are her own.
    run_cell(ann, 2)
    expect(ann.cell(2).locator(".jp-OutputArea-output")).to_have_text("2")
    expect(notice(ann)).to_be_hidden()

    ann.page.locator(RUNNING).click()
    detail = ann.page.locator("#jp-running-sessions .jp-RunningSessions-itemDetail")
    expect(detail.filter(has_text="Only you")).to_have_count(1)
    ben.page.locator(RUNNING).click()
    expect(ben.page.locator("#jp-running-sessions .jp-mod-kernel").first).to_be_visible()
    expect(ben.page.locator("#jp-running-sessions")).not_to_contain_text("Only you")

    # Whoever opens the notebook again has what they had.
    ann.save()
    ann.page.reload()
    ann.wait_for_kernel()
    assert ann.evaluate(3, "print(x)") == "of ann"
    ann.choose_in_menu("Kernel", "Kernel Details")
    expect(ann.dialog).to_contain_text("ann alone")
    ann.choose("Close")
    again = notebook.open("ben")
    assert again.evaluate(3, "print(x)") == "of all"

    # And back: to the kernel of all, with what is in it.
    ann.choose_in_menu("Kernel", "Start Kernel With Options")
    with ann.page.expect_response(CHANGED, timeout=60_000) as answer:
        ann.dialog.get_by_role("button", name="Start", exact=True).click()
    assert answer.value.json()["kernel"]["only_for"] is None
    ann.wait_for_kernel()
    assert ann.evaluate(3, "print(x)") == "of all"

    # Ben has started it, and not he alone uses it.
    again.choose_in_menu("Kernel", "Shut Down Kernel$")
    expect(again.dialog).to_contain_text("Shut Down a Kernel That Others Use?")
    again.choose("Cancel")
    assert again.evaluate(3, "print(x)") == "of all"


def test_a_cell_that_is_run_after_an_owner_has_ended_ones_kernel_runs_in_another_one_alone(
    notebook: KernelNotebook,
) -> None:
    notebook.save({})
    ann = notebook.open()
    ended = start_alone(ann)
    kernel = f"{notebook.files.url}/api/kernels/{ended}"
    owner = {"Authorization": f"Bearer {notebook.fleet.token('eve', 'owner')}"}
    requests.delete(kernel, headers=owner, timeout=60).raise_for_status()
    told = ann.page.locator(".Toastify__toast")
    expect(told.filter(has_text="eve shut down the kernel of ")).to_be_visible()
    # JupyterLab has not noticed yet that it has ended.
    assert ann.evaluate(0, "print(1 + 1)") == "2"
    listed = ann.page.evaluate("fetch('/api/kernels').then(answer => answer.json())")
    (alone,) = [kernel for kernel in listed if kernel["only_for"] == "ann"]
    assert alone["id"] != ended
