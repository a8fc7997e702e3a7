"""What gateways say to clients of fleet.v1 when their streams begin, and before they end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway_ext.kernels.agents.client_streams import Opened, Opening
from gateway_ext.kernels.handlers.client_wires import FleetWire

PEOPLE = {"process": 1, "users": ["ann"], "number": 5}


class Socket:
    """A client's, that keeps the text frames."""

    selected_subprotocol = "fleet.v1"

    def __init__(self) -> None:
        self.texts: list[dict[str, Any]] = []

    def push(self, frame: str | bytes) -> None:
        if isinstance(frame, str):
            self.texts.append(json.loads(frame))


@pytest.mark.parametrize(
    ("cursor", "people", "told"),
    [
        (True, PEOPLE, [{**PEOPLE, "type": "people"}]),
        # Agents of the version before say nothing, and other clients than pages do not ask.
        (True, None, []),
        (False, PEOPLE, []),
    ],
)
def test_pages_are_told_who_has_used_the_kernel(cursor: bool, people: Any, told: Any) -> None:
    socket: Any = Socket()
    link: Any = None
    wire = FleetWire(socket, link, Opening("s", "n", cursor=cursor))
    wire.opened(Opened(5, 0, people=people))
    assert socket.texts == told


@pytest.mark.parametrize(
    ("cursor", "told"), [(True, [{"type": "shut_down", "by": "ann"}]), (False, [])]
)
def test_pages_are_told_who_shuts_the_kernel_down(cursor: bool, told: Any) -> None:
    socket: Any = Socket()
    link: Any = None
    FleetWire(socket, link, Opening("s", "n", cursor=cursor)).shut_down("ann")
    assert socket.texts == told
