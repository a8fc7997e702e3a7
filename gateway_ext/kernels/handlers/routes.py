"""The routes of a gateway: everything else is refused."""

from __future__ import annotations

from collections.abc import Iterable

from tornado import web, websocket

from gateway_ext.kernels.refusal import Refusal
from jupyter_ext.platform.route_table import (
    Call,
    Route,
    Who,
    find,
    handler_name,
    route,
    without_head,
)
from jupyter_ext.wire.routes import (
    AGENT_ROUTE,
    CHANNELS_ROUTE,
    CLUSTERS_ROUTE,
    DRAIN_ROUTE,
    ENCRYPTION_ROUTE,
    EVENTS_ROUTE,
    GATEWAYS_ROUTE,
    GONE_ROUTE,
    JOURNAL_ROUTE,
    LAUNCH_OPTIONS_ROUTE,
    LEFTOVERS_ROUTE,
    OWNER_ROUTE,
    POOLS_ROUTE,
    REVOCATIONS_ROUTE,
    pattern_of,
)

_OURS = "gateway_ext.kernels.handlers"
_STOCK = "enterprise_gateway.services"
_KERNEL = r"/api/kernels/[^/]+"


def _route(who: Who, methods: str, pattern: str, handler: str) -> Route:
    # Browsers ask first, without a token.
    return route(who, f"{methods} OPTIONS", pattern, handler)


ROUTES: tuple[Route, ...] = (
    route(
        Who.AGENTS,
        "GET",
        pattern_of(AGENT_ROUTE),
        f"{_OURS}.agent_handler.AgentHandler",
        socket=True,
    ),
    route(
        Who.USERS,
        "GET",
        pattern_of(CHANNELS_ROUTE),
        f"{_OURS}.client_websocket.ChannelsHandler",
        socket=True,
    ),
    # Kernels: their project is in the body or in their record.
    _route(Who.USERS, "GET POST", r"/api/kernels", f"{_OURS}.kernel_handlers.KernelsHandler"),
    _route(Who.USERS, "GET DELETE", _KERNEL, f"{_OURS}.kernel_handlers.KernelHandler"),
    _route(Who.USERS, "POST", rf"{_KERNEL}/interrupt", f"{_OURS}.kernel_handlers.InterruptHandler"),
    _route(Who.USERS, "POST", rf"{_KERNEL}/restart", f"{_OURS}.kernel_handlers.RestartHandler"),
    _route(Who.USERS, "GET", pattern_of(OWNER_ROUTE), f"{_OURS}.kernel_handlers.OwnerHandler"),
    _route(Who.USERS, "GET", pattern_of(EVENTS_ROUTE), f"{_OURS}.kernel_handlers.EventsHandler"),
    _route(
        Who.USERS,
        "GET POST PUT PATCH DELETE",
        r"/api/sessions(?:/.*)?",
        f"{_OURS}.kernel_handlers.NotServedHandler",
    ),
    _route(
        Who.USERS,
        "GET",
        pattern_of(LAUNCH_OPTIONS_ROUTE),
        f"{_OURS}.launch_options_handler.LaunchOptionsHandler",
    ),
    _route(
        Who.USERS, "GET", pattern_of(GATEWAYS_ROUTE), f"{_OURS}.gateway_handlers.GatewaysHandler"
    ),
    # Operators, by the command line.
    _route(Who.SERVICES, "POST", pattern_of(GONE_ROUTE), f"{_OURS}.kernel_handlers.GoneHandler"),
    _route(
        Who.SERVICES,
        "POST DELETE",
        pattern_of(DRAIN_ROUTE),
        f"{_OURS}.gateway_handlers.DrainHandler",
    ),
    _route(
        Who.SERVICES,
        "GET",
        pattern_of(LEFTOVERS_ROUTE),
        f"{_OURS}.gateway_handlers.LeftoversHandler",
    ),
    _route(
        Who.SERVICES,
        "GET",
        pattern_of(CLUSTERS_ROUTE),
        f"{_OURS}.gateway_handlers.ClustersHandler",
    ),
    _route(
        Who.SERVICES, "DELETE", pattern_of(POOLS_ROUTE), f"{_OURS}.gateway_handlers.PoolsHandler"
    ),
    _route(
        Who.SERVICES,
        "GET POST",
        pattern_of(ENCRYPTION_ROUTE),
        f"{_OURS}.gateway_handlers.EncryptionHandler",
    ),
    _route(
        Who.SERVICES,
        "GET",
        pattern_of(REVOCATIONS_ROUTE),
        f"{_OURS}.gateway_handlers.RevocationsHandler",
    ),
    # What runs beside a kernel calls labs through its gateway; what it may do there, labs decide.
    route(
        Who.KERNELS,
        "GET PUT POST DELETE",
        pattern_of(JOURNAL_ROUTE),
        f"{_OURS}.pipe_handler.PipeHandler",
    ),
    _route(Who.USERS, "GET", r"/api", "enterprise_gateway.base.handlers.APIVersionHandler"),
    _route(
        Who.USERS,
        "GET",
        r"/api/kernelspecs",
        f"{_STOCK}.kernelspecs.handlers.MainKernelSpecHandler",
    ),
    _route(
        Who.USERS,
        "GET",
        r"/api/kernelspecs/[^/]+",
        f"{_OURS}.kernelspec_handler.FleetKernelSpecHandler",
    ),
    _route(
        Who.USERS,
        "GET",
        r"/kernelspecs/[^/]+/.*",
        f"{_STOCK}.kernelspecs.handlers.KernelSpecResourceHandler",
    ),
    without_head(
        _route(Who.USERS, "GET", r"/api/swagger\.json", f"{_STOCK}.api.handlers.SpecJsonHandler")
    ),
    without_head(
        _route(Who.USERS, "GET", r"/api/swagger\.yaml", f"{_STOCK}.api.handlers.APIYamlHandler")
    ),
)


def named(call: Call, table: Iterable[Route] = ROUTES) -> Route:
    """The entry that names this call; raises Refusal (404, 405)."""
    found = find(table, call)
    if found is not None:
        return found[0]
    if any(entry.handler == call.handler and entry.pattern.fullmatch(call.path) for entry in table):
        raise Refusal(405, "this path has no such method")
    raise Refusal(404, "a gateway has nothing at this path: look for a mistake in the URL")


def require_named(handler: web.RequestHandler) -> Route:
    """The entry that names the request that this handler is to answer; raises Refusal."""
    return named(
        Call(
            handler.request.method or "GET",
            below_base_url(handler, handler.request.path),
            handler_name(type(handler)),
            isinstance(handler, websocket.WebSocketHandler),
        )
    )


def below_base_url(handler: web.RequestHandler, target: str) -> str:
    """A request's path, or path and query, below the gateway's base URL."""
    # It may be configured without the first slash.
    base_url = "/" + handler.settings["base_url"].strip("/")
    return target.removeprefix(base_url.rstrip("/"))
