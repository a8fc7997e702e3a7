"""Kernels that are ended from the page: "all" means mine, and other people's are asked about."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

from tests.e2e.lab_page import LabPage, wait_for
from tests.e2e.running_fleet import Files


def living(files: Files) -> set[str]:
    """Who has started the kernels that run."""
    answer = files.session.get(f"{files.url}/api/kernels", timeout=30)
    answer.raise_for_status()
    return {kernel["username"] for kernel in answer.json()}


def row(lab: LabPage, notebook: str) -> Locator:
    """The row of a notebook's kernel in the panel of what runs."""
    kernels = lab.page.locator("#jp-running-sessions .jp-RunningSessions-item.jp-mod-kernel")
    return kernels.filter(has_text=notebook).first


def test_all_means_mine_and_others_are_asked_about_by_name(
    ann: LabPage, bob: LabPage, files: Files
) -> None:
    for page in (ann, bob):
        page.open_path("demo")
    of_ann, of_bob = ann.new_notebook(), bob.new_notebook()
    ann.evaluate(0, "x = 41")

    # The whole server cannot be shut down from the page.
    entries = [e.inner_text() for e in bob.open_menu("File").all() if e.is_visible()]
    assert "Sign Out" in entries
    assert not {"Shut Down", "Log Out"} & set(entries)
    bob.page.keyboard.press("Escape")
    assert "Licenses" not in bob.open_menu("Help").all_inner_texts()
    bob.page.keyboard.press("Escape")
    refused = bob.page.evaluate(
        "async () => (await fetch('/api/shutdown', {method: 'POST', headers: {'X-XSRFToken':"
        " document.cookie.match(/_xsrf=([^;]+)/)?.[1] ?? ''}})).status"
    )
    assert refused in (403, 404)

    # From the panel: another person's, one by one.
    bob.page.locator('.lm-TabBar-tab[data-id="jp-running-sessions"]').click()
    bob.page.locator("#jp-running-sessions").get_by_title("Refresh List").click()
    theirs = row(bob, of_ann)
    theirs.hover()
    theirs.locator(".jp-RunningSessions-itemShutdown").first.click(force=True)
    for word in ("ann", of_ann, "demo"):
        expect(bob.dialog).to_contain_text(word)
    bob.choose("Cancel")
    assert living(files) == {"ann", "bob"}

    # The section's title and its buttons have room in a sidebar of the first width.
    title = bob.page.locator("#jp-running-sessions h3", has_text="Kernels")
    label = title.locator(".lm-AccordionPanel-titleLabel")
    assert label.evaluate("label => label.scrollWidth <= label.clientWidth")
    whole = title.bounding_box()
    button = title.locator("jp-button.jp-RunningSessions-shutdownAll").bounding_box()
    assert whole
    assert button
    assert button["x"] + button["width"] <= whole["x"] + whole["width"]
    assert button["y"] + button["height"] <= whole["y"] + whole["height"]

    # "All", in the panel and in the menu.
    bob.page.locator(".jp-RunningSessions-shutdownAll", has_text="Shut Down Mine").click()
    expect(bob.dialog).to_contain_text("your kernel")
    bob.choose("Shut Down Mine")
    wait_for("bob's kernel to end", lambda: living(files) == {"ann"}, 60)
    expect(row(bob, of_bob)).to_have_count(0)
    kernel_menu = bob.open_menu("Kernel").filter(has_text=re.compile("^Shut Down All My Kernels"))
    expect(kernel_menu.locator("xpath=ancestor::li")).to_have_class(re.compile("lm-mod-disabled"))
    bob.page.keyboard.press("Escape")
    assert ann.evaluate(1, "x + 1") == "42"

    # From the notebook itself.
    errors = list[str]()
    bob.page.on("pageerror", lambda error: errors.append(str(error)))
    bob.open_path(f"demo/{of_ann}")
    bob.wait_for_kernel()
    for entry, title in (
        ("Restart Kernel…", "Restart the Kernel of ann?"),
        ("Shut Down Kernel$", "Shut Down the Kernel of ann?"),
    ):
        bob.choose_in_menu("Kernel", entry)
        expect(bob.dialog).to_contain_text(title)
        expect(bob.dialog).to_contain_text(f'"{of_ann}" in the project "demo"')
        bob.choose("Cancel")
    # Deleting the notebook would end the kernel as well.
    bob.delete_listed(of_ann)
    expect(bob.dialog).to_contain_text("Shut Down the Kernel of ann?")
    bob.dialog.locator("button", has_text="Cancel").click()
    expect(bob.dialog).to_contain_text("the kernel goes on")
    bob.page.keyboard.press("Escape")
    expect(bob.dialog).to_have_count(0)
    assert files.get(f"demo/{of_ann}")
    assert ann.evaluate(2, "x + 2") == "43"
    assert living(files) == {"ann"}
    expect(bob.page.locator("#jp-bottom-panel")).to_contain_text("| Idle")
    # What bob decided against is no error.
    assert not errors
    ann.run(3, "import time; time.sleep(600)")
    wait_for("the cell to run", lambda: ann.prompt(3) == "[*]:", 60)
    expect(bob.page.locator("#jp-bottom-panel")).to_contain_text("| Busy")
    bob.choose_in_menu("Kernel", "Interrupt Kernel")
    told = ann.page.locator(".Toastify__toast")
    expect(told.filter(has_text=f"bob interrupted the kernel of {of_ann} at ")).to_be_visible()
    bob.choose_in_menu("Kernel", "Shut Down Kernel$")
    bob.choose("Shut Down")
    wait_for("ann's kernel to end", lambda: not living(files), 60)
    expect(told.filter(has_text=f"bob shut down the kernel of {of_ann} at ")).to_be_visible()
    # Who has done it knows.
    expect(bob.page.locator(".Toastify__toast")).to_have_count(0)


def test_all_my_kernels_are_listed_before_they_end(ann: LabPage, files: Files) -> None:
    ann.open_path("demo")
    notebook = ann.new_notebook()
    ann.choose_in_menu("Kernel", "Shut Down All My Kernels")
    expect(ann.dialog).to_contain_text(f"{notebook} (demo)")
    ann.choose("Shut Down")
    wait_for("the kernel to end", lambda: not living(files), 60)
