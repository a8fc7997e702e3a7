"""What the kernel of a killed pod said last is in the store, and readers learn how it ended."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.clusters.kubernetes.cluster import Cluster
from tests.clusters.kubernetes.lab_fleet import COUNT, lab_fleet
from tests.integration.gateway_ext.fleet_of_gateways import agents_of, wait_until
from tests.integration.jupyter_ext.journals.test_journals_of_kernels import Answer
from tests.servers.ports import free_ports
from tests.servers.seaweedfs import SeaweedFS

SECONDS = 120.0


@pytest.mark.full
@pytest.mark.timeout(600)
def test_what_a_killed_pod_said_is_in_the_store(
    audited: Cluster, seaweedfs: SeaweedFS, mariadb_database: str, tmp_path: Path
) -> None:
    ports, token = free_ports(COUNT), tmp_path / "gateway-token"
    changes: dict[str, Any] = {
        "lab_urls": [f"http://127.0.0.1:{port}" for port in ports],
        "service_token_file": str(token),
    }
    with lab_fleet(audited, seaweedfs, mariadb_database, ports, **changes) as fleet:
        gateways, pods = fleet.pods.gateways, fleet.pods
        token.write_text(gateways.signer.sign("gateway", {}, 3600, service="gateway"))
        kernel_id = pods.started("pod")

        def kept() -> Answer | None:
            url = f"{fleet.labs.urls[1]}/api/fleet/kernels/{kernel_id}/journal"
            answer = fleet.labs.client().call("GET", url)
            return Answer.of(answer.content) if answer.status_code == 200 else None

        def line(number: int) -> bool:
            found = kept()
            return found is not None and f"line {number}\n" in found.text

        with gateways.client().channels(gateways.urls[0], kernel_id) as channels:
            channels.execute(
                "import time\nfor n in range(10**6):\n  print(f'line {n}', flush=True)\n"
                "  time.sleep(0.05)"
            )
            wait_until(lambda: line(50), SECONDS)
            # The first process of the container: the kubelet sees it end with all others.
            for agent in agents_of(kernel_id):
                os.kill(agent, signal.SIGKILL)

        def end() -> Any:
            found = kept()
            known = None if found is None else found.head["end"]
            return known if known is not None and known["state"] == "dead" else None

        assert "SIGKILL" in wait_until(end, SECONDS)["reason"]
        found = kept()
        assert found is not None
        assert (found.head["complete"], found.head["lost_seconds"]) == (False, 2.0)
        numbers = [int(text.split()[1]) for text in found.text.splitlines()]
        assert numbers == list(range(len(numbers)))
