"""Calls to labs, with the ticket that the kernel's owner has given to this agent."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tornado.httpclient import HTTPClientError, HTTPRequest, HTTPResponse
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from jupyter_ext.wire.routes import path_of

from .avoided_urls import AvoidedUrls

_log = logging.getLogger("fleet.agent")

_CONNECT_SECONDS = 2.0
_AT_ONCE = 4
_MOST_ANSWER = 2**20
_MOST_WORDS = 200
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NO_ANSWER = _REDIRECTS | {400, 401, 403, 404, 405, 413, 414, 429, 431, 500, 502, 503, 504}
"""Of a front, proxy or gateway in between, which may want HTTPS or shorter bodies, or of a lab of
the version before, which knows no tickets: another way, or the same one again, may lead to a lab
that answers."""
_LABS_SLOW = 504
"""What a front has given to labs and waited for in vain: the next call goes another way first, or
each one would be done several times."""


class LabsAway(Exception):
    """No lab has answered; the text says what happened last."""


@dataclass(frozen=True)
class Answer:
    """A lab's answer."""

    status: int
    body: bytes

    @property
    def words(self) -> str:
        """The beginning of the body."""
        return self.body[:_MOST_WORDS].decode(errors="replace")


@dataclass(frozen=True)
class _Ticket:
    kernel_id: str
    token: str
    urls: tuple[str, ...]
    ends: float


class LabClient:
    """Goes straight to labs where that is possible, else through the owner's gateway."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        """`on_change` is called when calls may have become possible."""
        self._on_change = on_change
        self._ticket: _Ticket | None = None
        self._owner: str | None = None
        self._ask: Callable[[dict[str, object]], None] | None = None
        self._avoided = AvoidedUrls()
        self._http: SimpleAsyncHTTPClient | None = None

    def connected(self, owner: str, ask: Callable[[dict[str, object]], None]) -> None:
        """The gateway with this base URL owns the kernel; `ask` sends it a frame."""
        self._owner, self._ask = owner.rstrip("/"), ask

    def disconnected(self) -> None:
        """Nobody owns it at the moment."""
        self._owner = self._ask = None

    def given(self, frame: dict[str, Any]) -> None:
        """The owner has sent a ticket."""
        kernel_id, token, seconds, urls = (
            frame.get(name) for name in ("kernel_id", "ticket", "seconds", "urls")
        )
        if (
            not isinstance(kernel_id, str)
            or not (isinstance(token, str) and token.isascii())
            or not isinstance(seconds, int | float)
            or not isinstance(urls, list)
        ):
            _log.warning("dropped a ticket that cannot be read")
            return
        good = [u for u in urls if isinstance(u, str) and u.startswith(("http://", "https://"))]
        self._ticket = _Ticket(kernel_id, token, tuple(good), time.monotonic() + float(seconds))
        self._on_change()

    @property
    def possible(self) -> bool:
        """Whether there is a ticket whose time is not over, and an address."""
        ticket = self._ticket
        return ticket is not None and time.monotonic() < ticket.ends and bool(self._ways(ticket))

    def _ways(self, ticket: _Ticket) -> list[str]:
        now = time.monotonic()
        straight = [url for url in ticket.urls if not self._avoided.is_avoided(url, now)]
        through = [] if self._owner is None else [self._owner]
        return [*straight, *through, *(url for url in ticket.urls if url not in straight)]

    async def call(self, method: str, route: str, body: bytes, seconds: float) -> Answer:
        """A lab's answer to a call of the kernel's route, one way taking so many seconds at most;
        raises LabsAway."""
        ticket = self._ticket
        if ticket is None or not self.possible:
            raise LabsAway("there is no valid ticket")
        problem, unknown = "", False
        for url in self._ways(ticket):
            request = HTTPRequest(
                url + path_of(route, kernel_id=ticket.kernel_id),
                method=method,
                headers={
                    "Authorization": f"Bearer {ticket.token}",
                    "Content-Type": "application/octet-stream",
                },
                body=body,
                connect_timeout=_CONNECT_SECONDS,
                request_timeout=seconds,
                follow_redirects=False,
            )
            try:
                response = await self._fetch(request)
            except (OSError, HTTPClientError, ValueError) as error:
                self._avoided.failed(url, time.monotonic())
                problem = f"{url}: {error}"
                continue
            if response.code == _LABS_SLOW:
                self._avoided.failed(url, time.monotonic())
            else:
                self._avoided.answered(url)
            answer = Answer(response.code, response.body)
            if answer.status not in _NO_ANSWER:
                return answer
            unknown = unknown or answer.status == 401
            problem = f"{url}: {answer.status} {answer.words}"
        # Another one may have come meanwhile.
        if unknown and self._ticket is ticket:
            self._ask_for_another()
        raise LabsAway(problem)

    async def _fetch(self, request: HTTPRequest) -> HTTPResponse:
        if self._http is None:
            # Bound to the event loop that runs.
            self._http = SimpleAsyncHTTPClient(
                force_instance=True, max_clients=_AT_ONCE, max_body_size=_MOST_ANSWER
            )
        return await self._http.fetch(request, raise_error=False)

    def _ask_for_another(self) -> None:
        """Labs have another secret now, long before the ticket's time is over, or are of the
        version before again, which gives no tickets: then the agent has none."""
        if self._ask is not None:
            self._ticket = None
            self._ask({"type": "ticket"})
