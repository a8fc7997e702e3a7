"""A Python kernel's process that is forked, with its imports done, before the kernel starts.

The agent forks it before its own event loop and threads begin, when that is still safe. It waits,
and becomes the kernel when the agent sends it the arguments, environment, folder and output that
`exec` would set. If the agent ends first, so does this process.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import runpy
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from .package_site import (
    FOLDER,
    LEFT_OUT,
    cannot_be_made,
    enter_site,
    hides_what_is_imported,
    make_site,
    site_python,
)
from .shown_process import show_as
from .start_document import StartDocument, needs_new_process

_PR_SET_PDEATHSIG = 1
_MODULES = ("gateway_ext.agent.python_kernel", "ipykernel_launcher")
_IMPORTED_BY_KERNELS = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.zmqshell",
    "ipykernel.debugger",
    "ipywidgets",
    "psutil",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
)
"""What ipykernel imports until it has answered its first cell, some of it from functions."""


def is_forkable(argv: Sequence[str], own_python: str) -> bool:
    """Whether a kernel's command is a module of Python's that a fork of `own_python` can run."""
    own = {own_python, "python", f"python{sys.version_info[0]}"}
    own.add("python{}.{}".format(*sys.version_info[:2]))
    return len(argv) > 2 and argv[0] in own and argv[1] == "-m" and argv[2] in _MODULES


def import_what_kernels_import() -> None:
    """Import it once for all forks. Ignores missing modules: the kernel will report them."""
    # Otherwise the debugger prints a warning here that only matters when debugging.
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    for name in _IMPORTED_BY_KERNELS:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    del os.environ["PYDEVD_DISABLE_FILE_VALIDATION"]


class ForkedKernel:
    """The waiting process, seen from the agent."""

    def __init__(self, pid: int, control: socket.socket) -> None:
        self.pid = pid
        self._control = control

    def become(
        self, argv: Sequence[str], environment: Mapping[str, str], cwd: Path, output: int
    ) -> None:
        """Make it the kernel with this command; raises OSError if it has ended."""
        message = json.dumps([list(argv), dict(environment), str(cwd)]).encode()
        socket.send_fds(self._control, [len(message).to_bytes(8, "big")], [output])
        self._control.sendall(message)
        self._control.close()

    def dismiss(self) -> None:
        """It is not needed, and ends."""
        self._control.close()


def fork_kernel(document: StartDocument, started_with: Mapping[str, str]) -> ForkedKernel | None:
    """Fork a kernel-to-be if the kernelspec's command and the kernel's variables allow it.
    `started_with` is the environment with which this process was started.

    Must be called before there are threads or an event loop.
    """
    if not is_forkable(document.argv, sys.executable) or needs_new_process(document, started_with):
        return None
    import_what_kernels_import()
    agent = os.getpid()
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid:
        theirs.close()
        return ForkedKernel(pid, ours)
    ours.close()
    _wait_and_run(theirs, agent, document.keep_process_group)
    # Up through the frames of the agent's main, and of its server's, to the interpreter's end.
    sys.exit(0)


def _wait_and_run(control: socket.socket, agent: int, keep_process_group: bool) -> None:
    die_with_parent(agent)
    if not keep_process_group:
        os.setsid()
    size, descriptors, _, _ = socket.recv_fds(control, 8, 1)
    if not descriptors:
        os._exit(1)
    with control, control.makefile("rb") as stream:
        argv, environment, cwd = json.loads(stream.read(int.from_bytes(size, "big")))
    take_output(descriptors[0])
    os.chdir(cwd)
    take_environment(argv, environment)
    # What `python -m` does. The module's own path replaces the first argument.
    sys.argv, sys.orig_argv = argv[2:], argv
    _take_packages(argv)
    runpy.run_module(argv[2], run_name="__main__", alter_sys=True)


def _take_packages(argv: Sequence[str]) -> None:
    if FOLDER not in os.environ or LEFT_OUT in os.environ:
        return
    folder = Path(os.environ[FOLDER])
    try:
        make_site(folder)
        if hides_what_is_imported(folder):
            os.execv(site_python(folder), [str(site_python(folder)), *argv[1:]])  # noqa: S606
    except OSError as error:
        os.environ[LEFT_OUT] = cannot_be_made(folder, error)
    else:
        enter_site(folder)


def die_with_parent(parent: int) -> None:
    """Be killed when the parent ends; end at once if it has."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def take_output(output: int) -> None:
    """Make a file the standard output and error; there is nothing to read on standard input."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(nothing)
    os.close(output)


def take_environment(argv: Sequence[str], environment: Mapping[str, str]) -> None:
    """Replace the environment, and show it and `argv` in /proc."""
    os.environ.clear()
    os.environ.update(environment)
    show_as(argv, environment)
