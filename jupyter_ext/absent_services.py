"""Services of JupyterLab that a lab does not offer.

Every page requests them, so the lab returns empty results. A language server would run as the lab's
user and not see the kernel's environment, and pages must not learn paths of the lab's host.
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
        """Always answer that the path does not exist on this server."""
        self.get_query_argument("path")
        self.finish({"resolved": []})


class NoLicensesHandler(APIHandler):
    """`/lab/api/licenses`, which the route policy refuses. The stock handler cannot send that
    error: nobody awaits its coroutine `finish`, so the connection would stay open."""

    @web.authenticated
    def get(self) -> None:
        """There are none."""
        raise web.HTTPError(404, "this server lists no licenses")


handlers: list[tuple[str, type]] = [
    (r"/lsp/status", NoLanguageServersHandler),
    (r"/api/resolvePath", NoLocalPathsHandler),
    (r"/lab/api/licenses(?:/.*)?", NoLicensesHandler),
]
