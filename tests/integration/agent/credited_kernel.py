"""Our Python kernel with a reader that a test holds back: what its agent is otherwise.

The reader takes everything from the socket, as agents do, and writes down as taken what it is
allowed to.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
import zmq
from jupyter_client.connect import write_connection_file
from jupyter_client.session import Session

from gateway_ext.agent.credit_file import VARIABLE, CreditFile
from tests.integration.agent.memory import peak_memory

REPOSITORY = Path(__file__).parents[3]
KEY = b"key"
MODULE = "gateway_ext.agent.python_kernel"

SAY_WHEN_WAITING = """
import pathlib, sys, threading, time
def waits(code):
    return code.co_name == "wait" and code.co_filename.endswith("output_credit.py")
def say_when_waiting():
    seen = 0
    while seen < 5:
        time.sleep(0.01)
        codes = [frame.f_code for frame in sys._current_frames().values()]
        seen = seen + 1 if any(map(waits, codes)) else 0
    pathlib.Path("waiting").touch()
threading.Thread(target=say_when_waiting, daemon=True).start()
"""
"""In a cell: makes the file `waiting` as soon as one of its threads waits for credit."""


class CreditedKernel:
    """One kernel in a folder. `allowed` bytes count as taken at most; None is no limit."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        credit: bool = True,
        agent: int | None = None,
        subscribe: bool = True,
        module: str = MODULE,
        python: str = sys.executable,
    ) -> None:
        """`agent` is the process that the kernel takes for its agent, this one unless given.
        Without `subscribe`, nobody listens until that is called. `module` is what `python` runs.
        """
        self.folder = folder
        self.allowed: int | None = None
        self.got = 0
        self.messages: list[tuple[str, str, Any]] = []
        """Type, parent's id and content of what came on iopub."""
        self._session = Session(key=KEY)
        self._credit = CreditFile(folder / "credit")
        file = folder / "connection.json"
        ports = {"shell": 1, "iopub": 2, "stdin": 3, "control": 4, "hb": 5}
        write_connection_file(
            str(file),
            key=KEY,
            transport="ipc",
            ip=str(folder / "k"),
            **{f"{channel}_port": port for channel, port in ports.items()},
        )
        environment = dict(os.environ, PYTHONPATH=str(REPOSITORY), IPYTHONDIR=str(folder))
        # Or ipykernel leaves the output of programs where it is.
        environment.pop("PYTEST_CURRENT_TEST", None)
        environment["JPY_PARENT_PID"] = str(os.getpid() if agent is None else agent)
        if credit:
            environment[VARIABLE] = str(self._credit.path)
        with (folder / "kernel.log").open("wb") as log:
            self.process = subprocess.Popen(
                [python, "-m", module, "-f", str(file), *arguments],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._sockets = {
            channel: self._socket(kind, channel)
            for channel, kind in (("shell", zmq.DEALER), ("control", zmq.DEALER), ("hb", zmq.REQ))
        }
        self._replies: dict[str, dict[str, Any]] = {}
        self._stopping = threading.Event()
        self._reader = threading.Thread(target=self._read)
        if subscribe:
            self.subscribe()

    def __enter__(self) -> CreditedKernel:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping.set()
        if self._reader.ident is not None:
            self._reader.join()
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in psutil.Process(self.process.pid).children(recursive=True):
                process.kill()
        self.process.kill()
        self.process.wait()
        self._context.destroy(linger=0)

    def _socket(self, kind: int, channel: str) -> zmq.Socket[bytes]:
        number = {"shell": 1, "iopub": 2, "control": 4, "hb": 5}[channel]
        socket = self._context.socket(kind)
        socket.connect(f"ipc://{self.folder}/k-{number}")
        return socket

    def subscribe(self) -> None:
        """Begin to read; returns when the kernel answers and is heard."""
        self._reader.start()
        self.until(self._is_heard, "the kernel is heard")

    def _is_heard(self) -> bool:
        self.reply(self.ask("shell", "kernel_info_request"))
        return any(kind == "status" for kind, _, _ in self.messages)

    def _read(self) -> None:
        socket = self._context.socket(zmq.SUB)
        socket.setsockopt(zmq.RCVHWM, 0)
        socket.setsockopt(zmq.RECONNECT_IVL, 50)
        socket.subscribe(b"")
        socket.connect(f"ipc://{self.folder}/k-2")
        while not self._stopping.is_set():
            if socket.poll(10):
                frames = socket.recv_multipart()
                self.got += sum(map(len, frames))
                header, parent, _, content = self._parts(frames)
                self.messages.append((header["msg_type"], parent.get("msg_id", ""), content))
            allowed = self.allowed
            self._credit.taken(self.got if allowed is None else min(allowed, self.got))

    @staticmethod
    def _parts(frames: list[bytes]) -> list[Any]:
        begin = frames.index(b"<IDS|MSG>") + 2
        return [json.loads(frame) for frame in frames[begin : begin + 4]]

    def until(self, holds: Callable[[], object], what: str, seconds: float = 60) -> None:
        """Wait for a condition; fails if it does not come, or if the kernel ends."""
        end = time.monotonic() + seconds
        while not holds():
            if self.process.poll() is not None or time.monotonic() > end:
                log = (self.folder / "kernel.log").read_text()[-2000:]
                raise AssertionError(f"never came: {what}; the kernel's log: {log}")
            time.sleep(0.01)

    def there(self, name: str) -> bool:
        """Whether the kernel's code has made a file of this name."""
        return (self.folder / name).exists()

    def ask(
        self, channel: str, kind: str, content: dict[str, Any] | None = None, **header: Any
    ) -> str:
        """Send a request; returns its id."""
        message = self._session.msg(kind, content or {})
        message["header"].update(header)
        self._sockets[channel].send_multipart(self._session.serialize(message))
        return str(message["header"]["msg_id"])

    def execute(self, code: str) -> str:
        """Ask for a cell to be run; returns the request's id."""
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        content |= {"user_expressions": {}, "stop_on_error": True}
        return self.ask("shell", "execute_request", content)

    def reply(self, request: str, seconds: float = 60) -> dict[str, Any]:
        """The content of the reply to a request on shell or control."""

        def came() -> bool:
            for channel in ("shell", "control"):
                while self._sockets[channel].poll(0):
                    _, parent, _, content = self._parts(self._sockets[channel].recv_multipart())
                    self._replies[parent["msg_id"]] = content
            return request in self._replies

        self.until(came, f"reply to {request}", seconds)
        return self._replies[request]

    def run(self, code: str) -> str:
        """Run a cell to its end; returns what it printed."""
        request = self.execute(code)
        content = self.reply(request)
        assert content["status"] == "ok", content
        self.until(lambda: self.is_idle(request), f"idle after {request}")
        return self.text(request)

    def is_idle(self, request: str) -> bool:
        """Whether the kernel has said that it has finished a request."""
        idle = {"execution_state": "idle"}
        return any(said == ("status", request, idle) for said in list(self.messages))

    def text(self, request: str, name: str = "stdout") -> str:
        """What a cell has printed so far."""
        return "".join(
            content["text"]
            for kind, parent, content in list(self.messages)
            if kind == "stream" and parent == request and content["name"] == name
        )

    def beats(self) -> bool:
        """Whether the heartbeat answers."""
        socket = self._sockets["hb"]
        socket.send(b"ping")
        return bool(socket.poll(10_000)) and socket.recv() == b"ping"

    def interrupt(self) -> None:
        """As agents do it."""
        self.process.send_signal(signal.SIGINT)

    def processor_seconds(self) -> float:
        """What the kernel has computed so far."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def memory(self) -> int:
        """Bytes that the kernel has in memory now."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def peak_memory(self) -> int:
        """Bytes that the kernel had in memory at most."""
        return peak_memory(self.process.pid)
