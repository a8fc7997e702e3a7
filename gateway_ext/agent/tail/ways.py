"""How parts of the journal get to where they are kept.

An agent with a ticket posts them to labs. Without one, as long as gateways or labs are of the
version before, they go to the gateway in the agent's own connection, and the gateway posts them. So
they do for a while when no lab answers the agent: the network may let nothing else through.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from gateway_ext.agent.lab_client import LabClient, LabsAway
from jupyter_ext.wire.frames import JOURNAL_PART, pack_agent_frame
from jupyter_ext.wire.routes import JOURNAL_ROUTE

_ANSWER_SECONDS = 60.0
_LONGEST_PAUSE = 30.0
_POST_SECONDS = 20.0
_PACE_SECONDS = 0.25
"""Between two parts: about 4 MB of messages a second."""
_SHORTEST_WAIT, _LONGEST_WAIT = 0.5, 8.0
"""After a part that no lab has answered; doubled each time."""
_REFUSED_SECONDS = 5.0
_MANY_FAILED = 3
_AROUND_SECONDS = 60.0
"""After so many parts in a row that no lab has answered, the others go around for so long."""


@dataclass(frozen=True)
class NotKept:
    """A part was refused, or may not have arrived: it is to be sent again after so many seconds."""

    message: str
    seconds: float


class Way(Protocol):
    """One of the two."""

    async def send(self, last: int, part: bytes) -> NotKept | None:
        """Sends the part with this last number; None when it is kept."""


class InLink:
    """Parts in the agent's connection, one at a time."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._send: Callable[[bytes], Awaitable[None]] | None = None
        self._answer: asyncio.Future[dict[str, Any] | None] | None = None

    @property
    def possible(self) -> bool:
        """Whether there is a gateway that takes parts."""
        return self._send is not None

    def connected(self, send: Callable[[bytes], Awaitable[None]], *, keeps: bool) -> None:
        """From now on there is a gateway; whether it keeps journals. `send` raises Unreachable."""
        self._send = send if keeps else None
        self._on_change()

    def disconnected(self) -> None:
        """The gateway is gone; whether it has kept the part that it has is not known."""
        self._send = None
        self._answered(None)

    def answered(self, frame: dict[str, Any]) -> None:
        """The gateway's answer to the part that it has."""
        self._answered(frame)

    def _answered(self, frame: dict[str, Any] | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(frame)

    async def send(self, last: int, part: bytes) -> NotKept | None:
        """See Way; raises Unreachable."""
        if self._send is None:
            return NotKept("there is no gateway", 0.0)
        self._answer = asyncio.get_running_loop().create_future()
        await self._send(pack_agent_frame(JOURNAL_PART, last, 0, part))
        try:
            answer = await asyncio.wait_for(self._answer, _ANSWER_SECONDS)
        except TimeoutError:
            # Its answer may still come: the gateway takes no other part before it.
            return NotKept("the gateway does not answer", 0.0)
        if answer is None or answer.get("last") != last:
            return NotKept("the gateway is gone", 0.0)
        if answer.get("ok") is True:
            return None
        seconds = answer.get("seconds")
        good = isinstance(seconds, int | float) and 0 < seconds < _LONGEST_PAUSE
        return NotKept(
            str(answer.get("message")),
            float(seconds) if good else _LONGEST_PAUSE,  # type: ignore[arg-type]
        )


class WithTicket:
    """Parts that are posted to labs."""

    def __init__(self, labs: LabClient) -> None:
        self._labs = labs
        self._wait = _SHORTEST_WAIT
        self._failed = 0
        self._next = self._around_until = float("-inf")

    @property
    def possible(self) -> bool:
        """Whether the agent has a ticket."""
        return self._labs.possible

    @property
    def is_stuck(self) -> bool:
        """Whether labs have not answered several times in a row, and not long ago."""
        return time.monotonic() < self._around_until

    async def send(self, last: int, part: bytes) -> NotKept | None:
        """See Way."""
        await asyncio.sleep(max(0.0, self._next - time.monotonic()))
        self._next = time.monotonic() + _PACE_SECONDS
        try:
            answer = await self._labs.call("POST", JOURNAL_ROUTE, part, _POST_SECONDS)
        except LabsAway as error:
            self._failed += 1
            if self._failed >= _MANY_FAILED:
                self._around_until = time.monotonic() + _AROUND_SECONDS
            wait, self._wait = self._wait, min(2 * self._wait, _LONGEST_WAIT)
            return NotKept(str(error), wait)
        self._wait, self._failed = _SHORTEST_WAIT, 0
        if answer.status < 300:
            return None
        return NotKept(f"{answer.status} {answer.words}", _REFUSED_SECONDS)


def best(with_ticket: WithTicket, in_link: InLink) -> Way | None:
    """How parts can be sent now; None if they cannot."""
    if with_ticket.possible and not (with_ticket.is_stuck and in_link.possible):
        return with_ticket
    return in_link if in_link.possible else None
