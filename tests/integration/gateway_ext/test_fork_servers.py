"""Agents that are forked: by whom, what of, and what happens when that is not possible."""

import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from gateway_ext.agent.process_identity import started_at
from gateway_ext.process_proxies.fork_servers import MODULE, Environment, ForkFailed, ForkServers
from tests.integration.gateway_ext.fleet_of_gateways import (
    Gateways,
    agents_of,
    kernel_process,
    kernel_python,
    running_gateways,
    wait_until,
)


def servers_of(gateways: Gateways) -> list[psutil.Process]:
    """The fork servers of these gateways."""
    pids = {process.pid for process in gateways.processes}
    return [
        process
        for process in psutil.process_iter(["ppid", "cmdline"])
        if process.info["ppid"] in pids and MODULE in (process.info["cmdline"] or [])
    ]


def start_and_look(gateways: Gateways, **body: object) -> tuple[str, int]:
    """The id of a new kernel in which a cell ran, and its agent's process."""
    kernel_id = gateways.start_kernel(0, **body)
    with gateways.client().channels(gateways.urls[0], kernel_id) as channels:
        assert channels.run("print(6 * 7)") == "42\n"
    (agent,) = agents_of(kernel_id)
    return kernel_id, agent


def test_a_second_kernel_comes_from_the_same_server_with_an_environment_of_its_own() -> None:
    with running_gateways(count=1) as gateways:
        seen = []
        for note in ("one", "two"):
            kernel_id = gateways.start_kernel(0, env={"KERNEL_NOTE": note})
            with gateways.client().channels(gateways.urls[0], kernel_id) as channels:
                told = channels.run(
                    "import os, random; print(os.environ['KERNEL_NOTE'], os.environ['KERNEL_ID'], "
                    "random.random())"
                ).split()
            (agent,) = agents_of(kernel_id)
            assert told[:2] == [note, kernel_id]
            # The kernel is in a session of its own, with the first process within its walls.
            (first,) = psutil.Process(agent).children()
            assert os.getsid(first.pid) == os.getsid(kernel_process(kernel_id)) == first.pid
            seen.append((psutil.Process(agent).ppid(), told[2]))
        (server,) = servers_of(gateways)
        assert [parent for parent, _ in seen] == [server.pid] * 2
        assert seen[0][1] != seen[1][1], "both draw the same random numbers"
        # Nothing of the first kernel is to be found at the server.
        assert not [name for name, value in server.environ().items() if value == "one"]


def test_packages_that_are_installed_meanwhile_are_seen_by_the_next_kernel() -> None:
    with running_gateways(count=1) as gateways:
        start_and_look(gateways)
        (before,) = servers_of(gateways)
        (gateways.directory / "code" / "new_package.py").write_text("answer = 42")
        _, agent = start_and_look(gateways)
        (after,) = servers_of(gateways)
        assert after.pid != before.pid
        assert psutil.Process(agent).ppid() == after.pid


def test_a_server_that_is_killed_costs_neither_kernels_nor_starts() -> None:
    with running_gateways(count=1) as gateways:
        first, agent = start_and_look(gateways)
        (server,) = servers_of(gateways)
        os.kill(server.pid, signal.SIGKILL)
        start_and_look(gateways)
        assert [one.pid for one in servers_of(gateways)] != [server.pid]
        with gateways.client().channels(gateways.urls[0], first) as channels:
            assert channels.run("print(1)") == "1\n"
        assert agents_of(first) == [agent]


def test_a_stopped_server_is_ended_and_the_project_s_kernels_start_without_one() -> None:
    with running_gateways(count=1) as gateways, ThreadPoolExecutor(8) as threads:
        start_and_look(gateways)
        (server,) = servers_of(gateways)
        os.kill(server.pid, signal.SIGSTOP)
        started = [threads.submit(gateways.start_kernel, 0) for _ in range(4)]
        other = gateways.client(user="otto", other="owner")
        url = f"{gateways.urls[0]}/api/kernels"
        answer = other.call("POST", url, json={"path": "other/notebook.ipynb"})
        assert answer.status_code == 201, answer.text
        kernel_id = answer.json()["id"]
        # The other project has a fork server of its own.
        (agent,) = agents_of(kernel_id)
        (others,) = {one.pid for one in servers_of(gateways)} - {server.pid}
        assert psutil.Process(agent).ppid() == others
        assert other.call("DELETE", f"{url}/{kernel_id}").status_code == 204
        for one in started:
            (agent,) = agents_of(one.result(120))
            assert psutil.Process(agent).ppid() == gateways.processes[0].pid
        wait_until(lambda: not server.is_running())


def test_without_servers_agents_are_programs_of_their_own() -> None:
    with running_gateways(count=1, changes={"FleetGatewayApp": {"fork_servers": 0}}) as gateways:
        _, agent = start_and_look(gateways)
        assert psutil.Process(agent).ppid() == gateways.processes[0].pid
        assert servers_of(gateways) == []


