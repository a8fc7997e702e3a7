"""Kernels whose launch a test holds up, or lets fail."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.integration.gateway_ext.fleet_of_gateways import Gateways, kernel_python

GATED, BROKEN = "gated", "broken"
"""The kernelspecs: whose agent waits for the gate, and whose agent does not start."""


class GatedKernels:
    """Adds the kernelspecs to gateways. The gate is open at first."""

    def __init__(self, gateways: Gateways) -> None:
        self._closed = Path(gateways.directory) / "gate-closed"
        agent = f"exec {kernel_python()} -m gateway_ext.agent"
        waits = f"while [ -e {self._closed} ]; do sleep 0.05; done; {agent}"
        fails = f"while [ -e {self._closed} ]; do sleep 0.05; done; echo no room here >&2; exit 3"
        for name, script in ((GATED, waits), (BROKEN, fails)):
            config = {"agent_command": ["sh", "-c", script]}
            proxy = {"class_name": "gateway_ext.process_proxies.local.LocalAgentProxy"}
            gateways._write_kernelspec(name, {**proxy, "config": config})

    def open(self) -> None:
        """Lets launches go on."""
        self._closed.unlink(missing_ok=True)

    @contextlib.contextmanager
    def closed(self) -> Iterator[None]:
        """Holds launches up until `open`, at the latest until the block ends."""
        self._closed.touch()
        try:
            yield
        finally:
            self.open()
