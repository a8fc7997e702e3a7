"""The agent's side of what `first_process` says."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from typing import Any

from .kept_network import KeptNetwork, NetworkProcess
from .order import Order
from .way_out import NoWayOut

FIRST_PROCESS = 1
"""Its process id, seen from inside."""
SECONDS = 20.0
"""How long the walls may take, all their steps together, on a machine that is very busy."""
_MOST_BYTES = 4096
_DESCRIPTORS = 3
_ENDED = "the kernel's walls cannot be built: their first process has ended"


class WallsFailed(OSError):
    """The kernel's walls cannot be built; the message says why."""


class EndedInside(WallsFailed):
    """What builds the walls has ended before it said anything."""


class TooSlow(WallsFailed):
    """They are not there in SECONDS."""


class FirstProcess:
    """The first process inside, from outside."""

    def __init__(
        self,
        pid: int,
        control: socket.socket,
        way_out: NetworkProcess | None = None,
        kept: KeptNetwork | None = None,
    ) -> None:
        self.pid = pid
        self.way_out = way_out
        """To the internet."""
        self.kept = kept
        """What is kept of its network, if that has a way out."""
        self._control = control

    @classmethod
    def awaited(
        cls, waiting: int, control: socket.socket, deadline: float, order: Order | None = None
    ) -> FirstProcess:
        """Follow the process `waiting`, a child of ours which was told to go inside, until the
        kernel has started, or was killed meanwhile, which is its end. What was told its place alone
        gets its `order` inside. Blocks until the deadline, a time of `time.monotonic()`. Raises
        WallsFailed, NoWayOut, and the OSError with which its program could not be started."""
        with contextlib.ExitStack() as failed:
            failed.enter_context(control)
            failed.enter_context(_ended_if_too_slow(waiting))
            words, descriptors = _said(control, deadline)
            failed.enter_context(_ended_if_too_slow(int(words["pid"])))
            way_out = kept = None
            if descriptors:
                pipe, *namespaces = descriptors
                kept = _kept(words, *namespaces)
                failed.callback(kept.close)
                way_out = failed.enter_context(NetworkProcess(int(words["way_out"]), pipe))
            # It has nothing left to do.
            os.waitpid(waiting, 0)
            with contextlib.suppress(ConnectionError):
                if order is not None:
                    order.send(control)
            with contextlib.suppress(EndedInside):
                _said(control, deadline)
            control.settimeout(0)
            failed.pop_all()
        return cls(int(words["pid"]), control, way_out, kept)

    def replace_way_out(self, way_out: NetworkProcess) -> None:
        """Another one leads to the internet instead."""
        if self.way_out is not None:
            self.way_out.end()
        self.way_out = way_out

    @staticmethod
    def dismiss(control: socket.socket, deadline: float) -> None:
        """End what was told its place, and is not needed. Blocks until the deadline at most."""
        with contextlib.suppress(OSError):
            words, descriptors = _said(control, deadline)
            # Whoever reaps the orphans reaps it.
            os.kill(int(words["pid"]), signal.SIGKILL)
            if descriptors:
                pipe, *namespaces = descriptors
                _kept(words, *namespaces).close()
                NetworkProcess(int(words["way_out"]), pipe).end()

    def wait_status(self, own: int) -> int:
        """The kernel's wait status, once the first process has ended with `own`; to be called once,
        as it ends the way out."""
        if self.way_out is not None:
            self.way_out.end()
        if self.kept is not None:
            self.kept.close()
        with self._control as control, contextlib.suppress(OSError, ValueError, KeyError):
            return int(json.loads(control.recv(_MOST_BYTES))["ended"])
        # It was killed itself, and the kernel with it.
        return own


def _kept(words: dict[str, Any], user: int, network: int) -> KeptNetwork:
    refused = map(ipaddress.ip_network, words["refused"])
    return KeptNetwork(user, network, own_resolver=words["own_resolver"], refused=refused)


@contextlib.contextmanager
def _ended_if_too_slow(child: int) -> Iterator[None]:
    """Whoever reaps the orphans reaps it."""
    try:
        yield
    except TooSlow:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        raise


def _said(control: socket.socket, deadline: float) -> tuple[dict[str, Any], list[int]]:
    """One line, and the descriptors that came with it."""
    line, descriptors = b"", list[int]()
    while not line.endswith(b"\n"):
        try:
            control.settimeout(max(deadline - time.monotonic(), 0.001))
            # One byte, so that nothing of the next line, which may be there, is read.
            byte, came, _, _ = socket.recv_fds(control, 1, _DESCRIPTORS)
        except TimeoutError as error:
            raise TooSlow(f"the kernel's walls were not there in {SECONDS:.0f} s") from error
        except ConnectionError as error:
            raise EndedInside(_ENDED) from error
        if not byte:
            raise EndedInside(_ENDED)
        line += byte
        descriptors += came
    words: dict[str, Any] = json.loads(line)
    if "error" in words:
        kind = NoWayOut if words.get("way_out") else OSError
        raise kind(words["errno"], words["error"])
    return words, descriptors
