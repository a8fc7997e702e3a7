"""Kernels go on while gateways end, and their clients notice nothing."""

import asyncio
import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest
import requests

from jupyter_ext.kernels.json_messages import json_to_v1, v1_to_json
from jupyter_ext.kernels.stream import KernelStream
from tests.integration.gateway_ext.fleet_of_gateways import (
    Channels,
    Gateways,
    agents_of,
    kernel_process,
    wait_until,
)
from tests.integration.gateway_ext.frozen_gateway import freeze
from tests.integration.gateway_ext.heartbeats import wait_for_heartbeats
from tests.integration.gateway_ext.records_of import records_as
from tests.integration.gateway_ext.test_gateway_launches import stock_server

PRINT_LINES = """
import time
print(get_ipython().kernel.ident, flush=True)
for number in range(40):
    print(f"line {number}", flush=True)
    time.sleep(0.1)
"""
LINES = [f"line {number}" for number in range(40)]


def test_owner_is_killed_while_a_cell_prints(own_gateways: Gateways) -> None:
    gateways, client = own_gateways, own_gateways.client()
    # A client of either protocol has a kernel of its own.
    kernels = [(gateways.start_kernel(0), v1) for v1 in (False, True)]
    read = records_as(gateways, "x")

    def pages(number: int) -> list[Channels]:
        return [client.channels(gateways.urls[number], one, v1=v1) for one, v1 in kernels]

    def epochs() -> list[int]:
        records = {one.kernel_id: one for one in asyncio.run(read.list_kernels())}
        return [records[kernel_id].epoch for kernel_id, _ in kernels]

    before = pages(1)
    pids = [page.run("x = 41; print(get_ipython().kernel.ident)").strip() for page in before]
    cells = [page.execute(PRINT_LINES) for page in before]
    threading.Timer(1.5, gateways.processes[0].signal, [signal.SIGKILL]).start()
    for page, (kernel_id, _), pid, cell in zip(before, kernels, pids, cells, strict=True):
        text, reply = page.finish(cell)
        assert text.split("\n")[:-1] == [pid, *LINES]
        assert reply["status"] == "ok"
        assert gateways.owner(kernel_id, 1) == gateways.urls[1]
        assert page.run("print(x + 1)") == "42\n"
        page.close()
    earlier = epochs()
    gateways.start_again(0)
    # The other way round, and the gateway that was killed serves again.
    after = pages(0)
    assert [page.run("print(x + 2)") for page in after] == ["43\n", "43\n"]
    gateways.processes[1].signal(signal.SIGKILL)
    assert [page.run("print(get_ipython().kernel.ident)").strip() for page in after] == pids
    assert all(now > then for now, then in zip(epochs(), earlier, strict=True))


def test_rolling_restart_by_sigterm(own_gateways: Gateways) -> None:
    gateways = own_gateways
    kernels = [gateways.start_kernel(0) for _ in range(2)]
    channels = [
        gateways.client().channels(gateways.urls[number], kernel_id)
        for number, kernel_id in enumerate(kernels)
    ]
    pids = [each.run("print(get_ipython().kernel.ident)").strip() for each in channels]
    # A client of the leaving gateway itself is told to come again; that of the other is not.
    request = channels[1].execute(PRINT_LINES)
    began = time.monotonic()
    gateways.processes[0].stop()
    assert time.monotonic() - began < 8
    assert gateways.processes[0]._process.returncode == 0
    assert all(agents_of(kernel_id) for kernel_id in kernels)

    def members() -> list[str]:
        listed = gateways.client().call("GET", f"{gateways.urls[1]}/api/fleet/gateways").json()
        return [member["name"] for member in listed]

    # A gateway knows of the others what its last heartbeat told.
    wait_until(lambda: members() == ["gateway-1"])
    text, _ = channels[1].finish(request)
    assert text.split("\n")[:-1] == [pids[1], *LINES]
    gateways.start_again(0)
    wait_until(lambda: len(members()) == 2)
    gateways.processes[1].stop()
    for kernel_id, pid in zip(kernels, pids, strict=True):
        # On a busy machine an agent may still be on its way.
        wait_until(lambda kernel_id=kernel_id: gateways.owner(kernel_id) == gateways.urls[0])
        with gateways.client().channels(gateways.urls[0], kernel_id) as again:
            assert again.run("print(get_ipython().kernel.ident)").strip() == pid


