"""HTTP calls to gateways: to any of them, or to the one that owns a kernel.

A lab knows a few gateway addresses and uses any one that answers; for each call about a kernel it
looks up the kernel's owner. A call is retried until its deadline, so that a kernel whose owner
changes seems slow, never gone: only a 404 from a gateway means that a kernel does not exist.
"""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jupyter_server.base.call_context import CallContext
from tornado import web
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from traitlets import Float, Instance, List, Unicode, default
from traitlets.config import LoggingConfigurable

from jupyter_ext.audit.notes import REQUEST_HEADER, request_id_of
from jupyter_ext.auth.user import current_identity
from jupyter_ext.wire.headers import DIRECT, DIRECT_HEADER
from jupyter_ext.wire.routes import OWNER_ROUTE, path_of

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 0.5
# These statuses say something about the gateway, not about what was requested.
_ELSEWHERE = frozenset({421, 502, 503, 504, 599})
_UNREACHABLE = "unreachable"
"""The state in an answer about a kernel that no gateway reaches: another one would say the same."""


class FleetGatewayClient(LoggingConfigurable):
    """Calls to the gateways, with the token of the user whose request is being handled."""

    urls = List(
        Unicode(),
        config=True,
        help="Base URLs of gateways, for example http://10.0.0.5:8890; one that answers is enough.",
    )
    service_token_file = Unicode(
        config=True,
        help="File with this lab's own token, for background calls without a user.",
    )
    connect_timeout = Float(2.0, config=True, help="Seconds to wait for a gateway to accept.")
    call_timeout = Float(
        10.0, config=True, help="Seconds after which a gateway that does not answer is given up."
    )
    read_timeout = Float(
        3.0,
        config=True,
        help="The same for read requests, which another gateway can answer as well: a frozen "
        "gateway delays a page by at most this time.",
    )
    patience = Float(
        20.0,
        config=True,
        help="Seconds for which a call is retried, at one gateway after the other.",
    )
    _http = Instance(AsyncHTTPClient)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._preferred = 0

    @default("_http")
    def _default_http(self) -> AsyncHTTPClient:
        # Created at the first call, because it is bound to the running event loop. With the default
        # limit of ten concurrent calls, a few slow launches would block everybody.
        return SimpleAsyncHTTPClient(
            force_instance=True, max_clients=1000, max_body_size=256 * 1024 * 1024
        )

    def headers(self) -> dict[str, str]:
        """Headers of a call on behalf of the current user, or of this lab if there is none."""
        identity = current_identity()
        if identity is not None:
            return self.headers_for(identity.token)
        if not self.service_token_file:
            raise web.HTTPError(401, "you are not signed in")
        return self.headers_for(Path(self.service_token_file).read_text().strip())

    def headers_for(self, token: str) -> dict[str, str]:
        """Headers of a call on behalf of the user or service that `token` identifies."""
        handler = CallContext.get(CallContext.JUPYTER_HANDLER)
        # Background work has no request.
        request = {} if handler is None else {REQUEST_HEADER: request_id_of(handler)}
        return {"Authorization": f"Bearer {token}", DIRECT_HEADER: DIRECT, **request}

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        seconds: float | None = None,
        patience: float | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """Call any gateway; returns the JSON of its response, or None if the response is empty.

        `path` begins with `/api`. Each gateway has `seconds` to answer, all of them together have
        `patience`. `headers` replace those of the current user. Raises HTTPError with the gateway's
        status and message, or 503 if none answered in time.
        """
        response = await self._ask(
            method,
            path,
            body,
            kernel_id=None,
            seconds=seconds,
            patience=patience,
            headers=headers,
        )
        return json.loads(response.body) if response.body else None

    async def call_raw(self, path: str) -> bytes:
        """The body of any gateway's answer to a GET; raises as `call` does."""
        response = await self._ask("GET", path, None, kernel_id=None)
        return bytes(response.body)

    async def call_owner(
        self,
        method: str,
        kernel_id: str,
        action: str = "",
        body: Any = None,
        *,
        seconds: float | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """Ask the gateway that owns a kernel: `/api/kernels/{kernel_id}{action}`.

        Returns and raises as `call` does; 404 means that the kernel does not exist.
        """
        path = f"/api/kernels/{quote(kernel_id, safe='')}{action}"
        response = await self._ask(
            method, path, body, kernel_id=kernel_id, seconds=seconds, headers=headers
        )
        return json.loads(response.body) if response.body else None

    async def find_owner(self, kernel_id: str, headers: dict[str, str]) -> str:
        """The base URL of the gateway that owns a kernel now.

        Raises HTTPError as `call` does, but asks each gateway at most once.
        """
        path = path_of(OWNER_ROUTE, kernel_id=kernel_id)
        failure = web.HTTPError(503, "no gateway is configured")
        for base in self._in_order():
            response = await self._fetch(base, "GET", path, None, headers, self.read_timeout)
            if response.code == 200:
                url: str = json.loads(response.body)["url"]
                return url
            failure = _error(response)
            if response.code not in _ELSEWHERE:
                raise failure
            self._pass_over(base)
        raise failure

    async def _ask(
        self,
        method: str,
        path: str,
        body: Any,
        *,
        kernel_id: str | None,
        seconds: float | None = None,
        patience: float | None = None,
        headers: dict[str, str] | None = None,
    ) -> HTTPResponse:
        headers = headers or self.headers()
        seconds = seconds or (self.read_timeout if method == "GET" else self.call_timeout)
        deadline = time.monotonic() + (patience or max(self.patience, 2 * seconds))
        pause = _FIRST_PAUSE
        failure = web.HTTPError(503, "no gateway is configured")
        while True:
            bases = self._in_order()
            if kernel_id is not None:
                try:
                    bases = [await self.find_owner(kernel_id, headers)]
                except web.HTTPError as error:
                    if error.status_code not in _ELSEWHERE:
                        raise
                    failure, bases = error, []
            for base in bases:
                left = max(0.5, min(seconds, deadline - time.monotonic()))
                response = None
                if seconds > self.read_timeout:
                    # A call that may take long must not wait equally long for a frozen gateway.
                    response = await self._fetch(
                        base, "GET", "/api", None, headers, self.read_timeout
                    )
                if response is None or response.code not in _ELSEWHERE:
                    response = await self._fetch(base, method, path, body, headers, left)
                if response.code < 400:
                    return response
                failure = _error(response)
                if response.code not in _ELSEWHERE or _is_final(response):
                    raise failure
                if kernel_id is None:
                    self._pass_over(base)
            if time.monotonic() + pause > deadline:
                raise _unavailable(failure)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _fetch(
        self,
        base: str,
        method: str,
        path: str,
        body: Any,
        headers: dict[str, str],
        seconds: float,
    ) -> HTTPResponse:
        """One call to one gateway; a gateway that does not answer gives a response 599."""
        content = None if body is None else json.dumps(body).encode()
        if method == "POST" and content is None:
            content = b""
        request = HTTPRequest(
            base.rstrip("/") + path,
            method=method,
            headers=headers,
            body=content,
            connect_timeout=min(self.connect_timeout, seconds),
            request_timeout=seconds,
            follow_redirects=False,
        )
        try:
            answer = self._http.fetch(request, raise_error=False)
            answer.add_done_callback(_look_at)
            # The caller may be canceled: Tornado logs a later time-out of its request as an error.
            return await asyncio.shield(answer)
        except (OSError, HTTPClientError) as error:
            # Tornado raises time-outs and closed connections even with `raise_error=False`.
            return HTTPResponse(request, 599, error=error, reason=str(error))

    def _in_order(self) -> list[str]:
        """The gateways, beginning with the one that answered most recently."""
        start = self._preferred % len(self.urls) if self.urls else 0
        return [*self.urls[start:], *self.urls[:start]]

    def _pass_over(self, base: str) -> None:
        if base in self.urls and self._in_order()[0] == base:
            self._preferred = self.urls.index(base) + 1


def _look_at(answer: asyncio.Future[HTTPResponse]) -> None:
    """Retrieve the exception, because asyncio logs those that nobody has retrieved."""
    if not answer.cancelled():
        answer.exception()


def _is_final(response: HTTPResponse) -> bool:
    """Whether a gateway says that no gateway can do at the moment what was asked for."""
    return response.code == 503 and _document(response).get("state") == _UNREACHABLE


def _document(response: HTTPResponse) -> dict[str, Any]:
    """The JSON of a gateway's answer; empty if it is none."""
    try:
        document = json.loads(response.body)
    except (ValueError, TypeError):
        return {}
    return document if isinstance(document, dict) else {}


def _error(response: HTTPResponse) -> web.HTTPError:
    """The error for a gateway's response, to be passed on to the page."""
    document = _document(response)
    message = str(document.get("message") or document.get("reason") or "")
    if not message:
        message = f"the gateway: {response.error or response.reason or response.code}"
    return web.HTTPError(response.code, message)


def _unavailable(failure: web.HTTPError) -> web.HTTPError:
    detail = failure.get_message() or str(failure)
    return web.HTTPError(503, f"no gateway can answer at the moment: {detail}")
