"""Calls that came to the wrong gateway, passed on to the kernel's owner."""

from dataclasses import dataclass

from tornado.httpclient import AsyncHTTPClient, HTTPRequest

from gateway_ext.kernels.refusal import Refusal

DIRECT_HEADER = "X-Fleet-Routing"
DIRECT = "direct"
"""The caller looks for the owner itself: a lab, or a gateway that relays."""

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 150.0


@dataclass(frozen=True)
class Answer:
    """The owner's answer."""

    status: int
    content_type: str
    body: bytes


class OwnerAway(Exception):
    """The gateway that was taken for the owner is not, or cannot be reached: look again.

    `acted` says that it may have done what was asked for.
    """

    def __init__(self, message: str, *, acted: bool) -> None:
        super().__init__(message)
        self.acted = acted


class Relay:
    """An HTTP client for calls to other gateways."""

    def __init__(self) -> None:
        self._client = AsyncHTTPClient(force_instance=True, max_clients=200)

    async def call(self, url: str, method: str, path: str, token: str) -> Answer:
        """The owner's answer to the same call by the same caller; raises OwnerAway, or Refusal
        if the owner takes too long."""
        request = HTTPRequest(
            url.rstrip("/") + path,
            method=method,
            headers={"Authorization": f"Bearer {token}", DIRECT_HEADER: DIRECT},
            allow_nonstandard_methods=True,
            connect_timeout=CONNECT_SECONDS,
            request_timeout=ANSWER_SECONDS,
        )
        try:
            response = await self._client.fetch(request, raise_error=False)
        except ConnectionRefusedError as error:
            raise OwnerAway(f"{url} does not answer", acted=False) from error
        except OSError as error:
            raise OwnerAway(f"{url} ended the connection: {error}", acted=True) from error
        if response.code in (421, 503):
            raise OwnerAway(f"{url} does not own the kernel", acted=False)
        if response.code == 599:
            refused = isinstance(response.error, ConnectionRefusedError)
            raise OwnerAway(f"{url} does not answer: {response.error}", acted=not refused)
        content_type = response.headers.get("Content-Type", "application/json")
        return Answer(response.code, content_type, response.body)


def still_unknown(kernel_id: str, last: str) -> Refusal:
    """No owner was found in time."""
    return Refusal(503, f"the gateway of kernel {kernel_id} cannot be reached: {last}")
