"""Base of the handlers for a user's own settings and workspaces."""

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
    """A request about the caller's own data."""

    def initialize(self, database: Database, threads: FairThreads) -> None:
        """Accept the objects that all requests share. Parsing users' data and reading schemas runs
        on `threads`: it can take seconds, and the event loop's own pool has other work."""
        self._database = database
        self._threads = threads

    async def work(self, function: Callable[[], T]) -> T:
        """Run blocking work as soon as a thread is available to this user."""
        return await self._threads.run(self.current_user.username, function)

    async def mine(self, function: Callable[..., T], **arguments: object) -> T:
        """The result of a function of `userdata.store` for this user, in a transaction. Raises
        HTTPError 503 while the database is unavailable."""
        username = self.current_user.username
        try:
            return await self._database.run(partial(function, username=username, **arguments))
        except DatabaseUnavailable as error:
            raise web.HTTPError(503, str(error)) from error
