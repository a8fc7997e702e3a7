"""A fleet, and faults that are drawn from a seed; after each of them the fleet is looked over."""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import requests
import websocket

from tests.chaos.agent_logs import violations as log_violations
from tests.chaos.chaos_gateways import PING_TIMEOUT, ChaosGateways
from tests.chaos.counting_kernel import CountingKernel
from tests.chaos.left_over import left_over, processes
from tests.chaos.network import PEOPLE, SQL, Network
from tests.integration.gateway_ext.fleet_of_gateways import Client, Gateways, kernel_process
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs
from tests.servers.mariadb import start_mariadb
from tests.servers.process import ServerProcess
from tests.servers.seaweedfs import SeaweedFS

HEALTHY_SECONDS = 60.0
"""How long a loaded machine may take until all is well again."""
THROUGH_LABS = 3
"""So many kernels are asked through labs too, after each fault."""


TWO_AT_ONCE = 0.25
"""How often a second fault is made together with the first."""

Fault = Callable[["Chaos", random.Random], Awaitable[None]]


class Chaos:
    """Kernels on gateways and labs, in the empty folder `directory`, whose path must be short.

    `say` gets a line for each fault. Without a `network` the faults that cut it are left out. Only
    if this process and what it starts are `alone` can it be said that one is left over.
    """

    def __init__(
        self,
        *,
        gateways: int,
        labs: int,
        kernels: int,
        store: SeaweedFS,
        say: Callable[[str], None],
        network: Network | None,
        alone: bool,
        directory: Path,
    ) -> None:
        self._say = say
        self.directory = directory
        self._store = store
        self.network = network
        self._alone = alone
        self.database = start_mariadb(
            self._folder("sql"), network.database_address if network else "127.0.0.1"
        )
        self.gateways = ChaosGateways(self._folder("g"), gateways, self.database.url, network)
        self.labs = Labs(
            self.gateways.directory, self.gateways.signer, self.gateways.urls, store, labs
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
        await self._restart_one(self.gateways, draw.randrange(len(self.gateways.processes)))

    async def restart_all_gateways(self, draw: random.Random) -> None:
        """One after the other, as an upgrade does it."""
        for number in range(len(self.gateways.processes)):
            await self._restart_one(self.gateways, number)

    async def freeze_gateway(self, draw: random.Random) -> None:
        await self._freeze(draw.choice(self.gateways.processes), draw)

    async def kill_lab(self, draw: random.Random) -> None:
        number = draw.randrange(len(self.labs.processes))
        self.labs.processes[number].signal(signal.SIGKILL)
        await asyncio.sleep(draw.uniform(0, 2))
        await asyncio.to_thread(self.labs.start_again, number)

    async def restart_all_labs(self, draw: random.Random) -> None:
        """One after the other, as an upgrade does it."""
        for number in range(len(self.labs.processes)):
            await self._restart_one(self.labs, number)

    async def freeze_lab(self, draw: random.Random) -> None:
        await self._freeze(draw.choice(self.labs.processes), draw)

    async def stop_database(self, draw: random.Random) -> None:
        end = draw.choice([self.database.kill, self.database.stop])
        await asyncio.to_thread(end)
        await asyncio.sleep(draw.uniform(0, 3 * PING_TIMEOUT))
        self.database.start_again()

    async def freeze_database(self, draw: random.Random) -> None:
        await self._freeze(self.database.process, draw)

    async def cut_gateway_off_from_agents(self, draw: random.Random) -> None:
        """And from labs and the other gateways."""
        await self._cut(PEOPLE, draw)

    async def cut_gateway_off_from_database(self, draw: random.Random) -> None:
        await self._cut(SQL, draw)

    async def cut_gateway_off(self, draw: random.Random) -> None:
        """From everything."""
        await self._cut(PEOPLE, draw, SQL)

    async def crash_kernel(self, draw: random.Random) -> None:
        kernel = draw.choice(self.kernels)
        kernel.expect_a_crash()
        before = kernel.born
        os.kill(kernel_process(kernel.kernel_id), signal.SIGKILL)
        deadline = time.monotonic() + HEALTHY_SECONDS
        while True:
            try:
                await kernel.begin(1.5)
                if kernel.born != before:
                    return
            except TimeoutError:
                pass
            if time.monotonic() > deadline:
                raise TimeoutError(f"kernel {kernel.kernel_id} was not started again")

    async def kill_agent(self, draw: random.Random) -> None:
        kernel = draw.choice(self.kernels)
        kernel.expect_a_crash()
        for pid in self.gateways.agents().get(kernel.kernel_id, []):
            os.kill(pid, signal.SIGKILL)
        await self._until(lambda: self._state(kernel.kernel_id) == "dead", "known to be dead")
        await self._until(lambda: self._restart(kernel.kernel_id), "started again")
        deadline = time.monotonic() + HEALTHY_SECONDS
        while True:
            try:
                await kernel.begin(1.5)
                return
            except TimeoutError:
                if time.monotonic() > deadline:
                    raise

    GATEWAYS = (kill_gateway, restart_gateway, restart_all_gateways, freeze_gateway)
    LABS = (kill_lab, restart_all_labs, freeze_lab)
    DATABASE = (stop_database, freeze_database)
    KERNELS = (crash_kernel, kill_agent)
    CUTS = (cut_gateway_off_from_agents, cut_gateway_off_from_database, cut_gateway_off)

    def draw_faults(self, draw: random.Random) -> list[Fault]:
        """One fault, or two of different kinds at once."""
        kinds = [self.GATEWAYS, self.LABS, self.DATABASE, self.KERNELS]
        if self.network is not None:
            kinds.append(self.CUTS)
        # Each fault is as likely as every other.
        first = draw.choice([fault for kind in kinds for fault in kind])
        others = [fault for kind in kinds if first not in kind for fault in kind]
        return [first, draw.choice(others)] if draw.random() < TWO_AT_ONCE else [first]

    async def _restart_one(self, servers: Gateways | Labs, number: int) -> None:
        process = servers.processes[number]
        await asyncio.to_thread(process.stop, 30)
        if process.exit_code != 0:
            self.violations.append(f"{process.log.stem} ended with {process.exit_code}, not 0")
        await asyncio.to_thread(servers.start_again, number)

    async def _freeze(self, process: ServerProcess, draw: random.Random) -> None:
        process.signal(signal.SIGSTOP)
        await asyncio.sleep(draw.uniform(1, 3) * PING_TIMEOUT)
        process.signal(signal.SIGCONT)

    async def _cut(self, cable: str, draw: random.Random, *more: str) -> None:
        network = self.network
        assert network is not None
        host = draw.randrange(len(self.gateways.processes))
        for each in (cable, *more):
            network.pull(host, each)
        await asyncio.sleep(draw.uniform(1, 3) * PING_TIMEOUT)
        for each in (cable, *more):
            network.plug(host, each)

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

    def _through_a_lab(self, kernel: CountingKernel) -> None:
        """Raises TimeoutError unless a page at some lab reaches the kernel."""
        deadline = time.monotonic() + HEALTHY_SECONDS
        while True:
            url = random.choice(self.labs.urls)
            try:
                with self.client.channels(url, kernel.kernel_id) as channels:
                    channels._websocket.settimeout(15)
                    text = channels.run(
                        "import sys; sys.stdout.write(f'<{get_ipython().kernel.ident}>\\n')"
                    )
                # It goes on counting in between.
                if f"<{kernel.born}>" not in text:
                    self.violations.append(f"lab: {text!r} is not from {kernel.born}")
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
        try:
            await self._until(self._one_agent_each, "one agent for each kernel")
            await self._until(lambda: not self._left_over(), "free of other processes")
        except TimeoutError as error:
            self.violations.append(f"after {what}: {error}")
        self._read_logs(what)
        self.healthy.append(time.monotonic() - began)

    def _one_agent_each(self) -> bool:
        return {kernel: len(pids) for kernel, pids in self.gateways.agents().items()} == {
            kernel.kernel_id: 1 for kernel in self.kernels
        }

    def _left_over(self) -> list[int]:
        if not self._alone:
            return []
        servers = [
            process.pid
            for process in (
                *self.gateways.processes,
                *self.labs.processes,
                self.database.process,
                self._store.process,
            )
        ]
        kernels = {kernel.kernel_id for kernel in self.kernels}
        agents = {
            pid: kernel_id in kernels
            for kernel_id, pids in self.gateways.agents().items()
            for pid in pids
        }
        return left_over(processes(), {*servers, os.getpid()}, agents)

    def _read_logs(self, what: str) -> None:
        for kernel in self.kernels:
            lines = self.gateways.agent_log(kernel.kernel_id)
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
            CountingKernel(kernel_id, self.gateways.urls, self.client.headers) for kernel_id in ids
        ]
        await asyncio.gather(*(kernel.begin(HEALTHY_SECONDS) for kernel in self.kernels))

    async def run(self, seed: str, count: int, until: float = float("inf")) -> None:
        """Makes faults so many times, or stops at `until` (of time.monotonic)."""
        draw = random.Random(seed)
        await self.start_kernels()
        await self.look_over("the start", draw)
        for number in range(count):
            if time.monotonic() > until or self.violations:
                break
            faults = self.draw_faults(draw)
            name = " + ".join(fault.__name__.replace("_", " ") for fault in faults)
            # Each draws for itself, so that the same seed makes the same faults.
            seeds = [draw.random() for _ in faults]
            began = time.monotonic()
            made = await asyncio.gather(
                *(
                    fault(self, random.Random(seed))
                    for fault, seed in zip(faults, seeds, strict=True)
                ),
                return_exceptions=True,
            )
            self.violations += [f"{name}: {error!r}" for error in made if error is not None]
            took = time.monotonic() - began
            await self.look_over(f"fault {number} ({name})", draw)
            self.done.update(fault.__name__.replace("_", " ") for fault in faults)
            self._say(
                f"{number:4} {took:5.1f} s, well again after {self.healthy[-1]:.1f} s: {name}"
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
        await self._until(lambda: not self.gateways.agents(), "free of processes")
        await self._until(self._records_are_right, "free of records")
        await self._until(lambda: not self._left_over(), "free of other processes")

    def stop(self) -> None:
        """Ends everything."""
        try:
            for pids in self.gateways.agents().values():
                for pid in pids:
                    os.killpg(pid, signal.SIGKILL)
        finally:
            self.labs.stop()
            for process in self.gateways.processes:
                process.signal(signal.SIGKILL)
            self.database.stop()
