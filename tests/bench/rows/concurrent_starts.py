"""Thirty kernels at once, and how long other callers wait meanwhile: ours and stock.

Stock is Enterprise Gateway 3.3 with its local process proxy, and both start the same ipykernel.
A tornado process that does nothing is polled in the same moments, because what the machine does
meets everybody.
"""

import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import requests
import websocket

from tests.bench import watched_loop
from tests.bench.bench import Bench, Measure
from tests.bench.rows.cell_round_trip import WebsocketKernel, stock_gateway
from tests.bench.table import Table
from tests.bench.watched_loop import longest
from tests.integration.gateway_ext.fleet_of_gateways import Gateways
from tests.servers.ports import free_ports
from tests.servers.process import ServerProcess
from tests.servers.short_folder import short_folder

OURS, STOCK = "ours, gateway", "stock Enterprise Gateway"
STARTS = 30
POLL_SECONDS = 0.02
IDLE = """
import sys, tornado.ioloop, tornado.web
class Handler(tornado.web.RequestHandler):
    def get(self): self.finish("{}")
tornado.web.Application([("/api", Handler)]).listen(int(sys.argv[1]), "127.0.0.1")
tornado.ioloop.IOLoop.current().start()
"""


class Poll:
    """Asks for `/api` again and again, and remembers the longest wait."""

    def __init__(self, url: str, token: str) -> None:
        self._longest = 0.0
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        session = requests.Session()
        while not self._ended.wait(POLL_SECONDS):
            start = time.perf_counter()
            session.get(f"{self._url}/api", headers=self._headers, timeout=60)
            self._longest = max(self._longest, (time.perf_counter() - start) * 1000)

    def end(self) -> float:
        """The longest wait in milliseconds."""
        self._ended.set()
        self._thread.join()
        return self._longest


def _idle_process(bench: Bench) -> str:
    (port,) = free_ports(1)
    process = ServerProcess([sys.executable, "-c", IDLE, str(port)], bench.directory / "idle.log")
    bench.stack.callback(process.stop)
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return requests.get(f"{url}/api", timeout=5).ok
        except requests.RequestException:
            return False

    process.wait_until(answers)
    return url


def run(bench: Bench) -> Table:
    """Starts both gateways, and thirty kernels at each in turns."""
    table = Table(
        f"{STARTS} concurrent starts",
        [OURS, STOCK],
        OURS,
        "median ms (lowest) until the last cell is answered; kernels that answered; longest "
        "callback of the gateway's event loop (ms of its thread's CPU time); longest wait for "
        "GET /api there, and at an idle process in the same time (ms)",
    )
    idle = _idle_process(bench)
    watched = Path(watched_loop.__file__)
    files = {name: bench.directory / f"callbacks-{name}" for name in ("ours", "stock")}

    class WatchedGateways(Gateways):
        def command(self, number: int) -> list[str]:
            python, _, module = super().command(number)
            return [python, str(watched), str(files["ours"]), module]

    gateways = WatchedGateways(bench.stack.enter_context(short_folder("fleet-starts-")), 1)
    bench.stack.callback(gateways.stop)
    token = gateways.signer.sign("bench", {"demo": "owner"}, 3600)
    stock = stock_gateway(bench, (str(watched), str(files["stock"]), "enterprise_gateway"))

    def measure_of(url: str, token: str, body: Mapping[str, Any], file: Path) -> Measure:
        def measure() -> tuple[float, dict[str, float]]:
            polls = [Poll(url, token), Poll(idle, token)]
            start, begun = time.perf_counter(), time.monotonic()
            last: list[float] = []
            with ExitStack() as stack:
                inner = Bench(1, bench.directory, stack)

                def one(number: int) -> None:
                    try:
                        WebsocketKernel(inner, url, token, body, v1=False).cell()
                    except (requests.RequestException, OSError, websocket.WebSocketException):
                        return
                    last.append((time.perf_counter() - start) * 1000)

                with ThreadPoolExecutor(STARTS) as pool:
                    list(pool.map(one, range(STARTS)))
                waited, waited_idle = (poll.end() for poll in polls)
            figures = {
                "answered": len(last),
                "callback": longest(file, begun),
                "longest": waited,
                "idle": waited_idle,
            }
            return max(last, default=float("inf")), figures

        return measure

    ours = {"name": "python", "project": "demo"}
    bench.interleave(
        table,
        {
            f"{STARTS} kernels": {
                OURS: measure_of(gateways.urls[0], token, ours, files["ours"]),
                STOCK: measure_of(stock, "bench", {"name": "bench"}, files["stock"]),
            }
        },
    )
    return table
