"""Cells that JupyterLab replaces while the kernel runs them: their outputs go on, once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from playwright.sync_api import WebSocketRoute, expect

from tests.e2e.conftest import OpenPage
from tests.e2e.kernel_notebook import (
    PATIENCE,
    KernelNotebook,
    answer,
    numbers,
    prompts,
    run_all,
    run_cell,
    save,
)
from tests.e2e.lab_page import LabPage, wait_for
from tests.e2e.running_fleet import Fleet


def reload_from_disk(page: LabPage) -> None:
    page.choose_in_menu("File", "Reload Notebook from Disk")
    if page.dialog.count():
        page.choose("Reload")


def revert_to_checkpoint(page: LabPage) -> None:
    page.choose_in_menu("File", "Revert Notebook to Checkpoint")
    page.dialog.locator("button.jp-mod-accept").click()
    expect(page.dialog).to_contain_text("Are you sure")
    page.choose("Revert")


def press(*keys: str) -> Callable[[LabPage], None]:
    """In command mode, on the first cell."""

    def on(page: LabPage) -> None:
        page.cell(0).locator(".jp-InputPrompt").click()
        page.page.keyboard.press("Escape")
        for key in keys:
            page.page.keyboard.press(key)

    return on


def test_what_runs_goes_on_in_the_cells_that_take_the_place_of_others(
    notebook: KernelNotebook,
) -> None:
    replace = {
        "reload": reload_from_disk,
        "revert": revert_to_checkpoint,
        "undo": press("d", "d", "z"),
        # The cell comes below the next one.
        "cut": press("x", "v"),
        "move": press("Control+Shift+ArrowDown"),
    }
    moved = ("cut", "move")
    notebook.save(
        {
            "lines": "import time, pathlib\nfor i in range(100): print(i, flush=True)\n"
            f"while not pathlib.Path({str(notebook.folder)!r}, name).exists(): time.sleep(.02)\n"
            "for i in range(100, 200): print(i, flush=True)\nlast = name\n",
            "next": "print('after', name)",
            "name": "name = 'reload'",
        }
    )
    page = notebook.open()
    for turn, (name, change) in enumerate(replace.items()):
        page.write(2, f"name = {name!r}")
        run_cell(page, 2)
        wait_for("the name", lambda: page.prompt(2) != "[*]:", PATIENCE)
        for index in (0, 1):
            run_cell(page, index)
        expect(page.cell(0)).to_contain_text("99")
        save(page)
        change(page)
        lines, after = (1, 0) if name in moved else (0, 1)
        expect(page.cell(lines).locator(".cm-content")).to_contain_text("last = name")
        for index in (lines, after):
            wait_for("the mark of running", lambda at=index: page.prompt(at) == "[*]:", PATIENCE)
        expect(page.cell(lines)).to_contain_text("99")
        # It is emptied first, and filled again.
        wait_for(
            f"all lines once ({name})",
            lambda at=lines: numbers(page.output(at)) == list(range(100)),
            PATIENCE,
        )
        notebook.go(name)
        expect(page.cell(after)).to_contain_text(f"after {name}")
        for index in (lines, after):
            wait_for("its reply", lambda at=index: page.has_reply(at), PATIENCE)
        assert numbers(page.output(lines)) == list(range(200)), name
        assert page.notebook.locator(".jp-fleet-EarlierVersion").count() == 0
        if name in moved:
            press("Control+Shift+ArrowDown")(page)
            expect(page.cell(0).locator(".cm-content")).to_contain_text("last = name")
        save(page)
        (output,) = notebook.cells()[0]["outputs"]
        assert numbers("".join(output["text"])) == list(range(200)), (turn, name)

    # What is over stays over, also for a page that was not there then.
    cells = page.notebook.locator(".jp-Notebook-cell")
    count, prompt = cells.count(), page.prompt(0)
    save(page)
    page.page.reload(wait_until="domcontentloaded")
    page.ready()
    page.wait_for_kernel()
    expect(cells).to_have_count(count)
    press("x")(page)
    expect(cells).to_have_count(count - 1)
    page.page.keyboard.press("z")
    expect(cells).to_have_count(count)
    wait_for("its prompt", lambda: page.prompt(0) == prompt, PATIENCE)


def test_a_cell_that_was_cut_and_pasted_goes_on_where_it_was_when_both_are_undone(
    notebook: KernelNotebook,
) -> None:
    notebook.save(
        {
            "lines": "for i in range(100): print(i, flush=True)\n"
            + notebook.wait("middle")
            + "for i in range(100, 200): print(i, flush=True)\n"
            + notebook.wait("end")
            + "for i in range(200, 300): print(i, flush=True)",
            "next": "",
        }
    )
    page = notebook.open()

    def cut_and_paste(shown: int) -> None:
        expect(page.cell(0)).to_contain_text(str(shown))
        press("x", "v")(page)
        wait_for("the mark of running", lambda: page.prompt(1) == "[*]:", PATIENCE)

    def undo_both() -> None:
        page.page.keyboard.press("z")
        page.page.keyboard.press("z")
        expect(page.cell(0)).to_contain_text("99")

    run_cell(page, 0)
    cut_and_paste(99)
    undo_both()
    notebook.go("middle")
    expect(page.cell(0)).to_contain_text("199")
    assert numbers(page.output(0)) == list(range(200))
    assert page.prompt(0) == "[*]:"
    # The same for one that has ended where it was pasted.
    cut_and_paste(199)
    notebook.go("end")
    wait_for("its reply", lambda: page.has_reply(1), PATIENCE)
    undo_both()
    wait_for("its reply", lambda: page.has_reply(0), PATIENCE)
    expect(page.cell(0)).to_contain_text("299")
    assert numbers(page.output(0)) == list(range(300))


def test_a_cell_that_is_gone_is_shown_once_also_after_a_gap_in_the_journal(
    notebook: KernelNotebook, fleet: Fleet, signed_in: OpenPage
) -> None:
    notebook.save({"same": "print('unchanged')", "gone": "print('of a cell that is gone\\n' * 99)"})
    first = notebook.open()
    run_all(first)
    wait_for("the cells", lambda: first.prompt(1) == "[2]:", PATIENCE)
    first.page.close()

    def remove(content: dict[str, list[object]]) -> None:
        del content["cells"][1]

    notebook.edit(remove)
    page = signed_in(fleet.url, fleet.token("ann"))
    streams: list[WebSocketRoute] = []

    def pass_on(stream: WebSocketRoute) -> None:
        stream.connect_to_server()
        streams.append(stream)

    page.page.route_web_socket(re.compile("/channels"), pass_on)
    page.open_path(notebook.path)
    page.wait_for_kernel()
    show = page.notebook.get_by_role("button", name="Show Output")
    code = page.dialog.locator("pre", has_text="print(")
    show.click()
    expect(code).to_have_count(1)
    # The dialog scrolls, and not what is in it.
    heights = page.dialog.locator(".jp-OutputArea").evaluate_all(
        "areas => areas.map(area => [area.clientHeight, area.scrollHeight])"
    )
    assert [shown for shown, _ in heights] == [whole for _, whole in heights]
    page.choose("Close")
    streams[-1].send(json.dumps({"type": "gap", "from": 1, "to": 2, "limit": 100}))
    # What the kernel says now is shown behind the answer to what the page asks after a gap.
    assert page.evaluate(1, "6 * 7") == "42"
    show.click()
    expect(code).to_have_count(1)
    page.choose("Close")


def test_a_cell_that_is_gone_and_keeps_the_kernel_busy_is_shown_and_answered(
    notebook: KernelNotebook,
) -> None:
    notebook.save(
        {
            "same": "",
            "asks": notebook.wait("ask")
            + "who = input('who? ')\n"
            + notebook.wait("end")
            + "print('hello', who)",
            "waits": "print('of the next one')",
        }
    )
    first = notebook.open()
    for index in (1, 2):
        run_cell(first, index)
    wait_for("the cells to wait", lambda: prompts(first, 3)[1:] == ["[*]:"] * 2, PATIENCE)
    wait_for("the kernel to have them", lambda: notebook.kernel_state() == "busy", PATIENCE)
    first.page.close()

    def remove(content: dict[str, list[object]]) -> None:
        del content["cells"][1:3]

    notebook.edit(remove)
    page = notebook.open()
    notice = page.notebook.locator(".jp-fleet-Notice", has_text="not in this notebook")
    expect(notice).to_contain_text("2 cells that are not in this notebook. One of them is still")
    notebook.go("ask")
    expect(notice).to_contain_text("One of them waits for an answer.")
    page.notebook.get_by_role("button", name="Show Question").click()
    shown = page.dialog.locator(".jp-fleet-GoneCells")
    expect(shown).to_contain_text("(waits for an answer)")
    expect(shown).to_contain_text("(queued)")
    answer(page, "who?", "ann")
    # Enter has not closed it.
    expect(shown).to_contain_text("(running)")
    notebook.go("end")
    expect(shown).to_contain_text("hello ann")
    expect(shown).to_contain_text("of the next one")
    for state in ("running", "queued", "waits"):
        expect(shown).not_to_contain_text(f"({state}")
    page.choose("Close")
    expect(notice).to_contain_text("The kernel ran 2 cells that are not in this notebook.")
    expect(notice).not_to_contain_text("One of them")
    # Who comes later is not asked again.
    later = notebook.open("bob")
    later.notebook.get_by_role("button", name="Show Output").click()
    expect(later.dialog).to_contain_text("hello ann")
    expect(later.page.locator(".jp-Stdin-input")).to_have_count(0)
    later.choose("Close")
    # JupyterLab runs no cell in a page that it believes to be asked.
    for one in (later, page):
        assert one.evaluate(1, "who") == "'ann'"
