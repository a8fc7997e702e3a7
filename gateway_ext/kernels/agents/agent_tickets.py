"""Gets tickets for the kernels of this gateway from labs, and gives them to their agents."""

import asyncio
import contextlib
import hmac
import json
import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from gateway_ext.kernels.agents.agent_link import AgentLink
from gateway_ext.kernels.agents.lab_calls import LabCalls, NotAnswered
from gateway_ext.kernels.background_tasks import BackgroundTasks
from jupyter_ext.platform.roles import Role
from jupyter_ext.wire.routes import TICKET_ROUTE, path_of

TICKETS_AT_ONCE = 16
"""Requests for tickets on their way to labs."""
_LOOK_SECONDS = 0.5
_AGAIN_SECONDS = 2.0
"""After labs that do not answer."""
_REFUSED_SECONDS = 15.0
"""After labs of the version before, which issue none."""
_RENEWED_AFTER = 0.5
"""Of a ticket's time."""


@dataclass
class _Held:
    """What an agent was given."""

    tokens: list[str] = field(default_factory=list)
    """The newest last; the one before may still be in use."""
    renew_at: float = -math.inf
    not_before: float = -math.inf
    """Labs have refused a ticket for this kernel."""
    being_asked_for: bool = False


class AgentTickets:
    """One ticket for each agent that is connected here, renewed in time."""

    def __init__(self, labs: LabCalls, kernel_urls: Sequence[str], log: logging.Logger) -> None:
        """`kernel_urls` are where agents may reach labs themselves."""
        self._labs = labs
        self._kernel_urls = [url.rstrip("/") for url in kernel_urls]
        self._log = log
        self._held: WeakKeyDictionary[AgentLink, _Held] = WeakKeyDictionary()
        self._wake = asyncio.Event()
        self._background = BackgroundTasks(log)
        self._turns = asyncio.Semaphore(TICKETS_AT_ONCE)
        self._not_before = -math.inf
        self._away = False

    def connected(self, link: AgentLink) -> None:
        """A link is new: its agent gets a ticket at once."""
        self._wake.set()

    def was_given(self, link: AgentLink, token: str) -> bool:
        """Whether the link's agent has this ticket from here."""
        held = self._held.get(link)
        return held is not None and any(
            hmac.compare_digest(one.encode(), token.encode()) for one in held.tokens
        )

    async def run(self, links: Iterable[AgentLink]) -> None:
        """Gives tickets until canceled; `links` are the present ones each time."""
        while self._labs.possible:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _LOOK_SECONDS)
            self._wake.clear()
            now = asyncio.get_running_loop().time()
            if now < self._not_before:
                continue
            for link in links:
                held = self._held.setdefault(link, _Held())
                if held.being_asked_for or now < held.not_before:
                    continue
                if needs_ticket(link, held.renew_at, now):
                    held.being_asked_for = True
                    self._background.start(self._renew(link, held))

    async def _renew(self, link: AgentLink, held: _Held) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with self._turns:
                if link.lost or loop.time() < self._not_before:
                    return
                answer = await self._ask(link)
                token, seconds = str(answer["ticket"]), float(answer["seconds"])
            link.wants_ticket = False
            held.tokens = [*held.tokens[-1:], token]
            held.renew_at = loop.time() + seconds * _RENEWED_AFTER
            link.give_ticket(
                {
                    "kernel_id": link.kernel_id,
                    "ticket": token,
                    "seconds": seconds,
                    "urls": self._kernel_urls,
                }
            )
            if self._away:
                self._away = False
                self._log.info("labs issue tickets for kernels again")
        except NotAnswered as error:
            if error.of_this_call:
                level = logging.WARNING if held.not_before == -math.inf else logging.DEBUG
                held.not_before = loop.time() + _REFUSED_SECONDS
                self._log.log(level, "kernel %s gets no ticket: %s", link.kernel_id, error)
                return
            pause = _REFUSED_SECONDS if error.refused else _AGAIN_SECONDS
            self._not_before = loop.time() + pause
            self._note(str(error))
        except (ValueError, KeyError, TypeError) as error:
            self._not_before = loop.time() + _REFUSED_SECONDS
            self._note(f"an answer cannot be read: {error!r}")
        finally:
            held.being_asked_for = False

    def _note(self, problem: str) -> None:
        level = logging.DEBUG if self._away else logging.WARNING
        self._away = True
        self._log.log(level, "no lab issues tickets for kernels at the moment: %s", problem)

    async def _ask(self, link: AgentLink) -> dict[str, Any]:
        record = link.record
        about = {
            # Of one person's kernel it is no project's name: labs of the version before refuse it.
            "project": record.holder,
            # Whoever may run code in a project may change what is in it.
            "role": str(Role.EDITOR),
            "user": record.username,
            "path": record.path or "",
            "kernel_name": record.kernel_name,
            "epoch": record.epoch,
        }
        path = path_of(TICKET_ROUTE, kernel_id=record.kernel_id)
        body = await self._labs.post(path, json.dumps(about).encode(), "application/json")
        return dict(json.loads(body))


def needs_ticket(link: AgentLink, renew_at: float, now: float) -> bool:
    """Whether the link's agent should get a new ticket now: it asked for one, or half of the time
    of the one that it has is over. Kernels that are nobody's get none."""
    if link.pooled or link.must_learn_claim:
        return False
    return link.wants_ticket or now >= renew_at
