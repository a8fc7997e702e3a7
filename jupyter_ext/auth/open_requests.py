"""The requests in progress, so that a stopping lab can finish them."""

from __future__ import annotations

import asyncio
import weakref

from tornado.web import RequestHandler
from tornado.websocket import WebSocketHandler


class OpenRequests:
    """Requests in progress, without websockets, which end only when somebody closes them."""

    def __init__(self) -> None:
        self._handlers: weakref.WeakSet[RequestHandler] = weakref.WeakSet()

    def add(self, handler: RequestHandler) -> None:
        """A request has begun."""
        if not isinstance(handler, WebSocketHandler):
            self._handlers.add(handler)

    def count(self) -> int:
        """How many requests are unanswered, without those whose client has disconnected."""
        return sum(
            not handler._finished and not handler.request.connection.stream.closed()  # type: ignore[union-attr]
            for handler in list(self._handlers)
        )

    async def wait(self, seconds: float) -> int:
        """Return when all are answered, or after `seconds`, the number that is left."""
        end = asyncio.get_running_loop().time() + seconds
        # There is no event for the end of the last one: third-party handlers end in many ways.
        while self.count() and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        return self.count()
