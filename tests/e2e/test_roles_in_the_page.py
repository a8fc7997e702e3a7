"""What the page offers to whom: projects, a look, a way out."""

from __future__ import annotations

import re
import uuid
from typing import Any

from playwright.sync_api import Locator, expect

from tests.e2e.conftest import OpenPage
from tests.e2e.lab_page import PATIENCE_MS, LabPage, wait_for
from tests.e2e.running_fleet import Files, Fleet


def changes_asked_for(page: LabPage) -> list[str]:
    """The requests that change contents, as the page sends them from now on."""
    asked = list[str]()
    page.page.on(
        "request",
        lambda request: (
            asked.append(f"{request.method} {request.url}")
            if request.method != "GET" and "/api/contents" in request.url
            else None
        ),
    )
    return asked


def test_whoever_has_several_projects_is_offered_them_first(
    fleet: Fleet, open_page: OpenPage
) -> None:
    dora = open_page(
        fleet.url,
        fleet.token_in("dora", "demo=editor", "second=editor", "third=viewer"),
    )
    errors = list[str]()
    dora.page.on("pageerror", lambda error: errors.append(str(error)))
    projects = dora.page.locator(".jp-fleet-Projects")
    expect(projects.locator("[data-project]")).to_have_count(3)
    expect(dora.page.locator(".jp-LauncherCard[data-category]:visible")).to_have_count(0)

    # Beside the projects, JupyterLab's own ways to create something say what to do.
    asked = changes_asked_for(dora)
    dora.choose_in_submenu("File", "New", "Text File")
    expect_to_be_sent_into_a_project(dora)
    dora.page.locator("[data-command='filebrowser:create-new-directory']").first.click()
    expect_to_be_sent_into_a_project(dora)
    with dora.page.expect_file_chooser() as chosen:
        dora.page.locator(".jp-id-upload, [data-jp-item-name=uploader]").first.click()
    chosen.value.set_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"a"})
    expect_to_be_sent_into_a_project(dora)
    assert not asked
    assert not errors

    projects.locator("[data-project=third]").click()
    expect(projects).to_contain_text("You can look at files but not run")
    expect(dora.page.locator(".jp-LauncherCard[data-category]:visible")).to_have_count(0)

    projects.locator("[data-project=second]").click()
    expect(projects).to_be_hidden()
    dora.new_notebook()
    expect(dora.page.locator(".jp-BreadCrumbs")).to_contain_text("second")


def expect_to_be_sent_into_a_project(lab: LabPage) -> None:
    expect(lab.dialog).to_contain_text("open one of your projects first")
    lab.page.keyboard.press("Escape")
    expect(lab.dialog).to_have_count(0)


def test_a_viewer_of_all_projects_is_offered_nothing_to_create(
    fleet: Fleet, open_page: OpenPage
) -> None:
    vera = open_page(fleet.url, fleet.token_in("vera", "demo=viewer"))
    hint = vera.page.locator(".jp-fleet-Projects-hint")
    expect(hint).to_contain_text('a viewer of the project "demo"')
    vera.page.locator(".jp-BreadCrumbs-home").click()
    expect(hint).to_contain_text("You cannot run or change them")
    expect(hint).not_to_contain_text("created inside a project")
    vera.open_menu("File").filter(has_text=re.compile("^New$")).click()
    console = vera.page.locator(".lm-Menu-item[data-command='console:create']")
    expect(console).to_have_class(re.compile("lm-mod-disabled"))


def test_the_page_offers_no_extensions_and_plugins_to_change(
    fleet: Fleet, open_page: OpenPage
) -> None:
    olga = open_page(fleet.url, fleet.token("olga", "owner"))
    tabs = olga.page.locator(".jp-SideBar .lm-TabBar-tab")
    expect(tabs.filter(has=olga.page.locator("[data-icon='ui-components:folder']"))).to_be_visible()
    assert not tabs.locator("[data-icon='ui-components:extension']").count()
    for menu in ("View", "Settings"):
        labels = olga.open_menu(menu).all_inner_texts()
        assert len(labels) > 3
        assert not [label for label in labels if "Extension" in label or "Plugin" in label]
        olga.page.keyboard.press("Escape")


