"""Pages that leave before their websocket is open."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from tornado import web

from jupyter_ext.kernels.connection import FleetWebsocketConnection
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import Identity


@pytest.mark.parametrize("left", [True, False])
async def test_no_websocket_is_opened_for_a_page_that_has_left(left: bool) -> None:
    asked, answers = asyncio.Event(), asyncio.Event()

    async def call(*_: object, **__: object) -> dict[str, Any]:
        asked.set()
        await answers.wait()
        return {"project": "demo"}

    connection: Any = SimpleNamespace(
        kernel_id="k",
        websocket_handler=SimpleNamespace(request=SimpleNamespace(headers={}, query_arguments={})),
        _gateways=SimpleNamespace(call=call),
        _identity=Identity("ada", "Ada", {"demo": Role.EDITOR}, None, 4e9, "t"),
    )
    connection.websocket_handler.connection = connection
    preparing = asyncio.ensure_future(FleetWebsocketConnection.prepare(connection))
    await asked.wait()
    if left:
        connection.websocket_handler.connection = None
    answers.set()
    if not left:
        await preparing
        return
    with pytest.raises(web.HTTPError):
        await preparing
