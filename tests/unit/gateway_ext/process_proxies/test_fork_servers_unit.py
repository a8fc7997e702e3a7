"""Fork servers that are broken by the code of their project."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway_ext.process_proxies import fork_servers
from gateway_ext.process_proxies.fork_servers import (
    Environment,
    ForkFailed,
    ForkServerBroken,
    ForkServers,
    superfluous,
)

# Answers each order with a child of its own, as the real one does, but without its imports.
HONEST = """
import json, os, socket, sys
control = socket.socket(fileno=os.dup(0))
control.sendall(b'{"ready": 1}')
while True:
    size, files, _, _ = socket.recv_fds(control, 8, 2)
    if not size:
        break
    with control.makefile("rb") as stream:
        stream.read(int.from_bytes(size, "big"))
    pid = os.fork()
    if pid == 0:
        os.read(files[1], 1)
        os._exit(0)
    [os.close(file) for file in files]
    control.sendall(json.dumps({"pid": pid}).encode())
"""
GARBAGE = """
import socket, time
control = socket.socket(fileno=0)
control.sendall(b'{"ready": 1}')
socket.recv_fds(control, 8, 2)
control.sendall(b"\\x00" * 100)
time.sleep(60)
"""


class Fleet:
    """Fork servers for projects whose fork server is the given script."""

    def __init__(self, folder: Path, limit: int = 4) -> None:
        self.servers = ForkServers(limit, 60.0)
        self._folder = folder
        self._output = os.open(os.devnull, os.O_WRONLY)

    def close(self) -> None:
        for server in self.servers._servers.values():
            server.close()
        os.close(self._output)

    def fork(self, project: str, script: str = HONEST, note: str = "") -> int:
        """A process forked for the project."""
        program = self._folder / f"python-{project}"
        if not program.exists():
            code = self._folder / f"{project}.py"
            code.write_text(script)
            program.write_text(
                f"#!/bin/sh\necho $$ >> {program}.pids\nexec {sys.executable} {code}\n"
            )
            program.chmod(0o755)
        environment = {"PATH": "/usr/bin:/bin", "NOTE": note}
        shared = Environment.of(project, str(program), None, environment)
        log = self._folder / f"{project}.log"
        return self.servers.fork(shared, environment, ["order"], self._output, log)

    def pids(self, project: str) -> list[int]:
        """The fork servers that were started for the project."""
        file = self._folder / f"python-{project}.pids"
        return list(map(int, file.read_text().split())) if file.exists() else []


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    one = Fleet(tmp_path)
    yield one
    one.close()


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_other_projects_fork_while_the_fork_server_of_one_is_stopped(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Longer than the test may take: nothing here waits for a time-out.
    monkeypatch.setattr(fork_servers, "ANSWER_SECONDS", 600.0)
    assert fleet.fork("a") > 0
    (stopped,) = fleet.pids("a")
    os.kill(stopped, signal.SIGSTOP)
    with ThreadPoolExecutor(16) as threads:
        hanging = [threads.submit(fleet.fork, "a") for _ in range(8)]
        try:
            # Those beyond the limit need the place of a server that is stopped and busy.
            for number in range(4):
                assert threads.submit(fleet.fork, f"b{number}").result(60) > 0
            assert threads.submit(fleet.fork, "b0").result(60) > 0
            assert not any(one.done() for one in hanging)
        finally:
            os.kill(stopped, signal.SIGKILL)
        for one in hanging:
            # Its fork server was killed; a new one does it.
            assert one.exception(60) is None


def test_a_stopped_fork_server_is_killed_and_all_who_wait_for_it_go_on_without(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.fork("a")
    (stopped,) = fleet.pids("a")
    os.kill(stopped, signal.SIGSTOP)
    with monkeypatch.context() as soon, ThreadPoolExecutor(8) as threads:
        soon.setattr(fork_servers, "ANSWER_SECONDS", 0.5)
        failures = [
            one.exception(60) for one in [threads.submit(fleet.fork, "a") for _ in "12345678"]
        ]
    assert all(isinstance(one, ForkFailed) for one in failures)
    wait_until(lambda: is_gone(stopped))
    # No new one for this project for a while, whatever environment its users ask for.
    with pytest.raises(ForkFailed):
        fleet.fork("a", note="another")
    assert fleet.pids("a") == [stopped]
    assert fleet.fork("b") > 0


def test_a_fork_server_that_is_stopped_before_it_is_ready_is_given_up(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fork_servers, "READY_SECONDS", 0.5)
    with pytest.raises(ForkServerBroken):
        fleet.fork("a", "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)")
    (stopped,) = fleet.pids("a")
    wait_until(lambda: is_gone(stopped))


def test_after_its_pause_a_project_gets_a_fork_server_again(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(ForkServerBroken):
        fleet.fork("a", GARBAGE)
    (tmp_path / "a.py").write_text(HONEST)
    with pytest.raises(ForkFailed):
        fleet.fork("a")
    now = time.monotonic()
    monkeypatch.setattr(fleet.servers._back_off, "_clock", lambda: now + 61)
    assert fleet.fork("a") > 0


def test_a_fork_server_that_has_closed_its_connection_is_replaced(fleet: Fleet) -> None:
    fleet.fork("a")
    os.kill(fleet.pids("a")[0], signal.SIGKILL)
    assert fleet.fork("a") > 0
    assert len(fleet.pids("a")) == 2


def test_closing_a_busy_fork_server_returns_at_once_and_ends_it(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fork_servers, "ANSWER_SECONDS", 2.0)
    fleet.fork("a")
    (server,) = fleet.servers._servers.values()
    (stopped,) = fleet.pids("a")
    os.kill(stopped, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as threads:
        hanging = threads.submit(fleet.fork, "a")
        wait_until(server._lock.locked)
        closing = threading.Thread(target=server.close)
        closing.start()
        closing.join(30)
        assert not closing.is_alive()
        assert isinstance(hanging.exception(60), ForkFailed)
    wait_until(lambda: is_gone(stopped))


def of(project: str, note: str = "") -> Environment:
    return Environment.of(project, "python", None, {"NOTE": note})


def test_a_project_with_many_environments_takes_no_place_from_others() -> None:
    used = {of("a", "1"): 3.0, of("a", "2"): 2.0, of("b"): 1.0, of("c"): 0.0}
    assert superfluous(used, of("a", "3"), 4) == [of("a", "2")]
    assert superfluous(used, of("d"), 4) == [of("a", "2")]
    assert superfluous(used, of("d"), 5) == []
    single = {of(project): float(age) for age, project in enumerate("abcd")}
    assert superfluous(single, of("e"), 4) == [of("a")]
    assert superfluous(single, of("b", "2"), 4) == [of("b")]
    assert superfluous({of("a"): 0.0}, of("b"), 1) == [of("a")]
