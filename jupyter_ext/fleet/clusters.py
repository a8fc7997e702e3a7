"""The clusters in which a fleet's gateways can start kernels, as the operator's files say now."""

from __future__ import annotations

from dataclasses import dataclass, replace

from jupyter_ext.fleet.advertised_address import check_advertised
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.kernelspec_folder import check_kernelspecs
from jupyter_ext.fleet.kubeconfig import Context, check_namespace, read_context
from jupyter_ext.fleet.settings import Settings, flag
from jupyter_ext.fleet.yarn_site import read_resource_managers


@dataclass(frozen=True)
class Clusters:
    """What the options of `up` for clusters refer to."""

    kubernetes: Context | None = None
    resource_managers: tuple[str, ...] = ()
    """The URLs of YARN's ResourceManagers; empty without a YARN cluster."""


def find_clusters(settings: Settings) -> Clusters:
    """Check what the options for clusters name, and read it; raises `FleetError`."""
    if settings.kernelspecs is not None:
        check_kernelspecs(settings.kernelspecs)
    if settings.advertise is not None:
        check_advertised(settings.advertise)
    if settings.kube_namespace is not None:
        check_namespace(settings.kube_namespace)
    if settings.kubeconfig is None:
        for name in ("kube_context", "kube_namespace"):
            if getattr(settings, name) is not None:
                raise FleetError(
                    f"{flag(name)} needs --kubeconfig, which says how the cluster is reached"
                )
    return Clusters(
        kubernetes=None
        if settings.kubeconfig is None
        else read_context(settings.kubeconfig, settings.kube_context),
        resource_managers=()
        if settings.yarn_conf is None
        else tuple(read_resource_managers(settings.yarn_conf)),
    )


def with_context(settings: Settings, clusters: Clusters) -> Settings:
    """The settings with the name of the kubeconfig's context.

    It is kept from then on: somebody who makes another context the current one in that file must
    not move running gateways to another cluster, where they would find none of their kernels.
    """
    context = clusters.kubernetes
    return settings if context is None else replace(settings, kube_context=context.name)
