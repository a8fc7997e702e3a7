"""The first process inside a kernel's walls, and the steps that lead to it.

    agent (outside) -> a process that goes in and ends -> the first process -> the kernel

The agent becomes the first process's parent: its number, its end and its exit code are what the
agent sees of the kernel. It is told in lines of JSON, on the socket on which the kernel's order or
place comes: `{"pid": N}`, the first process's number outside; with a way to the internet also
`"way_out": N`, the number of that, `"own_resolver"`, `"refused"`, the machine's public addresses,
and three descriptors: a pipe with what the way says, the user and the network namespace;
`{"started": true}`; when the kernel has ended `{"ended": S}`, its wait status; or `{"error": words,
"errno": N}` instead, with `"way_out": true` if all that cannot be had is that way.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from gateway_ext.agent.shown_process import show_as
from gateway_ext.agent.standard_files import take_output

from .confinement import confine
from .filter import filter_program
from .namespaces import build, enter, leave_the_rest
from .network import Reach
from .order import Order, Place, receive
from .own_network import Outside, set_up
from .places import Walls
from .system_calls import (
    drop_capabilities,
    end_with_parent,
    filter_system_calls,
    hide_memory,
    no_new_privileges,
    words_of,
)
from .way_out import NoWayOut, WayOut, making_a_way

SHOWN = "jupyter-fleet-walls"
"""The command of the first process, in `ps`."""
_NEVER_STARTED = 127


class Report:
    """The kernel's way to say that it cannot start. A program's start closes it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def failed(self, error: OSError) -> None:
        """Say why, and end."""
        words = {"error": error.strerror or str(error), "errno": error.errno}
        os.write(self._descriptor, json.dumps(words).encode())
        os._exit(_NEVER_STARTED)

    def started(self) -> None:
        """All is well."""
        os.close(self._descriptor)


def wait_for_order(
    control: socket.socket, announced: Callable[[], None]
) -> tuple[Order, Report | None]:
    """The order, in the process that is to become the kernel: with namespaces another one, inside
    of them, which starts the kernel with the report. Where the place comes first, the walls are
    there before the order is. Ends if no order comes. `announced` as in `receive`."""
    told, report = receive(control, announced), None
    if isinstance(told, Place):
        report = _go_inside(control, told)
        told = receive(control, announced)
    if not isinstance(told, Order):
        os._exit(1)
    take_output(told.output)
    if report is None and told.place is not None:
        report = _go_inside(control, told.place)
    control.close()
    return told, report


def _go_inside(control: socket.socket, place: Place) -> Report:
    """Build the walls around this process, which has one thread. Returns in another process, in
    which the kernel is to run."""
    walls, own = place.walls, place.own
    network, way_out = walls.network, None
    outside, spaces = None if network is None else Outside.look(), list[int]()
    try:
        enter()
        if outside is not None and network is not None and network.reach is Reach.INTERNET:
            with making_a_way():
                way_out = WayOut.fork(network, own_resolver=outside.own_resolver)
        leave_the_rest(network=network is not None)
        if way_out is not None:
            way_out.give_network()
            # The first process, which has the same mounts, soon changes what /proc is; and the
            # agent could not open those of a process that hides its memory.
            paths = (f"/proc/self/ns/{kind}" for kind in ("user", "net"))
            spaces += [os.open(path, os.O_RDONLY) for path in paths]
        agent, between = os.pidfd_open(os.getppid()), os.pidfd_open(os.getpid())
        has_told, tells = os.pipe()
        first = os.fork()
    except OSError as error:
        _give_up(control, error)
    if first:
        with contextlib.suppress(OSError):
            _tell_of_itself(control, first, way_out, outside, spaces)
            os.write(tells, b".")
        os._exit(0)
    for descriptor in (*spaces, tells):
        os.close(descriptor)
    # The number that the agent signals is that of the group.
    os.setsid()
    try:
        build(walls, own, {} if outside is None else outside.name_files())
        if network is not None and outside is not None:
            set_up(network, outside)
        _become_child(agent, between, has_told)
        if way_out is not None:
            with making_a_way():
                way_out.start()
        read, write = os.pipe()
        # Before there is a kernel, which has the same user.
        hide_memory()
        kernel = os.fork()
        if not kernel:
            os.close(read)
            hide_memory(False)
            let_go_of_rights(walls, own)
            return Report(write)
    except OSError as error:
        _give_up(control, error)
    os.close(write)
    # Not as the agent from which it was forked, with its environment.
    show_as([SHOWN], {})
    drop_capabilities()
    no_new_privileges()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _wait(control, read, kernel)


def _become_child(agent: int, between: int, has_told: int) -> None:
    """Wait until the process in between has ended; end with the agent from then on. All three are
    descriptors, which are closed; the last has a byte if the agent was told of this process."""
    # Not before: until then the process in between is the parent.
    select.select([between], [], [])
    end_with_parent(signal.SIGKILL)
    if not os.read(has_told, 1):
        # It was killed before: the agent may not know of this process, and waits for its end.
        os._exit(128 + signal.SIGKILL)
    if select.select([agent], [], [], 0)[0]:
        # The agent ended before this process could follow it.
        os._exit(1)
    for descriptor in (agent, between, has_told):
        os.close(descriptor)


def let_go_of_rights(walls: Walls, own: Path) -> None:
    """In the kernel's process: no capability, none to be had, and fewer system calls."""
    drop_capabilities()
    confine(walls, own)
    try:
        filter_system_calls(filter_program())
    except OSError as error:
        # Without a list for this kind of machine the other walls stand.
        if error.errno != errno.ENOTSUP:
            raise


def _wait(control: socket.socket, report: int, kernel: int) -> NoReturn:
    """Reap whatever ends inside; end as the kernel ends. What is left then is ended by Linux."""
    with os.fdopen(report, "rb") as lines:
        failure = lines.read()
    _tell(control, **(json.loads(failure) if failure else {"started": True}))
    while True:
        pid, status = os.wait()
        if pid == kernel:
            _tell(control, ended=status)
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def _give_up(control: socket.socket, error: OSError) -> NoReturn:
    _tell(control, error=words_of(error), errno=error.errno, way_out=isinstance(error, NoWayOut))
    os._exit(1)


def _tell_of_itself(
    control: socket.socket,
    first: int,
    way_out: WayOut | None,
    outside: Outside | None,
    spaces: Sequence[int],
) -> None:
    words: dict[str, object] = {"pid": first}
    descriptors: list[int] = []
    if way_out is not None and outside is not None:
        words["way_out"] = way_out.pid
        words["own_resolver"] = outside.own_resolver
        words["refused"] = [*map(str, outside.public())]
        descriptors = [way_out.errors, *spaces]
    socket.send_fds(control, [_line(words)], descriptors)


def _line(words: Mapping[str, object]) -> bytes:
    return json.dumps(words).encode() + b"\n"


def _tell(control: socket.socket, **words: object) -> None:
    # An agent that has ended needs no answer.
    with contextlib.suppress(OSError):
        control.sendall(_line(words))
