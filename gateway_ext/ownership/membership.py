"""This gateway's heartbeats, and the list of running gateways."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection
from datetime import timedelta

from gateway_ext.ownership.gateway_records import GatewayRecords
from gateway_ext.ownership.lifecycle import Lifecycle
from gateway_ext.ownership.placement import order_for_start
from gateway_ext.ownership.records import Member, in_order_of
from jupyter_ext.database.engine import DatabaseUnavailable

_IN_FLIGHT_SECONDS = 1.0
"""How long after a gateway was chosen for a new kernel its record may still be missing."""


class Membership:
    """Sends heartbeats, and knows the running gateways as of the last one.

    While the database is unavailable, the last known members stay valid: an agent or lab that is
    sent to a dead one tries the next.
    """

    def __init__(
        self,
        records: GatewayRecords,
        *,
        name: str,
        url: str,
        lifecycle: Lifecycle,
        heartbeat_seconds: float,
        living_seconds: float,
        log: logging.Logger,
    ) -> None:
        self.name = name
        self.url = url
        self._records = records
        self._lifecycle = lifecycle
        self._heartbeat_seconds = heartbeat_seconds
        self._living = timedelta(seconds=living_seconds)
        self._log = log
        self._members: list[Member] = []
        self._changed = time.monotonic()
        # Starts that the last look at the members has not counted: when, and at which gateway.
        self._starts: list[tuple[float, str]] = []
        self.on_change: Callable[[], None] = lambda: None
        """Called when a gateway has joined or left, or starts or stops sending its kernels away."""

    @property
    def draining(self) -> bool:
        """Whether this gateway sends its kernels away."""
        return self._lifecycle.sends_kernels_away

    @property
    def members(self) -> list[Member]:
        """The living gateways, this one included, by name."""
        if any(member.name == self.name for member in self._members):
            return self._members
        return [*self._members, Member(self.name, self.url, self.draining, 0)]

    @property
    def takes_kernels(self) -> bool:
        """Whether kernels may come here."""
        return self._lifecycle.takes_kernels(
            others_take_them=any(
                not member.draining and member.name != self.name for member in self._members
            )
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

    def urls_for_a_launch(self, kernel_id: str) -> list[str]:
        """Where the agent of a new kernel may go: gateways that are leaving come last.

        Until the agent has connected nobody can tell it of another gateway, and one that is leaving
        refuses it with the names of those that stay, or may stay after all.
        """
        first = self.urls_for_agents(kernel_id)
        return [*first, *(one.url for one in self.members if one.url not in first)]

    def for_a_start(self, preferred: Collection[str] = ()) -> list[Member]:
        """The gateways that may start a new kernel, best first, as `order_for_start` says of
        those that are `preferred`; empty if nobody takes any."""
        in_flight = Counter(name for _, name in self._starts)
        order = order_for_start(self.members, in_flight, preferred)
        return order if self.takes_kernels else [one for one in order if one.name != self.name]

    def starts_at(self, name: str) -> None:
        """A kernel is about to be started at this gateway: the next one may go elsewhere."""
        self._starts.append((time.monotonic(), name))

    @property
    def settled_seconds(self) -> float:
        """For how long no gateway has joined, left, or started or stopped sending kernels away."""
        return time.monotonic() - self._changed

    async def beat(self) -> None:
        """Sends one heartbeat and reads the other gateways; raises DatabaseUnavailable."""
        await self._records.heartbeat(self.url, draining=self.draining)
        before = {(member.url, member.draining) for member in self._members}
        asked = time.monotonic()
        self._members = await self._records.members(self._living)
        self._starts = [start for start in self._starts if start[0] > asked - _IN_FLIGHT_SECONDS]
        if {(member.url, member.draining) for member in self._members} != before:
            self._changed = time.monotonic()
            self.on_change()

    async def leave(self) -> None:
        """Takes this gateway off the list; raises DatabaseUnavailable."""
        await self._records.leave()

    async def run(self) -> None:
        """Beats until canceled."""
        away = False
        while True:
            try:
                await self.beat()
                if away:
                    self._log.info("the database is back")
                away = False
            except DatabaseUnavailable as error:
                if not away:
                    self._log.error(
                        "cannot report that this gateway is alive: %s", error.for_operator
                    )
                away = True
            except Exception:
                # Without heartbeats the other gateways would consider this one dead.
                self._log.exception("the heartbeat failed")
            await asyncio.sleep(self._heartbeat_seconds)
