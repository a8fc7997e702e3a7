"""A kernelspec with a pool, and what a test sees of the kernels that wait in it."""

import asyncio
import json
import uuid
from collections.abc import Callable
from typing import Any

from tests.integration.gateway_ext.fleet_of_gateways import wait_until
from tests.integration.gateway_ext.process_proxies.cluster_fleet import KernelFleet
from tests.integration.gateway_ext.records_of import records_as

SPEC = "pooled"
SECONDS = 90.0


class KernelPool:
    """One pool of a fleet; `members` lists the kernels whose pods say that they are nobody's."""

    def __init__(self, fleet: KernelFleet, members: Callable[[], list[str]]) -> None:
        self.fleet = fleet
        self.members = members
        self.folder = fleet.gateways.directory / "kernels" / SPEC

    def declare(self, size: int) -> None:
        """Says in the kernelspec how many kernels are to wait."""
        document = json.loads((self.folder / "kernel.json").read_text())
        document["metadata"].setdefault("fleet", {})["pool"] = {"size": size}
        new = self.folder / "kernel.json.new"
        new.write_text(json.dumps(document))
        new.replace(self.folder / "kernel.json")

    def ready(self) -> dict[str, int]:
        """The kernels that can be claimed, and the gateway that each is at."""
        found = {}
        for kernel_id in self.members():
            record = asyncio.run(records_as(self.fleet.gateways, "test").get(kernel_id))
            if record is not None and record.owner and record.state.value == "running":
                found[kernel_id] = int(record.owner.rpartition("-")[2])
        return found

    def wait_for(self, size: int) -> dict[str, int]:
        """The kernels that can be claimed, as soon as there are so many and no others."""
        wait_until(lambda: len(self.ready()) == len(self.members()) == size, SECONDS)
        return self.ready()

    def owner(self, kernel_id: str) -> int:
        """The gateway that has a kernel, or starts it."""
        record = asyncio.run(records_as(self.fleet.gateways, "test").get(kernel_id))
        assert record is not None
        assert record.owner is not None
        return int(record.owner.rpartition("-")[2])

    def state(self, kernel_id: str) -> str:
        """The state in a kernel's record, "" if there is none."""
        record = asyncio.run(records_as(self.fleet.gateways, "test").get(kernel_id))
        return "" if record is None else record.state.value

    def counts(self, number: int = 0) -> dict[str, tuple[int, int]]:
        """By gateway, how many kernels of users and of pools it has."""
        url = f"{self.fleet.gateways.urls[number]}/api/fleet/gateways"
        found = self.fleet.gateways.client().call("GET", url).json()
        return {one["name"]: (one["kernels"], one["pooled"]) for one in found}

    def begin(self, number: int, **body: Any) -> Any:
        """The model in the answer to a start for which nobody waits."""
        client = self.fleet.gateways.client()
        client.headers["X-Fleet-Start"] = "async"
        body = {"name": SPEC, "kernel_id": str(uuid.uuid4()), **body}
        answer = client.call("POST", self.fleet.url(number), json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def claim(self, number: int, **body: Any) -> str:
        """The id of a kernel that was started at a gateway where one was ready."""
        kernel_id: str = self.begin(number, **body)["id"]
        return kernel_id
