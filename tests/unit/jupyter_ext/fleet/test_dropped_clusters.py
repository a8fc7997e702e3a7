"""What `up` says when it takes a cluster away that kernels need."""

from typing import Any

import pytest

from jupyter_ext.fleet.dropped_clusters import dropped_clusters
from jupyter_ext.fleet.settings import Settings

KERNELS = [
    {"location": {"kind": kind}} for kind in ("pod", "sparkapplication", "yarn", "local")
] + [{"location": None}]
BOTH = {"kubeconfig": "/k", "yarn_conf": "/y", "advertise": "192.0.2.7"}


@pytest.mark.parametrize(
    ("gone", "kernels", "said"),
    [
        ("kubeconfig", KERNELS, "2 kernels of this fleet in the cluster without --kubeconfig can"),
        ("yarn_conf", KERNELS, "1 kernel of this fleet in the cluster without --yarn-conf can be"),
        ("advertise", KERNELS, "3 kernels of this fleet in the cluster without --advertise cannot"),
        ("kubeconfig", KERNELS[2:], ""),
        ("", KERNELS, ""),
    ],
)
def test_kernels_of_a_cluster_that_was_taken_away_are_counted(
    gone: str, kernels: list[dict[str, Any]], said: str
) -> None:
    now = Settings(**{name: None if name == gone else value for name, value in BOTH.items()})
    lines = dropped_clusters(Settings(**BOTH), now, kernels)
    assert [line.startswith(said) for line in lines] == ([True] if said else [])
    assert all(
        f"`jupyter fleet up --{gone.replace('_', '-')} {BOTH[gone]}`" in one for one in lines
    )
