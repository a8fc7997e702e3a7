"""Kernels in clusters that the fleet's gateways cannot reach any more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jupyter_ext.fleet.settings import Settings, flag
from jupyter_ext.platform.counted import counted

CLUSTER_OPTIONS = {"kubeconfig": {"pod", "sparkapplication"}, "yarn_conf": {"yarn"}}
"""By the option of `up` for a cluster: the kinds of locations that are in it."""


def dropped_clusters(
    before: Settings, now: Settings, models: Iterable[Mapping[str, Any]]
) -> list[str]:
    """A warning for each option for clusters that was taken back while kernels need it. `models`
    are of all kernels."""
    kinds = [(one.get("location") or {}).get("kind") for one in models]
    everywhere = set().union(*CLUSTER_OPTIONS.values())
    lines = []
    for option, of_it in {**CLUSTER_OPTIONS, "advertise": everywhere}.items():
        value = getattr(before, option)
        count = sum(kind in of_it for kind in kinds)
        if value is None or getattr(now, option) is not None or not count:
            continue
        cannot = (
            "cannot connect to a gateway again"
            if option == "advertise"
            else "can be neither looked at nor ended"
        )
        lines.append(
            f"{counted(count, 'kernel')} of this fleet in the cluster without {flag(option)} "
            f"{cannot}: give it back with `jupyter fleet up {flag(option)} {value}`, and end them "
            "before you take it away"
        )
    return lines
