"""Options of `up` that change nothing beside the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jupyter_ext.fleet.browser_address import reaches_others
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.settings import Settings, flag


def refuse_without_effect(wanted: Settings, told: Mapping[str, Any]) -> None:
    """Raise `FleetError` if an option was given now that has no effect in the settings `wanted`.

    What was kept from an earlier `up` is no error: it has its effect again when the other option
    has its earlier value.
    """
    for name, why in _without_effect(wanted):
        if told.get(name) is not None and getattr(wanted, name):
            raise FleetError(f"{flag(name)} has no effect {why}")


def _without_effect(wanted: Settings) -> Iterator[tuple[str, str]]:
    """The settings that have no effect beside these, and why: what to do about it."""
    if not wanted.cull_idle:
        yield "cull_warning", "without --cull-idle, which ends idle kernels: give that too"
    if wanted.max_kernels and wanted.max_kernels_per_user > wanted.max_kernels:
        yield "max_kernels_per_user", f"above --max-kernels {wanted.max_kernels}: use less"
    if wanted.kernel_walls == "none":
        for name in ("shown_folders", "kernel_network_allowed"):
            yield name, "with --kernel-walls none: use --kernel-walls auto or required too"
    if wanted.kernel_network in ("none", "host"):
        yield (
            "kernel_network_allowed",
            f"with --kernel-network {wanted.kernel_network}: use --kernel-network auto or internet "
            "too",
        )
    if not reaches_others(wanted.listen):
        yield "insecure_http", "without --listen and an address that other machines reach"
    if wanted.tls_cert is not None:
        yield "insecure_http", "with --tls-cert: use one of them (--tls-cert '' for http)"