def test_the_only_gateway_ends_and_comes_back(own_gateways: Gateways) -> None:
    gateways = own_gateways
    gateways.processes[1].stop()
    kernel_id = gateways.start_kernel(0)
    with gateways.client().channels(gateways.urls[0], kernel_id) as channels:
        pid = channels.run("x = 41; print(get_ipython().kernel.ident)").strip()
    began = time.monotonic()
    gateways.processes[0].stop()
    assert time.monotonic() - began < 5
    assert agents_of(kernel_id)
    gateways.start_again(0)
    # Between owners a kernel is neither gone nor missing in the list.
    url = f"{gateways.urls[0]}/api/kernels"
    assert [kernel["id"] for kernel in gateways.client().call("GET", url).json()] == [kernel_id]
    with gateways.client().channels(gateways.urls[0], kernel_id) as channels:
        assert channels.run("print(get_ipython().kernel.ident, x + 1)") == f"{pid} 42\n"


def test_a_gateway_that_was_frozen_does_nothing(gateways: Gateways) -> None:
    kernel_id = gateways.start_kernel(0)
    client = gateways.client()
    with client.channels(gateways.urls[1], kernel_id) as channels:
        channels.run("x = 41")
        freeze(gateways, 0)
        try:
            assert channels.run("print(x + 1)") == "42\n"
        finally:
            gateways.processes[0].signal(signal.SIGCONT)
        # It wakes, believes itself the owner for a moment, and cannot do any harm.
        requests.post(
            f"{gateways.urls[0]}/api/kernels/{kernel_id}/restart",
            headers=client.headers,
            timeout=60,
        )
        wait_until(lambda: gateways.owner(kernel_id, 0) == gateways.urls[1])
        assert gateways.owner(kernel_id, 1) == gateways.urls[1]


def test_the_agent_dies(gateways: Gateways) -> None:
    kernel_id = gateways.start_kernel(0)
    url = f"{gateways.urls[1]}/api/kernels/{kernel_id}"
    page = gateways.client().channels(gateways.urls[1], kernel_id)
    # Numbers that the next agent has not reached when the page speaks to it.
    page.run("for number in range(50): print(number, flush=True)")
    (agent,) = agents_of(kernel_id)
    os.kill(agent, signal.SIGKILL)
    # Long before the sweep would find it.
    wait_until(lambda: gateways.client().call("GET", url).json()["state"] == "dead", 10)
    wait_for_heartbeats(gateways, 1)
    assert gateways.client().call("GET", url).json()["state"] == "dead"
    reason = gateways.client().call("GET", url).json()["reason"]
    assert "process has ended" in reason
    # A restart starts a new one, wherever it is asked for.
    answer = gateways.client().call("POST", f"{url}/restart")
    assert answer.status_code == 200, answer.text
    with gateways.client().channels(gateways.urls[0], kernel_id) as channels:
        assert channels.run("print(1)") == "1\n"
    assert page.run("print(2)") == "2\n"
    page.close()
    assert gateways.client().call("DELETE", url).status_code == 204
    wait_until(lambda: not agents_of(kernel_id))


STUBBORN = """
import signal, time
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
print("on", flush=True)
time.sleep(600)
"""


def agent_logs(gateways: Gateways) -> set[Path]:
    return set((gateways.directory / "k").glob("**/agent.log"))


@pytest.mark.parametrize("how", ["killed", "ended", "ending"])
def test_a_restart_at_the_moment_in_which_the_agent_ends_starts_a_new_one(
    gateways: Gateways, how: str
) -> None:
    logs_before = agent_logs(gateways)
    kernel_id = gateways.start_kernel(0)
    client = gateways.client()
    url = f"{gateways.urls[0]}/api/kernels/{kernel_id}"
    (agent,) = agents_of(kernel_id)
    with client.channels(gateways.urls[0], kernel_id) as channels:
        channels.run("x = 41")
        if how == "killed":
            os.kill(agent, signal.SIGKILL)
        elif how == "ended":
            os.kill(agent, signal.SIGTERM)
            wait_until(lambda: client.call("GET", url).json()["state"] == "dead")
        else:
            # It takes seconds to end such a kernel.
            channels.wait_for_output(channels.execute(STUBBORN))
            os.kill(agent, signal.SIGTERM)
            (log,) = agent_logs(gateways) - logs_before
            wait_until(lambda: "ending: " in log.read_text())
    # As labs ask: nobody comes again for an answer.
    answer = client.call("POST", f"{url}/restart", direct=True)
    assert answer.status_code == 200, answer.text
    with client.channels(gateways.urls[1], kernel_id) as channels:
        assert channels.run("print('x' in globals())") == "False\n"
    wait_until(lambda: len(agents_of(kernel_id)) == 1)
    assert agents_of(kernel_id) != [agent]


