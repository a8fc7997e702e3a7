"""What a page and its kernel say to each other arrives once, whatever happens in between."""

from __future__ import annotations

import signal
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.cable import Cable
from tests.e2e.conftest import OpenPage
from tests.e2e.lab_page import LabPage, wait_for
from tests.e2e.running_fleet import Fleet, stop
from tests.e2e.test_killed_process import serving_lab
from tests.e2e.test_login_expiry import sign_in

BOUND = 60.0


def page_at(cable: Cable, fleet: Fleet, signed_in: OpenPage) -> LabPage:
    """A new notebook with its kernel, at the other end of the cable."""
    page = signed_in(cable.url, fleet.token("ann"))
    page.open_path("demo")
    page.new_notebook()
    page.mark()
    return page


@pytest.fixture
def page(fleet: Fleet, cable: Cable, signed_in: OpenPage) -> LabPage:
    return page_at(cable, fleet, signed_in)


@pytest.fixture
def runs(end: Path) -> Path:
    """A file into which cells write, so that each time that they run is counted outside."""
    end.touch()
    end.chmod(0o666)
    return end


def note(runs: Path, word: str) -> str:
    """A cell that says `word`, and notes that it did."""
    return f"open({str(runs)!r}, 'a').write('{word} '); print('{word}')"


def noted(runs: Path) -> list[str]:
    return runs.read_text().split()


def is_quiet(page: LabPage) -> None:
    """The page shows a kernel that waits, and has asked nothing."""
    expect(page.page.locator("#jp-bottom-panel")).to_contain_text("Idle")
    expect(page.dialog).to_have_count(0)
    assert not page.reloaded


def test_a_cell_sent_in_the_instant_of_its_labs_death_runs_once(
    fleet: Fleet, page: LabPage, runs: Path
) -> None:
    for number in range(3):
        word = f"cell{number}"
        page.write(number, note(runs, word))
        lab = serving_lab(fleet)
        stop(lab, signal.SIGKILL)
        page.page.keyboard.press("Shift+Enter")
        wait_for("the reply", lambda index=number: page.has_reply(index), BOUND)
        wait_for(
            "the output", lambda index=number, text=word: page.output(index).strip() == text, BOUND
        )
        assert noted(runs) == [f"cell{run}" for run in range(number + 1)]
        fleet.replaced(lab)
    is_quiet(page)


def test_output_comes_on_after_front_and_labs_were_killed(
    fleet: Fleet, page: LabPage, end: Path
) -> None:
    page.run(
        0,
        "import os, time; i = 0\n"
        f"while not os.path.exists('{end}'):\n"
        "    print(i, end=' ', flush=True); i += 1; time.sleep(0.1)",
    )
    wait_for("the first numbers", lambda: 3 in numbers(page), BOUND)
    killed = [*fleet.processes("front"), *fleet.processes("lab")]
    assert len(killed) == 3
    for process in killed:
        stop(process, signal.SIGKILL)
    page.write(1, "print('after')")
    page.page.keyboard.press("Shift+Enter")
    for process in killed[1:]:
        fleet.replaced(process)
    before = numbers(page)[-1]
    wait_for("numbers to come on", lambda: numbers(page)[-1] > before + 30, BOUND)
    assert "Busy" in page.page.locator("#jp-bottom-panel").inner_text()
    end.touch()
    wait_for("the reply of the next cell", lambda: page.has_reply(1), BOUND)
    assert numbers(page) == list(range(numbers(page)[-1] + 1)), "each once and in order"
    assert page.output(1).strip() == "after"
    is_quiet(page)


def test_a_cut_of_ten_seconds_loses_and_doubles_nothing(
    fleet: Fleet, cable: Cable, signed_in: OpenPage, runs: Path
) -> None:
    count = "import time\nfor i in range(150): print(i, end=' ', flush=True); time.sleep(0.1)"
    silent = Cable(fleet.url)
    with closing(silent):
        # One page is cut off, while another one hears nothing.
        pages = [page_at(way, fleet, signed_in) for way in (cable, silent)]
        for page in pages:
            page.run(0, count)
        for page in pages:
            wait_for("the first numbers", lambda page=page: 3 in numbers(page), BOUND)
        cable.cut()
        silent.silence()
        for page, word in zip(pages, ("cut", "silent"), strict=True):
            page.run(1, note(runs, word))
        pages[0].page.wait_for_timeout(10_000)
        cable.restore()
        silent.restore()
        for page, word in zip(pages, ("cut", "silent"), strict=True):
            wait_for("the reply of the next cell", lambda page=page: page.has_reply(1), BOUND)
            assert numbers(page) == list(range(150)), "each once and in order"
            assert page.output(1).strip() == word
            is_quiet(page)
        assert sorted(noted(runs)) == ["cut", "silent"]


