"""Relays calls to the gateway that owns the kernel."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tornado.httpclient import HTTPRequest, HTTPResponse
from tornado.iostream import IOStream
from tornado.simple_httpclient import (
    HTTPStreamClosedError,
    HTTPTimeoutError,
    SimpleAsyncHTTPClient,
)
from tornado.tcpclient import TCPClient

from gateway_ext.kernels.refusal import Refusal
from jupyter_ext.wire.headers import (
    ASYNC,
    DIRECT,
    DIRECT_HEADER,
    HERE,
    PLACEMENT_HEADER,
    START_HEADER,
)

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 150.0
SIGN_OF_LIFE_SECONDS = 3.0
_LONGEST_ERROR = 65_536


@dataclass(frozen=True)
class Answer:
    """The owner's answer."""

    status: int
    content_type: str
    body: bytes


class OwnerAway(Exception):
    """The assumed owner is not the owner, or cannot be reached: look it up again.

    `acted` says that it may have carried out the call.
    """

    def __init__(self, message: str, *, acted: bool) -> None:
        super().__init__(message)
        self.acted = acted


class _NotConnected(OSError):
    """No connection was established, so the request was not sent."""


class _Connector(TCPClient):
    """Tells failures to connect (name, address, TLS) from those of an open connection."""

    async def connect(self, *arguments: Any, **options: Any) -> IOStream:
        try:
            return await super().connect(*arguments, **options)
        except OSError as error:
            raise _NotConnected(str(getattr(error, "real_error", None) or error)) from error


class _Client(SimpleAsyncHTTPClient):
    def initialize(self, **options: Any) -> None:  # type: ignore[override]
        super().initialize(**options)
        self.tcp_client = _Connector(resolver=self.resolver)


_BEFORE_SENDING = ("in request queue", "while connecting")
"""What Tornado says of a time-out before the request was sent."""


class Relay:
    """An HTTP client for calls to other gateways."""

    def __init__(self) -> None:
        self._client = _Client(force_instance=True, max_clients=200)

    async def call(self, url: str, method: str, path: str, token: str) -> Answer:
        """The owner's answer to the same call by the same caller; raises OwnerAway."""
        return await self._call(url, method, path, token, ANSWER_SECONDS)

    async def start(
        self, url: str, path: str, token: str, body: bytes, seconds: float | None
    ) -> Answer:
        """Has a kernel started at the gateway `url`, and returns its answer; raises OwnerAway.
        The caller waits `seconds` for the kernel, None if only for its record.

        A gateway that does not respond at all is detected within `SIGN_OF_LIFE_SECONDS`: a start
        may take a minute, but must not wait that long for a frozen gateway.
        """
        try:
            await self._call(url, "GET", "/api", token, SIGN_OF_LIFE_SECONDS)
        except OwnerAway as error:
            raise OwnerAway(str(error), acted=False) from error
        headers = {PLACEMENT_HEADER: HERE}
        if seconds is None:
            headers[START_HEADER] = ASYNC
        limit = ANSWER_SECONDS + (seconds or 0.0)
        return await self._call(url, "POST", path, token, limit, body, headers)

    async def _call(
        self,
        url: str,
        method: str,
        path: str,
        token: str,
        seconds: float,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        request = HTTPRequest(
            url.rstrip("/") + path,
            method=method,
            headers={
                "Authorization": f"Bearer {token}",
                DIRECT_HEADER: DIRECT,
                **(headers or {}),
            },
            body=body,
            allow_nonstandard_methods=True,
            connect_timeout=CONNECT_SECONDS,
            request_timeout=seconds,
        )
        try:
            response = await self._client.fetch(request, raise_error=False)
        except _NotConnected as error:
            raise OwnerAway(f"{url} cannot be reached: {error}", acted=False) from error
        except HTTPTimeoutError as error:
            acted = not any(phase in str(error) for phase in _BEFORE_SENDING)
            raise OwnerAway(f"{url} does not answer: {error}", acted=acted) from error
        except (OSError, HTTPStreamClosedError) as error:
            # Tornado raises these whatever `raise_error` says.
            raise OwnerAway(f"{url} ended the connection: {error}", acted=True) from error
        if response.code in (421, 503) and not _goes_on(response):
            raise OwnerAway(f"{url} answered {response.code}", acted=False)
        content_type = response.headers.get("Content-Type", "application/json")
        return Answer(response.code, content_type, response.body)


def _goes_on(response: HTTPResponse) -> bool:
    """Whether a 503 says that the kernel is still being started, and its caller has waited long
    enough."""
    if response.code != 503 or len(response.body) > _LONGEST_ERROR:
        return False
    try:
        document = json.loads(response.body)
    except ValueError:
        return False
    return isinstance(document, dict) and "kernel_id" in document


def still_unknown(kernel_id: str, last: str) -> Refusal:
    """No owner was found in time."""
    return Refusal(503, f"the gateway of kernel {kernel_id} cannot be reached: {last}")
