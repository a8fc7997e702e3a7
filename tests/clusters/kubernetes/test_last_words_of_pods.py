"""What the kernel of a pod that ended said last is in the store, and readers learn how it ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clusters.kubernetes.cluster import Cluster
from tests.clusters.kubernetes.lab_fleet import COUNT, LabFleet, lab_fleet
from tests.clusters.kubernetes.pod_fleet import MEMORY_LIMIT, SMALL_DISK, PodFleet
from tests.integration.gateway_ext.fleet_of_gateways import agents_of, wait_until
from tests.integration.jupyter_ext.journals.test_journals_of_kernels import Answer
from tests.servers.ports import free_ports
from tests.servers.seaweedfs import SeaweedFS

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]

SECONDS = 120.0
LINES = 50
"""So many are in the store before anything happens."""


class Keeping:
    """Labs and gateways on a cluster, which keep what kernels say."""

    def __init__(self, fleet: LabFleet) -> None:
        self.pods = fleet.pods
        self._labs = fleet.labs

    def kept(self, kernel_id: str) -> Answer | None:
        """None as long as nothing is kept."""
        url = f"{self._labs.urls[1]}/api/fleet/kernels/{kernel_id}/journal"
        answer = self._labs.client().call("GET", url)
        return Answer.of(answer.content) if answer.status_code == 200 else None

    def run_until_stored(self, kernelspec: str, then: str = "pass") -> str:
        """Start a kernel whose cell prints lines for ever, and after some of them does what `then`
        says. Returns the kernel's id once the store has many lines."""
        kernel_id = self.pods.started(kernelspec)
        gateways = self.pods.gateways
        code = (
            "import pathlib, time\nfor n in range(10**6):\n  print(f'line {n}', flush=True)\n"
            f"  time.sleep(0.05)\n  if n == {2 * LINES}:\n    {then}"
        )
        with gateways.client().channels(gateways.urls[0], kernel_id) as channels:
            channels.execute(code, cellId="a")
            wait_until(lambda: self.has_line(kernel_id, LINES), SECONDS)
        return kernel_id

    def has_line(self, kernel_id: str, number: int) -> bool:
        """Whether the store has this line."""
        found = self.kept(kernel_id)
        return found is not None and f"line {number}\n" in found.text

    def end(self, kernel_id: str) -> Any:
        """What readers learn of a kernel that is dead; None before."""
        found = self.kept(kernel_id)
        known = None if found is None else found.head["end"]
        return known if known is not None and known["state"] == "dead" else None


@pytest.fixture
def keeping(
    audited: Cluster, seaweedfs: SeaweedFS, mariadb_database: str, tmp_path: Path
) -> Iterator[Keeping]:
    ports, token = free_ports(COUNT), tmp_path / "gateway-token"
    changes: dict[str, Any] = {
        "lab_urls": [f"http://127.0.0.1:{port}" for port in ports],
        "service_token_file": str(token),
    }
    with lab_fleet(audited, seaweedfs, mariadb_database, ports, **changes) as fleet:
        token.write_text(fleet.pods.gateways.signer.sign("gateway", {}, 3600, service="gateway"))
        yield Keeping(fleet)


def numbers(answer: Answer) -> list[int]:
    """Of the lines, without what a kernel that was started again says of itself."""
    (request,) = (record["request"] for record in answer.head["requests"])
    return [int(text.split()[1]) for text in answer.text_of(request).splitlines()]


def kill_agent(pods: PodFleet, kernel_id: str) -> None:
    """The first process of the container: the kubelet sees it end with all others."""
    for agent in agents_of(kernel_id):
        os.kill(agent, signal.SIGKILL)


def drain(pods: PodFleet, kernel_id: str) -> None:
    pods.cluster.evict(pods.cluster.pod(kernel_id))


def wait_for_node(pods: PodFleet, kernel_id: str) -> None:
    """The cell itself writes more than the node allows."""


@pytest.mark.parametrize(
    ("kernelspec", "then", "end", "reason", "lost"),
    [
        ("pod", "pass", kill_agent, "SIGKILL", {2.0}),
        # Its agent is told before, and may have time for its last words.
        ("pod", "pass", drain, "EvictionByEvictionAPI", {0.0, 2.0}),
        (
            "small_disk",
            f"pathlib.Path('{SMALL_DISK}/file').write_bytes(bytes(8 << 20))",
            wait_for_node,
            'Evicted: Usage of EmptyDir volume "small" exceeds',
            {0.0, 2.0},
        ),
    ],
    ids=["killed", "drained", "evicted"],
)
def test_what_a_pod_said_before_it_ended_is_in_the_store_with_the_reason(
    keeping: Keeping,
    kernelspec: str,
    then: str,
    end: Callable[[PodFleet, str], None],
    reason: str,
    lost: set[float],
) -> None:
    kernel_id = keeping.run_until_stored(kernelspec, then)
    end(keeping.pods, kernel_id)

    def has_reason() -> bool:
        """Its agent may have said first that it was ended, and not why."""
        known = keeping.end(kernel_id)
        return known is not None and reason in known["reason"]

    wait_until(has_reason, SECONDS)
    found = keeping.kept(kernel_id)
    assert found is not None
    assert found.head["lost_seconds"] in lost
    assert found.head["complete"] is (found.head["lost_seconds"] == 0.0)
    assert numbers(found) == list(range(len(numbers(found))))
    assert len(numbers(found)) > LINES


def test_what_a_pod_said_before_it_was_out_of_memory_is_in_the_store_with_the_reason(
    keeping: Keeping,
) -> None:
    kernel_id = keeping.run_until_stored("limited", "x = b'x' * (1 << 30)")

    def reason() -> str:
        """Where the kernel alone was ended, its agent has said why; else the gateways have."""
        found, end = keeping.kept(kernel_id), keeping.end(kernel_id)
        messages = [] if found is None else found.messages
        said = [content for kind, _, content in messages if kind == "execute_reply"]
        words = [content.get("evalue", "") for content in said]
        return str(end["reason"]) if end is not None else "".join(words)

    words = wait_until(reason, SECONDS)
    assert "out of memory" in words
    assert f"{MEMORY_LIMIT} MB" in words or f"{MEMORY_LIMIT}Mi" in words
    found = keeping.kept(kernel_id)
    assert found is not None
    if found.head["complete"] or keeping.end(kernel_id) is None:
        assert numbers(found) == list(range(2 * LINES + 1))
    else:
        assert numbers(found) == list(range(len(numbers(found))))
