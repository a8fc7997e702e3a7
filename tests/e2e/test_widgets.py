"""Widgets of a kernel that lives: beside a running cell, and in another browser."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Locator, expect

from tests.e2e.kernel_notebook import PATIENCE, KernelNotebook, run_cell
from tests.e2e.lab_page import LabPage, wait_for

SLIDER = "import ipywidgets\nslider = ipywidgets.IntSlider(value=7)\n"

NOTE_STATES = """() => {
  window.fleetStates = [];
  const bar = document.querySelector('#jp-bottom-panel');
  new MutationObserver(() => window.fleetStates.push(bar.innerText)).observe(
    bar, {subtree: true, childList: true, characterData: true}
  );
}"""
"""From now on, all that the status bar says."""


def handle(page: LabPage) -> Locator:
    return page.cell(0).locator(".noUi-handle")


def value(page: LabPage) -> Locator:
    return page.cell(0).locator(".widget-readout")


def move(page: LabPage) -> None:
    handle(page).focus()
    handle(page).press("ArrowRight")


def text(page: LabPage) -> Locator:
    return page.cell(0).locator(".jp-OutputArea-output pre")


def note(page: LabPage) -> Locator:
    """Why the widget is text."""
    return page.cell(0).locator(".jp-fleet-OutputNote")


def test_the_kernel_is_busy_while_a_cell_runs_whatever_a_widget_asks_of_it(
    notebook: KernelNotebook, end: Path
) -> None:
    """What a page says to a widget goes to a subshell of the kernel, which is idle after that."""
    end.touch()
    end.chmod(0o666)
    notebook.save(
        {
            "slider": SLIDER + f"def note(change): open({str(end)!r}, 'a').write"
            "(f'{change[\"new\"]} ')\nslider.observe(note, 'value')\ndisplay(slider)",
            "runs": notebook.wait("go") + "print('done')",
        }
    )

    def move_to(number: int) -> None:
        move(page)
        wait_for("the kernel", lambda: f"{number} " in end.read_text(), PATIENCE)

    page = notebook.open()
    run_cell(page, 0)
    # The page has a subshell by then: what it said before could wait behind the next cell.
    move_to(8)
    run_cell(page, 1)
    bar = page.page.locator("#jp-bottom-panel")
    expect(bar).to_contain_text(re.compile(r"\| Busy"))
    expect(page.cell(1).locator(".jp-InputPrompt")).to_have_text("[*]:")
    page.page.evaluate(NOTE_STATES)
    # A widget sends its next value when the page has heard that the kernel is done with the last.
    for number in range(9, 13):
        move_to(number)
    assert page.prompt(1) == "[*]:"
    expect(bar).to_contain_text(re.compile(r"\| Busy"))
    said = page.page.evaluate("window.fleetStates")
    assert not [one for one in said if re.search(r"\| (Idle|Unknown)", one)]
    notebook.go("go")
    wait_for("the reply", lambda: page.prompt(1) == "[2]:", PATIENCE)
    expect(bar).to_contain_text(re.compile(r"\| Idle"))


def test_a_widget_is_text_in_another_browser_until_its_cell_is_run_by_who_trusts_its_kernel(
    notebook: KernelNotebook,
) -> None:
    notebook.save({"slider": SLIDER + "display(slider)"})
    ann = notebook.open()
    run_cell(ann, 0)
    move(ann)
    expect(value(ann)).to_have_text("8")
    ann.page.context.close()

    bob = notebook.open("bob")
    expect(text(bob)).to_have_text("IntSlider(value=7)")
    expect(handle(bob)).to_have_count(0)
    run_cell(bob, 0)
    expect(bob.cell(0).locator(".jp-InputPrompt")).to_have_text("[2]:")
    expect(text(bob)).to_have_text("IntSlider(value=7)")
    expect(note(bob)).to_contain_text("this widget is not drawn until you trust ann in this kernel")
    bob.page.get_by_role("button", name=re.compile("Trust Them")).click()
    move(bob)
    expect(value(bob)).to_have_text("8")
    expect(note(bob)).to_have_count(0)
    assert bob.evaluate(1, "slider.value") == "8"


def test_widgets_of_others_wait_until_the_notebook_is_trusted(notebook: KernelNotebook) -> None:
    notebook.save({"slider": SLIDER + "display(slider)", "again": "display(slider)"})
    ann = notebook.open()
    run_cell(ann, 0)
    move(ann)
    expect(value(ann)).to_have_text("8")
    ann.page.context.close()

    bob = notebook.open("bob")
    run_cell(bob, 1)
    expect(bob.cell(1).locator(".jp-OutputArea-output pre")).to_have_text("IntSlider(value=8)")
    bob.trust()
    for index in (0, 1):
        expect(bob.cell(index).locator(".widget-readout")).to_have_text("8")
    move(bob)
    expect(bob.cell(1).locator(".widget-readout")).to_have_text("9")
