"""Calls of this gateway to labs, with its own token."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.simple_httpclient import SimpleAsyncHTTPClient

_CONNECT_SECONDS = 2.0
_LAB_SECONDS = 20.0
_MOST_MESSAGE = 200
_WRONG_CALL = frozenset({400, 409, 413, 414, 422, 431})


class NotAnswered(Exception):
    """No lab has done what was asked; the text says what the last one said, `status` its status, 0
    without an answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status

    @property
    def refused(self) -> bool:
        """Whether the answer does not soon become another one: labs of the version before have no
        such call."""
        return 0 < self.status < 500

    @property
    def of_this_call(self) -> bool:
        """Whether something is wrong with what was asked, and others may ask for the same."""
        return self.status in _WRONG_CALL


class LabCalls:
    """One lab after the other is asked, first the one that answered last."""

    def __init__(
        self,
        labs: Sequence[str],
        token_file: str,
        at_once: int,
        lab_seconds: float = _LAB_SECONDS,
    ) -> None:
        """`labs` are base URLs; the gateway is known to them by the token in the file, which is
        read at each call. Each of them has `lab_seconds` to answer."""
        self.labs = [url.rstrip("/") for url in labs]
        self._token_file = token_file
        self._at_once = at_once
        self._lab_seconds = lab_seconds
        self._http: SimpleAsyncHTTPClient | None = None

    @property
    def possible(self) -> bool:
        """Whether the gateway knows labs and has a token for them."""
        return bool(self.labs and self._token_file)

    async def post(self, path: str, body: bytes, content_type: str) -> bytes:
        """The body of the first good answer; raises NotAnswered."""
        return await self._call("POST", path, body, {"Content-Type": content_type})

    async def get(self, path: str) -> bytes:
        """The same of a GET."""
        return await self._call("GET", path, None, {})

    async def _call(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> bytes:
        problem = NotAnswered("no lab is known")
        for _ in self.labs:
            try:
                return await self._ask(self.labs[0], method, path, body, headers)
            except NotAnswered as error:
                problem = error
            self.ask_last(self.labs[0])
        raise problem

    def ask_last(self, lab: str) -> None:
        """The lab has not answered: the next call goes to another one first."""
        if self.labs[0] == lab:
            self.labs.append(self.labs.pop(0))

    async def _ask(
        self, lab: str, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> bytes:
        if self._http is None:
            # Bound to the event loop that runs.
            self._http = SimpleAsyncHTTPClient(force_instance=True, max_clients=self._at_once)
        try:
            token = await asyncio.to_thread(Path(self._token_file).read_text)
            response = await self._http.fetch(
                HTTPRequest(
                    lab + path,
                    method=method,
                    headers={"Authorization": f"Bearer {token.strip()}", **headers},
                    body=body,
                    connect_timeout=min(_CONNECT_SECONDS, self._lab_seconds),
                    request_timeout=self._lab_seconds,
                    follow_redirects=False,
                ),
                raise_error=False,
            )
        except (OSError, HTTPClientError) as error:
            raise NotAnswered(f"{lab}: {error}") from error
        if response.code < 300:
            return response.body
        words = response.body[:_MOST_MESSAGE].decode(errors="replace")
        raise NotAnswered(f"{lab}: {response.code} {words}", response.code)
