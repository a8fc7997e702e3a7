"""The URL that `up` prints, in a browser."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from tests.e2e.conftest import OpenPage
from tests.e2e.lab_page import LabPage
from tests.e2e.running_fleet import Fleet


def test_the_printed_url_signs_in(fleet: Fleet, browser: Browser) -> None:
    context = browser.new_context()
    status = fleet.status()
    page = LabPage(context.new_page(), status["url"].rstrip("/"))
    page.page.goto(fleet.login_link(), wait_until="domcontentloaded")
    page.ready()
    assert "token=" not in page.page.url
    answer = page.page.request.get(f"{page.url}/api/me")
    assert answer.ok
    assert answer.json()["identity"]["username"]
    # Inside the project, where the launcher can create something.
    expect(page.page.locator(".jp-BreadCrumbs")).to_contain_text("demo")
    context.close()


def test_a_page_without_a_token_is_not_let_in(fleet: Fleet, browser: Browser) -> None:
    context = browser.new_context()
    url = fleet.url.rstrip("/")
    page = context.new_page()
    page.goto(f"{url}/lab", wait_until="domcontentloaded")
    assert "/login" in page.url
    assert page.request.get(f"{url}/api/contents/demo").status in (401, 403)
    context.close()


def test_the_labextension_replaces_the_stock_drive(fleet: Fleet, open_page: OpenPage) -> None:
    page = open_page(fleet.url, fleet.token("ann"))
    config = page.page.locator("#jupyter-config-data").text_content() or ""
    assert '"jupyterFleet": true' in config
    assert "@jupyterlab/services-extension:default-drive" in config
