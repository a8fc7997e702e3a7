"""The kernel: its successive processes, their sockets and its state."""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
import time
from collections.abc import Callable, Coroutine
from typing import Any

from jupyter_client.session import Session as JupyterSession

from jupyter_ext.wire.messages import MessageError, join_v1, parse_part, split_v1

from .call_socket import CallSocket
from .cgroup import memory_limit_of
from .forked_kernel import ForkedKernel
from .kernel_end import is_killed, why_ended
from .kernel_log import KernelLog
from .kernel_process import ConnectionFiles, KernelProcess, LaunchError, takes_packages
from .kernel_run import PACKAGES_SECONDS, KernelRun
from .kernel_state import ProcessState, ReportedState, utc_now
from .leases import make_leases_folder
from .memory_limit import MemoryLimit
from .orphans import kill_orphans, reap_orphans
from .package_site import is_empty
from .restart_policy import LIMIT, RestartPolicy
from .sessions import Sessions
from .socket_folder import SocketFolder
from .start_document import StartDocument
from .zmq_channels import KernelChannels

_log = logging.getLogger("fleet.agent")

_CLIENT_CHANNELS = frozenset({"shell", "control", "stdin"})
_ORPHANS_SECONDS = 5.0
"""How long the processes that a kernel leaves behind may take to end after SIGKILL."""


