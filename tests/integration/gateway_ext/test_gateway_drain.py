"""Gateways that are drained, that come later, that cull, and whose limits hold together."""

import signal
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.integration.gateway_ext.fleet_of_gateways import (
    Gateways,
    agents_of,
    running_gateways,
    wait_until,
)
from tests.integration.gateway_ext.heartbeats import wait_for_heartbeats
from tests.integration.gateway_ext.test_fork_servers import servers_of


def drain(gateways: Gateways, number: int, at: int, method: str = "POST") -> requests.Response:
    url = f"{gateways.urls[at]}/api/fleet/gateways/gateway-{number}/drain"
    answer: requests.Response = gateways.service().call(method, url)
    return answer


def kernels_by_gateway(gateways: Gateways, number: int) -> dict[str, int]:
    url = f"{gateways.urls[number]}/api/fleet/gateways"
    return {one["name"]: one["kernels"] for one in gateways.client().call("GET", url).json()}


def test_drained_evenly_and_without_ending(own_gateways: Gateways) -> None:
    gateways = own_gateways
    with ThreadPoolExecutor(4) as pool:
        kernels = list(pool.map(gateways.start_kernel, [0] * 4))
    gateways.add()
    with gateways.client().channels(gateways.urls[0], kernels[0]) as channels:
        pid = channels.run("x = 41; print(get_ipython().kernel.ident)")
        url = f"{gateways.urls[0]}/api/fleet/gateways/gateway-0/drain"
        assert gateways.client().call("POST", url).status_code == 403
        # Asked for at another one, carried out where it was meant.
        answer = drain(gateways, 0, at=1)
        assert (answer.status_code, answer.json()["kernels"]) == (200, 0), answer.text
        # A page of the drained gateway goes on through it.
        assert channels.run("x += 1; print(x, get_ipython().kernel.ident)") == f"42 {pid}"
    wait_until(
        lambda: kernels_by_gateway(gateways, 1) == {"gateway-0": 0, "gateway-1": 2, "gateway-2": 2}
    )
    assert gateways.processes[0]._process.poll() is None
    body = {"kernel_id": str(uuid.uuid4())}
    answer = gateways.client().call("POST", f"{gateways.urls[0]}/api/kernels", json=body)
    assert answer.status_code == 503
    assert drain(gateways, 9, at=0).status_code == 404
    assert drain(gateways, 0, at=2, method="DELETE").json()["draining"] is False
    gateways.start_kernel(0)

    history = [event["event"] for event in gateways.events(kernels[0], 1)]
    assert history[:2] == ["launch", "claim"]
    assert sorted(history) == ["claim", "claim", "launch", "running"]
    client = gateways.client(user="eve", other="owner")
    url = f"{gateways.urls[1]}/api/fleet/kernels"
    # A stranger to the project learns of no kernel.
    assert client.call("GET", f"{url}/{kernels[0]}/events").status_code == 404
    assert client.call("GET", f"{url}/{uuid.uuid4()}/events").status_code == 404

    # The agents have heard of the gateway that came later: it is the only one left.
    gateways.client().call("POST", f"{gateways.urls[2]}/api/kernels/{kernels[0]}/interrupt")
    for number in (0, 1):
        gateways.processes[number].signal(signal.SIGKILL)
    for kernel_id in kernels:
        wait_until(lambda kernel_id=kernel_id: gateways.owner(kernel_id, 2) == gateways.urls[2], 30)
    with gateways.client().channels(gateways.urls[2], kernels[0]) as channels:
        assert channels.run("x += 1; print(x, get_ipython().kernel.ident)") == f"43 {pid}"
    assert "interrupt ada" in [
        f"{event['event']} {event['username']}" for event in gateways.events(kernels[0], 2)
    ]
    wait_until(lambda: kernels_by_gateway(gateways, 2) == {"gateway-2": 5})
    # A gateway alone keeps what it has.
    assert drain(gateways, 2, at=2).status_code == 409