def test_a_long_message_comes_over_a_slow_line(page: LabPage, cable: Cable) -> None:
    cable.slow(60_000)
    # 10 s, in which the page hears nothing.
    page.run(0, "import secrets; print(secrets.token_hex(300_000)); print('all of it')")
    wait_for("the reply", lambda: page.has_reply(0), 3 * BOUND)
    assert page.output(0).strip().endswith("all of it")
    cable.restore()
    assert page.evaluate(1, "print('after')") == "after"
    is_quiet(page)


def test_a_cell_that_a_reloaded_page_had_just_sent_runs_once(
    page: LabPage, cable: Cable, runs: Path
) -> None:
    page.save()
    page.choose("Rename and Save")
    wait_for("the notebook to be saved", lambda: not page.dirty, BOUND)
    page.run(0, note(runs, "taken"))
    wait_for("the first cell", lambda: noted(runs) == ["taken"], BOUND)
    cable.cut()
    page.run(1, note(runs, "sent"))
    # Only for the person who sent it.
    kept = "([key, text]) => key.includes('/ann/') && text.includes('sent')"
    page.page.wait_for_function(f"Object.entries(sessionStorage).some({kept})")
    cable.restore()
    page.page.reload(wait_until="domcontentloaded")
    page.ready()
    page.wait_for_kernel()
    wait_for("the cell to run", lambda: noted(runs)[1:] == ["sent"], BOUND)
    # The file is from before: its only cell is empty.
    page.evaluate(0, note(runs, "last"))
    # The reply that the cell shows may be that of what it ran before the reload.
    wait_for("the last cell", lambda: noted(runs) == ["taken", "sent", "last"], BOUND)


def test_a_duplicated_tab_leaves_to_the_first_what_that_has_sent(
    page: LabPage, cable: Cable, runs: Path
) -> None:
    page.run(0, note(runs, "taken"))
    wait_for("the first cell", lambda: noted(runs) == ["taken"], BOUND)
    cable.cut()
    # Too long to be kept over a reload.
    page.run(1, f"{note(runs, 'long')} #{'x' * 300_000}")
    kept = page.page.evaluate("JSON.stringify(Object.entries(sessionStorage))")
    assert "/ann/" in kept
    duplicate = page.page.context.new_page()
    duplicate.add_init_script(
        f"for (const [key, value] of {kept}) sessionStorage.setItem(key, value);"
    )
    cable.restore()
    duplicate.goto(page.page.url, wait_until="domcontentloaded")
    LabPage(duplicate, page.url).ready()
    wait_for("the cell to run", lambda: noted(runs)[1:] == ["long"], BOUND)
    # The copy has removed what is not its own.
    pending = "key.startsWith('jupyter-fleet:pending/')"
    left = f"{kept}.filter(([key]) => {pending} && key in sessionStorage).length"
    wait_for("the copy to go", lambda: duplicate.evaluate(left) == 0, BOUND)
    assert page.output(1).strip() == "long"


def test_a_restart_drops_what_the_kernel_has_not_got(
    page: LabPage, cable: Cable, runs: Path
) -> None:
    page.evaluate(0, note(runs, "before"))
    cable.cut_websockets()
    page.run(1, note(runs, "dropped"))
    page.choose_in_menu("Kernel", "Restart Kernel…")
    with page.page.expect_response(lambda answer: "/restart" in answer.url) as answer:
        page.choose("Restart")
    assert answer.value.ok
    # Nothing that the page sent has come to the kernel: it is connected again only now.
    assert noted(runs) == ["before"]
    cable.restore()
    page.wait_for_kernel()
    page.evaluate(2, note(runs, "after"))
    assert noted(runs) == ["before", "after"]


@pytest.mark.long
def test_signing_in_again_in_mid_cell_loses_nothing(
    fleet: Fleet, cable: Cable, signed_in: OpenPage, runs: Path
) -> None:
    token = fleet.token("ann")
    page = signed_in(cable.url, fleet.short_token("ann", 20))
    page.open_path("demo")
    page.new_notebook()
    page.mark()
    page.save()
    page.choose("Rename and Save")
    enough = runs.with_name("enough")
    page.run(
        0,
        "import os, time; i = 0\n"
        f"while not os.path.exists('{enough}'):\n"
        "    print(i, end=' ', flush=True); i += 1; time.sleep(0.1)",
    )
    expect(page.dialog).to_contain_text("Sign in again", timeout=60_000)
    page.choose("Not Now")
    page.run(1, note(runs, "waits"))
    # What a person does while signed out asks again.
    page.save()
    expect(page.dialog).to_contain_text("Sign in again")
    before = max(numbers(page), default=0)
    sign_in(page, "Sign In", token)
    wait_for("numbers to come on", lambda: max(numbers(page), default=0) > before + 30, BOUND)
    enough.touch()
    wait_for("the reply of the next cell", lambda: page.has_reply(1), BOUND)
    printed = numbers(page)
    assert printed == list(range(len(printed))), "each once and in order"
    assert page.evaluate(2, "print(i)") == str(len(printed))
    assert noted(runs) == ["waits"]


def numbers(page: LabPage) -> list[int]:
    """What the first cell has printed; on one line, so that the cells below stay drawn."""
    return [int(number) for number in page.output(0).split()]
