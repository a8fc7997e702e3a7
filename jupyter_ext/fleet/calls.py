"""HTTP calls of the command line to its own fleet."""

from __future__ import annotations

import json
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

ANSWER_SECONDS = 30.0

# Calls to 127.0.0.1 must not go through a proxy that is set in the environment.
_opener = build_opener(ProxyHandler({}))


class CallFailed(Exception):
    """The call got an error response, or none; ``status`` is None if there was no response.

    The message is the response's, if it has one.
    """

    def __init__(self, message: str, status: int | None) -> None:
        super().__init__(message)
        self.status = status


def call(
    method: str,
    url: str,
    token: str | None = None,
    timeout: float = ANSWER_SECONDS,
    *,
    body: object = None,
) -> Any:
    """The decoded JSON answer (None if it is empty), or `CallFailed`. Follows redirects. `body` is
    sent as JSON."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    data = None
    if body is not None:
        data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
    try:
        request = Request(url, method=method, headers=headers, data=data)  # noqa: S310
        with _opener.open(request, timeout=timeout) as answer:
            said = answer.read()
    except HTTPError as error:
        with error:
            message = _message_of(error) or f"{method} {url}: {error.code} {error.reason}"
            raise CallFailed(message, error.code) from error
    except (OSError, HTTPException) as error:
        raise CallFailed(f"{method} {url}: {error}", None) from error
    try:
        return json.loads(said) if said else None
    except ValueError as error:
        raise CallFailed(f"{method} {url}: the answer is not JSON", None) from error


def _message_of(error: HTTPError) -> str | None:
    """The message in the JSON of an error response of a lab or gateway."""
    try:
        return str(json.loads(error.read())["message"])
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return None
