"""A kernel that the version before has started goes on when labs and gateways are upgraded."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import OpenPage
from tests.e2e.kernel_notebook import PATIENCE, save
from tests.e2e.lab_page import LabPage, wait_for
from tests.e2e.running_fleet import Files
from tests.integration.jupyter_ext.kernels.earlier_version import (
    EarlierGateways,
    EarlierLabs,
    upgrade,
)
from tests.servers.seaweedfs import SeaweedFS
from tests.servers.short_folder import short_folder

pytestmark = pytest.mark.timeout(400)

PATH = "demo/earlier.ipynb"
KERNEL = "lossless"


class EarlierFleet:
    """Labs and gateways of the version before, until they are upgraded."""

    def __init__(self, directory: Path, store: SeaweedFS) -> None:
        self.gateways = EarlierGateways(directory, 2)
        try:
            signer, urls = self.gateways.signer, self.gateways.urls
            self.labs = EarlierLabs(directory, signer, urls, store, 2)
        except BaseException:
            self.gateways.stop()
            raise

    def token(self, user: str) -> str:
        return self.gateways.signer.sign(user, {"demo": "editor"}, 3600)

    def upgrade(self) -> None:
        upgrade(self.gateways)
        upgrade(self.labs)

    def kill_labs(self) -> None:
        """All of them at once; returns when they run again."""
        for process in self.labs.processes:
            process.kill()
        for number in range(len(self.labs.processes)):
            self.labs.start_again(number)

    def stop(self) -> None:
        self.labs.stop()
        self.gateways.stop()


@pytest.fixture
def earlier(seaweedfs: SeaweedFS) -> Iterator[EarlierFleet]:
    with short_folder("fleet-up-") as directory:
        earlier = EarlierFleet(directory, seaweedfs)
        try:
            yield earlier
        finally:
            earlier.stop()


def notebook() -> dict[str, Any]:
    cell = {"cell_type": "code", "source": "", "metadata": {}, "outputs": []}
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": KERNEL, "display_name": KERNEL}},
        "cells": [{**cell, "id": "first", "execution_count": None}],
    }


def start_kernel(files: Files) -> str:
    """Starts the notebook's kernel as a page does; its id."""
    body = {"path": PATH, "name": Path(PATH).name, "type": "notebook", "kernel": {"name": KERNEL}}
    answer = files.session.post(f"{files.url}/api/sessions", json=body, timeout=60)
    answer.raise_for_status()
    return str(answer.json()["kernel"]["id"])


def until(file: Path) -> str:
    """Code that waits for a file, at the beginning of a line."""
    return f"while not os.path.exists({str(file)!r}): time.sleep(.02)"


def numbers(page: LabPage, index: int) -> list[int]:
    return [int(number) for number in page.output(index).split()]


def test_a_kernel_of_the_version_before_outlives_the_upgrade_reloads_and_killed_labs(
    earlier: EarlierFleet, signed_in: OpenPage, end: Path
) -> None:
    lab, folder = earlier.labs.urls[0], end.parent
    files = Files(lab, earlier.token("ann"))
    files.save(PATH, {"type": "notebook", "format": "json", "content": notebook()})
    kernel_id = start_kernel(files)
    with earlier.gateways.client("ann").channels(lab, kernel_id) as channels:
        code = "import os, time; treasure = 'gold'; print(os.getpid())"
        kernel = channels.run(code).strip()
        # It is busy while it gets other labs and gateways.
        busy = channels.execute(f"print('begun')\n{until(folder / 'upgraded')}\nticks = 1")
        channels.wait_for_output(busy)

    earlier.upgrade()

    page = signed_in(lab, earlier.token("ann"))
    page.open_path(PATH)
    page.wait_for_kernel()
    page.mark()
    assert [one["id"] for one in files.kernels()] == [kernel_id]
    page.run(0, "print(treasure, ticks, os.getpid())")
    assert not page.has_reply(0)
    (folder / "upgraded").touch()
    wait_for("the reply", lambda: page.has_reply(0), PATIENCE)
    assert page.output(0).strip() == f"gold 1 {kernel}"

    page.run(
        1,
        f"i = 0\nwhile not os.path.exists({str(end)!r}):\n"
        "    print(i, end=' ', flush=True); i += 1; time.sleep(.1)",
    )
    wait_for("the first numbers", lambda: 3 in numbers(page, 1), PATIENCE)
    earlier.kill_labs()
    before = numbers(page, 1)[-1]
    wait_for("numbers to come on", lambda: numbers(page, 1)[-1] > before + 30, PATIENCE)
    end.touch()
    wait_for("the reply", lambda: page.has_reply(1), PATIENCE)
    printed = numbers(page, 1)
    assert printed == list(range(len(printed))), "each once and in order"
    assert page.evaluate(2, "print(i)") == str(len(printed))
    expect(page.dialog).to_have_count(0)
    assert not page.reloaded
    save(page)

    # Reloaded while a cell runs, and after it.
    word = uuid.uuid4().hex
    page.run(3, f"{until(folder / word)}\nlast = {word!r}")
    bar = page.page.locator("#jp-bottom-panel")
    expect(bar).to_contain_text(re.compile(r"\| Busy"))
    page.page.reload()
    page.ready()
    expect(bar).to_contain_text(re.compile(r"\| Busy"))
    (folder / word).touch()
    expect(bar).to_contain_text(re.compile(r"\| Idle"))
    assert numbers(page, 1) == printed
    assert page.evaluate(3, "print(treasure, last, os.getpid())") == f"gold {word} {kernel}"
    expect(page.dialog).to_have_count(0)
    save(page)
    assert [one["id"] for one in files.kernels()] == [kernel_id]
