"""Events that a gateway has no right to read."""

import asyncio
from typing import Any

from gateway_ext.process_proxies.cluster_calls import ClusterRefused
from gateway_ext.process_proxies.kubernetes_cluster import KubernetesCluster
from gateway_ext.process_proxies.selectors import ObjectName, ObjectUid
from tests import skipped_time


class Cluster(KubernetesCluster):
    """Refuses, and counts how often it is asked."""

    asked = 0

    async def _json(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        self.asked += 1
        raise ClusterRefused(403, "Forbidden", "no")


async def read(cluster: Cluster, namespace: str) -> None:
    found = await cluster.events(ObjectName(namespace), ObjectName("pod"), ObjectUid("u-1"))
    assert found == []


def test_they_are_asked_for_again_after_some_minutes_only() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        for _ in range(3):
            await read(cluster, "one")
        await read(cluster, "other")
        assert cluster.asked == 2
        await asyncio.sleep(301)
        await read(cluster, "one")
        assert cluster.asked == 3

    skipped_time.run(scenario())


def test_namespaces_that_are_gone_are_forgotten() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        for number in range(50):
            await read(cluster, f"of-kernel-{number}")
            await asyncio.sleep(100)
        assert len(cluster._no_events_until) < 5

    skipped_time.run(scenario())
