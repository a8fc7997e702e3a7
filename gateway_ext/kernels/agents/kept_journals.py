"""Passes parts of kernels' journals on to labs, which keep them in the store.

Only for agents of the version before, while labs of the version before issue no tickets, and for
agents that the network lets through to nothing else: other agents call labs themselves
(`agent_tickets`).
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from gateway_ext.kernels.agents.agent_link import AgentLink
from gateway_ext.kernels.agents.lab_calls import LabCalls, NotAnswered
from gateway_ext.kernels.background_tasks import BackgroundTasks
from jupyter_ext.wire.journal_parts import MOST_PART_BYTES
from jupyter_ext.wire.routes import JOURNAL_ROUTE, path_of

_AT_ONCE = 16
"""Parts on their way to labs; others wait for their turn."""
_PAUSE = 0.25
"""Between two parts of one kernel: about 4 MB of messages a second."""
_AGAIN_SECONDS = 3.0
"""After a part that could not be kept."""
_MOST_MESSAGE = 200
_MOST_WAITING_BYTES = 128 * 2**20
"""Of all parts that are on their way to labs or wait for their turn."""

_FULL = "too much of other kernels waits to be kept"
_IN_POOL = "the kernel is nobody's"
_ANOTHER = "another part of this kernel is on its way"


@dataclass
class _OnTheWay:
    part: bytes
    link: AgentLink
    """The newest one that has sent the part: its agent is answered there."""


class KeptJournals:
    """Takes one part of each kernel at a time, and reads nothing of it. Whose the kernel is, its
    record says, and not the agent, which runs beside code of users."""

    def __init__(self, labs: Sequence[str], token_file: str, log: logging.Logger) -> None:
        """`labs` are base URLs; the gateway is known to them by the token in the file."""
        self._labs = LabCalls(labs, token_file, _AT_ONCE)
        self._log = log
        self._on_the_way: dict[str, _OnTheWay] = {}
        """By kernel: an agent that connects again has another link."""
        self._waiting_bytes = 0
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._background = BackgroundTasks(log)
        self._away = False

    @property
    def keeps(self) -> bool:
        """Whether agents should send parts."""
        return self._labs.possible

    def receive(self, link: AgentLink, last: int, part: bytes) -> None:
        """Passes a part on and answers its agent; raises ValueError for one that no agent sends."""
        if not self.keeps or len(part) > MOST_PART_BYTES:
            raise ValueError(f"a part of a journal with {len(part)} bytes was not asked for")
        kernel_id = link.record.kernel_id
        earlier = self._on_the_way.get(kernel_id)
        if earlier is not None and earlier.part == part:
            # Sent again because its agent has waited for long or has a new link: the answer comes.
            earlier.link = link
            return
        if earlier is not None:
            link.answer_part(last, {"ok": False, "seconds": _AGAIN_SECONDS, "message": _ANOTHER})
            return
        if self._waiting_bytes + len(part) > _MOST_WAITING_BYTES:
            link.answer_part(last, {"ok": False, "seconds": _AGAIN_SECONDS, "message": _FULL})
            return
        new = _OnTheWay(part, link)
        self._on_the_way[kernel_id] = new
        self._waiting_bytes += len(part)
        self._background.start(self._pass_on(kernel_id, new, last))

    async def _pass_on(self, kernel_id: str, new: _OnTheWay, last: int) -> None:
        begun = time.monotonic()
        try:
            answer = await self._answer(new.link, new.part)
            await asyncio.sleep(max(0.0, _PAUSE - (time.monotonic() - begun)))
        finally:
            del self._on_the_way[kernel_id]
            self._waiting_bytes -= len(new.part)
        new.link.answer_part(last, answer)

    async def _answer(self, link: AgentLink, part: bytes) -> dict[str, Any]:
        if link.pooled:
            return {"ok": False, "seconds": _AGAIN_SECONDS, "message": _IN_POOL}
        try:
            async with self._turns:
                await self._keep(link, part)
        except NotAnswered as error:
            self._note(str(error))
            message = str(error)[:_MOST_MESSAGE]
            return {"ok": False, "seconds": _AGAIN_SECONDS, "message": message}
        if self._away:
            self._away = False
            self._log.info("labs keep what kernels say again")
        return {"ok": True}

    def _note(self, problem: str) -> None:
        level = logging.DEBUG if self._away else logging.WARNING
        self._away = True
        self._log.log(
            level,
            "what kernels say is not kept outside of their containers at the moment: %s",
            problem,
        )

    async def _keep(self, link: AgentLink, part: bytes) -> None:
        record = link.record
        about = {
            "project": record.holder,
            "path": record.path or "",
            "username": record.username,
            "kernel_name": record.kernel_name,
        }
        # A kernel that was claimed from a pool is known by the id of its record.
        path = f"{path_of(JOURNAL_ROUTE, kernel_id=record.kernel_id)}?{urlencode(about)}"
        await self._labs.post(path, part, "application/octet-stream")
