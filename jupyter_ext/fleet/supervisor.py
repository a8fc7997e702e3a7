"""Talking to the fleet's supervisor over its Unix socket, and starting it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.log_file import open_log
from jupyter_ext.fleet.process_stat import ProcessStat

START_SECONDS = 20.0
ANSWER_SECONDS = 10.0
STOP_SECONDS = 120.0
HOLD_SECONDS = 90.0
"""Longer than the supervisor waits for a process that it has just replaced."""

MODULE = "jupyter_ext.fleet.supervision"


@dataclass(frozen=True)
class ProcessState:
    """One program as the supervisor sees it."""

    name: str
    state: str
    """``running``, ``starting``, ``backoff``, ``stopping`` or ``stopped``."""
    pid: int | None
    build: str | None = None
    """The build that its process was started with; None if unknown."""
    runs: str | None = None
    """What its process was started with: equal to `Program.runs` if nothing has changed."""

    starts: int = 0
    """How many times this supervisor has started it."""

    @property
    def alive(self) -> bool:
        """Whether it runs or is about to."""
        return self.state != "stopped"


class Supervisor:
    """The supervisor of one data directory, running or not."""

    def __init__(self, data_dir: DataDir) -> None:
        self._data_dir = data_dir

    def pid(self) -> int | None:
        """Its process id, None if it does not answer."""
        found = self._ask("states")
        return int(found["pid"]) if found else None

    def build(self) -> str | None:
        """The build that it was started with, None if it does not answer."""
        found = self._ask("states")
        return str(found["build"]) if found else None

    def start(self, python: Path, environment: Mapping[str, str]) -> None:
        """Start one in its own session and wait until it answers; it adopts running programs.
        Raises `FleetError`."""
        log = open_log(self._data_dir.log("supervisor"))
        try:
            process = subprocess.Popen(
                [python, "-m", MODULE, self._data_dir.root],
                env=dict(environment),
                cwd=self._data_dir.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        finally:
            os.close(log)
        deadline = time.monotonic() + START_SECONDS
        while self.pid() is None:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                process.wait()
                file = self._data_dir.log("supervisor")
                lines = file.read_text(errors="replace").strip().splitlines()
                raise FleetError(
                    f"the supervisor did not start: {lines[-1] if lines else f'see {file}'}"
                )
            time.sleep(0.05)

    def states(self) -> dict[str, ProcessState]:
        """All programs by name; none if it does not run."""
        found = self._ask("states")
        return _states(found) if found else {}

    def load(self) -> None:
        """Have it reload the programs' definitions; running programs are not affected."""
        self._order("load")

    def start_programs(self, names: Iterable[str]) -> None:
        """Start programs without waiting for them."""
        self._order("start", names=list(names))

    def stop_programs(self, names: Iterable[str]) -> None:
        """Stop programs side by side and return when all have ended."""
        self._order("stop", STOP_SECONDS, names=list(names))

    def reload_front(self, name: str) -> None:
        """Have the front reload its configuration; connections stay open."""
        self._order("signal", names=[name], signal="HUP")

    def end(self) -> None:
        """End it and all programs that it still runs, and return when it has ended."""
        self._go("end")

    def leave(self) -> None:
        """End only the supervisor: its programs keep running, and the next one adopts them."""
        self._go("leave")

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Within this block the supervisor waits longer before it replaces a process that does not
        answer. Raises `FleetError`."""
        with self._connection(HOLD_SECONDS) as connection:
            self._exchange(connection, {"call": "hold"})
            yield

    def _go(self, call: str) -> None:
        pid = self.pid()
        if pid is None:
            return
        self._ask(call, STOP_SECONDS)
        while _process_exists(pid):
            time.sleep(0.05)

    def _order(self, call: str, seconds: float = ANSWER_SECONDS, **rest: Any) -> None:
        answer = self._ask(call, seconds, **rest)
        if answer is None:
            raise FleetError(
                f"the supervisor does not answer ({call}): `jupyter fleet logs supervisor` "
                "may say why; if you kill it, everything keeps running and `jupyter fleet "
                "up` adopts it"
            )
        if "error" in answer:
            raise FleetError(f"the supervisor rejects {call!r}: {answer['error']}")

    def _ask(
        self, call: str, seconds: float = ANSWER_SECONDS, **rest: Any
    ) -> dict[str, Any] | None:
        try:
            with self._connection(seconds) as connection:
                return self._exchange(connection, {"call": call, **rest})
        except FleetError:
            return None

    @contextlib.contextmanager
    def _connection(self, seconds: float) -> Iterator[socket.socket]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(seconds)
            try:
                connection.connect(str(self._data_dir.socket))
            except OSError as error:
                raise FleetError(f"the supervisor does not answer ({error})") from error
            yield connection

    def _exchange(self, connection: socket.socket, asked: Mapping[str, Any]) -> dict[str, Any]:
        try:
            connection.sendall(json.dumps(asked).encode() + b"\n")
            with connection.makefile("rb") as answers:
                answer: dict[str, Any] = json.loads(answers.readline())
        except (OSError, ValueError) as error:
            raise FleetError(f"the supervisor does not answer ({error})") from error
        return answer


def _states(found: Mapping[str, Any]) -> dict[str, ProcessState]:
    return {one["name"]: ProcessState(**one) for one in found["programs"]}


def _process_exists(pid: int) -> bool:
    # Its parent may be this process: reap it, or it stays a zombie.
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    stat = ProcessStat.of(pid)
    return stat is not None and stat.state != "Z"
