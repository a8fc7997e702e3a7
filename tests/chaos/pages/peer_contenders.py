"""Those that this project is compared with. Their processes are started again by the script."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.chaos.pages.contender import Contender, Fault, Pause, wait_for_answer
from tests.servers.ports import free_ports
from tests.servers.process import ServerProcess

ENVIRONMENTS = Path(__file__).parents[3] / ".envs"
LONGEST_OUTAGE = 2.0
TOKEN = "bench"
KERNELSPEC = """{{"argv": ["{python}", "-m", "ipykernel_launcher", "-f", "{{connection_file}}"],
"display_name": "bench", "language": "python", "metadata": {{}}}}"""


class PeerContender(Contender):
    """One JupyterLab server, and what it needs."""

    kernel = "bench"
    path = "pages.ipynb"
    environment: str

    def start(self) -> None:
        python = ENVIRONMENTS / self.environment / "bin" / "python"
        if not python.exists():
            raise FileNotFoundError(
                f"{python} is not there: run `make .envs/stamps/{self.environment}`"
            )
        spec = self.folder / "kernels" / "bench" / "kernel.json"
        spec.parent.mkdir(parents=True)
        kernel_python = os.environ["FLEET_KERNEL_PYTHON"]
        spec.write_text(KERNELSPEC.format(python=kernel_python))
        program = f'{kernel_python} -m ipykernel_launcher -f "$1"'
        self.late.write_kernelspec(
            self.folder / "kernels", [*self.late.command(program), "{connection_file}"]
        )
        self.root = self.folder / "root"
        self.root.mkdir()
        (self._port,) = free_ports(1)
        self.processes = self.start_servers(python)
        wait_for_answer(f"http://127.0.0.1:{self._port}/api")

    def start_servers(self, python: Path) -> dict[str, ServerProcess]:
        """The processes by name; that of the page's server is `server`."""
        return {"server": self.server(python)}

    def server(self, python: Path, *options: str) -> ServerProcess:
        """The page's server, with options of its own."""
        return self.process(
            *(str(python), "-m", "jupyterlab", "--no-browser", "--allow-root", *options),
            *(f"--ServerApp.root_dir={self.root}", f"--IdentityProvider.token={TOKEN}"),
            *(f"--port={self._port}", "--ServerApp.port_retries=0"),
            name="server",
        )

    def process(self, *command: str, name: str) -> ServerProcess:
        """Start a process whose configuration is in the folder alone."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "PYTHON"))}
        return ServerProcess(
            command,
            self.folder / f"{name}.log",
            environment={
                **kept,
                "HOME": str(self.folder),
                "JUPYTER_PATH": str(self.folder),
                "EG_UNAUTHORIZED_USERS": "nobody",
                "KERNEL_USERNAME": "bench",
            },
            directory=self.folder,
        )

    def stop_processes(self) -> None:
        self.end_kernels()
        for process in self.processes.values():
            process.stop()

    @property
    def port(self) -> int:
        return self._port

    @property
    def runs_kernels(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def authorization(self) -> str:
        return f"token {TOKEN}"

    def _address(self, page: str) -> str:
        return f"{self.cable.address}{page}?token={TOKEN}"

    @property
    def faults(self) -> Mapping[str, Fault]:
        return {f"kill the {name}": self._kill_one(name) for name in self.processes}

    def _kill_one(self, name: str) -> Fault:
        def fault(draw: random.Random, pause: Pause) -> None:
            self.processes[name].kill()
            pause(draw.uniform(0, LONGEST_OUTAGE))
            self.processes[name] = self.processes[name].start_again()

        return fault

    def kill_server_of_page(self) -> Callable[[], None]:
        return self.processes["server"].kill

    def revive(self) -> None:
        if self.processes["server"].exit_code is not None:
            self.processes["server"] = self.processes["server"].start_again()
        wait_for_answer(f"{self.direct}/api")

    def kill_front(self) -> None:
        self.processes["server"].kill()
        self.processes["server"] = self.processes["server"].start_again()


class StockContender(PeerContender):
    """Stock JupyterLab in front of a stock Enterprise Gateway."""

    name = "stock"
    environment = "peer-jupyterlab"

    def start_servers(self, python: Path) -> dict[str, ServerProcess]:
        (port,) = free_ports(1)
        self._gateway = f"http://127.0.0.1:{port}"
        gateway = self.process(
            *(os.environ["FLEET_GATEWAY_PYTHON"], "-m", "enterprise_gateway", "--ip=127.0.0.1"),
            *(f"--port={port}", "--EnterpriseGatewayApp.port_retries=0"),
            # JupyterLab asks for the list.
            "--EnterpriseGatewayApp.list_kernels=True",
            name="gateway",
        )
        wait_for_answer(f"{self._gateway}/api")
        server = self.server(python, f"--gateway-url={self._gateway}")
        return {"server": server, "gateway": gateway}

    @property
    def runs_kernels(self) -> str:
        return self._gateway


class NbmodelContender(PeerContender):
    """JupyterLab whose server runs the cells and writes into a shared document."""

    name = "nbmodel"
    environment = "peer-nbmodel"
