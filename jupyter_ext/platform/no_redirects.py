"""Calls that no answer leads elsewhere: there, somebody else may read or change them."""

from __future__ import annotations

from http.client import HTTPResponse
from typing import Any
from urllib.request import HTTPRedirectHandler, Request, build_opener


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_opener = build_opener(_NoRedirects())


def open_there(request: Request, seconds: float) -> HTTPResponse:
    """What urllib's `urlopen` returns and raises; a redirect is an `HTTPError`. Blocks.

    `seconds`: between two pieces of an answer.
    """
    answer: HTTPResponse = _opener.open(request, timeout=seconds)
    return answer
