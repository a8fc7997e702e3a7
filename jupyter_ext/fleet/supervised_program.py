"""One program under supervision: started, started again when it ends, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.leftovers import Leftover, end_orphans
from jupyter_ext.fleet.log_file import open_log
from jupyter_ext.fleet.process_stat import ProcessStat
from jupyter_ext.platform.private_file import write_private

STEADY_SECONDS = 1.0
"""A program that has run this long has started; one that ends sooner is retried later."""

MOST_PAUSE = 10.0
"""Seconds between two tries of a program that ends as soon as it starts; the first pause is 1 s."""


@dataclass(frozen=True)
class Definition:
    """How a program is started and stopped."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    """Variables in addition to the supervisor's own."""
    log: str
    stop_signal: str
    stop_seconds: float
    runs: str
    """See `Program.runs`."""
    build: str | None = None
    check_url: str | None = None
    """The URL that is checked, if the program is to be replaced when it stops answering."""

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Definition:
        """From JSON."""
        return cls(**{**document, "command": tuple(document["command"])})


@dataclass
class _Process:
    pid: int
    descriptor: int
    """A pidfd, so that no signal reaches a later process with the same pid."""
    child: subprocess.Popen[bytes] | None
    """None for one that was adopted."""
    began: float = field(default_factory=time.monotonic)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def send(self, number: signal.Signals) -> None:
        # Once it has ended, the descriptor may be closed and reused.
        if not self.ended.is_set():
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.descriptor, number)


