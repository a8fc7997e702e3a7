"""Services of JupyterLab that a lab does not have.

What every page asks for is answered as empty: a language server on a lab would run as the lab's
user and see none of the kernel's environment, and a path of the lab's host is nothing that a page
may know.
"""

from __future__ import annotations

from jupyter_server.base.handlers import APIHandler
from tornado import web


class NoLanguageServersHandler(APIHandler):
    """`/lsp/status`, as jupyter-lsp answers where no language server is installed."""

    @web.authenticated
    def get(self) -> None:
        """No sessions and no servers."""
        self.finish({"version": 2, "sessions": {}, "specs": {}})


class NoLocalPathsHandler(APIHandler):
    """`/api/resolvePath`, as jupyter_server answers for a path that is not below its root."""

    _track_activity = False

    @web.authenticated
    def get(self) -> None:
        """The path is nowhere on this server."""
        self.get_query_argument("path")
        self.finish({"resolved": []})


class NoLicensesHandler(APIHandler):
    """`/lab/api/licenses`, which the route policy refuses. The stock handler answers no refusal at
    all: its `finish` is a coroutine that nobody awaits, so the connection stays open."""

    @web.authenticated
    def get(self) -> None:
        """There are none."""
        raise web.HTTPError(404, "this server lists no licenses")


handlers: list[tuple[str, type]] = [
    (r"/lsp/status", NoLanguageServersHandler),
    (r"/api/resolvePath", NoLocalPathsHandler),
    (r"/lab/api/licenses(?:/.*)?", NoLicensesHandler),
]
