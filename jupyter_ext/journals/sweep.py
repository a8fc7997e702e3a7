"""Periodically deletes journals of kernels that ended some time ago."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from tornado import web
from traitlets import Callable as CallableTrait
from traitlets import Float, Instance, Int
from traitlets.config import LoggingConfigurable

from jupyter_ext.journals.kept import KeptJournals

Kernels = Callable[[], Awaitable[list[dict[str, Any]]]]

_ROUNDS = 100
"""Of deletions in one sweep, at most."""


class JournalSweep(LoggingConfigurable):
    """Acts as the lab itself, not as a user."""

    keep_days = Float(
        7.0,
        min=0.0,
        config=True,
        help="Days for which what a kernel said is kept in the store after the kernel's end.",
    )
    person_bytes = Int(
        20 * 1024**3,
        min=0,
        config=True,
        help="How many bytes the store keeps of what all kernels of one person in one project have "
        "said, compressed. What is more is deleted, first of the kernels that ended first, and "
        "nothing of kernels that live.",
    )
    sweep_seconds = Float(
        600.0,
        config=True,
        help="Seconds between two searches for journals whose time is over, each made by one of "
        "the labs; 0 for never.",
    )
    journals = Instance(KeptJournals)
    kernels = CallableTrait(help="An async function that lists the models of all kernels.")
    hold_lease = CallableTrait(
        help="An async function of holder and seconds that says whether this lab may sweep."
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._name = uuid.uuid4().hex

    async def run(self) -> None:
        """Sweeps until it is canceled."""
        while self.sweep_seconds > 0:
            # A random delay, so that labs that were started together do not sweep together.
            await asyncio.sleep(self.sweep_seconds * random.uniform(0.5, 1.5))  # noqa: S311
            try:
                if await self.hold_lease(self._name, 3 * self.sweep_seconds):
                    await self.sweep()
            except web.HTTPError as error:
                self.log.info("the journal sweep is postponed: %s", error.get_message() or error)
            except Exception:
                self.log.exception("the journal sweep failed")

    async def sweep(self) -> None:
        """One round. Raises HTTPError 503 while the gateways are unavailable: then nothing is
        deleted, because its kernel may live."""
        living = [
            str(kernel["id"]) for kernel in await self.kernels() if kernel.get("state") != "dead"
        ]
        await self.journals.note_alive(living)
        deleted = 0
        for _ in range(_ROUNDS):
            some = await self.journals.delete_expired(self.keep_days)
            deleted += some
            if not some:
                break
        if deleted:
            self.log.info("deleted what %d kernels had said: they ended long ago", deleted)
        surplus = await self.journals.delete_surplus(self.person_bytes, set(living))
        if surplus:
            self.log.warning(
                "deleted what %d kernels had said: the kernels of one person in one project had "
                "said more than JournalSweep.person_bytes",
                surplus,
            )