class SupervisedProgram:
    """One program. Use it only in the event loop that creates it."""

    def __init__(
        self, definition: Definition, data_dir: DataDir, say: Callable[[str], None]
    ) -> None:
        self.definition: Definition | None = definition
        """None if the program is no longer defined; then it can only be stopped."""
        self.name = definition.name
        self._stop = (signal.Signals[f"SIG{definition.stop_signal}"], definition.stop_seconds)
        self._data_dir = data_dir
        self._note = data_dir.processes / f"{self.name}.json"
        self.started_with: Mapping[str, Any] = {}
        """``runs`` and ``build`` of its process; empty if they were not recorded."""
        self._say = say
        self._process: _Process | None = None
        self.starts = 0
        """How many times it has been started."""
        self._wanted = False
        self._stopping: asyncio.Task[None] | None = None
        self._start_after_stop = False
        self._changed = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Its process id, None if there is none."""
        return self._process.pid if self._process else None

    @property
    def age(self) -> float:
        """For how many seconds its process has been known here."""
        return time.monotonic() - self._process.began if self._process else 0.0

    @property
    def adopted(self) -> bool:
        """Whether an earlier supervisor started its process."""
        return self._process is not None and self._process.child is None

    @property
    def state(self) -> str:
        """``running``, ``starting``, ``stopping``, ``backoff`` or ``stopped``."""
        if self._process is None:
            return "backoff" if self._wanted else "stopped"
        if self._stopping is not None:
            return "stopping"
        return "running" if self.adopted or self.age >= STEADY_SECONDS else "starting"

    def adopt(self, leftover: Leftover) -> bool:
        """Supervise a process that runs already; False if it has ended meanwhile."""
        try:
            descriptor = os.pidfd_open(leftover.pid)
        except ProcessLookupError:
            return False
        stat = ProcessStat.of(leftover.pid)
        if stat is None or stat.started != leftover.started:
            os.close(descriptor)
            return False
        self._process = self._watched(_Process(leftover.pid, descriptor, None))
        self.started_with = self._noted(leftover)
        self.start()
        return True

    def start(self) -> None:
        """Start it, and restart it whenever it ends; does nothing if it is already started. If it
        is being stopped, it starts once it has ended."""
        if self._stopping is not None:
            self._start_after_stop = True
            return
        self._wanted = True
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.get_running_loop().create_task(self._keep())

    async def stop(self) -> None:
        """End it; returns when it has ended. It stays down until `start` is called."""
        self._start_after_stop = False
        if self._stopping is None:
            self._stopping = asyncio.get_running_loop().create_task(self._stop_now())
        # If the caller is canceled, the program is still stopped.
        await asyncio.shield(self._stopping)

    async def _stop_now(self) -> None:
        self._wanted = False
        self._changed.set()
        try:
            process = self._process
            if process is not None:
                number, seconds = self._stop
                process.send(number)
                try:
                    async with asyncio.timeout(seconds):
                        await process.ended.wait()
                except TimeoutError:
                    self._say(f"{self.name} did not stop within {seconds:g} s: killing it")
                    process.send(signal.SIGKILL)
                    await process.ended.wait()
            if self._keeping is not None:
                await asyncio.wait([self._keeping])
        finally:
            self._stopping = None
        if self._start_after_stop:
            self._start_after_stop = False
            self.start()

    def send(self, number: signal.Signals) -> None:
        """Send its process a signal; nothing if there is none."""
        if self._process is not None:
            self._process.send(number)

    def define(self, definition: Definition | None) -> None:
        """Use ``definition`` from the next start on."""
        self.definition = definition

    async def _keep(self) -> None:
        pause = 0.0
        while self._wanted:
            if self._process is None:
                self._process = await self._spawn()
                if self._process is not None:
                    await asyncio.to_thread(self._note_start, self._process.pid)
            if self._process is not None:
                await self._process.ended.wait()
                lived = self.age
                os.close(self._process.descriptor)
                self._process = None
            else:
                lived = 0.0
            pause = 0.0 if lived >= STEADY_SECONDS else min(pause + 1.0, MOST_PAUSE)
            if self._wanted and pause:
                self._changed.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._changed.wait()

    async def _spawn(self) -> _Process | None:
        self.starts += 1
        try:
            # This reads the command lines of all processes on this machine.
            await asyncio.to_thread(end_orphans, self._data_dir, self.name)
            definition = self.definition
            if definition is None:
                self._wanted = False
            if definition is None or not self._wanted:
                return None
            self._stop = (signal.Signals[f"SIG{definition.stop_signal}"], definition.stop_seconds)
            process = self._popen(definition)
        except (OSError, ValueError) as error:
            self._say(f"{self.name} cannot be started: {error}")
            return None
        self._say(f"{self.name} started with pid {process.pid}")
        self.started_with = {"runs": definition.runs, "build": definition.build}
        return self._watched(process)

    def _popen(self, definition: Definition) -> _Process:
        log = open_log(Path(definition.log))
        try:
            child = subprocess.Popen(
                definition.command,
                env={**os.environ, **definition.environment},
                cwd=self._data_dir.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C in the terminal must not reach it.
                process_group=0,
                umask=0o077,
            )
        finally:
            os.close(log)
        try:
            return _Process(child.pid, os.pidfd_open(child.pid), child)
        except OSError:
            # Nobody could watch it.
            child.kill()
            child.wait()
            raise

    def _note_start(self, pid: int) -> None:
        stat = ProcessStat.of(pid)
        process = {"pid": pid, "started": None if stat is None else stat.started}
        try:
            write_private(self._note, json.dumps({**process, **self.started_with}))
        except OSError as error:
            # The next supervisor will not know, and `up` then replaces it once more.
            self._say(f"what {self.name} was started with could not be recorded: {error}")

    def _noted(self, leftover: Leftover) -> Mapping[str, Any]:
        try:
            noted: dict[str, Any] = json.loads(self._note.read_bytes())
        except (OSError, ValueError):
            return {}
        same = noted.get("pid") == leftover.pid and noted.get("started") == leftover.started
        return noted if same else {}

    def _watched(self, process: _Process) -> _Process:
        loop = asyncio.get_running_loop()

        def ended() -> None:
            loop.remove_reader(process.descriptor)
            code = process.child.wait() if process.child is not None else None
            how = "" if code is None else f" with {code}"
            self._say(f"{self.name} (pid {process.pid}) ended{how}")
            process.ended.set()

        loop.add_reader(process.descriptor, ended)
        return process
