"""Several pages that show one notebook: all show what runs, and one of them saves it."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.kernel_notebook import PATIENCE, KernelNotebook, answer, numbers, run_cell, save
from tests.e2e.lab_page import LabPage, wait_for

MINUTE = 60_000


def lines(notebook: KernelNotebook, name: str) -> str:
    """Code that prints 100 numbers, and 100 more when `go` is called with `name`."""
    return (
        "for i in range(100): print(i, flush=True)\n"
        + notebook.wait(name)
        + "for i in range(100, 200): print(i, flush=True)"
    )


def ended(page: LabPage, index: int) -> None:
    wait_for("the end of the cell", lambda: page.has_reply(index), PATIENCE)
    assert numbers(page.output(index)) == list(range(200))


def test_an_edit_and_a_reload_in_mid_cell_lose_nothing_and_double_nothing(
    notebook: KernelNotebook, lab_urls: tuple[str, str]
) -> None:
    notebook.save({"lines": lines(notebook, "go"), "edited": "print('old')"})
    runner = notebook.open(lab=lab_urls[0])
    save(runner)
    editor = notebook.open(lab=lab_urls[1])
    run_cell(runner, 0)
    for page in (runner, editor):
        expect(page.cell(0)).to_contain_text("99")
    save(runner)
    versions = notebook.versions()
    assert not editor.dirty

    # The version that the editor has not had differs in outputs alone: nobody is asked.
    editor.write(1, "print('new')")
    save(editor)
    assert notebook.versions() == versions + 1
    assert notebook.cells()[1]["source"] == "print('new')"
    assert numbers(notebook.printed(0)) == list(range(100))
    # Here the text is another one. Whoever takes it over loses nothing of what runs.
    runner.cell(1).locator(".cm-content").click()
    runner.page.keyboard.insert_text("#")
    runner.save()
    expect(runner.dialog).to_contain_text("File Changed")
    runner.choose("Revert")
    expect(runner.cell(1).locator(".cm-content")).to_have_text("print('new')")
    wait_for("the cell to go on", lambda: runner.prompt(0) == "[*]:", PATIENCE)
    expect(runner.cell(0)).to_contain_text("99")
    assert numbers(runner.output(0)) == list(range(100))

    # After a reload it is still the page that has run it, and saves it.
    runner.page.reload()
    runner.ready()
    expect(runner.cell(0)).to_contain_text("99")
    notebook.go("go")
    for page in (runner, editor):
        ended(page, 0)
    wait_for("something to save", lambda: runner.dirty, PATIENCE)
    save(runner)
    assert notebook.versions() == versions + 2
    assert numbers(notebook.printed(0)) == list(range(200))
    # The other one has nothing to add, even if it was alone while the runner came back.
    save(editor)
    assert notebook.versions() == versions + 2


def test_no_cell_shows_or_saves_what_another_page_ran_of_other_code_under_its_id(
    notebook: KernelNotebook,
) -> None:
    # Both type into the empty cell at the end.
    notebook.save({"team": "# team"})
    ann = notebook.open()
    bob = notebook.open("bob")
    told = {
        page: page.notebook.locator(".jp-fleet-Notice", has_text="not in this notebook")
        for page in (ann, bob)
    }
    assert bob.evaluate(1, "print('of', 'bob')") == "of bob"
    expect(told[ann]).to_contain_text("The kernel ran a cell that is not in this notebook.")
    assert (ann.prompt(1), ann.output(1)) == ("[ ]:", "")
    assert ann.evaluate(1, "print('of', 'ann')") == "of ann"
    expect(told[bob]).to_be_visible()
    assert (bob.prompt(1), bob.output(1)) == ("[1]:", "of bob\n")
    save(bob)
    saved = notebook.cells()[1]
    assert (saved["source"], saved["execution_count"]) == ("print('of', 'bob')", 1)
    assert notebook.printed(1) == "of bob\n"

    told[ann].get_by_role("button", name="Show Output").click()
    expect(ann.dialog.locator("pre").first).to_have_text("print('of', 'bob')")
    expect(ann.dialog.locator(".jp-OutputArea-output")).to_have_text("of bob\n")
    ann.choose("Close")
    # Who takes over the other one's version has that cell, and what it said.
    ann.save()
    expect(ann.dialog).to_contain_text("File Changed")
    ann.choose("Revert")
    expect(ann.cell(1).locator(".cm-content")).to_have_text("print('of', 'bob')")
    expect(told[ann]).to_be_hidden()
    assert (ann.prompt(1), ann.output(1)) == ("[1]:", "of bob\n")
    # Also after a reload.
    ann.page.reload()
    ann.ready()
    expect(told[ann]).to_be_visible()
    assert (ann.prompt(1), ann.output(1)) == ("[1]:", "of bob\n")


def test_a_question_goes_from_all_pages_when_one_answers_it_or_ends_its_cell(
    notebook: KernelNotebook,
) -> None:
    notebook.save(
        {
            "asks": "print('hello', input('who? '))\n" + notebook.wait("go") + "input('again? ')",
            "next": "print('next')",
        }
    )
    runner = notebook.open()
    run_cell(runner, 0)
    expect(runner.page.locator(".jp-Stdin-input")).to_have_count(1)
    # Who opens the notebook is asked as well.
    other = notebook.open("bob")
    boxes = [page.page.locator(".jp-Stdin-input") for page in (runner, other)]
    expect(boxes[1]).to_have_count(1)
    answer(other, "who?", "bob")
    # While the cell goes on, in which others could ask.
    for page, box in zip((runner, other), boxes, strict=True):
        expect(page.cell(0)).to_contain_text("hello bob")
        expect(box).to_have_count(0)
        assert page.prompt(0) == "[*]:"
    notebook.go("go")
    for box in boxes:
        expect(box).to_have_count(1)
    other.choose_in_menu("Kernel", "Interrupt Kernel")
    for page, box in zip((runner, other), boxes, strict=True):
        expect(page.cell(0)).to_contain_text("KeyboardInterrupt")
        expect(box).to_have_count(0)
    # JupyterLab runs no cell in a page that it believes to be asked.
    for page in (runner, other):
        run_cell(page, 1)
        wait_for("the reply", lambda of=page: of.has_reply(1), PATIENCE)
        expect(page.dialog).to_have_count(0)


@pytest.mark.long
def test_one_of_the_pages_saves_what_a_page_ran_that_is_gone(
    notebook: KernelNotebook, lab_urls: tuple[str, str]
) -> None:
    notebook.save({"lines": lines(notebook, "go")})
    runner = notebook.open()
    save(runner)
    others = [notebook.open(lab=lab, clock=True) for lab in lab_urls]
    run_cell(runner, 0)
    for page in others:
        expect(page.cell(0)).to_contain_text("99")
    save(runner)
    versions = notebook.versions()
    runner.page.close()
    notebook.go("go")
    for page in others:
        ended(page, 0)

    def is_saved() -> bool:
        for page in others:
            page.page.clock.run_for(MINUTE)
        return len(numbers(notebook.printed(0))) == 200

    wait_for("one of them to save", is_saved, PATIENCE)
    for _ in range(6):
        is_saved()
    assert notebook.versions() == versions + 1
    for page in others:
        ended(page, 0)
        assert not page.dirty
        expect(page.dialog).to_have_count(0)
    # The last one that is left does not wait.
    others[0].page.close()
    run_cell(others[1], 1)
    others[1].write(1, "print('alone')")
    save(others[1])
    assert numbers(notebook.printed(0)) == list(range(200))
