"""Which agents a gateway that is draining lets in."""

import asyncio
import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from tornado import web
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.websocket import websocket_connect

from gateway_ext.kernels.agents.agent_door import AgentDoor
from gateway_ext.kernels.handlers.agent_handler import AgentHandler
from gateway_ext.ownership.agent_records import KnownAgent
from gateway_ext.ownership.records import KernelRecord
from jupyter_ext.wire.proof import PROTOCOL, agent_proof
from jupyter_ext.wire.routes import AGENT_ROUTE, path_of, pattern_of
from tests.unit.gateway_ext.sample_record import sample_record

KEY = b"k" * 32
MEMBER = "6a0c3f5e-3a52-4f0c-9d0b-3f6d8f3c1a11"
"""The id under which the agent connects."""
KERNEL = "0d8d3c4b-7f0e-4a0f-8a43-1b3a3e0f6a22"
"""The kernel that was claimed from a pool, whose agent it is."""


class Manager(SimpleNamespace):
    """What the endpoint needs of a gateway that waits for the agents of `awaited` alone."""

    def __init__(self, awaited: str) -> None:
        super().__init__(log=logging.getLogger("test"), ping_seconds=60.0, max_message_bytes=2**20)
        agents: Any = self
        self.awaited = awaited
        self.agent_door = AgentDoor(agents, places=2, answer_seconds=5.0, log=self.log)
        self.records = self
        self.claim_pace = SimpleNamespace(wait=lambda now: 0.0)
        self.membership = SimpleNamespace(urls_for_agents=lambda kernel_id: ["http://other"])
        self.calls = SimpleNamespace(for_agents=dict, receive=None)
        self.kept_journals = SimpleNamespace(keeps=False, receive=None)
        self.links = SimpleNamespace(changed=None, add=lambda link: None)

    def takes(self, kernel_id: str) -> bool:
        return kernel_id == self.awaited

    async def find(self, agent_id: str) -> KnownAgent:
        assert agent_id == MEMBER
        return KnownAgent(KERNEL, KEY)

    async def claim(self, kernel_id: str, *_: Any) -> KernelRecord:
        return sample_record(kernel_id=kernel_id, launch_id=MEMBER, process={"pid": 7})

    def link_lost(self, *_: Any) -> None: ...


async def answered(awaited: str) -> dict[str, Any]:
    """What an agent, whose kernel was claimed from a pool, hears from a gateway."""
    application = web.Application(
        [(pattern_of(AGENT_ROUTE), AgentHandler)],
        kernel_manager=Manager(awaited),
        websocket_ping_interval=None,
        base_url="/",
    )
    server = HTTPServer(application)
    sockets, port = bind_unused_port()
    server.add_socket(sockets)
    try:
        agent = await websocket_connect(
            f"ws://127.0.0.1:{port}{path_of(AGENT_ROUTE, kernel_id=MEMBER)}"
        )
        challenge = json.loads(await agent.read_message() or "")
        hello = {
            "type": "hello",
            "kernel_id": MEMBER,
            "protocol": PROTOCOL,
            "epoch": 1,
            "nonce": "n",
            "proof": agent_proof(KEY, MEMBER, challenge["nonce"], 1),
            "state": {"process": "starting"},
        }
        await agent.write_message(json.dumps(hello))
        document: dict[str, Any] = json.loads(await agent.read_message() or "")
        agent.close()
        await agent.read_message()
    finally:
        server.stop()
    return document


@pytest.mark.parametrize(
    ("awaited", "kind"), [(KERNEL, "welcome"), (MEMBER, "refused"), ("", "refused")]
)
def test_it_waits_for_the_agent_of_a_claimed_kernel_by_the_kernel_s_id(
    awaited: str, kind: str
) -> None:
    document = asyncio.run(asyncio.wait_for(answered(awaited), 20))
    assert document["type"] == kind
    assert document["gateways"] == ["http://other"]
    assert document.get("reason") == (None if kind == "welcome" else "draining")
