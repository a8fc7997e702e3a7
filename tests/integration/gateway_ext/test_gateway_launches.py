"""Kernels of a machine that wait for their turn or take long to start, and their clients."""

import json
import os
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import websocket

from tests.integration.gateway_ext.fleet_of_gateways import (
    Channels,
    Client,
    Gateways,
    agents_of,
    kernel_python,
    lab_python,
    running_gateways,
    wait_until,
)
from tests.integration.gateway_ext.frozen_gateway import freeze
from tests.servers.ports import free_ports
from tests.servers.process import ServerProcess

KERNEL = "from ipykernel import kernelapp; kernelapp.launch_new_instance()"
SLOW_SECONDS = 4


@pytest.fixture(scope="module")
def one_by_one() -> Iterator[Gateways]:
    """Gateways that start one kernel after the other; this file ends the first one."""
    changes = {"FleetGatewayApp": {"concurrent_launches": 1}}
    with running_gateways(changes=changes) as gateways:
        for name, seconds in (("hangs", 1000), ("slow", SLOW_SECONDS)):
            code = f"import time; time.sleep({seconds}); {KERNEL}"
            argv = [kernel_python(), "-c", code, "-f", "{connection_file}"]
            gateways._write_kernelspec(name, {}, argv=argv)
        yield gateways


def begin(gateways: Gateways, name: str, number: int = 0) -> str:
    """Starts a kernel without waiting for it; its id."""
    kernel_id = str(uuid.uuid4())
    client = gateways.client()
    client.headers["X-Fleet-Start"] = "async"
    body = {"name": name, "kernel_id": kernel_id}
    answer = client.call("POST", f"{gateways.urls[number]}/api/kernels", json=body)
    assert (answer.status_code, answer.json()["state"]) == (201, "launching"), answer.text
    return kernel_id


@contextmanager
def stock_server(
    gateways: Gateways, folder: Path, number: int = 0
) -> Iterator[tuple[str, dict[str, str]]]:
    """A jupyter_server of others that has its kernels at a gateway: its URL, and the headers that
    it wants."""
    [port], token = free_ports(1), uuid.uuid4().hex
    owner = gateways.signer.sign("ada", {"demo": "owner"}, 3600)
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.open_browser": False,
        "ServerApp.allow_root": True,
        "ServerApp.root_dir": str(folder),
        "ServerApp.jpserver_extensions": json.dumps({}),
        "IdentityProvider.token": token,
        "GatewayClient.url": gateways.urls[number],
        "GatewayClient.auth_token": owner,
    }
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")
    }
    environment |= {f"JUPYTER_{name}_DIR": str(folder) for name in ("CONFIG", "DATA", "RUNTIME")}
    server = ServerProcess(
        [lab_python(), "-m", "jupyter_server", *(f"--{k}={v}" for k, v in options.items())],
        folder / "server.log",
        environment={**environment, "JUPYTER_NO_CONFIG": "1"},
        directory=folder,
    )
    url, headers = f"http://127.0.0.1:{port}", {"Authorization": f"token {token}"}

    def answers() -> bool:
        try:
            return requests.get(f"{url}/api/status", headers=headers, timeout=10).ok
        except requests.ConnectionError:
            return False

    try:
        server.wait_until(answers)
        yield url, headers
    finally:
        server.stop()


def test_a_stock_jupyter_server_starts_a_slow_kernel_at_a_gateway(
    one_by_one: Gateways, tmp_path: Path
) -> None:
    with stock_server(one_by_one, tmp_path) as (url, headers):
        body = {"name": "slow"}
        answer = requests.post(f"{url}/api/kernels", json=body, headers=headers, timeout=60)
        assert answer.status_code == 201, answer.text
        kernel_id = answer.json()["id"]
        assert answer.json()["execution_state"] != "dead"
        with Channels(url, kernel_id, headers, False) as channels:
            assert channels.run("print(6 * 7)") == "42\n"
        ended = requests.delete(f"{url}/api/kernels/{kernel_id}", headers=headers, timeout=60)
        assert ended.status_code == 204


