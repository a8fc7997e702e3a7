"""Paths of a lab, at least one for each of its routes, and what answers at them."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass

from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs

UNKNOWN = "0b0f3c8e-9d3f-4f3e-8c0e-0d3b1f8f3c11"
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")

PATHS = (
    "/",
    "/api",
    "/api/",
    "/api/config/notebook",
    "/api/contents",
    "/api/contents/demo",
    "/api/contents/demo/a.ipynb",
    "/api/contents/demo/a.ipynb/checkpoints",
    "/api/contents/demo/a.ipynb/checkpoints/1",
    "/api/contents/demo/a.ipynb/trust",
    "/api/contents/other/a.ipynb",
    "/api/events",
    "/api/events/subscribe",
    "/api/fleet/encryption",
    "/api/fleet/journals/demo/a.ipynb",
    f"/api/fleet/kernels/{UNKNOWN}/journal",
    "/api/fleet/revocations",
    "/api/fleet/sign-in-codes",
    "/fleet/frame",
    f"/api/fleet/kernels/{UNKNOWN}/ticket",
    "/api/fleet/kernelspecs/python/launch-options",
    "/api/fleet/launch-choices",
    "/api/fleet/versions/demo/a.ipynb",
    "/api/kernels",
    f"/api/kernels/{UNKNOWN}",
    f"/api/kernels/{UNKNOWN}/channels",
    f"/api/kernels/{UNKNOWN}/interrupt",
    f"/api/kernels/{UNKNOWN}/restart",
    "/api/kernelspecs",
    "/api/kernelspecs/python",
    "/api/me",
    "/api/nbconvert",
    "/api/notebooks/demo/a.ipynb",
    "/api/resolvePath",
    "/api/security/csp-report",
    "/api/sessions",
    f"/api/sessions/{UNKNOWN}",
    "/api/shutdown",
    "/api/spec.yaml",
    "/api/status",
    "/favicon.ico",
    "/files/demo/a.ipynb",
    "/kernelspecs/python/logo-64x64.png",
    "/lab",
    "/lab/api/build",
    "/lab/api/extensions",
    "/lab/api/licenses/",
    "/lab/api/listings/x",
    "/lab/api/news",
    "/lab/api/plugins",
    "/lab/api/settings",
    "/lab/api/settings/@jupyterlab/apputils-extension:themes",
    "/lab/api/themes/x.css",
    "/lab/api/translations",
    "/lab/api/translations/en",
    "/lab/api/update",
    "/lab/api/workspaces",
    "/lab/api/workspaces/x",
    "/lab/extensions/x.js",
    "/lab/nothing",
    "/lab/workspaces/no!name",
    "/login",
    "/logout",
    "/lsp/status",
    "/lsp/ws/pylsp",
    "/metrics",
    "/nbconvert/html",
    "/nbconvert/html/demo/a.ipynb",
    "/nbconvert/html/",
    "/nothing",
    "/robots.txt",
    "/static/lab/x.js",
    "/static/x.js",
    "/view/demo/a.ipynb",
)

_LIST = """
import json, sys
from jupyterlab.labapp import LabApp
from tornado.routing import RuleRouter
from tornado.web import RequestHandler
from tornado.websocket import WebSocketHandler

def entries(router):
    for rule in router.rules:
        if isinstance(rule.target, RuleRouter):
            yield from entries(rule.target)
        elif isinstance(rule.target, type):
            kind = rule.target
            yield {
                "pattern": rule.matcher.regex.pattern,
                "handler": f"{kind.__module__}.{kind.__qualname__}",
                "socket": issubclass(kind, WebSocketHandler),
                "methods": [
                    method for method in RequestHandler.SUPPORTED_METHODS
                    if getattr(kind, method.lower()) is not getattr(RequestHandler, method.lower())
                ],
            }

server = LabApp.initialize_server(argv=["--ServerApp.port=0"])
json.dump(list(entries(server.web_app.default_router)), sys.stdout)
"""


@dataclass(frozen=True)
class Answering:
    """One route of the running application."""

    pattern: str
    handler: str
    socket: bool
    methods: tuple[str, ...]


def application_of(labs: Labs) -> list[Answering]:
    """The routes of a lab that is configured as these are, in the order in which they are tried."""
    # In a process of its own: a second server in ours would share its logs and its instance.
    listed = subprocess.run(
        [sys.executable, "-c", _LIST],
        env=labs.environment(0),
        stdout=subprocess.PIPE,
        timeout=100,
        check=True,
    )
    return [
        Answering(one["pattern"], one["handler"], one["socket"], tuple(one["methods"]))
        for one in json.loads(listed.stdout)
    ]


def answering(application: list[Answering], path: str) -> Answering:
    """The route that answers at a path."""
    return next(one for one in application if re.fullmatch(one.pattern, path))
