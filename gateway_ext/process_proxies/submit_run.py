"""One run of spark-submit."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from gateway_ext.process_proxies.process_session import kill_session

_PAUSE_SECONDS = 0.2


class SubmitRun:
    """A spark-submit with a folder of its own, which has the files of the application."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "spark-submit.log"
        """What it prints."""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def runs(self) -> bool:
        """Whether it has begun and not ended."""
        return self._process is not None and self._process.poll() is None

    def write(self, files: Mapping[str, bytes]) -> None:
        """Makes the folder, for this user only. Blocks; raises OSError."""
        self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.mkdir(mode=0o700)
        for name, content in files.items():
            (self.folder / name).touch(mode=0o600)
            (self.folder / name).write_bytes(content)

    def begin(self, command: list[str], environment: Mapping[str, str]) -> int:
        """Starts it in its folder, and returns its process id. Blocks; raises OSError, ValueError
        and SubprocessError."""
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                cwd=self.folder,
                start_new_session=True,
            )
        return self._process.pid

    async def ended(self, seconds: float) -> int | None:
        """Its exit status; None if it still runs after `seconds`, or was never begun."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            if not self.runs or loop.time() > deadline:
                return None if self._process is None else self._process.poll()
            await asyncio.sleep(_PAUSE_SECONDS)

    def end(self) -> None:
        """Kills it, with all that it has started. Blocks."""
        if self._process is not None and self.runs:
            kill_session(self._process.pid, os.geteuid())
            self._process.wait()

    async def leave(self, seconds: float) -> None:
        """Removes the folder, one of whose files has the agent's key, as soon as nobody reads it:
        when it has ended, and it is ended after `seconds`."""
        await self.ended(seconds)
        await asyncio.to_thread(self.end)
        await asyncio.to_thread(shutil.rmtree, self.folder, True)
