"""Enterprise Gateway's own tests, as they lie in the installed package, on our app.

What is adapted is only what a caller of a fleet does differently: a token of the platform goes with
each call (signed for whom the test names in KERNEL_USERNAME), and the app runs its background work.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

# Read when the tests are imported.
os.environ["ASYNC_TEST_TIMEOUT"] = "60"

from enterprise_gateway.tests import test_gatewayapp, test_handlers  # type: ignore[import-untyped]
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect
from traitlets.config import Config

from gateway_ext.app import FleetGatewayApp
from jupyter_ext.platform.encryption import create_keys_file
from jupyter_ext.platform.tokens import TokenSigner, create_keys
from tests.integration.gateway_ext.fleet_of_gateways import (
    copy_agent,
    kernel_python,
)


class Platform:
    """The folder, the keys and the configuration of the gateway under test."""

    def __init__(self) -> None:
        # Short: Unix sockets lie below it.
        self.directory = Path(tempfile.mkdtemp(prefix="fleet-peer-", dir="/tmp"))
        self.directory.chmod(0o711)
        create_keys(self.directory / "private.pem", self.directory / "jwks.json")
        create_keys_file(self.directory / "encryption.json")
        self.signer = TokenSigner(self.directory / "private.pem")
        self.code = copy_agent(self.directory)
        # Not in the installed package; stock Enterprise Gateway finds an ipykernel beside itself.
        for name in ("python", "python3"):
            folder = self.directory / "kernels" / name
            folder.mkdir(parents=True)
            argv = [kernel_python(), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            spec = {"argv": argv, "display_name": name, "language": "python"}
            (folder / "kernel.json").write_text(json.dumps(spec))

    def config(self) -> Config:
        """Configuration of the app."""
        # The kernelspecs of these tests know nothing of a fleet.
        python = kernel_python()
        agent = ["/usr/bin/env", f"PYTHONPATH={self.code}", python, "-m", "gateway_ext.agent"]
        config = Config()
        config.FleetGatewayApp.update(
            database_url=f"sqlite:///{self.directory}/gateway.sqlite",
            token_keys_file=str(self.directory / "jwks.json"),
            encryption_keys_file=str(self.directory / "encryption.json"),
            kernels_dir=str(self.directory / "k"),
            agent_command=agent,
        )
        config.KernelSpecManager.kernel_dirs = [
            str(self.directory / "kernels"),
            str(Path(test_gatewayapp.RESOURCES) / "kernels"),
        ]
        config.KernelSpecManager.ensure_native_kernel = False
        return config

    def token(self, user: str) -> str:
        """A token for whoever the test says it is."""
        return self.signer.sign(user, {"demo": "owner"}, 3600)

    def remove(self) -> None:
        """Removes the folder."""
        shutil.rmtree(self.directory, ignore_errors=True)


platform: Platform


class PeerApp(FleetGatewayApp):
    """The app as the tests make it: without a word of configuration."""

    def __init__(self, **options: Any) -> None:
        super().__init__(config=platform.config(), **options)


class Rebased(test_gatewayapp.TestGatewayAppBase):  # type: ignore[misc]
    """To be put before a test class of the package."""

    def setUp(self) -> None:
        global platform
        platform = Platform()
        self._environment = dict(os.environ)
        self._token_is_asked = False
        os.environ["PATH"] = f"{Path(kernel_python()).parent}:{os.environ['PATH']}"
        test_gatewayapp.EnterpriseGatewayApp = PeerApp
        super().setUp()
        self.io_loop.add_callback(self.app._begin)
        self._fetch = self.http_client.fetch
        self.http_client.fetch = self._fetch_as_somebody
        test_handlers.websocket_connect = self._connect_as_somebody

    def setup_configurables(self) -> None:
        # The port is chosen by the test's own server.
        self.app.gateway_url = f"http://127.0.0.1:{self.get_http_port()}"
        self.app.membership.url = self.app.gateway_url
        super().setup_configurables()

    def tearDown(self) -> None:
        kernels = self.io_loop.run_sync(self.app.records.list_kernels)

        async def end() -> None:
            for kernel in kernels:
                place = await self.app.kernel_manager.place(kernel.kernel_id)
                await self.app.kernel_manager.delete(place, "anybody")
            for task in self.app._tasks:
                task.cancel()

        self.io_loop.run_sync(end, timeout=60)
        self.app.database.close()
        super().tearDown()
        os.environ.clear()
        os.environ.update(self._environment)
        platform.remove()

    def _authorization(self, asked: str | None, body: str | None) -> str | None:
        settings = self.app.web_app.settings
        # A test that wants a token to be asked for: tokens of the platform take its place.
        self._token_is_asked = self._token_is_asked or bool(settings["eg_auth_token"])
        settings["eg_auth_token"] = ""
        if asked is None and self._token_is_asked:
            return None
        environment = json.loads(body or "{}").get("env", {})
        return "token " + platform.token(environment.get("KERNEL_USERNAME", "anybody"))

    def _fetch_as_somebody(self, url: str, **options: Any) -> Any:
        headers = dict(options.pop("headers", {}))
        header = self._authorization(headers.pop("Authorization", None), options.get("body"))
        if header:
            headers["Authorization"] = header
        # Set by a test behind the app's back.
        self.app.max_kernels = self.app.web_app.settings["eg_max_kernels"]
        return self._fetch(url, headers=headers, **options)

    def _connect_as_somebody(self, request: Any) -> Any:
        url = request if isinstance(request, str) else request.url
        asked = None if isinstance(request, str) else request.headers.get("Authorization")
        header = self._authorization(asked, None)
        return websocket_connect(
            HTTPRequest(url, headers={"Authorization": header} if header else {})
        )
