"""Kernels that take long to start: what the page says, and what becomes of cells meanwhile."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.e2e.lab_page import LabPage, wait_for
from tests.e2e.running_fleet import Files
from tests.e2e.slow_kernel import SlowKernel

COUNT = "n = globals().get('n', 0) + 1; print(n)"
CELLS = 3
KEPT = "of an earlier kernel"
LICENSE = "license has run out"


@pytest.fixture(autouse=True)
def slow(slow_kernel: SlowKernel) -> Iterator[SlowKernel]:
    slow_kernel.hold()
    yield slow_kernel
    slow_kernel.hold()


def saved_notebook(files: Files) -> str:
    """A notebook for the slow kernel, whose cells have been run before; its path."""
    path = f"demo/start-{uuid.uuid4().hex[:8]}.ipynb"
    kernelspec = {"name": SlowKernel.name, "display_name": SlowKernel.title, "language": "python"}
    output = {"output_type": "stream", "name": "stdout", "text": KEPT}
    cell = {"cell_type": "code", "source": COUNT, "metadata": {}, "outputs": [output]}
    cells = [{**cell, "id": f"c{i}", "execution_count": 7 + i} for i in range(CELLS)]
    metadata: dict[str, Any] = {"kernelspec": kernelspec}
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}
    files.save(path, {"type": "notebook", "format": "json", "content": content})
    return path


def notice(lab: LabPage) -> Locator:
    """The line about the kernel."""
    return lab.notebook.locator(".jp-fleet-KernelNotice")


def ids(files: Files) -> list[str]:
    return [kernel["id"] for kernel in files.kernels()]


def button(lab: LabPage, label: str) -> Locator:
    return notice(lab).get_by_role("button", name=re.compile(f"^{label}"))


def waiting(lab: LabPage) -> Locator:
    return lab.notebook.get_by_text("Waits for the kernel")


def status(lab: LabPage) -> Locator:
    return lab.page.locator("#jp-bottom-panel")


def prompts(lab: LabPage) -> list[str]:
    return [lab.prompt(index) for index in range(CELLS)]


def outputs(lab: LabPage) -> list[str]:
    return [lab.output(index).strip() for index in range(CELLS)]


def choose_slow_kernel(lab: LabPage) -> None:
    lab.page.locator(".jp-Toolbar-kernelName").click()
    lab.dialog.locator("select").select_option(label=SlowKernel.title)
    lab.dialog.get_by_role("button", name="Select Kernel").click()
    expect(lab.dialog).to_have_count(0)


def run_all(lab: LabPage) -> None:
    lab.cell(0).locator(".cm-content").click()
    lab.choose_in_menu("Run", "Run All Cells")
    expect(waiting(lab)).to_have_count(CELLS)
    assert prompts(lab) == ["[*]:"] * CELLS


def test_cells_wait_visibly_for_a_slow_kernel_and_run_in_order_unless_they_are_canceled(
    ann: LabPage, files: Files, slow: SlowKernel
) -> None:
    ann.open_path(saved_notebook(files))
    expect(notice(ann)).to_contain_text("Connecting to the kernel")
    expect(notice(ann)).to_contain_text(re.compile(r"\d+ s"))
    expect(ann.notebook.locator(".jp-NotebookPanel-toolbar")).to_contain_text(
        "Connecting to the kernel"
    )
    expect(status(ann)).to_contain_text("| Starting")
    run_all(ann)
    expect(notice(ann)).to_contain_text("3 cells wait")
    assert outputs(ann) == [KEPT] * CELLS
    # By keyboard, as without a mouse.
    cancel = ann.cell(1).get_by_role("button", name="Cancel: do not run this cell")
    cancel.focus()
    ann.page.keyboard.press("Enter")
    expect(waiting(ann)).to_have_count(CELLS - 1)
    assert prompts(ann) == ["[*]:", "[8]:", "[*]:"]

    slow.open()
    wait_for("the cells", lambda: prompts(ann) == ["[1]:", "[8]:", "[2]:"], 60)
    assert outputs(ann) == ["1", KEPT, "2"]
    expect(waiting(ann)).to_have_count(0)
    expect(notice(ann)).to_be_hidden()
    expect(status(ann)).to_contain_text("| Idle")
    expect(ann.dialog).to_have_count(0)
    # Nothing was asked for twice.
    assert len(files.kernels()) == 1


def test_an_interrupt_takes_all_waiting_cells_back_and_cancel_ends_the_start(
    ann: LabPage, files: Files
) -> None:
    path = saved_notebook(files)
    ann.open_path(path)
    expect(notice(ann)).to_contain_text("Connecting to the kernel")
    run_all(ann)
    ann.choose_in_menu("Kernel", "Interrupt Kernel")
    expect(waiting(ann)).to_have_count(0)
    assert prompts(ann) == ["[7]:", "[8]:", "[9]:"]
    assert outputs(ann) == [KEPT] * CELLS
    assert [kernel["state"] for kernel in files.kernels()] == ["launching"]

    # Who comes later sees that it starts.
    ann.page.reload(wait_until="domcontentloaded")
    ann.ready()
    expect(notice(ann)).to_contain_text("Connecting to the kernel")
    run_all(ann)
    button(ann, "Cancel").click()
    expect(status(ann)).to_contain_text("No Kernel")
    expect(notice(ann)).to_be_hidden()
    expect(waiting(ann)).to_have_count(0)
    assert outputs(ann) == [KEPT] * CELLS
    wait_for("the kernel to be gone", lambda: not files.kernels(), 60)
    expect(ann.dialog).to_have_count(0)


def test_a_failed_start_says_why_in_the_notebook_and_can_be_started_again(
    ann: LabPage, files: Files, slow: SlowKernel
) -> None:
    path = saved_notebook(files)
    ann.open_path(path)
    expect(notice(ann)).to_contain_text("Connecting to the kernel")
    expect(ann.listed(path.removeprefix("demo/"))).to_have_class(re.compile("jp-mod-running"))
    run_all(ann)
    slow.fail(f"the {LICENSE}")
    expect(notice(ann)).to_contain_text("could not be started")
    expect(notice(ann)).to_contain_text(LICENSE)
    expect(notice(ann).get_by_role("alert")).to_be_visible()
    expect(waiting(ann)).to_have_count(0)
    assert prompts(ann) == ["[7]:", "[8]:", "[9]:"]
    assert outputs(ann) == [KEPT] * CELLS
    expect(ann.dialog).to_have_count(0)
    (failed,) = files.kernels()
    # Nowhere does it look like a kernel that runs, or that lost its connection.
    expect(status(ann)).to_contain_text("| Dead")
    expect(ann.notebook.locator(".jp-NotebookPanel-toolbar")).to_contain_text("Not started")
    file = ann.listed(path.removeprefix("demo/"))
    expect(file).to_be_visible()
    expect(file).not_to_have_class(re.compile("jp-mod-running"))
    ann.page.locator(".jp-Toolbar-kernelName").click()
    select = ann.dialog.locator("select")
    expect(select).to_have_value(json.dumps({"name": SlowKernel.name}, separators=(",", ":")))
    expect(select).not_to_contain_text(failed["id"].split("-")[0])
    ann.page.keyboard.press("Escape")
    expect(ann.dialog).to_have_count(0)

    ann.page.reload(wait_until="domcontentloaded")
    ann.ready()
    expect(notice(ann)).to_contain_text("could not be started")
    expect(notice(ann)).to_contain_text(LICENSE)
    # A cell that is run loses nothing either.
    ann.cell(0).locator(".cm-content").click()
    ann.page.keyboard.press("Shift+Enter")
    wait_for("the prompt", lambda: ann.prompt(0) == "[7]:", 60)
    assert ann.output(0).strip() == KEPT

    slow.open()
    button(ann, "Start Again").click()
    expect(status(ann)).to_contain_text("| Idle")
    expect(notice(ann)).to_be_hidden()
    assert ann.evaluate(0, COUNT) == "1"
    expect(ann.dialog).to_have_count(0)
    assert [kernel["id"] for kernel in files.kernels()] == [failed["id"]]


def test_a_kernel_that_does_not_come_leaves_the_notebook_its_earlier_one_with_all_variables(
    ann: LabPage, files: Files, slow: SlowKernel
) -> None:
    ann.open_path("demo")
    ann.new_notebook()
    assert ann.evaluate(0, "x = 5; print(x)") == "5"
    (earlier,) = files.kernels()

    def change() -> None:
        choose_slow_kernel(ann)
        expect(notice(ann)).to_contain_text("Connecting to the kernel")

    def is_back() -> None:
        expect(notice(ann)).to_contain_text("The earlier kernel is still there")
        expect(waiting(ann)).to_have_count(0)
        expect(status(ann)).to_contain_text("| Idle")
        expect(ann.notebook.locator(".jp-Toolbar-kernelName")).not_to_contain_text(SlowKernel.title)

    change()
    ann.run(1, "x = 'of another kernel'")
    expect(waiting(ann)).to_have_count(1)
    slow.fail(f"the {LICENSE}")
    is_back()
    expect(notice(ann)).to_contain_text(f"{SlowKernel.title} could not be started")
    expect(notice(ann)).to_contain_text(LICENSE)
    assert ann.evaluate(1, "print(x + 1)") == "6"

    slow.hold()
    button(ann, "Start Again").click()
    expect(notice(ann)).to_contain_text("Connecting to the kernel")
    # Who comes back meanwhile can cancel it, too.
    ann.page.reload(wait_until="domcontentloaded")
    ann.ready()
    expect(notice(ann)).to_contain_text("Connecting to the kernel")
    button(ann, "Cancel").click()
    is_back()
    expect(notice(ann)).to_contain_text(f"{SlowKernel.title} was not started")
    assert ann.evaluate(0, "print(x + 2)") == "7"
    button(ann, "Close").click()
    expect(notice(ann)).to_be_hidden()

    change()
    slow.open()
    wait_for("the earlier kernel to end", lambda: earlier["id"] not in ids(files), 60)
    expect(notice(ann)).to_be_hidden()
    assert ann.evaluate(1, "print('x' in globals())") == "False"
    expect(ann.dialog).to_have_count(0)


def test_a_kernel_whose_start_fails_before_the_page_is_answered_leaves_the_earlier_one(
    ann: LabPage, files: Files, slow: SlowKernel
) -> None:
    ann.open_path("demo")
    ann.new_notebook()
    assert ann.evaluate(0, "x = 5; print(x)") == "5"
    (earlier,) = files.kernels()
    slow.fail(f"the {LICENSE}")

    def answer_late(route: Route) -> None:
        if route.request.method != "PATCH":
            route.continue_()
            return
        answer = route.fetch()
        wait_for(
            "the session to have its earlier kernel",
            lambda: [model["kernel"]["id"] for model in files.sessions()] == [earlier["id"]],
            30,
        )
        route.fulfill(response=answer)

    ann.page.route(re.compile(r"/api/sessions/[^/]+$"), answer_late)
    choose_slow_kernel(ann)
    expect(notice(ann)).to_contain_text("The earlier kernel is still there")
    expect(notice(ann)).to_contain_text(LICENSE)
    assert ann.evaluate(1, "print(x + 1)") == "6"


def test_the_kernel_that_was_refused_is_started_again_and_stays_if_it_runs_when_it_is_canceled(
    ann: LabPage, files: Files, slow: SlowKernel
) -> None:
    ann.open_path("demo")
    ann.new_notebook()
    assert ann.evaluate(0, "x = 5; print(x)") == "5"
    (earlier,) = files.kernels()
    patches = re.compile(r"/api/sessions/[^/]+$")
    refusal = {"message": "no gateway can answer at the moment"}

    def refuse(route: Route) -> None:
        if route.request.method == "PATCH":
            route.fulfill(status=503, json=refusal)
        else:
            route.continue_()

    ann.page.route(patches, refuse)
    choose_slow_kernel(ann)
    expect(notice(ann)).to_contain_text(refusal["message"])
    ann.page.unroute(patches)
    button(ann, "Start Again").click()
    expect(notice(ann)).to_contain_text("Connecting to the kernel")
    expect(ann.notebook.locator(".jp-Toolbar-kernelName")).to_contain_text(SlowKernel.title)
    (slow_id,) = set(ids(files)) - {earlier["id"]}

    # There is nothing yet that a restart would end.
    ann.run(0, "print('not run')")
    expect(waiting(ann)).to_have_count(1)
    ann.choose_in_menu("Kernel", "Restart Kernel…")
    expect(waiting(ann)).to_have_count(0)
    expect(ann.dialog).to_have_count(0)
    assert set(ids(files)) == {slow_id, earlier["id"]}
    expect(notice(ann)).to_contain_text("Connecting to the kernel")

    def state() -> str:
        return next(one["state"] for one in files.kernels() if one["id"] == slow_id)

    def cancel_late(route: Route) -> None:
        if route.request.method == "DELETE":
            slow.open()
            wait_for("the kernel", lambda: state() == "running", 60)
        route.continue_()

    ann.page.route(re.compile(rf"/api/kernels/{slow_id}"), cancel_late)
    button(ann, "Cancel").click()
    expect(notice(ann)).to_be_hidden()
    expect(status(ann)).to_contain_text("| Idle")
    assert ann.evaluate(0, "print(6 * 7)") == "42"
    wait_for("the earlier kernel to end", lambda: ids(files) == [slow_id], 60)
    expect(ann.dialog).to_have_count(0)


def test_a_restart_is_asked_about_if_the_server_says_that_the_kernel_runs_by_now(
    ann: LabPage, files: Files
) -> None:
    ann.open_path(saved_notebook(files))
    expect(notice(ann)).to_contain_text("Connecting to the kernel")
    (kernel_id,) = ids(files)
    restarts = []

    def runs(route: Route) -> None:
        if "/restart" in route.request.url:
            restarts.append(route.request.url)
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "state": "running"})

    ann.page.route(re.compile(rf"/api/kernels/{kernel_id}(/restart)?([?]|$)"), runs)
    ann.choose_in_menu("Kernel", "Restart Kernel…")
    expect(ann.dialog).to_contain_text("Restart Kernel?")
    ann.dialog.get_by_role("button", name="Cancel").click()
    expect(ann.dialog).to_have_count(0)
    assert not restarts


def test_a_console_shows_how_the_kernel_of_its_notebook_starts_and_its_cells_wait(
    ann: LabPage, files: Files, slow: SlowKernel
) -> None:
    ann.open_path(saved_notebook(files))
    expect(notice(ann)).to_contain_text("Connecting to the kernel")
    ann.choose_in_menu("File", "New Console for")
    console = ann.page.locator(".jp-ConsolePanel")
    line = console.locator(".jp-fleet-KernelNotice")
    expect(line).to_contain_text("Connecting to the kernel")
    expect(line.get_by_role("button", name=re.compile("^Cancel"))).to_be_visible()

    def run(source: str) -> None:
        console.locator(".jp-CodeConsole-promptCell .cm-content").click()
        ann.page.keyboard.insert_text(source)
        ann.page.keyboard.press("Shift+Enter")

    waits = console.get_by_text("Waits for the kernel")
    run("print('first')")
    expect(waits).to_have_count(1)
    expect(line).to_contain_text("1 cell waits")
    slow.fail(f"the {LICENSE}")
    for shown in (line, notice(ann)):
        expect(shown).to_contain_text("could not be started")
        expect(shown).to_contain_text(LICENSE)
    expect(waits).to_have_count(0)

    slow.hold()
    line.get_by_role("button", name=re.compile("^Start Again")).click()
    expect(line).to_contain_text("Connecting to the kernel")
    run("print(6 * 7)")
    expect(waits).to_have_count(1)
    slow.open()
    expect(console.locator(".jp-OutputArea-output")).to_have_text(re.compile("^42"))
    for shown in (line, notice(ann)):
        expect(shown).to_be_hidden()
    assert ann.evaluate(0, COUNT) == "1"
    expect(ann.dialog).to_have_count(0)
    assert len(files.kernels()) == 1


def test_a_console_that_is_opened_before_its_notebook_has_a_kernel_gets_the_same_one(
    ann: LabPage, files: Files
) -> None:
    held: list[Route] = []
    read = False

    def hold(route: Route) -> None:
        if read:
            route.continue_()
        else:
            held.append(route)

    # A notebook asks for its kernel after its checkpoints.
    ann.page.route(re.compile(r"/checkpoints(\?|$)"), hold)
    ann.open_path(saved_notebook(files))
    expect(ann.cell(0)).to_be_visible()
    wait_for("the checkpoints", lambda: held or ann.page.wait_for_timeout(20), 60)
    ann.choose_in_menu("File", "New Console for")
    console = ann.page.locator(".jp-ConsolePanel")
    expect(console).to_be_visible()
    assert not files.kernels()
    read = True
    for route in held:
        route.continue_()
    line = console.locator(".jp-fleet-KernelNotice")
    for shown in (notice(ann), line):
        expect(shown).to_contain_text("Connecting to the kernel")
    expect(ann.dialog).to_have_count(0)
    assert len(files.kernels()) == 1


def test_the_place_in_a_queue_and_the_reason_of_a_lost_kernel_are_shown(
    ann: LabPage, files: Files, slow: SlowKernel
) -> None:
    said: dict[str, Any] = {}

    def speak(route: Route) -> None:
        """Say in the server's place what no kernel of this machine comes to."""
        answer = route.fetch()
        models = answer.json()
        for model in models if isinstance(models, list) else []:
            model.get("kernel", model).update(said)
        route.fulfill(response=answer, json=models)

    ann.page.route(re.compile(r"/api/(kernels|sessions)(\?|$)"), speak)

    panel = ann.page.locator("#jp-running-sessions")
    running_kernel = panel.locator(".jp-RunningSessions-itemDetail")

    def refresh() -> None:
        panel.get_by_title("Refresh List").click()

    room = "0/3 nodes are available: insufficient memory"
    queued = {"phase": "queued", "position": 2, "message": "", "since": "2026-01-01T00:00:00Z"}
    ann.open_path(saved_notebook(files))
    expect(notice(ann)).to_contain_text("Connecting to the kernel")
    # It stays open: a list that nobody sees is not drawn.
    ann.page.locator('.lm-TabBar-tab[data-id="jp-running-sessions"]').click()
    for launch, words in (
        (queued, "2nd in the queue"),
        ({**queued, "phase": "scheduling", "message": room}, f"Waiting for room: {room}"),
        ({**queued, "phase": "pulling", "message": "40 %"}, "Pulling the image … 40 %"),
    ):
        # JupyterLab compares other fields of a model.
        said.update(launch=launch)
        refresh()
        expect(notice(ann)).to_contain_text(words)
        expect(running_kernel).to_contain_text(words.partition(":")[0])
    said.clear()
    slow.open()
    expect(status(ann)).to_contain_text("| Idle")
    assert ann.evaluate(0, "x = 5; print(x)") == "5"

    reason = "its agent has been silent for 42 s: node worker-2 is NotReady"
    said.update(state="unreachable", execution_state="unknown", reason=reason)
    refresh()
    expect(notice(ann)).to_contain_text(f"The kernel cannot be reached: {reason}")
    expect(button(ann, "Restart")).to_be_visible()
    expect(button(ann, "Shut Down")).to_be_visible()
    expect(status(ann)).to_contain_text("| Unknown")
    # A cell waits until the kernel is back, with its variables.
    ann.run(0, "print(x + 1)")
    expect(waiting(ann)).to_have_count(1)
    said.clear()
    refresh()
    wait_for("the cell", lambda: ann.output(0).strip() == "6", 60)
    expect(notice(ann)).to_be_hidden()
    expect(ann.dialog).to_have_count(0)
