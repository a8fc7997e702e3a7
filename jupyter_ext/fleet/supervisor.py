"""Talking to the fleet's supervisord over its Unix socket, and starting it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
import xmlrpc.client
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import Faults, SupervisorTransport  # type: ignore[import-untyped]

from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.failure import FleetError

START_SECONDS = 20.0


@dataclass(frozen=True)
class ProcessState:
    """One program as supervisord sees it."""

    name: str
    state: str
    """``running``, ``starting``, ``backoff``, ``stopping``, ``stopped``, ``exited``, ``fatal``."""
    pid: int | None

    @property
    def alive(self) -> bool:
        """Whether it runs or is about to."""
        return self.state in ("running", "starting", "stopping", "backoff")


class Supervisor:
    """The supervisord of one data directory, running or not."""

    def __init__(self, data_dir: DataDir) -> None:
        self._data_dir = data_dir

    def pid(self) -> int | None:
        """Its process id, None if it does not answer."""
        try:
            return int(self._call("supervisor.getPID"))
        except NotRunning:
            return None

    def start(self, program: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start supervisord in a session of its own and wait until it answers, or `FleetError`."""
        output = self._data_dir.logs / "supervisor-start.log"
        with open(output, "wb") as file:
            process = subprocess.Popen(
                [program, "-c", self._data_dir.supervisor_config],
                env=dict(environment),
                cwd=self._data_dir.root,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while self.pid() is None:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                process.wait()
                lines = output.read_text(errors="replace").strip().splitlines()
                raise FleetError(
                    f"supervisord did not start: {lines[-1] if lines else f'see {output}'}"
                )
            time.sleep(0.05)
        return process

    def states(self) -> dict[str, ProcessState]:
        """All programs by name; none if it does not run."""
        try:
            found = self._call("supervisor.getAllProcessInfo")
        except NotRunning:
            return {}
        return {
            one["name"]: ProcessState(one["name"], one["statename"].lower(), one["pid"] or None)
            for one in found
        }

    def start_programs(self, names: Iterable[str]) -> None:
        """Start programs without waiting for them."""
        for name in names:
            try:
                self._call("supervisor.startProcess", name, False)
            except xmlrpc.client.Fault as fault:
                if fault.faultCode == Faults.ALREADY_STARTED:
                    continue
                raise FleetError(f"{name} cannot be started: {fault.faultString}") from fault

    def stop_programs(self, names: Iterable[str]) -> None:
        """Stop programs side by side and return when all have ended."""
        waiting = set(names)
        for name in waiting:
            try:
                self._call("supervisor.stopProcess", name, False)
            except xmlrpc.client.Fault as fault:
                if fault.faultCode != Faults.NOT_RUNNING:
                    raise FleetError(f"{name} cannot be stopped: {fault.faultString}") from fault
        while any(state.alive for state in self.states().values() if state.name in waiting):
            time.sleep(0.1)

    def end(self) -> None:
        """End supervisord itself, with whatever it still runs, and return when it has ended."""
        try:
            pid = self.pid()
            self._call("supervisor.shutdown")
        except NotRunning:
            return
        while pid is not None and _process_exists(pid):
            time.sleep(0.05)

    def _call(self, method: str, *arguments: object) -> Any:
        if not self._data_dir.socket.exists():
            raise NotRunning
        transport = SupervisorTransport(None, None, f"unix://{self._data_dir.socket}")
        try:
            with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as proxy:
                return getattr(proxy, method)(*arguments)
        except (OSError, HTTPException) as error:
            raise NotRunning from error


class NotRunning(Exception):
    """No supervisord answers on the socket."""


def _process_exists(pid: int) -> bool:
    # Its parent may be this process: a child that has ended must be waited for to vanish.
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
