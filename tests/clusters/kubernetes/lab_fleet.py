"""Labs in front of gateways whose kernels are pods of a real cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.clusters.kubernetes.cluster import Cluster
from tests.clusters.kubernetes.pod_fleet import PodFleet, pod_fleet
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs
from tests.servers.seaweedfs import SeaweedFS

COUNT = 2
"""So many gateways, and as many labs."""


@dataclass
class LabFleet:
    """The labs, and the gateways behind them."""

    labs: Labs
    pods: PodFleet


@contextmanager
def lab_fleet(
    cluster: Cluster,
    store: SeaweedFS,
    database_url: str,
    ports: list[int] | None = None,
    **fleet_changes: Any,
) -> Iterator[LabFleet]:
    """Labs and gateways with one database; `fleet_changes` are settings of FleetGatewayApp. The
    labs' `ports` are free ones, if those settings name them."""
    with pod_fleet(cluster, COUNT, fleet_changes, database_url=database_url) as pods:
        gateways = pods.gateways
        changes = {"JupyterFleet": {"database_url": database_url}}
        labs = Labs(
            gateways.directory,
            gateways.signer,
            gateways.urls,
            store,
            COUNT,
            changes=changes,
            ports=ports,
        )
        try:
            yield LabFleet(labs, pods)
        finally:
            labs.stop()
