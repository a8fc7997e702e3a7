"""A cell's way there and back: through our lab and gateway, and through stock servers.

The yardstick is a kernel on this machine with a client on its ZMQ sockets (`jupyter_client`); the
peers are `jupyter_server` with a local kernel and `jupyter_server --gateway-url` in front of a
stock Enterprise Gateway, and lab, gateway and agent of our own version before journals. None has a
front. All kernels are ipykernel from the kernel's environment.
"""

import json
import os
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import websocket
from jupyter_client.manager import KernelManager

from jupyter_ext.wire.messages import join_v1, split_v1
from tests.bench.bars import Bar
from tests.bench.bench import Bench, Measure, milliseconds_of
from tests.bench.table import Table
from tests.integration.gateway_ext.fleet_of_gateways import Gateways
from tests.integration.jupyter_ext.kernels.earlier_version import EarlierGateways, EarlierLabs
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Fleet, Labs
from tests.servers.ports import free_ports
from tests.servers.process import ServerProcess
from tests.servers.seaweedfs import SeaweedFS, start_seaweedfs
from tests.servers.short_folder import short_folder

DIRECT, GATEWAY, LAB, BEFORE, STOCK_LOCAL, STOCK_GATEWAY = (
    "local kernel, ZMQ client",
    "ours, gateway",
    "ours, lab and gateway",
    "version before, lab and gateway",
    "jupyter_server, local kernel",
    "jupyter_server, stock gateway",
)
CELLS = 40
LINE = "one cell"
SILENCE, LONGEST_SILENCE = 3.0, 30.0
V1 = "v1.kernel.websocket.jupyter.org"


class DirectKernel:
    """A kernel on this machine and a client on its sockets."""

    def __init__(self, bench: Bench) -> None:
        manager = KernelManager(kernel_name="bench")
        manager.kernel_spec_manager.kernel_dirs = [str(kernelspecs(bench.directory))]
        manager.start_kernel()
        bench.stack.callback(manager.shutdown_kernel, now=True)
        self.client = manager.client()
        self.client.start_channels()
        bench.stack.callback(self.client.stop_channels)
        self.client.wait_for_ready(timeout=60)

    def cell(self) -> None:
        """Runs one cell and waits for its reply and for the kernel to be idle."""
        request = self.client.execute("1 + 1")
        self.client.get_shell_msg(timeout=30)
        while True:
            message = self.client.get_iopub_msg(timeout=30)
            if message["parent_header"].get("msg_id") != request:
                continue
            if message["content"].get("execution_state") == "idle":
                return


class WebsocketKernel:
    """A kernel behind a server, and a page's websocket to it."""

    def __init__(
        self, bench: Bench, url: str, token: str, body: Mapping[str, Any], *, v1: bool = True
    ) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        answer = requests.post(f"{url}/api/kernels", json=body, headers=headers, timeout=120)
        answer.raise_for_status()
        kernel = f"/api/kernels/{answer.json()['id']}"
        bench.stack.callback(requests.delete, url + kernel, headers=headers, timeout=60)
        self.session = uuid.uuid4().hex
        self.socket = websocket.create_connection(
            f"ws://{urlsplit(url).netloc}{kernel}/channels?session_id={self.session}",
            header=[f"Authorization: Bearer {token}"],
            subprotocols=[V1] if v1 else None,
            timeout=60,
            skip_utf8_validation=True,
        )
        bench.stack.callback(self.socket.close)
        self.socket.settimeout(1)
        self.v1 = v1

    def cell(self, code: str = "1 + 1") -> tuple[int, float]:
        """Runs one cell and waits for its reply and for the kernel to be idle.

        Returns how many characters it printed, and when (as time.perf_counter) the last message
        came. Stock kernels drop messages when many wait, the last one too: so after the reply it
        is waited for no longer than SILENCE seconds.
        """
        number = uuid.uuid4().hex
        header = {
            "msg_id": number,
            "msg_type": "execute_request",
            "session": self.session,
            "username": "bench",
            "version": "5.3",
            "date": "2026-01-01T00:00:00Z",
        }
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        if self.v1:
            parts = (json.dumps(part).encode() for part in (header, {}, {}, content))
            self.socket.send_binary(join_v1("shell", list(parts)))
        else:
            message = {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}}
            self.socket.send(json.dumps({**message, "content": content, "buffers": []}))
        replied = idle = False
        printed = 0
        last = time.perf_counter()
        while not (replied and idle):
            if time.perf_counter() - last > (SILENCE if replied else LONGEST_SILENCE):
                if replied:
                    break
                raise TimeoutError(f"no reply to {code!r}, {printed} characters so far")
            try:
                kind, parent, content = self._next()
            except websocket.WebSocketTimeoutException:
                continue
            if parent == number:
                replied = replied or kind == "execute_reply"
                idle = idle or content.get("execution_state") == "idle"
                printed += len(content["text"]) if kind == "stream" else 0
                last = time.perf_counter()
        return printed, last

    def _next(self) -> tuple[str, str | None, dict[str, Any]]:
        frame = self.socket.recv()
        if isinstance(frame, bytes):
            _, parts = split_v1(frame)
            header, parent, content = (json.loads(parts[place]) for place in (0, 1, 3))
        else:
            document = json.loads(frame)
            header, parent, content = (
                document[key] for key in ("header", "parent_header", "content")
            )
        return header["msg_type"], parent.get("msg_id"), content