def test_a_claim_that_comes_too_late_is_made_good(gateways: Gateways) -> None:
    kernel_id, logged = gateways.start_kernel(0), len(gateways.log(0))
    with gateways.client().channels(gateways.urls[0], kernel_id) as channels:
        pid = channels.run("x = 41; print(get_ipython().kernel.ident)")
        # What the other gateway wrote when the database answered at last: the agent had given it
        # up, and had come here.
        records = records_as(gateways, "gateway-1")
        stored = asyncio.run(records.secrets(kernel_id))
        assert stored is not None
        late = asyncio.run(records.claim(kernel_id, stored.agent_key, 0))
        assert late is not None

        def settled() -> bool:
            model = gateways.client().call("GET", f"{gateways.urls[1]}/api/kernels/{kernel_id}")
            return model.json()["epoch"] > late.epoch

        wait_until(settled, 10)
        assert channels.run("print(x + 1)") == "42\n"
    for url in gateways.urls:
        assert gateways.client().call("POST", f"{url}/api/kernels/{kernel_id}/interrupt").ok
        with gateways.client().channels(url, kernel_id) as page:
            assert page.run("print(get_ipython().kernel.ident)") == pid
    assert "its record has another owner" in gateways.log(0)[logged:]


def test_an_agent_that_was_given_up_ends_and_harms_nothing(own_gateways: Gateways) -> None:
    gateways = own_gateways
    client = gateways.client()
    kernel_id = gateways.start_kernel(0)
    url = f"{gateways.urls[1]}/api/kernels/{kernel_id}"
    with client.channels(gateways.urls[0], kernel_id) as channels:
        born = channels.run("print(get_ipython().kernel.ident)")
    old_kernel = kernel_process(kernel_id)
    (old_agent,) = agents_of(kernel_id)
    os.kill(old_agent, signal.SIGSTOP)
    try:
        wait_until(lambda: gateways.owner(kernel_id) is None)
        # No gateway takes a process that it sees for dead. One that has been given its host's name
        # and number after a restart of the machine would see none: it is done in its place.
        records = records_as(gateways, "x")
        epoch = client.call("GET", url).json()["epoch"]
        assert asyncio.run(records.set_dead(kernel_id, epoch, "so it was believed"))
        assert client.call("POST", f"{url}/restart").status_code == 200
        page = client.channels(gateways.urls[0], kernel_id)
        assert page.run("x = 41; print(get_ipython().kernel.ident)") != born
        (agent,) = set(agents_of(kernel_id)) - {old_agent}
    finally:
        os.kill(old_agent, signal.SIGCONT)
    # Long before an agent without gateways gives up.
    wait_until(lambda: agents_of(kernel_id) == [agent])
    wait_until(lambda: not Path(f"/proc/{old_kernel}").exists())
    assert f"kernel {kernel_id}: an agent is told to end" in gateways.log(0) + gateways.log(1)
    # Nor has it taken the other one's folder with it when it went.
    assert page.run("print(x + 1)") == "42\n"
    page.close()
    folders = gateways.directory / "k" / "k"
    assert len([folder for folder in folders.iterdir() if list(folder.iterdir())]) == 1
    os.kill(agent, signal.SIGKILL)
    wait_until(lambda: client.call("GET", url).json()["state"] == "dead")
    # What a killed agent leaves is removed for it.
    wait_until(lambda: not list(folders.iterdir()))
    assert client.call("DELETE", url).status_code == 204


def test_a_kernel_is_deleted_while_its_agent_is_away(own_gateways: Gateways) -> None:
    gateways = own_gateways
    gateways.processes[1].stop()
    kernel_id = gateways.start_kernel(0)
    (agent,) = agents_of(kernel_id)
    os.kill(agent, signal.SIGSTOP)
    try:
        wait_until(lambda: gateways.owner(kernel_id) is None)
        answer = gateways.client().call(
            "DELETE", f"{gateways.urls[0]}/api/kernels/{kernel_id}", direct=True
        )
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
    finally:
        os.kill(agent, signal.SIGCONT)
    url = f"{gateways.urls[0]}/api/kernels/{kernel_id}"
    assert gateways.client().call("DELETE", url).status_code == 204
    wait_until(lambda: not agents_of(kernel_id))


