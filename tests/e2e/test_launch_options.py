"""The form for a kernel's launch options, and where the page shows them afterwards."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.e2e.lab_page import LabPage, wait_for
from tests.e2e.running_fleet import Files
from tests.e2e.slow_kernel import PLAIN, PLAIN_TITLE, SlowKernel

ENTRY = "Start Kernel With Options"


@pytest.fixture(autouse=True)
def quick(slow_kernel: SlowKernel) -> Iterator[None]:
    slow_kernel.open()
    yield
    slow_kernel.hold()


def notice(lab: LabPage) -> Locator:
    return lab.notebook.locator(".jp-fleet-KernelNotice")


def start_with(lab: LabPage) -> None:
    """Press "Start With…" above the notebook; the form for the slow kernel opens."""
    notice(lab).get_by_role("button", name=re.compile("^Start With")).click()
    expect(lab.dialog).to_contain_text(f"Start {SlowKernel.title}")
    expect(field(lab, "Kernel")).to_have_value(SlowKernel.name)


def field(lab: LabPage, label: str) -> Locator:
    return lab.dialog.get_by_label(label, exact=True)


def start(lab: LabPage) -> None:
    lab.dialog.get_by_role("button", name="Start", exact=True).click()


def test_options_are_entered_in_a_form_refused_at_their_field_and_shown_in_the_details(
    ann: LabPage, files: Files
) -> None:
    ann.open_path("demo")
    ann.new_notebook()
    ann.choose_in_menu("Kernel", ENTRY)
    field(ann, "Kernel").select_option(label=SlowKernel.title)
    expect(ann.dialog).to_contain_text(SlowKernel.title)
    expect(ann.dialog).to_contain_text("What all cells may use together. 100Mi to 4Gi.")
    field(ann, "Memory").fill("8Gi")
    field(ann, "Environment").fill("MODE")
    start(ann)
    # What the page can see.
    expect(ann.dialog.get_by_role("alert").filter(has_text="NAME=VALUE")).to_be_visible()
    field(ann, "Environment").fill("MODE=fast\nTHE_TOKEN=abc")
    start(ann)
    # What the server says, with all that was entered.
    refusal = ann.dialog.get_by_role("alert").filter(has_text="at most 4Gi")
    expect(refusal).to_contain_text("Not allowed. Allowed: a quantity")
    expect(field(ann, "Memory")).to_have_attribute("aria-invalid", "true")
    expect(field(ann, "Environment")).to_have_value("MODE=fast\nTHE_TOKEN=abc")
    # The notebook has kept its kernel.
    assert [kernel["name"] for kernel in files.kernels()] != [SlowKernel.name]
    field(ann, "Memory").fill("1Gi")
    ann.page.keyboard.press("Enter")
    expect(ann.dialog).to_have_count(0)
    expect(ann.notebook.locator(".jp-Toolbar-kernelName")).to_contain_text(SlowKernel.title)
    ann.wait_for_kernel()
    assert ann.evaluate(0, "import os; print(os.environ['MODE'])") == "fast"
    # The earlier kernel ends when this one runs.
    wait_for("one kernel", lambda: len(files.kernels()) == 1, 60)
    (kernel,) = files.kernels()
    assert kernel["launch_options"] == {
        "memory": "1Gi",
        "environment": {"MODE": None, "THE_TOKEN": None},
    }

    ann.choose_in_menu("Kernel", "Kernel Details")
    for words in (SlowKernel.title, "ann", "demo", kernel["id"], "1Gi", "MODE, THE_TOKEN"):
        expect(ann.dialog).to_contain_text(words)
    expect(ann.dialog).not_to_contain_text("abc")
    ann.choose("Close")

    # The last choice is there the next time, but no secret is.
    ann.page.locator(".jp-Toolbar-kernelName").click()
    ann.dialog.locator("select").select_option(label=SlowKernel.title)
    ann.dialog.get_by_label("Choose its options before it starts").check()
    ann.dialog.get_by_role("button", name="Select Kernel").click()
    expect(field(ann, "Memory")).to_have_value("1Gi")
    expect(field(ann, "Environment")).to_have_value("MODE=fast\nTHE_TOKEN")
    ann.page.keyboard.press("Escape")
    expect(ann.dialog).to_have_count(0)
    assert ann.evaluate(1, "print(os.environ['MODE'])") == "fast"


def test_a_running_kernel_without_options_is_replaced_only_by_one_that_a_person_chose(
    ann: LabPage, files: Files
) -> None:
    path = f"demo/plain-{uuid.uuid4().hex[:8]}.ipynb"
    kernelspec = {"name": PLAIN, "display_name": PLAIN_TITLE, "language": "python"}
    cell = {"cell_type": "code", "id": "c0", "source": "", "metadata": {}, "outputs": []}
    content = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": kernelspec},
        "cells": [{**cell, "execution_count": None}],
    }
    files.save(path, {"type": "notebook", "format": "json", "content": content})
    ann.open_path(path)
    ann.wait_for_kernel()
    assert ann.evaluate(0, "x = 5; print(x)") == "5"

    ann.choose_in_menu("Kernel", ENTRY)
    expect(ann.dialog).to_contain_text(f"{PLAIN_TITLE} has no options")
    ann.page.keyboard.press("Enter")
    alert = ann.dialog.get_by_role("alert").filter(has_text="Choose a kernel first")
    expect(alert).to_be_visible()
    start(ann)
    expect(alert).to_be_visible()
    field(ann, "Kernel").select_option(label=SlowKernel.title)
    expect(field(ann, "Memory")).to_be_visible()
    ann.page.keyboard.press("Escape")
    expect(ann.dialog).to_have_count(0)
    assert ann.evaluate(1, "print(x + 1)") == "6"
    assert [kernel["name"] for kernel in files.kernels()] == [PLAIN]


def test_a_kernel_that_did_not_come_is_started_with_other_options_not_the_earlier_one(
    ann: LabPage, files: Files, slow_kernel: SlowKernel
) -> None:
    ann.open_path("demo")
    ann.new_notebook()
    assert ann.evaluate(0, "x = 5; print(x)") == "5"
    slow_kernel.fail("there is too little room")
    ann.choose_in_menu("Kernel", ENTRY)
    field(ann, "Kernel").select_option(label=SlowKernel.title)
    field(ann, "Memory").fill("1Gi")
    # What another test chose, with a secret that is not kept.
    field(ann, "Environment").fill("")
    start(ann)
    expect(notice(ann)).to_contain_text("The earlier kernel is still there")
    start_with(ann)
    expect(field(ann, "Memory")).to_have_value("1Gi")

    # The server refuses it, and has not kept what was chosen.
    patches = re.compile(r"/api/sessions/[^/]+$")
    refusal = {"message": "no gateway can answer at the moment"}

    def refuse(route: Route) -> None:
        if route.request.method == "PATCH":
            route.fulfill(status=503, json=refusal)
        else:
            route.continue_()

    ann.page.route(patches, refuse)
    field(ann, "Memory").fill("2Gi")
    start(ann)
    expect(notice(ann)).to_contain_text(refusal["message"])
    ann.page.unroute(patches)
    start_with(ann)
    expect(field(ann, "Memory")).to_have_value("2Gi")
    # A form that comes to nothing changes nothing: neither the kernel nor what is asked for.
    field(ann, "Memory").fill("8Gi")
    start(ann)
    expect(ann.dialog.get_by_role("alert").filter(has_text="at most 4Gi")).to_be_visible()
    ann.page.keyboard.press("Escape")
    expect(ann.dialog).to_have_count(0)
    assert ann.evaluate(1, "print(x + 1)") == "6"
    slow_kernel.open()
    notice(ann).get_by_role("button", name=re.compile("^Start Again")).click()
    expect(ann.notebook.locator(".jp-Toolbar-kernelName")).to_contain_text(SlowKernel.title)
    expect(notice(ann)).to_be_hidden()

    def running() -> list[tuple[str, str | None]]:
        return [
            (kernel["name"], (kernel.get("launch_options") or {}).get("memory"))
            for kernel in files.kernels()
            if kernel["state"] == "running"
        ]

    wait_for("the earlier kernel to end", lambda: running() == [(SlowKernel.name, "2Gi")], 60)
    assert ann.evaluate(1, "print('x' in globals())") == "False"
