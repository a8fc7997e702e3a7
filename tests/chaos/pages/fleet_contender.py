"""This project: two labs, two gateways, the front and the supervisor, as `jupyter fleet up` starts
them."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Mapping

from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.supervisor import Supervisor
from tests.chaos.pages.contender import Contender, Fault, Pause, kill, wait_for_answer
from tests.e2e.running_fleet import Fleet, connected

LONGEST_OUTAGE = 3.0
LOOKS = 40


class FleetContender(Contender):
    """Its supervisor starts what was killed; the supervisor itself is started by the script."""

    name = "fleet"
    kernel = "python"
    path = "demo/pages.ipynb"
    asks_of_conflicts = False

    def start(self) -> None:
        self.fleet = Fleet(self.folder / "f")
        self._kernelspecs = self.folder / "kernelspecs"
        python = os.environ["FLEET_KERNEL_PYTHON"]
        agent = self.late.command(f'{python} -m gateway_ext.agent "$@"')
        proxy = "gateway_ext.process_proxies.local.LocalAgentProxy"
        self.late.write_kernelspec(
            self._kernelspecs,
            ["python", "-m", "gateway_ext.agent.python_kernel", "-f", "{connection_file}"],
            process_proxy={"class_name": proxy, "config": {"agent_command": agent}},
        )
        self._up()
        self._supervisor = Supervisor(DataDir.at(self.fleet.data_dir))
        self._token = self.fleet.token("ann")
        status = self.fleet.status()["processes"]
        self._urls = {process["name"]: process["url"] for process in status}
        self._roles = {process["name"]: process["role"] for process in status}

    def _up(self) -> None:
        self.fleet.up("--kernelspecs", str(self._kernelspecs))

    def stop_processes(self) -> None:
        self.fleet.down("--kernels")

    @property
    def port(self) -> int:
        return self.fleet.port

    @property
    def authorization(self) -> str:
        return f"Bearer {self._token}"

    @property
    def runs_kernels(self) -> str:
        # Each of them knows all.
        return next(self._urls[name] for name, role in self._roles.items() if role == "gateway")

    def _address(self, page: str) -> str:
        return f"{self.cable.address}/login?token={self._token}&next={page}"

    def _pids(self, role: str) -> dict[str, int]:
        """The living processes of a role by name; none while the supervisor is away."""
        states = self._supervisor.states().items()
        return {n: s.pid for n, s in states if self._roles.get(n) == role and s.pid is not None}

    @property
    def faults(self) -> Mapping[str, Fault]:
        return {
            "kill a lab": self._kill_one("lab"),
            "kill both labs": self._kill_labs,
            "kill a gateway": self._kill_one("gateway"),
            "kill the front": self._kill_one("front"),
            "kill the supervisor": self._kill_supervisor,
        }

    def _kill_one(self, role: str) -> Fault:
        def fault(draw: random.Random, pause: Pause) -> None:
            pids = sorted(self._pids(role).items())
            if pids:
                kill(draw.choice(pids)[1])

        return fault

    def _kill_labs(self, draw: random.Random, pause: Pause) -> None:
        for pid in self._pids("lab").values():
            kill(pid)

    def _kill_supervisor(self, draw: random.Random, pause: Pause) -> None:
        kill(self._supervisor.pid())
        pause(draw.uniform(0, LONGEST_OUTAGE))
        self._up()

    def kill_server_of_page(self) -> Callable[[], None]:
        gateways = {
            _port(self._urls[name]) for name, role in self._roles.items() if role == "gateway"
        }
        for _ in range(LOOKS):
            # A call that a lab makes for its own background work is over by the next look.
            labs = self._pids("lab").values()
            serving = [pid for pid in labs if connected(pid, gateways)]
            time.sleep(0.3)
            if len(serving) == 1 and connected(serving[0], gateways):
                return lambda: kill(serving[0])
        raise AssertionError(f"one lab should serve the only page, not {serving}")

    def revive(self) -> None:
        for name, role in self._roles.items():
            if role in ("lab", "gateway"):
                wait_for_answer(f"{self._urls[name]}/api")

    def kill_front(self) -> None:
        for pid in [*self._pids("front").values(), *self._pids("lab").values()]:
            kill(pid)


def _port(url: str) -> int:
    return int(url.rstrip("/").rpartition(":")[2])
