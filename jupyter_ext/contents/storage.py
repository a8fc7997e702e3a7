"""The two places where a lab keeps contents: its database and its object store."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from sqlalchemy import Connection

from jupyter_ext.contents.bucket import CONNECTIONS, Bucket, ObjectMissing, StoreUnavailable
from jupyter_ext.contents.errors import BodyMissing, Contended
from jupyter_ext.contents.paths import ContentPath
from jupyter_ext.contents.tree import LostRace, Version
from jupyter_ext.database.engine import Database, shared
from jupyter_ext.database.unavailable import AwayLog

T = TypeVar("T")

ATTEMPTS = 30
"""How often a transaction is retried after another one took its name or changed its version."""


class Storage:
    """Runs SQL and calls to the object store on threads.

    Raises DatabaseUnavailable or StoreUnavailable.
    """

    def __init__(self, database_url: str, bucket_url: str) -> None:
        self.database: Database = shared(database_url)
        self.bucket = Bucket(bucket_url)
        self._away = AwayLog(logging.getLogger("fleet.store"))
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="fleet-store")

    async def sql(self, function: Callable[[Connection], T], *, read_only: bool = False) -> T:
        """Runs a transaction; retries it if it loses a race, and raises Contended in the end."""
        for attempts_left in reversed(range(ATTEMPTS)):
            try:
                return await self.database.run(function, read_only=read_only)
            except LostRace as error:
                if not attempts_left:
                    raise Contended(
                        f"too many other requests change {error} at the same time: try again"
                    ) from error
        raise AssertionError

    async def read_sql(self, function: Callable[[Connection], T]) -> T:
        """Runs a read-only transaction."""
        return await self.sql(function, read_only=True)

    async def objects(self, function: Callable[[Bucket], T]) -> T:
        """Runs calls of the object store."""
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._threads, function, self.bucket
            )
        except StoreUnavailable as error:
            self._away.note(error)
            raise

    async def body(self, where: ContentPath, version: Version) -> bytes:
        """The body of a version of the file at `where`; raises BodyMissing."""
        try:
            return await self.objects(lambda bucket: bucket.get(version.object_key))
        except ObjectMissing as error:
            raise BodyMissing(
                f"the body of {where} (version {version.id}) is missing in the store"
            ) from error

    async def discard(self, *keys: str) -> None:
        """Removes unreferenced objects; if that fails, they only waste space."""
        with suppress(StoreUnavailable):
            await self.objects(lambda bucket: bucket.delete(keys))
