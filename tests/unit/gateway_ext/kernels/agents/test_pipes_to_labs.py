"""Where a gateway's pipe to a lab leads."""

import asyncio
import ssl

import pytest
from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)

from gateway_ext.kernels.agents import pipes as module
from gateway_ext.kernels.agents.pipes import LabsAway, Pipe
from tests.servers.ports import free_ports
from tests.servers.scripted_http import Answer, ScriptedServer


class Receiver(HTTPMessageDelegate):
    """The agent's side: keeps the answer's status."""

    status = 0

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> None:
        assert isinstance(start_line, ResponseStartLine)
        self.status = start_line.code


@pytest.mark.parametrize("base", ["", "/", "/jupyter", "/jupyter/"])
def test_a_call_goes_below_the_base_url_of_the_lab(base: str) -> None:
    lab, receiver = ScriptedServer(), Receiver()
    lab.script("POST", "/api/x", Answer(200))

    async def scenario() -> None:
        pipe = await Pipe.open([lab.url + base])
        try:
            await pipe.begin("POST", "/api/x?a=1", HTTPHeaders({"Content-Length": "2"}))
            await pipe.send(b"{}")
            pipe.sent()
            await pipe.answer(receiver)
        finally:
            pipe.close()

    try:
        asyncio.run(scenario())
    finally:
        lab.stop()
    assert receiver.status == 200
    assert [one.path for one in lab.requests] == [f"{base.rstrip('/')}/api/x"]


def test_whom_the_machine_trusts_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    contexts: list[ssl.SSLContext] = []
    create = ssl.create_default_context

    def counted() -> ssl.SSLContext:
        contexts.append(create())
        return contexts[-1]

    monkeypatch.setattr(ssl, "create_default_context", counted)
    module._trusted.cache_clear()
    ports = free_ports(2)

    async def scenario() -> None:
        for _ in range(2):
            with pytest.raises(LabsAway):
                await Pipe.open([f"https://127.0.0.1:{port}" for port in ports])

    asyncio.run(scenario())
    assert len(contexts) == 1
