"""Starts a process with a timeout."""

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

START_SECONDS = 5.0
"""How long a new process may take until it runs its program."""


def start_process(
    command: list[str], *, seconds: float = START_SECONDS, **options: Any
) -> "subprocess.Popen[bytes]":
    """`subprocess.Popen(command, **options)`, which raises TimeoutError if that takes too long.

    Popen waits until the child runs its program. By then the child has its new user ID already,
    and other processes of that user may stop it: Popen would wait forever.
    """
    thread = threading.get_native_id()
    before = set(_children_of(thread))
    decided = threading.Lock()
    runs = late = False

    def kill_child() -> None:
        nonlocal late
        with decided:
            if runs:
                return
            late = True
            for pid in set(_children_of(thread)) - before:
                # Only this thread reaps its new child, and it is waiting.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    timer = threading.Timer(seconds, kill_child)
    timer.daemon = True
    timer.start()
    try:
        process = subprocess.Popen(command, **options)
    finally:
        with decided:
            runs = True
        timer.cancel()
    if late:
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        process.kill()
        process.wait()
        raise TimeoutError(f"the process did not run its program within {seconds:g} s")
    return process


def write_within(file: int, data: bytes, seconds: float) -> None:
    """Writes all of `data` to a pipe; raises OSError, and TimeoutError if nobody reads it in
    time. The pipe stays non-blocking."""
    deadline = time.monotonic() + seconds
    os.set_blocking(file, False)
    # Not select(): it takes no file descriptor above 1023.
    writable = select.poll()
    writable.register(file, select.POLLOUT)
    rest = memoryview(data)
    while rest:
        left = deadline - time.monotonic()
        if left <= 0 or not writable.poll(left * 1000):
            raise TimeoutError(f"nobody has read from the pipe within {seconds:g} s")
        with contextlib.suppress(BlockingIOError):
            rest = rest[os.write(file, rest) :]


def _children_of(thread: int) -> list[int]:
    """The processes that a thread of this process has forked and nobody has reaped."""
    try:
        return list(map(int, Path(f"/proc/self/task/{thread}/children").read_text().split()))
    except OSError:
        # A kernel without CONFIG_PROC_CHILDREN.
        return []
