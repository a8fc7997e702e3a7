"""What users see of their own outputs in a kernel in which others have run code."""

from __future__ import annotations

import contextlib
import re

import psutil
from playwright.sync_api import Locator, expect

from tests.e2e.kernel_notebook import KernelNotebook, run_cell
from tests.e2e.lab_page import LabPage
from tests.integration.gateway_ext.fleet_of_gateways import agents_of

HOOK = (
    "get_ipython().display_formatter.formatters['text/html'].for_type(int, lambda number: "
    '\'<p class=said></p><script>document.querySelector(".said").textContent = self.origin'
    "</script>')"
)
"""Has every whole number that a cell returns run a script."""
PLOT = "import plotly.graph_objects as go\nfigure = go.FigureWidget(go.Bar(y=[1, 2]))\nfigure"
SLIDER = "import ipywidgets\nipywidgets.IntSlider(value=7)"


def notice(page: LabPage) -> Locator:
    return page.notebook.locator(".jp-fleet-PeopleNotice")


def trust(page: LabPage) -> None:
    notice(page).get_by_role("button", name=re.compile("Trust Them")).click()
    expect(notice(page)).to_be_hidden()


def test_what_others_prepared_in_a_kernel_reaches_nothing_until_they_are_trusted(
    notebook: KernelNotebook,
) -> None:
    own = re.compile("^http")
    notebook.save({"hook": HOOK, "sum": "1 + 1", "slider": SLIDER})
    ann = notebook.open()
    said = ann.cell(1).locator(".said")

    # Whoever has only opened the notebook has prepared nothing.
    ben = notebook.open("ben")
    run_cell(ann, 0)
    run_cell(ann, 1)
    expect(said).to_have_text(own)
    run_cell(ann, 2)
    expect(ann.cell(2).locator(".widget-readout")).to_have_text("7")
    expect(notice(ann)).to_be_hidden()

    run_cell(ben, 0)
    expect(ben.cell(0).locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]"))
    run_cell(ann, 1)
    expect(ann.framed(1).locator(".said")).to_have_text("null")
    expect(said).to_have_count(0)
    expect(notice(ann)).to_contain_text("ben also ran code in this kernel")
    run_cell(ann, 2)
    expect(ann.cell(2).locator(".jp-OutputArea-output pre")).to_have_text("IntSlider(value=7)")

    trust(ann)
    expect(said).to_have_text(own)
    expect(ann.cell(2).locator(".widget-readout")).to_have_text("7")
    run_cell(ann, 1)
    expect(said).to_have_text(own)

    # The trust was for ben, and ends as soon as somebody else runs something.
    ann.save()
    eve = notebook.open("eve")
    run_cell(eve, 3)
    eve.evaluate(3, "x = 1")
    run_cell(ann, 1)
    expect(ann.framed(1).locator(".said")).to_have_text("null")
    expect(notice(ann)).to_contain_text("ben and eve also ran code")

    ann.choose_in_menu("Kernel", "Restart Kernel…")
    ann.dialog.locator("button.jp-mod-accept").click()
    expect(notice(ann)).to_be_hidden()
    # What an earlier process said stays framed.
    expect(ann.framed(1).locator(".said")).to_have_text("null")
    run_cell(ann, 0)
    run_cell(ann, 1)
    expect(said).to_have_text(own)
    ann.write(2, PLOT)
    run_cell(ann, 2)
    expect(ann.cell(2).locator(".js-plotly-plot .bars .point").first).to_be_attached()
    expect(notice(ann)).to_be_hidden()


def test_what_others_prepared_stays_framed_when_the_kernel_has_another_agent(
    notebook: KernelNotebook,
) -> None:
    notebook.save({"sum": "1 + 1", "own": "print('alone')"})
    ann = notebook.open()
    ann.trust()
    ben = notebook.open("ben")
    # In a cell that the notebook has not: those of hers stay trusted.
    run_cell(ben, 2)
    ben.page.keyboard.press("Escape")
    ben.page.keyboard.press("b")
    ben.evaluate(3, HOOK)
    ben.page.close()
    # That all cells are trusted, as JupyterLab says then, is no trust in people.
    ann.choose_in_palette("Trust Notebook")
    expect(ann.dialog).to_contain_text("already trusted")
    ann.page.keyboard.press("Escape")
    expect(ann.dialog).to_contain_text("ben also ran code in this kernel")
    ann.page.keyboard.press("Escape")
    expect(ann.dialog).to_have_count(0)
    run_cell(ann, 0)
    expect(ann.framed(0).locator(".said")).to_have_text("null")

    [kernel] = [one for one in notebook.files.kernels() if one["path"] == notebook.path]
    [agent] = map(psutil.Process, agents_of(kernel["id"]))
    for process in [agent, *agent.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    # Which counts its kernel's processes from 1 again, and knows nobody who has used them.
    again = ann.notebook.get_by_role("button", name=re.compile("^Start Again"))
    again.click(timeout=120_000)
    run_cell(ann, 1)
    expect(ann.cell(1).locator(".jp-OutputArea-output")).to_have_text("alone", timeout=60_000)
    expect(notice(ann)).to_be_hidden()
    expect(ann.framed(0).locator(".said")).to_have_text("null")
    expect(ann.cell(0).locator(".said")).to_have_count(0)
