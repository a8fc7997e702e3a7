"""Metrics and health of a lab or a gateway, at a port of their own.

They ask for no token, so the port is for those who watch the fleet: the front does not lead to it,
and the port that people reach answers neither.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from socket import socket

import prometheus_client
from tornado import web
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

REQUEST_SECONDS = 10.0
"""How long a client may take to send a request."""


class PortRefused(Exception):
    """The port cannot be used; the text says why and what to do."""


class _MetricsHandler(web.RequestHandler):
    """`GET /metrics`, in the text format of Prometheus."""

    def get(self) -> None:
        self.set_header("Content-Type", prometheus_client.CONTENT_TYPE_LATEST)
        self.finish(prometheus_client.generate_latest())


class _HealthHandler(web.RequestHandler):
    """`GET /health`: 200 while the event loop answers. It asks neither database nor store, so that
    nobody restarts a server because of them."""

    def get(self) -> None:
        self.finish({"status": "ok"})


def bind(port: int, ip: str) -> list[socket]:
    """Take the port, or none if it is 0; raises PortRefused."""
    if not port:
        return []
    try:
        return bind_sockets(port, ip)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            why = "another program uses it: stop that program, or set metrics_port to another port"
        else:
            why = error.strerror or os.strerror(error.errno or 0)
        raise PortRefused(f"port {port} of {ip or 'any address'} cannot be used: {why}") from error


def serve(sockets: Iterable[socket]) -> HTTPServer:
    """Answer at a port that was taken."""
    server = HTTPServer(
        web.Application(
            [(r"/metrics", _MetricsHandler), (r"/health", _HealthHandler)],
            log_function=lambda handler: None,
        ),
        idle_connection_timeout=REQUEST_SECONDS,
        body_timeout=REQUEST_SECONDS,
        max_body_size=0,
    )
    server.add_sockets(sockets)
    return server
