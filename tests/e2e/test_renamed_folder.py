"""A folder is renamed and moved while a notebook in it is open: the same kernel on every page."""

from __future__ import annotations

import re
import uuid

from playwright.sync_api import expect

from tests.e2e.conftest import OpenPage
from tests.e2e.lab_page import LabPage, wait_for
from tests.e2e.running_fleet import Files, Fleet


def test_a_notebook_follows_its_renamed_and_moved_folder(
    fleet: Fleet, files: Files, ann: LabPage, lab_urls: tuple[str, str], signed_in: OpenPage
) -> None:
    # Names that would be patterns in a regular expression.
    old, new, other = (f"{word} (2) {uuid.uuid4().hex[:6]}" for word in ("Data", "Runs", "Other"))
    for folder in (old, other):
        files.save(f"demo/{folder}", {"type": "directory"})
    ann.open_path(f"demo/{old}")
    name = ann.new_notebook()
    kernel = ann.evaluate(0, "x = 41; print(get_ipython().kernel.ident)")
    ann.save()
    ann.choose("Rename and Save")
    wait_for("the notebook to be saved", lambda: not ann.dirty, 60)
    bob = signed_in(lab_urls[1], fleet.token("bob"))
    bob.open_path(f"demo/{old}/{name}")
    bob.wait_for_kernel()
    # JupyterLab's own message about a folder that is gone is not what this is about.
    bob.page.locator('.jp-BreadCrumbs-item[title="demo"]').click()
    expect(bob.listed(old)).to_be_visible()

    ann.page.locator('.jp-BreadCrumbs-item[title="demo"]').click()
    ann.listed(old).click()
    ann.page.keyboard.press("F2")
    field = ann.page.locator(".jp-DirListing-editor")
    field.fill(new)
    field.press("Enter")
    expect_to_be_at(ann, files, f"demo/{new}/{name}")
    # Another page hears of it from the session.
    expect_tab_of(bob, f"demo/{new}/{name}")

    ann.listed(new).drag_to(ann.listed(other))
    expect(ann.listed(new)).to_have_count(0)
    path = f"demo/{other}/{new}/{name}"
    expect_to_be_at(ann, files, path)
    expect_tab_of(bob, path)

    # The notebook is saved where it is now, and nowhere else.
    assert ann.evaluate(1, "x + 1") == "42"
    ann.save()
    wait_for("the notebook to be saved", lambda: not ann.dirty, 60)
    expect(ann.dialog).to_have_count(0)
    assert "x + 1" in str(files.get(path)["content"])
    assert bob.evaluate(0, "print(get_ipython().kernel.ident, x)") == f"{kernel} 41"
    assert files.session_paths() == [path]

    # The other page still holds the version that it loaded, so its save is a conflict.
    bob.save()
    expect(bob.dialog).to_contain_text("was saved by ann")
    bob.choose("Cancel")


def expect_to_be_at(lab: LabPage, files: Files, path: str) -> None:
    expect_tab_of(lab, path)
    wait_for("the session to follow", lambda: files.session_paths() == [path], 60)


def expect_tab_of(lab: LabPage, path: str) -> None:
    """The document in front is the one at `path`."""
    tab = lab.page.locator("#jp-main-dock-panel .lm-TabBar-tab.lm-mod-current")
    expect(tab).to_have_attribute("title", re.compile(f"Path: {re.escape(path)}\n"))
