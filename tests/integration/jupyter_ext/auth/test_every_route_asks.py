"""No route of the server gets around the route policy."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.integration.gateway_ext.fleet_of_gateways import REPOSITORY
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs

# A server of its own process: a second one in ours would share its logs and its instance.
LIST_HANDLERS = """
import json, sys
from jupyter_server.base.handlers import JupyterHandler
from jupyterlab.labapp import LabApp
from tornado.routing import RuleRouter

def handlers_of(router):
    for rule in router.rules:
        if isinstance(rule.target, RuleRouter):
            yield from handlers_of(rule.target)
        elif isinstance(rule.target, type):
            yield rule.target

server = LabApp.initialize_server(argv=sys.argv[1:])
handlers = set(handlers_of(server.web_app.default_router))
names = {kind.__name__: issubclass(kind, JupyterHandler) for kind in handlers}
points = list(server.extension_manager.extension_points)
json.dump({"points": points, "handlers": names}, sys.stdout)
"""

FIND_HANDLERS = """
import json, sys
from jupyterlab.labapp import LabApp
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

server = LabApp.initialize_server(argv=["--ServerApp.port=0"])
headers = HTTPHeaders({"Host": "localhost"})

def module_for(path):
    start = RequestStartLine("GET", path, "HTTP/1.1")
    request = HTTPServerRequest(start_line=start, headers=headers)
    return server.web_app.find_handler(request).handler_class.__module__

json.dump({path: module_for(path) for path in json.load(sys.stdin)}, sys.stdout)
"""

OUR_ROUTES = [
    "/api/contents/demo/a.ipynb",
    "/api/contents/demo/a.ipynb/checkpoints",
    "/api/contents/demo/a.ipynb/checkpoints/1",
    "/api/contents/demo/a.ipynb/trust",
    "/api/events/subscribe",
    "/api/fleet/versions/demo/a.ipynb",
    "/api/kernels",
    "/api/kernels/0b0f3c8e-9d3f-4f3e-8c0e-0d3b1f8f3c11/restart",
    "/api/kernelspecs",
    "/api/resolvePath",
    "/api/sessions",
    "/api/sessions/0b0f3c8e-9d3f-4f3e-8c0e-0d3b1f8f3c11",
    "/fleet/frame",
    "/kernelspecs/python/logo-64x64.png",
    "/lab/api/licenses",
    "/lab/api/settings",
    "/lab/api/settings/@jupyterlab/apputils-extension:themes",
    "/lab/api/themes/@jupyterlab/theme-light-extension/index.css",
    "/lab/api/translations",
    "/lab/api/translations/en",
    "/lab/api/workspaces",
    "/lab/api/workspaces/auto-x",
    "/login",
    "/logout",
    "/lsp/status",
    "/nbconvert/html/demo/a.ipynb",
]

# They send somewhere else, or give the icon and robots.txt to everybody.
HARMLESS = {
    "PublicStaticFileHandler",
    "RedirectHandler",
    "RedirectWithParams",
    "TrailingSlashHandler",
}


def test_every_handler_asks_who_is_there(tmp_path: Path) -> None:
    places = {f"JUPYTER_{name}_DIR": str(tmp_path) for name in ("CONFIG", "DATA", "RUNTIME")}
    listed = subprocess.run(
        [
            *(sys.executable, "-c", LIST_HANDLERS),
            "--allow-root",
            f"--ServerApp.root_dir={tmp_path}",
            "--ServerApp.port=0",
            "--ServerApp.jpserver_extensions=jupyter_ext=True",
            "--ServerApp.jpserver_extensions=jupyterlab=True",
        ],
        env={**os.environ, **places, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        timeout=100,
        check=True,
    )
    document = json.loads(listed.stdout)
    assert {"jupyter_fleet", "lab"} <= set(document["points"])
    assert len(document["handlers"]) > 40
    # The policy is asked in JupyterHandler.prepare.
    strangers = {name for name, asks in document["handlers"].items() if not asks}
    assert strangers <= HARMLESS


def test_the_fleets_own_handlers_stand_before_the_stock_ones(bare_labs: Labs) -> None:
    found = subprocess.run(
        [sys.executable, "-c", FIND_HANDLERS],
        env=bare_labs.environment(0),
        input=json.dumps(OUR_ROUTES).encode(),
        stdout=subprocess.PIPE,
        timeout=100,
        check=True,
    )
    stock = {
        path: module
        for path, module in json.loads(found.stdout).items()
        if not module.startswith("jupyter_ext.")
    }
    assert stock == {}
