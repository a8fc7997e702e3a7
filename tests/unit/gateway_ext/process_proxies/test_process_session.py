"""Telling a process from another one of the same number."""

import os
import signal
import subprocess
import sys
import time

from gateway_ext.agent.process_identity import started_at
from gateway_ext.process_proxies.process_session import kill_session, session_members


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
