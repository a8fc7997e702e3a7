"""Chromium, and the folder of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.chaos.pages.contender import Contender
from tests.chaos.pages.fleet_contender import FleetContender
from tests.chaos.pages.peer_contenders import NbmodelContender, StockContender
from tests.e2e.chromium import launch
from tests.servers.folder_for_kernels import folder_for_kernels

CONTENDERS: dict[str, type[Contender]] = {
    one.name: one for one in (FleetContender, StockContender, NbmodelContender)
}


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def running(name: str) -> Iterator[Contender]:
    """The contender of this name, in a folder of its own in which kernels of any user may write."""
    with folder_for_kernels("pages-") as folder:
        contender = CONTENDERS[name](folder)
        try:
            yield contender
        finally:
            contender.stop()


def new_folder(contender: Contender, name: str) -> Path:
    """A folder for what cells say outside the page."""
    folder = contender.folder / name
    folder.mkdir()
    folder.chmod(0o777)
    return folder
