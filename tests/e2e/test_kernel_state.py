"""What the page says of the kernel's state and of the server's."""

from __future__ import annotations

import re
import signal

from playwright.sync_api import Route, expect

from tests.e2e.conftest import OpenPage
from tests.e2e.lab_page import LabPage, wait_for
from tests.e2e.running_fleet import Fleet, stop
from tests.e2e.test_killed_process import serving_lab


def test_the_page_says_busy_after_it_connects_again(fleet: Fleet, signed_in: OpenPage) -> None:
    page = signed_in(fleet.url, fleet.token("ann"))
    bar = page.page.locator("#jp-bottom-panel")
    busy, idle = re.compile(r"\| Busy"), re.compile(r"\| Idle")
    page.open_path("demo")
    page.new_notebook()
    page.run(0, "import time; time.sleep(600)")
    expect(bar).to_contain_text(busy)

    def stays_busy() -> None:
        expect(bar).to_contain_text(busy)
        # The page asks the kernel for this and that once it has connected.
        page.page.wait_for_timeout(1500)
        expect(bar).to_contain_text(busy, timeout=1)

    sockets = page.kernel_sockets
    lab = serving_lab(fleet)
    stop(lab, signal.SIGKILL)
    wait_for(
        "another websocket",
        lambda: not page.kernel_lost() and page.kernel_sockets > sockets,
        30,
    )
    stays_busy()
    page.page.reload(wait_until="domcontentloaded")
    page.ready()
    stays_busy()

    page.choose_in_menu("Kernel", "Interrupt Kernel")
    expect(bar).to_contain_text(idle)
    page.page.reload(wait_until="domcontentloaded")
    page.ready()
    expect(bar).to_contain_text(idle)
    fleet.replaced(lab)


def test_the_message_about_a_lost_connection_closes_when_it_is_back(ann: LabPage) -> None:
    lost = ann.page.locator(".jp-Dialog", has_text="Server Connection Error")

    def refuse(route: Route) -> None:
        route.fulfill(status=503, body="{}")

    ann.open_path("demo")
    ann.page.route(re.compile("/api/sessions(\\?|$)"), refuse)
    ann.page.locator('.lm-TabBar-tab[data-id="jp-running-sessions"]').click()
    ann.page.locator("#jp-running-sessions").get_by_title("Refresh List").click()
    expect(lost).to_be_visible()
    # The page asks again, and is refused again.
    with ann.page.expect_response(re.compile("/api/sessions(\\?|$)")):
        pass
    expect(lost).to_be_visible()
    ann.page.unroute_all()
    expect(lost).to_have_count(0)
