"""The form for a kernel's launch options, and where the page shows them afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.lab_page import LabPage, wait_for
from tests.e2e.running_fleet import Files
from tests.e2e.slow_kernel import SlowKernel

ENTRY = "Start Kernel With Options"


@pytest.fixture(autouse=True)
def quick(slow_kernel: SlowKernel) -> Iterator[None]:
    slow_kernel.open()
    yield
    slow_kernel.hold()


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
    wait_for("one kernel", lambda: len(files.kernels()) == 1, 30)
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