def test_a_viewer_reads_that_they_may_look_and_starts_nothing(
    fleet: Fleet, signed_in: OpenPage, files: Files, ann: LabPage
) -> None:
    output = {"output_type": "stream", "name": "stdout", "text": "42\n"}
    cell = {"cell_type": "code", "source": "print(6 * 7)", "metadata": {}, "outputs": [output]}
    content = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": files.default_kernel(), "display_name": "P"}},
        "cells": [{**cell, "id": "c", "execution_count": 1}],
    }
    path = f"demo/looked-at-{uuid.uuid4().hex[:8]}.ipynb"
    files.save(path, {"type": "notebook", "format": "json", "content": content})
    # Somebody else runs it.
    ann.open_path(path)
    ann.wait_for_kernel()

    vic = signed_in(fleet.url, fleet.token("vic", "viewer"))
    errors: list[str] = []
    vic.page.on("pageerror", lambda error: errors.append(str(error)))
    asked: list[str] = []
    vic.page.on(
        "request",
        lambda request: (
            asked.append(request.url)
            if request.method == "POST" and "/api/sessions" in request.url
            else None
        ),
    )
    vic.open_path(path)
    expect(
        vic.notebook.locator(".jp-fleet-Notice.jp-mod-info:not(.lm-mod-hidden)")
    ).to_contain_text(
        'You can look at files but not run or change them: you are a viewer of the project "demo".'
        " Ask an owner to make you an editor."
    )
    expect(vic.cell(0)).to_contain_text("42")
    vic.cell(0).locator(".cm-content").click()
    vic.page.keyboard.press("Shift+Enter")
    expect(vic.page.locator(".jp-toast-message").last).to_contain_text("look at files but not")
    assert vic.output(0).strip() == "42"
    for menu, entry in [
        ("Kernel", "Interrupt Kernel"),
        ("Kernel", "Restart Kernel…"),
        ("Kernel", "Restart Kernel and Run All Cells"),
        ("Kernel", "Reconnect to Kernel"),
        ("Kernel", "Change Kernel"),
        ("Run", "Restart Kernel and Run All Cells"),
        ("File", "Duplicate Notebook"),
        ("File", "Rename Notebook…"),
        ("File", "Revert Notebook to Checkpoint…"),
    ]:
        dismiss_toasts(vic)
        vic.choose_in_menu(menu, entry)
        expect(vic.page.locator(".jp-toast-message").last).to_contain_text("Ask an owner")
    dismiss_toasts(vic)
    vic.save()
    expect(vic.page.locator(".jp-toast-message").last).to_contain_text("Ask an owner")
    expect(vic.dialog).to_have_count(0)
    expect(vic.page.locator("#jp-bottom-panel")).not_to_contain_text("Disconnected")
    assert vic.kernel_sockets == 0
    assert not asked
    assert not errors

    # JupyterLab would end the kernel before it deletes the notebook.
    vic.delete_listed(path.rpartition("/")[2])
    expect_to_look_only(vic)
    assert files.session_paths() == [path]


def dismiss_toasts(lab: LabPage) -> None:
    close = lab.page.locator(".jp-Notification-Toast-Close")
    # At once, since a button moves away and is gone while its message closes.
    close.evaluate_all("buttons => buttons.forEach(button => button.click())")
    expect(lab.page.locator(".jp-toast-message")).to_have_count(0)


def test_a_viewer_reads_in_plain_words_why_nothing_can_be_changed(
    fleet: Fleet, signed_in: OpenPage, files: Files
) -> None:
    name = f"fixed-{uuid.uuid4().hex[:8]}"
    files.save(f"demo/{name}", {"type": "directory"})
    files.save(f"demo/{name}/a.txt", {"type": "file", "format": "text", "content": "a"})
    vic = signed_in(fleet.url, fleet.token("vic", "viewer"))
    vic.open_path(f"demo/{name}")
    expect(vic.listed("a.txt")).to_be_visible()
    asked = changes_asked_for(vic)

    vic.choose_in_submenu("File", "New", "Text File")
    expect_to_look_only(vic)
    vic.choose_in_submenu("File", "New", "Notebook")
    expect_to_look_only(vic)
    vic.page.locator("[data-command='filebrowser:create-new-directory']").first.click()
    expect_to_look_only(vic)
    with vic.page.expect_file_chooser() as chosen:
        vic.page.locator(".jp-id-upload, [data-jp-item-name=uploader]").first.click()
    chosen.value.set_files({"name": "b.txt", "mimeType": "text/plain", "buffer": b"b"})
    expect_to_look_only(vic)
    vic.choose_for_listed("a.txt", "Rename")
    vic.page.locator(".jp-DirListing-editor").fill("b.txt")
    vic.page.keyboard.press("Enter")
    expect_to_look_only(vic)
    vic.choose_for_listed("a.txt", "Duplicate")
    expect_to_look_only(vic)
    vic.choose_for_listed("a.txt", "Copy")
    vic.choose_for_listed("a.txt", "Paste")
    expect_to_look_only(vic)
    vic.delete_listed("a.txt")
    expect_to_look_only(vic)
    vic.choose_for_listed("a.txt", "Cut")
    vic.page.locator('.jp-BreadCrumbs-item[title="demo"]').click()
    vic.choose_for_listed(name, "Paste")
    expect_to_look_only(vic)
    assert not asked


