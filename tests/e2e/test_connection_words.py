"""What a page says while something stands between it and its kernel."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, WebSocketRoute, expect

from tests.e2e.conftest import ARTIFACTS, OpenPage
from tests.e2e.lab_page import LabPage
from tests.e2e.running_fleet import Fleet

CHANNELS = re.compile(r"/api/kernels/[^/]+/channels")


class Network:
    """The way from a page to its server, which a test cuts."""

    def __init__(self, page: LabPage) -> None:
        self._page = page.page
        self._sockets: list[WebSocketRoute] = []
        page.page.route_web_socket(CHANNELS, self._open)

    def _open(self, socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        self._sockets.append(socket)

    def close_sockets(self, **why: Any) -> None:
        """Close the websockets to kernels."""
        sockets, self._sockets = self._sockets, []
        for socket in sockets:
            socket.close(**why)

    def cut(self) -> None:
        """Nothing reaches the server any more."""
        self._page.context.set_offline(True)
        self.close_sockets(code=3000)

    def restore(self) -> None:
        """The server can be reached again."""
        self._page.context.set_offline(False)


@pytest.fixture
def cut_off(fleet: Fleet, signed_in: OpenPage) -> tuple[LabPage, Network]:
    """A page with a notebook whose kernel runs, and its network."""
    page = signed_in(fleet.url, fleet.token("ann"))
    network = Network(page)
    page.open_path("demo")
    page.new_notebook()
    assert page.evaluate(0, "1 + 1") == "2"
    return page, network


def line(page: LabPage) -> Locator:
    """The line above the notebook."""
    return page.notebook.locator(".jp-fleet-Notice:visible")


def label(page: LabPage) -> Locator:
    """What the notebook's toolbar says of its kernel."""
    return page.notebook.locator(".jp-fleet-KernelLabel:visible")


def shot(page: LabPage, name: str) -> None:
    """A screenshot for people to look at."""
    ARTIFACTS.mkdir(exist_ok=True)
    page.page.screenshot(path=ARTIFACTS / f"words-{name}.png")


def test_a_cut_is_told_and_what_is_run_meanwhile_runs_when_it_is_over(
    cut_off: tuple[LabPage, Network],
) -> None:
    page, network = cut_off
    network.cut()
    expect(line(page)).to_contain_text("The server cannot be reached. What you run is sent when")
    expect(label(page)).to_have_text("Reconnecting")
    page.run(1, "print(6 * 7)")
    expect(page.cell(1).locator(".jp-InputPrompt")).to_have_text("[*]:")
    shot(page, "cut")
    line(page).get_by_role("button", name="Try Now").click()
    expect(line(page)).to_have_count(1)
    network.restore()
    expect(page.cell(1).locator(".jp-OutputArea-output")).to_have_text("42")
    expect(line(page)).to_have_count(0)
    expect(label(page)).to_have_count(0)
    expect(page.dialog).to_have_count(0)


def test_who_may_no_longer_use_a_kernel_is_told_until_the_right_is_back(
    cut_off: tuple[LabPage, Network],
) -> None:
    page, network = cut_off
    network.close_sockets(code=4403, reason="you are not an editor of the project 'demo'")
    words = "You may no longer use this kernel: you are not an editor of the project 'demo'."
    expect(line(page)).to_contain_text(words)
    expect(label(page)).to_have_text("No access")
    shot(page, "no-access")
    page.run(1, "print(6 * 7)")
    expect(page.cell(1).locator(".jp-OutputArea-output")).to_have_text("42")
    expect(line(page)).to_have_count(0)


def test_who_is_signed_out_signs_in_from_the_line(
    fleet: Fleet, cut_off: tuple[LabPage, Network]
) -> None:
    page, network = cut_off
    # As if the login had ended, for which other tests wait.
    page.page.context.clear_cookies()
    network.close_sockets(code=4401, reason="the login has ended")
    expect(page.dialog).to_contain_text("Sign in again")
    page.choose("Not Now")
    expect(line(page)).to_contain_text("You are signed out. What you run waits until you sign in")
    expect(label(page)).to_have_text("Signed out")
    shot(page, "signed-out")
    line(page).get_by_role("button", name="Sign In").click()
    expect(page.dialog).to_contain_text("Sign in again")
    page.choose("Not Now")
    page.run(1, "print(6 * 7)")
    tab = page.page.context.new_page()
    tab.goto(f"{page.url}/login?token={fleet.token('ann')}&next=/login%3Fdone")
    expect(page.cell(1).locator(".jp-OutputArea-output")).to_have_text("42")
    expect(line(page)).to_have_count(0)


def test_only_a_server_that_stays_away_is_complained_of(cut_off: tuple[LabPage, Network]) -> None:
    page, network = cut_off
    lost = page.page.locator(".jp-Dialog", has_text="Server Connection Error")
    page.page.locator('.lm-TabBar-tab[data-id="jp-running-sessions"]').click()
    refresh = page.page.locator("#jp-running-sessions").get_by_title("Refresh List")

    def poll(seconds: int) -> None:
        for _ in range(seconds):
            refresh.click(timeout=2000)
            page.page.wait_for_timeout(1000)
            expect(lost).to_have_count(0)

    network.cut()
    poll(5)
    network.restore()
    poll(8)
    network.cut()
    refresh.click()
    expect(lost).to_have_count(1)
    shot(page, "lost")
    network.restore()
    expect(lost).to_have_count(0)