def test_a_taken_port_is_one_clear_line(gateways: Gateways) -> None:
    second = gateways._start(0)
    assert second._process.wait(60) == 1
    lines = [line for line in gateways.log(0).splitlines() if "CRITICAL" in line or "C 2" in line]
    assert len([line for line in lines if "another program uses it" in line]) == 1


def test_fleet_stream_goes_on_at_the_new_owner(own_gateways: Gateways) -> None:
    gateways = own_gateways
    kernel_id = gateways.start_kernel(0)
    headers = {**gateways.client().headers, "X-Fleet-Routing": "direct"}

    async def run() -> tuple[list[str], list[tuple[int, str]]]:
        lines: list[str] = []
        closed: list[tuple[int, str]] = []
        done, ended = asyncio.Event(), asyncio.Event()

        def on_closed(code: int, reason: str) -> None:
            closed.append((code, reason))
            ended.set()

        async def resolve() -> str:
            # As a lab does: ask whichever gateway answers.
            for number in (0, 1):
                try:
                    owner = await asyncio.to_thread(gateways.owner, kernel_id, number)
                except (requests.ConnectionError, AssertionError):
                    # A 404 too: the kernel's end must come over the stream.
                    continue
                if owner:
                    return owner
            raise LookupError("no owner")

        async def on_message(message: bytes) -> None:
            document = json.loads(v1_to_json(message))
            kind = document["header"]["msg_type"]
            if kind == "stream":
                lines.extend(document["content"]["text"].split())
            elif kind == "execute_reply":
                done.set()

        stream = KernelStream(
            resolve=resolve,
            headers=headers,
            kernel_id=kernel_id,
            session_id="s1",
            on_message=on_message,
            on_closed=on_closed,
        )
        stream.start()
        header = {"msg_id": "m1", "msg_type": "execute_request", "session": "s1", "version": "5.3"}
        code = "import time\nfor n in range(30): print(n, flush=True); time.sleep(0.1)"
        request = {"channel": "shell", "header": header, "content": {"code": code}}
        stream.send(json_to_v1(json.dumps(request)))
        async with asyncio.timeout(30):
            while len(lines) < 5:  # noqa: ASYNC110 (the stream adds them)
                await asyncio.sleep(0.02)
        gateways.processes[0].signal(signal.SIGKILL)
        await asyncio.wait_for(done.wait(), 30)
        url = f"{gateways.urls[1]}/api/kernels/{kernel_id}"
        await asyncio.to_thread(gateways.client().call, "DELETE", url)
        await asyncio.wait_for(ended.wait(), 20)
        await stream.close()
        return lines, closed

    lines, closed = asyncio.run(run())
    assert lines == [str(number) for number in range(30)]
    assert closed[0][0] == 4404


def test_stock_jupyter_server_through_the_other_gateway(gateways: Gateways, tmp_path: Path) -> None:
    client = gateways.client()
    with stock_server(gateways, tmp_path, 1) as (url, client.headers):
        specs = client.call("GET", f"{url}/api/kernelspecs").json()
        assert "python" in specs["kernelspecs"]
        answer = client.call("POST", f"{url}/api/kernels", json={"name": "python"})
        assert answer.status_code == 201, answer.text
        kernel_id = answer.json()["id"]
        assert gateways.owner(kernel_id) == gateways.urls[1]
        # Make it somebody else's: the server's gateway is then the wrong one.
        freeze(gateways, 1)
        wait_until(lambda: gateways.owner(kernel_id, 0) == gateways.urls[0])
        gateways.processes[1].signal(signal.SIGCONT)
        wait_until(lambda: gateways.owner(kernel_id, 1) == gateways.urls[0])
        with client.channels(url, kernel_id) as channels:
            assert channels.run("x = 41; print(x + 1)") == "42\n"
            for action, status in (("interrupt", 204), ("restart", 200)):
                answer = client.call("POST", f"{url}/api/kernels/{kernel_id}/{action}")
                assert answer.status_code == status, answer.text
            assert channels.run("print('x' in dir())") == "False\n"
        assert client.call("DELETE", f"{url}/api/kernels/{kernel_id}").status_code == 204
        wait_until(lambda: not agents_of(kernel_id))