def expect_to_look_only(lab: LabPage) -> None:
    expect(lab.dialog).to_contain_text('you are a viewer of the project "demo". Ask an owner')
    lab.page.keyboard.press("Escape")
    expect(lab.dialog).to_have_count(0)


def test_an_open_page_follows_the_roles_of_a_new_login(
    fleet: Fleet, signed_in: OpenPage, files: Files
) -> None:
    path = new_notebook(files)
    url = fleet.url
    zoe = signed_in(url, fleet.token("zoe", "viewer"))
    zoe.open_path(path)
    notice = zoe.notebook.locator(".jp-fleet-Notice.jp-mod-info:not(.lm-mod-hidden)")
    expect(notice).to_be_visible()
    zoe.mark()

    sign_in_elsewhere(zoe, fleet.token("zoe", "editor"))
    expect(notice).to_be_hidden()
    assert zoe.evaluate(0, "x = 6 * 7; x", timeout=60) == "42"
    zoe.notebook.locator("[data-jp-item-name='save'] jp-button:not([disabled])").click()
    wait_for("the notebook to be saved", lambda: not zoe.dirty, 60)
    assert "6 * 7" in str(files.get(path)["content"])
    kernels = files.kernels()

    sign_in_elsewhere(zoe, fleet.token("zoe", "viewer"))
    expect(notice).to_be_visible()
    zoe.run(1, "1 + 1")
    expect(zoe.page.locator(".jp-toast-message").last).to_contain_text("look at files but not")
    assert zoe.prompt(1) == "[ ]:"
    zoe.choose_in_submenu("File", "New", "Text File")
    expect_to_look_only(zoe)
    # Nothing of the page came from a reload, and the kernel goes on without it.
    assert not zoe.reloaded
    expect(zoe.page.locator("#jp-bottom-panel")).to_contain_text("No Kernel")
    assert [kernel["id"] for kernel in files.kernels()] == [kernel["id"] for kernel in kernels]

    # What the notice says can be read in the dark theme, too.
    zoe.choose_theme("JupyterLab Dark")
    assert contrast(notice) > 4.5

    # The notebook goes back to its session, so the kernel can be ended from it.
    zoe.page.keyboard.press("Escape")
    sign_in_elsewhere(zoe, fleet.token("zoe", "editor"))
    zoe.wait_for_kernel()
    assert zoe.evaluate(1, "x + 1") == "43"
    assert files.session_paths() == [path]
    zoe.choose_in_menu("Kernel", "Shut Down Kernel$")
    wait_for("the kernel to end", lambda: not files.kernels(), 60)
    assert not files.session_paths()


def new_notebook(files: Files) -> str:
    """The path of a saved notebook with one empty cell."""
    path = f"demo/role-{uuid.uuid4().hex[:8]}.ipynb"
    cell = {"cell_type": "code", "id": "c", "source": "", "metadata": {}, "outputs": []}
    content = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": files.default_kernel(), "display_name": "P"}},
        "cells": [{**cell, "execution_count": None}],
    }
    files.save(path, {"type": "notebook", "format": "json", "content": content})
    return path


def test_edits_of_a_project_that_was_taken_away_stay_in_the_page(
    fleet: Fleet, signed_in: OpenPage, files: Files
) -> None:
    path = new_notebook(files)
    url = fleet.url
    yan = signed_in(url, fleet.token("yan"))
    yan.open_path(path)
    assert yan.evaluate(0, "x = 41; x") == "41"
    yan.save()
    wait_for("the notebook to be saved", lambda: not yan.dirty, 60)
    yan.write(1, "x + 1")
    yan.mark()
    elsewhere = fleet.token_in("yan", "second=editor")
    sign_in_elsewhere(yan, elsewhere)
    notice = yan.notebook.locator(".jp-fleet-Notice.jp-mod-info:not(.lm-mod-hidden)")
    expect(notice).to_contain_text('You no longer have access to the project "demo"')
    expect(notice).to_contain_text("Ask an owner")
    expect(yan.page.locator(".jp-BreadCrumbs")).not_to_contain_text("demo")
    expect(yan.listed("second")).to_be_visible()
    for ask in (yan.save, lambda: yan.page.keyboard.press("Shift+Enter")):
        dismiss_toasts(yan)
        yan.cell(1).locator(".cm-content").click()
        ask()
        expect(yan.page.locator(".jp-toast-message").last).to_contain_text("no longer have access")
    assert yan.dirty
    assert "x + 1" in yan.cell(1).inner_text()
    assert "x + 1" not in str(files.get(path)["content"])

    # The role comes back, and with it the kernel.
    sign_in_elsewhere(yan, fleet.token("yan"))
    expect(notice).to_be_hidden()
    yan.wait_for_kernel()
    assert yan.evaluate(1, "x + 1") == "42"
    assert files.session_paths() == [path]

    # As the notice says: a copy in another project.
    yan.write(0, "kept = 1")
    sign_in_elsewhere(yan, elsewhere)
    expect(notice).to_be_visible()
    yan.choose_in_menu("File", "Save Notebook As")
    copy = path.replace("demo", "second")
    yan.dialog.locator("input").fill(copy)
    yan.dialog.get_by_role("button", name="Save", exact=True).click()
    # The notebook that it is a copy of closes with changes that cannot be saved.
    expect(yan.dialog).to_contain_text("before closing?")
    yan.choose("Discard")
    expect(notice).to_be_hidden()
    wait_for("the copy to be saved", lambda: not yan.dirty, 60)
    assert "kept = 1" in str(Files(url, elsewhere).get(copy)["content"])
    assert not yan.reloaded


