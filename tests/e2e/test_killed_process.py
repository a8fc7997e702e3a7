"""kill -9 of any one process: the page goes on with the same kernel and the same variables."""

from __future__ import annotations

import os
import signal
import time

import pytest
from playwright.sync_api import Route, expect

from tests.e2e.cable import Cable
from tests.e2e.conftest import OpenPage
from tests.e2e.kernel_notebook import PATIENCE, KernelNotebook, save
from tests.e2e.lab_page import wait_for
from tests.e2e.running_fleet import Files, Fleet, Process, connected, stop
from tests.integration.gateway_ext.fleet_of_gateways import agents_of

BOUND = 30.0
"""Seconds that decide; the aim is 10, and the time taken is printed."""


def serving_lab(fleet: Fleet) -> Process:
    """The lab that keeps a connection to a gateway: the page's kernel websocket."""
    gateways = {port_of(gateway) for gateway in fleet.processes("gateway")}
    labs = {lab.name: lab for lab in fleet.processes("lab")}
    for _ in range(5):
        # A call that a lab makes for its own background work is over by the next look.
        labs = {name: lab for name, lab in labs.items() if connected(pid_of(lab), gateways)}
        time.sleep(0.3)
    assert len(labs) == 1, f"one lab should serve the only page, not {sorted(labs)}"
    return labs.popitem()[1]


def owning_gateway(fleet: Fleet, kernel_id: str) -> Process:
    """The gateway that the kernel's agent is connected to."""
    (agent,) = agents_of(kernel_id)
    owners = [g for g in fleet.processes("gateway") if connected(agent, {port_of(g)})]
    assert len(owners) == 1, f"one gateway should own the kernel, not {owners}"
    return owners[0]


def pid_of(process: Process) -> int:
    assert process.pid is not None
    return process.pid


def port_of(process: Process) -> int:
    assert process.url
    return int(process.url.rstrip("/").rpartition(":")[2])


@pytest.mark.parametrize("victim", ["lab", "gateway"])
def test_a_killed_process_costs_neither_kernel_nor_page(
    fleet: Fleet, signed_in: OpenPage, victim: str
) -> None:
    page = signed_in(fleet.url, fleet.token("ann"))
    page.open_path("demo")
    page.new_notebook()
    page.mark()
    who = "print(get_ipython().kernel.ident, os.environ['KERNEL_ID'])"
    kernel, kernel_id = page.evaluate(0, f"import os; x = 41; {who}").split()
    process = serving_lab(fleet) if victim == "lab" else owning_gateway(fleet, kernel_id)
    page.write(1, "x + 1")
    sockets = page.kernel_sockets

    killed = stop(process, signal.SIGKILL)
    page.page.keyboard.press("Shift+Enter")
    wait_for("the answer to x + 1", lambda: page.output(1).strip() == "42", BOUND)
    wait_for("the reply to x + 1", lambda: page.has_reply(1), BOUND)
    taken = time.monotonic() - killed
    print(f"\n{victim} {process.name} killed: 42 after {taken:.2f} s")
    assert taken < BOUND

    assert page.evaluate(2, "print(get_ipython().kernel.ident)") == kernel
    assert not page.reloaded
    expect(page.dialog).to_have_count(0)
    # It was the right process: the page had to connect again, and the kernel to change its owner.
    assert page.kernel_sockets > sockets
    if victim == "gateway":
        assert owning_gateway(fleet, kernel_id).pid != process.pid
    assert fleet.replaced(process).pid != process.pid


def test_a_file_that_is_opened_while_no_lab_lives_opens_when_one_is_back(
    fleet: Fleet, files: Files, signed_in: OpenPage
) -> None:
    path = "demo/waits.txt"
    files.save(path, {"type": "file", "format": "text", "content": "here all the same"})
    page = signed_in(fleet.url, fleet.token("ann"))
    page.open_path("demo")
    item = page.listed("waits.txt")
    expect(item).to_be_visible()
    labs = fleet.processes("lab")

    supervisor = int((fleet.data_dir / "supervisor.pid").read_text())
    os.kill(supervisor, signal.SIGSTOP)
    try:
        for lab in labs:
            stop(lab, signal.SIGKILL)
        with page.page.expect_response(lambda answer: f"/contents/{path}" in answer.url) as asked:
            item.dblclick()
        assert asked.value.status == 503
    finally:
        os.kill(supervisor, signal.SIGCONT)
    expect(page.editor).to_contain_text("here all the same")
    expect(page.dialog).to_have_count(0)
    for lab in labs:
        fleet.replaced(lab)


def test_a_page_opens_its_notebook_though_all_labs_die_while_it_is_loaded(
    fleet: Fleet, notebook: KernelNotebook, cable: Cable
) -> None:
    notebook.save({"first": ""})
    page = notebook.open(lab=cable.url)
    kernel = page.evaluate(0, "print(get_ipython().kernel.ident)")
    save(page)

    def kill_labs() -> list[Process]:
        labs = fleet.processes("lab")
        for lab in labs:
            stop(lab, signal.SIGKILL)
        return labs

    for lab in kill_labs():
        fleet.replaced(lab)
    killed: list[Process] = []

    def kill_again(route: Route) -> None:
        if not killed:
            # Nobody answers at first, not even that there is no lab.
            cable.cut()
            killed.extend(kill_labs())
        route.continue_()

    asked = f"**/api/contents/{notebook.path}?*"
    page.page.route(asked, kill_again)
    with page.page.expect_event("requestfailed", lambda one: notebook.path in one.url):
        page.page.reload(wait_until="domcontentloaded")
    page.page.unroute(asked)
    cable.restore()
    page.ready()
    expect(page.cell(0)).to_contain_text(kernel)
    page.wait_for_kernel()
    assert page.evaluate(1, "print(get_ipython().kernel.ident)", PATIENCE) == kernel
    expect(page.dialog).to_have_count(0)
    for lab in killed:
        fleet.replaced(lab)