class Kernel:
    """Starts, watches, interrupts, restarts and ends the kernel, and passes its messages on."""

    def __init__(
        self,
        document: StartDocument,
        sockets: SocketFolder,
        sessions: Sessions,
        on_message: Callable[[str | None, bytes], None],
        on_state: Callable[[], None],
        forked: ForkedKernel | None = None,
        limit: MemoryLimit | None = None,
    ) -> None:
        """`on_message` gets the session id (None for all) and the message in the v1 layout;
        `forked` can become the first process; `limit` is for each process."""
        self._limit = limit
        self.state = ReportedState()
        self.call_socket: CallSocket | None = None
        """Where each process can call the fleet; to be set before `start`."""
        self._document = document
        self._sessions = sessions
        self._on_message = on_message
        self._on_state = on_state
        self._forked = forked
        self._key = secrets.token_hex(32).encode()
        self._voice = JupyterSession(key=self._key)
        self._files = ConnectionFiles(document, self._key, sockets)
        self._log = KernelLog(document.directory / "kernel.log")
        self._policy = RestartPolicy()
        self._left_out = ""
        """Why the users' packages are left out, until a user restarts the kernel."""
        self._changing = asyncio.Lock()
        self._run: KernelRun | None = None
        self._pending: list[tuple[str, str, list[bytes]]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._claimed = asyncio.Event()
        if document.pooled:
            # Complete, for whoever looks at it: it answers nobody, but nothing is missing.
            self.state.pooled = True
            self.state.process = ProcessState.RUNNING
            self.state.execution_state = "idle"
        else:
            self._claimed.set()

    # -- life ---------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the first process; if that is not possible the state says why. A kernel that is
        nobody's waits for `claim`."""
        await self._claimed.wait()
        async with self._changing:
            if not self._closed:
                await self._launch()

    def claim(self, document: StartDocument, *, fork: bool) -> None:
        """The kernel is somebody's now, as the document says, and `start` goes on. `fork` says
        whether the process that waits for it can become it."""
        self._document = document
        if not fork and self._forked is not None:
            self._forked.dismiss()
            self._forked = None
        self.state.last_activity = utc_now()
        self._change(pooled=False, process=ProcessState.STARTING, execution_state="starting")
        self._claimed.set()

    async def restart(self) -> None:
        """End the process, start another one and wait (up to a minute) until it answers."""
        async with self._changing:
            if self._closed:
                raise LaunchError("the kernel is being shut down")
            self._policy.reset()
            self._left_out = ""
            self._change(process=ProcessState.RESTARTING, execution_state="starting", reason=None)
            if self._run is not None:
                await self._end(self._run, now=False, restart=True)
            await self._launch()
            run = self._run
        if run is not None:
            waits = [asyncio.create_task(event.wait()) for event in (run.ready, run.ended)]
            await asyncio.wait(waits, timeout=60, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()

    async def shutdown(self, now: bool, reason: str) -> None:
        """End the process for good, with everything that it started; `now`: SIGKILL at once."""
        self._closed = True
        if now and self._run is not None:
            self._run.expected_end = True
            self._run.process.signal(signal.SIGKILL)
        async with self._changing:
            if self._run is not None:
                await self._end(self._run, now=now, restart=False)
            await self._end_orphans()
            self._change(process=ProcessState.DEAD, execution_state="dead", pid=None, reason=reason)

    def interrupt(self) -> None:
        """Interrupt what runs; raises LaunchError if nothing can be interrupted now."""
        run = self._run
        if run is None or not run.ready.is_set():
            raise LaunchError(f"the kernel cannot be interrupted: it is {self.state.process}")
        run.interrupt(self._document.interrupt_mode)

    def reap(self) -> None:
        """Reap processes that the kernel started, whose parents have ended and that have ended."""
        reap_orphans(self._own_pids())

    def worked(self) -> None:
        """Record that the kernel's processes are working, even if its messages do not show it."""
        self.state.last_work = utc_now()
        self._on_state()

    def look_for_oom_kills(self) -> None:
        """Take note of processes that were ended because memory ran out: only an end that comes
        after the last look is explained by one. Blocks a little."""
        if self._run is not None:
            self._run.newly_oom_killed()

    def end_process(self, pid: int, reason: str) -> bool:
        """End the process that has this id, which is started again; False if it has ended."""
        run = self._run
        if run is None or run.process.pid != pid or run.expected_end:
            return False
        _log.warning("%s", reason)
        run.end_reason = reason
        run.process.signal(signal.SIGKILL)
        return True

    async def _launch(self) -> None:
        try:
            connection = await asyncio.to_thread(self._files.write)
            await asyncio.to_thread(make_leases_folder, self._document.directory)
            forked, self._forked = self._forked, None
            with_packages = not self._left_out and self._has_packages()
            calls = None if self.call_socket is None else await self.call_socket.renew()
            process = KernelProcess.start(
                self._document,
                self._files.file,
                self._log,
                forked,
                left_out=self._left_out,
                limit=self._limit,
                call_socket=calls,
            )
        except (LaunchError, OSError) as error:
            await self._dead(LaunchError.words(error))
            return
        run: KernelRun
        channels = KernelChannels(
            connection, self._key, lambda *message: self._received(run, *message)
        )
        run = self._run = KernelRun(process, channels, with_packages)
        self._change(pid=process.pid, execution_state="starting")
        run.making_ready = self._spawn(self._make_ready(run))
        self._spawn(self._watch(run))

    async def _make_ready(self, run: KernelRun) -> None:
        """Wait until the kernel can be used, then give it what has waited."""
        if not await run.is_heard():
            run.too_slow = True
            run.process.signal(signal.SIGKILL)
            return
        run.channels.hold()
        for session in self._sessions:
            run.channels.connect(session.session_id)
        run.ready.set()
        execution_state = self.state.execution_state
        # With the reason for which the process before ended by itself, if it did: whoever was not
        # there asks why all variables are gone.
        self._change(
            process=ProcessState.RUNNING,
            **self._left_out_reason(),
            execution_state="idle" if execution_state == "starting" else execution_state,
        )
        pending, self._pending = self._pending, []
        for message in pending:
            run.channels.send(*message)

    async def _watch(self, run: KernelRun) -> None:
        """Take note of the process's end, and start another one if nobody wanted it to end."""
        exit_code = await run.process.wait()
        # It may have been in the way of others that ended.
        self.reap()
        if run.making_ready is not None:
            run.making_ready.cancel()
        # Otherwise processes in its process group would outlive it unnoticed.
        await run.process.end_rest()
        await run.channels.drain()
        run.channels.close()
        run.ended.set()
        if self._run is run:
            self._run = None
        self._sessions.nothing_in_flight()
        self._change(pid=None)
        if run.expected_end:
            return
        words = run.end_reason or await asyncio.to_thread(self._why_ended, run, exit_code)
        async with self._changing:
            if self._run is None and not self._closed and not run.expected_end:
                await self._start_again(run, words)

    def _why_ended(self, run: KernelRun, exit_code: int) -> str:
        """Blocks a little."""
        limited = self._limit is not None and not self._limit.is_watched
        return why_ended(
            exit_code,
            out_of_memory=run.newly_oom_killed() if is_killed(exit_code) else None,
            reached=self._limit.reached if self._limit is not None and limited else "",
            container_bytes=None if run.cgroup is None else memory_limit_of(run.cgroup.path),
        )

    async def _start_again(self, run: KernelRun, words: str) -> None:
        pause = self._policy.pause(time.monotonic() - run.begun)
        if pause is None:
            words = await self._with_last_words(f"{words}, after {LIMIT} restarts in a row")
            await self._dead(words)
            return
        if run.with_packages and not run.info_heard.is_set():
            if run.too_slow:
                words = f"the kernel did not answer for {PACKAGES_SECONDS:.0f} s"
            self._left_out = words = await self._with_last_words(f"with them {words}")
        _log.warning("%s; starting it again", words)
        self._change(
            process=ProcessState.RESTARTING,
            execution_state="starting",
            restarts=self.state.restarts + 1,
            reason=words,
        )
        self._announce("restarting", words)
        await asyncio.sleep(pause)
        if not self._closed:
            await self._launch()

    async def _with_last_words(self, words: str) -> str:
        last_words = await asyncio.to_thread(self._log.last_words)
        return f"{words}; its last output: {last_words}" if last_words else words

    def _left_out_reason(self) -> dict[str, str]:
        if not self._left_out:
            return {}
        return {"reason": f"it runs without the project's packages: {self._left_out}"}

    def _has_packages(self) -> bool:
        packages = self._document.packages
        if packages is None or not takes_packages(self._document):
            return False
        return not is_empty(packages.folder)

    async def _end(self, run: KernelRun, now: bool, restart: bool) -> None:
        """End one process and wait until its last messages were received."""
        run.expected_end = True
        if not now:
            await run.ask_to_end(self._document.interrupt_mode, restart=restart)
        run.process.signal(signal.SIGKILL)
        await run.ended.wait()

    def _own_pids(self) -> set[int]:
        """The children that are waited for one by one: the kernel, and what can become one."""
        own = set()
        if self._forked is not None:
            own.add(self._forked.pid)
        if self._run is not None:
            own.add(self._run.process.pid)
        return own

    async def _end_orphans(self) -> None:
        """End the processes that the kernel, which has ended for good, left behind."""
        deadline = time.monotonic() + _ORPHANS_SECONDS
        while orphans := kill_orphans(self._own_pids()):
            if time.monotonic() > deadline:
                _log.warning("processes of the kernel cannot be ended: %s", orphans)
                return
            await asyncio.sleep(0.01)
            self.reap()

    async def _dead(self, reason: str) -> None:
        _log.error("the kernel is dead: %s", reason)
        self._pending.clear()
        await self._end_orphans()
        self._change(
            process=ProcessState.DEAD,
            execution_state="dead",
            pid=None,
            reason=reason,
        )
        self._announce("dead", reason)

    # -- messages -----------------------------------------------------------------------------

    def send(self, session_id: str, message: bytes) -> None:
        """Hand a client's message to the kernel, or keep it until the kernel has started.

        A dead kernel gets nothing, as a message to a kernel that died is lost in stock Jupyter.
        """
        try:
            channel, parts = split_v1(message)
            if channel not in _CLIENT_CHANNELS:
                raise MessageError(f"clients cannot speak on the channel {channel!r}")
            request = parse_part(parts[0])["msg_id"]
        except (MessageError, KeyError) as error:
            _log.warning("dropped a message of session %s: %s", session_id, error)
            return
        session = self._sessions.get(session_id)
        if session is not None and channel != "stdin":
            session.in_flight.add(str(request))
        self.state.last_activity = utc_now()
        if self._run is not None and self._run.ready.is_set():
            self._run.channels.send(session_id, channel, parts)
        elif self.state.process is not ProcessState.DEAD:
            self._pending.append((session_id, channel, parts))

    def connect(self, session_id: str) -> None:
        """Give a session its sockets before its first message."""
        if self._run is not None and self._run.ready.is_set():
            self._run.channels.connect(session_id)

    def disconnect(self, session_id: str) -> None:
        """Close a session's sockets."""
        if self._run is not None:
            self._run.channels.disconnect(session_id)

    def _received(
        self, run: KernelRun, session_id: str | None, channel: str, parts: list[bytes]
    ) -> None:
        try:
            message_type = str(parse_part(parts[0])["msg_type"])
            request = str(parse_part(parts[1]).get("msg_id", ""))
        except (MessageError, KeyError):
            _log.warning("dropped a message on %s whose header cannot be read", channel)
            return
        if session_id == run.channels.own_id:
            self._answered(run, message_type, parts)
            return
        if channel == "iopub" and message_type == "status":
            self._heard_status(run, parts, request)
        if message_type.endswith("_reply"):
            self._sessions.finished(request)
        if not request.startswith(run.channels.own_id):
            self.state.last_activity = utc_now()
        self._on_message(session_id, join_v1(channel, parts))

    def _answered(self, run: KernelRun, message_type: str, parts: list[bytes]) -> None:
        if message_type != "kernel_info_reply":
            return
        run.info_heard.set()
        try:
            self._change(kernel_info=parse_part(parts[3]))
        except MessageError:
            _log.warning("the kernel's kernel_info_reply cannot be read")

    def _heard_status(self, run: KernelRun, parts: list[bytes], request: str) -> None:
        run.iopub_heard.set()
        try:
            heard = str(parse_part(parts[3])["execution_state"])
        except (MessageError, KeyError):
            return
        if heard == "idle":
            self._sessions.finished(request)
        if run is self._run and not run.expected_end:
            self._change(execution_state=run.busyness.heard(heard, request))

    def _announce(self, execution_state: str, reason: str) -> None:
        """Send a status on iopub on behalf of the kernel, which only its parent can know."""
        content = {"execution_state": execution_state, "reason": reason}
        status = self._voice.msg("status", content)
        self._on_message(None, join_v1("iopub", self._voice.serialize(status)[2:]))

    def _change(self, **changes: Any) -> None:
        for name, value in changes.items():
            setattr(self.state, name, value)
        self._on_state()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
