"""Periodically ends kernels that no session needs, and removes sessions whose kernel is gone."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Iterable
from functools import partial
from typing import Any

from tornado import web
from traitlets import Float, Instance
from traitlets.config import LoggingConfigurable

from jupyter_ext.kernels.launches import launching
from jupyter_ext.sessions.former_kernels import settle
from jupyter_ext.sessions.manager import FleetSessionManager
from jupyter_ext.sessions.store import (
    endings,
    leases,
    personal_rows,
    session_rows,
    started_kernels,
)

_LEASE = "session sweep 2"
EARLIER_LEASE = "session sweep"
"""Only labs of the version before take it: as long as it is renewed, one of them is alive."""
_LOOKED_UP = 20
"""How many missing kernels are looked up by id in one round."""


class Grace:
    """Remembers since when things have been present without interruption."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._since: dict[str, float] = {}

    def over(self, present: Iterable[str], now: float) -> list[str]:
        """The items of `present` that have been present for `seconds`."""
        self._since = {name: self._since.get(name, now) for name in present}
        return sorted(name for name, since in self._since.items() if now - since >= self.seconds)


class SessionSweep(LoggingConfigurable):
    """Finishes what dead labs left half done. Acts as the lab itself, not as a user.

    Ends only kernels that were started for a session: one that a client started directly needs no
    session. Leaves alone what no gateway knows for certain.
    """

    sweep_seconds = Float(
        30.0,
        config=True,
        help="Seconds between two searches for kernels without a session and sessions without "
        "a kernel, each made by one of the labs; 0 for never.",
    )
    grace_seconds = Float(
        300.0,
        config=True,
        help="Seconds for which a kernel must have had no session and no connection, or a session"
        " no kernel, before it is ended. The record of a kernel that could not be started, which "
        "says why, stays for as long after its last session.",
    )
    sessions = Instance(FleetSessionManager)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._name = uuid.uuid4().hex
        self._unused = Grace(self.grace_seconds)
        self._failed = Grace(self.grace_seconds)
        self._gone = Grace(self.grace_seconds)

    async def run(self) -> None:
        """Sweeps until it is canceled."""
        while self.sweep_seconds > 0:
            # A random delay, so that labs that were started together do not sweep together.
            await asyncio.sleep(self.sweep_seconds * random.uniform(0.5, 1.5))  # noqa: S311
            try:
                if await self._is_mine():
                    await self.sweep()
            except web.HTTPError as error:
                self.log.info("the session sweep is postponed: %s", error.get_message() or error)
            except Exception:
                self.log.exception("the session sweep failed")

    async def _is_mine(self) -> bool:
        """Whether this lab is the one that sweeps. One lab does it as long as it lives, because it
        remembers since when each kernel has had no session."""
        seconds = 3 * self.sweep_seconds
        hold = partial(leases.hold_lease, name=_LEASE, holder=self._name, seconds=seconds)
        return bool(await self.sessions.run(hold))

    async def sweep(self) -> None:
        """One round. Raises HTTPError 503 while the gateways or the database are unavailable."""
        rows = await self.sessions.run(
            partial(session_rows.sessions_of_projects, projects=None), read_only=True
        )
        with_session = {row.kernel_id for row in rows}
        # After the rows: a kernel that is older than its session is in the list unless it ended.
        kernels = {
            model["id"]: model for model in await self.sessions.kernel_manager.list_kernels()
        }
        await self._settle(
            {row.kernel_id for row in rows if row.former_kernel is not None}, kernels
        )
        without_session = await self.sessions.run(started_kernels.unused_kernels, read_only=True)
        await self._end_unused(without_session, kernels)
        missing = [kernel_id for kernel_id in without_session if kernel_id not in kernels]
        await self._remove_gone([*sorted(with_session - kernels.keys()), *missing])
        await self.sessions.run(personal_rows.forget_ended)
        for kernel_id in await self.sessions.run(endings.unfinished_endings, read_only=True):
            if await self.sessions.run(partial(endings.take_ending, kernel_id=kernel_id)):
                self.log.warning("kernel %s: ending it: its last session was ended", kernel_id)
                await self._end(kernel_id, "its last session was ended")

    async def _end(self, kernel_id: str, reason: str) -> None:
        try:
            await self.sessions.end_kernel(kernel_id, reason)
        except web.HTTPError as error:
            # It stays an unfinished ending, and keeps nobody from ending the others.
            self.log.warning(
                "kernel %s: not ended yet: %s", kernel_id, error.get_message() or error
            )

    async def _settle(self, changed: set[str], kernels: dict[str, Any]) -> None:
        """Settle the changes of sessions to these kernels which a dead lab has left pending."""
        for kernel_id in sorted(changed):
            if launching(kernels.get(kernel_id, {})):
                continue
            try:
                await settle(self.sessions, kernel_id)
            except web.HTTPError as error:
                self.log.warning(
                    "kernel %s: whether it stays with its sessions is not settled yet: %s",
                    kernel_id,
                    error.get_message() or error,
                )

    async def _end_unused(self, without_session: list[str], kernels: dict[str, Any]) -> None:
        idle, failed = [], []
        for kernel_id in without_session:
            kernel = kernels.get(kernel_id)
            if kernel is None:
                continue
            if kernel.get("state") == "dead" and kernel.get("owner") is None:
                if kernel.get("launch_failed"):
                    failed.append(kernel_id)
                    continue
                # Nothing runs, and the record, which says why, is kept by the gateways.
                await self.sessions.run(partial(started_kernels.forget_kernel, kernel_id=kernel_id))
            elif not kernel.get("connections"):
                idle.append(kernel_id)
        now, unused = time.monotonic(), f"no session has used it for {self.grace_seconds:.0f} s"
        for kernel_id in self._unused.over(idle, now):
            await self._release(kernel_id, unused)
        for kernel_id in self._failed.over(failed, now):
            await self._release(kernel_id, f"it could not be started, and {unused}")

    async def _release(self, kernel_id: str, reason: str) -> None:
        # Checked again under a lock: a session may have been added.
        if await self.sessions.run(partial(endings.release_kernel, kernel_id=kernel_id)):
            self.log.warning("kernel %s: ended: %s", kernel_id, reason)
            await self._end(kernel_id, reason)

    async def _remove_gone(self, missing: list[str]) -> None:
        gone = self._gone.over(missing, time.monotonic())
        # At random, so that kernels whose state stays unknown do not fill every round.
        for kernel_id in random.sample(gone, min(len(gone), _LOOKED_UP)):
            # The list is a moment old, and only a 404 says that there is no such kernel.
            try:
                kernel = await self.sessions.kernel_or_none(kernel_id)
            except web.HTTPError as error:
                self.log.warning(
                    "kernel %s cannot be looked up: %s", kernel_id, error.get_message() or error
                )
                # Raises if the gateways answer nothing at all: the others wait for the next round.
                await self.sessions.kernel_manager.list_kernels()
                continue
            if kernel is None:
                self.log.info("kernel %s no longer exists: removed its sessions", kernel_id)
                await self.sessions.run(partial(endings.remove_kernel, kernel_id=kernel_id))
