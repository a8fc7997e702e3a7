"""Gateways on hosts of their own, with time-outs scaled down."""

import time
from pathlib import Path
from typing import Any

from tests.chaos.network import Network
from tests.integration.gateway_ext.fleet_of_gateways import Gateways
from tests.servers.process import ServerDied

PING_TIMEOUT = 1.0
START_SECONDS = 60.0


class ChaosGateways(Gateways):
    """Gateways of which each can be cut off; all on this machine where there is no `network`."""

    def __init__(
        self, directory: Path, count: int, database_url: str, network: Network | None
    ) -> None:
        self._network = network
        if network is not None:
            for number in range(count):
                network.add(number)
        super().__init__(directory, count, database_url)

    def address(self, number: int) -> str:
        if self._network is None:
            return super().address(number)
        return self._network.address(number)

    def command(self, number: int) -> list[str]:
        command = super().command(number)
        return command if self._network is None else [*self._network.at(number), *command]

    def start_again(self, number: int) -> None:
        # As the supervisor does it: a gateway does not start while the database is away.
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                super().start_again(number)
                return
            except ServerDied:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def settings(self, number: int) -> dict[str, Any]:
        settings = super().settings(number)
        ours = settings["FleetGatewayApp"]
        ours |= {
            "ping_seconds": PING_TIMEOUT / 4,
            "ping_timeout": PING_TIMEOUT,
            "heartbeat_seconds": 0.5,
            "living_seconds": 3.0,
            "lost_seconds": 6.0,
            "drain_seconds": 4.0,
            "launch_seconds": 90.0,
            "orphan_seconds": 300.0,
        }
        if self._network is not None:
            ours["agent_command"] = [*self._network.back(self.directory), *ours["agent_command"]]
        return settings

    def agents(self) -> dict[str, list[int]]:
        """The processes of this fleet's agents, by kernel."""
        mark = str(self.directory / "code")
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

    def agent_log(self, kernel_id: str) -> list[str]:
        """What the kernel's agent wrote, in order. A folder is left by no other: raises ValueError
        otherwise."""
        (folder,) = (self.directory / "k" / "k").glob(kernel_id.replace("-", "") + "-*")
        files = [folder / "agent.log.1", folder / "agent.log"]
        return [
            line
            for file in files
            if file.exists()
            for line in file.read_text(errors="replace").splitlines()
        ]