def test_a_stock_client_sends_before_the_kernel_runs(one_by_one: Gateways) -> None:
    kernel_id = begin(one_by_one, "slow")
    client = one_by_one.client()
    with client.channels(one_by_one.urls[1], kernel_id, v1=True) as channels:
        requests = [channels.execute(f"print({n})") for n in range(3)]
        assert channels.print_of(requests) == ["0\n", "1\n", "2\n"]
    client.call("DELETE", f"{one_by_one.urls[0]}/api/kernels/{kernel_id}")


def test_nobody_takes_the_websockets_with_which_others_follow_a_launch(
    one_by_one: Gateways,
) -> None:
    gateways = one_by_one
    kernel_id = begin(gateways, "hangs")
    owner = str(wait_until(lambda: gateways.owner(kernel_id)))
    ada, grace = gateways.client(), gateways.client("grace", demo="editor")

    def follow(client: Client) -> websocket.WebSocket:
        """What a lab opens for a page."""
        session = uuid.uuid4().hex
        return websocket.create_connection(
            f"{owner.replace('http', 'ws', 1)}/api/kernels/{kernel_id}/channels"
            f"?session_id={session}&stream={session}&launching=1",
            header={**client.headers, "X-Fleet-Routing": "direct"},
            subprotocols=["fleet.v1"],
            timeout=40,
        )

    def told(page: websocket.WebSocket) -> str:
        """Why the websocket is closed, if it is."""
        opcode, data = page.recv_data()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return f"{int.from_bytes(data[:2], 'big')} {data[2:].decode()}"
        return "open"

    pages = [follow(ada) for _ in range(50)]
    assert [told(page) for page in pages] == ["open"] * 50
    assert told(follow(ada)) == (
        "4429 you have 50 connections to this kernel: close some of its pages"
    )
    assert told(follow(grace)) == "open"
    pages.pop().close()
    wait_until(lambda: told(follow(ada)) == "open")
    for page in pages:
        page.close()
    answer = ada.call("DELETE", f"{gateways.urls[0]}/api/kernels/{kernel_id}")
    assert answer.status_code == 204


def test_a_kernel_that_waits_for_its_turn_says_its_place_and_begins_at_another_gateway(
    one_by_one: Gateways,
) -> None:
    gateways = one_by_one
    # Each keeps its turn for three seconds.
    hanging = [begin(gateways, "hangs") for _ in range(4)]
    waits, canceled = begin(gateways, "python"), begin(gateways, "python")

    def in_line() -> Any:
        launch = gateways.model(waits, 1)["launch"] or {}
        return launch if launch.get("position") else None

    assert wait_until(in_line)["phase"] == "queued"
    url = f"{gateways.urls[1]}/api/kernels"
    client = gateways.client()
    # At the gateway at which it does not wait.
    assert client.call("DELETE", f"{url}/{canceled}").status_code == 204
    # From now on nobody gets a turn there, however long the next look takes.
    freeze(gateways, 0)
    assert gateways.model(waits, 1)["launch"]["phase"] == "queued"
    gateways.processes[0].kill()
    wait_until(lambda: gateways.model(waits, 1)["state"] == "running", 60)
    with client.channels(gateways.urls[1], waits) as channels:
        assert channels.run("print(6 * 7)") == "42\n"
    events = [one["event"] for one in gateways.events(waits, 1)]
    assert events[:3] == ["launch", "launch", "claim"]
    assert len(agents_of(waits)) == 1
    assert agents_of(canceled) == []
    for kernel_id in (*hanging, waits):
        assert client.call("DELETE", f"{url}/{kernel_id}").status_code == 204
    wait_until(lambda: not any(agents_of(kernel_id) for kernel_id in (*hanging, waits)))
    gateways.urls.reverse()


