"""Calls to a platform's server."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request

from jupyter_ext.platform.no_redirects import open_there

ANSWER_SECONDS = 5.0
"""Between two pieces of an answer."""
LONGEST = 1024 * 1024

Ask = Callable[[str, str, Mapping[str, object]], dict[str, Any]]
"""`ask_platform`, or what a test puts in its place."""


class PlatformAway(Exception):
    """The platform has not answered, or nothing that can be used; the text is for operators."""


class PlatformRefused(PlatformAway):
    """It has answered that it does not do this."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def read_from(request: Request, seconds: float = ANSWER_SECONDS) -> bytes:
    """The body of a good answer; raises OSError, HTTPException and ValueError. Blocks."""
    with open_there(request, seconds) as answer:
        data: bytes = answer.read(LONGEST + 1)
    if len(data) > LONGEST:
        raise ValueError(f"the document is longer than {LONGEST} bytes")
    return data


def ask_platform(url: str, secret_file: str, question: Mapping[str, object]) -> dict[str, Any]:
    """The JSON object with which the platform answers a POST; raises PlatformAway. Blocks.

    `secret_file` has what the fleet shows of itself; it is read at each call.
    """
    try:
        secret = Path(secret_file).read_text().strip()
        request = Request(  # noqa: S310 (checked: https)
            url,
            data=json.dumps(question).encode(),
            headers={
                "Authorization": f"Bearer {secret}",
                "Content-Type": "application/json",
                "Accept": "application/json",
            },
            method="POST",
        )
        answer = json.loads(read_from(request))
    except HTTPError as error:
        if error.code < 500:
            raise PlatformRefused(f"{url}: {error.code}", error.code) from error
        raise PlatformAway(f"{url}: {error.code}") from error
    except (OSError, HTTPException, ValueError, RecursionError) as error:
        raise PlatformAway(f"{url}: {error or type(error).__name__}") from error
    if not isinstance(answer, dict):
        raise PlatformAway(f"{url}: the answer is no JSON object")
    return answer
