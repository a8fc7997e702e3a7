"""Telling a process from another one of the same number."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway_ext.agent.process_identity import started_at
from gateway_ext.agent.process_tree import children, descendants
from gateway_ext.process_proxies.process_session import (
    kill_descendants,
    kill_session,
    session_members,
)
from tests.hopping_processes import HOPPING


def test_a_process_has_a_start_and_a_zombie_has_ended() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = started_at(process.pid)
    assert started is not None
    assert started_at(process.pid) == started
    own = started_at(os.getpid())
    assert own is not None
    assert started >= own
    process.kill()
    deadline = time.monotonic() + 10
    # Not collected: the process table still has it.
    while started_at(process.pid) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert os.path.exists(f"/proc/{process.pid}")
    process.communicate()
    assert started_at(process.pid) is None


def test_killing_a_session_ends_its_leader_and_the_children() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, start_new_session=True
    )
    deadline = time.monotonic() + 10
    while len(session_members(process.pid)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    kill_session(process.pid, os.getuid())
    process.communicate()
    while session_members(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_process_that_was_forked_to_lead_a_session_is_ended_before_it_does() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert os.getsid(process.pid) != process.pid
    kill_session(process.pid, os.getuid())
    assert process.wait(10) == -signal.SIGKILL


def test_killing_what_a_process_started_ends_those_in_other_sessions_too() -> None:
    code = (
        "import subprocess, time; c = ['sleep', '60']; p = subprocess.Popen(c); print(flush=True);"
    )
    code += "[subprocess.Popen(c, start_new_session=True).wait() for _ in range(9)]"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process:
        try:
            process.stdout.readline()
            deadline = time.monotonic() + 10
            while len(descendants(process.pid)) < 2:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            kill_descendants(process.pid, 5.0)
            # It would have started the next one.
            assert descendants(process.pid) == []
            assert started_at(process.pid) is not None
        finally:
            process.kill()


def test_killing_what_a_process_started_misses_none_that_forks_and_exits() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOPPING + "print(flush=True)\ntime.sleep(60)"],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[4],
    )
    assert process.stdout is not None
    with process:
        try:
            process.stdout.readline()
            began = time.monotonic()
            kill_descendants(process.pid, 9.0)
            assert time.monotonic() - began < 9
            # Whatever was missed goes on, and becomes a child again every few milliseconds.
            for _ in range(200):
                assert all(started_at(pid) is None for pid in children(process.pid))
        finally:
            process.kill()


def test_a_process_that_refuses_to_be_traced_is_killed_with_its_session() -> None:
    code = "import ctypes; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0); print(flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    kill_session(process.pid, os.getuid())
    process.communicate(timeout=10)
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("pid", [0, 1, -1])
def test_nothing_is_killed_below_a_process_that_no_gateway_started(pid: int) -> None:
    with pytest.raises(ValueError, match="is not a process that a gateway started"):
        kill_descendants(pid, 0.0)
