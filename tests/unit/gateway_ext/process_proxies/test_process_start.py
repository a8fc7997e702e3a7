"""Processes that are stopped by others of their user while they start."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from gateway_ext.process_proxies.process_start import start_process, write_within


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def test_a_process_that_is_stopped_before_it_runs_its_program_is_given_up_and_killed() -> None:
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with pytest.raises(TimeoutError, match="did not run its program"):
        start_process(["true"], seconds=0.3, stdin=subprocess.PIPE, preexec_fn=_stop)
    assert other.poll() is None, "another child of this thread was killed"
    other.communicate()
    assert other.returncode != -signal.SIGKILL


def test_a_process_that_has_started_may_run_for_as_long_as_it_likes() -> None:
    code = "import sys; sys.stdin.read()"
    process = start_process([sys.executable, "-c", code], seconds=60, stdin=subprocess.PIPE)
    # The timer that would end it is no more.
    deadline = time.monotonic() + 10
    while any(isinstance(thread, threading.Timer) for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.communicate()
    assert process.returncode == 0


def test_a_pipe_that_nobody_reads_blocks_nobody() -> None:
    read, write = os.pipe()
    with os.fdopen(read, "rb") as reader, os.fdopen(write, "wb") as writer:
        write_within(writer.fileno(), b"short", 1.0)
        with pytest.raises(TimeoutError, match="nobody has read"):
            write_within(writer.fileno(), b"x" * 2**20, 0.2)
        assert reader.read(6) == b"shortx"


def test_a_pipe_that_is_read_slowly_gets_everything() -> None:
    code = "import sys, time; time.sleep(0.3); print(len(sys.stdin.buffer.read()))"
    process = start_process(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process, process.stdout:
        with process.stdin as stdin:
            write_within(stdin.fileno(), b"x" * 2**20, 60.0)
        assert int(process.stdout.read()) == 2**20
