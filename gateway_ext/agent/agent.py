"""The agent: a kernel, its journal, and one connection after another to some gateway."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import secrets
import shutil
import time
from collections.abc import Mapping
from typing import Any

from .call_socket import CallSocket
from .commands import Commands
from .connection import Connection, Deleted, Refused, Unreachable, dial
from .entry import Audience, Entry
from .gateway_list import GatewayList
from .journal import Journal
from .kernel import Kernel
from .kernel_calls import KernelCalls
from .kernel_watch import KernelWatch
from .lab_client import LabClient
from .memory_limit import MemoryLimit
from .process_tree import descendants, end_all
from .segments.disk import JournalDisk
from .segments.split_disk import SplitDisk
from .sender import Sender, TooSlow
from .sessions import Sessions
from .slow_readers import Reader, SlowReaders
from .socket_folder import SocketFolder
from .start_document import (
    StartDocument,
    StartDocumentError,
    claimed_document,
    claimed_environment,
    needs_new_process,
)
from .tail.parts import unfinished
from .tail.sender import JournalTail, Said
from .tail.ways import InLink, Way, WithTicket, best
from .walls.waiting_process import WaitingProcess

_log = logging.getLogger("fleet.agent")

_STATE_SECONDS = 0.02
"""Changes of state within this time are reported together, except those of the process: whoever
starts a kernel waits for them."""
_ACTIVITY_SECONDS = 10.0
"""How often a change is reported if only the time of the last activity has changed."""
_SESSION_SECONDS = 3600.0
"""How long a session is remembered when nobody has a stream open for it."""
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
"""Between two rounds of dialling all gateways; doubled each time, with jitter."""
_SERVED_SECONDS = 1.0
"""A connection that lasted for less counts as a failed attempt."""
_LAST_PART_SECONDS = 1.5
"""How long an agent that ends waits until the rest of its journal is kept."""
_HERD_SECONDS = 0.2
"""Agents whose gateway was killed connect to the next one at random moments within this time."""


class Agent:
    """Runs one kernel until it is told to end it, or has been without a gateway for too long."""

    def __init__(
        self,
        document: StartDocument,
        forked: WaitingProcess | None = None,
        container: Mapping[str, str] | None = None,
    ) -> None:
        """`forked` is a process that can become the kernel's first one. `container` is the
        environment as it was before that of the document."""
        self._document = document
        self._container = container or {}
        self._journal = _journal(document)
        self._sessions = Sessions()
        limit = None
        if document.memory_bytes is not None:
            limit = MemoryLimit(document.memory_bytes, document.memory_cgroup)
        self._sockets = SocketFolder(document.directory, agent_is_visible=document.walls is None)
        self._kernel = Kernel(
            document,
            self._sockets,
            self._sessions,
            self._append,
            self._state_changed,
            forked,
            limit,
        )
        self._kernel.excess = lambda: self._journal.excess
        self._kernel.requests.on_superseded = self._journal.supersede
        self._journal.on_written = self._kernel.give_credit
        self._journal.sent_to_all = self._sent_to_all
        self._commands: Commands | None = None
        slow_readers = SlowReaders(self._readers, self._cut)
        self._journal.readers.until_read = slow_readers.have
        self._journal.readers.up_to = slow_readers.up_to
        self._tail = JournalTail(self._journal, self._said, self._way)
        self._labs = LabClient(self._tail.wake)
        self._with_ticket, self._in_link = WithTicket(self._labs), InLink(self._tail.wake)
        self._calls = KernelCalls()
        self._call_socket: CallSocket | None = None
        self._watch = KernelWatch(document, self._kernel, limit)
        self._gateways = GatewayList(document.gateways)
        self._epoch = 0
        self._sender: Sender | None = None
        self._connection: Connection | None = None
        self._handover: list[str] | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._told: dict[str, object] = {}
        self._telling: asyncio.Handle | None = None
        self._ended = asyncio.Event()
        self._reason = ""
        self._at_once = False
        # It has said goodbye: no other gateway should take it for a kernel's agent.
        self._has_left = False

    async def run(self) -> None:
        """Start the kernel and serve; returns when kernel and directory are gone."""
        self._kernel.starts.build_walls(self._document)
        await self._open_call_socket()
        work = [
            asyncio.create_task(self._kernel.start()),
            asyncio.create_task(self._connect()),
            asyncio.create_task(self._keep_house()),
            asyncio.create_task(self._watch.run()),
            asyncio.create_task(self._tail.run()),
            asyncio.create_task(self._ended.wait()),
        ]
        try:
            # The others run until the last one ends them; otherwise only an error ends one.
            for task in asyncio.as_completed(work):
                await task
                if self._ended.is_set():
                    break
        finally:
            await self._kernel.shutdown(now=self._at_once, reason=self._reason)
            await self._say_goodbye()
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            if self._call_socket is not None:
                await self._call_socket.close()
            await self._journal.close()
            await asyncio.to_thread(self._sockets.remove)
            await asyncio.to_thread(shutil.rmtree, self._document.directory, True)

    async def _open_call_socket(self) -> None:
        try:
            call_socket = CallSocket(self._sockets.path("calls"), self._calls.call)
            await call_socket.open()
        except OSError as error:
            # The kernel can do without.
            _log.warning("the kernel cannot call the fleet: %s", error)
            return
        self._call_socket = call_socket
        self._kernel.starts.call_socket = call_socket

    def reap(self) -> None:
        """Reap the children that have ended and that nobody waits for; to be called on SIGCHLD."""
        self._kernel.reap()

    @property
    def is_ending(self) -> bool:
        """Whether it was told to end."""
        return self._ended.is_set()

    def end(self, reason: str) -> None:
        """End the kernel, then the agent."""
        if not self._ended.is_set():
            _log.info("ending: %s", reason)
            self._reason = reason
            self._ended.set()

    def end_at_once(self, reason: str) -> None:
        """Kill everything that the kernel has started, whatever session and group it is in, then
        end the agent."""
        self._at_once = True
        self.end(reason)
        end_all(descendants(os.getpid()))

    async def _say_goodbye(self) -> None:
        """Send the remaining messages to labs and the gateway, including the kernel's end."""
        if self._sender is not None:
            self._tell()
        await self._tail.finish(_LAST_PART_SECONDS)
        if self._sender is None or self._connection is None:
            return
        await self._sender.caught_up(1.0)
        await self._connection.flushed(1.0)
        self._has_left = True
        self._connection.leave("the kernel has ended")
        await asyncio.sleep(0.05)

    # -- what the kernel says -----------------------------------------------------------------

    def _append(self, audience: Audience, message: bytes, is_end: bool) -> Entry:
        entry = self._journal.append(audience, message, is_end=is_end)
        if self._sender is not None:
            self._sender.wake()
        self._tail.wake()
        return entry

    def _sent_to_all(self) -> int:
        return self._journal.last if self._sender is None else self._sender.sent_to_all

    def _readers(self) -> list[Reader]:
        # Another kernel does not wait: what it says meanwhile would be lost instead.
        if self._commands is None or not self._kernel.waits_for_credit:
            return []
        return self._commands.readers()

    def _cut(self, sessions: list[str]) -> None:
        if self._commands is not None:
            self._commands.cut(sessions)

    def _said(self) -> Said:
        state = self._kernel.state
        requests = unfinished(self._kernel.requests.index)
        return Said(state.process.value, state.reason or "", requests)

    def _way(self) -> Way | None:
        return best(self._with_ticket, self._in_link)

    def _state_changed(self) -> None:
        loop = asyncio.get_running_loop()
        if self._told.get("process") != self._kernel.state.process.value:
            if self._telling is not None:
                self._telling.cancel()
            self._telling = loop.call_soon(self._tell)
        elif self._telling is None:
            self._telling = loop.call_later(_STATE_SECONDS, self._tell)

    def _tell(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        state = self._kernel.state.as_json()
        if self._sender is not None and state != self._told:
            self._told = state
            self._sender.post({"type": "state", "state": state})

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(_ACTIVITY_SECONDS)
            self._tell()
            for session in self._sessions.forget_idle(time.monotonic(), _SESSION_SECONDS):
                self._kernel.disconnect(session.session_id)
                self._journal.forget(session.session_id)

    # -- gateways -----------------------------------------------------------------------------

    async def _connect(self) -> None:
        """Connect to one gateway after the other and serve the one that claims the kernel."""
        pause = _SHORTEST_PAUSE
        alone_since = time.monotonic()
        while not self._has_left:
            url = self._gateways.next()
            if url is None:
                if time.monotonic() - alone_since > self._document.orphan_seconds:
                    self.end("no gateway could be reached for too long")
                    return
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
                pause = min(2 * pause, _LONGEST_PAUSE)
                self._gateways.new_round()
                continue
            self._gateways.tried(url)
            try:
                connection = await self._dial(url)
                if connection is None:
                    continue
                begun = time.monotonic()
                overtaken = await self._serve(connection)
            except Deleted:
                self.end("the kernel was deleted")
                return
            except Exception:
                # No error of a gateway or of this agent may end the kernel.
                _log.exception("gateway %s: unexpected", url)
                continue
            alone_since = time.monotonic()
            if overtaken:
                self._gateways.prefer([url])
                self._gateways.new_round()
            elif self._handover is not None or alone_since - begun >= _SERVED_SECONDS:
                pause = _SHORTEST_PAUSE
                self._gateways.prefer(self._handover or [])
                self._gateways.new_round()
                self._gateways.tried(url)
                if self._handover is None:
                    await asyncio.sleep(random.uniform(0, _HERD_SECONDS))  # noqa: S311

    async def _dial(self, url: str) -> Connection | None:
        """The connection on which the gateway has claimed the kernel, or None; raises Deleted."""
        try:
            return await dial(
                url,
                self._document,
                self._epoch,
                self._kernel.state.as_json(),
                self._journal.last,
                self._journal.id,
            )
        except Refused as refusal:
            _log.info("refused: %s", refusal)
            self._gateways.learn(refusal.gateways)
        except Unreachable as error:
            _log.info("not connected: %s", error)
        return None

    def _claim(self, late: Any, epoch: int) -> None:
        """The kernel is somebody's now. Raises StartDocumentError if it cannot become that kernel,
        or is another one already."""
        document = claimed_document(self._document, late)
        if not self._document.pooled:
            # The gateway that claimed it may have ended before it heard that.
            if document.claimed_as != self._document.claimed_as:
                raise StartDocumentError("this kernel is not in a pool: somebody has it already")
        else:
            _log.info("claimed: it is kernel %s", document.claimed_as)
            environment = claimed_environment(
                os.environ, self._container, self._document.environment, document.environment
            )
            self._document = document
            fork = not needs_new_process(document, self._container)
            os.environ.clear()
            os.environ.update(environment)
            self._kernel.claim(document, fork=fork)
        self._epoch = epoch

    def _hand_over(self, connection: Connection, sender: Sender, gateways: list[str]) -> None:
        async def leave() -> None:
            await sender.answered(self._document.ping_timeout)
            await connection.flushed(self._document.ping_timeout)
            connection.leave("handed over")

        self._handover = gateways
        self._leaving = asyncio.create_task(leave())

    async def _serve(self, connection: Connection) -> bool:
        """Execute the commands of the gateway that claimed the kernel until the connection ends.

        Returns whether it ended because the journal overtook it, with nothing wrong at the gateway.
        """
        self._epoch = connection.epoch
        self._gateways.welcomed(connection.url, connection.gateways)
        self._handover = None
        self._connection = connection
        sender = self._sender = Sender(connection, self._journal)
        commands = self._commands = Commands(
            connection,
            sender,
            self._kernel,
            self._sessions,
            self._journal,
            on_shutdown=lambda: self.end("the kernel was shut down"),
            on_handover=lambda gateways: self._hand_over(connection, sender, gateways),
            on_gateways=lambda gateways: self._gateways.welcomed(connection.url, gateways),
            on_called=self._calls.called,
            on_kept=self._in_link.answered,
            on_ticket=self._labs.given,
            on_claim=self._claim,
        )
        _log.info("gateway %s, epoch %s", connection.url, connection.epoch)
        self._told = {}
        self._tell()

        def receive(message: str | bytes) -> None:
            if isinstance(message, bytes):
                commands.binary(message)
                return
            try:
                commands.text(json.loads(message))
            except ValueError:
                _log.warning("dropped a text frame that is not JSON")

        self._calls.connected(sender.post, connection.calls)
        self._labs.connected(connection.url, sender.post)
        self._in_link.connected(connection.send, keeps=connection.keeps_journals)
        connection.listen(receive)
        sending = asyncio.create_task(sender.run())
        closed = asyncio.create_task(connection.closed.wait())
        try:
            await asyncio.wait({sending, closed}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        except Unreachable:
            pass
        except TooSlow:
            _log.warning("gateway %s fell behind the journal: reconnecting", connection.url)
            return True
        finally:
            sending.cancel()
            closed.cancel()
            connection.drop()
            commands.close_all()
            self._calls.disconnected()
            self._labs.disconnected()
            self._in_link.disconnected()
            self._sender = self._connection = self._commands = None
            _log.info("gateway %s: connection ended", connection.url)
        return False


def _journal(document: StartDocument) -> Journal:
    journal_id = secrets.token_hex(16)
    disk = None
    if document.journal_disk_bytes:
        folder, kernel = document.directory, document.kernel_id
        disk = SplitDisk(
            JournalDisk(folder / "journal", journal_id, kernel, document.journal_disk_bytes),
            JournalDisk(folder / "journal-comms", journal_id, kernel, document.journal_comm_bytes),
        )
    return Journal(document.journal_memory_bytes, journal_id=journal_id, disk=disk)
