"""Handing kernels to other gateways: to even the loads, and before this gateway stops."""

import asyncio
import logging
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Protocol

from gateway_ext.kernels.agents.agent_link import AgentLink, CommandFailed, LinkLost
from gateway_ext.kernels.agents.links import AgentLinks
from gateway_ext.kernels.lifecycle.launches import Launches
from gateway_ext.ownership.lifecycle import Lifecycle
from gateway_ext.ownership.membership import Membership
from gateway_ext.ownership.placement import OwnKernel, kernel_to_move, targets_for_handover
from jupyter_ext.database.engine import DatabaseUnavailable
from jupyter_ext.wire.close_codes import OWNER_CHANGES

HANDOVER_SECONDS = 3.0


class OpenWebsocket(Protocol):
    """A client's websocket, which is closed when the gateway stops."""

    def end(self, code: int, reason: str) -> None:
        """Closes it."""


class HandOvers:
    """Sends the agents of this gateway's kernels to other gateways."""

    def __init__(
        self,
        *,
        lifecycle: Lifecycle,
        membership: Membership,
        launches: Launches,
        links: AgentLinks,
        websockets: Collection[OpenWebsocket],
        log: logging.Logger,
    ) -> None:
        """`websockets` are those of the clients of this gateway, at any time."""
        self._lifecycle = lifecycle
        self._membership = membership
        self._launches = launches
        self._links = links
        self._websockets = websockets
        self._log = log

    def announce_gateways(self) -> None:
        """Tells each agent here which other gateways it may use."""
        for link in self._links:
            link.announce(self._membership.urls_for_agents(link.kernel_id))

    async def drain(self, seconds: float) -> int:
        """Accepts no kernels from now on and hands each to another running gateway, evenly. Kernels
        that are starting are handed over when they run, if that takes at most half of the time.

        Takes at most `seconds`; ends no kernel. Returns how many kernels are still here.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        self._lifecycle.drain()
        try:
            await asyncio.wait_for(self._membership.beat(), max(1.0, seconds / 4))
        except (DatabaseUnavailable, TimeoutError) as error:
            self._log.warning(
                "the other gateways were not told that this one is draining: %s", error
            )
        await self._launches.finish((deadline - loop.time()) / 2)
        links = list(self._links)
        targets = targets_for_handover(len(links), self._membership.members, self._membership.name)
        await asyncio.gather(
            *(self._hand_over(link, urls) for link, urls in zip(links, targets, strict=True))
        )
        if any(targets):
            await self._links.wait_until_empty(deadline - loop.time())
        return len(list(self._links))

    async def undrain(self) -> None:
        """Accepts kernels again; raises DatabaseUnavailable."""
        self._lifecycle.serve()
        await self._membership.beat()

    async def leave(self, seconds: float) -> None:
        """Drains, then closes what is left: agents find another gateway, clients get 1012."""
        self._lifecycle.leave()
        await self.drain(seconds)
        for link in self._links:
            self._links.remove(link, "this gateway is stopping")
            link.close()
        for websocket in list(self._websockets):
            websocket.end(OWNER_CHANGES, "this gateway is stopping: connect again")

    async def rebalance(self, settled_seconds: float, idle_seconds: float) -> None:
        """Hands one idle kernel to the gateway with the fewest kernels, if this one has the most.

        Not before all gateways have been there for `settled_seconds`, and no kernel that was active
        within `idle_seconds`.
        """
        if not self._membership.takes_kernels or self._membership.settled_seconds < settled_seconds:
            return
        await self._membership.beat()
        now = datetime.now(UTC)
        kernels = [
            OwnKernel(
                link.kernel_id,
                (now - link.last_activity).total_seconds()
                if (link.process, link.execution_state) == ("running", "idle")
                else None,
                link.connections,
            )
            for link in self._links
            if link.kernel_id not in self._launches and not link.pooled
        ]
        move = kernel_to_move(
            self._membership.name, self._membership.members, kernels, idle_seconds=idle_seconds
        )
        # A gateway may have joined or started to drain just now.
        if move is None or self._membership.settled_seconds < settled_seconds:
            return
        kernel_id, target = move
        link = self._links.get(kernel_id)
        if link is not None and link.execution_state == "idle":
            self._log.info(
                "kernel %s: handed to %s, which has fewer kernels", kernel_id, target.name
            )
            await self._hand_over(link, [target.url])

    async def _hand_over(self, link: AgentLink, urls: list[str]) -> None:
        if not urls:
            return
        try:
            await link.command("handover", seconds=HANDOVER_SECONDS, gateways=urls)
        except (LinkLost, CommandFailed) as error:
            # It finds another one by itself when this one is gone.
            self._log.warning("kernel %s: %s", link.kernel_id, error)
