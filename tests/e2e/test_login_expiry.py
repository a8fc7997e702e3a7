"""A login that ends while its page is open: the page asks to sign in, and goes on."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.e2e.conftest import OpenPage
from tests.e2e.lab_page import PATIENCE_MS, LabPage, wait_for
from tests.e2e.running_fleet import Files, Fleet

SECONDS = 20.0
"""How long the first login lasts: long enough for a loaded machine to open a notebook."""


def test_a_page_outlives_its_login(
    fleet: Fleet, signed_in: OpenPage, files: Files, end: Path
) -> None:
    ann, bob = fleet.token("ann"), fleet.token("bob")
    page = signed_in(fleet.url, fleet.short_token("ann", SECONDS))
    page.open_path("demo")
    name = page.new_notebook()
    page.mark()
    page.save()
    page.choose("Rename and Save")
    page.run(
        0,
        "import os, time; i = 0\n"
        f"while not os.path.exists('{end}'): print('line', i, flush=True); i += 1; time.sleep(0.1)",
    )
    wait_for("the first line", lambda: "line 0" in page.output(0), 60)

    expect(page.dialog).to_contain_text("Sign in again", timeout=PATIENCE_MS)
    expect(page.dialog).to_contain_text("Your login has expired")
    page.page.wait_for_timeout(1000)
    expect(page.dialog).to_have_count(1)
    before = lines(page.output(0))[-1]
    page.choose("Not Now")
    page.write(1, "'an edit'")
    page.save()
    # The save is refused, and asks again; nothing is lost and nothing else is said.
    expect(page.dialog).to_contain_text("Sign in again")
    expect(page.dialog).to_have_count(1)
    assert page.dirty
    assert "an edit" not in str(files.get(f"demo/{name}")["content"])

    somebody = page.page.context.new_page()
    somebody.goto(f"{page.url}/login?token={bob}&next=/login%3Fdone")
    expect(page.dialog).to_contain_text("signed in as bob")
    expect(page.dialog).to_have_count(1)
    somebody.close()
    assert page.dirty

    sign_in(page, "Sign In as ann", ann)
    expect(page.dialog).to_have_count(0, timeout=PATIENCE_MS)
    wait_for("the edit", lambda: "an edit" in str(files.get(f"demo/{name}")["content"]), 60)
    wait_for("lines to come on", lambda: lines(page.output(0))[-1] > before + 30, 60)
    end.touch()
    wait_for("the reply of the cell", lambda: page.has_reply(0), 60)
    printed = lines(page.output(0))
    assert printed == list(range(len(printed))), "each line once and in order"
    assert page.evaluate(1, "print(i)") == str(len(printed))
    expect(page.page.locator("#jp-bottom-panel")).to_contain_text("Idle")
    assert not page.reloaded


def sign_in(page: LabPage, button: str, token: str) -> None:
    """Click the dialog's button and sign in in the tab that it opens."""
    with page.page.context.expect_page() as opened:
        page.dialog.locator("button", has_text=button).click()
    tab: Page = opened.value
    tab.locator("#token").fill(token)
    tab.locator("#token").press("Enter")
    expect(tab.locator("h1")).to_contain_text("You are signed in as")
    tab.close()


def lines(output: str) -> list[int]:
    return [int(number) for number in re.findall(r"line (\d+)\n", output + "\n")]
