"""This gateway's place among the living ones."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta

from gateway_ext.ownership.records import Records
from gateway_ext.ownership.resolution import Member, in_order_of
from jupyter_ext.database.engine import DatabaseUnavailable


class Membership:
    """Gives signs of life, and knows the living gateways as of the last one.

    While the database is away the last known members count on: an agent or a lab that is sent to
    a dead one tries the next.
    """

    def __init__(
        self,
        records: Records,
        *,
        name: str,
        url: str,
        heartbeat_seconds: float,
        living_seconds: float,
        log: logging.Logger,
    ) -> None:
        self.name = name
        self.url = url
        self.draining = False
        self._records = records
        self._heartbeat_seconds = heartbeat_seconds
        self._living = timedelta(seconds=living_seconds)
        self._log = log
        self._members: list[Member] = []
        self.on_change: Callable[[], None] = lambda: None
        """Called when a gateway has come or gone, or begins or ends to send its kernels away."""

    @property
    def members(self) -> list[Member]:
        """The living gateways, this one included, by name."""
        if any(member.name == self.name for member in self._members):
            return self._members
        return [*self._members, Member(self.name, self.url, self.draining, 0)]

    @property
    def takes_kernels(self) -> bool:
        """Whether kernels may come here: not while they are sent away, unless nobody else would
        take them."""
        return not self.draining or all(
            member.draining or member.name == self.name for member in self._members
        )

    def urls_for_agents(self, kernel_id: str) -> list[str]:
        """Where the kernel's agent may go: this gateway first, those that are leaving not at all.

        The others are in an order of the kernel's own, so that the agents of a gateway that is
        killed do not all dial the same one.
        """
        others = [
            member.url
            for member in self.members
            if member.name != self.name and not member.draining
        ]
        others = in_order_of(kernel_id, others)
        return others if self.draining else [self.url, *others]

    async def beat(self) -> None:
        """One sign of life and one look at the others; raises DatabaseUnavailable."""
        await self._records.heartbeat(self.url, draining=self.draining)
        before = {(member.url, member.draining) for member in self._members}
        self._members = await self._records.members(self._living)
        if {(member.url, member.draining) for member in self._members} != before:
            self.on_change()

    async def run(self) -> None:
        """Beats until cancelled."""
        away = False
        while True:
            try:
                await self.beat()
                if away:
                    self._log.info("the database is back")
                away = False
            except DatabaseUnavailable as error:
                if not away:
                    self._log.error("no sign of life can be given: %s", error.for_operator)
                away = True
            await asyncio.sleep(self._heartbeat_seconds)
