"""Admission of agents' websockets: those with a proof, and a few without one."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable
from typing import TypeVar

from gateway_ext.kernels.agents.dial_proofs import DialProofs, read_dial_proof
from gateway_ext.kernels.agents.lookup_lane import LaneFull, LookupLane
from gateway_ext.kernels.agents.unproven_room import PER_KERNEL, UnprovenRoom
from gateway_ext.kernels.refusal import Refusal
from gateway_ext.ownership.agent_records import AgentRecords, KnownAgent
from jupyter_ext.database.engine import DatabaseUnavailable
from jupyter_ext.platform.encryption import DecryptionError

T = TypeVar("T")

# Together less than the gateway's threads for its database (jupyter_ext.database.engine).
_KNOWN_AT_ONCE, _UNKNOWN_AT_ONCE = 4, 1
_KNOWN_WAITING, _UNKNOWN_WAITING = 4096, 16
_LOG_SECONDS = 10.0


class Visit:
    """One socket of a caller that says it is the kernel's agent, until it ends or the agent is
    let in. `proven` by the header that came with its call; then it is the kernel's `agent`.
    `kernel_id` is what it connects under."""

    def __init__(self, door: "AgentDoor", kernel_id: str, exists: bool, agent: KnownAgent | None):
        self.kernel_id = kernel_id
        self.exists = exists
        self.agent = agent
        self._door = door
        self._inside = True

    @property
    def proven(self) -> bool:
        return self.agent is not None

    def leave(self) -> None:
        """Releases the place; does nothing the second time."""
        if self._inside:
            self._inside = False
            self._door._left(self)


class AgentDoor:
    """Decides before the upgrade which callers get a websocket, and limits unknown callers."""

    def __init__(
        self, agents: AgentRecords, *, places: int, answer_seconds: float, log: logging.Logger
    ) -> None:
        """`places` is how many sockets may be open without a proof; half of them are kept for
        kernels that exist. `answer_seconds` is how long the database may take."""
        self._agents = agents
        self._answer_seconds = answer_seconds
        self._log = log
        self._known: frozenset[str] = frozenset()
        self._room = UnprovenRoom(places, places // 2)
        self._proofs = DialProofs()
        self._proven: Counter[str] = Counter()
        self._looked_up: Counter[str] = Counter()
        self._lanes = {
            True: LookupLane(_KNOWN_AT_ONCE, _KNOWN_WAITING),
            False: LookupLane(_UNKNOWN_AT_ONCE, _UNKNOWN_WAITING),
        }
        self._refused = 0
        self._logged_at = float("-inf")

    async def learn_kernels(self) -> None:
        """Reads which kernels exist; raises DatabaseUnavailable."""
        self._known = frozenset(await self._agents.ids())

    async def run(self, seconds: float) -> None:
        """Reads them periodically until canceled, so that a websocket needs no query for that."""
        while True:
            try:
                await self.learn_kernels()
            except DatabaseUnavailable:
                # The membership says it in the log.
                pass
            except Exception:
                self._log.exception("could not read which kernels exist")
            await asyncio.sleep(seconds)

    def add(self, kernel_id: str) -> None:
        """Record that a kernel has just been created, whose agent connects under this id."""
        self._known |= {kernel_id}

    async def enter(self, kernel_id: str, header: str | None) -> Visit:
        """A place for a socket; raises Refusal (503) if there is none. `header` is the agent's
        proof, if it sent one."""
        exists = kernel_id in self._known
        agent = await self._prove(kernel_id, header, exists)
        visit = Visit(self, kernel_id, exists, agent)
        if visit.proven:
            entered = self._proven[kernel_id] < PER_KERNEL
            self._proven[kernel_id] += entered
        else:
            entered = self._room.enter(kernel_id, exists=exists)
        if not entered:
            self._say_refused()
            raise Refusal(503, "too many agents without a proof are connecting: try again")
        return visit

    async def _prove(self, kernel_id: str, header: str | None, exists: bool) -> KnownAgent | None:
        said = read_dial_proof(header)
        if said is None or not self._proofs.may_be_right(kernel_id, said):
            return None
        if self._looked_up[kernel_id] >= PER_KERNEL:
            # A caller that knows the id of one kernel must not delay the agents of others.
            return None
        self._looked_up[kernel_id] += 1
        try:
            stored = await self.agent(kernel_id, exists=exists)
        except (LaneFull, DatabaseUnavailable, DecryptionError):
            # It can still be admitted as a caller without a proof.
            return None
        finally:
            _count_down(self._looked_up, kernel_id)
        if stored is None or not self._proofs.take(kernel_id, said, stored.agent_key):
            return None
        return stored

    async def agent(self, kernel_id: str, *, exists: bool) -> KnownAgent | None:
        """The agent of that id; raises LaneFull, DatabaseUnavailable and DecryptionError."""
        lane = self._lanes[exists]
        return await self.in_time(lane.run(lambda: self._agents.find(kernel_id)))

    async def former_keys(self, kernel_id: str, *, exists: bool) -> list[bytes]:
        """The keys of agents that the kernel had before; raises the same."""
        lane = self._lanes[exists]
        return await self.in_time(lane.run(lambda: self._agents.former_keys(kernel_id)))

    async def in_time(self, work: Awaitable[T]) -> T:
        """The result of the query; raises DatabaseUnavailable if it takes too long, while the agent
        is still connected and can try another gateway."""
        try:
            return await asyncio.wait_for(work, self._answer_seconds)
        except TimeoutError:
            raise DatabaseUnavailable("the database does not answer in time") from None

    def _left(self, visit: Visit) -> None:
        if not visit.proven:
            self._room.leave(visit.kernel_id, exists=visit.exists)
        else:
            _count_down(self._proven, visit.kernel_id)

    def _say_refused(self) -> None:
        self._refused += 1
        now = asyncio.get_running_loop().time()
        if now - self._logged_at > _LOG_SECONDS:
            self._log.warning(
                "%d connections of agents were rejected: %d connections without a proof are open",
                self._refused,
                len(self._room),
            )
            self._refused, self._logged_at = 0, now


def _count_down(counted: Counter[str], kernel_id: str) -> None:
    """Counts one less, and forgets what is at zero: ids come from anybody."""
    counted[kernel_id] -= 1
    if not counted[kernel_id]:
        del counted[kernel_id]
