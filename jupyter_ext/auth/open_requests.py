"""The requests that are being answered, so that a lab that stops can finish them."""

from __future__ import annotations

import asyncio
import weakref

from tornado.web import RequestHandler
from tornado.websocket import WebSocketHandler


class OpenRequests:
    """Requests between their beginning and their end. Websockets are not among them: they end
    when somebody closes them."""

    def __init__(self) -> None:
        self._handlers: weakref.WeakSet[RequestHandler] = weakref.WeakSet()

    def add(self, handler: RequestHandler) -> None:
        """A request has begun."""
        if not isinstance(handler, WebSocketHandler):
            self._handlers.add(handler)

    def count(self) -> int:
        """How many requests have not been answered; those whose client has left do not count."""
        return sum(
            not handler._finished and not handler.request.connection.stream.closed()  # type: ignore[union-attr]
            for handler in list(self._handlers)
        )

    async def wait(self, seconds: float) -> int:
        """Return when all are answered, or after `seconds`; how many are left."""
        end = asyncio.get_running_loop().time() + seconds
        # Nothing tells when the last one is through: handlers of others end as they like.
        while self.count() and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        return self.count()
