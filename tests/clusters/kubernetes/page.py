"""A page with a notebook, at labs that may be killed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests
import websocket

from jupyter_ext.wire.headers import ASYNC, START_HEADER
from tests.integration.gateway_ext.fleet_of_gateways import Client, wait_until
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs

SECONDS = 300.0
"""How long a page repeats a request that nobody answers."""
_AGAIN = (502, 503, 504)


class Page:
    """One user's page. It starts a kernel as the fleet's page does, without waiting until it runs;
    a request that a lab does not answer goes to another one, as the load balancer passes it."""

    def __init__(self, labs: Labs, user: str, path: str, first: int) -> None:
        self.path = path
        self.session: dict[str, Any] | None = None
        """The model that the last request gave; None if there is no session."""
        self.refusal = ""
        """Why the start was refused; empty if it was not."""
        self._client: Client = labs.client(user)
        self._client.headers[START_HEADER] = ASYNC
        self._urls = [*labs.urls[first:], *labs.urls[:first]]

    def open(self, kernel: dict[str, Any]) -> None:
        """Asks for the notebook's session, with a kernel to start if it has none."""
        body = {"path": self.path, "name": "", "type": "notebook", "kernel": kernel}
        answer = self._ask("POST", "/api/sessions", json=body)
        if answer.status_code == 400:
            self.refusal = answer.json()["message"]
        else:
            assert answer.status_code == 201, answer.text
            self.session = answer.json()

    @property
    def kernel_id(self) -> str:
        """The kernel of the session, which there is."""
        assert self.session is not None
        kernel_id: str = self.session["kernel"]["id"]
        return kernel_id

    @property
    def state(self) -> str:
        """How the session's kernel is, as last seen; empty if there is no session."""
        return str(self.session["kernel"]["state"]) if self.session else ""

    def look(self) -> str:
        """Asks again how the kernel is."""
        assert self.session is not None
        answer = self._ask("GET", f"/api/sessions/{self.session['id']}")
        assert answer.status_code in (200, 404), answer.text
        self.session = answer.json() if answer.status_code == 200 else None
        return self.state

    def close(self) -> None:
        """Ends the session, and its kernel if it has no other session."""
        assert self.session is not None
        answer = self._ask("DELETE", f"/api/sessions/{self.session['id']}")
        assert answer.status_code in (204, 404), answer.text

    def is_gone(self, kernel_id: str) -> bool:
        """Whether there is no such kernel."""
        return self._ask("GET", f"/api/kernels/{kernel_id}").status_code == 404

    def run(self, code: str) -> str:
        """What a cell prints that is sent through a lab."""

        def printed() -> list[str]:
            for url in self._urls:
                try:
                    with self._client.channels(url, self.kernel_id) as channels:
                        return [channels.run(code)]
                except (OSError, AssertionError, websocket.WebSocketException):
                    # A lab or gateway was killed meanwhile.
                    continue
            return []

        [text] = wait_until(printed, SECONDS, 0.5)
        return str(text)

    def _ask(self, method: str, path: str, **options: Any) -> requests.Response:
        return self._until_answered(
            lambda url: self._client.call(method, f"{url}{path}", **options)
        )

    def _until_answered(self, ask: Callable[[str], requests.Response]) -> requests.Response:
        answers: list[requests.Response] = []

        def answered() -> bool:
            for url in self._urls:
                try:
                    answer = ask(url)
                except requests.RequestException:
                    continue
                if answer.status_code not in _AGAIN:
                    answers.append(answer)
                    return True
            return False

        wait_until(answered, SECONDS, 0.5)
        return answers[0]