def test_a_start_is_answered_by_the_gateway_that_leaves() -> None:
    # Half of the time is for what starts just now.
    with (
        running_gateways(changes={"FleetGatewayApp": {"drain_seconds": 60.0}}) as gateways,
        ThreadPoolExecutor() as pool,
    ):
        kernel = pool.submit(gateways.start_kernel, 0)
        # The first one takes a while to import what kernels need.
        wait_until(lambda: servers_of(gateways), every=0.01)
        gateways.processes[0].signal(signal.SIGTERM)
        with gateways.client().channels(gateways.urls[1], kernel.result()) as channels:
            assert channels.run("print(6 * 7)") == "42\n"
        assert gateways.processes[0]._process.wait(60) == 0
        assert gateways.owner(kernel.result(), 1) == gateways.urls[1]
        gateways.start_again(0)


IDLE_SECONDS = 12


@pytest.fixture
def culling_gateways() -> Any:
    changes = {
        "FleetMappingKernelManager": {"cull_idle_timeout": IDLE_SECONDS, "cull_interval": 1},
        "EnterpriseGatewayApp": {"max_kernels": 4, "max_kernels_per_user": 3},
    }
    with running_gateways(changes=_with_port(changes)) as gateways:
        yield gateways


def _with_port(changes: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    # Configuration of a base class counts for the app too.
    return {**changes, "FleetGatewayApp": changes.pop("EnterpriseGatewayApp")}


def test_limits_and_culling_after_a_hand_over(culling_gateways: Gateways) -> None:
    gateways = culling_gateways

    def start(number: int, user: str) -> Any:
        url = f"{gateways.urls[number]}/api/kernels"
        return gateways.client(user=user).call("POST", url, json={})

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(start, [0, 1, 0, 1, 0, 1], ["ada"] * 6))
    started = [answer.json()["id"] for answer in answers if answer.status_code == 201]
    refused = [answer for answer in answers if answer.status_code == 403]
    assert (len(started), len(refused)) == (3, 3)
    assert all("the limit for each user is 3" in answer.json()["message"] for answer in refused)
    assert start(0, "bob").status_code == 201
    answer = start(1, "bob")
    assert answer.status_code == 403
    assert "no more than 4" in answer.json()["message"]

    idle, busy, watched = started
    client = gateways.client()
    channels = client.channels(gateways.urls[1], busy)
    channels.run("import time")
    channels.execute("time.sleep(100)")
    wait_until(lambda: state(gateways, busy) == "busy")
    channels.close()
    page = client.channels(gateways.urls[1], watched)
    page.run("1")
    with client.channels(gateways.urls[1], idle) as channels:
        channels.run("1")
    last = time.monotonic()
    gateways.processes[0].stop()
    url = f"{gateways.urls[1]}/api/kernels/{idle}"
    wait_until(lambda: client.call("GET", url).status_code == 404, IDLE_SECONDS + 15)
    # The hand-over was no activity, and no sooner than it should either.
    assert IDLE_SECONDS - 1 < time.monotonic() - last < IDLE_SECONDS + 10
    (event,) = [e for e in gateways.events(idle, 1) if e["event"] == "delete"]
    assert (event["username"], event["gateway"]) == ("", "gateway-1")
    assert event["detail"].startswith("culled: idle for 1")
    wait_until(lambda: not agents_of(idle))
    # Several more looks at what is idle.
    wait_for_heartbeats(gateways, 1, 6)
    assert state(gateways, busy) == "busy"
    assert page.run("print(1)") == "1\n"
    # Ready for the fixture's end.
    page.close()
    gateways.start_again(0)


def state(gateways: Gateways, kernel_id: str) -> str:
    url = f"{gateways.urls[1]}/api/kernels/{kernel_id}"
    text: str = gateways.client().call("GET", url).json()["execution_state"]
    return text
