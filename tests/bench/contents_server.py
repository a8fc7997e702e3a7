"""A Jupyter server with one contents manager, as a process: `contents_server.py KIND SETTINGS`.

Run by the interpreter of the contestant, so only what all of them have is imported at the top.
`GET /bench/figures` answers with the number of S3 requests and the longest pause of the event loop
(ms) since it was asked before.
"""

import asyncio
import json
import sys
import time
from importlib import import_module
from typing import Any

from jupyter_server.serverapp import ServerApp
from tornado import web
from traitlets.config import Config

PAUSE = 0.001


class Figures:
    """Counts S3 requests of this process and watches its event loop."""

    def __init__(self) -> None:
        self.requests = 0
        self.longest = 0.0

    def count_requests(self) -> None:
        """Wraps the two HTTP sessions of botocore: the threads' one and aiobotocore's."""
        session_class: Any = import_module("botocore.httpsession").URLLib3Session
        send = session_class.send

        def counted(session: Any, request: Any) -> Any:
            self.requests += 1
            return send(session, request)

        session_class.send = counted
        try:
            async_class: Any = import_module("aiobotocore.httpsession").AIOHTTPSession
        except ImportError:
            return
        async_send = async_class.send

        async def async_counted(session: Any, request: Any) -> Any:
            self.requests += 1
            return await async_send(session, request)

        async_class.send = async_counted

    async def watch(self) -> None:
        """Notes how late the loop comes back; for ever."""
        while True:
            before = time.perf_counter()
            await asyncio.sleep(PAUSE)
            self.longest = max(self.longest, time.perf_counter() - before - PAUSE)

    def take(self) -> dict[str, float]:
        """What was noted since the last call."""
        taken = {"requests": self.requests, "loop_block": self.longest * 1000}
        self.requests, self.longest = 0, 0.0
        return taken


def configure(kind: str, settings: dict[str, Any]) -> Config:
    """The configuration of the contents manager of this kind."""
    config = Config()
    if kind == "fleet":
        config.ServerApp.contents_manager_class = (
            "jupyter_ext.contents.manager.FleetContentsManager"
        )
        config.ServerApp.identity_provider_class = "tests.bench.anyone.Anyone"
        config.FleetContentsManager.database_url = settings["database_url"]
        config.FleetContentsManager.bucket_url = settings["bucket_url"]
    elif kind == "disk":
        config.ServerApp.root_dir = settings["directory"]
    elif kind == "s3contents":
        config.ServerApp.contents_manager_class = "s3contents.S3ContentsManager"
        config.S3ContentsManager.endpoint_url = settings["endpoint"]
        config.S3ContentsManager.access_key_id = settings["access_key"]
        config.S3ContentsManager.secret_access_key = settings["secret_key"]
        config.S3ContentsManager.bucket = settings["bucket"]
        config.S3ContentsManager.region_name = "us-east-1"
    return config


def main() -> None:
    """Serves until it is killed."""
    kind, settings = sys.argv[1], json.loads(sys.argv[2])
    figures = Figures()
    if kind != "disk":
        figures.count_requests()
    config = configure(kind, settings)
    config.ServerApp.ip = "127.0.0.1"
    config.ServerApp.port = settings["port"]
    config.ServerApp.port_retries = 0
    config.ServerApp.open_browser = False
    config.ServerApp.allow_root = True
    config.ServerApp.disable_check_xsrf = True
    config.ServerApp.jpserver_extensions = {"jupyter_ext": False}
    config.ServerApp.log_level = "WARN"
    if kind != "fleet":
        config.IdentityProvider.token = ""
    app = ServerApp(config=config)
    if kind == "fleet":
        from jupyter_ext.database.engine import shared
        from jupyter_ext.database.migrate import upgrade_lab

        upgrade_lab(shared(settings["database_url"]))
    app.initialize(argv=[])

    class FiguresHandler(web.RequestHandler):
        def get(self) -> None:
            self.finish(figures.take())

    app.web_app.add_handlers(".*$", [("/bench/figures", FiguresHandler)])
    if kind == "fleet":
        from jupyter_ext.contents.handlers import handlers

        app.web_app.add_handlers(".*$", handlers)
    app.io_loop.add_callback(lambda: asyncio.ensure_future(figures.watch()))
    app.start()


if __name__ == "__main__":
    main()