@contextmanager
def impatient(seconds: int) -> Iterator[Gateways]:
    """Gateways whose kernels have little time to start. The kernel `gated` starts once the file
    `gate` exists, the one called `hangs` never answers, the agent of `apart` never connects."""
    changes = {"FleetGatewayApp": {"launch_seconds": seconds}}
    with running_gateways(changes=changes) as gateways:
        gate = str(gateways.home() / "gate")
        waits = f"import os, time\nwhile not os.path.exists({gate!r}): time.sleep(0.1)\n"
        for name, code in (("gated", waits + KERNEL), ("hangs", "import time; time.sleep(1000)")):
            argv = [kernel_python(), "-c", code, "-f", "{connection_file}"]
            gateways._write_kernelspec(name, {}, argv=argv)
        proxy = {
            "class_name": "gateway_ext.process_proxies.local.LocalAgentProxy",
            "config": {"agent_command": ["sh", "-c", "echo no gateway found; exec sleep 1000"]},
        }
        gateways._write_kernelspec("apart", proxy)
        yield gateways


@pytest.fixture(scope="module")
def gated() -> Iterator[Gateways]:
    """Such gateways for kernels that do start in time; the tests leave them running."""
    with impatient(15) as gateways:
        yield gateways


def connected(gateways: Gateways, kernel_id: str) -> None:
    """Returns when the agent of a kernel that is being launched has connected."""
    words = "the agent has connected and starts the kernel"
    wait_until(lambda: (gateways.model(kernel_id, 1)["launch"] or {}).get("message") == words)


@pytest.mark.parametrize("number", [0, 1])
def test_a_launch_goes_on_when_it_is_restarted_or_interrupted_after_its_agent_has_connected(
    gated: Gateways, number: int
) -> None:
    gateways, client = gated, gated.client()
    (gateways.home() / "gate").unlink(missing_ok=True)
    kernel_id = begin(gateways, "gated")
    connected(gateways, kernel_id)
    url = f"{gateways.urls[number]}/api/kernels/{kernel_id}"
    with client.channels(gateways.urls[number], kernel_id) as channels:
        cell = channels.execute("print('dropped')")
        channels.wait_until_read()
        answer = client.call("POST", f"{url}/restart")
        assert (answer.status_code, answer.json()["state"]) == (200, "launching"), answer.text
        assert answer.json()["launch"]["phase"] == "connecting"
        dropped: list[Any] = []

        def interrupt() -> bool:
            """Once more if the cell was on its way to the agent."""
            assert client.call("POST", f"{url}/interrupt").status_code == 204
            channels.wait_at_most(1)
            try:
                dropped.append(channels.finish(cell))
            except websocket.WebSocketTimeoutException:
                return False
            return True

        wait_until(interrupt)
        assert dropped == [("", {"status": "aborted"})]
        assert client.call("GET", url).json()["state"] == "launching"
        (gateways.home() / "gate").touch()
        channels.wait_at_most(40)
        assert channels.run("print('after')") == "after\n"

    def happened() -> list[str]:
        events = [one["event"] for one in gateways.events(kernel_id, 0)]
        return [event for event in events if event != "interrupt"]

    wait_until(lambda: "running" in happened())
    assert happened() == ["launch", "claim", "running"]
    assert len(agents_of(kernel_id)) == 1


def test_a_launch_ends_when_its_time_is_over_whether_its_gateway_lives_or_ends() -> None:
    # Enough for an agent to connect; none of these kernels starts.
    seconds = 9
    with (
        impatient(seconds) as living,
        impatient(seconds) as ending,
        ThreadPoolExecutor(2) as threads,
    ):
        # Both are waited for at once.
        over = [
            threads.submit(is_over_after, living, seconds, False),
            threads.submit(is_over_after, ending, seconds, True),
        ]
        for one in over:
            one.result()


def is_over_after(gateways: Gateways, seconds: int, killed: bool) -> None:
    hanging, apart = begin(gateways, "hangs"), begin(gateways, "apart")
    connected(gateways, hanging)
    wait_until(lambda: gateways.model(apart, 1)["location"])
    if killed:
        gateways.processes[0].kill()
        gateways.urls.reverse()
    for kernel_id in (hanging, apart):

        def ended(kernel_id: str = kernel_id) -> Any:
            found = gateways.model(kernel_id, 1 - killed)
            return found if found["state"] == "dead" else None

        reason = wait_until(ended, 60)["reason"]
        assert reason.startswith(f"the kernel did not start within {seconds} s")
        assert ("no gateway found" in reason) == (kernel_id == apart)
        wait_until(lambda kernel_id=kernel_id: not agents_of(kernel_id))
