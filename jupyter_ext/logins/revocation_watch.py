"""Has a lab know of revocations that were sent to another one."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from functools import partial

from jupyter_ext.database.engine import Database, DatabaseUnavailable
from jupyter_ext.logins.logins import LoginsAway
from jupyter_ext.logins.revocation_rows import add_revocation, revocations_since
from jupyter_ext.platform.revocations import Revocation, Revocations

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0


class RevocationWatch:
    """Reads the database every `LOOK_SECONDS`. While it is away, what is known holds."""

    def __init__(self, database: Database, revocations: Revocations) -> None:
        self._database = database
        self._revocations = revocations
        self._seen: datetime | None = None

    def begin(self) -> None:
        """The first look, before requests are answered. Blocks; raises DatabaseUnavailable."""
        read = partial(revocations_since, seen=None)
        found, self._seen = self._database.run_blocking(read, read_only=True)
        self._revocations.add(found)

    async def add(self, revocation: Revocation) -> None:
        """Keep a new one; other labs and the gateways know it within five seconds.

        Raises LoginsAway: then nothing is revoked.
        """
        try:
            await self._database.run(partial(add_revocation, one=revocation))
        except DatabaseUnavailable as error:
            raise LoginsAway(str(error)) from error
        self._revocations.add([revocation])

    async def all(self) -> list[Revocation]:
        """Every one of the fleet; raises LoginsAway."""
        try:
            read = partial(revocations_since, seen=None)
            found, _ = await self._database.run(read, read_only=True)
        except DatabaseUnavailable as error:
            raise LoginsAway(str(error)) from error
        return found

    async def run(self) -> None:
        """Looks until it is canceled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                read = partial(revocations_since, seen=self._seen)
                found, self._seen = await self._database.run(read, read_only=True)
                self._revocations.add(found)
            except DatabaseUnavailable:
                # The database's own log says it.
                continue
            except Exception:
                log.exception("revocations cannot be read")
