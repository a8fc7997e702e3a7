"""A network of the kernel's own, and the way from it to the internet."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from itertools import chain
from pathlib import Path

import pytest

from gateway_ext.agent.orphans import adopt_orphans
from gateway_ext.agent.process_tree import children, descendants
from gateway_ext.agent.walls.network import Network, Reach
from gateway_ext.agent.walls.way_out import WayOut
from tests.unit.agent.inside_walls import start_inside


def _children_named(name: str, parent: int) -> list[int]:
    """The processes below another one whose commands begin so, without those of a moment."""
    found = []
    for process in descendants(parent):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if Path(f"/proc/{process.pid}/cmdline").read_bytes().startswith(name.encode()):
                found.append(process.pid)
    return found


def test_a_network_of_its_own_has_a_loopback_and_nothing_else(own: Path) -> None:
    code = (
        "import os, socket\n"
        "print([line.split()[0] for line in open('/proc/net/dev').readlines()[2:]])\n"
        "server = socket.create_server((socket.gethostname(), 0))\n"
        "print(socket.create_connection(server.getsockname()).fileno() > 0)\n"
        "try: socket.create_connection(('192.0.2.1', 80))\n"
        "except OSError as error: print(error.strerror)\n"
    )
    argv = [sys.executable, "-c", code]
    status, text = start_inside(own, argv, network=Network(Reach.NONE)).end()
    assert (status, text) == (0, "['lo:']\nTrue\nNetwork is unreachable\n")


def test_the_way_to_the_internet_ends_with_the_program(own: Path, with_a_way: Network) -> None:
    code = (
        "import time\n"
        "while 'eth0' not in open('/proc/net/route').read(): time.sleep(0.01)\n"
        "print(open('/proc/net/dev').read().count('eth0'), flush=True)\n"
        "time.sleep(600)\n"
    )
    inside = start_inside(own, [sys.executable, "-c", code], network=with_a_way)
    assert os.read(inside.output, 1) == b"1"
    # pasta has processes of its own for a moment.
    mine = children(os.getpid())
    (way_out,) = [pid for pid in _children_named("pasta", os.getpid()) if pid in mine]
    os.kill(inside.first.pid, signal.SIGKILL)
    inside.end()
    assert os.WTERMSIG(os.waitpid(way_out, 0)[1]) == signal.SIGKILL


def test_it_ends_with_a_killed_agent(own: Path, with_a_way: Network) -> None:
    ready, said = os.pipe()
    agent = os.fork()
    if not agent:
        try:
            adopt_orphans()
            start_inside(own, ["sleep", "600"], network=with_a_way)
            os.write(said, b".")
            signal.pause()
        finally:
            os._exit(1)
    os.close(said)
    try:
        assert os.read(ready, 9) == b"."
        # With the first process and the program; pasta has processes of its own for a moment.
        names = ("jupyter-fleet-walls", "sleep", "pasta")
        found = {name: _children_named(name, agent) for name in names}
        assert all(found.values()), found
        below = []
        for pid in chain.from_iterable(found.values()):
            with contextlib.suppress(ProcessLookupError):
                below.append(os.pidfd_open(pid))
    finally:
        os.kill(agent, signal.SIGKILL)
        os.waitpid(agent, 0)
    for process in below:
        assert select.select([process], [], [], 20)[0]
        os.close(process)


def test_where_pasta_is_missing_the_reason_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway_ext.agent.walls.way_out.PROGRAMS", "/nowhere")
    with pytest.raises(OSError, match="passt"):
        WayOut.fork(Network(Reach.INTERNET), own_resolver=True)
