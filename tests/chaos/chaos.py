"""A fleet, and faults that are drawn from a seed; after each of them the fleet is looked over."""

import asyncio
import os
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import requests
import websocket

from tests.chaos.agent_logs import violations as log_violations
from tests.chaos.counting_kernel import CountingKernel
from tests.chaos.cut import Network
from tests.integration.gateway_ext.fleet_of_gateways import Client, Gateways
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs
from tests.servers.mariadb import MariaDB, start_mariadb
from tests.servers.ports import free_ports
from tests.servers.process import ServerProcess
from tests.servers.seaweedfs import SeaweedFS

PING_TIMEOUT = 1.0
HEALTHY_SECONDS = 60.0
"""How long a loaded machine may take until all is well again."""
THROUGH_LABS = 3
"""So many kernels are asked through labs too, after each fault."""


class ChaosGateways(Gateways):
    """Gateways that the others, the labs and the agents reach over a network that can be cut, and
    that reach the database over another."""

    def __init__(self, directory: Path, count: int, database: MariaDB, network: Network) -> None:
        self._database = database
        self._network = network
        self.ways_in: list[Any] = []
        self.ways_to_database: list[Any] = []
        super().__init__(directory, count, database.url)

    def settings(self, number: int) -> dict[str, Any]:
        while len(self.ways_in) <= number:
            there, database = free_ports(2)
            self.ways_in.append(self._network.relay(there, self._ports[len(self.ways_in)]))
            self.ways_to_database.append(self._network.relay(database, self._database.port))
        settings = super().settings(number)
        url = self._database.url.replace(
            f":{self._database.port}/", f":{self.ways_to_database[number].port}/"
        )
        settings["FleetGatewayApp"] |= {
            "database_url": url,
            "gateway_url": f"http://127.0.0.1:{self.ways_in[number].port}",
            "ping_seconds": PING_TIMEOUT / 4,
            "ping_timeout": PING_TIMEOUT,
            "heartbeat_seconds": 0.5,
            "living_seconds": 3.0,
            "lost_seconds": 6.0,
            "drain_seconds": 4.0,
            "launch_seconds": 90.0,
            "orphan_seconds": 300.0,
        }
        return settings

    @property
    def ways(self) -> list[str]:
        """The addresses that everybody is told."""
        return [f"http://127.0.0.1:{way.port}" for way in self.ways_in]


