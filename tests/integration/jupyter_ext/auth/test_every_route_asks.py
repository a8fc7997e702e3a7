"""No route of the server gets around the route policy."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.integration.gateway_ext.fleet_of_gateways import REPOSITORY

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
