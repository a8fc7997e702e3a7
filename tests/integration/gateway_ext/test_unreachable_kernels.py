"""Kernels whose agents are silent: frozen processes, real gateways."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from tests.integration.gateway_ext.fleet_of_gateways import (
    Gateways,
    agents_of,
    running_gateways,
    wait_until,
)


@pytest.fixture(scope="module")
def gateways() -> Iterator[Gateways]:
    """Two gateways that soon take a silent kernel for unreachable, both running after each test."""
    with running_gateways(changes={"FleetGatewayApp": {"unreachable_seconds": 4.0}}) as gateways:
        yield gateways


def freeze(kernel_id: str) -> int:
    """Stops the agent, which has been running; its process."""
    [agent] = agents_of(kernel_id)
    os.kill(agent, signal.SIGSTOP)
    return agent


def is_unreachable(gateways: Gateways, kernel_id: str, number: int = 1) -> bool:
    return gateways.model(kernel_id, number)["state"] == "unreachable"


def is_running(gateways: Gateways, kernel_id: str, number: int = 1) -> bool:
    return gateways.model(kernel_id, number)["state"] == "running"


def test_a_silent_kernel_is_unreachable_until_its_agent_is_back(gateways: Gateways) -> None:
    kernel_id = gateways.start_kernel(0)
    with gateways.client().channels(gateways.urls[0], kernel_id) as channels:
        channels.run("x = 41")
    agent = freeze(kernel_id)
    try:
        for number in (0, 1):
            wait_until(lambda number=number: is_unreachable(gateways, kernel_id, number), 30)
        shown = gateways.model(kernel_id, 1)
        assert shown["execution_state"] == "unknown"
        assert shown["reason"].startswith("its agent has been silent for ")
        url = f"{gateways.urls[1]}/api/kernels"
        listed = gateways.client().call("GET", url).json()
        assert [one["state"] for one in listed if one["id"] == kernel_id] == ["unreachable"]
        # Nobody waits for what cannot be done.
        answer = gateways.client().call("POST", f"{url}/{kernel_id}/interrupt")
        assert answer.status_code == 503
        assert "its agent has been silent for " in answer.json()["message"]
        # By which a lab knows that no other gateway can do it.
        assert answer.json()["state"] == "unreachable"
    finally:
        os.kill(agent, signal.SIGCONT)
    wait_until(lambda: is_running(gateways, kernel_id), 30)
    with gateways.client().channels(gateways.urls[0], kernel_id) as channels:
        assert channels.run("print(x + 1)") == "42\n"
    assert gateways.model(kernel_id, 1)["reason"] == ""


@pytest.mark.parametrize("killed", [False, True])
def test_a_restart_of_an_unreachable_kernel_is_answered_at_once_and_finished_later(
    gateways: Gateways, killed: bool
) -> None:
    kernel_id = gateways.start_kernel(0)
    with gateways.client().channels(gateways.urls[0], kernel_id) as channels:
        channels.run("x = 41")
    old = freeze(kernel_id)
    wait_until(lambda: is_unreachable(gateways, kernel_id, 0), 30)
    began = time.monotonic()
    url = f"{gateways.urls[0]}/api/kernels/{kernel_id}/restart"
    answer = gateways.client().call("POST", url, direct=True)
    assert answer.status_code == 200, answer.text
    assert time.monotonic() - began < 5
    if killed:
        # Whether it had begun or not, the other gateway finishes it.
        gateways.processes[0].signal(signal.SIGKILL)
    wait_until(lambda: is_running(gateways, kernel_id), 60)
    [new] = agents_of(kernel_id)
    assert new != old
    with gateways.client().channels(gateways.urls[1], kernel_id) as channels:
        assert channels.run("print('x' in globals())") == "False\n"
    restarts = [e for e in gateways.events(kernel_id, 1) if e["event"] == "restart"]
    assert [event["username"] for event in restarts] == ["ada"]
    if killed:
        gateways.start_again(0)


def test_a_delete_of_an_unreachable_kernel_is_answered_at_once(gateways: Gateways) -> None:
    kernel_id = gateways.start_kernel(0)
    freeze(kernel_id)
    wait_until(lambda: is_unreachable(gateways, kernel_id), 30)
    began = time.monotonic()
    url = f"{gateways.urls[1]}/api/kernels/{kernel_id}"
    assert gateways.client().call("DELETE", url, direct=True).status_code == 204
    assert time.monotonic() - began < 5
    assert gateways.client().call("GET", url).status_code == 404
    wait_until(lambda: not agents_of(kernel_id), 30)


def test_a_kernel_is_unreachable_too_if_its_gateway_is_gone_with_it(gateways: Gateways) -> None:
    kernel_id = gateways.start_kernel(0)
    agent = freeze(kernel_id)
    gateways.processes[0].signal(signal.SIGKILL)
    wait_until(lambda: is_unreachable(gateways, kernel_id), 30)
    os.kill(agent, signal.SIGCONT)
    wait_until(lambda: is_running(gateways, kernel_id), 30)
    assert agents_of(kernel_id) == [agent]
    gateways.start_again(0)


def test_an_operator_can_say_that_an_unreachable_kernel_is_gone(gateways: Gateways) -> None:
    kernel_id = gateways.start_kernel(0)
    url = f"{gateways.urls[1]}/api/fleet/kernels/{kernel_id}/gone"
    assert gateways.service().call("POST", url).status_code == 409
    freeze(kernel_id)
    wait_until(lambda: is_unreachable(gateways, kernel_id), 30)
    assert gateways.client().call("POST", url).status_code == 403
    answer = gateways.service().call("POST", url)
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "dead"
    assert answer.json()["reason"] == "an operator has said that what ran it is gone"
    assert gateways.service().call("POST", url).status_code == 409
    at_kernels = f"{gateways.urls[1]}/api/kernels/{kernel_id}"
    assert gateways.client().call("DELETE", at_kernels).status_code == 204
    wait_until(lambda: not agents_of(kernel_id), 30)
