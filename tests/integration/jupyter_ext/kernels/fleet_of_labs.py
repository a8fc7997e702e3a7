"""Real labs as processes, in front of real gateways, with a real store."""

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from jupyter_ext.platform.encryption import create_keys_file
from jupyter_ext.platform.tokens import TokenSigner, create_keys
from tests.integration.gateway_ext.fleet_of_gateways import (
    REPOSITORY,
    Client,
    Gateways,
    lab_python,
)
from tests.servers.ports import free_ports
from tests.servers.process import ServerProcess
from tests.servers.seaweedfs import SeaweedFS
from tests.servers.short_folder import short_folder


@dataclass
class Fleet:
    """Labs and the gateways behind them."""

    labs: "Labs"
    gateways: Gateways

    @property
    def urls(self) -> list[str]:
        """The labs' addresses."""
        return self.labs.urls

    @contextmanager
    def kernel(self, owner: int = 0, name: str = "lossless") -> Iterator[str]:
        """A kernel's id."""
        kernel_id = self.gateways.start_kernel(owner, name=name)
        try:
            yield kernel_id
        finally:
            self.gateways.client().call("DELETE", f"{self.urls[0]}/api/kernels/{kernel_id}")


@contextmanager
def running_fleet(store: SeaweedFS, gateway_count: int, lab_count: int) -> Iterator[Fleet]:
    """Labs in front of gateways, in a folder of their own."""
    with short_folder("fleet-labs-") as directory:
        gateways = Gateways(directory, gateway_count)
        try:
            labs = Labs(directory, gateways.signer, gateways.urls, store, lab_count)
            try:
                yield Fleet(labs, gateways)
            finally:
                labs.stop()
        finally:
            gateways.stop()


def start_bare_labs(
    directory: Path,
    store: SeaweedFS,
    count: int,
    changes: Mapping[str, Mapping[str, Any]] | None = None,
) -> "Labs":
    """Labs whose gateways are all away; `changes` are to their configuration."""
    create_keys(directory / "private.pem", directory / "jwks.json")
    signer = TokenSigner(directory / "private.pem")
    return Labs(directory, signer, ["http://127.0.0.1:1"], store, count, changes)


class Labs:
    """Several labs of one fleet, which share nothing but database, store and keys."""

    code = REPOSITORY
    """Where the labs' own code is."""

    def __init__(
        self,
        directory: Path,
        signer: TokenSigner,
        gateway_urls: list[str],
        store: SeaweedFS,
        count: int,
        changes: Mapping[str, Mapping[str, Any]] | None = None,
        ports: list[int] | None = None,
    ) -> None:
        """`ports` are free ones, if somebody had to know them before."""
        self.directory = directory
        self._changes = changes or {}
        self.signer = signer
        self._gateway_urls = gateway_urls
        self.store = store
        # The first lab makes it.
        self._bucket = f"labs-{uuid.uuid4().hex[:12]}"
        self.database_url = f"sqlite:///{directory}/lab.sqlite"
        (self.directory / "cookie_secret").write_text(uuid.uuid4().hex)
        create_keys_file(self.directory / "login_keys.json")
        (self.directory / "service-token").write_text(signer.sign("lab", {}, 3600, service="lab"))
        self.ports = ports or free_ports(count)
        self.urls = [f"http://127.0.0.1:{port}" for port in self.ports]
        self.processes = [self._start(number) for number in range(count)]
        for number in range(count):
            self.wait_for(number)

    def settings(self, number: int) -> dict[str, Any]:
        """Configuration of one lab."""
        settings: dict[str, Any] = {
            "ServerApp": {
                "ip": "127.0.0.1",
                "port": self.ports[number],
                "port_retries": 0,
                "open_browser": False,
                "allow_root": True,
                "cookie_secret_file": str(self.directory / "cookie_secret"),
                "jpserver_extensions": {"jupyter_ext": True},
            },
            "JupyterFleet": {
                "database_url": self.database_url,
                "bucket_url": self.store.bucket_url(self._bucket),
                "gateway_urls": self._gateway_urls,
                "token_keys_file": str(self.directory / "jwks.json"),
                "login_keys_file": str(self.directory / "login_keys.json"),
                "service_token_file": str(self.directory / "service-token"),
            },
            "NotebookNotary": {"secret_file": str(self.directory / "cookie_secret")},
            "FleetSessionManager": {"lease_seconds": 3.0},
            "SessionSweep": {"sweep_seconds": 0.5, "grace_seconds": 2.0},
        }
        for section, values in self._changes.items():
            settings[section] = {**settings.get(section, {}), **values}
        return settings

    def _folder(self, number: int) -> Path:
        return self.directory / f"lab-config-{number}"

    def environment(self, number: int) -> dict[str, str]:
        """With it a program finds the configuration of one lab."""
        folder = str(self._folder(number))
        return {
            **os.environ,
            "PYTHONPATH": str(self.code),
            "JUPYTER_CONFIG_DIR": folder,
            "JUPYTER_DATA_DIR": folder,
            "JUPYTER_RUNTIME_DIR": folder,
            "AWS_SHARED_CREDENTIALS_FILE": str(self.store.credentials_file),
        }

    def command(self, number: int) -> list[str]:
        """How a lab is started."""
        begins = (self.code / "jupyter_ext" / "__main__.py").exists()
        # In versions before, JupyterLab is the program.
        return [lab_python(), "-m", "jupyter_ext" if begins else "jupyterlab", "--no-browser"]

    def _start(self, number: int) -> ServerProcess:
        folder = self._folder(number)
        folder.mkdir(exist_ok=True)
        file = folder / "jupyter_server_config.json"
        file.write_text(json.dumps(self.settings(number)))
        file.chmod(0o600)
        return ServerProcess(
            self.command(number),
            self.directory / f"lab-{number}.log",
            environment=self.environment(number),
            directory=folder,
        )

    def client(self, user: str = "ada", **projects: str) -> Client:
        """A person with a token; owner of the project `demo` unless said otherwise."""
        return Client(self.signer.sign(user, projects or {"demo": "owner"}, 3600))

    def service(self, name: str) -> Client:
        """One of the fleet's own servers."""
        return Client(self.signer.sign(name, {}, 3600, service="lab"))

    def start_again(self, number: int) -> None:
        """Starts a lab that has ended, at the same address."""
        self.processes[number] = self._start(number)
        self.wait_for(number)

    def wait_for(self, number: int) -> None:
        """Returns when the lab answers."""

        def answers() -> bool:
            try:
                return requests.get(f"{self.urls[number]}/api", timeout=5).status_code == 200
            except requests.RequestException:
                return False

        self.processes[number].wait_until(answers)

    def stop(self) -> None:
        """Ends the labs."""
        for process in self.processes:
            process.stop()
