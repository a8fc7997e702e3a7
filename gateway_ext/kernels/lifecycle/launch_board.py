"""How far the launches of this gateway are, and who waits for them."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from gateway_ext.kernels.agents.agent_link import AgentLink
from gateway_ext.ownership.launch_records import LaunchRecords
from gateway_ext.ownership.launch_status import LaunchPhase, LaunchStatus, begun_status
from gateway_ext.ownership.records import KernelRecord
from jupyter_ext.database.engine import DatabaseUnavailable

WRITE_SECONDS = 1.0
MOST_LISTENERS = 100
"""Of one kernel: an agent has no more sessions either."""


class LaunchListener(Protocol):
    """A client's websocket at a kernel that is being launched here. After `connected`, `failed` or
    `gone` nothing else follows."""

    def launch_changed(self, status: LaunchStatus) -> None:
        """The launch has come further, or the cluster says something else."""

    def interrupted(self) -> None:
        """A user asked to drop what waits for the kernel."""

    def connected(self, link: AgentLink) -> None:
        """The agent is here."""

    def failed(self, reason: str) -> None:
        """The kernel did not start."""

    def gone(self, deleted: bool) -> None:
        """The kernel was deleted, or another gateway has it."""


@dataclass
class _Entry:
    epoch: int
    status: LaunchStatus
    written: LaunchStatus | None
    listeners: list[LaunchListener] = field(default_factory=list)


class LaunchBoard:
    """The status of each launch of this gateway. It reaches the database at most once a second, and
    the websockets that wait for the kernel at once."""

    def __init__(self, records: LaunchRecords, log: logging.Logger) -> None:
        self._records = records
        self._log = log
        self._entries: dict[str, _Entry] = {}

    def __contains__(self, kernel_id: str) -> bool:
        return kernel_id in self._entries

    def add(self, record: KernelRecord) -> LaunchStatus:
        """A launch of this gateway has begun, or goes on here."""
        now = datetime.now(UTC)
        status = record.launch_status or begun_status(now)
        self._entries[record.kernel_id] = _Entry(record.epoch, status, record.launch_status)
        return status

    def status(self, kernel_id: str) -> LaunchStatus | None:
        """How far the launch is; None if there is none here."""
        entry = self._entries.get(kernel_id)
        return None if entry is None else entry.status

    def phase(self, kernel_id: str) -> LaunchPhase | None:
        """What the launch waits for; None if there is none here."""
        entry = self._entries.get(kernel_id)
        return None if entry is None else entry.status.phase

    def see(
        self, kernel_id: str, phase: LaunchPhase, message: str = "", position: int | None = None
    ) -> None:
        """The launch was looked at. Does nothing if it is not this gateway's any more."""
        entry = self._entries.get(kernel_id)
        if entry is None:
            return
        status = entry.status.after(phase, message, position, datetime.now(UTC))
        if status is entry.status:
            return
        entry.status = status
        self._tell(entry, lambda listener: listener.launch_changed(status))

    def listen(self, kernel_id: str, listener: LaunchListener) -> bool:
        """Has the listener told of everything from now on, beginning with the present status. False
        if nothing is launched here, or too many listen."""
        entry = self._entries.get(kernel_id)
        if entry is None or len(entry.listeners) >= MOST_LISTENERS:
            return False
        entry.listeners.append(listener)
        listener.launch_changed(entry.status)
        return True

    def forget(self, kernel_id: str, listener: LaunchListener) -> None:
        """The listener has left."""
        entry = self._entries.get(kernel_id)
        if entry is not None and listener in entry.listeners:
            entry.listeners.remove(listener)

    def interrupt(self, kernel_id: str) -> None:
        """Tells the listeners of an interrupt."""
        entry = self._entries.get(kernel_id)
        if entry is not None:
            self._tell(entry, lambda listener: listener.interrupted())

    def connected(self, link: AgentLink) -> None:
        """The agent of a kernel has connected here: those who wait for it get its streams."""
        entry = self._entries.get(link.kernel_id)
        if entry is not None:
            entry.epoch = link.epoch
            self._dismiss(entry, lambda listener: listener.connected(link))

    def failed(self, kernel_id: str, reason: str) -> None:
        """The launch has failed and is over."""
        self._leave(kernel_id, lambda listener: listener.failed(reason))

    def gone(self, kernel_id: str, *, deleted: bool = False) -> None:
        """The launch is over here: the kernel runs, was deleted, or is another gateway's."""
        self._leave(kernel_id, lambda listener: listener.gone(deleted))

    def _leave(self, kernel_id: str, tell: Callable[[LaunchListener], None]) -> None:
        entry = self._entries.pop(kernel_id, None)
        if entry is not None:
            self._dismiss(entry, tell)

    def _dismiss(self, entry: _Entry, tell: Callable[[LaunchListener], None]) -> None:
        listeners, entry.listeners = entry.listeners, []
        for listener in listeners:
            tell(listener)

    def _tell(self, entry: _Entry, tell: Callable[[LaunchListener], None]) -> None:
        for listener in list(entry.listeners):
            tell(listener)

    async def write(self) -> None:
        """Records every status that has changed since the last time; raises DatabaseUnavailable."""
        changed = {
            kernel_id: (entry.epoch, entry.status)
            for kernel_id, entry in self._entries.items()
            if entry.status is not entry.written
        }
        if not changed:
            return
        await self._records.write(changed)
        for kernel_id, (_, status) in changed.items():
            entry = self._entries.get(kernel_id)
            if entry is not None:
                entry.written = status

    async def run(self) -> None:
        """Writes until canceled."""
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            try:
                await self.write()
            except DatabaseUnavailable:
                # The membership says it in the log; the launches go on.
                continue
            except Exception:
                self._log.exception("the states of launches could not be stored")
