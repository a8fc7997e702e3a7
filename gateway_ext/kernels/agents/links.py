"""The connections of this gateway to the agents of the kernels that it owns."""

import asyncio
import logging
from collections.abc import Callable, Iterator

from gateway_ext.kernels.agents.agent_link import AgentLink
from gateway_ext.ownership.kernel_records import KernelRecords
from gateway_ext.ownership.observations import Observation
from gateway_ext.ownership.records import KernelRecord
from gateway_ext.ownership.states import state_from_process
from jupyter_ext.database.engine import DatabaseUnavailable


class AgentLinks:
    """The links by kernel; writes what they report into the records.

    Reports are gathered for `write_seconds`: a kernel that runs many short cells changes its state
    more often than a database should be told.
    """

    def __init__(
        self, records: KernelRecords, log: logging.Logger, write_seconds: float = 0.5
    ) -> None:
        self._records = records
        self._log = log
        self._write_seconds = write_seconds
        self._links: dict[str, AgentLink] = {}
        self._unwritten: dict[str, AgentLink] = {}
        self._wake = asyncio.Event()
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._empty = asyncio.Event()
        self.on_added: Callable[[AgentLink], None] = lambda link: None
        """Called when an agent has connected here."""

    def __iter__(self) -> Iterator[AgentLink]:
        return iter(list(self._links.values()))

    def get(self, kernel_id: str) -> AgentLink | None:
        """The link to the kernel's agent, if this gateway has it."""
        return self._links.get(kernel_id)

    def add(self, link: AgentLink) -> None:
        """Adds a link, replacing an older one of the same kernel."""
        older = self._links.pop(link.kernel_id, None)
        if older is not None:
            older.end("the agent has reconnected")
            older.close()
        self._links[link.kernel_id] = link
        self._empty.clear()
        self.changed(link)
        self.on_added(link)

    def claimed(self, link: AgentLink, record: KernelRecord) -> None:
        """The kernel of a link, which was in a pool, has this record from now on."""
        if self._links.get(link.kernel_id) is link:
            del self._links[link.kernel_id]
            self._links[record.kernel_id] = link
        link.claimed(record)

    def remove(self, link: AgentLink, reason: str) -> None:
        """The link is lost."""
        if self._links.get(link.kernel_id) is link:
            del self._links[link.kernel_id]
        if not self._links:
            self._empty.set()
        link.end(reason)
        self._tell(link.kernel_id)

    def changed(self, link: AgentLink) -> None:
        """The link has something new to be written."""
        self._unwritten[link.kernel_id] = link
        self._wake.set()
        self._tell(link.kernel_id)

    def _tell(self, kernel_id: str) -> None:
        for waiter in self._waiting.pop(kernel_id, []):
            if not waiter.done():
                waiter.set_result(None)

    async def wait_for_change(self, kernel_id: str, seconds: float) -> None:
        """Returns when something about the kernel's link has changed, or after `seconds`."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(kernel_id, []).append(waiter)
        try:
            await asyncio.wait([waiter], timeout=seconds)
        finally:
            if not waiter.done():
                waiter.cancel()
                waiting = self._waiting[kernel_id]
                waiting.remove(waiter)
                if not waiting:
                    del self._waiting[kernel_id]

    async def wait_until_empty(self, seconds: float) -> None:
        """Returns when the last link has gone, or after `seconds`."""
        if self._links:
            waiting = asyncio.ensure_future(self._empty.wait())
            await asyncio.wait([waiting], timeout=max(0.0, seconds))
            waiting.cancel()

    async def write(self) -> None:
        """Writes what has been reported since the last time; raises DatabaseUnavailable."""
        batch, self._unwritten = self._unwritten, {}
        seen = [(link, observation_of(link)) for link in batch.values()]
        try:
            await self._write(seen)
        except DatabaseUnavailable:
            raise
        except Exception:
            # Agents run beside code of their project: what one of them says must not keep the
            # others' from being written.
            self._log.exception("the states of %d kernels could not be stored together", len(seen))
            await self._write_each(seen)

    async def _write(self, seen: list[tuple[AgentLink, Observation]]) -> None:
        try:
            await self._records.observe([observation for _, observation in seen])
        except DatabaseUnavailable:
            self._put_back(seen)
            raise

    async def _write_each(self, seen: list[tuple[AgentLink, Observation]]) -> None:
        for number, (link, observation) in enumerate(seen):
            try:
                await self._write([(link, observation)])
            except DatabaseUnavailable:
                self._put_back(seen[number + 1 :])
                raise
            except Exception:
                self._log.exception("kernel %s: its state cannot be stored", link.kernel_id)

    def _put_back(self, seen: list[tuple[AgentLink, Observation]]) -> None:
        for link, observation in seen:
            link.not_written(observation.ended)
        self._unwritten = {**{link.kernel_id: link for link, _ in seen}, **self._unwritten}

    async def run(self) -> None:
        """Writes until canceled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self.write()
            except DatabaseUnavailable:
                # The membership says it in the log; cells go on.
                self._wake.set()
            await asyncio.sleep(self._write_seconds)


def observation_of(link: AgentLink) -> Observation:
    """What is to be written of a link."""
    return Observation(
        kernel_id=link.kernel_id,
        epoch=link.epoch,
        state=state_from_process(link.process),
        execution_state=link.execution_state,
        connections=link.connections,
        last_activity=link.last_activity,
        reason=link.reason,
        ended=link.take_ended(),
    )
