"""Processes in the kernels' environment from which agents are forked (gateway_ext.agent)."""

import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MODULE = "gateway_ext.agent.fork_server"
READY_SECONDS = 30.0
ANSWER_SECONDS = 10.0
FAILED_SECONDS = 60.0
"""For so long a fork server that could not be started is not tried again."""

_PER_KERNEL = ("KERNEL_", "JPY_")
"""How variables begin that differ from kernel to kernel."""
_ANSWER_BYTES = 100
_ROOM = 256
"""Bytes for what a fork's command line is longer than its server's."""


class ForkFailed(Exception):
    """The agent was not forked: it can be started as a program of its own."""


START_FOLDER = "/"
"""Where agents and fork servers start. Python imports what lies in the working folder, so it must
not be a project's; kernels go to their own folder."""


@dataclass(frozen=True)
class Environment:
    """What the forks of one server share. `uid` is None where the gateway is not root."""

    python: str
    uid: int | None
    variables: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, python: str, uid: int | None, environment: Mapping[str, str]) -> "Environment":
        """Everything but the variables that differ from kernel to kernel: what an interpreter, a
        library or the linker reads once, when the program starts, must be the same."""
        shared = {k: v for k, v in environment.items() if not k.startswith(_PER_KERNEL)}
        return cls(python, uid, tuple(sorted(shared.items())))


def masked(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a server: nothing of the first kernel's own, but room for it."""
    return {
        name: "-" * len(value) if name.startswith(_PER_KERNEL) else value
        for name, value in environment.items()
    }


class ForkServer:
    """One process, `python -m gateway_ext.agent.fork_server`; ends when `close` is called, when
    this process ends, or by itself when it is not used or out of date. Its forks go on."""

    def __init__(
        self,
        shared: Environment,
        environment: Mapping[str, str],
        log: Path,
        idle_seconds: float,
    ) -> None:
        """Starts it without waiting; raises ForkFailed."""
        self.used = time.monotonic()
        self._lock = threading.Lock()
        self._uid = shared.uid
        options: dict[str, Any] = {}
        if shared.uid is not None:
            options = {"user": shared.uid, "group": shared.uid, "extra_groups": []}
        command = [shared.python, "-m", MODULE, str(idle_seconds), "-" * _ROOM]
        ours, theirs = socket.socketpair()
        try:
            with theirs, open(log, "wb") as output:
                self._process = subprocess.Popen(
                    command,
                    stdin=theirs.fileno(),
                    stdout=output,
                    stderr=output,
                    cwd=START_FOLDER,
                    env=masked(environment),
                    start_new_session=True,
                    umask=0o077,
                    close_fds=True,
                    **options,
                )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            ours.close()
            raise ForkFailed(str(error)) from error
        self._control = ours
        self._ready = False

    def fork(self, order: Sequence[Any], output: int, prepare: Callable[[int], None]) -> int:
        """The process id of a new agent, which writes to the file `output`, and does nothing before
        `prepare` was called with that id; raises ForkFailed, and then there is no agent."""
        try:
            go, gone = os.pipe()
        except OSError as error:
            raise ForkFailed(str(error)) from error
        try:
            with self._lock:
                self.used = time.monotonic()
                pid = self._order(json.dumps(order).encode(), [output, go])
            self._check(pid)
            prepare(pid)
            # An agent of which nobody knows would do its work beside the one that is started next.
            os.write(gone, b"1")
        except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
            raise ForkFailed(f"no agent was forked: {error!r}") from error
        finally:
            os.close(go)
            os.close(gone)
        return pid

    def _order(self, message: bytes, files: list[int]) -> int:
        if not self._ready:
            self._answer("ready", READY_SECONDS)
            self._ready = True
        socket.send_fds(self._control, [len(message).to_bytes(8, "big")], files)
        self._control.sendall(message)
        return self._answer("pid", ANSWER_SECONDS)

    def _answer(self, name: str, seconds: float) -> int:
        # In one piece, as it was sent: whoever sends it in many would hold this thread for long.
        self._control.settimeout(seconds)
        return int(json.loads(self._control.recv(_ANSWER_BYTES))[name])

    def _check(self, pid: int) -> None:
        """What runs under a project's user id may say what it likes: it never makes another's
        process ours to end."""
        owner = os.stat(f"/proc/{pid}").st_uid
        if owner != (os.geteuid() if self._uid is None else self._uid):
            raise ValueError(f"process {pid} is not the project's")

    def close(self) -> None:
        """Ends it and collects it."""
        # Not while an agent is being forked.
        with self._lock:
            self._control.close()
            self._process.kill()
            self._process.wait()


class ForkServers:
    """At most `limit` servers for as many environments, the last used. All methods block: for a
    pool of threads."""

    def __init__(self, limit: int, idle_seconds: float) -> None:
        self._limit = limit
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._servers: dict[Environment, ForkServer] = {}
        self._failed: dict[Environment, float] = {}

    def fork(
        self,
        shared: Environment,
        environment: Mapping[str, str],
        order: Sequence[Any],
        output: int,
        log: Path,
        prepare: Callable[[int], None] = lambda pid: None,
    ) -> int:
        """The process id of an agent that was forked, in a session of its own; raises ForkFailed.

        `order` is what the server is told, `output` the file that the agent writes to, `log` the
        file for a new server's own errors; `prepare` gets the process id before the agent begins,
        and may raise OSError.
        """
        while True:
            server, is_new, spare = self._server(shared, environment, log)
            for one in spare:
                one.close()
            try:
                return server.fork(order, output, prepare)
            except ForkFailed:
                # One that was there may have ended, rightly; a new one would fail again.
                self._drop(shared, server, failed=is_new)
                if is_new:
                    raise

    def _server(
        self, shared: Environment, environment: Mapping[str, str], log: Path
    ) -> tuple[ForkServer, bool, list[ForkServer]]:
        """The server for an environment, whether it is new, and others that must go for it."""
        now = time.monotonic()
        with self._lock:
            self._failed = {k: at for k, at in self._failed.items() if now - at < FAILED_SECONDS}
            if not self._limit or shared in self._failed:
                raise ForkFailed("there is no fork server for this environment")
            if shared in self._servers:
                return self._servers[shared], False, []
            by_use = sorted(self._servers, key=lambda key: self._servers[key].used)
            spare = [self._servers.pop(key) for key in by_use[: len(by_use) + 1 - self._limit]]
            server = ForkServer(shared, environment, log, self._idle_seconds)
            self._servers[shared] = server
            return server, True, spare

    def _drop(self, shared: Environment, server: ForkServer, *, failed: bool) -> None:
        with self._lock:
            if self._servers.get(shared) is server:
                del self._servers[shared]
                if failed:
                    self._failed[shared] = time.monotonic()
        server.close()
