"""The first minute of a new user: a plot, a widget, a package, a notebook from elsewhere."""

from __future__ import annotations

import os

from playwright.sync_api import Locator, expect

from tests.e2e.lab_page import PATIENCE_MS, LabPage, wait_for
from tests.e2e.running_fleet import Files
from tests.servers.folder_for_kernels import folder_for_kernels
from tests.servers.wheel import wheel

PLOT = "import matplotlib.pyplot as plt; plt.plot([1, 3, 2]); plt.show()"
PLOTLY = "import plotly.express as px; px.bar(x=['a', 'b'], y=[1, 3])"
FIGURE_WIDGET = "import plotly.graph_objects as go; go.FigureWidget(data=[go.Bar(y=[2, 1])])"
SLIDER = "from ipywidgets import interact; interact(lambda x: print('square', x * x), x=(0, 10))"
BAR = "from tqdm.notebook import tqdm; print(sum(tqdm(range(50))))"
POLARS = "import polars as pl; pl.DataFrame({'town': ['Ulm', 'Jena'], 'n': [1, 2]})"
REST = "import sklearn, duckdb, pyarrow, boto3; duckdb.sql('select 42 as answer')"


def shows(output: Locator) -> None:
    expect(output.first).to_be_visible(timeout=PATIENCE_MS)


def test_plots_widgets_and_packages_work_in_a_notebook_from_elsewhere(
    ann: LabPage, files: Files
) -> None:
    notebook = {
        "cells": [],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    files.save("demo/elsewhere.ipynb", {"type": "notebook", "format": "json", "content": notebook})
    ann.open_path("demo/elsewhere.ipynb")
    ann.wait_for_kernel()
    expect(ann.dialog).to_have_count(0)

    ann.run(0, PLOT)
    shows(ann.cell(0).locator(".jp-OutputArea-output img"))
    ann.run(1, PLOTLY)
    shows(ann.cell(1).locator(".js-plotly-plot .main-svg"))
    ann.run(2, SLIDER)
    handle = ann.cell(2).locator(".noUi-handle")
    shows(handle)
    expect(ann.cell(2)).to_contain_text("square 25")
    handle.press("ArrowRight")
    expect(ann.cell(2)).to_contain_text("square 36")
    ann.run(3, BAR)
    expect(ann.cell(3).locator(".jupyter-widgets")).to_contain_text(["100%"])
    ann.run(4, POLARS)
    expect(ann.cell(4).locator("table")).to_contain_text("Jena")
    ann.run(5, FIGURE_WIDGET)
    shows(ann.cell(5).locator(".js-plotly-plot .main-svg"))
    assert "42" in ann.evaluate(6, REST, timeout=60)
    with folder_for_kernels("fleet-wheel-") as folder:
        mine = wheel(folder, "of_mine", "answer = 42")
        mine.chmod(0o644)
        told = ann.evaluate(7, f"%pip install --no-index {mine}", timeout=60)
    assert "Every kernel of this project can use it" in told
    assert ann.evaluate(8, "import of_mine; of_mine.answer") == "42"
    if shots := os.environ.get("FLEET_SHOTS"):
        for number in range(9):
            ann.cell(number).scroll_into_view_if_needed()
            ann.cell(number).screenshot(path=f"{shots}/cell-{number}.png")
        ann.page.screenshot(path=f"{shots}/page.png")

    # The kernel still has the widgets when the page is loaded again.
    ann.save()
    wait_for("the notebook to be saved", lambda: not ann.dirty, 60)
    ann.page.reload(wait_until="domcontentloaded")
    ann.ready()
    ann.wait_for_kernel()
    handle = ann.cell(2).locator(".noUi-handle")
    shows(handle)
    handle.press("ArrowRight")
    expect(ann.cell(2)).to_contain_text("square 49")
