"""No route of the server gets around the route policy."""

from pathlib import Path

import pytest
from jupyter_server.base.handlers import (
    JupyterHandler,
    PublicStaticFileHandler,
    RedirectWithParams,
    TrailingSlashHandler,
)
from jupyter_server.serverapp import ServerApp
from jupyterlab.labapp import LabApp
from tornado import web
from tornado.routing import Rule, RuleRouter

from jupyter_ext.app import JupyterFleet

# They send somewhere else, or give the icon and robots.txt to everybody.
HARMLESS = {PublicStaticFileHandler, RedirectWithParams, TrailingSlashHandler, web.RedirectHandler}


def handlers_of(router: RuleRouter) -> set[type]:
    found: set[type] = set()
    for rule in router.rules:
        assert isinstance(rule, Rule)
        if isinstance(rule.target, RuleRouter):
            found |= handlers_of(rule.target)
        elif isinstance(rule.target, type):
            found.add(rule.target)
    return found


def test_every_handler_asks_who_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR"):
        monkeypatch.setenv(f"JUPYTER_{name}", str(tmp_path / name))
    ServerApp.clear_instance()
    try:
        server = LabApp.initialize_server(
            argv=[
                "--allow-root",
                f"--ServerApp.root_dir={tmp_path}",
                "--ServerApp.port=0",
                "--ServerApp.jpserver_extensions=jupyter_ext=True",
                "--ServerApp.jpserver_extensions=jupyterlab=True",
            ]
        )
        points = server.extension_manager.extension_points
        assert isinstance(points["jupyter_fleet"].app, JupyterFleet)
        handlers = handlers_of(server.web_app.default_router)
        handlers |= {
            handler
            for _, handler, *_ in (
                *server.web_app.settings["identity_provider"].get_handlers(),
                *server.contents_manager.get_extra_handlers(),
            )
        }
        # It is asked in JupyterHandler.prepare.
        strangers = {handler for handler in handlers if not issubclass(handler, JupyterHandler)}
        assert strangers <= HARMLESS
        assert len(handlers) > 40
    finally:
        ServerApp.clear_instance()
        LabApp.clear_instance()
