"""Processes in the kernels' environment from which agents are forked (gateway_ext.agent)."""

import contextlib
import json
import os
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway_ext.process_proxies.back_off import BackOff
from gateway_ext.process_proxies.process_start import start_process

MODULE = "gateway_ext.agent.fork_server"
READY_SECONDS = 10.0
"""How long a new fork server may take for its imports."""
ANSWER_SECONDS = 3.0
FAILED_SECONDS = 60.0
"""The first pause after a fork server has failed."""
LONGEST_FAILED_SECONDS = 3600.0
_END_SECONDS = 1.0
"""How long to wait for a killed fork server; if that is too short, a later start reaps it."""

_PER_KERNEL = ("KERNEL_", "JPY_")
"""How variables begin that differ from kernel to kernel."""
_ANSWER_BYTES = 100
_ROOM = 256
"""Room in bytes for a fork's command line, which is longer than its server's."""


class ForkFailed(Exception):
    """The agent was not forked: it can be started as a separate program."""


class ForkServerBroken(ForkFailed):
    """The fork server runs, but gives no or an invalid answer. Code of the project can cause that
    repeatedly."""


START_FOLDER = "/"
"""The working directory of agents and fork servers. Python imports from it, so it must not belong
to a project; kernels change to their own."""


@dataclass(frozen=True)
class Environment:
    """What forks of one server share. `project` is a project, or one person in it (`holder_of`),
    `uid` None where the gateway is not root."""

    project: str
    python: str
    uid: int | None
    variables: tuple[tuple[str, str], ...]

    @classmethod
    def of(
        cls, project: str, python: str, uid: int | None, environment: Mapping[str, str]
    ) -> "Environment":
        """Everything but the variables that differ from kernel to kernel: what an interpreter, a
        library or the linker reads once, when the program starts, must be the same."""
        shared = {k: v for k, v in environment.items() if not k.startswith(_PER_KERNEL)}
        return cls(project, python, uid, tuple(sorted(shared.items())))


