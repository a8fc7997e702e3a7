"""A Python kernel's process that is forked, with its imports done, before the kernel starts.

The agent forks it before it reads its start document, because what the agent knows by then the
kernel's code would find in its own memory: the agent's key is in the document. It waits, and
becomes the kernel when the agent sends it the arguments, environment, folder and output that `exec`
would set. If the agent ends first, so does this process.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence

from .late_folders import MODULES, import_what_kernels_import, run_kernel
from .shown_process import show_as
from .standard_files import read_nothing
from .start_document import StartDocument, needs_new_process
from .walls.confinement import confine
from .walls.first_process import wait_for_order
from .walls.waiting_process import WaitingProcess

_PR_SET_PDEATHSIG = 1


def is_forkable(argv: Sequence[str], own_python: str) -> bool:
    """Whether a kernel's command is a module of Python's that a fork of `own_python` can run."""
    own = {own_python, "python", f"python{sys.version_info[0]}"}
    own.add("python{}.{}".format(*sys.version_info[:2]))
    return len(argv) > 2 and argv[0] in own and argv[1] == "-m" and argv[2] in MODULES


def can_be_forked(
    document: StartDocument, own_python: str, started_with: Mapping[str, str]
) -> bool:
    """Whether a fork of `own_python`, which was started with that environment, can become this
    kernel."""
    forkable = is_forkable(document.argv, own_python)
    return forkable and not needs_new_process(document, started_with)


def fork_kernel(release: Callable[[], None]) -> WaitingProcess:
    """Fork a process that waits to become the kernel; there, `release` closes what it must not
    have.

    Must be called before there are threads, an event loop or anything in memory that the kernel's
    code must not read.
    """
    agent = os.getpid()
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid:
        theirs.close()
        return WaitingProcess(pid, ours)
    ours.close()
    release()
    _wait_and_run(theirs, agent)
    # Up through the frames of the agent's main, and of its server's, to the interpreter's end.
    sys.exit(0)


def _wait_and_run(control: socket.socket, agent: int) -> None:
    die_with_parent(agent)
    # The agent's start document may still be there to be read.
    read_nothing()
    os.umask(0o077)
    order, report = wait_for_order(control, announced=import_what_kernels_import)
    if report is not None:
        report.started()
    else:
        if not order.keep_process_group:
            os.setsid()
        if order.walls is not None:
            confine(order.walls, order.own)
    os.chdir(order.cwd)
    argv = order.argv
    take_environment(argv, order.environment)
    # What `python -m` does. The module's own path replaces the first argument.
    sys.argv, sys.orig_argv = list(argv[2:]), list(argv)
    run_kernel(argv[2])


def die_with_parent(parent: int) -> None:
    """Be killed when the parent ends; end at once if it has."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def take_environment(argv: Sequence[str], environment: Mapping[str, str]) -> None:
    """Replace the environment, and show it and `argv` in /proc."""
    os.environ.clear()
    os.environ.update(environment)
    show_as(argv, environment)
