"""The kernel: its successive processes, their sockets and its state."""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
import time
import uuid
from collections.abc import Callable
from typing import Any

from jupyter_ext.wire.made_messages import make_message
from jupyter_ext.wire.messages import MessageError, parse_part

from .client_messages import ClientMessages
from .credit_file import waits_for_credit
from .entry import EVERYBODY, Audience, Entry
from .held_tasks import HeldTasks
from .kernel_log import KernelLog
from .kernel_process import ConnectionFiles, LaunchError, has_packages
from .kernel_run import PACKAGES_SECONDS, KernelRun
from .kernel_state import ProcessState, ReportedState, short_text, utc_now
from .memory_limit import MemoryLimit
from .orphans import end_orphans, reap_orphans
from .process_starts import ProcessStarts
from .requests.kernel_requests import KernelRequests
from .restart_policy import LIMIT, RestartPolicy
from .sessions import Sessions
from .socket_folder import SocketFolder
from .start_document import StartDocument
from .walls.waiting_process import WaitingProcess
from .zmq_channels import KernelChannels

_log = logging.getLogger("fleet.agent")


class Kernel:
    """Starts, watches, interrupts, restarts and ends the kernel, and passes its messages on."""

    def __init__(
        self,
        document: StartDocument,
        sockets: SocketFolder,
        sessions: Sessions,
        on_message: Callable[[Audience, bytes, bool], Entry],
        on_state: Callable[[], None],
        forked: WaitingProcess | None = None,
        limit: MemoryLimit | None = None,
    ) -> None:
        """`on_message` gets for whom each message is, the message in the v1 layout, and whether it
        is the end of a request; `forked` can become the first process; `limit` is for each
        process."""
        self._limit = limit
        self.state = ReportedState()
        self.excess: Callable[[], int] = lambda: 0
        """How many bytes of messages nobody has room for yet; to be set before `start`."""
        self._document = document
        self._sessions = sessions
        self._on_message = on_message
        self.requests = KernelRequests(on_message)
        self._messages = ClientMessages(sessions, self.requests)
        self._on_state = on_state
        self._key = secrets.token_hex(32).encode()
        self._kernel_session = uuid.uuid4().hex
        """The session id of the process that spoke last: pages drop what waits of an older one, so
        that what is said on behalf of a dead process has its id."""
        self._files = ConnectionFiles(document, self._key, sockets)
        self._log = KernelLog(document.directory / "kernel.log")
        self.starts = ProcessStarts(self._files, self._log, forked, limit)
        self._policy = RestartPolicy()
        self._left_out = ""
        """Why the users' packages are left out, until a user restarts the kernel."""
        self._changing = asyncio.Lock()
        self._run: KernelRun | None = None
        self._tasks = HeldTasks()
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
        if not fork:
            self.starts.dismiss()
        self.state.last_activity = utc_now()
        self._change(pooled=False, process=ProcessState.STARTING, execution_state="starting")
        self._claimed.set()

    async def restart(self, by: str | None = None) -> None:
        """End the process, start another one and wait (up to a minute) until it answers. `by` is
        the user who asks for it."""
        # What was sent before must not run after it.
        self._messages.abort_waiting(self._kernel_session, next_process=True)
        async with self._changing:
            if self._closed:
                raise LaunchError("the kernel is being shut down")
            self._policy.reset()
            self._left_out = ""
            self._change(process=ProcessState.RESTARTING, execution_state="starting", reason=None)
            ended = self._run
            if ended is not None:
                await self._end(ended, now=False, restart=True)
            self.requests.restarted(None if ended is None else by)
            await self._launch()
            run = self._run
        if run is not None:
            await run.answers_or_ends(60)

    async def shutdown(self, now: bool, reason: str) -> None:
        """End the process for good, with everything that it started; `now`: SIGKILL at once."""
        self._closed = True
        if now and self._run is not None:
            self._run.expected_end = True
            self._run.end_reason = "the kernel was shut down"
            self._run.process.signal(signal.SIGKILL)
        async with self._changing:
            if self._run is not None:
                await self._end(self._run, now=now, restart=False)
            await asyncio.to_thread(self.starts.dismiss)
            await end_orphans(self._own_pids)
            self._change(process=ProcessState.DEAD, execution_state="dead", pid=None, reason=reason)

    def interrupt(self, by: str | None = None) -> None:
        """Interrupt what runs; before the kernel's first answer, drop what waits for it. Raises
        LaunchError if nothing can be interrupted now. `by` is the user who asks for it."""
        if self.state.process is ProcessState.STARTING:
            self._messages.abort_waiting(self._kernel_session, next_process=True)
            return
        run = self._run
        if run is None or not run.ready.is_set():
            raise LaunchError(f"the kernel cannot be interrupted: it is {self.state.process}")
        if by is not None and self.state.execution_state == "busy":
            self.requests.interrupted(by)
        run.interrupt(self._document.interrupt_mode)

    def reap(self) -> None:
        """Reap processes that the kernel started, whose parents have ended and that have ended."""
        if not self.starts.is_starting:
            reap_orphans(self._own_pids())

    @property
    def waits_for_credit(self) -> bool:
        """Whether its code waits while there is no room for what it prints."""
        return self._files.credit is not None and waits_for_credit(self._document.argv)

    def give_credit(self) -> None:
        """Let code that prints go on: `excess` has become less."""
        if self._run is not None:
            self._run.channels.give_credit()

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
            with_packages = not self._left_out and has_packages(self._document)
            process = await self.starts.start(self._document, self._left_out)
        except (LaunchError, OSError) as error:
            await self._dead(LaunchError.words(error))
            return
        run: KernelRun
        self.requests.new_process(self._document.prepared_by)
        channels = KernelChannels(
            connection,
            self._key,
            lambda *message: self._received(run, *message),
            self._files.credit,
            self.excess,
        )
        run = self._run = KernelRun(process, channels, with_packages, self._files.written)
        if (network := process.network) is not None:
            network.on_change = lambda reported: self._change(network=reported)
        reported = network and network.as_reported()
        self._change(pid=process.pid, execution_state="starting", network=reported)
        # What has ended meanwhile.
        self.reap()
        run.making_ready = self._tasks.start(self._make_ready(run))
        self._tasks.start(self._watch(run))

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
        self._messages.give_waiting(run.channels)

    async def _watch(self, run: KernelRun) -> None:
        """Take note of the process's end, and start another one if nobody wanted it to end."""
        exit_code = await run.process.wait()
        # It may have been in the way of others that ended.
        self.reap()
        if run.making_ready is not None:
            run.making_ready.cancel()
        # Otherwise processes in its process group would outlive it unnoticed.
        await run.process.end_rest()
        words = await asyncio.to_thread(run.why_ended, exit_code, self._limit)
        await run.channels.drain()
        run.channels.close()
        if self._run is run:
            self._run = None
        unsent = run.unsent_output()
        while (rest := await asyncio.to_thread(next, unsent, None)) is not None:
            self.requests.printed(rest.stream, rest.parent, rest.text, self._kernel_session)
        self._sessions.nothing_in_flight()
        words = run.end_reason or words
        await self.requests.died(words, self._kernel_session)
        run.ended.set()
        self._change(pid=None)
        if run.expected_end:
            return
        async with self._changing:
            if self._run is None and not self._closed and not run.expected_end:
                await self._start_again(run, words)

    async def _start_again(self, run: KernelRun, words: str) -> None:
        pause = self._policy.pause(time.monotonic() - run.begun)
        if pause is None:
            words = await self._log.with_last_words(f"{words}, after {LIMIT} restarts in a row")
            await self._dead(words)
            return
        if run.with_packages and not run.info_heard.is_set():
            if run.too_slow:
                words = f"the kernel did not answer for {PACKAGES_SECONDS:.0f} s"
            self._left_out = words = await self._log.with_last_words(f"with them {words}")
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

    def _left_out_reason(self) -> dict[str, str]:
        words = f"it runs without the project's packages: {self._left_out}"
        return {"reason": words} if self._left_out else {}

    async def _end(self, run: KernelRun, now: bool, restart: bool) -> None:
        """End one process and wait until its last messages were received."""
        run.expected_end = True
        run.end_reason = f"the kernel was {'restarted' if restart else 'shut down'}"
        if not now:
            if self._files.credit is not None:
                self._files.credit.end()
            await run.ask_to_end(self._document.interrupt_mode, restart=restart)
        run.process.signal(signal.SIGKILL)
        await run.ended.wait()

    def _own_pids(self) -> set[int]:
        """The children that are waited for one by one: the kernel, and what can become one."""
        pids = (self.starts.waiting_pid, None if self._run is None else self._run.process.pid)
        return {pid for pid in pids if pid is not None}

    async def _dead(self, reason: str) -> None:
        _log.error("the kernel is dead: %s", reason)
        await asyncio.to_thread(self.starts.dismiss)
        self._messages.abort_waiting(self._kernel_session, next_process=False)
        await end_orphans(self._own_pids)
        self._change(process=ProcessState.DEAD, execution_state="dead", pid=None, reason=reason)
        # What has come since then.
        self._messages.abort_waiting(self._kernel_session, next_process=False)
        self._announce("dead", reason)

    # -- messages -----------------------------------------------------------------------------

    def send(
        self, session_id: str, message: bytes, *, cursor: bool = False, user: str | None = None
    ) -> None:
        """Hand a user's message to the kernel, or keep it until the kernel has started. An
        execute_request runs once, however often it comes. With `cursor`, its stream's other end is
        a page.

        A dead kernel gets nothing, as a message to a kernel that died is lost in stock Jupyter. To
        say that it is idle would revive it in stock pages; only a page with a cursor is told what
        became of its cell.
        """
        read = self._messages.read(session_id, message, user)
        if read is None:
            return
        self.state.last_activity = utc_now()
        if self.state.process is not ProcessState.DEAD:
            self._messages.pass_on(read, self._channels)
            return
        self._sessions.finished(str(read.header["msg_id"]))
        if cursor:
            reason = self.state.reason or "the kernel is dead"
            self.requests.refuse(*read[:4], self._kernel_session, reason)

    @property
    def _channels(self) -> KernelChannels | None:
        """Those of the process, once it can be used."""
        run = self._run
        return run.channels if run is not None and run.ready.is_set() else None

    def connect(self, session_id: str) -> None:
        """Give a session its sockets before its first message."""
        if self._channels is not None:
            self._channels.connect(session_id)

    def disconnect(self, session_id: str) -> None:
        """Close a session's sockets."""
        if self._run is not None:
            self._run.channels.disconnect(session_id)

    def _received(
        self, run: KernelRun, session_id: str | None, channel: str, parts: list[bytes]
    ) -> None:
        try:
            header = parse_part(parts[0])
            message_type = str(header["msg_type"])
            request = str(parse_part(parts[1]).get("msg_id", ""))
        except (MessageError, KeyError):
            _log.warning("dropped a message on %s whose header cannot be read", channel)
            return
        if session_id == run.channels.own_id:
            if message_type == "kernel_info_reply":
                self._change(**run.answered(parts))
            return
        if run.expected_end and run.ended_cells.hides(message_type, request, parts[3]):
            return
        if channel == "iopub" and message_type == "status":
            self._heard_status(run, run.heard_status(parts), request)
        run.sent_output.heard(message_type, parts)
        if message_type.endswith("_reply"):
            self._sessions.finished(request)
        if not request.startswith(run.channels.own_id):
            self.state.last_activity = utc_now()
        self._kernel_session = short_text(header.get("session")) or self._kernel_session
        self.requests.received(session_id, channel, message_type, request, parts)

    def _heard_status(self, run: KernelRun, heard: str, request: str) -> None:
        if heard == "idle":
            self._sessions.finished(request)
        if heard and run is self._run and not run.expected_end:
            self._change(execution_state=run.busyness.heard(heard, request))

    def _announce(self, execution_state: str, reason: str) -> None:
        """Send a status on iopub on behalf of the kernel, which only its parent can know."""
        content = {"execution_state": execution_state, "reason": reason}
        status = make_message(self._kernel_session, "iopub", "status", b"{}", content)
        self._on_message(EVERYBODY, status, False)

    def _change(self, **changes: Any) -> None:
        for name, value in changes.items():
            setattr(self.state, name, value)
        self._on_state()
