"""What a page hears of a restart while the database is away: gateways restart the kernel."""

import asyncio
import inspect
import json
from functools import partial
from types import SimpleNamespace
from typing import Any

from tornado import web
from tornado.httputil import HTTPHeaders

from jupyter_ext.kernels.handlers import FleetKernelActionHandler
from jupyter_ext.kernels.manager import FleetKernelManager

MODEL = {"id": "k-1", "state": "running", "execution_state": "idle"}


class WithoutDatabase:
    """Gateways that act on the kernels of the agents that they have."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def headers(self) -> dict[str, str]:
        return {}

    async def call(self, method: str, path: str, *_: Any, **__: Any) -> Any:
        raise web.HTTPError(503, "the database is unavailable")

    async def call_owner(self, method: str, kernel_id: str, action: str, *_: Any, **__: Any) -> Any:
        self.asked.append(action)
        return MODEL


def test_a_restart_is_answered_with_what_the_gateway_says_of_it() -> None:
    gateways, said = WithoutDatabase(), list[str]()
    manager: Any = SimpleNamespace(gateways=gateways, start_timeout=60.0)
    manager.restart_kernel = partial(FleetKernelManager.restart_kernel, manager)
    manager.kernel_model = partial(FleetKernelManager.kernel_model, manager)
    request = SimpleNamespace(headers=HTTPHeaders())
    handler = SimpleNamespace(kernel_manager=manager, request=request, finish=said.append)
    asyncio.run(inspect.unwrap(FleetKernelActionHandler.post)(handler, "k-1", "restart"))
    assert [json.loads(one) for one in said] == [MODEL]
    assert gateways.asked == ["/restart"]
