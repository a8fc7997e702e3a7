"""What a gateway answers is what its table names."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

from gateway_ext.app import FleetGatewayApp
from gateway_ext.kernels.handlers.routes import ROUTES, named
from gateway_ext.kernels.refusal import Refusal
from jupyter_ext.platform.route_table import Call, Who, handler_name
from jupyter_ext.platform.tokens import TokenSigner, TokenVerifier, create_keys
from tests.unit.gateway_ext.kernels.callers_of import callers_of
from tests.unit.gateway_ext.kernels.handlers.gateway_paths import PATHS

NOTHING = "gateway_ext.kernels.handlers.refused_calls.NothingHere"


@pytest.fixture(scope="module")
def application() -> list[tuple[str, type[RequestHandler]]]:
    """The routes of a gateway, in the order in which they are tried."""
    return [(pattern, kind) for pattern, kind, *_ in FleetGatewayApp()._create_request_handlers()]


def answering(application: Any, path: str) -> type[RequestHandler]:
    """What answers at a path."""
    return next(kind for pattern, kind in application if re.fullmatch(pattern, path))


def call(kind: type[RequestHandler], method: str, path: str) -> Call:
    return Call(method, path, handler_name(kind), issubclass(kind, WebSocketHandler))


def test_each_route_has_a_path_and_each_path_is_named(application: Any) -> None:
    for pattern, _ in application:
        assert any(re.fullmatch(pattern, path) for path in PATHS), pattern
    unnamed = {
        path
        for path in PATHS
        if not any(
            entry.handler == handler_name(answering(application, path))
            and entry.pattern.fullmatch(path)
            for entry in ROUTES
        )
    }
    assert unnamed == {"/nothing"}
    assert handler_name(answering(application, "/nothing")) == NOTHING


def test_the_table_names_only_what_is_there(application: Any) -> None:
    for entry in ROUTES:
        kinds = {answering(application, path) for path in PATHS if entry.pattern.fullmatch(path)}
        kinds = {kind for kind in kinds if handler_name(kind) == entry.handler}
        assert kinds, entry
        for kind in kinds:
            assert issubclass(kind, WebSocketHandler) == entry.socket
            for method in entry.methods - {"HEAD", "OPTIONS"}:
                own = getattr(kind, method.lower())
                assert own is not getattr(RequestHandler, method.lower()), (entry, method)


def test_methods_that_are_not_named_are_refused(application: Any) -> None:
    refused = 0
    for path in PATHS:
        kind = answering(application, path)
        for method in RequestHandler.SUPPORTED_METHODS:
            allowed = any(
                entry.handler == handler_name(kind)
                and method in entry.methods
                and entry.pattern.fullmatch(path)
                for entry in ROUTES
            )
            if allowed:
                assert named(call(kind, method, path)).methods
                continue
            with pytest.raises(Refusal) as refusal:
                named(call(kind, method, path))
            assert refusal.value.status == (404 if path == "/nothing" else 405)
            refused += 1
    assert refused > 50


def test_another_handler_at_a_known_path_is_refused() -> None:
    for handler, socket in (
        ("enterprise_gateway.services.kernels.handlers.MainKernelHandler", False),
        ("gateway_ext.kernels.handlers.kernel_handlers.KernelsHandler", True),
    ):
        with pytest.raises(Refusal) as refusal:
            named(Call("GET", "/api/kernels", handler, socket))
        assert refusal.value.status in (404, 405)


def test_operators_routes_are_for_services() -> None:
    for_services = {entry.pattern.pattern for entry in ROUTES if entry.who is Who.SERVICES}
    assert len(for_services) == 7
    assert all(pattern.startswith("/api/fleet/") for pattern in for_services)


async def test_a_server_refuses_what_is_not_named_and_asks_for_tokens(tmp_path: Path) -> None:
    create_keys(tmp_path / "private.pem", tmp_path / "jwks.json")
    person = TokenSigner(tmp_path / "private.pem").sign("ada", {"demo": "owner"}, 60)
    application = Application(
        FleetGatewayApp()._create_request_handlers(),
        base_url="/",
        fleet_callers=callers_of(TokenVerifier(tmp_path / "jwks.json")),
        kernel_manager=SimpleNamespace(log=None, links={}),
    )
    server = HTTPServer(application)
    socket, port = bind_unused_port()
    server.add_sockets([socket])
    client = SimpleAsyncHTTPClient(force_instance=True)

    async def status(method: str, path: str, **headers: str) -> int:
        answer = await client.fetch(
            f"http://127.0.0.1:{port}{path}",
            method=method,
            headers=headers,
            allow_nonstandard_methods=True,
            raise_error=False,
        )
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.code

    try:
        assert await status("GET", "/nothing") == 404
        assert await status("PUT", "/api/kernels") == 405
        assert await status("PUT", "/api/kernelspecs") == 405
        assert await status("OPTIONS", "/api/kernels") == 200
        assert await status("OPTIONS", "/api/kernelspecs") == 200
        asked = 0
        for entry in ROUTES:
            path = next(one for one in PATHS if entry.pattern.fullmatch(one))
            if entry.socket or entry.who is Who.KERNELS:
                continue
            for method in entry.methods - {"HEAD", "OPTIONS"}:
                assert await status(method, path) == 401, (method, path)
                asked += 1
                if entry.who is Who.SERVICES:
                    token = f"Bearer {person}"
                    assert await status(method, path, Authorization=token) == 403, path
        assert asked > 20
        for method, path, expected in (
            ("GET", "/api", 200),
            # Like the kernel of somebody else that is here.
            ("POST", "/api/fleet/kernels/of-nobody/journal", 401),
            ("GET", "/api/swagger.json", 200),
            ("HEAD", "/api/swagger.json", 405),
            ("HEAD", "/api/swagger.yaml", 405),
        ):
            assert await status(method, path, Authorization=f"Bearer {person}") == expected, path
    finally:
        server.stop()
        client.close()
