"""A server process that ends with the run that started it."""

import ctypes
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_libc = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    # A killed test run must leave no server behind.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class ServerDied(Exception):
    """The server ended, or did not answer in time; the text ends with its log's last lines."""


class ServerProcess:
    """`command`, started at once with its output in `log`, in a session of its own.

    Linux kills it when the thread that has started it ends, not only the process: what a test
    starts again while it goes on must not be started by a thread that is done then. All servers of
    a client may be gone in this way, and the client looks as if it had stalled.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> None:
        self._command = command
        self._environment = environment
        self._directory = directory
        self.log = log
        self.name = Path(command[0]).name
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if environment is None else dict(environment),
                cwd=directory,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        self.pid = self._process.pid

    def wait_until(self, answers: Callable[[], bool], seconds: float = 60.0) -> None:
        """Returns when `answers()` is true; raises ServerDied."""
        deadline = time.monotonic() + seconds
        while not answers():
            if self._process.poll() is not None:
                raise ServerDied(
                    f"{self.name} ended with {self._process.returncode}\n{self._end()}"
                )
            if time.monotonic() > deadline:
                self.stop()
                raise ServerDied(f"{self.name} did not answer in {seconds:.0f} s\n{self._end()}")
            time.sleep(0.05)

    def _end(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])

    def signal(self, number: int) -> None:
        """Sends a signal, if the process still runs."""
        if self._process.poll() is None:
            self._process.send_signal(number)

    @property
    def exit_code(self) -> int | None:
        """How it ended, None while it runs; below 0 by a signal."""
        return self._process.poll()

    def kill(self) -> None:
        """SIGKILL; returns when the process has ended."""
        self.signal(signal.SIGKILL)
        self._process.wait()

    def start_again(self) -> "ServerProcess":
        """The same command once more, for a process that has ended."""
        return ServerProcess(
            self._command, self.log, environment=self._environment, directory=self._directory
        )

    def stop(self, seconds: float = 20.0) -> None:
        """SIGTERM, and SIGKILL to what has not ended after `seconds`."""
        self.signal(signal.SIGTERM)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
