"""What handlers of one user's own settings and workspaces share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from jupyter_server.base.handlers import APIHandler
from tornado import web

from jupyter_ext.answer_tag import ShortAnswersTagged
from jupyter_ext.database.engine import Database, DatabaseUnavailable
from jupyter_ext.platform.fair_threads import FairThreads

T = TypeVar("T")


class UserHandler(ShortAnswersTagged, APIHandler):
    """A call about what belongs to the user who makes it."""

    def initialize(self, database: Database, threads: FairThreads) -> None:
        """Take what all requests share. Whatever parses what users have saved, or reads schemas
        from disk, runs on `threads`: it takes up to seconds, and the loop's own pool has other
        work."""
        self._database = database
        self._threads = threads

    async def work(self, function: Callable[[], T]) -> T:
        """Run what blocks, when a thread is free that this user may have."""
        return await self._threads.run(self.current_user.username, function)

    async def mine(self, function: Callable[..., T], **arguments: object) -> T:
        """What one of the functions of `userdata.store` returns for this user, in a transaction.
        Raises HTTPError 503 while the database is away."""
        username = self.current_user.username
        try:
            return await self._database.run(partial(function, username=username, **arguments))
        except DatabaseUnavailable as error:
            raise web.HTTPError(503, str(error)) from error
