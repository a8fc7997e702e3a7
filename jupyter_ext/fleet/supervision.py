"""The process that supervises the programs of one data directory.

``python -m jupyter_ext.fleet.supervision DATA_DIR``. It starts programs, restarts those that end,
replaces those that stop answering, rotates their logs, renews the tokens with which they call each
other, and drops keys whose time is over. Nothing is lost if it dies: programs write their own logs
and outlive it, and the next supervisor adopts them. Their tokens expire after an hour; people's
calls go on without them.

It listens on a Unix socket and answers each line of JSON with one line (`Supervision._answer`).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from jupyter_ext.fleet import health
from jupyter_ext.fleet.build import installed_build
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.kept_settings import load_settings
from jupyter_ext.fleet.leftovers import end_orphans, find_leftovers, first_of_each
from jupyter_ext.fleet.log_file import AUDIT_BYTES, AUDIT_OLDER, rename_long, rotate
from jupyter_ext.fleet.secret_files import LOOK_SECONDS, SecretFiles, renewal_is_due
from jupyter_ext.fleet.secrets_command import drop_due
from jupyter_ext.fleet.supervised_program import Definition, SupervisedProgram

OPEN_FILES = 65536
"""The number of open files that a busy front needs, if the machine allows that many."""

FIRST_ANSWER_SECONDS = 120.0
"""A process that has never answered gets this long: it may be running a migration."""

REPLACED_SECONDS = 60.0
"""After replacing one process, wait this long, or until it answers, before replacing another."""

ROTATE_SECONDS = 5.0
DROP_SECONDS = 600.0
"""How often keys are dropped whose time is over."""
ENDING_ORDER = ("front", "lab-", "gateway-", "store")
"""Programs that write end before the store; all of one kind end at the same time."""


class Supervision:
    """All programs of one data directory."""

    def __init__(self, data_dir: DataDir) -> None:
        self._data_dir = data_dir
        self._build = installed_build(Path(sys.prefix))
        self._programs: dict[str, SupervisedProgram] = {}
        self._replacing = asyncio.Lock()
        self._holders = 0
        self._left = asyncio.Event()
        self._ending: asyncio.Future[None] | None = None
        self._misses: dict[str, int] = {}
        self._renewed: float | None = None
        self._answered: dict[str, int] = {}

    async def run(self) -> None:
        """Supervise until told to leave or to end."""
        self._load()
        for name, leftover in first_of_each(find_leftovers(self._data_dir)).items():
            if leftover.worker:
                # Its master has ended; the next one needs the port.
                end_orphans(self._data_dir, name)
                continue
            program = self._programs.get(name)
            if program is None:
                # A lab of an earlier, larger fleet: `up` decides what becomes of it.
                program = self._add(Definition(name, (), {}, os.devnull, "TERM", 15.0, ""))
                program.define(None)
            if program.adopt(leftover):
                self._answered[name] = leftover.pid
                say(f"{name} (pid {leftover.pid}) adopted")
        self._data_dir.socket.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._serve, self._data_dir.socket)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end_soon)
        tasks = [
            asyncio.create_task(_again_and_again(self._watch_once, health.PAUSE_SECONDS)),
            asyncio.create_task(_again_and_again(self._rotate_once, ROTATE_SECONDS)),
            asyncio.create_task(_again_and_again(self._renew_once, LOOK_SECONDS)),
            asyncio.create_task(_again_and_again(self._drop_once, DROP_SECONDS)),
        ]
        try:
            await self._left.wait()
        finally:
            self._data_dir.socket.unlink(missing_ok=True)
            server.close()
            for task in tasks:
                task.cancel()

    # Calls

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = json.loads(await reader.readline())
            if asked["call"] == "hold":
                await self._hold(reader, writer)
                return
            answer = await self._answer(asked["call"], asked.get("names", []), asked.get("signal"))
            await _write(writer, answer)
            if asked["call"] in ("leave", "end"):
                self._left.set()
        except (ValueError, KeyError, TypeError) as error:
            with contextlib.suppress(OSError):
                await _write(writer, {"error": f"not understood: {error!r}"})
        except OSError:
            # The caller has gone.
            return
        finally:
            writer.close()

    async def _answer(self, call: str, names: list[str], number: str | None) -> dict[str, Any]:
        """Commands: ``states``; ``load`` reloads the definitions; ``start``, ``stop`` and
        ``signal`` programs; ``leave`` ends the supervisor only, ``end`` all programs as well."""
        if call == "load":
            try:
                self._load()
            except OSError as error:
                raise ValueError(f"{self._data_dir.programs} cannot be read: {error}") from error
        elif call == "start":
            for name in names:
                self._programs[name].start()
        elif call == "stop":
            await self._stop(names)
        elif call == "signal":
            for name in names:
                self._programs[name].send(signal.Signals[f"SIG{number}"])
        elif call == "end":
            await self._end()
        elif call not in ("states", "leave"):
            raise ValueError(call)
        return self._states()

    async def _hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Be slower to replace processes while the caller, who is changing the fleet, keeps the
        connection open. Waits first until a process that is being replaced answers."""
        async with self._replacing:
            self._holders += 1
        try:
            await _write(writer, self._states())
            await reader.read()
        finally:
            self._holders -= 1

    def _states(self) -> dict[str, Any]:
        found = [
            {
                "name": name,
                "state": program.state,
                "pid": program.pid,
                "build": program.started_with.get("build"),
                "runs": program.started_with.get("runs"),
                "starts": program.starts,
            }
            for name, program in self._programs.items()
        ]
        return {"pid": os.getpid(), "build": self._build, "programs": found}

    # Programs

    def _load(self) -> None:
        documents = json.loads(self._data_dir.programs.read_bytes())
        definitions = {one["name"]: Definition.of(one) for one in documents}
        for name, program in list(self._programs.items()):
            program.define(definitions.get(name))
            if name not in definitions and program.state == "stopped":
                del self._programs[name]
        for name, definition in definitions.items():
            if name not in self._programs:
                self._add(definition)

    def _add(self, definition: Definition) -> SupervisedProgram:
        program = SupervisedProgram(definition, self._data_dir, say)
        self._programs[definition.name] = program
        return program

    async def _stop(self, names: Iterable[str]) -> None:
        programs = [self._programs[name] for name in names if name in self._programs]
        await asyncio.gather(*(program.stop() for program in programs))

    async def _end(self) -> None:
        for prefix in ENDING_ORDER:
            await self._stop(name for name in list(self._programs) if name.startswith(prefix))

    def _end_soon(self) -> None:
        async def end() -> None:
            try:
                await self._end()
            finally:
                self._left.set()

        if self._ending is None:
            self._ending = asyncio.ensure_future(end())

    # What goes on by itself

    async def _watch_once(self) -> None:
        async def check() -> dict[str, bool]:
            asked = {name: program.pid for name, program in self._programs.items()}
            urls = {name: self._check_url(program) for name, program in self._programs.items()}
            checked = [name for name, url in urls.items() if url]
            answers = await asyncio.gather(
                *(health.answers_at_all(str(urls[name])) for name in checked)
            )
            found = {}
            for name, ok in zip(checked, answers, strict=True):
                pid = self._programs[name].pid if name in self._programs else None
                if pid is None or pid != asked[name]:
                    # Another process by now.
                    continue
                if ok:
                    self._answered[name] = pid
                if ok or self._may_be_replaced(self._programs[name]):
                    found[name] = ok
            return found

        answered, late = await health.with_lateness(check)
        self._misses = health.misses_after(self._misses, answered, late)
        name = health.to_replace(self._misses, changing=self._holders > 0)
        if name is not None:
            async with self._replacing:
                await self._replace(self._programs[name])

    def _check_url(self, program: SupervisedProgram) -> str | None:
        if program.definition is None or program.state != "running":
            return None
        return program.definition.check_url

    def _may_be_replaced(self, program: SupervisedProgram) -> bool:
        answered = self._answered.get(program.name) == program.pid
        return answered or program.age > FIRST_ANSWER_SECONDS

    async def _replace(self, program: SupervisedProgram) -> None:
        old = program.pid
        misses = self._misses.pop(program.name)
        say(f"{program.name} (pid {old}) did not answer {misses} times: replacing it")
        # It would not react to SIGTERM either.
        program.send(signal.SIGKILL)
        url = self._check_url(program)
        deadline = time.monotonic() + REPLACED_SECONDS
        while url and time.monotonic() < deadline:
            if program.pid not in (None, old) and await health.answers_at_all(url):
                say(f"{program.name} answers again")
                return
            await asyncio.sleep(0.2)

    async def _rotate_once(self) -> None:
        files = sorted(self._data_dir.logs.glob("*.log"))
        await asyncio.to_thread(lambda: [rotate(file) for file in files])
        audits = sorted(self._data_dir.audit.glob("*.jsonl"))
        await asyncio.to_thread(
            lambda: [rename_long(file, AUDIT_BYTES, AUDIT_OLDER) for file in audits]
        )

    async def _renew_once(self) -> None:
        now = time.time()
        if renewal_is_due(self._renewed, now):
            await asyncio.to_thread(SecretFiles(self._data_dir.secrets).renew_service_tokens)
            self._renewed = now

    async def _drop_once(self) -> None:
        settings = load_settings(self._data_dir)
        if settings is not None:
            await asyncio.to_thread(drop_due, self._data_dir, settings, say)


async def _write(writer: asyncio.StreamWriter, document: object) -> None:
    writer.write(json.dumps(document).encode() + b"\n")
    await writer.drain()


async def _again_and_again(work: Callable[[], Awaitable[None]], pause: float) -> None:
    while True:
        try:
            await work()
        except Exception as error:
            # Whatever went wrong, keep watching the other programs.
            say(f"{work.__qualname__} failed: {error!r}")
        await asyncio.sleep(pause)


def say(message: str) -> None:
    """Write a line to the log."""
    print(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {message}", flush=True)


def main() -> int:
    """Run the supervisor of the data directory that the command line names."""
    data_dir = DataDir.at(sys.argv[1])
    os.umask(0o077)
    with open(data_dir.root / "supervisor.pid", "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            pid = file.read().strip()
            print(
                f"another supervisor is running (pid {pid}) but does not answer: end it with "
                f"`kill -9 {pid}` (the programs keep running), then repeat this",
                file=sys.stderr,
            )
            return 1
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        files = OPEN_FILES if most == resource.RLIM_INFINITY else min(most, OPEN_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))
        asyncio.run(Supervision(data_dir).run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