def masked(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a server: nothing of the first kernel's own, but room for it."""
    return {
        name: "-" * len(value) if name.startswith(_PER_KERNEL) else value
        for name, value in environment.items()
    }


def superfluous(
    used: Mapping[Environment, float], new: Environment, limit: int
) -> list[Environment]:
    """The servers to end so that there are at most `limit` including the new one. `used` says when
    each was last used.

    The project with the most servers loses its oldest, so that a project with many environments
    does not displace the servers of others.
    """
    kept = dict(used)
    gone = []
    while kept and len(kept) + 1 > limit:
        counts = Counter(one.project for one in (*kept, new))
        most = max(counts.values())
        oldest = min((k for k in kept if counts[k.project] == most), key=kept.__getitem__)
        del kept[oldest]
        gone.append(oldest)
    return gone


class ForkServer:
    """One process, `python -m gateway_ext.agent.fork_server`; ends when `close` is called, when
    this process ends, or by itself when it is not used or out of date. Its forks go on.

    It runs under the project's user ID, so whatever it does or does not do, `fork` returns within
    START_SECONDS + READY_SECONDS + ANSWER_SECONDS, and `close` at once.
    """

    def __init__(
        self,
        shared: Environment,
        environment: Mapping[str, str],
        log: Path,
        idle_seconds: float,
    ) -> None:
        """The first `fork` starts it."""
        self.used = time.monotonic()
        self._lock = threading.Lock()
        self._shared = shared
        self._environment = masked(environment)
        self._log = log
        self._idle_seconds = idle_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._closed = False
        self._broken = False

    def _begin(self) -> socket.socket:
        """Starts the process and waits until it is ready; the socket that leads to it."""
        options: dict[str, Any] = {}
        uid = self._shared.uid
        if uid is not None:
            options = {"user": uid, "group": uid, "extra_groups": []}
        command = [self._shared.python, "-m", MODULE, str(self._idle_seconds), "-" * _ROOM]
        self._control, theirs = socket.socketpair()
        with theirs, open(self._log, "wb") as output:
            self._process = start_process(
                command,
                stdin=theirs.fileno(),
                stdout=output,
                stderr=output,
                cwd=START_FOLDER,
                env=self._environment,
                start_new_session=True,
                umask=0o077,
                close_fds=True,
                **options,
            )
        _answer(self._control, "ready", READY_SECONDS)
        return self._control

    def fork(self, order: Sequence[Any], output: int, prepare: Callable[[int], None]) -> int:
        """The process id of a new agent, which writes to the file `output`, and does nothing before
        `prepare` was called with that id; raises ForkFailed, and then there is no agent."""
        try:
            go, gone = os.pipe()
        except OSError as error:
            raise ForkFailed(str(error)) from error
        try:
            pid = self._order(json.dumps(order).encode(), [output, go])
            self._check(pid)
            prepare(pid)
            # An unknown agent would run in addition to the one that is started next.
            os.write(gone, b"1")
        except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
            raise ForkFailed(f"no agent was forked: {error!r}") from error
        finally:
            os.close(go)
            os.close(gone)
        return pid

    def _order(self, message: bytes, files: list[int]) -> int:
        """What the process answers to an order, one order at a time; raises ForkFailed."""
        # Whoever has the lock keeps it no longer than this.
        if not self._lock.acquire(timeout=READY_SECONDS + ANSWER_SECONDS):
            raise ForkFailed("the fork server is busy")
        try:
            if self._broken:
                raise ForkServerBroken("the fork server was given up")
            if self._closed:
                raise ForkFailed("the fork server has ended")
            self.used = time.monotonic()
            control = self._control or self._begin()
            control.settimeout(ANSWER_SECONDS)
            socket.send_fds(control, [len(message).to_bytes(8, "big")], files)
            control.sendall(message)
            return _answer(control, "pid", ANSWER_SECONDS)
        except (TimeoutError, ValueError, KeyError, TypeError, OverflowError) as error:
            # Those who wait for the lock need not try it, too.
            self._closed = self._broken = True
            raise ForkServerBroken(f"the fork server gives no answer: {error!r}") from error
        except (OSError, subprocess.SubprocessError) as error:
            self._closed = True
            raise ForkFailed(f"the fork server has ended: {error!r}") from error
        finally:
            self._lock.release()
            if self._closed:
                self.close()

    def _check(self, pid: int) -> None:
        """Check the process id, because code of the project can make the server answer anything:
        only processes of the project may be ended."""
        owner = os.stat(f"/proc/{pid}").st_uid
        if owner != (os.geteuid() if self._shared.uid is None else self._shared.uid):
            raise ValueError(f"process {pid} is not the project's")

    def close(self) -> None:
        """Ends and reaps it; if it is forking an agent, right after that."""
        self._closed = True
        # Whoever has the lock looks at `_closed` once it is free again.
        if not self._lock.acquire(blocking=False):
            return
        try:
            if self._control is not None:
                self._control.close()
            if self._process is not None:
                with contextlib.suppress(PermissionError, subprocess.TimeoutExpired):
                    self._process.kill()
                    self._process.wait(_END_SECONDS)
        finally:
            self._lock.release()


def _answer(control: socket.socket, name: str, seconds: float) -> int:
    # It is sent in one piece; a server that sends many small ones would block this thread.
    control.settimeout(seconds)
    answer = control.recv(_ANSWER_BYTES)
    if not answer:
        raise ConnectionError("the fork server has closed its connection")
    return int(json.loads(answer)[name])


class ForkServers:
    """At most `limit` servers for as many environments. All methods block, for as long as
    `ForkServer.fork` does: for threads of the project's own (`project_threads`)."""

    def __init__(self, limit: int, idle_seconds: float) -> None:
        self._limit = limit
        self._idle_seconds = idle_seconds
        # Never held while waiting, because all projects need it.
        self._lock = threading.Lock()
        self._servers: dict[Environment, ForkServer] = {}
        # For environments in which no server starts, and projects that break their servers.
        self._back_off = BackOff(FAILED_SECONDS, LONGEST_FAILED_SECONDS)

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
                pid = server.fork(order, output, prepare)
            except ForkServerBroken:
                self._drop(shared, server, failed=shared.project)
                raise
            except ForkFailed:
                # An existing server may have ended normally: try a new one, but only once.
                self._drop(shared, server, failed=shared if is_new else None)
                if is_new:
                    raise
            else:
                with self._lock:
                    self._back_off.succeeded(shared.project)
                    self._back_off.succeeded(shared)
                return pid

    def _server(
        self, shared: Environment, environment: Mapping[str, str], log: Path
    ) -> tuple[ForkServer, bool, list[ForkServer]]:
        """The server for an environment, whether it is new, and others that must go for it."""
        with self._lock:
            if (
                not self._limit
                or self._back_off.pauses(shared)
                or self._back_off.pauses(shared.project)
            ):
                raise ForkFailed("there is no fork server for this environment")
            if shared in self._servers:
                return self._servers[shared], False, []
            used = {known: server.used for known, server in self._servers.items()}
            spare = [self._servers.pop(one) for one in superfluous(used, shared, self._limit)]
            server = ForkServer(shared, environment, log, self._idle_seconds)
            self._servers[shared] = server
            return server, True, spare

    def _drop(
        self, shared: Environment, server: ForkServer, *, failed: Environment | str | None
    ) -> None:
        """Forgets the server; `failed` is what pauses for it, if this is the first to say so."""
        with self._lock:
            if self._servers.get(shared) is server:
                del self._servers[shared]
                if failed is not None:
                    self._back_off.failed(failed)
        server.close()
