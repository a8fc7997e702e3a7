"""Notebooks whose kernels went on without a page, or run what another page has sent."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import expect

from tests.e2e.kernel_notebook import (
    PATIENCE,
    KernelNotebook,
    answer,
    numbers,
    prompts,
    run_all,
)
from tests.e2e.lab_page import wait_for
from tests.integration.gateway_ext.fleet_of_gateways import agents_of
from tests.integration.jupyter_ext.journals.test_journals_of_kernels import Answer


def test_a_page_that_is_opened_again_in_a_cell_shows_all_of_it_and_goes_on(
    notebook: KernelNotebook,
) -> None:
    html = "from IPython.display import HTML, clear_output, display, update_display\n"
    notebook.save(
        {
            "lines": "import time\nfor i in range(200): print(i, flush=True); time.sleep(.005)\n"
            + notebook.wait("lines")
            + "for i in range(200, 300): print(i, flush=True)",
            "shown": html + "shown = display(HTML('<b>first</b>'), display_id='d')\nprint('one')",
            "update": "update_display(HTML('<b>second</b>'), display_id='d')\nprint('two')",
            "steps": "for i in range(20): clear_output(wait=True); print('step', i)",
            "progress": "for i in range(50): print(f'\\r{i} %', end='', flush=True)",
            "error": "1 / 0",
            "last": "print('never')",
        }
    )
    first = notebook.open()
    run_all(first)
    expect(first.cell(0)).to_contain_text("199")
    first.page.close()

    page = notebook.open()
    expect(page.cell(0)).to_contain_text("199")
    assert numbers(page.output(0)) == list(range(200))
    assert set(prompts(page, 7)) == {"[*]:"}
    expect(page.page.locator("#jp-bottom-panel")).to_contain_text("| Busy")
    # A second time, in the same profile.
    page.page.reload()
    page.ready()
    expect(page.cell(0)).to_contain_text("199")
    notebook.go("lines")
    wait_for("the end of all cells", lambda: "[*]:" not in prompts(page, 7), PATIENCE)
    assert numbers(page.output(0)) == list(range(300))
    assert prompts(page, 7) == [*(f"[{n}]:" for n in range(1, 7)), "[ ]:"]
    # What a frame shows is in the page for searches alone.
    assert page.output(1).strip() == "secondone"
    # A frame is loaded when it comes into view.
    page.cell(1).scroll_into_view_if_needed()
    expect(page.framed(1).locator("b")).to_have_text("second")
    assert page.output(2).strip() == "two"
    assert page.output(3).strip() == "step 19"
    assert page.output(4).strip() == "49 %"
    assert "ZeroDivisionError" in page.output(5)
    assert page.output(6) == ""

    page.save()
    wait_for("the notebook to be saved", lambda: not page.dirty, PATIENCE)
    saved = [(cell["outputs"], cell["execution_count"]) for cell in notebook.cells()]
    page.page.close()
    again = notebook.open()
    expect(again.cell(0)).to_contain_text("299")
    # What the file has is neither fetched nor changed.
    assert again.evaluate(7, "print('after', 6 * 7)") == "after 42"
    assert numbers(again.output(0)) == list(range(300))
    again.save()
    wait_for("the notebook to be saved", lambda: not again.dirty, PATIENCE)
    assert [(c["outputs"], c["execution_count"]) for c in notebook.cells()[:7]] == saved[:7]


def test_a_tab_that_is_reloaded_in_a_cell_trusts_what_it_has_run(notebook: KernelNotebook) -> None:
    svg = "from IPython.display import SVG, display\n"
    svg += "display(SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>'))\n"
    notebook.save({"done": "print('first')", "runs": svg + notebook.wait("svg") + svg})
    page = notebook.open()
    run_all(page)
    pictures = page.cell(1).locator(".jp-RenderedSVG")
    expect(pictures).to_have_count(1)
    page.save()
    wait_for("the notebook to be saved", lambda: not page.dirty, PATIENCE)
    page.page.reload()
    page.ready()
    expect(pictures).to_have_count(1)
    circle = page.notebook.locator(".jp-Notebook-ExecutionIndicator")
    expect(circle).to_have_attribute("data-status", "busy")
    notebook.go("svg")
    wait_for("the end", lambda: prompts(page, 2) == ["[1]:", "[2]:"], PATIENCE)
    expect(pictures).to_have_count(2)
    # It counts no cell as scheduled whose end came before the reload.
    expect(circle).to_have_attribute("data-status", "idle")


def test_what_ran_to_its_end_without_a_page_is_there(notebook: KernelNotebook) -> None:
    done = str(notebook.folder / "done")
    notebook.folder.chmod(0o777)
    notebook.save(
        {
            "rich": notebook.wait("go")
            + "from IPython.display import HTML\nHTML('<table><td>cell</td></table>')",
            "value": "6 * 7",
            "flood": "for i in range(20_000): print(i, flush=True)\n"
            f"pathlib.Path({done!r}).touch()",
        }
    )
    first = notebook.open()
    run_all(first)
    wait_for("the cells to wait", lambda: prompts(first, 3) == ["[*]:"] * 3, PATIENCE)
    wait_for("the kernel to have them", lambda: notebook.kernel_state() == "busy", PATIENCE)
    first.page.close()
    notebook.go("go")
    wait_for("the last cell", Path(done).exists, PATIENCE)

    began = time.monotonic()
    page = notebook.open()
    wait_for("the cells", lambda: prompts(page, 3) == ["[1]:", "[2]:", "[3]:"], PATIENCE)
    print(f"\n20,000 lines {time.monotonic() - began:.1f} s after the page was opened")
    expect(page.framed(0).locator("td")).to_have_text("cell")
    assert page.output(1).strip() == "42"
    expect(page.cell(2)).to_contain_text("19999")
    page.save()
    wait_for("the notebook to be saved", lambda: not page.dirty, PATIENCE)
    (flood,) = notebook.cells()[2]["outputs"]
    assert numbers("".join(flood["text"])) == list(range(20_000))
    page.page.close()
    again = notebook.open()
    expect(again.cell(1)).to_contain_text("42")
    again.page.wait_for_function("document.readyState === 'complete'")
    assert not again.dirty


def test_a_question_waits_for_whoever_opens_the_notebook(notebook: KernelNotebook) -> None:
    notebook.save(
        {
            "first": "a = input('first? ')\nb = input('second? ')\nprint('hello', a, b)",
            "next": "print('next')",
        }
    )
    first = notebook.open()
    run_all(first)
    answer(first, "first?", "ann")
    expect(first.page.locator(".jp-Stdin-prompt").last).to_contain_text("second?")
    first.page.close()
    page = notebook.open()
    expect(page.page.locator(".jp-Stdin-input")).to_have_count(1)
    answer(page, "second?", "bob")
    wait_for("both cells", lambda: prompts(page, 2) == ["[1]:", "[2]:"], PATIENCE)
    assert "hello ann bob" in page.output(0)
    assert page.output(1).strip() == "next"
    # Questions that were answered are not asked again.
    page.page.close()
    again = notebook.open()
    wait_for("both cells", lambda: prompts(again, 2) == ["[1]:", "[2]:"], PATIENCE)
    assert "hello ann bob" in again.output(0)
    expect(again.page.locator(".jp-Stdin-input")).to_have_count(0)
    assert again.evaluate(2, "print(a, b)") == "ann bob"


def test_cells_that_were_edited_or_removed_meanwhile_keep_their_text(
    notebook: KernelNotebook,
) -> None:
    notebook.save(
        {
            "edited": notebook.wait("go") + "print('of the first version')",
            "gone": "print('of a cell that is gone')",
            "same": "print('unchanged')",
        }
    )
    first = notebook.open()
    run_all(first)
    wait_for("the cells to wait", lambda: prompts(first, 3) == ["[*]:"] * 3, PATIENCE)
    wait_for("the kernel to have them", lambda: notebook.kernel_state() == "busy", PATIENCE)
    first.page.close()

    def change(content: dict[str, Any]) -> None:
        edited, _, same, spare = content["cells"]
        edited["source"] = "print('another version')"
        content["cells"] = [edited, same, spare]

    notebook.edit(change)
    notebook.go("go")
    page = notebook.open()
    wait_for("the second cell", lambda: prompts(page, 2) == ["[ ]:", "[3]:"], PATIENCE)
    expect(page.cell(0).locator(".cm-content")).to_have_text("print('another version')")
    # What the first version said is not of what stands there now.
    assert page.output(0) == ""
    assert page.output(1).strip() == "unchanged"
    page.notebook.get_by_role("button", name="Show Output").click()
    expect(page.dialog.locator(".jp-fleet-GoneCells > pre")).to_have_text(
        [re.compile("of the first version"), "print('of a cell that is gone')"]
    )
    expect(page.dialog.locator(".jp-OutputArea-output")).to_have_text(
        ["of the first version\n", "of a cell that is gone\n"]
    )
    page.choose("Close")
    page.cell(0).locator(".cm-content").click()
    page.page.keyboard.press("Shift+Enter")
    wait_for("the new version", lambda: page.prompt(0) == "[4]:", PATIENCE)
    assert page.output(0).strip() == "another version"


def test_a_notebook_whose_file_names_no_cells_is_filled_in_their_order(
    notebook: KernelNotebook,
) -> None:
    notebook.save(
        {"a": notebook.wait("go") + "print('a')", "b": "print('b')"},
        minor=4,
    )
    first = notebook.open()
    run_all(first)
    wait_for("the cells to wait", lambda: prompts(first, 2) == ["[*]:"] * 2, PATIENCE)
    wait_for("the kernel to have them", lambda: notebook.kernel_state() == "busy", PATIENCE)
    first.page.close()
    notebook.go("go")
    page = notebook.open()
    wait_for("both cells", lambda: prompts(page, 2) == ["[1]:", "[2]:"], PATIENCE)
    assert [page.output(0).strip(), page.output(1).strip()] == ["a", "b"]


def test_two_pages_show_each_others_cells_and_one_saves_them(notebook: KernelNotebook) -> None:
    script = "<script>window.ran = (window.ran || 0) + 1</script>"
    notebook.save(
        {
            "lines": "from IPython.display import HTML, display\n"
            f"display(HTML('{script}'))\n"
            "for i in range(100): print(i, flush=True)\n"
            + notebook.wait("go")
            + "for i in range(100, 200): print(i, flush=True)",
            "other": "print('of bob')",
        }
    )
    ann = notebook.open("ann")
    ann.save()
    # JupyterLab adds the kernel's language to a new notebook.
    wait_for("the notebook to be saved", lambda: not ann.dirty, PATIENCE)
    bob = notebook.open("bob")
    ann.cell(0).locator(".cm-content").click()
    ann.page.keyboard.press("Shift+Enter")
    for page in (ann, bob):
        expect(page.cell(0)).to_contain_text("99")
        assert numbers(page.output(0)) == list(range(100))
        assert page.prompt(0) == "[*]:"
    assert ann.dirty
    assert not bob.dirty
    # What ann's cells display runs no scripts as bob.
    assert ann.page.evaluate("window.ran") == 1
    assert bob.page.evaluate("window.ran") is None

    # Each saves while the other one has the same outputs: nobody is asked.
    bob.save()
    wait_for("bob's version", lambda: notebook.cells()[0]["outputs"], PATIENCE)
    ann.save()
    wait_for("the notebook to be saved", lambda: not ann.dirty, PATIENCE)
    expect(ann.dialog).to_have_count(0)
    bob.cell(1).locator(".cm-content").click()
    bob.page.keyboard.press("Shift+Enter")
    wait_for("bob's cell in ann's page", lambda: ann.prompt(1) == "[*]:", PATIENCE)
    notebook.go("go")
    for page in (ann, bob):
        wait_for("both cells", lambda of=page: prompts(of, 2) == ["[1]:", "[2]:"], PATIENCE)
        assert numbers(page.output(0)) == list(range(200))
        assert page.output(1).strip() == "of bob"
    for page in (bob, ann):
        page.save()
        wait_for("the notebook to be saved", lambda of=page: not of.dirty, PATIENCE)
        expect(page.dialog).to_have_count(0)
    saved = ["".join(o.get("text", "") for o in cell["outputs"]) for cell in notebook.cells()]
    assert numbers(saved[0]) == list(range(200))
    assert saved[1] == "of bob\n"


def test_a_cell_in_which_the_kernel_died_says_so_in_every_page(notebook: KernelNotebook) -> None:
    notebook.save(
        {
            "crash": "for i in range(100): print(i, flush=True)\n"
            + notebook.wait("go")
            + "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)",
            "queued": "print('never')",
        }
    )
    page = notebook.open()
    run_all(page)
    expect(page.cell(0)).to_contain_text("99")
    notebook.go("go")
    expect(page.cell(0)).to_contain_text("KernelDied")
    later = notebook.open("bob")
    for one in (page, later):
        expect(one.cell(0)).to_contain_text(re.compile("KernelDied: .*SIGSEGV"))
        assert numbers(one.output(0)) == list(range(100))
        assert prompts(one, 2) == ["[1]:", "[ ]:"]
        assert one.output(1) == "Not run: the kernel ended before this cell's turn.\n"
    # And in the store, in case that its container is gone by the time somebody looks.
    (kernel_id,) = [k["id"] for k in notebook.files.kernels() if k["path"] == notebook.path]

    def kept() -> Answer | None:
        body = notebook.files.journal(kernel_id)
        return Answer.of(body) if b"KernelDied" in body and b"SIGSEGV" in body else None

    assert numbers(wait_for("the store", kept, PATIENCE).text) == list(range(100))
    assert later.evaluate(2, "print('again')") == "again"


def test_every_page_shows_what_the_cell_of_a_kernel_that_was_given_up_said(
    notebook: KernelNotebook,
) -> None:
    notebook.save({"crash": "for i in range(100): print(i, flush=True)\n" + notebook.wait("never")})
    page = notebook.open()
    run_all(page)
    expect(page.cell(0)).to_contain_text("99")
    (kernel_id,) = [k["id"] for k in notebook.files.kernels() if k["path"] == notebook.path]
    (agent,) = map(psutil.Process, agents_of(kernel_id))

    def is_given_up() -> bool:
        for child in agent.children():
            child.kill()
        (kernel,) = [k for k in notebook.files.kernels() if k["id"] == kernel_id]
        return str(kernel["state"]) == "dead"

    wait_for("the kernel to be given up", is_given_up, PATIENCE)
    later = notebook.open_dead("bob")
    for one in (page, later):
        expect(one.cell(0)).to_contain_text("KernelDied")
        assert numbers(one.output(0)) == list(range(100))
        assert "[*]:" not in prompts(one, 2)
        status = one.page.locator("#jp-bottom-panel")
        expect(status).not_to_contain_text(re.compile(r"\| (Idle|Busy)"))
    later.choose_in_menu("Kernel", "Restart Kernel…")
    later.choose("Restart")
    later.wait_for_kernel()
    assert later.evaluate(1, "print('again')") == "again"