def test_a_server_goes_with_its_gateway_and_its_agents_stay() -> None:
    with running_gateways(count=2) as gateways:
        kernel_id, agent = start_and_look(gateways)
        (server,) = servers_of(gateways)
        gateways.processes[0].signal(signal.SIGKILL)
        gateways.processes[0].stop()
        wait_until(lambda: not server.is_running())
        with gateways.client().channels(gateways.urls[1], kernel_id) as channels:
            assert channels.run("print(7)") == "7\n"
        assert agents_of(kernel_id) == [agent]
        url = f"{gateways.urls[1]}/api/kernels/{kernel_id}"
        assert gateways.client().call("DELETE", url).status_code == 204
        wait_until(lambda: not agents_of(kernel_id))
        gateways.start_again(0)


@pytest.fixture
def order(tmp_path: Path) -> dict[str, object]:
    """What ForkServers.fork takes; the agent's document cannot be used, so that it ends at once."""
    python = kernel_python()
    environment = {"PATH": "/usr/bin", "KERNEL_ID": "x", "HOME": str(tmp_path)}
    command = [python, "-m", "gateway_ext.agent"]
    return {
        "shared": Environment.of("demo", python, None, environment),
        "environment": environment,
        "order": [command, environment, "no document"],
        "log": tmp_path / "server.log",
    }


def test_an_agent_of_which_the_gateway_does_not_hear_does_not_begin(
    order: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = ForkServers(1, 60.0)
    output = tmp_path / "agent.log"
    with output.open("wb") as file:
        assert servers.fork(output=file.fileno(), **order) > 0  # type: ignore[arg-type]
        wait_until(lambda: b"start document" in output.read_bytes())
        written = output.read_bytes()
        forked: list[int] = []

        def lost(_: object, pid: int) -> None:
            forked.append(pid)
            raise OSError("lost")

        # Between the fork and its news the gateway is lost.
        monkeypatch.setattr("gateway_ext.process_proxies.fork_servers.ForkServer._check", lost)
        with pytest.raises(ForkFailed):
            servers.fork(output=file.fileno(), **order)  # type: ignore[arg-type]
        wait_until(lambda: started_at(forked[0]) is None)
    assert output.read_bytes() == written


def test_what_cannot_be_started_is_not_tried_with_every_kernel(
    order: dict[str, object], tmp_path: Path
) -> None:
    servers = ForkServers(1, 60.0)
    begun = tmp_path / "begun"
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\npwd >> {begun}\nexit 3\n")
    program.chmod(0o755)
    shared = Environment.of("demo", str(program), None, {})
    for _ in range(3):
        with pytest.raises(ForkFailed):
            servers.fork(**{**order, "shared": shared, "output": sys.stderr.fileno()})  # type: ignore[arg-type]
    # Python would import what lies in the folder in which it starts.
    assert begun.read_text() == "/\n"


def test_only_as_many_servers_are_kept_as_were_asked_for(
    order: dict[str, object], tmp_path: Path
) -> None:
    servers = ForkServers(1, 60.0)
    python = kernel_python()
    for name in ("a", "b"):
        environment = {"PATH": "/usr/bin", "WHICH": name}
        shared = Environment.of("demo", python, None, environment)
        with (tmp_path / name).open("wb") as file:
            servers.fork(  # type: ignore[misc]
                **{
                    **order,
                    "shared": shared,
                    "environment": environment,
                    "output": file.fileno(),
                }
            )
    mine = [child for child in psutil.Process().children() if MODULE in child.cmdline()]
    assert len(mine) == 1
    assert mine[0].environ()["WHICH"] == "b"
    mine[0].kill()


def test_a_server_that_a_project_has_taken_over_holds_nobody_for_long(
    order: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may say what it likes, and as slowly as it likes."""
    monkeypatch.setattr("gateway_ext.process_proxies.fork_servers.READY_SECONDS", 1.0)
    program = tmp_path / "python"
    for number, says in enumerate(
        (
            "while sleep 0.3; do printf ' ' >&0; done",
            """echo '{"ready": 1}' >&0; sleep 0.3; echo '{"pid": 1e999}' >&0; sleep 30""",
        )
    ):
        program.write_text(f"#!/bin/sh\n{says}\n")
        program.chmod(0o755)
        shared = Environment.of("demo", str(program), None, {"TRY": str(number)})
        servers = ForkServers(1, 60.0)
        begun = time.monotonic()
        with pytest.raises(ForkFailed):
            servers.fork(**{**order, "shared": shared, "output": sys.stderr.fileno()})  # type: ignore[arg-type]
        assert time.monotonic() - begun < 20


def test_variables_of_one_notebook_make_no_server_of_their_own() -> None:
    one, two = (
        Environment.of(
            "demo", "python", None, {"A": "a", "KERNEL_ID": name, "JPY_SESSION_NAME": name}
        )
        for name in ("x", "y")
    )
    assert one == two