def kernelspecs(directory: Path) -> Path:
    """A folder with the kernelspec that the stock contestants use; the same kernel as ours."""
    folder = directory / "share" / "kernels" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    argv = [os.environ["FLEET_KERNEL_PYTHON"], "-m", "ipykernel_launcher", "-f"]
    (folder / "kernel.json").write_text(
        json.dumps(
            {
                "argv": [*argv, "{connection_file}"],
                "display_name": "bench",
                "language": "python",
                "metadata": {},
            }
        )
    )
    return folder.parent


def _server(bench: Bench, name: str, command: list[str], port: int, ready: str) -> str:
    directory = bench.directory / name
    directory.mkdir()
    url = f"http://127.0.0.1:{port}"
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("JUPYTER")},
        "HOME": str(directory),
        "JUPYTER_CONFIG_DIR": str(directory),
        "JUPYTER_DATA_DIR": str(directory),
        "JUPYTER_RUNTIME_DIR": str(directory),
        "JUPYTER_PATH": str(kernelspecs(bench.directory).parent),
        "EG_UNAUTHORIZED_USERS": "nobody",
        "KERNEL_USERNAME": "bench",
    }
    process = ServerProcess(
        command, directory / "server.log", environment=environment, directory=directory
    )
    bench.stack.callback(process.stop)

    def answers() -> bool:
        try:
            headers = {"Authorization": "Bearer bench"}
            return requests.get(url + ready, headers=headers, timeout=5).ok
        except requests.RequestException:
            return False

    process.wait_until(answers)
    return url


def stock_lab(bench: Bench, name: str, *options: str) -> str:
    """The URL of a stock jupyter_server."""
    (port,) = free_ports(1)
    command = [
        *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"),
        *(f"--port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token=bench"),
        *options,
    ]
    return _server(bench, name, command, port, "/api/kernelspecs")


def stock_gateway(bench: Bench, program: Sequence[str] = ("-m", "enterprise_gateway")) -> str:
    """The URL of a stock Enterprise Gateway."""
    (port,) = free_ports(1)
    command = [
        *(os.environ["FLEET_GATEWAY_PYTHON"], *program, "--ip=127.0.0.1"),
        *(f"--port={port}", "--EnterpriseGatewayApp.port_retries=0"),
    ]
    return _server(bench, "stock-gateway", command, port, "/api/kernelspecs")


def lab_and_gateway(
    bench: Bench, store: SeaweedFS, gateways_of: type[Gateways], labs_of: type[Labs]
) -> Fleet:
    """One of each, of one version; what kernels say goes to the store if that version does so."""
    folder = bench.stack.enter_context(short_folder("fleet-cell-"))
    ports, token = free_ports(1), folder / "gateway-token"
    changes = {
        "lab_urls": [f"http://127.0.0.1:{port}" for port in ports],
        "service_token_file": str(token),
    }
    gateways = gateways_of(folder, 1, changes={"FleetGatewayApp": changes})
    bench.stack.callback(gateways.stop)
    token.write_text(gateways.signer.sign("gateway", {}, 36_000, service="gateway"))
    labs = labs_of(folder, gateways.signer, gateways.urls, store, 1, ports=ports)
    bench.stack.callback(labs.stop)
    return Fleet(labs, gateways)


def run(bench: Bench) -> Table:
    """Starts all of them and sends cells through each in turns."""
    names = [LAB, BEFORE, GATEWAY, DIRECT, STOCK_LOCAL, STOCK_GATEWAY]
    table = Table(
        "Cell round trip (1 + 1, reply and idle)",
        names,
        LAB,
        f"median ms (lowest) of one cell, from {CELLS} cells in a row",
    )
    store = start_seaweedfs(bench.stack.enter_context(short_folder("fleet-s3-")))
    bench.stack.callback(store.stop)
    now = lab_and_gateway(bench, store, Gateways, Labs)
    before = lab_and_gateway(bench, store, EarlierGateways, EarlierLabs)

    def ours(fleet: Fleet, urls: list[str]) -> WebsocketKernel:
        token = fleet.labs.signer.sign("bench", {"demo": "owner"}, 36_000)
        body = {"name": "lossless", "project": "demo", "path": "demo/bench.ipynb"}
        return WebsocketKernel(bench, urls[0], token, body)

    kernels: dict[str, DirectKernel | WebsocketKernel] = {
        LAB: ours(now, now.urls),
        BEFORE: ours(before, before.urls),
        GATEWAY: ours(now, now.gateways.urls),
        DIRECT: DirectKernel(bench),
        STOCK_LOCAL: WebsocketKernel(
            bench, stock_lab(bench, "stock-lab"), "bench", {"name": "bench"}
        ),
        STOCK_GATEWAY: WebsocketKernel(
            bench,
            stock_lab(bench, "gateway-lab", f"--gateway-url={stock_gateway(bench)}"),
            "bench",
            {"name": "bench"},
            # In front of a gateway jupyter_server speaks the older JSON only.
            v1=False,
        ),
    }

    def measure_of(kernel: DirectKernel | WebsocketKernel) -> Measure:
        def cells() -> None:
            for _ in range(CELLS):
                kernel.cell()

        return lambda: (milliseconds_of(cells) / CELLS, {})

    lines = {name: measure_of(kernel) for name, kernel in kernels.items()}
    bench.interleave(table, {LINE: lines})
    return table


def bars(table: Table) -> list[Bar]:
    """Journals have made it no slower, give or take a tenth."""
    return [Bar(LINE, BEFORE, at_most=1.1)]
