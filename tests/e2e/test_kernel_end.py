"""A kernel that ends by itself: the page says why."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import psutil
from playwright.sync_api import Locator, Route, expect

from tests.e2e.lab_page import LabPage, wait_for
from tests.e2e.running_fleet import Files
from tests.e2e.slow_kernel import PLAIN_TITLE
from tests.integration.gateway_ext.fleet_of_gateways import agents_of


def notice(lab: LabPage) -> Locator:
    return lab.notebook.locator(".jp-fleet-KernelNotice.jp-mod-warning")


def kill_children(agent: psutil.Process) -> None:
    """Also what builds its kernel's walls, and what leads from there to the internet."""
    for child in agent.children():
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()


_RECORD_STATUS = """
window.fleetStatus = [];
new MutationObserver(() => {
  const bar = document.querySelector('#jp-bottom-panel');
  const said = bar?.textContent.match(/[|] (Idle|Dead|Unknown)/)?.[1];
  if (said && said !== window.fleetStatus.at(-1)) {
    window.fleetStatus.push(said);
  }
}).observe(document, {childList: true, subtree: true, characterData: true});
"""


def shown_status(lab: LabPage) -> list[str]:
    """Which of these the status bar has said of the kernel since the page was loaded."""
    said: list[str] = lab.page.evaluate("window.fleetStatus")
    return said


def test_the_page_says_why_a_kernel_ended_and_why_it_is_dead(ann: LabPage) -> None:
    ann.page.add_init_script(_RECORD_STATUS)
    ann.open_path("demo")
    ann.new_notebook()
    expect(notice(ann)).to_be_hidden()
    kernel_id = ann.evaluate(0, "import os; print(os.environ['KERNEL_ID'])")
    (agent,) = map(psutil.Process, agents_of(kernel_id))

    ann.run(1, "os._exit(7)")
    expect(notice(ann)).to_contain_text(
        "The kernel ended with exit code 7. The kernel was restarted"
    )
    # It says so once, not in a dialog of JupyterLab's as well.
    expect(ann.page.locator("#jp-bottom-panel")).to_contain_text("| Idle")
    expect(ann.dialog).to_have_count(0)
    assert "Idle" in shown_status(ann)
    assert "Unknown" not in shown_status(ann)

    def kill_again() -> bool:
        kill_children(agent)
        # At once: a kernel that lives for 10 s while a notice is waited for has started well.
        return any("Start it again to go on" in text for text in notice(ann).all_inner_texts())

    wait_for("the kernel to be given up", kill_again, 60)
    # Whether memory had run out is known only where there are cgroups.
    expect(notice(ann)).to_contain_text(re.compile("SIGKILL.*out of memory.*, after 5 restarts"))
    expect(ann.dialog).to_have_count(0)
    # Who opens the notebook later reads it too.
    ann.page.reload(wait_until="domcontentloaded")
    ann.ready()
    expect(notice(ann)).to_contain_text("out of memory")
    expect(ann.page.locator("#jp-bottom-panel")).to_contain_text("| Dead")
    assert "Unknown" not in shown_status(ann)
    ann.choose_in_menu("Kernel", "Restart Kernel…")
    ann.choose("Restart")
    expect(notice(ann)).to_be_hidden()
    expect(ann.page.locator("#jp-bottom-panel")).to_contain_text(re.compile(r"\| (Idle|Busy)"))
    assert ann.evaluate(0, "print(6 * 7)") == "42"


_RECORD_ALL = """
window.fleetStates = [];
new MutationObserver(() => {
  const bar = document.querySelector('#jp-bottom-panel');
  const said = bar.textContent.match(/[|] ([A-Z][a-z]+)/)?.[1];
  if (said && said !== window.fleetStates.at(-1)) {
    window.fleetStates.push(said);
  }
}).observe(document, {childList: true, subtree: true, characterData: true});
"""


def test_a_list_that_is_older_than_the_end_of_a_kernel_does_not_bring_it_back(
    ann: LabPage, files: Files
) -> None:
    ann.open_path("demo")
    ann.new_notebook()
    kernel_id = ann.evaluate(0, "import os; print(os.environ['KERNEL_ID'])")
    (agent,) = map(psutil.Process, agents_of(kernel_id))
    older: list[Route] = []
    newer: list[Route] = []
    has_ended = False

    def list_late(route: Route) -> None:
        if has_ended:
            route.fulfill(response=route.fetch())
            newer.append(route)
        else:
            older.append(route)

    ann.page.route(re.compile(r"/api/kernels([?]|$)"), list_late)
    ann.page.evaluate(_RECORD_ALL)

    def gives_up() -> bool:
        kill_children(agent)
        (kernel,) = [model for model in files.kernels() if model["id"] == kernel_id]
        return kernel["state"] == "dead"

    wait_for("the kernel to be given up", gives_up, 60)
    status = ann.page.locator("#jp-bottom-panel")
    expect(status).to_contain_text("| Dead")
    wait_for("a list", lambda: older or ann.page.wait_for_timeout(20), 60)
    has_ended = True
    # Gateways write down that a kernel has ended when its pages have heard it.
    for route in older:
        answer = route.fetch()
        models = answer.json()
        for model in models:
            if model["id"] == kernel_id:
                model.update(state="restarting", execution_state="starting")
        route.fulfill(response=answer, json=models)
    wait_for("a newer list", lambda: newer or ann.page.wait_for_timeout(20), 60)
    # It connects, if it does, when it has these lists.
    ann.page.evaluate("fetch('/api/sessions').then(answer => answer.text())")
    states = ann.page.evaluate("window.fleetStates")
    assert states.count("Dead") == 1
    assert states[-1] == "Dead"