class Chaos:
    """Kernels on gateways and labs; `say` gets a line for each fault."""

    def __init__(
        self,
        *,
        gateways: int,
        labs: int,
        kernels: int,
        store: SeaweedFS,
        say: Callable[[str], None],
    ) -> None:
        self._say = say
        self.directory = Path(tempfile.mkdtemp(prefix="fleet-chaos-", dir="/tmp"))
        self.network = Network()
        self.database = start_mariadb(self._folder("sql"))
        self.gateways = ChaosGateways(self._folder("g"), gateways, self.database, self.network)
        self.labs = Labs(
            self.gateways.directory, self.gateways.signer, self.gateways.ways, store, labs
        )
        self.client = Client(self.gateways.signer.sign("ada", {"demo": "owner"}, 24 * 3600))
        self.kernels: list[CountingKernel] = []
        self._count = kernels
        self.violations: list[str] = []
        self.done: Counter[str] = Counter()
        self.healthy: list[float] = []

    def _folder(self, name: str) -> Path:
        folder = self.directory / name
        folder.mkdir()
        self.directory.chmod(0o711)
        return folder

    # Faults. Each is made and, except for what the supervisor would do, undone.

    async def kill_gateway(self, draw: random.Random) -> None:
        number = draw.randrange(len(self.gateways.processes))
        self.gateways.processes[number].signal(signal.SIGKILL)
        await asyncio.sleep(draw.uniform(0, 2))
        await asyncio.to_thread(self.gateways.start_again, number)

    async def restart_gateway(self, draw: random.Random) -> None:
        number = draw.randrange(len(self.gateways.processes))
        await asyncio.to_thread(self.gateways.processes[number].stop, 30)
        await asyncio.to_thread(self.gateways.start_again, number)

    async def freeze_gateway(self, draw: random.Random) -> None:
        number = draw.randrange(len(self.gateways.processes))
        await self._freeze(self.gateways.processes[number], draw)

    async def kill_lab(self, draw: random.Random) -> None:
        number = draw.randrange(len(self.labs.processes))
        self.labs.processes[number].signal(signal.SIGKILL)
        await asyncio.to_thread(self.labs.start_again, number)

    async def stop_database(self, draw: random.Random) -> None:
        await asyncio.to_thread(self.database.kill)
        await asyncio.sleep(draw.uniform(0, 3 * PING_TIMEOUT))
        self.database.start_again()

    async def freeze_database(self, draw: random.Random) -> None:
        await self._freeze(self.database.process, draw)

    async def cut_gateway_off(self, draw: random.Random) -> None:
        """From agents, labs and the other gateways."""
        await self._cut(draw.choice(self.gateways.ways_in), draw)

    async def cut_database_off(self, draw: random.Random) -> None:
        """From one gateway."""
        await self._cut(draw.choice(self.gateways.ways_to_database), draw)

    async def crash_kernel(self, draw: random.Random) -> None:
        kernel = draw.choice(self.kernels)
        kernel.expect_a_crash()
        before = kernel.pid
        os.kill(before, signal.SIGKILL)
        deadline = time.monotonic() + HEALTHY_SECONDS
        while True:
            try:
                await kernel.begin(5.0)
                if kernel.pid != before:
                    return
            except TimeoutError:
                pass
            if time.monotonic() > deadline:
                raise TimeoutError(f"kernel {kernel.kernel_id} was not started again")

    async def kill_agent(self, draw: random.Random) -> None:
        kernel = draw.choice(self.kernels)
        kernel.expect_a_crash()
        for pid in self.agents().get(kernel.kernel_id, []):
            os.kill(pid, signal.SIGKILL)
        await self._until(lambda: self._state(kernel.kernel_id) == "dead", "known to be dead")
        await self._until(lambda: self._restart(kernel.kernel_id), "started again")
        deadline = time.monotonic() + HEALTHY_SECONDS
        while True:
            try:
                await kernel.begin(5.0)
                return
            except TimeoutError:
                if time.monotonic() > deadline:
                    raise

    FAULTS = (
        kill_gateway,
        restart_gateway,
        freeze_gateway,
        kill_lab,
        stop_database,
        freeze_database,
        cut_gateway_off,
        cut_database_off,
        crash_kernel,
        kill_agent,
    )

    async def _freeze(self, process: ServerProcess, draw: random.Random) -> None:
        process.signal(signal.SIGSTOP)
        await asyncio.sleep(draw.uniform(1, 3) * PING_TIMEOUT)
        process.signal(signal.SIGCONT)

    async def _cut(self, way: Any, draw: random.Random) -> None:
        self.network.cut(way)
        await asyncio.sleep(draw.uniform(1, 3) * PING_TIMEOUT)
        self.network.mend(way)

    def _call(self, method: str, path: str, url: str) -> requests.Response | None:
        try:
            return requests.request(
                method, url + path, headers=self.client.headers, timeout=HEALTHY_SECONDS
            )
        except requests.RequestException:
            return None

    def _state(self, kernel_id: str) -> str:
        answer = self._call("GET", f"/api/kernels/{kernel_id}", random.choice(self.gateways.urls))
        return answer.json()["state"] if answer is not None and answer.ok else ""

    def _restart(self, kernel_id: str) -> bool:
        path = f"/api/kernels/{kernel_id}/restart"
        answer = self._call("POST", path, random.choice(self.gateways.urls))
        return answer is not None and answer.ok

    async def _until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + HEALTHY_SECONDS
        while not await asyncio.to_thread(condition):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not {what} within {HEALTHY_SECONDS:g} s")
            await asyncio.sleep(0.2)

    # Looking over

    def agents(self) -> dict[str, list[int]]:
        """The processes of this fleet's agents, by kernel."""
        mark = str(self.gateways.directory / "code")
        found: dict[str, list[int]] = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if b"\0gateway_ext.agent\0" not in (process / "cmdline").read_bytes():
                    continue
                text = (process / "environ").read_bytes().decode(errors="replace")
            except OSError:
                continue
            variables = dict(item.partition("=")[::2] for item in text.split("\0"))
            if variables.get("PYTHONPATH", "").startswith(mark):
                found.setdefault(variables.get("KERNEL_ID", ""), []).append(int(process.name))
        return found

    def _through_a_lab(self, kernel: CountingKernel) -> None:
        """Raises TimeoutError unless a page at some lab reaches the kernel."""
        deadline = time.monotonic() + HEALTHY_SECONDS
        while True:
            url = random.choice(self.labs.urls)
            try:
                with self.client.channels(url, kernel.kernel_id) as channels:
                    channels._websocket.settimeout(15)
                    text = channels.run("import os, sys; sys.stdout.write(f'<{os.getpid()}>\\n')")
                # It goes on counting in between.
                if f"<{kernel.pid}>" not in text:
                    self.violations.append(f"lab: {text!r} is not from {kernel.pid}")
                return
            except (OSError, AssertionError, websocket.WebSocketException) as error:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{url} does not lead to the kernel: {error!r}") from error
                time.sleep(0.3)

    def _records_are_right(self) -> bool:
        answer = self._call("GET", "/api/kernels", random.choice(self.gateways.urls))
        if answer is None or not answer.ok:
            return False
        models = answer.json()
        ids = [kernel.kernel_id for kernel in self.kernels]
        lost = sorted(set(ids) - {model["id"] for model in models})
        extra = sorted({model["id"] for model in models} - set(ids))
        if lost or extra:
            self.violations.append(f"records lost: {lost}, left over: {extra}")
            return True
        return all(model["state"] == "running" for model in models)

    async def look_over(self, what: str, draw: random.Random) -> None:
        """Notes in `violations` all that is not as it must be."""
        began = time.monotonic()
        some = draw.sample(self.kernels, min(THROUGH_LABS, len(self.kernels)))
        checks: dict[str, Awaitable[None]] = {
            f"kernel {kernel.kernel_id}": kernel.goes_on(HEALTHY_SECONDS) for kernel in self.kernels
        }
        for kernel in some:
            checks[f"kernel {kernel.kernel_id} through a lab"] = asyncio.to_thread(
                self._through_a_lab, kernel
            )
        checks["the records"] = self._until(self._records_are_right, "as they should be")
        results = await asyncio.gather(*checks.values(), return_exceptions=True)
        for name, result in zip(checks, results, strict=True):
            if result is not None:
                self.violations.append(f"after {what}: {name}: {result!r}")
        for kernel in self.kernels:
            for violation in kernel.violations:
                self.violations.append(f"after {what}: kernel {kernel.kernel_id}: {violation}")
            kernel.violations.clear()
        await self._until(self._one_agent_each, "one agent for each kernel")
        self._read_logs(what)
        self.healthy.append(time.monotonic() - began)

    def _one_agent_each(self) -> bool:
        return {kernel: len(pids) for kernel, pids in self.agents().items()} == {
            kernel.kernel_id: 1 for kernel in self.kernels
        }

    def _read_logs(self, what: str) -> None:
        for kernel in self.kernels:
            folder = self.gateways.directory / "k" / "k" / kernel.kernel_id.replace("-", "")
            files = [folder / "agent.log.1", folder / "agent.log"]
            lines = [
                line
                for file in files
                if file.exists()
                for line in file.read_text(errors="replace").splitlines()
            ]
            assert lines, f"no log of {kernel.kernel_id}"
            for violation in log_violations(lines):
                self.violations.append(f"after {what}: agent of {kernel.kernel_id}: {violation}")

    # The run

    async def start_kernels(self) -> None:
        """Starts the kernels, all at once, and has them count."""

        def start(number: int) -> str:
            return self.gateways.start_kernel(number % len(self.gateways.urls))

        ids = await asyncio.gather(*(asyncio.to_thread(start, n) for n in range(self._count)))
        self.kernels = [
            CountingKernel(kernel_id, lambda: self.gateways.ways, self.client.headers)
            for kernel_id in ids
        ]
        await asyncio.gather(*(kernel.begin(HEALTHY_SECONDS) for kernel in self.kernels))

    async def run(self, seed: str, faults: int, until: float = float("inf")) -> None:
        """Makes so many faults, or stops at `until` (of time.monotonic)."""
        draw = random.Random(seed)
        await self.start_kernels()
        await self.look_over("the start", draw)
        for number in range(faults):
            if time.monotonic() > until or self.violations:
                break
            fault = draw.choice(self.FAULTS)
            name = fault.__name__.replace("_", " ")
            began = time.monotonic()
            try:
                await fault(self, draw)
            except TimeoutError as error:
                self.violations.append(f"{name}: {error}")
            made = time.monotonic() - began
            await self.look_over(f"fault {number} ({name})", draw)
            self.done[name] += 1
            self._say(
                f"{number:4} {name:18} {made:5.1f} s, well again after {self.healthy[-1]:.1f} s"
            )

    async def end_kernels(self) -> None:
        """Deletes the kernels: no process and no record may be left."""
        await asyncio.gather(*(kernel.close() for kernel in self.kernels))
        for kernel in self.kernels:
            path = f"/api/kernels/{kernel.kernel_id}"

            def deleted(path: str = path) -> bool:
                answer = self._call("DELETE", path, random.choice(self.gateways.urls))
                return answer is not None and answer.status_code in (204, 404)

            await self._until(deleted, "deleted")
        self.kernels = []
        await self._until(lambda: not self.agents(), "free of processes")
        await self._until(self._records_are_right, "free of records")

    def stop(self) -> None:
        """Ends everything."""
        try:
            for pids in self.agents().values():
                for pid in pids:
                    os.killpg(pid, signal.SIGKILL)
        finally:
            self.labs.stop()
            for process in self.gateways.processes:
                process.signal(signal.SIGKILL)
            self.database.stop()
            self.network.stop()
            if not self.violations:
                shutil.rmtree(self.directory, ignore_errors=True)