def sign_in_elsewhere(lab: LabPage, token: str) -> None:
    """Sign in again as the same person, in another tab of the same browser."""
    tab = lab.page.context.new_page()
    tab.goto(f"{lab.url}/login?token={token}&next=/login%3Fdone")
    expect(tab.locator("h1")).to_contain_text("You are signed in as")
    tab.close()


def contrast(text: Locator) -> float:
    """How much the color of an element's text differs from its background: 1 (not) to 21."""
    ratio: float = text.evaluate(
        """node => {
          const canvas = document.createElement('canvas').getContext('2d');
          const style = getComputedStyle(node);
          const light = colors => {
            for (const color of colors) {
              canvas.fillStyle = color;
              canvas.fillRect(0, 0, 1, 1);
            }
            const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map(part => {
              const value = part / 255;
              return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const back = light([style.backgroundColor]);
          const front = light([style.backgroundColor, style.color]);
          return (Math.max(back, front) + 0.05) / (Math.min(back, front) + 0.05);
        }"""
    )
    return ratio


def test_the_page_says_who_i_am_and_signs_out(fleet: Fleet, open_page: OpenPage) -> None:
    eve = open_page(fleet.url, fleet.token("eve"))
    other = LabPage(eve.page.context.new_page(), eve.url)
    other.open_path()
    eve.page.locator("#jp-fleet-account .lm-MenuBar-item", has_text="eve").click()
    entries = eve.page.locator(".lm-Menu-itemLabel")
    expect(entries.first).to_have_text("Signed in as eve")
    entries.filter(has_text="Sign Out").click()
    eve.page.wait_for_url("**/login*", timeout=PATIENCE_MS)
    expect(eve.page.locator("#token")).to_be_visible()
    names = [cookie.get("name") for cookie in eve.page.context.cookies()]
    assert "jupyter-fleet-login" not in names
    assert eve.page.request.get(f"{eve.url}/api/me").status in (401, 403)
    expect(other.dialog).to_contain_text("You signed out in another tab")
    sign_in_elsewhere(other, fleet.token("eve"))
    expect(other.dialog).to_have_count(0)


def any_widget(script: str) -> dict[str, Any]:
    """The state of one model of anywidget."""
    version = "~0.11.*"
    model = {"_model_module": "anywidget", "_model_module_version": version}
    view = {"_view_module": "anywidget", "_view_module_version": version, "_view_name": "AnyView"}
    described = {
        "model_module": "anywidget",
        "model_module_version": version,
        "model_name": "AnyModel",
        "state": {**model, **view, "_model_name": "AnyModel", "_esm": script},
    }
    return {"version_major": 2, "version_minor": 0, "state": {"m": described}}


def test_a_page_runs_no_script_of_widget_state_that_somebody_else_saved(
    fleet: Fleet, signed_in: OpenPage, files: Files, bob: LabPage
) -> None:
    state = any_widget("window.widgetRan = true; export default { render() {} };")
    cell = {"cell_type": "code", "source": "1", "metadata": {}, "outputs": []}
    content = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": files.default_kernel(), "display_name": "P"},
            "widgets": {"application/vnd.jupyter.widget-state+json": state},
        },
        "cells": [{**cell, "id": "c", "execution_count": None}],
    }
    path = f"demo/widgets-{uuid.uuid4().hex[:8]}.ipynb"
    files.save(path, {"type": "notebook", "format": "json", "content": content})

    author = signed_in(fleet.url, fleet.token("carol"))
    author.open_path(path)
    author.page.wait_for_function("window.widgetRan === true", timeout=PATIENCE_MS)

    bob.open_path(path)
    bob.wait_for_kernel()
    # When a widget of the kernel is shown, those of the notebook would be loaded.
    bob.run(0, "import ipywidgets; ipywidgets.IntSlider()")
    expect(bob.cell(0).locator(".noUi-handle")).to_be_visible(timeout=PATIENCE_MS)
    assert bob.page.evaluate("window.widgetRan") is None