_RUNS = "print('on', flush=True); import time; time.sleep(600)"


def test_a_cell_whose_kernel_is_shut_down_says_so_in_one_line(ann: LabPage) -> None:
    ann.open_path("demo")
    ann.new_notebook()
    ann.run(0, _RUNS)
    expect(ann.cell(0)).to_contain_text("on")
    ann.choose_in_menu("Kernel", "Shut Down Kernel$")
    expect(ann.cell(0).locator(".jp-OutputArea-output")).to_have_text(
        ["on", "The kernel was shut down."]
    )
    expect(ann.cell(0).locator(".jp-InputPrompt")).to_have_text("[1]:")


def test_a_cell_says_so_if_another_kernel_is_chosen_while_it_runs(ann: LabPage) -> None:
    ann.open_path("demo")
    ann.new_notebook()
    ann.run(0, _RUNS)
    ann.run(1, "print('never')")
    expect(ann.cell(0)).to_contain_text("on")
    ann.choose_in_menu("Kernel", "Change Kernel")
    ann.dialog.locator("select").first.select_option(label=PLAIN_TITLE)
    ann.choose("Select( Kernel)?")
    expect(ann.cell(0).locator(".jp-OutputArea-output")).to_have_text(
        ["on", "Another kernel was chosen while this cell ran."]
    )
    for index in (0, 1):
        expect(ann.cell(index).locator(".jp-InputPrompt")).to_have_text("[ ]:")
    assert ann.evaluate(2, "print('next')", 60) == "next"
    assert ann.output(1) == ""


def test_a_cell_says_how_its_kernel_ended_also_if_the_agent_is_killed(
    ann: LabPage, files: Files
) -> None:
    ann.open_path("demo")
    ann.new_notebook()
    ann.run(0, _RUNS)
    ann.run(1, "print('never')")
    expect(ann.cell(0)).to_contain_text("on")
    (kernel,) = files.kernels()
    (agent,) = map(psutil.Process, agents_of(kernel["id"]))
    for process in [agent, *agent.children(recursive=True)]:
        # What is in namespaces of the kernel ends with the agent.
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    expect(ann.cell(0)).to_contain_text("KernelDied", timeout=120_000)
    expect(ann.cell(1)).to_contain_text("Not run: the kernel ended before this cell's turn.")
    for index in (0, 1):
        expect(ann.cell(index).locator(".jp-InputPrompt")).to_have_text("[ ]:")
    expect(notice(ann)).to_contain_text("Start it again to go on")

    # What is run while it is started again waits for it.
    held: list[Route] = []
    ann.page.route(re.compile(r"/restart([?]|$)"), lambda route: held.append(route))
    notice(ann).get_by_role("button", name=re.compile("^Start Again")).click()
    wait_for("the restart", lambda: held or ann.page.wait_for_timeout(20), 60)
    ann.run(1, "print(6 * 7)")
    expect(ann.cell(1)).to_contain_text("Waits for the kernel")
    held[0].continue_()
    wait_for("the reply", lambda: ann.has_reply(1), 60)
    assert ann.output(1).strip() == "42"


def test_cells_of_a_console_in_which_the_kernel_died_say_so_and_are_over(
    ann: LabPage, end: Path
) -> None:
    ann.open_path("demo")
    ann.new_notebook()
    ann.choose_in_menu("File", "New Console for")
    console = ann.page.locator(".jp-ConsolePanel")
    prompt = console.locator(".jp-CodeConsole-promptCell .cm-content")
    wait = f"import os, time\nwhile not os.path.exists({str(end)!r}): time.sleep(.02)\n"
    for source in (wait + "os._exit(7)", "print('never')"):
        prompt.click()
        ann.page.keyboard.insert_text(source)
        ann.page.keyboard.press("Shift+Enter")
    prompts = console.locator(".jp-CodeConsole-content .jp-CodeCell .jp-InputPrompt")
    expect(prompts).to_have_text(["[*]:", "[*]:"])
    end.touch()
    expect(console).to_contain_text("KernelDied: the kernel ended with exit code 7")
    expect(console).to_contain_text("Not run: the kernel ended before this cell's turn.")
    expect(prompts).to_have_text(["[1]:", "[ ]:"])
