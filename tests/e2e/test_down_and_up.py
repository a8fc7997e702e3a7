"""`jupyter fleet down`, then `up`: all that a person had is there again."""

from __future__ import annotations

import os

from playwright.sync_api import expect

from tests.e2e.conftest import OpenPage
from tests.e2e.lab_page import wait_for
from tests.e2e.running_fleet import Files, Fleet
from tests.integration.gateway_ext.fleet_of_gateways import kernel_process


def test_notebook_setting_and_kernel_are_back(
    fleet: Fleet, signed_in: OpenPage, files: Files
) -> None:
    token = fleet.token("dora")
    page = signed_in(fleet.url, token)
    page.open_path("demo")
    name = page.new_notebook()
    kernel = page.evaluate(0, "treasure = 'gold'; print(get_ipython().kernel.ident)")
    (model,) = files.kernels()
    process = kernel_process(model["id"])
    page.save()
    page.choose("Rename and Save")
    wait_for("the notebook to be saved", lambda: not page.dirty, 60)
    page.choose_theme("JupyterLab Dark")

    fleet.down()
    assert os.path.exists(f"/proc/{process}")
    fleet.up()

    page = signed_in(fleet.url, token)
    page.open_path(f"demo/{name}")
    page.expect_theme("JupyterLab Dark")
    expect(page.cell(0)).to_contain_text("treasure = 'gold'")
    page.wait_for_kernel()
    assert page.evaluate(1, "print(treasure, get_ipython().kernel.ident)") == f"gold {kernel}"
