"""What a person sees of the limits that an operator has set."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
from playwright.sync_api import expect

from tests.e2e.lab_page import LabPage, wait_for
from tests.e2e.running_fleet import Files, Fleet

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet with limits: 30 s of idleness, one kernel for each user."""
    fleet = Fleet(tmp_path_factory.mktemp("limited"))
    limits = ["--cull-idle", "30s", "--cull-warning", "15s", "--max-kernels-per-user", "1"]
    try:
        fleet.command("up", "--detach", "--port", str(fleet.port), *limits)
        yield fleet
    finally:
        fleet.down("--kernels")


def test_a_page_says_when_its_idle_kernel_will_be_ended_and_keeps_it_on_demand(
    limited: Fleet,
    open_page: Callable[[str, str], LabPage],
    signed_in: Callable[[str, str], LabPage],
) -> None:
    url, token = limited.url, limited.token("ann")
    page = open_page(url, token)
    page.new_notebook()
    assert page.evaluate(0, "x = 41; print(x)") == "41"
    toast = page.page.locator(".Toastify__toast")
    warning = toast.filter(has_text="because it is idle")
    expect(warning).to_contain_text(
        re.compile(r"The kernel of \S+\.ipynb will be ended at \d+:\d+"), timeout=60_000
    )
    (before,) = Files(url, token).kernels()
    warning.get_by_text("Keep it").click()
    expect(warning).to_have_count(0, timeout=30_000)

    def kept() -> bool:
        (kernel,) = Files(url, token).kernels()
        return datetime.fromisoformat(kernel["cull_at"]) > datetime.fromisoformat(before["cull_at"])

    wait_for("a later end", kept, 20)
    assert page.evaluate(1, "print(x + 1)") == "42"

    # Nobody gets a second kernel, and the page says why.
    (running,) = Files(url, token).kernels()
    content = {
        "cells": [],
        "metadata": {"kernelspec": {"name": running["name"], "display_name": "Python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    model = {"type": "notebook", "format": "json", "content": content}
    Files(url, token).save("demo/second.ipynb", model)
    other = signed_in(url, token)
    other.open_path("demo/second.ipynb")
    expect(other.dialog).to_contain_text("the limit for each user is 1", timeout=60_000)

    # Left alone, it goes, and the page says so.
    expect(toast.filter(has_text="was ended at")).to_contain_text(
        "because it was idle", timeout=90_000
    )
    assert Files(url, token).kernels() == []
