"""Conversion of notebooks to other formats, each in a separate process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, cast

from jupyter_ext.contents import export_process
from jupyter_ext.platform.fair_turns import FairTurns

_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "JUPYTER_PATH", "JUPYTER_DATA_DIR")
"""The only variables that a conversion gets from the lab's environment, which contains secrets."""
_PIECE = 1024 * 1024
_CPU_SECONDS_MORE = 30
"""If its lab has died, a conversion ends itself this much later than the lab would have done."""


class ExportError(Exception):
    """There is no result; the message tells the user why."""


class ExportTooBig(ExportError):
    """The notebook takes more time or memory than one export may, or its result is too big."""


class ExportBusy(ExportError):
    """Too many other notebooks are being exported."""


class ExportFailed(ExportError):
    """nbconvert failed. `trace` is the traceback for the operator's log."""

    def __init__(self, message: str, trace: str) -> None:
        super().__init__(message)
        self.trace = trace


@dataclass(frozen=True)
class Exported:
    """A result: `extension` and `mimetype` are the document's, and `zip` says whether `body` is an
    archive of the document and its images."""

    body: bytes
    extension: str
    mimetype: str
    zip: bool


@dataclass
class Exports:
    """The exports of one lab: `at_once` run, `of_one_user` of each user, and others wait up to
    `wait_seconds`."""

    at_once: int = 2
    of_one_user: int = 1
    waiting_of_one_user: int = 10
    wait_seconds: float = 20.0
    seconds: float = 30.0
    """How long one may take."""
    result_bytes: int = 256 * 1024 * 1024
    _turns: FairTurns[str | None] = field(init=False)

    def __post_init__(self) -> None:
        self._turns = FairTurns(self.at_once, self.of_one_user)

    @contextlib.asynccontextmanager
    async def turn(self, user: str | None) -> AsyncIterator[None]:
        """Wait for the user's turn and hold it; raises ExportBusy."""
        busy = ExportBusy("other notebooks are being exported: try again in a moment")
        if self._turns.waiting(user) >= self.waiting_of_one_user:
            raise busy
        try:
            async with asyncio.timeout(self.wait_seconds):
                await self._turns.take(user)
        except TimeoutError:
            raise busy from None
        try:
            yield
        finally:
            self._turns.give_back(user)

    async def run(self, job: bytes) -> Exported:
        """Run a job of `export_process`; raises ExportError. Canceling kills the process."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            # Otherwise modules in the script's folder would take precedence over installed ones.
            "-P",
            export_process.__file__,
            str(math.ceil(self.seconds) + _CPU_SECONDS_MORE),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            cwd="/",
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(self.seconds):
                _, answer = await asyncio.gather(_feed(process, job), self._answer(process))
                await process.wait()
        except TimeoutError:
            raise ExportTooBig(
                f"converting this notebook takes more than {self.seconds:.0f} seconds: export "
                "it on your own machine, with jupyter nbconvert"
            ) from None
        finally:
            await asyncio.shield(_end(process))
        return _exported(answer)

    async def _answer(self, process: Process) -> bytes:
        stdout = cast(asyncio.StreamReader, process.stdout)
        answer = bytearray()
        while piece := await stdout.read(_PIECE):
            answer += piece
            if len(answer) > self.result_bytes:
                raise ExportTooBig(f"the result has more than {self.result_bytes} bytes")
        return bytes(answer)


async def _feed(process: Process, job: bytes) -> None:
    stdin = cast(asyncio.StreamWriter, process.stdin)
    # A process that ends before it has read everything gives the reason in its output.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stdin.write(job)
        await stdin.drain()
    stdin.close()


async def _end(process: Process) -> None:
    """Kill the process and what it started, such as pandoc, and wait for it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    # asyncio reports the end of a process only when its output has been read.
    stdout = cast(asyncio.StreamReader, process.stdout)
    while await stdout.read(_PIECE):
        pass
    await process.wait()


def _exported(answer: bytes) -> Exported:
    """The answer of the process; raises ExportError."""
    line, _, body = answer.partition(b"\n")
    try:
        about: dict[str, Any] = json.loads(line)
    except ValueError:
        raise ExportTooBig(
            "converting this notebook takes more memory than an export may have: export it "
            "on your own machine, with jupyter nbconvert"
        ) from None
    if "error" in about:
        raise ExportFailed(about["error"], body.decode(errors="replace"))
    return Exported(body, about["extension"], about["mimetype"], about["zip"])
