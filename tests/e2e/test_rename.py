"""A notebook is renamed while it is open: it stays one notebook with one kernel."""

from __future__ import annotations

import uuid

from playwright.sync_api import expect

from tests.e2e.conftest import OpenPage
from tests.e2e.lab_page import LabPage, wait_for
from tests.e2e.running_fleet import Files, Fleet


def test_a_renamed_notebook_keeps_its_kernel_on_every_page(
    fleet: Fleet, files: Files, ann: LabPage, lab_urls: tuple[str, str], signed_in: OpenPage
) -> None:
    ann.open_path("demo")
    ann.new_notebook()
    kernel = ann.evaluate(0, "x = 41; print(get_ipython().kernel.ident)")
    for _ in range(3):
        # The page tells of a rename in two requests at once; which comes first is chance.
        name = f"renamed-{uuid.uuid4().hex[:8]}.ipynb"
        ann.rename_current(name)
        wait_for(
            "the session to follow",
            lambda name=name: f"demo/{name}" in files.session_paths(),  # type: ignore[misc]
            30,
        )
    assert ann.evaluate(1, "print(x + 1)") == "42"
    assert ann.evaluate(2, "print(get_ipython().kernel.ident)") == kernel
    ann.save()
    wait_for("the notebook to be saved", lambda: not ann.dirty, 60)

    second = signed_in(lab_urls[1], fleet.token("bob"))
    second.open_path(f"demo/{name}")
    second.wait_for_kernel()
    expect(second.dialog).to_have_count(0)
    assert second.evaluate(0, "print(get_ipython().kernel.ident, x)") == f"{kernel} 41"
    assert set(files.session_paths()) == {f"demo/{name}"}

    # The second page saves before it has heard of another rename: at the new name.
    second.write(0, "written in the second page")
    moved = f"renamed-{uuid.uuid4().hex[:8]}.ipynb"
    files.rename(f"demo/{name}", f"demo/{moved}")
    second.save()
    wait_for("the notebook to be saved", lambda: not second.dirty, 60)
    expect(second.dialog).to_have_count(0)
    expect(second.page.locator("#jp-main-dock-panel .lm-TabBar-tab.lm-mod-current")).to_have_text(
        moved
    )
    assert "written in the second page" in str(files.get(f"demo/{moved}")["content"])
    listed = [entry["name"] for entry in files.get("demo")["content"]]
    assert moved in listed
    assert name not in listed
    # And goes on there, over the version that it has saved.
    second.write(0, "written once more")
    second.save()
    wait_for("the notebook to be saved", lambda: not second.dirty, 60)
    expect(second.dialog).to_have_count(0)
    assert "written once more" in str(files.get(f"demo/{moved}")["content"])


def test_a_notebook_that_cannot_have_the_name_of_another_says_so(
    files: Files, ann: LabPage
) -> None:
    taken = f"taken-{uuid.uuid4().hex[:8]}.txt"
    files.save(f"demo/{taken}", {"type": "file", "format": "text", "content": "theirs"})
    mine = f"mine-{uuid.uuid4().hex[:8]}.txt"
    files.save(f"demo/{mine}", {"type": "file", "format": "text", "content": "mine"})
    ann.open_path(f"demo/{mine}")
    expect(ann.editor).to_contain_text("mine")
    tab = ann.page.locator("#jp-main-dock-panel .lm-TabBar-tab.lm-mod-current")
    tab.click(button="right")
    ann.page.locator(".lm-Menu-itemLabel", has_text="Rename").first.click()
    field = ann.dialog.locator("input")
    field.fill(taken)
    field.press("Enter")
    expect(ann.dialog).to_contain_text(f"demo/{taken} already exists")
    ann.choose("Close")
    expect(tab).to_contain_text(mine)
    assert files.get(f"demo/{taken}")["content"] == "theirs"
